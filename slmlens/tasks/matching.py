"""Which task of this log a decision means: by anchor, else by what its calls or its phrases have in common."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from slmlens.results import Tasks
from slmlens.tasks.decisions import Target
from slmlens.tasks.identity import ANCHOR_SIZE

SKETCH = 16
"""Hashes a sketch keeps: the smallest ones, a bottom-k sketch (Cohen and Kaplan 2007)."""

SAME = 0.5
"""Jaccard similarity from which two tasks are one (CONTRACT 2)."""

_SAME_LOG = 0.5
"""Share of a target's sketched calls that must lie in this log, for them to tell which task it is now."""


@dataclass(frozen=True)
class Match:
    """What a target is in this log.

    :param task_id: The task; None where no one task is meant.
    :param gone: Nothing like it is here; else its parts lie in several tasks.
    :param why: A sentence on it, for a target that is not found.
    :param inside: The larger task that the data made it a part of, where it is that.
    """

    task_id: str | None
    gone: bool = False
    why: str = ""
    inside: str | None = None


@dataclass(frozen=True)
class Leaf:
    """A task as found, as far as a target is compared with it."""

    task_id: str
    name: str
    anchor: tuple[str, ...]
    phrases: tuple[str, ...]
    members: tuple[str, ...]
    prints: frozenset[str]


class Matcher:
    """Finds targets among the tasks of one log.

    :param tasks: The tasks as found, before any decision; their lineage tells where an earlier run's tasks are now.
    """

    def __init__(self, tasks: Tasks) -> None:
        placed = tasks.assignments.drop_nulls("task_id").group_by("task_id").agg("call_id")
        prints = {task_id: {_call_print(c) for c in calls} for task_id, calls in placed.rows()}
        self.leaves: Mapping[str, Leaf] = {
            task_id: Leaf(
                task_id,
                name,
                tuple(anchor),
                sketch(f"{p:016x}" for p in phrases),
                sketch(prints.get(task_id, ())),
                frozenset(prints.get(task_id, ())),
            )
            for task_id, name, anchor, phrases in tasks.tasks.select("task_id", "name", "anchor", "phrases")
            .sort("task_id")
            .rows()
        }
        self._succeeds = tasks.lineage is not None
        merged = [] if tasks.lineage is None else tasks.lineage.filter(pl.col("change") == "merged").rows(named=True)
        self._merged = {row["earlier_id"]: row["task_id"] for row in merged}
        self._all = frozenset(p for found in prints.values() for p in found) | {
            _call_print(c) for c in tasks.assignments.filter(pl.col("task_id").is_null()).get_column("call_id")
        }

    def find(self, target: Target) -> Match:
        """Return the task that a target means: the one of its anchor, else the one that shares at least half with it.

        Where most of the target's calls are in this log, they decide; in another log, the phrases do. A target whose
        half is in no task is never guessed. In a run after another, what became of its tasks is settled already.
        """
        if self._succeeds and target.task_id in self.leaves:
            return Match(target.task_id)
        if target.task_id in self._merged:
            return self._inside(self._merged[target.task_id])
        exact = [leaf for leaf in self.leaves.values() if leaf.anchor == target.anchor]
        if len(exact) == 1:
            return Match(exact[0].task_id)
        named = self.leaves.get(target.task_id)
        if named is not None and (not exact or named in exact):
            return Match(named.task_id)
        if self._knows(target.members):
            return self._by_members(target)
        return self._by_phrases(target, exact or list(self.leaves.values()))

    def _knows(self, members: Collection[str]) -> bool:
        return bool(members) and sum(m in self._all for m in members) >= _SAME_LOG * len(members)

    def _by_members(self, target: Target) -> Match:
        sharing = [
            (leaf, jaccard(target.members, leaf.members), sum(m in leaf.prints for m in target.members))
            for leaf in self.leaves.values()
        ]
        best = max(sharing, key=lambda found: (found[1], found[0].task_id), default=None)
        if best is not None and best[1] >= SAME:
            return Match(best[0].task_id)
        whole = next((leaf for leaf, _, n in sharing if n > SAME * len(target.members)), None)
        if whole is not None:
            return self._inside(whole.task_id)
        names = [leaf.name for leaf, _, n in sorted(sharing, key=lambda f: (-f[2], f[0].task_id)) if n]
        if not names:
            return Match(None, gone=True, why="its calls are in no task now")
        listed = ", ".join(f"“{name}”" for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 - as many as are listed
        return Match(None, why=f"its calls now lie in other tasks: {listed}{more}")

    def _inside(self, task_id: str) -> Match:
        return Match(None, inside=task_id, why=f"the data made it a part of “{self.leaves[task_id].name}”")

    def _by_phrases(self, target: Target, leaves: Collection[Leaf]) -> Match:
        ranked = sorted(
            ((self._likeness(target, leaf), leaf.task_id) for leaf in leaves), key=lambda found: (-found[0], found[1])
        )
        fitting = [found for found in ranked if found[0] >= SAME]
        if not fitting:
            return Match(None, gone=True, why="no task of this log shares half of its phrases")
        if len(fitting) > 1 and fitting[0][0] == fitting[1][0]:
            return Match(None, why=f"{sum(f[0] == fitting[0][0] for f in fitting)} tasks of this log fit it equally")
        return Match(fitting[0][1])

    def _likeness(self, target: Target, leaf: Leaf) -> float:
        own = jaccard(target.phrases, leaf.phrases)
        same_place = target.anchor[:1] == leaf.anchor[:1]
        return max(own, anchor_likeness(target.anchor, leaf.anchor)) if same_place else own


def sketch(hashes: Iterable[str]) -> tuple[str, ...]:
    """Return the smallest hashes, sorted."""
    return tuple(sorted(heapq.nsmallest(SKETCH, set(hashes))))


def jaccard(one: Collection[str], other: Collection[str], size: int = SKETCH) -> float:
    """Return the Jaccard similarity of the sets that two sketches were made of; 0 where either is empty.

    :param size: Hashes the sketches may keep; sets smaller than that are compared exactly.
    """
    if not one or not other:
        return 0.0
    union = set(one) | set(other)
    seen = union if max(len(one), len(other)) < size else heapq.nsmallest(size, union)
    return sum(h in one and h in other for h in seen) / len(seen)


def anchor_likeness(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Return how much two anchors share beyond their declared place; equal anchors are 1."""
    if one == other:
        return 1.0
    return jaccard(one[1:], other[1:], ANCHOR_SIZE)


def call_sketch(tasks: Tasks, task_id: str) -> tuple[str, ...]:
    """Return the sketch of a task's calls."""
    calls = tasks.assignments.filter(pl.col("task_id") == task_id).get_column("call_id")
    return sketch(_call_print(c) for c in calls)


def _call_print(call_id: str) -> str:
    return hashlib.blake2b(call_id.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
