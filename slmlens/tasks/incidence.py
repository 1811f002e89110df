"""Which row holds which column: a sparse matrix of ones as two plain arrays.

Trees are grown on thousands of small groups of prompts, where the checks of a general sparse matrix take longer than
its sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slmlens.tasks.shingles import I64

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]

_CELLS = 1 << 23
"""Cells of a dense table that are looked at in one go."""


@dataclass(frozen=True)
class Incidence:
    """Rows and the columns that each holds.

    :param starts: Where the columns of each row begin, and last where those of the last row end.
    :param columns: The columns of one row after another, each once.
    :param n_columns: Columns there are.
    """

    starts: Integers
    columns: Integers
    n_columns: int

    @property
    def n_rows(self) -> int:
        """Rows there are."""
        return len(self.starts) - 1

    def taking(self, rows: I64) -> Incidence:
        """Return the given rows in the given order."""
        sizes = np.diff(self.starts)[rows]
        starts = _running(sizes)
        entries = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], sizes)
        return Incidence(starts, self.columns[entries], self.n_columns)

    def renumbered(self, number: I64, n_columns: int) -> Incidence:
        """Return all rows with the columns that have a number (0 or more), by that number."""
        columns = number[self.columns]
        held = columns >= 0
        return Incidence(_running(held)[self.starts], columns[held], n_columns)

    def rows(self) -> I64:
        """Return the row of each entry of ``columns``."""
        return np.repeat(np.arange(self.n_rows), np.diff(self.starts))

    def holders(self) -> I64:
        """Return how many rows hold each column."""
        return np.bincount(self.columns, minlength=self.n_columns)

    def weights(self, weight: Floats) -> Floats:
        """Return the summed weight of the rows that hold each column."""
        return summed(self.columns, np.repeat(weight, np.diff(self.starts)), self.n_columns)

    def signatures(self) -> I64:
        """Return a number for each column that is the same for columns held by the same rows, and else another."""
        of_row = np.random.default_rng(0).integers(1, 1 << 62, size=self.n_rows, dtype=np.int64)
        held_by = np.zeros(self.n_columns, dtype=np.int64)
        np.add.at(held_by, self.columns, np.repeat(of_row, np.diff(self.starts)))
        return held_by

    def users(self, user: I64, row: I64) -> I64:
        """Return how many users hold each column in any of their rows.

        :param user: The user of each use of a row, ascending from 0 without a gap.
        :param row: The row of that use.
        """
        used = self.taking(row)
        cells = np.repeat(user, np.diff(used.starts)) * self.n_columns + used.columns
        distinct = _distinct(cells, (int(user[-1]) + 1) * self.n_columns if len(user) else 0)
        return np.bincount(distinct % self.n_columns, minlength=self.n_columns)

    def sums(self, set_of: I64, n_sets: int, worth: Floats) -> Floats:
        """Return rows x sets: what the columns that each row holds of each set are worth.

        :param set_of: The set of each column, from 0; -1: of none.
        :param worth: Of each column.
        """
        sets = set_of[self.columns]
        known = np.flatnonzero(sets >= 0)
        cells = self.rows()[known] * n_sets + sets[known]
        return summed(cells, worth[self.columns[known]], self.n_rows * n_sets).reshape(self.n_rows, n_sets)

    def reaching(self, set_of: I64, worth: Floats, least: Floats) -> Bools:
        """Return rows x sets: where :meth:`sums` is at least what each set needs, without a table of all sums.

        :param least: What each set needs.
        """
        reached = np.zeros((self.n_rows, len(least)), dtype=np.bool_)
        at_once = max(_CELLS // len(least), 1)
        for first in range(0, self.n_rows, at_once):
            rows = np.arange(first, min(first + at_once, self.n_rows))
            reached[rows] = self.taking(rows).sums(set_of, len(least), worth) >= least
        return reached

    def overlaps(self, columns: I64, weight: Floats) -> npt.NDArray[np.float32]:
        """Return columns x columns: the weight of the rows that hold both."""
        from scipy import sparse

        chosen = self.renumbered(place_of(columns, self.n_columns), len(columns))
        shape = (self.n_rows, len(columns))
        held = sparse.csr_matrix((np.ones(len(chosen.columns), np.float32), chosen.columns, chosen.starts), shape=shape)
        weighed = weight.astype(np.float32)[chosen.rows()]
        both = sparse.csr_matrix((weighed, chosen.columns, chosen.starts), shape=shape).T @ held
        dense: npt.NDArray[np.float32] = both.toarray()
        return dense


def summed(number: Integers, worth: Floats | Bools, n: int) -> Floats:
    """Return for each number below n the summed worth of where it stands."""
    return np.asarray(np.bincount(number, weights=worth, minlength=n), dtype=np.float64)


def place_of(chosen: I64, n: int) -> I64:
    """Return for each of n things its place among the chosen, or -1."""
    place = np.full(n, -1, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    return place


def set_numbers(sets: Sequence[I64], n: int) -> I64:
    """Return for each of n things the number of the set that it is in, or -1; it may be in one at most."""
    number = np.full(n, -1, dtype=np.int64)
    number[np.concatenate(sets)] = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    return number


def _distinct(cells: I64, n: int) -> I64:
    """Return the distinct cells of a table of n."""
    if n > _CELLS:
        ordered = np.sort(cells)
        distinct: I64 = ordered[np.diff(ordered, prepend=-1) != 0]
        return distinct
    found = np.zeros(n, dtype=np.bool_)
    found[cells] = True
    return np.flatnonzero(found)


def _running(sizes: Integers | Bools) -> I64:
    """Return 0 and the running sums."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes)))
