"""The corpus that skeletons are fitted on: which variant holds which recurring shingle, and in which units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from slmlens.results import Calls
from slmlens.tasks.directives import directive_codes
from slmlens.tasks.prompts import PARTS, Prompts
from slmlens.tasks.shingles import I64, U64, among, centred_shingles, stable_hash

Sparse = Any  # scipy.sparse.csr_matrix; scipy publishes no stubs

_SALTS = tuple(np.uint64(stable_hash(f"part:{name}")) for name in PARTS)
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
TOOLS = PARTS.index("tools")
AT_ONCE = 10_000
"""Variants that are looked at in one go where no matrix of all is needed."""


@dataclass(frozen=True)
class Corpus:
    """Recurring shingles by variant.

    :param matrix: variants x shingles, 1 where the variant holds the shingle (scipy CSR).
    :param hashes: Hash of each column, sorted; a shingle of one part never equals one of another part.
    :param part: Part code of each column (index in ``PARTS``).
    :param content: Slot-content code of each variant.
    :param pairs: Distinct (unit, variant) rows.
    :param directive: Whether each column is centred on a word of instruction.
    :param weight: Prompts that each variant stands for: 1, but in a sample.
    """

    matrix: Sparse
    hashes: U64
    part: I64
    content: I64
    pairs: I64
    directive: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]


def build_corpus(calls: Calls, prompts: Prompts, *, k_task: int = 3, known: U64 | None = None) -> Corpus:
    """Return the corpus of all variants, with the shingles that at least ``k_task`` units or contents share.

    :param known: Hashes that are kept although fewer share them: those that an earlier run's trees ask for.
    """
    uses = _message_uses(prompts.variants)
    pairs = (
        prompts.calls.drop_nulls("variant")
        .select("unit", "variant")
        .unique()
        .sort("unit", "variant")
        .to_numpy()
        .astype(np.int64)
    )
    rows, hashes, instructs = _shingle_rows(calls.messages, uses.rows)
    columns, inverse = np.unique(hashes, return_inverse=True)
    content = prompts.variants.get_column("content").to_numpy().astype(np.int64)
    held = _ones(rows, inverse, (uses.rows.height, len(columns)))
    recurs = held.T @ _units_of_rows(uses, pairs, content, k_task) >= k_task
    recurring = np.flatnonzero(recurs if known is None else recurs | among(columns, known))
    part = np.zeros(len(columns), dtype=np.int64)
    part[inverse] = uses.rows.get_column("part").to_numpy()[rows]
    directive = np.zeros(len(columns), dtype=bool)
    directive[inverse] = instructs
    matrix = _by_variant(uses, held[:, recurring], prompts.variants.height)
    return Corpus(
        matrix, columns[recurring], part[recurring], content, pairs, directive[recurring], np.ones(len(content))
    )


def variant_matrices(
    messages: pl.DataFrame, variants: pl.DataFrame, columns: U64, rows: I64 | None = None
) -> Iterator[tuple[I64, Sparse]]:
    """Yield some variants and their matrix variants x columns, for a vocabulary fitted before; a few thousand a time.

    :param columns: Sorted hashes.
    :param rows: The variants; None: all.
    """
    wanted = np.arange(variants.height) if rows is None else rows
    for first in range(0, len(wanted), AT_ONCE):
        chosen = wanted[first : first + AT_ONCE]
        yield chosen, variant_matrix(messages, variants[chosen], columns)


def variant_matrix(messages: pl.DataFrame, variants: pl.DataFrame, columns: U64) -> Sparse:
    """Return variants x columns for a vocabulary fitted before (``Corpus.hashes``)."""
    uses = _message_uses(variants)
    rows, hashes, _ = _shingle_rows(messages, uses.rows)
    known = among(hashes, columns)
    at = np.searchsorted(columns, hashes[known])
    return _by_variant(uses, _ones(rows[known], at, (uses.rows.height, len(columns))), variants.height)


def salted(hashes: U64, part: int) -> U64:
    """Return the hashes as members of one part of the prompt."""
    mixed: U64 = (hashes ^ _SALTS[part]) * _MULTIPLIER
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True)
class _Uses:
    """Distinct (part, message or tool) rows, and which variant uses which."""

    rows: pl.DataFrame  # part, text id (message id, or tool name)
    variant: I64
    row: I64


def _message_uses(variants: pl.DataFrame) -> _Uses:
    numbered = variants.with_row_index("variant")
    lists = [
        numbered.select("variant", pl.lit(PARTS.index(name)).alias("part"), pl.col(name).alias("id")).explode("id")
        for name in ("system", "tools")
    ]
    singles = [
        numbered.select("variant", pl.lit(PARTS.index(name)).alias("part"), pl.col(name).alias("id"))
        for name in ("first", "last")
    ]
    uses = pl.concat([frame.cast({"part": pl.Int64, "variant": pl.Int64}) for frame in (*lists, *singles)]).drop_nulls(
        "id"
    )
    rows = uses.select("part", "id").unique().sort("part", "id").with_row_index("row")
    placed = uses.join(rows, on=["part", "id"], how="left", maintain_order="left")
    return _Uses(rows, placed.get_column("variant").to_numpy(), placed.get_column("row").to_numpy().astype(np.int64))


def _shingle_rows(messages: pl.DataFrame, rows: pl.DataFrame) -> tuple[I64, U64, npt.NDArray[np.bool_]]:
    """Return parallel arrays (row, hash, instructs): the shingles of every (part, message) row, and the tools."""
    texts = rows.filter(pl.col("part") != TOOLS)
    spoken = texts.join(
        messages.select("message_id", "text"), left_on="id", right_on="message_id", how="left", maintain_order="left"
    )
    at, plain, words = centred_shingles(spoken.get_column("text"))
    part = texts.get_column("part").to_numpy()[at]
    hashes = np.empty_like(plain)
    for code in range(len(PARTS)):
        hashes[part == code] = salted(plain[part == code], code)
    tools = rows.filter(pl.col("part") == TOOLS)
    tool_hashes = salted(np.array([stable_hash(n) for n in tools.get_column("id").to_list()], dtype=np.uint64), TOOLS)
    row = np.concatenate((texts.get_column("row").to_numpy()[at], tools.get_column("row").to_numpy())).astype(np.int64)
    instructs = np.concatenate((among(words, directive_codes()), np.zeros(len(tool_hashes), dtype=bool)))
    return row, np.concatenate((hashes, tool_hashes)), instructs


def _units_of_rows(uses: _Uses, pairs: I64, content: I64, k_task: int) -> npt.NDArray[np.float64]:
    """Return, for every (part, message) row, the units or slot contents that use it, counted up to ``k_task``."""
    found = np.zeros(uses.rows.height)
    contents = np.stack([content, np.arange(len(content))], axis=1)
    by_variant = pl.DataFrame({"variant": uses.variant, "row": uses.row})
    for users in (pairs, contents):
        used = by_variant.join(pl.DataFrame(users, schema=["user", "variant"]), on="variant", how="inner")
        counted = used.unique(["row", "user"]).group_by("row").len()
        at = counted.get_column("row").to_numpy()
        found[at] = np.maximum(found[at], np.minimum(counted.get_column("len").to_numpy(), k_task))
    return found


def _ones(rows: I64, columns: I64, shape: tuple[int, int]) -> Sparse:
    """Return the sparse matrix with 1 at the given places, however often they are named."""
    from scipy import sparse

    matrix = sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1
    return matrix


def _by_variant(uses: _Uses, by_row: Sparse, n_variants: int) -> Sparse:
    """Expand (part, message) rows to the variants that use them."""
    select = _ones(uses.variant, uses.row, (n_variants, uses.rows.height))
    matrix = (select @ by_row).tocsr()
    matrix.data[:] = 1
    matrix.sort_indices()
    return matrix
