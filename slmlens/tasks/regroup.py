"""Tables of tasks after calls changed their task by a person's decision: counts anew, the rest from what was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from slmlens.results import Calls, Tasks
from slmlens.tables import AssignmentsTable, TasksTable, checked
from slmlens.tasks.forms import answer_forms, kind_of
from slmlens.tasks.tallies import merged_stability


@dataclass(frozen=True)
class Grouped:
    """A task after the decisions.

    :param number: Its number in ``placed``.
    :param task_id: Its id.
    :param name: Its name.
    :param anchor: Its anchor.
    :param heaviest: The found task that most of it comes from: application, call site, skeleton are taken from there.
    :param others: Further found tasks in it.
    :param changed: Calls came or went; its counts are taken anew.
    """

    number: int
    task_id: str
    name: str
    anchor: tuple[str, ...]
    heaviest: str
    others: tuple[str, ...]
    changed: bool


def regrouped(
    found: Tasks, placed: pl.DataFrame, groups: Sequence[Grouped], *, moved: Collection[str], k_show: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the tables of tasks and assignments.

    :param found: The tasks before the decisions.
    :param placed: ``call_id``, ``node`` (number of the group; null: unassigned).
    :param groups: The tasks; one without calls is left out.
    :param moved: Calls that a person put where they are: their strength is 1.
    :param k_show: Subjects that must share an answer form before its keys are named.
    """
    ids = pl.DataFrame(
        {"node": [g.number for g in groups], "task_id": [g.task_id for g in groups]},
        schema={"node": pl.Int64, "task_id": pl.String},
    )
    where = placed.join(ids, on="node", how="left", maintain_order="left").select("call_id", "task_id")
    known, by_hand = pl.col("task_id").is_not_null(), pl.col("call_id").is_in(list(moved))
    assignments = (
        found.assignments.drop("task_id")
        .join(where, on="call_id", how="left", maintain_order="left")
        .with_columns(
            strength=pl.when(known).then(pl.when(by_hand).then(1.0).otherwise(pl.col("strength"))),
            rule=pl.when(known).then(pl.col("rule").fill_null("prompt_only")),
        )
    )
    tasks = _rows(found, assignments, groups, k_show)
    return checked(TasksTable, tasks), checked(AssignmentsTable, assignments)


def _rows(found: Tasks, assignments: pl.DataFrame, groups: Sequence[Grouped], k_show: int) -> pl.DataFrame:
    rows = {row["task_id"]: row for row in found.tasks.iter_rows(named=True)}
    changed = [g.task_id for g in groups if g.changed]
    counts = _counted(found.calls, assignments, changed, k_show)
    stability = _stability(found, assignments, changed)
    made = []
    for group in groups:
        row = dict(rows[group.heaviest]) | {"task_id": group.task_id, "name": group.name, "anchor": list(group.anchor)}
        if group.changed:
            if group.task_id not in counts:
                continue
            row |= counts[group.task_id]
            row["n_subjects"] = row.pop("n_users") or row["n_units"]
            row["stability"] = stability.get(group.task_id)
            parts = [rows[group.heaviest], *(rows[t] for t in group.others)]
            row["step_names"] = list(dict.fromkeys(step for part in parts for step in part["step_names"]))
            row["phrases"] = sorted({p for part in parts for p in part["phrases"]})
            row["edited_on"] = max((p["edited_on"] for p in parts if p["edited_on"] is not None), default=None)
        made.append(row)
    return pl.DataFrame(made, schema=found.tasks.schema).sort("n_calls", "task_id", descending=[True, False])


def _stability(found: Tasks, assignments: pl.DataFrame, changed: Collection[str]) -> dict[str, float | None]:
    """Return the stability of the changed tasks that are whole found tasks put together; no others are told.

    A split or a move asks for calls by their text, and the half-samples were kept by task: what they would say of the
    parts is not known.
    """
    if found.task_set is None:
        return {}
    before = found.assignments.select("call_id", before="task_id", size=pl.len().over("task_id"))
    now = assignments.filter(pl.col("task_id").is_in(list(changed))).join(before, on="call_id")
    parts = now.group_by("task_id", "before").agg(
        whole=(pl.len() == pl.col("size").first()) & pl.col("before").is_not_null().first()
    )
    merged = parts.group_by("task_id").agg("before", pl.col("whole").all()).filter("whole").sort("task_id")
    return {t: merged_stability(found.task_set.tallies, members) for t, members, _ in merged.rows()}


def _counted(
    calls: Calls, assignments: pl.DataFrame, task_ids: Sequence[str], k_show: int
) -> Mapping[str, dict[str, object]]:
    """Return, by task id, the columns of a task that are counted from its calls."""
    identity = calls.calls.select("call_id", "session_id", "user_id")
    rows = assignments.filter(pl.col("task_id").is_in(list(task_ids))).join(identity, on="call_id", how="left")
    if rows.is_empty():
        return {}
    few = Calls(
        calls.calls.join(rows, on="call_id", how="semi"), calls.messages, calls.rejects, calls.files, calls.duplicates
    )
    rows = rows.join(answer_forms(few), on="call_id", how="left")
    sessions = pl.col("session_id").drop_nulls()
    counted = rows.group_by("task_id").agg(
        n_calls=pl.len().cast(pl.Int64),
        n_units=pl.col("unit_id").n_unique().cast(pl.Int64),
        n_users=pl.col("user_id").drop_nulls().n_unique().cast(pl.Int64),
        steps_per_session=pl.when(sessions.len() > 0).then(sessions.len() / sessions.n_unique()),
    )
    forms = _forms(rows, k_show)
    return {
        row["task_id"]: {name: value for name, value in row.items() if name != "task_id"}
        | {"form": forms[row["task_id"]]}
        for row in counted.iter_rows(named=True)
    }


def _forms(rows: pl.DataFrame, k_show: int) -> dict[str, str]:
    """Return the commonest form by task, without the names in it where fewer than ``k_show`` subjects share it."""
    with_users = pl.col("user_id").is_not_null().any().over("task_id")
    commonest = (
        rows.with_columns(subject=pl.when(with_users).then("user_id").otherwise("unit_id"))
        .group_by("task_id", "form")
        .agg(n=pl.len(), subjects=pl.col("subject").drop_nulls().n_unique())
        .sort("task_id", "n", "form", descending=[False, True, False])
        .unique("task_id", keep="first", maintain_order=True)
    )
    return {
        task_id: form if subjects >= k_show else kind_of(form)
        for task_id, form, subjects in commonest.select("task_id", "form", "subjects").iter_rows()
    }
