"""The label student: kernel ridge on hashed TF-IDF, trained on earlier sessions and graded on later ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.intervals import Share, clustered_share, lower_split
from slmlens.suitability.splits import FOLDS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RIDGE = 0.3
"""Ridge penalty, on similarities whose diagonal is 1: it neither memorises noisy labels nor blurs a rule."""
_Z_LEVEL, _Z_POWER = 2.33, 0.84
"""Normal quantiles of a one-sided 1 % test with 80 % power."""


@dataclass(frozen=True)
class Fitted:
    """The ridge of one task's prompts: it doesn't depend on the answers, so every field and every shuffle shares it.

    Leaving a block of rows out of a ridge needs no refit: with G the penalised inverse over all rows, the residuals of
    the block B are G_BB^-1 (G y)_B (the block form of Allen's PRESS; e.g. Cook and Weisberg 1982, section 3.6).

    :param early: Rows that the time split trains on.
    :param folds: Fold of each row in the group split.
    :param inverse: Penalised inverse of the Gram matrix over all rows.
    :param blocks: For the later rows, then each fold: the rows left out and the inverse of their block of ``inverse``.
    """

    early: Bools
    folds: Ints
    inverse: Floats
    blocks: tuple[tuple[Ints, Floats], ...]

    def later(self, codes: Ints) -> Ints:
        """Return the predicted class of the later rows from the earlier rows' answers."""
        seen = np.bincount(codes[self.early], minlength=int(codes.max()) + 1) > 0
        target = np.eye(len(seen))[codes]
        return self._left_out(target, self.inverse @ target, *self.blocks[0], seen)

    def out_of_fold(self, codes: Ints) -> Ints:
        """Return the class of every row, predicted by a student that saw no prompt of its group; -1: none can."""
        predicted = np.full(len(codes), -1, dtype=np.int64)
        target = np.eye(int(codes.max()) + 1)[codes]
        solved = self.inverse @ target
        total = target.sum(axis=0)
        for rows, block in self.blocks[1:]:
            if 0 < len(rows) < len(codes):
                predicted[rows] = self._left_out(target, solved, rows, block, total - target[rows].sum(axis=0) > 0)
        return predicted

    @staticmethod
    def _left_out(target: Floats, solved: Floats, rows: Ints, block: Floats, seen: Bools) -> Ints:
        """Class of the rows as a ridge without them would give it; a class they alone have can't be given."""
        scores = target[rows] - block @ solved[rows]
        scores[:, ~seen] = -np.inf
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def fit_prompts(gram: Floats, early: Bools, folds: Ints) -> Fitted:
    """Return the ridge of a task whose prompts have these similarities.

    :param gram: Similarities of the rows, in time order, (n, n).
    :param early: Rows to train on in the time split; both sides must be non-empty.
    :param folds: Fold of each row in the group split.
    """
    # the constant added to every similarity is an intercept
    inverse = _inverse(gram + 1.0 + RIDGE * np.eye(len(gram)))
    left_out = [np.flatnonzero(~early), *(np.flatnonzero(folds == fold) for fold in range(FOLDS))]
    blocks = tuple((rows, _inverse(inverse[np.ix_(rows, rows)])) for rows in left_out)
    return Fitted(early, folds, inverse, blocks)


def _inverse(matrix: Floats) -> Floats:
    """Invert in single precision: the ridge keeps the condition number below n / RIDGE, and it halves the time."""
    return np.asarray(np.linalg.inv(matrix.astype(np.float32)), dtype=np.float64)


@dataclass(frozen=True)
class StudentResult:
    """What a student showed on one field.

    :param time: Agreement on later sessions.
    :param group: Agreement on prompts of groups that the student never saw.
    :param constant: Agreement of the commonest training answer on the same later calls.
    :param null_p: P-value against whole-session permutations of the held-out answers (before Holm).
    :param visible: The held-out calls were enough to see a gain of the size asked for.
    :param test: Rows graded in ``time``.
    :param hits: Whether each of them was right.
    :param out_of_fold: Prediction of each row by a student that saw no prompt of its group; -1: none. Where all prompts
        are one group: the prediction of the later rows.
    """

    time: Share
    group: Share
    constant: float
    null_p: float
    visible: bool
    test: Ints
    hits: Bools
    out_of_fold: Ints

    @property
    def lower(self) -> Share:
        """The split with the lower agreement: the one that verdicts rest on."""
        return lower_split(self.time, self.group)


def run_student(
    fitted: Fitted, codes: Ints, units: Ints, *, draws: int, visible_gain: float, seed: int
) -> StudentResult:
    """Return what a student of ``codes`` shows beside the constant answer and the null.

    :param fitted: The ridge of the task's prompts. Where all prompts are one group, only the time split is taken.
    :param codes: Class of each row.
    :param units: Session (recurrence unit) of each row.
    :param draws: Permutations of whole sessions.
    :param visible_gain: Gain over the constant that the null must be able to see.
    :param seed: Seed of the permutations.
    """
    test = np.flatnonzero(~fitted.early)
    predicted = fitted.later(codes)
    hits = predicted == codes[test]
    modal = int(np.bincount(codes[fitted.early]).argmax())
    null_p, spread = permutation_null(predicted, codes[test], units[test], draws, seed)
    out_of_fold = fitted.out_of_fold(codes)
    if not fitted.folds.any():
        out_of_fold[test] = predicted
    share = float((codes[test] == modal).mean())
    time = clustered_share(hits.astype(float), units[test])
    return StudentResult(
        time=time,
        group=clustered_share((out_of_fold == codes).astype(float), units) if fitted.folds.any() else time,
        constant=share,
        null_p=null_p,
        visible=_visible(share, spread, len(test), visible_gain),
        test=test,
        hits=hits,
        out_of_fold=out_of_fold,
    )


def _visible(constant: float, spread: float, n: int, gain: float) -> bool:
    """Whether a one-sided 1 % test would have shown, with 80 % power, the gain asked for or half of what can be gained.

    The null's own spread says nothing where the student always gives the same class, so it is not taken below that of
    independent calls.
    """
    spread = max(spread, float(np.sqrt(constant * (1 - constant) / n)))
    return (_Z_LEVEL + _Z_POWER) * spread <= min(gain, (1 - constant) / 2)


def permutation_null(predicted: Ints, actual: Ints, units: Ints, draws: int, seed: int) -> tuple[float, float]:
    """Return the p-value of the agreement and the spread (sd) of its null.

    The held-out answers change places among whole sessions while the predictions stay: calls of one session share their
    fate, so permuting calls would call a third of empty logs learnable. Below 1/draws the permutations can't resolve a
    p-value, and Holm over many tasks needs that: there the tail of a t distribution with (sessions - 1) degrees of
    freedom at the null's own mean and spread is used (in the manner of Knijnenburg et al. 2009, Bioinformatics 25).

    :param predicted: Class predicted for each held-out row.
    :param actual: Class answered.
    :param units: Session of each row.
    """
    order, rows, sessions = permuted_rows(units, draws, seed)
    if sessions < 2:  # noqa: PLR2004 - nothing to permute
        return 1.0, 1.0
    null = (actual[rows] == predicted[order]).mean(axis=1)
    return null_p_value(float((predicted == actual).mean()), null, sessions)


def permuted_rows(units: Ints, draws: int, seed: int) -> tuple[Ints, Ints, int]:
    """Return random orders of whole sessions: each is given another one's answers, in order, repeated or cut to length.

    Laid end to end, sessions of unlike length would meet in parts, and the null would be too narrow where the answers
    of a session are alike.

    :param units: Session of each row.
    :return: The places, session by session, (n,); which row's answer stands at each of them, (draws, n); the number of
        sessions.
    """
    _, code, counts = np.unique(units, return_inverse=True, return_counts=True)
    order = np.argsort(code.reshape(-1), kind="stable")
    starts = np.cumsum(counts) - counts
    given = np.random.default_rng(seed).random((draws, len(counts))).argsort(axis=1)
    session = np.repeat(np.arange(len(counts)), counts)
    source = given[:, session]
    rows = starts[source] + (np.arange(len(units)) - starts[session]) % counts[source]
    return order, order[rows], len(counts)


def null_p_value(observed: float, null: Floats, sessions: int) -> tuple[float, float]:
    """Return the p-value of an agreement under its null, and the null's spread (sd).

    :param observed: The agreement seen.
    :param null: Agreement of each permutation.
    :param sessions: Number of sessions that were permuted.
    """
    from scipy.special import stdtr

    draws = len(null)
    as_good = int((null >= observed - 1e-12).sum())
    spread = float(null.std(ddof=1)) if draws > 1 else 1.0
    if as_good or spread == 0:
        return (1 + as_good) / (1 + draws), spread
    tail = float(stdtr(sessions - 1, -(observed - float(null.mean())) / spread))
    return min(tail, 1 / (1 + draws)), spread


def holm(p_values: list[float]) -> list[float]:
    """Return Holm's adjusted p-values (Holm 1979), in the order given."""
    m = len(p_values)
    adjusted = [1.0] * m
    running = 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (m - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted
