"""A review of tasks by a person: gestures on selected tasks, each kept as a decision at once and undone by another.

No widget is in here: a panel or a notebook cell calls these methods and shows what they return.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from slmlens.errors import SettingError
from slmlens.results import Tasks
from slmlens.tasks import gestures
from slmlens.tasks.decisions import FILE, Decision, append, load, with_id
from slmlens.tasks.replay import Replayed, replay
from slmlens.tasks.vectors import Store


class Folder(Store, Protocol):
    """What of a run a review needs (:class:`slmlens.run.Run` is one)."""

    def reopen(self, stage: str) -> None:
        """Mark a stage and those after it as not done."""


@dataclass(frozen=True)
class Figures:
    """The state of a review in a few figures.

    :param tasks: Tasks, without those set aside.
    :param set_aside: Tasks set aside.
    :param calls: Calls in tasks, those set aside included.
    :param unassigned_calls: Calls in no task.
    :param tasks_nusd: Spend in tasks that are not set aside, over priced calls.
    :param unassigned_nusd: Spend in no task.
    :param excluded_nusd: Spend of the tasks set aside.
    :param stability: Mean stability of the tasks where it was measured, weighted by calls; None: nowhere measured.
    :param stability_share: Share of the calls in tasks that this mean is over: by hand changed tasks have none.
    """

    tasks: int
    set_aside: int
    calls: int
    unassigned_calls: int
    tasks_nusd: int
    unassigned_nusd: int
    excluded_nusd: int
    stability: float | None
    stability_share: float


@dataclass(frozen=True)
class Change:
    """What a gesture did.

    :param before: The figures before it.
    :param after: The figures after it.
    :param decision: The decision that was kept; None for a recut.
    :param said: The decision in words, and what to know of it.
    :param task_ids: Tasks that it shaped.
    :param stale: Ids of decisions that hold no longer because of it.
    """

    before: Figures
    after: Figures
    decision: Decision | None
    said: str
    task_ids: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


class ReviewSession:
    """Tasks under review. Every gesture is written to the run's ``decisions.yaml`` before it returns.

    A gesture that does not apply raises and leaves nothing behind. Decisions that somebody else has written meanwhile
    are taken up with the next gesture.

    :param tasks: Tasks, as ``discover_tasks`` returns them.
    :param run: The run they belong to; None keeps the decisions in memory only.
    :param author: Who reviews; None: the name of the account.
    :raises InputError: If ``decisions.yaml`` holds an entry that can't be read.
    """

    def __init__(self, tasks: Tasks, run: Folder | None = None, *, author: str | None = None) -> None:
        self._found = tasks.found or tasks
        self._run = run
        self.author = _account() if author is None else author
        self._trial = False
        self._memory: list[Decision] = []
        self._selected: tuple[str, ...] = ()
        self._seen = self._decisions()
        self._now = replay(self._found, self._seen)

    @property
    def tasks(self) -> Tasks:
        """The tasks as they are now."""
        return self._now.tasks

    @property
    def selected(self) -> tuple[str, ...]:
        """Ids of the selected tasks."""
        return self._selected

    @property
    def decisions(self) -> pl.DataFrame:
        """``DecisionsTable``: every decision and what became of it."""
        return self._now.status

    @property
    def figures(self) -> Figures:
        """The figures as they are now."""
        return figures_of(self.tasks)

    def table(self) -> pl.DataFrame:
        """Return the tasks by spend.

        :returns: ``task_id, name, application, call_site, n_calls, n_units, spend_nusd`` (null: no call priced),
            ``stability`` (null: not measured), ``set_aside``, ``asked`` (action a person asked for, or null),
            ``selected``; unassigned calls are no row.
        """
        spend = (
            _spend(self.tasks)
            .group_by("task_id")
            .agg(spend_nusd=pl.when(pl.col("spend_nusd").count() > 0).then(pl.col("spend_nusd").sum()))
        )
        asked = self.tasks.asked
        task_id = pl.col("task_id")
        return (
            self.tasks.tasks.select("task_id", "name", "application", "call_site", "n_calls", "n_units", "stability")
            .join(spend, on="task_id", how="left")
            .with_columns(
                set_aside=task_id.is_in(list(self.tasks.set_aside)),
                asked=task_id.replace_strict(asked, default=None, return_dtype=pl.String),
                selected=task_id.is_in(list(self._selected)),
            )
            .sort("spend_nusd", "n_calls", "task_id", descending=[True, True, False], nulls_last=True)
        )

    def select(self, *task_ids: str) -> None:
        """Select tasks for the next gesture.

        :raises SettingError: If there is no such task.
        """
        for task_id in task_ids:
            if task_id not in self._now.targets:
                raise SettingError("there is no such task", where=task_id, next_step="take ids of the table of tasks")
        self._selected = tuple(dict.fromkeys(task_ids))

    def rename(self, name: str, *, reason: str = "") -> Change:
        """Give the selected task a name."""
        task_id = self._one()
        return self._keep(lambda now: gestures.rename(now, task_id, name, reason=reason, author=self.author))

    def merge(self, *, name: str | None = None, reason: str = "") -> Change:
        """Make one task of the selected ones."""
        chosen = self._selected
        return self._keep(lambda now: gestures.merge(now, chosen, name=name, reason=reason, author=self.author))

    def split(
        self, *, phrase: str | None = None, step: str | None = None, tool: str | None = None, reason: str = ""
    ) -> Change:
        """Split the selected task by words in the slots of its prompts, a declared step, or a tool on offer."""
        task_id = self._one()
        return self._keep(
            lambda now: gestures.split(
                now, task_id, phrase=phrase, step=step, tool=tool, reason=reason, author=self.author
            )
        )

    def move(self, call_ids: Sequence[str], *, reason: str = "") -> Change:
        """Move calls, and all calls with the same prompts, into the selected task."""
        task_id = self._one()
        return self._keep(lambda now: gestures.move(now, call_ids, task_id, reason=reason, author=self.author))

    def set_aside(self, *, reason: str = "") -> Change:
        """Leave the selected task out of the plan; its money is excluded, not lost."""
        task_id = self._one()
        return self._keep(lambda now: gestures.set_aside(now, task_id, reason=reason, author=self.author))

    def override(self, action: str, *, reason: str) -> Change:
        """Ask for another action for the selected task than the evidence does."""
        task_id = self._one()
        return self._keep(lambda now: gestures.override(now, task_id, action, reason=reason, author=self.author))

    def undo(self, decision_id: str | None = None, *, reason: str = "") -> Change:
        """Take a decision back: the one named, else the last that still stands (an undo is never taken for it).

        :raises SettingError: If there is nothing to take back.
        """
        if decision_id is None:
            standing = self._now.status.filter((pl.col("status") != "undone") & (pl.col("kind") != "undo"))
            if standing.is_empty():
                raise SettingError("there is nothing to undo", where="review", next_step="decide something first")
            decision_id = standing.item(-1, "decision_id")
        chosen = str(decision_id)
        return self._keep(lambda now: gestures.undo(now, chosen, reason=reason, author=self.author))

    @property
    def on_trial(self) -> bool:
        """The tasks are a cut that is only tried: nothing can be decided on it."""
        return self._trial

    def recut(self, found: Tasks, *, trial: bool = False) -> Change:
        """Take other tasks of the same log, found with other settings, and replay all decisions over them.

        Nothing is written: settings of discovery are no decision.

        :param trial: The run will not be cut so; until the next recut, gestures are refused, since they would be about
            tasks that its report does not have.
        """
        self._trial = trial
        before, was = self.figures, self._now
        self._found = found.found or found
        self._seen = self._decisions()
        self._now = replay(self._found, self._seen)
        self._selected = tuple(task_id for task_id in self._selected if task_id in self._now.targets)
        gone = _no_longer(was, self._now)
        return Change(before, self.figures, None, "The tasks were found anew.", stale=gone)

    def _one(self) -> str:
        if len(self._selected) != 1:
            raise SettingError(
                f"{len(self._selected)} tasks are selected", where="review", next_step="select one task for this"
            )
        return self._selected[0]

    def _keep(self, gesture: Callable[[Replayed], Decision]) -> Change:
        """Try a decision on the tasks as they are, and keep it only if it applies."""
        if self._trial:
            raise SettingError(
                "this cut is only tried", where="review", next_step="keep it or go back to the other, then decide"
            )
        decisions = self._decisions()
        was = self._now if decisions == self._seen else replay(self._found, decisions)
        decision = with_id(gesture(was), {d.id for d in decisions})
        now = replay(self._found, [*decisions, decision])
        row = now.status.row(-1, named=True)
        if row["status"] != "applied":
            raise SettingError(
                f"the decision does not apply: {row['what']}", where=decision.kind, next_step=row["next_step"] or ""
            )
        if self._run is None:
            self._memory.append(decision)
        else:
            append(self._run.path(FILE), decision)
            self._run.reopen("tasks")
        self._now, self._seen = now, [*decisions, decision]
        self._selected = tuple(t for t in self._selected if t in now.targets) or tuple(row["task_ids"][:1])
        said = f"{decision.kind.replace('_', ' ')} {row['what']}" + (
            f". {row['next_step']}" if row["next_step"] else ""
        )
        return Change(
            before=figures_of(was.tasks),
            after=figures_of(now.tasks),
            decision=decision,
            said=said,
            task_ids=tuple(row["task_ids"]),
            stale=_no_longer(was, now),
        )

    def _decisions(self) -> list[Decision]:
        return list(self._memory) if self._run is None else load(self._run.path(FILE))


def figures_of(tasks: Tasks) -> Figures:
    """Return the figures of tasks."""
    aside, rows = list(tasks.set_aside), _spend(tasks)
    task_id, spend = pl.col("task_id"), pl.col("spend_nusd").sum()
    is_aside = task_id.is_in(aside)
    money: dict[str, Any] = rows.select(
        tasks=_spend_where(task_id.is_not_null() & ~is_aside),
        unassigned=_spend_where(task_id.is_null()),
        excluded=_spend_where(task_id.is_not_null() & is_aside),
        everything=spend,
    ).row(0, named=True)
    assert money["tasks"] + money["unassigned"] + money["excluded"] == money["everything"]
    measured = tasks.tasks.filter(pl.col("stability").is_not_null())
    calls, covered = int(tasks.tasks.get_column("n_calls").sum()), int(measured.get_column("n_calls").sum())
    weighted = measured.select((pl.col("stability") * pl.col("n_calls")).sum()).item()
    return Figures(
        tasks=tasks.tasks.height - len(aside),
        set_aside=len(aside),
        calls=calls,
        unassigned_calls=tasks.assignments.get_column("task_id").null_count(),
        tasks_nusd=int(money["tasks"]),
        unassigned_nusd=int(money["unassigned"]),
        excluded_nusd=int(money["excluded"]),
        stability=weighted / covered if covered else None,
        stability_share=covered / calls if calls else 0.0,
    )


def _spend_where(condition: pl.Expr) -> pl.Expr:
    return pl.col("spend_nusd").filter(condition).sum()


def _spend(tasks: Tasks) -> pl.DataFrame:
    return tasks.assignments.select("call_id", "task_id").join(
        tasks.calls.calls.select("call_id", "spend_nusd"), on="call_id", how="left"
    )


def _no_longer(was: Replayed, now: Replayed) -> tuple[str, ...]:
    """Return the decisions that held before and do not any more, those undone left out."""
    before = set(_with(was.status, ["applied"]))
    return tuple(d for d in _with(now.status, ["stale", "conflicting"]) if d in before)


def _with(status: pl.DataFrame, words: Iterable[str]) -> list[str]:
    return status.filter(pl.col("status").is_in(list(words))).get_column("decision_id").to_list()


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
