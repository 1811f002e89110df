"""What each stage returns: frozen dataclasses that carry their frames (schemas in :mod:`slmlens.tables`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Calls:
    """The calls of a log, read, redacted and (after the spend stage) priced.

    :param calls: ``CallsTable``.
    :param messages: ``MessagesTable``; a call is a list of message ids.
    :param rejects: ``RejectsTable``.
    :param files: ``FilesTable``; in every row records = calls + parents + duplicates + rejects + other.
    :param duplicates: Columns ``call_id``, ``file``, ``line``: calls seen twice, counted once.
    :param sampling_rate: Share of the traffic that the log holds, in (0, 1].
    :param notes: Sentences a user should read: what is missing and which setting to switch on.
    """

    calls: pl.DataFrame
    messages: pl.DataFrame
    rejects: pl.DataFrame
    files: pl.DataFrame
    duplicates: pl.DataFrame
    sampling_rate: float = 1.0
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Calls({self.calls.height:,} calls, {self.messages.height:,} messages, {self.rejects.height:,} rejects)"


def _no_decisions() -> pl.DataFrame:
    from slmlens.tables import DecisionsTable

    return DecisionsTable.create_empty()


@dataclass(frozen=True)
class Tasks:
    """Calls and the tasks found in them.

    :param calls: The calls.
    :param items: ``ItemsTable``.
    :param tasks: ``TasksTable``.
    :param assignments: ``AssignmentsTable``; one row a call.
    :param decisions: ``DecisionsTable``: decisions of people that were replayed, and what became of each.
    :param found: The tasks before any decision; None where none was replayed.
    :param task_set: ``tasks.taskset.TaskSet``: the rule that assigns further calls to the tasks as found.
    :param lineage: ``LineageTable``: what became of the tasks of an earlier run; None where there is none.
    """

    calls: Calls
    items: pl.DataFrame
    tasks: pl.DataFrame
    assignments: pl.DataFrame
    decisions: pl.DataFrame = field(default_factory=_no_decisions)
    found: Tasks | None = field(default=None, repr=False)
    task_set: Any = field(default=None, repr=False)
    lineage: pl.DataFrame | None = field(default=None, repr=False)

    @property
    def set_aside(self) -> frozenset[str]:
        """Ids of the tasks that a person set aside: their money is ``excluded``."""
        return self._decided("set_aside")

    @property
    def asked(self) -> dict[str, str]:
        """Actions that a person asked for, by task id; a later one wins."""
        rows = self._applied("override").select("task_ids", "action")
        return {task_id: action for task_ids, action in rows.iter_rows() for task_id in task_ids}

    @property
    def asked_by(self) -> dict[str, str]:
        """Who asked for the action of :attr:`asked`, by task id."""
        rows = self._applied("override").select("task_ids", "author")
        return {task_id: author for task_ids, author in rows.iter_rows() for task_id in task_ids}

    def _decided(self, kind: str) -> frozenset[str]:
        return frozenset(t for ids in self._applied(kind).get_column("task_ids").to_list() for t in ids)

    def _applied(self, kind: str) -> pl.DataFrame:
        return self.decisions.filter((pl.col("status") == "applied") & (pl.col("kind") == kind))

    def __repr__(self) -> str:
        assigned = self.assignments.get_column("task_id").is_not_null().sum()
        return f"Tasks({self.tasks.height:,} tasks, {assigned:,} of {self.assignments.height:,} calls assigned)"


@dataclass(frozen=True)
class Verdicts:
    """Tasks and what the evidence says of each.

    :param tasks: The tasks.
    :param verdicts: ``VerdictsTable``; one row a task.
    :param evidence: ``EvidenceTable``.
    :param false_green: The false-green record of the summary (rate, interval, counts), or None where not measured.
    :param assumptions: ``AssumptionsTable``: what the verdicts rest on.
    :param probe_seconds: Process time that the probes of each task took; a resumed run has none.
    """

    tasks: Tasks
    verdicts: pl.DataFrame
    evidence: pl.DataFrame
    false_green: dict[str, object] | None
    assumptions: pl.DataFrame
    probe_seconds: dict[str, float] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        words = self.verdicts.get_column("evidence").value_counts(sort=True).rows()
        return f"Verdicts({', '.join(f'{n} {word}' for word, n in words)})"


def _no_pilots() -> pl.DataFrame:
    from slmlens.tables import PilotPlanTable

    return PilotPlanTable.create_empty()


@dataclass(frozen=True)
class Plan:
    """What to do with each task and what it is worth.

    :param verdicts: The verdicts the plan rests on.
    :param savings: ``SavingsTable``; one row a (task, option).
    :param actions: ``ActionsTable``; one row a task.
    :param assumptions: ``AssumptionsTable``: of the verdicts and of the money.
    :param pilots: ``PilotPlanTable``: which pilot is worth most; empty where no task waits for one.
    :param total: Portfolio figures: ``saving_month_nusd`` (p10, p50, p90) or None, ``one_off_nusd``, ``order`` (task
        ids).
    """

    verdicts: Verdicts
    savings: pl.DataFrame
    actions: pl.DataFrame
    assumptions: pl.DataFrame
    total: dict[str, object] = field(default_factory=dict)
    pilots: pl.DataFrame = field(default_factory=_no_pilots)

    @property
    def tasks(self) -> Tasks:
        """The tasks that the plan is for."""
        return self.verdicts.tasks

    def __repr__(self) -> str:
        words = self.actions.get_column("action").value_counts(sort=True).rows()
        return f"Plan({', '.join(f'{n} {word}' for word, n in words)})"
