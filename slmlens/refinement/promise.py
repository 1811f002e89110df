"""What slmlens would have promised on the calls before a day, and the same tasks in the calls from that day on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl

from slmlens.results import Calls, Plan, Tasks
from slmlens.savings.assumptions import Overrides
from slmlens.savings.plan import plan
from slmlens.spend.months import Month, estimate_month
from slmlens.spend.price_book import PriceBook
from slmlens.suitability.assess import assess
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.lineage import with_earlier_ids
from slmlens.tasks.taskset import assign_calls

GREEN = ("shown", "likely")


@dataclass(frozen=True)
class SameSettings:
    """What the run was made with, as far as tasks, evidence and money depend on it.

    :param discovery: How its tasks are cut.
    :param overrides: Its changed assumptions.
    :param seed: Its seed.
    :param today: Day of its prices.
    :param book: Its prices; None: the public ones.
    """

    discovery: DiscoverySettings
    overrides: Overrides | None = None
    seed: int = 0
    today: dt.date | None = None
    book: PriceBook | None = None


@dataclass(frozen=True)
class Made:
    """Tasks, evidence, plan and month of one side of a log."""

    plan: Plan
    month: Month

    @property
    def tasks(self) -> Tasks:
        """The tasks of the plan."""
        return self.plan.tasks

    def evidence(self) -> dict[str, str]:
        """Return the evidence word of each task."""
        return dict(self.plan.verdicts.verdicts.select("task_id", "evidence").iter_rows())


def promise(earlier: Calls, settings: SameSettings) -> Made:
    """Return what the main job would have said on these calls alone.

    :param earlier: Priced calls before the day.
    """
    return _made(discover_tasks(earlier, settings=settings.discovery), settings)


def same_tasks_later(made: Made, later: Calls, settings: SameSettings) -> Made:
    """Return the promised tasks as the later calls show them: placed by the saved rule, judged and valued anew.

    A promised task without a later call is left out.
    """
    placed = assign_calls(made.tasks.task_set, later)
    counted = (
        placed.drop_nulls("task_id")
        .join(later.calls.select("call_id", "session_id"), on="call_id")
        .group_by("task_id")
        .agg(
            n_calls=pl.len().cast(pl.Int64),
            n_units=pl.col("unit_id").n_unique().cast(pl.Int64),
            steps_per_session=pl.col("session_id").count() / pl.col("session_id").drop_nulls().n_unique(),
        )
        .with_columns(pl.col("steps_per_session").fill_nan(None))
    )
    names = made.tasks.tasks.columns
    tasks = made.tasks.tasks.drop("n_calls", "n_units", "steps_per_session").join(counted, on="task_id")
    tasks = tasks.with_columns(edited_on=pl.lit(None, pl.Datetime("us", "UTC"))).select(names)
    return _made(Tasks(later, made.tasks.items.clear(), tasks, placed), settings)


def new_tasks_later(made: Made, later: Calls, settings: SameSettings) -> pl.DataFrame:
    """Return ``task_id, name, n_calls, runrate_nusd`` of the later calls' tasks that the promise did not know."""
    found = with_earlier_ids(discover_tasks(later, settings=settings.discovery), made.tasks.task_set)
    lineage = found.lineage if found.lineage is not None else pl.DataFrame({"change": [], "task_id": []})
    new = lineage.filter(pl.col("change") == "new").select("task_id")
    spend = (
        found.assignments.join(later.calls.select("call_id", "runrate_nusd"), on="call_id")
        .group_by("task_id")
        .agg(pl.col("runrate_nusd").sum())
    )
    rows = found.tasks.select("task_id", "name", "n_calls").join(new, on="task_id", how="semi")
    return rows.join(spend, on="task_id", how="left").sort("runrate_nusd", "task_id", descending=[True, False])


def both_sides(made: Made, seen: Made) -> Tasks:
    """Return the promised tasks over the calls of both sides, those of the later one placed by the saved rule."""
    one, two = made.tasks.calls, seen.tasks.calls
    messages = pl.concat([one.messages, two.messages]).unique("message_id", maintain_order=True)
    calls = replace(one, calls=pl.concat([one.calls, two.calls]), messages=messages)
    return replace(
        made.tasks, calls=calls, assignments=pl.concat([made.tasks.assignments, seen.tasks.assignments]), found=None
    )


def _made(tasks: Tasks, settings: SameSettings) -> Made:
    verdicts = assess(tasks, seed=settings.seed)
    made = plan(verdicts, overrides=settings.overrides, seed=settings.seed, today=settings.today, book=settings.book)
    return Made(made, estimate_month(tasks.calls.calls, sampling_rate=tasks.calls.sampling_rate))
