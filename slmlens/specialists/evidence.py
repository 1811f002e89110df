"""What a probed model's answers on later calls are worth as evidence, beside the constant answer and the null."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from slmlens.specialists.records import Dataset
from slmlens.specialists.split import TEST, TRAIN
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.evidence import evidence_row
from slmlens.suitability.intervals import clustered_share
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

    ``constant`` is what the best constant answer of the training side gets on the same calls; ``null_p`` the p-value of
    the agreement where whole units change their answers among each other and the model's stay.

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
    share = clustered_share(hits, units)
    row = evidence_row(dataset.task_id, mode, "slm_probe", share, note, slm=slm, n_eff=share.n_eff)
    return row | {
        "constant": constant_on(dataset, calls),
        "null_p": _null_p(dataset, [texts[call] for call in calls], calls, units, settings.draws, seed),
    }


def constant_on(dataset: Dataset, calls: list[str]) -> float | None:
    """Return the agreement of the training side's best constant answer on these calls; None: nothing trains."""
    trained = [dataset.row_of[call] for call in dataset.rows_on(TRAIN).get_column("call_id")]
    if not trained:
        return None
    answers = [dataset.answers.answers[row] for row in trained]
    best = answers[compare_task(answers, dataset.answers.units[trained]).constant()[1]]
    later = [dataset.answers.answers[dataset.row_of[call]] for call in calls]
    return float(np.mean([dataset.comparator.grade(answer, best).agrees for answer in later]))


def _units(dataset: Dataset, calls: list[str]) -> Ints:
    unit = dict(dataset.frame.select("call_id", "unit").iter_rows())
    return np.array([unit[call] for call in calls], dtype=np.int64)


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
