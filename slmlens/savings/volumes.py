"""What each task costs and how much of it there is: the money side of a task, before any alternative."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from slmlens.results import Tasks
from slmlens.spend.months import MONTH_DAYS, Month
from slmlens.spend.price import price_calls
from slmlens.spend.price_book import PriceBook

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
    :param commitments: (months until it ends, share of the billed run-rate under it) of each commitment.
    :param cache_read_share: Share of the billed calls that read input from the vendor's prompt cache.
    :param cache_saves_nusd: What such a read saves a call that makes one, against fresh input, in nano-USD.
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
    commitments: tuple[tuple[float, float], ...] = ()
    cache_read_share: float = 0.0
    cache_saves_nusd: float = 0.0

    @property
    def committed_share(self) -> float:
        """Share of the billed run-rate that a commitment covers today: moving it saves nothing until that ends."""
        return sum(share for months, share in self.commitments if months > 0)

    @property
    def committed_months(self) -> float:
        """Months until the last commitment ends; 0: there is none."""
        return max((months for months, _ in self.commitments), default=0.0)

    def open_share(self, months: int) -> np.ndarray | None:
        """Return the share of the calls that no commitment covers in each of the next months; None: no commitment."""
        if self.committed_share <= 0:
            return None
        covered = [share * np.clip(end - np.arange(months), 0, 1) for end, share in self.commitments]
        left: np.ndarray = np.clip(1 - np.sum(covered, axis=0), 0.0, 1.0)
        return left

    @property
    def seat_only(self) -> bool:
        """Every priced call was paid by a seat plan."""
        return self.priced_calls > 0 and self.billed_calls == 0


def task_volumes(
    tasks: Tasks, month: Month, *, today: dt.date | None = None, book: PriceBook | None = None
) -> dict[str, Volume]:
    """Return the volume of every task, by task id.

    :param tasks: Tasks over priced calls.
    :param month: The month estimate of the whole log: all tasks share its window, so they add up to it.
    :param today: Day from which commitments count, and of the prices; default: today.
    :param book: Where prices are from; None: the public lists.
    """
    placed = tasks.calls.calls.join(
        tasks.assignments.filter(pl.col("task_id").is_not_null()).select("call_id", "task_id"), on="call_id"
    )
    sums = placed.group_by("task_id").agg(*_measures()).sort("task_id")
    known = tasks.tasks.select("task_id", "n_units", "steps_per_session")
    rows = known.join(sums, on="task_id", how="left").sort("task_id").iter_rows(named=True)
    billed_calls = placed.filter(billed())
    prepaid = _commitments(billed_calls, today or dt.datetime.now(dt.UTC).date())
    cache_saves = _cache_saves(billed_calls, today, book)
    return {
        row["task_id"]: replace(
            _volume(row, month.per_month),
            commitments=prepaid.get(row["task_id"], ()),
            cache_saves_nusd=cache_saves.get(row["task_id"], 0.0),
        )
        for row in rows
    }


def billed() -> pl.Expr:
    """Return whether a call's cost would be saved: it has a price and no seat plan paid it."""
    return pl.col("runrate_nusd").is_not_null() & (pl.col("billing") == "metered")


def _commitments(calls: pl.DataFrame, today: dt.date) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the commitments of each task that has any still running."""
    share = (pl.col("runrate_nusd") * pl.col("committed_share")).sum() / pl.col("whole").first()
    rows = (
        calls.with_columns(whole=pl.col("runrate_nusd").sum().over("task_id"))
        .filter((pl.col("committed_until") >= today) & (pl.col("committed_share") > 0) & (pl.col("whole") > 0))
        .group_by("task_id", "committed_until")
        .agg(share.alias("share"))
        .sort("task_id", "committed_until")
    )
    found: dict[str, tuple[tuple[float, float], ...]] = {}
    for task_id, until, covered in rows.iter_rows():
        months = ((until - today).days + 1) / MONTH_DAYS
        found[task_id] = (*found.get(task_id, ()), (months, covered))
    return found


def _cache_saves(calls: pl.DataFrame, today: dt.date | None, book: PriceBook | None) -> dict[str, float]:
    """Return by task what reading from the prompt cache saves a call that does, at the mean call of each model."""
    tokens = ["input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"]
    kinds = ["task_id", "provider", "model", "model_requested"]
    read = calls.filter(pl.col("cached_tokens") > 0).sort("call_id")
    usual = read.group_by(kinds, maintain_order=True).agg(
        pl.len().alias("_n"),
        *[pl.col(name).mean().round().cast(pl.Int64) for name in tokens],
        pl.all().exclude(*kinds, *tokens).first(),
    )
    fresh = usual.with_columns(cached_tokens=pl.lit(0, pl.Int64))
    both = [price_calls(frame, today=today, book=book).get_column("runrate_nusd") for frame in (usual, fresh)]
    saved = usual.select("task_id", "_n").with_columns(_saved=both[1] - both[0]).drop_nulls()
    summed = saved.group_by("task_id").agg((pl.col("_saved") * pl.col("_n")).sum() / pl.col("_n").sum())
    return dict(summed.iter_rows())


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
        (pl.col("cached_tokens").fill_null(0) > 0).filter(billed()).mean().fill_null(0.0).alias("cache_read_share"),
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
        cache_read_share=number("cache_read_share") or 0.0,
    )
