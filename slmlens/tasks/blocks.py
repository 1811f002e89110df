"""Blocks of phrases that come and go together, and the set of alternative blocks that splits a group of prompts.

Inside a group of prompts the shingles that nearly all share are its *core*. The others fall into **blocks**: shingles
held by the same prompts. A set of mutually exclusive blocks is one dimension along which the group varies. It is a
choice of *steps* where the set is closed (its blocks cover nearly the whole group: every value recurs) or where it
changes inside a session; it is a *slot* where most values are seen once, or change only from session to session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slmlens.tasks.corpus import TOOLS, Corpus
from slmlens.tasks.excerpts import Excerpt
from slmlens.tasks.incidence import Bools, Floats, set_numbers, summed
from slmlens.tasks.prompts import PARTS
from slmlens.tasks.shingles import I64

SYSTEM = PARTS.index("system")
TOOL_WORDS = 6.0
"""Shingles that one tool name counts for."""

_WORTH = np.array([{"system": 2.0, "tools": 1.0 + TOOL_WORDS}.get(name, 1.0) for name in PARTS])
"""What a shingle counts for by its part: of the system prompt twice, a tool as many words, any other once."""

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
    """Some prompts of a corpus, with the units that weigh them.

    :param prompts: The prompts.
    :param unit: The unit of each use of a prompt, ascending from 0 without a gap.
    :param row: The prompt of that use: its place in the group.
    :param weight: Weight of each prompt, as a share of the group; sums to 1.
    :param recurs: Strands that recur in at least ``k_task`` units of the group.
    :param share: Weight of the prompts that hold each strand.
    """

    prompts: Excerpt
    unit: I64
    row: I64
    weight: Floats
    recurs: Bools
    share: Floats

    def units_with(self, held: Bools) -> I64:
        """Return for each column of ``held`` (prompts x blocks) how many units use a prompt that is true there."""
        block, use = np.nonzero(held[self.row].T)
        first = np.diff(block * len(self.unit) + self.unit[use], prepend=-1) != 0
        return np.bincount(block[first], minlength=held.shape[1])

    def uses_with(self, held: Bools) -> I64:
        """Return units x blocks: how many prompts of each unit are true."""
        use, block = np.nonzero(held[self.row])
        n_units, n_blocks = int(self.unit[-1]) + 1, held.shape[1]
        counted = np.bincount(self.unit[use] * n_blocks + block, minlength=n_units * n_blocks)
        return counted.reshape(n_units, n_blocks)


@dataclass(frozen=True)
class Block:
    """Columns that come and go together.

    :param strands: Strands of the group.
    :param rows: Rows of the group that hold at least the contained share of them.
    :param weight: Their weight.
    :param length: Shingles, system shingles counted twice, capped at 100.
    :param grown: Share of its columns that belong to the last message of a prompt that has grown.
    :param told: Share of its columns that are words of instruction; 1 where it changes the system prompt or the tools.
    """

    strands: I64
    rows: Bools
    weight: float
    length: float
    grown: float
    told: float


def group_of(corpus: Corpus, prompts: Excerpt, settings: SkeletonSettings, *, by_content: bool) -> Group:
    """Return the group of some prompts, its units being sessions (or traces) or distinct slot contents.

    Strands that recur neither in the group nor, by slot contents, in any part of it are left out.
    """
    content = corpus.content[prompts.rows]
    unit, row = _uses_by_content(content) if by_content else _uses_by_unit(corpus, prompts.rows)
    prompts = prompts.joined(prompts.matrix.holders() > 0)
    recurs = prompts.matrix.users(unit, row) >= settings.k_task
    may_recur = recurs | (prompts.matrix.holders() >= settings.k_task)
    prompts = prompts.with_strands(may_recur)
    weight = _spread(unit, row, content, corpus.weight[prompts.rows])
    return Group(prompts, unit, row, weight, recurs[may_recur], prompts.matrix.weights(weight))


def _uses_by_content(content: I64) -> tuple[I64, I64]:
    row = np.argsort(content, kind="stable")
    return np.unique(content[row], return_inverse=True)[1], row


def _uses_by_unit(corpus: Corpus, rows: I64) -> tuple[I64, I64]:
    place = np.full(len(corpus.content), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    row = place[corpus.pairs[:, 1]]
    unit = np.unique(corpus.pairs[row >= 0, 0], return_inverse=True)[1]
    return unit, row[row >= 0]


def _spread(unit: I64, row: I64, content: I64, stands_for: Floats) -> Floats:
    """Each unit weighs 1, spread over its slot contents, and within a content over its prompts (a loop counts once).

    :param stands_for: Prompts of the log that each prompt of a sample stands for.
    """
    contents = int(content.max(initial=0)) + 1
    distinct, front, per_front = np.unique(unit * contents + content[row], return_inverse=True, return_counts=True)
    per_unit = np.bincount(distinct // contents)
    weight = summed(row, 1.0 / (per_front[front] * per_unit[unit]), len(content)) * stands_for
    return weight / max(float(weight.sum()), 1e-12)


def find_blocks(group: Group, corpus: Corpus, settings: SkeletonSettings, *, has_core: bool) -> list[Block]:
    """Return the blocks of the group that are long enough to set a step apart, heaviest first."""
    prompts = group.prompts
    by_part = _by_part(prompts, corpus)
    sets = _merge_alike(group, _heaviest(group, by_part @ _WORTH, settings))
    parts = _summed(by_part, sets)
    long = np.flatnonzero(_set_apart(parts, settings, has_core=has_core))
    if not len(long):
        return []
    sets, parts = [sets[at] for at in long], parts[long]
    size, told = prompts.sizes(), prompts.counted(corpus.directive[prompts.columns])
    set_of = set_numbers(sets, len(size))
    held = prompts.matrix.reaching(set_of, size, settings.contained * parts.sum(axis=1))
    instructs = _system_length(parts) >= settings.system_block
    told = np.where(instructs, 1.0, _summed(told, sets) / parts.sum(axis=1))
    length, grown = np.minimum(parts @ _WORTH, 100), parts[:, PARTS.index("last")] / parts.sum(axis=1)
    first = prompts.first_columns()
    blocks = []
    for at in np.flatnonzero(group.units_with(held) >= settings.k_task).tolist():
        weight = float(group.weight[held[:, at]].sum())
        if weight < settings.core_share:
            block = Block(sets[at], held[:, at], weight, float(length[at]), float(grown[at]), float(told[at]))
            blocks.append((-block.weight * block.length, int(first[sets[at]].min()), block))
    return [block for _, _, block in sorted(blocks, key=lambda b: b[:2])]


def _summed(of_strand: Floats, sets: list[I64]) -> Floats:
    """Return for each set the sum over its strands."""
    if not sets:
        return of_strand[:0]
    starts = np.cumsum([0, *(len(one) for one in sets[:-1])])
    return np.add.reduceat(of_strand[np.concatenate(sets)], starts, axis=0)


def _by_part(prompts: Excerpt, corpus: Corpus) -> Floats:
    """Return strands x parts of the prompt: columns."""
    cell = prompts.strand * len(PARTS) + corpus.part[prompts.columns]
    counted = np.bincount(cell, minlength=prompts.matrix.n_columns * len(PARTS))
    return counted.reshape(-1, len(PARTS)).astype(np.float64)


def _system_length(parts: Floats) -> Floats:
    return parts[:, SYSTEM] + TOOL_WORDS * parts[:, TOOLS]


def _set_apart(parts: Floats, settings: SkeletonSettings, *, has_core: bool) -> Bools:
    """Tell which sets are long enough to set a step apart.

    :param parts: sets x parts of the prompt: columns.
    """
    whole = parts.sum(axis=1)
    user = whole - parts[:, SYSTEM] - parts[:, TOOLS]
    apart: Bools = (_system_length(parts) >= settings.system_block) | (user >= settings.user_block)
    if not has_core:
        apart = whole >= 2  # noqa: PLR2004 - unrelated prompts: any recurring phrase will do
    return apart


def _heaviest(group: Group, length: Floats, settings: SkeletonSettings) -> I64:
    """Return the strands of two shingles or more that vary in the group, heaviest first, at most ``max_blocks``."""
    varying = np.flatnonzero(group.recurs & (group.share < settings.core_share))
    order = varying[np.argsort(-np.minimum(length[varying], 60) * group.share[varying], kind="stable")]
    return order[length[order] >= 2][: settings.max_blocks]  # noqa: PLR2004 - a single shingle is no phrase


def _merge_alike(group: Group, strands: I64) -> list[I64]:
    """Join strands whose rows agree to three quarters (Jaccard), each into the heaviest before it."""
    if not len(strands):
        return []
    both = group.prompts.matrix.overlaps(strands, group.weight)
    own = both.diagonal()
    alike = both / np.maximum(own[:, None] + own[None, :] - both, 1e-12) >= 0.75  # noqa: PLR2004 - see docstring
    free = np.ones(len(strands), dtype=bool)
    merged = []
    for at in range(len(strands)):
        if free[at]:
            members = np.flatnonzero(alike[at] & free)
            free[members] = False
            merged.append(strands[members])
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


def _exclusive(first: list[int], free: Bools, conflicts: Bools) -> list[int]:
    """Add to the first blocks, from the heaviest on, each free one that is in conflict with none kept so far."""
    kept = list(first)
    barred = ~free
    for at in first:
        barred |= conflicts[at]
    while not barred[heaviest := int(barred.argmin())]:
        kept.append(heaviest)
        barred |= conflicts[heaviest]
        barred[heaviest] = True
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
    rows, free = np.stack([b.rows for b in blocks]), np.ones(len(blocks), dtype=bool)
    best: tuple[float, float, list[int]] = (-1.0, -1.0, [])
    for seed in range(min(40, len(blocks))):
        kept = _exclusive([seed], free, conflicts)
        cover = float(group.weight[rows[kept].any(axis=0)].sum())
        length = sum(blocks[i].weight * blocks[i].length for i in kept)
        if only is not None and not only([blocks[i] for i in kept], cover):
            continue
        if cover > best[0] + 0.02 or (abs(cover - best[0]) <= 0.02 and length > best[1]):  # noqa: PLR2004 - see docstring
            best = (cover, length, kept)
    return [blocks[i] for i in best[2]], best[0]


def _varying_inside_units(group: Group, blocks: list[Block], settings: SkeletonSettings) -> list[Block]:
    """Return exclusive blocks that most units hold in some of their prompts and lack in others."""
    with_block = group.uses_with(np.stack([b.rows for b in blocks], axis=1))
    prompts = np.bincount(group.unit)[:, None]
    mixed = ((with_block > 0) & (with_block < prompts)).sum(axis=0)
    held_by = (with_block > 0).sum(axis=0)
    enough = (mixed >= settings.min_mixed) & (mixed >= settings.mixed * held_by)
    return [blocks[i] for i in _exclusive([], enough, _conflicts(group, blocks))] if enough.any() else []
