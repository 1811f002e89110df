"""What a probed model's answers on later calls are worth as evidence, beside the constant answer and the null."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slmlens.specialists.records import Dataset
from slmlens.specialists.split import TEST, TRAIN
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.evidence import evidence_row
from slmlens.suitability.intervals import Share, clopper_pearson, clustered_share
from slmlens.suitability.probes import student_targets
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.student import null_p_value, permuted_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NULL_CALLS = 240
"""Most graded calls that the null looks at: it needs every answer graded against every other."""


def probe_evidence(
    dataset: Dataset,
    texts: Mapping[str, str],
    *,
    slm: str,
    mode: str,
    note: str,
    settings: AssessSettings | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """Return the row of ``EvidenceTable`` (source ``slm_probe``) for a model's answers to calls of the test side.

    A graded call stands for the later calls of its unit, so that the agreement is that of the traffic. ``constant`` is
    what the best constant answer of the training side gets on the same calls; ``null_p`` the p-value of the agreement
    where whole units change their answers among each other and the model's stay.

    :param texts: What the model wrote, by call; a call that it did not answer is an empty text, and wrong.
    :param slm: Its name, without any path.
    :param mode: ``tuned``, or ``swap`` for the model as it comes.
    :param note: How it was asked, in words.
    :raises ValueError: If a call is not of the test side, or there is none.
    """
    settings = settings or AssessSettings()
    calls = sorted(texts)
    known = set(dataset.rows_on(TEST).get_column("call_id"))
    if not calls or not known.issuperset(calls):
        raise ValueError("only answers to calls of the test side are evidence, and at least one")
    units = _units(dataset, calls)
    hits = np.array([dataset.grade(call, texts[call]).agrees for call in calls], dtype=np.float64)
    share = _weighted(hits, units, _weights(dataset, units))
    row = evidence_row(dataset.task_id, mode, "slm_probe", share, note, slm=slm, n_eff=share.n_eff)
    recall, n_rare = rare_on(dataset, calls, hits, settings) or (None, None)
    return row | {
        "constant": constant_on(dataset, calls),
        "null_p": _null_p(dataset, [texts[call] for call in calls], calls, units, settings.draws, seed),
        "rare_recall": recall,
        "rare_n": n_rare,
    }


def _weighted(hits: Floats, units: Ints, weights: Floats) -> Share:
    """Return the agreement of the traffic, no more certain than unequal weights allow (Kish 1965)."""
    share = clustered_share(hits, units, weights)
    n_eff = min(share.n_eff, float(weights.sum() ** 2 / (weights**2).sum()))
    lo, hi = clopper_pearson(share.value * n_eff, n_eff)
    return replace(share, lo90=min(lo, share.value), hi90=max(hi, share.value), n_eff=n_eff)


def rare_on(
    dataset: Dataset, calls: list[str], hits: Floats, settings: AssessSettings
) -> tuple[float | None, int] | None:
    """Return recall (None: too few graded) and graded calls of the worst rare answer class; None: no class is rare.

    The worst is as for pilots: not measured before measured, then the lowest recall, then the commonest.
    """
    rows = np.array([dataset.row_of[call] for call in calls])
    found: list[tuple[float | None, int]] = []
    for codes in student_targets(dataset.answers).values():
        counts = np.bincount(codes)
        for value in np.flatnonzero((counts > 0) & (counts < settings.rare_share * len(codes))):
            if len(np.unique(dataset.answers.units[codes == value])) < settings.min_units:
                continue
            of_class = hits[codes[rows] == value]
            enough = len(of_class) >= settings.rare_graded
            found.append((float(of_class.mean()) if enough else None, len(of_class)))
    return min(found, key=lambda one: (one[0] is not None, one[0] or 0.0, -one[1]), default=None)


def constant_on(dataset: Dataset, calls: list[str]) -> float | None:
    """Return the agreement of the training side's best constant answer on these calls; None: nothing trains."""
    trained = [dataset.row_of[call] for call in dataset.rows_on(TRAIN).get_column("call_id")]
    if not trained:
        return None
    answers = [dataset.answers.answers[row] for row in trained]
    best = answers[compare_task(answers, dataset.answers.units[trained]).constant()[1]]
    later = [dataset.answers.answers[dataset.row_of[call]] for call in calls]
    hits = [dataset.comparator.grade(answer, best).agrees for answer in later]
    return float(np.average(hits, weights=_weights(dataset, _units(dataset, calls))))


def _units(dataset: Dataset, calls: list[str]) -> Ints:
    unit = dict(dataset.frame.select("call_id", "unit").iter_rows())
    return np.array([unit[call] for call in calls], dtype=np.int64)


def _weights(dataset: Dataset, units: Ints) -> Floats:
    """Return how many of the dataset's calls each graded call stands for: those of its unit, shared among its own."""
    size = dict(dataset.frame.group_by("unit").len().iter_rows())
    asked = Counter(units.tolist())
    return np.array([size[unit] / asked[unit] for unit in units.tolist()], dtype=np.float64)


def _null_p(dataset: Dataset, texts: list[str], calls: list[str], units: Ints, draws: int, seed: int) -> float | None:
    if len(calls) > NULL_CALLS:
        return None
    order, rows, sessions = permuted_rows(units, draws, seed)
    if sessions < 2:  # noqa: PLR2004 - nothing to permute
        return 1.0
    given = [dataset.read(call, text) for call, text in zip(calls, texts, strict=True)]
    asked = [dataset.answers.answers[dataset.row_of[call]] for call in calls]
    agrees = np.array([[dataset.comparator.grade(one, other).agrees for one in asked] for other in given])
    null = agrees[order[None, :], rows].mean(axis=1)
    return null_p_value(float(agrees.diagonal().mean()), null, sessions)[0]
