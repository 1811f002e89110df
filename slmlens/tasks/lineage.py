"""Tasks of an earlier run in a later log: the same task keeps its id; new, gone, split and merged ones are listed.

The calls of the new log are assigned to the earlier tasks by their saved rule (:mod:`slmlens.tasks.taskset`): where the
logs overlap that is the task a call had, and where they don't, the task it would have had. An earlier task and a new
one are the same if their members' weighted Jaccard similarity is at least :data:`SAME`; a call weighs its share of its
recurrence unit. Tasks without members in common are the same if they have one anchor, or if their phrases are alike:
a prompt that was edited between the logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from slmlens.results import Tasks
from slmlens.tables import LineageTable, checked
from slmlens.tasks.identity import fresh_id
from slmlens.tasks.taskset import TaskSet, assign_calls

SAME = 0.5
"""Jaccard similarity from which two tasks are one (CONTRACT 2); two different matches above it can't be."""

MOST = 0.5
"""Share of a task's members that make it a part of another: split off it, or merged into it by the data."""


@dataclass(frozen=True)
class _Pair:
    """An earlier task, a later one, and what they share."""

    earlier: str
    later: str
    shared: float
    jaccard: float


def with_earlier_ids(tasks: Tasks, earlier: TaskSet) -> Tasks:
    """Return the tasks under the ids of an earlier run, with ``lineage`` filled.

    :param tasks: Of this log, before any decision, with its task set.
    :param earlier: Task set of the earlier run.
    """
    members = _members(tasks, earlier)
    pairs = _pairs(members)
    same = _matched(tasks, earlier, pairs)
    ids = _ids(tasks, same)
    lineage = _lineage(tasks, earlier, members, pairs, same, ids)
    return replace(_renamed(tasks, ids), lineage=lineage)


def _members(tasks: Tasks, earlier: TaskSet) -> pl.DataFrame:
    """Return ``call_id, later, earlier, weight``: the task of each call now, and by the earlier rule."""
    before = assign_calls(earlier, tasks.calls).select("call_id", earlier="task_id")
    unit = pl.coalesce("unit_id", "call_id")
    return (
        tasks.assignments.select("call_id", unit=unit, later="task_id")
        .join(before, on="call_id")
        .select("call_id", "later", "earlier", weight=1.0 / pl.len().over("unit"))
    )


def _pairs(members: pl.DataFrame) -> list[_Pair]:
    """Return every earlier and later task that share members, the most alike first."""
    of_earlier = dict(members.drop_nulls("earlier").group_by("earlier").agg(pl.sum("weight")).rows())
    of_later = dict(members.drop_nulls("later").group_by("later").agg(pl.sum("weight")).rows())
    shared = members.drop_nulls(["earlier", "later"]).group_by("earlier", "later").agg(pl.sum("weight"))
    pairs = [_Pair(e, n, w, min(w / (of_earlier[e] + of_later[n] - w), 1.0)) for e, n, w in shared.rows()]
    return sorted(pairs, key=lambda p: (-round(p.jaccard, 9), p.earlier, p.later))


def _matched(tasks: Tasks, earlier: TaskSet, pairs: list[_Pair]) -> dict[str, tuple[str, float]]:
    """Return the earlier task, and its likeness, of each later task that is the same; one to one."""
    found: dict[str, tuple[str, float]] = {}
    taken: set[str] = set()
    anchored = _anchored(tasks, earlier)
    alike = _alike(tasks, earlier, {p.earlier for p in pairs}, {p.later for p in pairs})
    for pair in (*(p for p in pairs if p.jaccard >= SAME), *anchored, *alike):
        if pair.later not in found and pair.earlier not in taken:
            found[pair.later] = (pair.earlier, pair.jaccard)
            taken.add(pair.earlier)
    return found


def _anchored(tasks: Tasks, earlier: TaskSet) -> list[_Pair]:
    now, before = (
        {tuple(anchor): task_id for task_id, anchor in frame.select("task_id", "anchor").rows()}
        for frame in (tasks.tasks.sort("task_id"), earlier.tasks.sort("task_id"))
    )
    return [_Pair(before[anchor], now[anchor], 0.0, 1.0) for anchor in sorted(now.keys() & before.keys())]


def _alike(tasks: Tasks, earlier: TaskSet, placed_before: set[str], placed_now: set[str]) -> list[_Pair]:
    """Return pairs of tasks without members in common whose phrases are alike, in the same declared place."""
    now, before = (
        [(t, a[:1], np.array(p, dtype=np.uint64)) for t, a, p in frame.select("task_id", "anchor", "phrases").rows()]
        for frame in (tasks.tasks, earlier.tasks)
    )
    pairs = []
    for task_id, place, phrases in now:
        for old, old_place, old_phrases in before:
            if task_id in placed_now or old in placed_before or place != old_place:
                continue
            union = len(np.union1d(phrases, old_phrases))
            likeness = len(np.intersect1d(phrases, old_phrases)) / union if union else 0.0
            if likeness >= SAME:
                pairs.append(_Pair(old, task_id, 0.0, likeness))
    return sorted(pairs, key=lambda p: (-round(p.jaccard, 9), p.earlier, p.later))


def _ids(tasks: Tasks, same: Mapping[str, tuple[str, float]]) -> dict[str, str]:
    """Return the id to go by of each later task; one that is new never takes the id of an earlier task."""
    ids = {later: old for later, (old, _) in same.items()}
    used = set(ids.values())
    for task_id in tasks.tasks.get_column("task_id").sort():
        if task_id not in ids:
            ids[task_id] = fresh_id(task_id, used)
            used.add(ids[task_id])
    return ids


def _lineage(
    tasks: Tasks,
    earlier: TaskSet,
    members: pl.DataFrame,
    pairs: list[_Pair],
    same: Mapping[str, tuple[str, float]],
    ids: Mapping[str, str],
) -> pl.DataFrame:
    names = dict(tasks.tasks.select("task_id", "name").rows())
    old_names = dict(earlier.tasks.select("task_id", "name").rows())
    calls = dict(members.drop_nulls("later").group_by("later").len().rows())
    shared = _calls_shared(members)
    rows: list[tuple[str, str | None, str | None, float | None]] = [
        ("kept", later, old, likeness) for later, (old, likeness) in same.items()
    ]
    matched = {old for old, _ in same.values()}
    for later in names.keys() - same.keys():
        source = _most(members, later, "later", "earlier")
        rows.append(("split" if source else "new", later, source, _jaccard(pairs, source, later)))
    split = {old for change, _, old, _ in rows if change == "split"}
    for old in old_names.keys() - matched:
        target = _most(members, old, "earlier", "later")
        if target is not None and (old not in split or target in same):
            rows.append(("merged", target, old, _jaccard(pairs, old, target)))
        elif old not in split:
            rows.append(("gone", None, old, None))
    return checked(
        LineageTable,
        pl.DataFrame(
            [
                {
                    "change": change,
                    "task_id": ids[later] if later else None,
                    "name": names[later] if later else None,
                    "earlier_id": old,
                    "earlier_name": old_names[old] if old else None,
                    "likeness": likeness,
                    "n_calls": shared.get((old, later), 0) if old else calls.get(later or "", 0),
                }
                for change, later, old, likeness in rows
            ],
            schema={name: column.dtype for name, column in LineageTable.columns().items()},
        ).sort("change", "n_calls", "task_id", "earlier_id", descending=[False, True, False, False], nulls_last=True),
    )


def _calls_shared(members: pl.DataFrame) -> dict[tuple[str | None, str | None], int]:
    counted = members.drop_nulls(["earlier", "later"]).group_by("earlier", "later").len()
    return {(old, later): n for old, later, n in counted.rows()}


def _jaccard(pairs: list[_Pair], old: str | None, later: str | None) -> float | None:
    return next((p.jaccard for p in pairs if p.earlier == old and p.later == later), None)


def _most(members: pl.DataFrame, task_id: str, of: str, to: str) -> str | None:
    """Return the task on the other side that holds most of a task's members, if it holds enough of them."""
    mine = members.filter(pl.col(of) == task_id)
    ranked = mine.drop_nulls(to).group_by(to).agg(pl.sum("weight")).sort("weight", to, descending=[True, False])
    if ranked.is_empty() or ranked.item(0, "weight") < MOST * float(mine.get_column("weight").sum()):
        return None
    return str(ranked.item(0, to))


def _renamed(tasks: Tasks, ids: Mapping[str, str]) -> Tasks:
    """Return the tasks under other ids, in every table."""
    new = pl.col("task_id").replace(dict(ids))
    item = pl.col("item_id").str.split("-")
    skeleton = pl.col("skeleton_id").replace(dict(ids))
    items = tasks.items.with_columns(
        item_id=pl.concat_str(pl.lit("i"), skeleton, item.list.tail(2).list.join("-"), separator="-"),
        skeleton_id=skeleton,
    )
    return replace(
        tasks,
        items=items.sort("item_id"),
        tasks=tasks.tasks.with_columns(new).sort("n_calls", "task_id", descending=[True, False]),
        assignments=tasks.assignments.with_columns(new),
        task_set=tasks.task_set.renamed(ids) if tasks.task_set is not None else None,
    )
