"""The split of a dataset: earlier sessions train, later ones test, and no wording of a prompt is on two sides."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.splits import earlier_units, leak_groups, stable_hash

Ints = NDArray[np.int64]

TRAIN, VALIDATION, TEST, LEFT_OUT = "train", "validation", "test", "left_out"
VALIDATION_SHARE = 0.15
"""Share of the earlier calls, the last of them, on which training is stopped (judgement)."""
NEARLY_EQUAL = 0.8
"""Jaccard similarity from which two prompts count as the same: the threshold of Lee et al. 2022 (arXiv 2107.06499)."""
SHINGLE = 3
"""Words a shingle: slot texts are short, and 5 words as for documents would miss what differs in one word."""
_VALIDATION_GOAL = 0.3
"""Of groups that stand on several sides validation takes this part of an equal one, since training is worth more."""


@dataclass(frozen=True)
class Split:
    """On which side each row is, and why.

    :param sides: One of ``tables.SIDES`` a row.
    :param groups: Leak group of each row.
    :param by_time: Side of each row by time alone.
    """

    sides: list[str]
    groups: Ints
    by_time: list[str]

    @property
    def left_out(self) -> int:
        """Rows that serve on no side."""
        return self.sides.count(LEFT_OUT)

    @property
    def straddling(self) -> int:
        """Leak groups that stand on two sides by time alone, of which one was taken."""
        return len({group for group, side in zip(self.groups.tolist(), self.sides, strict=True) if side == LEFT_OUT})


def split_rows(units: Ints, slots: Sequence[str], train_share: float) -> Split:
    """Return the side of each row.

    Whole recurrence units go to one side by the order of their beginnings: training, then validation, then test. A leak
    group that would stand on several sides is dealt to one of them, and its rows on the others are left out. So neither
    a unit nor a group is ever on two sides, and no row tests what came before training.

    :param units: Recurrence unit of each row; rows are sorted by the beginnings of their units.
    :param slots: Slot text of each row.
    :param train_share: Share of the rows that is earlier: training and validation.
    """
    groups = near_groups(slots)
    by_time = _by_time(units, train_share)
    side_of = _deal(groups, by_time, slots)
    sides = [side if side_of[group] == side else LEFT_OUT for group, side in zip(groups.tolist(), by_time, strict=True)]
    return Split(sides, groups, by_time)


def _by_time(units: Ints, train_share: float) -> list[str]:
    early = earlier_units(units, train_share)
    inner = earlier_units(units[early], 1 - VALIDATION_SHARE)
    sides = np.full(len(units), TEST, dtype=object)
    sides[early] = np.where(inner, TRAIN, VALIDATION)
    return [str(side) for side in sides]


def _deal(groups: Ints, by_time: Sequence[str], slots: Sequence[str]) -> dict[int, str]:
    """Return the side of each group: that of all its rows, else one of theirs, so that every side gets its share.

    Groups on several sides are dealt in turn, the largest first, each to the side that is furthest from its goal: first
    between earlier and test, then between training and validation.
    """
    rows = Counter(zip(groups.tolist(), by_time, strict=True))
    on: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for (group, side), n in rows.items():
        on[group][side] = n
    example: dict[int, str] = {}
    for group, slot in zip(groups.tolist(), slots, strict=True):
        example[group] = min(example.get(group, slot), slot)
    order = sorted(on, key=lambda g: (-on[g].total(), stable_hash(example[g], "deal"), example[g]))
    earlier = Counter({g: sum(n for side, n in on[g].items() if side != TEST) for g in order if set(on[g]) - {TEST}})
    halves = {g: {name: n for name, n in (("earlier", earlier[g]), (TEST, on[g][TEST])) if n} for g in order}
    test = _dealt(order, halves, {"earlier": 1.0, TEST: 1.0})
    within = {g: {side: on[g][side] for side in (TRAIN, VALIDATION) if on[g][side]} for g in order if test[g] != TEST}
    inner = _dealt([g for g in order if g in within], within, {TRAIN: 1.0, VALIDATION: _VALIDATION_GOAL})
    return {group: inner.get(group, TEST) for group in order}


def _dealt(order: Sequence[int], rows: dict[int, dict[str, int]], goals: dict[str, float]) -> dict[int, str]:
    """Deal groups to sides: each to the one whose share of its goal is smallest, the first of equals."""
    whole = {side: sum(on.get(side, 0) for on in rows.values()) * goal for side, goal in goals.items()}
    filled = dict.fromkeys(goals, 0)
    found = {}
    for group in sorted(order, key=lambda g: len(rows[g]) > 1):
        sides = [side for side in goals if side in rows[group]]
        side = min(sides, key=lambda side: filled[side] / whole[side])
        filled[side] += rows[group][side]
        found[group] = side
    return found


def near_groups(slots: Sequence[str]) -> Ints:
    """Return a group code per text: equal but for numbers, case and space, or joined by a chain of near-equal ones.

    Near-equal: Jaccard similarity of word shingles at least ``NEARLY_EQUAL``. Exact: two such sets share one of the
    rarest shingles of each (prefix filter, Bayardo et al. 2007), so that only these pairs are compared.
    """
    exact = leak_groups(list(slots))
    first = np.unique(exact, return_index=True)[1]
    joined = _components([_shingles(slots[row]) for row in first])
    return np.unique(joined[exact], return_inverse=True)[1].reshape(-1).astype(np.int64)


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = re.sub(r"\d+", "0", text.lower()).split()
    return frozenset(zip(*(words[at:] for at in range(SHINGLE)), strict=False)) or frozenset([tuple(words)])


def _components(sets: list[frozenset[tuple[str, ...]]]) -> Ints:
    """Return the component of each set in the graph of near-equal sets, named by its first member."""
    parent = list(range(len(sets)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    common = Counter(shingle for one in sets for shingle in one)
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for at in sorted(range(len(sets)), key=lambda at: len(sets[at])):
        one = sets[at]
        rarest = sorted(one, key=lambda shingle: (common[shingle], shingle))
        for shingle in rarest[: len(one) - ceil(NEARLY_EQUAL * len(one)) + 1]:
            for other in holders[shingle]:
                mine, theirs = root(at), root(other)
                if mine != theirs and _jaccard(one, sets[other]) >= NEARLY_EQUAL:
                    parent[max(mine, theirs)] = min(mine, theirs)
            holders[shingle].append(at)
    return np.array([root(at) for at in range(len(sets))], dtype=np.int64)


def _jaccard(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
