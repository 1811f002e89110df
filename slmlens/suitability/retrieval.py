"""Retrieval copy: the answer of the nearest earlier prompt, given again; what a lookup without any learning reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.comparators import TaskAnswers
from slmlens.suitability.intervals import Share, clustered_share, lower_split
from slmlens.suitability.splits import earlier_units
from slmlens.suitability.student import null_p_value, permuted_rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class RetrievalResult:
    """What copying the nearest prompt's answer showed.

    :param time: Agreement on later sessions, copied from earlier ones.
    :param group: Agreement where a prompt's own group of like prompts may not be copied from.
    :param constant: Agreement of the commonest earlier answer on the same later calls.
    :param null_p: P-value of ``time`` against whole-session permutations of the later answers.
    """

    time: Share
    group: Share
    constant: float
    null_p: float

    @property
    def lower(self) -> Share:
        """The split with the lower agreement."""
        return lower_split(self.time, self.group)


def run_retrieval(
    gram: Floats, answers: TaskAnswers, rows: Ints, folds: Ints, *, train_share: float, draws: int, seed: int
) -> RetrievalResult | None:
    """Return how often the nearest prompt's answer is the right one; None where no session comes later.

    :param gram: Similarities of the prompts of ``rows``, (n, n).
    :param answers: The task's answers, in time order, under its comparator; free text counts by token F1.
    :param rows: The rows looked at, whole units.
    :param folds: Fold of each of the task's rows in the group split; all 0: one group, which can't be split.
    :param train_share: Share of ``rows``, in the earlier sessions, that may be copied from.
    :param draws: Permutations of whole sessions.
    """
    units = answers.units[rows]
    early = earlier_units(units, train_share)
    later = np.flatnonzero(~early)
    if not len(later) or not early.any():
        return None
    test, near = rows[later], rows[_nearest(gram, later, early[np.newaxis, :])]
    hits = answers.equal(near, test)
    order, permuted, sessions = permuted_rows(units[later], draws, seed)
    null = answers.equal(np.tile(near[order], draws), test[permuted].reshape(-1)).reshape(draws, -1).mean(axis=1)
    null_p = null_p_value(float(hits.mean()), null, sessions)[0] if sessions > 1 else 1.0
    joint = answers.joint_codes()[rows]
    modal = rows[early][joint[early] == np.bincount(joint[early]).argmax()][0]
    time = group = clustered_share(hits.astype(float), units[later])
    if folds.any():
        fold = folds[rows]
        other = rows[_nearest(gram, np.arange(len(rows)), fold[:, np.newaxis] != fold[np.newaxis, :])]
        group = clustered_share(answers.equal(other, rows).astype(float), units)
    constant = float(answers.equal(np.full(len(test), modal), test).mean())
    return RetrievalResult(time, group, constant, null_p)


def _nearest(gram: Floats, rows: Ints, allowed: Bools) -> Ints:
    """Return for each row the most similar one among those allowed to it."""
    return np.asarray(np.where(allowed, gram[rows], -1.0).argmax(axis=1), dtype=np.int64)
