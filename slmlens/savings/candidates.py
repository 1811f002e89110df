"""The small models of the catalogue for one task: which it can take, and each one's chance of parity as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import Needs, SmallModel, rejection, remark, small_models
from slmlens.savings.volumes import Volume
from slmlens.suitability.posterior import beliefs_by_prior
from slmlens.suitability.priors import SlmFacts, swap_prior_of
from slmlens.suitability.signals import output_tokens

MEDIA_SHARE = 0.01
"""Share of prompts with an image, audio or video from which a model has to read them."""


def candidates_of(
    volume: Volume, verdict: Mapping[str, object], graded: Mapping[str, float], assumptions: Assumptions
) -> tuple[list[SmallModel], list[dict[str, object]]]:
    """Return the models a task can take, and a row for every model of the catalogue.

    :param verdict: Row of ``VerdictsTable``.
    :param graded: P(parity) by the name of each small model that was graded on the task as it is.
    :returns: Models, and rows ``slm, accepted, reason, p_parity, a_lo90, a_hi90``: what its prior says of it as it is,
        by size, year and call tuning (null where it is ruled out); if it was graded, P(parity) on all the
        evidence (the interval is then the verdict's).
    """
    signals = _signals(verdict)
    media = frozenset({"image"}) if (signals.get("media_share") or 0) >= MEDIA_SHARE else frozenset[str]()
    needs = Needs(volume.p99_tokens, volume.tools or verdict["output_kind"] == "tool_call", media)
    accepted, reasons = [], {}
    for model in small_models():
        why = rejection(
            model,
            needs,
            headroom=assumptions.central("window_headroom"),
            tokenizer_ratio=assumptions.central("tokenizer_ratio"),
        )
        reasons[model.name] = why or remark(model, needs)
        accepted += [] if why else [model]
    chances = {**_chances(accepted, verdict, signals), **{slm: {"p_parity": p} for slm, p in graded.items()}}
    taken = {model.name for model in accepted}
    rows = [
        {"slm": slm, "accepted": slm in taken, "reason": reason}
        | {name: chances.get(slm, {}).get(name) if slm in taken else None for name in ("p_parity", "a_lo90", "a_hi90")}
        for slm, reason in reasons.items()
    ]
    return accepted, rows


def graded_as_is(evidence: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return task_id -> small model -> P(parity) of the small models graded as they are.

    :param evidence: ``EvidenceTable``.
    """
    graded = evidence.filter((pl.col("mode") == "swap") & pl.col("slm").is_not_null()).drop_nulls("p_parity")
    found: dict[str, dict[str, float]] = {}
    for task_id, slm, p_parity in graded.sort("task_id", "slm").select("task_id", "slm", "p_parity").iter_rows():
        found.setdefault(task_id, {})[slm] = p_parity
    return found


def _chances(
    models: Sequence[SmallModel], verdict: Mapping[str, object], signals: Mapping[str, float | None]
) -> dict[str, dict[str, float]]:
    """Return ``p_parity, a_lo90, a_hi90`` by model; none where the task has no answer to judge by."""
    if not models or verdict["swap"] is None:
        return {}
    tokens = output_tokens({name: signals.get(name) for name in ("output_tokens_mean", "output_chars_mean")})
    calls_tools = verdict["output_kind"] == "tool_call"
    priors = [
        swap_prior_of(SlmFacts(m.name, m.params_b, m.tool_tuned, m.released), tokens, calls_tools=calls_tools)
        for m in models
    ]
    needed = np.array(verdict["a_needed_at"], dtype=np.float64)
    found = beliefs_by_prior(priors, needed, signals.get("ceiling_mode_hi90"))
    named = ("p_parity", "a_lo90", "a_hi90")
    return {
        model.name: dict(zip(named, map(float, row), strict=True))
        for model, row in zip(models, zip(*found, strict=True), strict=True)
    }


def _signals(verdict: Mapping[str, object]) -> dict[str, float | None]:
    rows = verdict["signals"]
    return {row["name"]: row["value"] for row in rows} if isinstance(rows, Sequence) else {}
