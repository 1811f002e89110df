"""Verdicts and evidence as rows of their tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from slmlens.suitability.evidence import evidence_row
from slmlens.suitability.intervals import Share
from slmlens.suitability.judge import NOT_NAMED, Judged, ModeVerdict, Seen, student_words
from slmlens.suitability.priors import Prior
from slmlens.suitability.rare import RareClass


def verdict_row(
    seen: Seen,
    judged: Judged,
    rare: RareClass | None,
    *,
    failures: list[dict[str, object]],
    reasons: list[str],
    pilot_calls: int | None,
    hold: str | None,
) -> dict[str, object]:
    """Return the task's row of ``VerdictsTable``."""
    pair = seen.ceiling.pair if seen.ceiling else None
    return {
        "task_id": seen.task_id,
        "output_kind": seen.answers.kind if seen.answers else "empty",
        "weak_comparator": seen.answers.weak if seen.answers else False,
        "n_ok": seen.n_ok,
        "signals": _signal_rows(seen, judged),
        "failures": failures,
        "ceiling_pair": pair.value if pair else None,
        "ceiling_lo90": pair.lo90 if pair else None,
        "ceiling_hi90": pair.hi90 if pair else None,
        "ceiling_n": seen.ceiling.n_pairs if seen.ceiling else 0,
        "ceiling_mode": seen.ceiling.mode if seen.ceiling else None,
        "constant": seen.constant,
        "a_needed": judged.target.point,
        "a_needed_at": judged.target.nodes().tolist(),
        "swap": _parity(seen, judged.swap),
        "tuned": _parity(seen, judged.tuned),
        "learnable": judged.learnable,
        "null_p": judged.null_p,
        "program_lo90": judged.program.lo90 if judged.program else None,
        "repeat_share": seen.ceiling.repeat_share if seen.ceiling else 0.0,
        "repeats_equal": seen.ceiling.repeats_equal if seen.ceiling else None,
        "rare_class": rare.name if rare else None,
        "rare_recall": rare.recall if rare else None,
        "rare_n": rare.n if rare else None,
        "gate": judged.gate,
        "hold": hold,
        "grade": judged.chosen.grade,
        "evidence": judged.evidence,
        "time_ordered": seen.time_ordered,
        "pilot_calls": pilot_calls,
        "reasons": reasons,
    }


def _parity(seen: Seen, mode: ModeVerdict) -> dict[str, object] | None:
    """Null where there is no answer at all to judge."""
    return mode.posterior.as_parity(mode.slm) if seen.answers is not None else None


def _signal_rows(seen: Seen, judged: Judged) -> list[dict[str, object]]:
    """Signals by name: those of the calls, those of the parsed answers, and what a probe says of a tuned model."""
    signals = dict(seen.signals)
    if seen.answers is not None:
        codes = seen.answers.joint_codes()
        shares = np.bincount(codes) / len(codes)
        shares = shares[shares > 0]
        shapes = np.unique([" ".join(sorted(a.fields)) for a in seen.answers.answers], return_counts=True)[1]
        signals["answers_distinct"] = float(len(shares))
        signals["answer_entropy"] = float(-(shares * np.log2(shares)).sum()) + 0.0
        signals["schema_stability"] = float(shapes.max() / shapes.sum())
    if seen.ceiling is not None:
        signals["determinism"] = seen.ceiling.repeats_equal
        signals["ceiling_mode_lo90"], signals["ceiling_mode_hi90"] = seen.ceiling.mode_lo90, seen.ceiling.mode_hi90
    if judged.floor is not None:
        signals["tuned_floor"], signals["tuned_floor_sd"] = judged.floor.at, judged.floor.spread
    if judged.larger is not None:
        floor = judged.larger.floor
        signals["larger_floor"], signals["larger_floor_sd"] = floor.at, floor.spread
        signals["larger_floor_from_b"] = judged.larger.from_b
    return [{"name": name, "value": value} for name, value in sorted(signals.items())]


def evidence_rows(seen: Seen, judged: Judged) -> list[dict[str, object]]:
    """Return the task's rows of ``EvidenceTable``: priors, students, program, retrieval, repeats."""
    rows = [_prior_row(seen, "swap", judged.swap.prior), _prior_row(seen, "tuned", judged.tuned.prior)]
    if seen.probed is not None:
        for name, student in sorted(seen.probed.students.items()):
            split = "wordings not seen before" if student.lower is student.group else "later sessions"
            note = f"text classifier on {student_words(name)}, graded on {split}"
            row = evidence_row(seen.task_id, "tuned", "student", student.lower, note)
            rows.append(row | {"constant": student.constant, "null_p": seen.adjusted.get(name)})
        if seen.probed.program is not None:
            rules = "; ".join(f"{name} {rule}" for name, rule in seen.probed.program.rules.items())
            rows.append(
                evidence_row(seen.task_id, "tuned", "program", seen.probed.program.lower, rules)
                | {"constant": seen.constant, "null_p": seen.probed.program.null_p}
            )
        if seen.probed.retrieval is not None:
            copied = seen.probed.retrieval
            row = evidence_row(
                seen.task_id, "tuned", "retrieval", copied.lower, "the nearest earlier prompt's answer, given again"
            )
            rows.append(row | {"constant": copied.constant, "null_p": copied.null_p})
    if seen.ceiling is not None and seen.ceiling.pair is not None:
        note = "the incumbent against itself on prompts repeated byte for byte in other sessions"
        row = evidence_row(seen.task_id, "swap", "repeats", seen.ceiling.pair, note)
        rows.append(row | {"n": seen.ceiling.n_pairs, "constant": seen.constant})
    return rows


def graded_rows(extra: pl.DataFrame, seen: Seen, judged: Judged) -> list[dict[str, object]]:
    """Return the task's rows of further probes, a graded small model's with its P(parity) on all the evidence.

    :param extra: ``EvidenceTable`` rows of further probes.
    """
    rows = extra.filter(pl.col("task_id") == seen.task_id).to_dicts()
    for row in rows:
        known = (judged.swap if row["mode"] == "swap" else judged.tuned).p_parity_of
        row["p_parity"] = known.get(row["slm"] or NOT_NAMED)
        row["constant"] = seen.constant if row["constant"] is None else row["constant"]
    return rows


def _prior_row(seen: Seen, mode: str, prior: Prior) -> dict[str, object]:
    from scipy.special import betaincinv

    lo, hi = (float(betaincinv(prior.a, prior.b, tail)) for tail in (0.05, 0.95))
    return evidence_row(seen.task_id, mode, "prior", Share(prior.mean, lo, hi, 0, 0, prior.kappa), prior.note)
