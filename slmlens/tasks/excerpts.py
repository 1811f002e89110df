"""Excerpts of a corpus: some of its prompts, and the phrases that may recur among them.

Phrases that the same prompts of an excerpt hold are one **strand** there: whatever a tree asks of one of them it would
ask of all. Real prompts have about a dozen phrases a strand, so most work is done on the strands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slmlens.tasks.corpus import Sparse
from slmlens.tasks.incidence import Bools, Floats, Incidence, summed
from slmlens.tasks.shingles import I64


@dataclass(frozen=True)
class Excerpt:
    """Some prompts of a corpus and the columns that may recur among them.

    :param rows: Their rows in the corpus.
    :param columns: Columns of the corpus, ascending.
    :param strand: The strand of each of these columns, from 0.
    :param matrix: prompts x strands.
    """

    rows: I64
    columns: I64
    strand: I64
    matrix: Incidence

    def only(self, wanted: I64 | Bools) -> Excerpt:
        """Return some prompts.

        :param wanted: Their places, or for each prompt whether it is wanted.
        """
        places = np.arange(len(self.rows))[wanted]
        return Excerpt(self.rows[places], self.columns, self.strand, self.matrix.taking(places))

    def with_columns(self, wanted: Bools) -> Excerpt:
        """Return the strands with the wanted columns only; each must keep one."""
        return Excerpt(self.rows, self.columns[wanted], self.strand[wanted], self.matrix)

    def sizes(self) -> Floats:
        """Return the number of columns of each strand."""
        return self.counted(np.ones(len(self.columns)))

    def counted(self, worth: Floats | Bools) -> Floats:
        """Return for each strand the sum over its columns.

        :param worth: Of each column.
        """
        return summed(self.strand, worth, self.matrix.n_columns)

    def first_columns(self) -> I64:
        """Return the first column of each strand."""
        first = np.zeros(self.matrix.n_columns, dtype=np.int64)
        first[self.strand[::-1]] = self.columns[::-1]
        return first

    def of_strands(self, strands: I64) -> I64:
        """Return the columns of some strands, ascending."""
        wanted = np.zeros(self.matrix.n_columns, dtype=bool)
        wanted[strands] = True
        return self.columns[wanted[self.strand]]

    def with_strands(self, wanted: Bools) -> Excerpt:
        """Return the wanted strands, numbered anew in their order."""
        return self._renumbered(np.where(wanted, np.cumsum(wanted) - 1, -1), wanted)

    def joined(self, wanted: Bools) -> Excerpt:
        """Return the wanted strands, those joined that the same prompts hold, in the order of their signatures."""
        candidates = np.flatnonzero(wanted)
        _, first, new = np.unique(self.matrix.signatures()[candidates], return_index=True, return_inverse=True)
        number = np.full(self.matrix.n_columns, -1, dtype=np.int64)
        number[candidates] = new
        standing_for = np.zeros(self.matrix.n_columns, dtype=bool)
        standing_for[candidates[first]] = True
        return self._renumbered(number, standing_for)

    def _renumbered(self, number: I64, standing_for: Bools) -> Excerpt:
        """Return the strands by their new number (-1: none), those of one number being held by the same prompts."""
        strand = number[self.strand]
        kept = strand >= 0
        matrix = self.matrix.renumbered(np.where(standing_for, number, -1), int(standing_for.sum()))
        return Excerpt(self.rows, self.columns[kept], strand[kept], matrix)


def excerpt_of(matrix: Sparse) -> Excerpt:
    """Return all prompts with all columns.

    :param matrix: prompts x columns, 1 where a prompt holds a column (scipy CSR).
    """
    rows, columns = np.arange(matrix.shape[0]), np.arange(matrix.shape[1])
    return Excerpt(rows, columns, columns, Incidence(matrix.indptr, matrix.indices, len(columns)))
