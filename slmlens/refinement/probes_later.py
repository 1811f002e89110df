"""The probes that a promise rested on, trained on the calls before a day and graded on those from it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.refinement.promise import Made, both_sides
from slmlens.refinement.tables import ProbesLaterTable
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.intervals import Share, clustered_share
from slmlens.suitability.judge import student_words
from slmlens.suitability.observe import Observed, observe
from slmlens.suitability.probes import Prepared, prepare, run_probes
from slmlens.suitability.rules import fit_rule
from slmlens.suitability.settings import AssessSettings
from slmlens.tables import checked

_DRAWS = 19
"""Permutations are not asked for here, and the fewest are made."""


@dataclass(frozen=True)
class _Promised:
    what: str
    source: str
    agreement: float
    lo90: float
    hi90: float


def probes_later(made: Made, seen: Made, seed: int) -> pl.DataFrame:
    """Return each promised agreement of a student or program beside the one on later calls.

    :param made: The promise.
    :param seen: The promised tasks in the later calls.
    """
    promised = _promised(made)
    begins = made.tasks.calls.calls.get_column("call_id")
    rows = []
    for observed in observe(both_sides(made, seen)):
        known = promised.get(observed.task_id, [])
        share = _early_share(observed, frozenset(begins)) if known and observed.time_ordered else 0.0
        found = dict(_graded(observed, share, seed)) if 0 < share < 1 else {}
        rows += [_row(observed.task_id, one, found.get((one.source, one.what))) for one in known]
    return checked(ProbesLaterTable, pl.DataFrame(rows, ProbesLaterTable.create_empty().schema))


def _promised(made: Made) -> dict[str, list[_Promised]]:
    rows = made.plan.verdicts.evidence.filter(
        pl.col("source").is_in(["student", "program"]) & pl.col("agreement").is_not_null()
    )
    found: dict[str, list[_Promised]] = {}
    for row in rows.iter_rows(named=True):
        words = row["note"].removeprefix("text classifier on ").rsplit(", graded on ", 1)[0]
        what = words if row["source"] == "student" else "the answer"
        found.setdefault(row["task_id"], []).append(
            _Promised(what, row["source"], row["agreement"], row["lo90"], row["hi90"])
        )
    return found


def _early_share(observed: Observed, earlier: frozenset[str]) -> float:
    """Return the share of the calls whose unit began before the day."""
    _, first, inverse = np.unique(observed.units, return_index=True, return_inverse=True)
    began = np.array([observed.call_ids[row] in earlier for row in first])
    return float(began[inverse.reshape(-1)].mean())


def _graded(observed: Observed, share: float, seed: int) -> Iterator[tuple[tuple[str, str], Share]]:
    """Yield (source, what) and the agreement on the later calls."""
    settings = AssessSettings(draws=_DRAWS)
    rows = observed.sample(settings.probe_calls, seed)
    answers = compare_task([observed.answers[row] for row in rows], observed.units[rows])
    texts, slots = ([getattr(observed, name)[row] for row in rows] for name in ("texts", "slots"))
    prepared = prepare(answers, texts, slots, replace(settings, train_share=share), seed)
    if not prepared.prompts.splits_in_time:
        return
    probed = run_probes(prepared, settings, seed, retrieval=False)
    for name, student in probed.students.items():
        yield ("student", student_words(name)), student.time
    if probed.program is not None:
        yield ("program", "the answer"), _program(prepared)


def _program(prepared: Prepared) -> Share:
    """Return how often rules fitted to the earlier calls give the later answers."""
    answers, material = prepared.answers, prepared.prompts.material
    early: NDArray[np.bool_] = prepared.prompts.early
    train, test = np.flatnonzero(early), np.flatnonzero(~early)
    hits = np.ones(len(test), dtype=np.bool_)
    for field in answers.fields:
        actual = material.code(field.values)
        hits &= fit_rule(field, actual, train, material).codes[test] == actual[test]
    return clustered_share(hits.astype(float), answers.units[test])


def _row(task_id: str, one: _Promised, later: Share | None) -> Mapping[str, object]:
    return {
        "task_id": task_id,
        "source": one.source,
        "what": one.what,
        "promised": one.agreement,
        "promised_lo90": one.lo90,
        "promised_hi90": one.hi90,
        "seen": later.value if later else None,
        "seen_lo90": later.lo90 if later else None,
        "seen_hi90": later.hi90 if later else None,
        "seen_calls": later.n if later else 0,
        "held": None if later is None else later.hi90 >= one.lo90,
    }
