"""What each task costs and how much of it there is: the money side of a task, before any alternative."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from slmlens.results import Tasks
from slmlens.spend.months import Month

_TOOL_SHARE = 0.01


@dataclass(frozen=True)
class Volume:
    """The money side of a task.

    :param task_id: The task.
    :param calls: Calls in the log.
    :param units: Recurrence units: how many independent pieces of work the volume rests on.
    :param billed_calls: Calls that a migration would save money on: priced, and not paid by a seat plan.
    :param priced_calls: Calls with a price, seat plan included.
    :param spend_nusd: Spend of all priced calls at the price of the day.
    :param call_nusd: Mean run-rate cost of a billed call; None: no billed call.
    :param input_tokens: Mean input of those calls (of all calls with counts where none is billed); None: no counts.
    :param cached_tokens: Mean cached input.
    :param output_tokens: Mean visible output: a small model that does not think aloud owes no reasoning tokens.
    :param p99_tokens: 99th percentile of input plus output tokens; None: no counts.
    :param tools: More than 1 % of the calls call a tool.
    :param machine_only: Share of the calls that no person reads; None: not judged.
    :param billed_month: Billed calls in 30 days, re-inflated by the sampling rate; None: no month can be stated.
    :param model: The commonest model.
    :param steps_per_session: Calls of the task in a session; None: no sessions.
    """

    task_id: str
    calls: int
    units: int
    billed_calls: int
    priced_calls: int
    spend_nusd: int
    call_nusd: float | None
    input_tokens: float | None
    cached_tokens: float
    output_tokens: float | None
    p99_tokens: float | None
    tools: bool
    machine_only: float | None
    billed_month: float | None
    model: str | None
    steps_per_session: float | None

    @property
    def seat_only(self) -> bool:
        """Every priced call was paid by a seat plan."""
        return self.priced_calls > 0 and self.billed_calls == 0


def task_volumes(tasks: Tasks, month: Month) -> dict[str, Volume]:
    """Return the volume of every task, by task id.

    :param tasks: Tasks over priced calls.
    :param month: The month estimate of the whole log: all tasks share its window, so they add up to it.
    """
    placed = tasks.calls.calls.join(
        tasks.assignments.filter(pl.col("task_id").is_not_null()).select("call_id", "task_id"), on="call_id"
    )
    sums = placed.group_by("task_id").agg(*_measures()).sort("task_id")
    known = tasks.tasks.select("task_id", "n_units", "steps_per_session")
    rows = known.join(sums, on="task_id", how="left").sort("task_id").iter_rows(named=True)
    return {row["task_id"]: _volume(row, month.per_month) for row in rows}


def billed() -> pl.Expr:
    """Return whether a call's cost would be saved: it has a price and no seat plan paid it."""
    return pl.col("runrate_nusd").is_not_null() & (pl.col("billing") == "metered")


def _measures() -> list[pl.Expr]:
    counted = pl.col("input_tokens").is_not_null() & pl.col("output_tokens").is_not_null()
    # Token means are taken over the calls whose cost is compared; where none has one, over all that have counts.
    compared = counted & (billed() | ~(billed() & counted).any())
    visible = pl.col("output_tokens") - pl.col("reasoning_tokens").fill_null(0)
    return [
        pl.len().alias("calls"),
        billed().sum().alias("billed_calls"),
        (billed() & pl.col("started_at").is_not_null()).sum().alias("billed_timed"),
        pl.col("spend_nusd").count().alias("priced_calls"),
        pl.col("spend_nusd").sum().alias("spend_nusd"),
        pl.col("runrate_nusd").filter(billed()).mean().alias("call_nusd"),
        pl.col("input_tokens").filter(compared).mean().alias("input_tokens"),
        pl.col("cached_tokens").fill_null(0).filter(compared).mean().fill_null(0.0).alias("cached_tokens"),
        visible.filter(compared).mean().alias("output_tokens"),
        (pl.col("input_tokens") + pl.col("output_tokens")).quantile(0.99).alias("p99_tokens"),
        ((pl.col("tool_calls").list.len() > 0).mean() > _TOOL_SHARE).alias("tools"),
        (~pl.col("human_facing")).mean().alias("machine_only"),
        pl.coalesce("model", "model_requested").drop_nulls().mode().sort().first().alias("model"),
    ]


def _volume(row: dict[str, object], per_month: float | None) -> Volume:
    def number(name: str) -> float | None:
        value = row[name]
        return float(value) if isinstance(value, int | float) else None

    return Volume(
        task_id=str(row["task_id"]),
        calls=int(number("calls") or 0),
        units=int(number("n_units") or 0),
        billed_calls=int(number("billed_calls") or 0),
        priced_calls=int(number("priced_calls") or 0),
        spend_nusd=int(number("spend_nusd") or 0),
        call_nusd=number("call_nusd"),
        input_tokens=number("input_tokens"),
        cached_tokens=number("cached_tokens") or 0.0,
        output_tokens=number("output_tokens"),
        p99_tokens=number("p99_tokens"),
        tools=bool(row["tools"]),
        machine_only=number("machine_only"),
        billed_month=None if per_month is None else (number("billed_timed") or 0.0) * per_month,
        model=str(row["model"]) if row["model"] is not None else None,
        steps_per_session=number("steps_per_session"),
    )
