"""Blocks of phrases that come and go together, and the set of alternative blocks that splits a group of prompts.

Inside a group of prompts the shingles that nearly all share are its *core*. The others fall into **blocks**: shingles
held by the same prompts. A set of mutually exclusive blocks is one dimension along which the group varies. It is a
choice of *steps* where the set is closed (its blocks cover nearly the whole group: every value recurs) or where it
changes inside a session; it is a *slot* where most values are seen once, or change only from session to session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slmlens.tasks.corpus import TOOLS, Corpus
from slmlens.tasks.prompts import PARTS
from slmlens.tasks.shingles import I64

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
SYSTEM = PARTS.index("system")
TOOL_WORDS = 6.0
"""Shingles that one tool name counts for."""

MAX_CONTENTS = 5
"""Sets of contents (documents, examples) that are looked past in one group."""


@dataclass(frozen=True)
class SkeletonSettings:
    """How skeletons are found. All shares are of recurrence units, each spread over its distinct prompts.

    :param k_task: Units in which a phrase must recur.
    :param core_share: Share of a group from which a phrase belongs to its core.
    :param min_core: Core shingles from which prompts count as one template; below, any recurring block may split.
    :param system_block: Shingles that set a system-prompt block (or toolset) apart from its siblings.
    :param user_block: The same for blocks of user messages, where slot values are more common.
    :param cover: Share of the group that a closed set of alternatives must cover.
    :param mixed: Share of units that must hold calls both with and without a block, for a block that covers less.
    :param min_mixed: The same as a number of units.
    :param contained: Share of a block (or core) that a prompt must hold to be counted to it.
    :param max_blocks: Blocks that are compared with each other at one level.
    :param max_alternatives: More alternatives than this are an open set.
    :param instruction: Share of words of instruction from which alternatives of a user message are steps; below, they
        are contents (see :mod:`slmlens.tasks.directives` for the shares measured).
    """

    k_task: int = 3
    core_share: float = 0.9
    min_core: int = 3
    system_block: int = 6
    user_block: int = 12
    cover: float = 0.9
    mixed: float = 0.5
    min_mixed: int = 5
    contained: float = 0.5
    max_blocks: int = 1200
    max_alternatives: int = 40
    instruction: float = 0.03


@dataclass(frozen=True)
class Group:
    """Some variants of a corpus, with the units that weigh them.

    :param rows: Variant rows of the corpus.
    :param matrix: Those rows of the corpus matrix.
    :param units: units x rows, 1 where the unit used the variant (scipy CSR).
    :param weight: Weight of each row, as a share of the group; sums to 1.
    :param recurs: Columns that recur in at least ``k_task`` units of the group.
    :param share: Weight of the rows that hold each column.
    """

    rows: I64
    matrix: Any
    units: Any
    weight: Floats
    recurs: Bools
    share: Floats

    @property
    def n_units(self) -> int:
        """Distinct units in the group."""
        return int(self.units.shape[0])

    def units_with(self, mask: Bools) -> int:
        """Return how many units used any of the masked rows."""
        return int((self.units @ mask.astype(np.float32) > 0).sum())


@dataclass(frozen=True)
class Block:
    """Columns that come and go together.

    :param columns: Columns of the corpus matrix.
    :param rows: Rows of the group that hold at least the contained share of them.
    :param weight: Their weight.
    :param length: Shingles, system shingles counted twice, capped at 100.
    :param grown: Share of its columns that belong to the last message of a prompt that has grown.
    :param told: Share of its columns that are words of instruction; 1 where it changes the system prompt or the tools.
    """

    columns: I64
    rows: Bools
    weight: float
    length: float
    grown: float
    told: float


def group_of(corpus: Corpus, rows: I64, settings: SkeletonSettings, *, by_content: bool) -> Group:
    """Return the group of the given variants, its units being sessions (or traces) or distinct slot contents."""
    from scipy import sparse

    local = np.full(corpus.matrix.shape[0], -1, dtype=np.int64)
    local[rows] = np.arange(len(rows))
    if by_content:
        unit, row = corpus.content[rows], np.arange(len(rows))
    else:
        mine = corpus.pairs[local[corpus.pairs[:, 1]] >= 0]
        unit, row = mine[:, 0], local[mine[:, 1]]
    _, unit = np.unique(unit, return_inverse=True)
    matrix = corpus.matrix[rows]
    n_units = int(unit.max()) + 1 if len(unit) else 0
    units = sparse.csr_matrix((np.ones(len(unit), dtype=np.float32), (unit, row)), shape=(n_units, len(rows)))
    weight = _spread(unit, row, corpus.content[rows], len(rows))
    held = units @ matrix
    recurs = np.bincount(held.indices, minlength=matrix.shape[1]) >= settings.k_task
    share = np.asarray(matrix.T @ weight).ravel()
    return Group(rows, matrix, units, weight, recurs, share)


def _spread(unit: I64, row: I64, content: I64, n_rows: int) -> Floats:
    """Each unit weighs 1, spread over its slot contents, and within a content over its prompts (a loop counts once)."""
    fronts = np.stack([unit, content[row]], axis=1)
    distinct, front = np.unique(fronts, axis=0, return_inverse=True)
    per_front = np.bincount(front.ravel())
    per_unit = np.bincount(distinct[:, 0])
    weight = np.bincount(row, weights=1.0 / (per_front[front.ravel()] * per_unit[unit]), minlength=n_rows)
    spread: Floats = np.asarray(weight, dtype=np.float64)
    return spread / max(float(spread.sum()), 1e-12)


def find_blocks(group: Group, corpus: Corpus, settings: SkeletonSettings, *, has_core: bool) -> list[Block]:
    """Return the blocks of the group that are long enough to set a step apart, heaviest first."""
    from scipy import sparse

    variable = np.flatnonzero(group.recurs & (group.share < settings.core_share))
    if not len(variable):
        return []
    merged = _merge_alike(group, _heaviest_sets(group, corpus, variable, settings.max_blocks))
    long = [c for c in merged if _sets_apart(corpus.part[c], settings, has_core=has_core)]
    if not long:
        return []
    indicator = sparse.csc_matrix(
        (
            np.concatenate([np.full(len(c), 1 / len(c), dtype=np.float32) for c in long]),
            (np.concatenate(long), np.repeat(np.arange(len(long)), [len(c) for c in long])),
        ),
        shape=(group.matrix.shape[1], len(long)),
    )
    held = np.asarray((group.matrix @ indicator).todense()) >= settings.contained
    blocks = []
    for at, columns in enumerate(long):
        rows = held[:, at]
        weight = float(group.weight[rows].sum())
        if weight < settings.core_share and group.units_with(rows) >= settings.k_task:
            parts = corpus.part[columns]
            told = _told(parts, corpus.directive[columns], settings)
            blocks.append(Block(columns, rows, weight, min(_length(parts), 100.0), _grown(parts), told))
    return sorted(blocks, key=lambda b: (-b.weight * b.length, int(b.columns[0])))


def _worth(parts: I64) -> Floats:
    """Return what each column counts: a system shingle twice, a tool as many words, any other once."""
    return np.where(parts == SYSTEM, 2.0, np.where(parts == TOOLS, 1.0 + TOOL_WORDS, 1.0))


def _length(parts: I64) -> float:
    return float(_worth(parts).sum())


def _grown(parts: I64) -> float:
    return float(np.mean(parts == PARTS.index("last")))


def _told(parts: I64, directive: Bools, settings: SkeletonSettings) -> float:
    """Return the share of words of instruction; what changes the system prompt or the tools is taken to instruct."""
    return 1.0 if _system_length(parts) >= settings.system_block else float(directive.mean())


def _system_length(parts: I64) -> float:
    return np.count_nonzero(parts == SYSTEM) + TOOL_WORDS * np.count_nonzero(parts == TOOLS)


def _sets_apart(parts: I64, settings: SkeletonSettings, *, has_core: bool) -> bool:
    user = len(parts) - np.count_nonzero(parts == SYSTEM) - np.count_nonzero(parts == TOOLS)
    if not has_core:
        return len(parts) >= 2  # noqa: PLR2004 - unrelated prompts: any recurring phrase will do
    return bool(_system_length(parts) >= settings.system_block or user >= settings.user_block)


def _heaviest_sets(group: Group, corpus: Corpus, variable: I64, most: int) -> list[I64]:
    """Group the columns that are held by exactly the same rows; return the heaviest groups of two columns or more."""
    columns = group.matrix[:, variable].tocsc()
    signature = np.random.default_rng(0).integers(1, 1 << 62, size=group.matrix.shape[0], dtype=np.int64)
    _, first, of = np.unique(
        np.add.reduceat(signature[columns.indices], columns.indptr[:-1]), return_index=True, return_inverse=True
    )
    lengths = np.bincount(of, weights=_worth(corpus.part[variable]))
    order = np.argsort(-np.minimum(lengths, 60) * group.share[variable[first]], kind="stable")
    order = order[lengths[order] >= 2][:most]  # noqa: PLR2004 - a single shingle is no phrase
    rank = np.full(len(first), len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    wanted = np.flatnonzero(rank[of] < len(order))
    by_rank = wanted[np.argsort(rank[of[wanted]], kind="stable")]
    cuts = np.flatnonzero(np.diff(rank[of[by_rank]])) + 1
    return [variable[part] for part in np.split(by_rank, cuts)] if len(by_rank) else []


def _merge_alike(group: Group, sets: list[I64]) -> list[I64]:
    """Join sets whose rows agree to three quarters (Jaccard), each into the heaviest before it."""
    if not sets:
        return []
    support = group.matrix[:, [int(c[0]) for c in sets]].T.tocsr()
    weighted = support.multiply(group.weight[None, :].astype(np.float32)).tocsr()
    both = np.asarray((weighted @ support.T).todense())
    own = both.diagonal()
    alike = both / np.maximum(own[:, None] + own[None, :] - both, 1e-12) >= 0.75  # noqa: PLR2004 - see docstring
    free = np.ones(len(sets), dtype=bool)
    merged = []
    for at in range(len(sets)):
        if free[at]:
            members = np.flatnonzero(alike[at] & free)
            free[members] = False
            merged.append(np.sort(np.concatenate([sets[i] for i in members])))
    return merged


def choose_alternatives(
    group: Group, blocks: list[Block], settings: SkeletonSettings, *, has_core: bool, by_content: bool
) -> list[Block]:
    """Return the mutually exclusive blocks that split the group, or an empty list where it is one step."""
    left = blocks[:300]
    if not has_core and left:
        saying = [b for b in left if b.told >= settings.instruction and b.length >= settings.user_block]
        return _widest_closed_set(group, saying or left)[0]
    for _ in range(MAX_CONTENTS):
        if not left:
            return []
        instructing, _ = _widest_closed_set(group, left, only=lambda kept, cover: _closed(kept, cover, settings))
        if instructing:
            return instructing
        chosen, cover = _widest_closed_set(group, left)
        if cover < settings.cover or not 1 < len(chosen) <= settings.max_alternatives:
            break
        left = [b for b in left if all(b is not one for one in chosen)]
    steady = [b for b in left if b.grown < 0.5]  # noqa: PLR2004 - a loop's later turns always differ from its first
    if by_content or not steady:
        return []
    varying = _varying_inside_units(group, steady, settings)
    return varying if varying and _instructs(varying, settings) else []


def _instructs(chosen: list[Block], settings: SkeletonSettings) -> bool:
    """Tell whether the alternatives say what to do (by their mean or their median), or are contents to work on."""
    told = np.array([b.told for b in chosen])
    mean = float(np.average(told, weights=[b.weight for b in chosen]))
    return bool(max(mean, float(np.median(told))) >= settings.instruction)


def _conflicts(group: Group, blocks: list[Block]) -> Bools:
    """Tell which two blocks overlap by more than 5 % of the smaller."""
    rows = np.stack([b.rows for b in blocks]).astype(np.float64)
    overlap = (rows * group.weight) @ rows.T
    own = overlap.diagonal()
    conflicts: Bools = overlap > 0.05 * np.minimum.outer(own, own)
    return conflicts


def _exclusive(order: list[int], conflicts: Bools) -> list[int]:
    """Walk the order and keep each block that is in conflict with none kept so far."""
    kept: list[int] = []
    barred = np.zeros(len(conflicts), dtype=bool)
    for at in order:
        if not barred[at]:
            kept.append(at)
            barred |= conflicts[at]
    return kept


def _closed(kept: list[Block], cover: float, settings: SkeletonSettings) -> bool:
    """Tell whether an exclusive set is a closed choice of steps: two equally wide sets may differ in that."""
    closed = cover >= settings.cover and 1 < len(kept) <= settings.max_alternatives
    return closed and _instructs(kept, settings)


def _widest_closed_set(
    group: Group, blocks: list[Block], only: Callable[[list[Block], float], bool] | None = None
) -> tuple[list[Block], float]:
    """Return the exclusive set with the widest cover (ties within 2 %: the longest), and its cover.

    :param only: Which sets to look at; None: all. Where none fits, the set is empty.
    """
    conflicts = _conflicts(group, blocks)
    rows = np.stack([b.rows for b in blocks])
    best: tuple[float, float, list[int]] = (-1.0, -1.0, [])
    for seed in range(min(40, len(blocks))):
        kept = _exclusive([seed, *(i for i in range(len(blocks)) if i != seed)], conflicts)
        cover = float(group.weight[rows[kept].any(axis=0)].sum())
        length = sum(blocks[i].weight * blocks[i].length for i in kept)
        if only is not None and not only([blocks[i] for i in kept], cover):
            continue
        if cover > best[0] + 0.02 or (abs(cover - best[0]) <= 0.02 and length > best[1]):  # noqa: PLR2004 - see docstring
            best = (cover, length, kept)
    return [blocks[i] for i in best[2]], best[0]


def _varying_inside_units(group: Group, blocks: list[Block], settings: SkeletonSettings) -> list[Block]:
    """Return exclusive blocks that most units hold in some of their prompts and lack in others."""
    rows = np.stack([b.rows for b in blocks], axis=1).astype(np.float32)
    with_block = np.asarray(group.units @ rows)
    prompts = np.asarray(group.units.sum(axis=1))
    mixed = ((with_block > 0) & (with_block < prompts)).sum(axis=0)
    held_by = (with_block > 0).sum(axis=0)
    enough = (mixed >= settings.min_mixed) & (mixed >= settings.mixed * held_by)
    order = [int(i) for i in np.flatnonzero(enough)]
    return [blocks[i] for i in _exclusive(order, _conflicts(group, blocks))] if order else []
