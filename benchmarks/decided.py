"""Plausible decisions of people on a log's tasks, and how many of them hold on another cut of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from slmlens.results import Calls, Tasks
from slmlens.tasks import gestures
from slmlens.tasks.decisions import Decision, with_id
from slmlens.tasks.matching import jaccard
from slmlens.tasks.replay import Replayed, replay
from slmlens.tasks.slots import slot_texts
from slmlens.tasks.taskset import assign_calls

EVERY = 3
"""One task in so many is decided on."""

KINDS = ("rename", "merge", "set_aside", "override", "split")
_HALF = 0.5
_SPLIT = (0.2, 0.8)  # share of a task's calls that a rule must fit to be worth a split


@dataclass(frozen=True)
class Held:
    """What became of decisions on another cut or log.

    :param asked: Decisions.
    :param applied: Of these, those that apply.
    :param meant: Of these, those that shape mostly the calls they were made for.
    :param lost: Kind and status of each that does not apply.
    """

    asked: int
    applied: int
    meant: int
    lost: tuple[str, ...]


def decisions_on(tasks: Tasks, seed: int) -> list[Decision]:
    """Decide on every third task, one kind after the other; what can't be split or merged is renamed."""
    order = tasks.tasks.sort("n_calls", "task_id", descending=[True, False]).get_column("task_id").to_list()
    decisions: list[Decision] = []
    for at, task_id in enumerate(order[seed % EVERY :: EVERY]):
        now = replay(tasks, decisions)
        if task_id not in now.targets:
            continue  # merged with one decided on before
        decision = _decided(now, task_id, KINDS[(at + seed) % len(KINDS)])
        decisions.append(with_id(decision, {d.id for d in decisions}))
    statuses = set(replay(tasks, decisions).status.get_column("status"))
    assert statuses <= {"applied"}, statuses
    return decisions


def held(decisions: Sequence[Decision], wanted: Tasks, got: Tasks) -> Held:
    """Replay decisions over other tasks.

    :param wanted: Tasks whose calls tell what each decision was meant for; one that does not apply there is not asked.
    """
    here, there = replay(got, decisions), replay(wanted, decisions)
    asked = [d.id for d in decisions if _status(there)[d.id] == "applied"]
    applied = [i for i in asked if _status(here)[i] == "applied"]
    both = set(got.calls.calls["call_id"]) & set(wanted.calls.calls["call_id"])
    meant = [i for i in applied if _same(_shaped(there, i, both), _shaped(here, i, both))]
    kinds = dict(here.status.select("decision_id", "kind").rows())
    lost = tuple(f"{kinds[i]} {_status(here)[i]}" for i in asked if i not in applied)
    return Held(len(asked), len(applied), len(meant), lost)


def by_rule(earlier: Tasks, calls: Calls, *, k_task: int = 3) -> Tasks:
    """Return the earlier tasks with a later log's calls, as the saved rule places them; those that still recur.

    :param k_task: Recurrence units that make a task.
    """
    rows = assign_calls(earlier.task_set, calls)
    units = rows.drop_nulls("task_id").group_by("task_id").agg(pl.col("unit_id").n_unique())
    recurring = units.filter(pl.col("unit_id") >= k_task).get_column("task_id").implode()
    return replace(
        earlier,
        calls=calls,
        tasks=earlier.tasks.filter(pl.col("task_id").is_in(recurring)),
        assignments=rows.with_columns(pl.when(pl.col("task_id").is_in(recurring)).then("task_id").alias("task_id")),
    )


def in_words(found: Sequence[Held]) -> str:
    """Return the share that applies, over all seeds, and what does not."""
    asked, applied, meant = (sum(getattr(h, name) for h in found) for name in ("asked", "applied", "meant"))
    least = min((h.applied / h.asked for h in found if h.asked), default=1.0)
    lost = Counter(word for h in found for word in h.lost).most_common()
    told = "".join(f", {n} {word}" for word, n in lost)
    return f"{applied / asked:.1%} of {asked}, least {least:.1%} of a seed; as meant {meant / asked:.1%}{told}"


def _decided(now: Replayed, task_id: str, kind: str) -> Decision:
    if kind == "set_aside":
        return gestures.set_aside(now, task_id, reason="benchmark")
    if kind == "override":
        return gestures.override(now, task_id, "keep", reason="benchmark")
    sibling, rule = _sibling(now, task_id), _rule(now, task_id)
    if kind == "merge" and sibling is not None:
        return gestures.merge(now, [task_id, sibling])
    if kind == "split" and rule is not None:
        return gestures.split(now, task_id, **rule)
    return gestures.rename(now, task_id, f"task {task_id}")


def _sibling(now: Replayed, task_id: str) -> str | None:
    """Return the task of the same application whose phrases are most alike."""
    row = now.tasks.tasks.row(by_predicate=pl.col("task_id") == task_id, named=True)
    others = now.tasks.tasks.filter(
        (pl.col("application") == row["application"])
        & (pl.col("task_id") != task_id)
        & ~pl.col("task_id").is_in([*now.tasks.set_aside, *now.tasks.asked])
    )
    ranked = [(jaccard(now.targets[task_id].phrases, now.targets[t].phrases), t) for t in others["task_id"].sort()]
    return max(ranked, default=(0.0, None))[1]


def _rule(now: Replayed, task_id: str) -> dict[str, str] | None:
    """Return what splits a task nearest to its middle: a declared step, a tool on offer, or a word of what varies."""
    calls = now.tasks.assignments.filter(pl.col("task_id") == task_id).get_column("call_id")
    rows = now.tasks.calls.calls.filter(pl.col("call_id").is_in(calls.implode()))
    words = slot_texts(now.tasks.found or now.tasks, calls).with_columns(
        pl.col("slot_text").str.extract_all(r"\b[a-z]{4,}\b")
    )
    found = {
        "step": rows.select(value="step"),
        "tool": rows.select(value=pl.col("tool_names_offered").list.unique()).explode("value"),
        "phrase": words.select(value=pl.col("slot_text").list.unique()).explode("value"),
    }
    for kind, values in found.items():
        counted = values.drop_nulls().group_by("value").len().with_columns(share=pl.col("len") / len(calls))
        middle = counted.filter(pl.col("share").is_between(*_SPLIT)).sort((pl.col("share") - _HALF).abs(), "value")
        if middle.height:
            return {kind: middle.item(0, "value")}
    return None


def _status(now: Replayed) -> dict[str, str]:
    return dict(now.status.select("decision_id", "status").rows())


def _shaped(now: Replayed, decision_id: str, among: set[str]) -> list[set[str]]:
    """Return the calls of each task that a decision shaped."""
    task_ids = now.status.row(by_predicate=pl.col("decision_id") == decision_id, named=True)["task_ids"]
    rows = now.tasks.assignments.filter(pl.col("task_id").is_in(task_ids))
    return [set(ids) & among for (ids,) in rows.group_by("task_id").agg("call_id").select("call_id").rows()]


def _same(wanted: list[set[str]], got: list[set[str]]) -> bool:
    """Tell whether each set of calls that was meant has one that is mostly the same."""
    best = [max((len(w & g) / len(w | g) for g in got), default=0.0) for w in wanted if w]
    return bool(best) and min(best) > _HALF
