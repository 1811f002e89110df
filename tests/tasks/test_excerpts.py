"""Strands stand for their columns: whatever is summed over strands is what the columns themselves give."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from slmlens.tasks import incidence
from slmlens.tasks.excerpts import Excerpt, excerpt_of
from slmlens.tasks.incidence import set_numbers

Table = npt.NDArray[np.bool_]
tables = st.tuples(st.integers(1, 8), st.integers(1, 12)).flatmap(lambda shape: arrays(np.bool_, shape))


def excerpt(table: Table) -> Excerpt:
    return excerpt_of(sparse.csr_matrix(table.astype(np.float32)))


def dense(prompts: Excerpt) -> Table:
    """Return prompts x columns."""
    table = np.zeros((len(prompts.rows), prompts.matrix.n_columns), dtype=np.bool_)
    table[prompts.matrix.rows(), prompts.matrix.columns] = True
    return table[:, prompts.strand]


@given(tables, st.data())
def test_joined_strands_hold_what_their_columns_hold(table: Table, data: st.DataObject) -> None:
    kept = data.draw(arrays(np.bool_, table.shape[0]))
    prompts = excerpt(table).only(kept)
    joined = prompts.joined(prompts.matrix.holders() > 0)
    held = table[kept]
    assert joined.columns.tolist() == np.flatnonzero(held.any(axis=0)).tolist()
    assert (dense(joined) == held[:, joined.columns]).all()
    assert joined.matrix.n_columns == len({column.tobytes() for column in held.T if column.any()})


@given(tables, st.data())
def test_what_is_counted_over_strands_is_counted_over_columns(table: Table, data: st.DataObject) -> None:
    joined = excerpt(table).joined(np.ones(table.shape[1], dtype=bool))
    wanted = data.draw(arrays(np.bool_, joined.matrix.n_columns))
    sets = [np.flatnonzero(wanted), np.flatnonzero(~wanted)]
    held = joined.matrix.sums(set_numbers(sets, len(wanted)), 2, joined.sizes())
    for at, strands in enumerate(sets):
        assert held[:, at].tolist() == table[:, joined.of_strands(strands)].sum(axis=1).tolist()
        assert all(joined.first_columns()[one] == joined.of_strands(np.array([one])).min() for one in strands)
    least = np.array([2.0, 3.0])
    assert (joined.matrix.reaching(set_numbers(sets, len(wanted)), joined.sizes(), least) == (held >= least)).all()


@given(tables, st.data())
def test_users_of_a_column_are_counted_once_in_small_and_in_large_tables(table: Table, data: st.DataObject) -> None:
    uses = sorted(data.draw(st.sets(st.tuples(st.integers(0, 4), st.integers(0, len(table) - 1)), min_size=1)))
    user = np.unique([u for u, _ in uses], return_inverse=True)[1]
    row = np.array([r for _, r in uses])
    expected = [len(set(user[table[row, column]].tolist())) for column in range(table.shape[1])]
    matrix = excerpt(table).matrix
    assert matrix.users(user, row).tolist() == expected
    with patch.object(incidence, "_CELLS", 0):
        assert matrix.users(user, row).tolist() == expected
