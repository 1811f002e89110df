"""Add-ons that save money without moving a task: prompt caching and the batch rate. Never a task's action."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from slmlens.results import Tasks
from slmlens.savings.alternatives import batch_costs, cached_costs
from slmlens.savings.assumptions import Assumptions
from slmlens.savings.volumes import Volume, billed
from slmlens.spend.price_book import PriceBook

Lever = dict[str, object]

LOW_CACHED_SHARE = 0.5
WITHOUT_PEOPLE = 0.95
ONE_SHOT_STEPS = 1.5
_WORTH_A_LINE = 0.01
"""A lever that saves under 1 % of a task's cost is left out."""


def task_levers(
    tasks: Tasks,
    volumes: Mapping[str, Volume],
    assumptions: Assumptions,
    *,
    per_month: float | None,
    today: dt.date | None = None,
    book: PriceBook | None = None,
) -> dict[str, list[Lever]]:
    """Return the levers of each task that has any: ``name``, ``saving_month_nusd`` (None: no month), ``note``.

    :param tasks: Tasks over priced calls.
    :param volumes: Their volumes.
    :param per_month: Factor from the log to 30 days; None: no month can be stated.
    :param book: Where prices are from; None: the public lists.
    """
    placed = (
        tasks.calls.calls.filter(billed())
        .join(tasks.assignments.select("call_id", "task_id"), on="call_id")
        .filter(pl.col("task_id").is_not_null())
    )
    found: dict[str, list[Lever]] = {}
    for name, note, saved in (
        ("prompt caching", _CACHING_NOTE, _caching(tasks, placed, assumptions, today, book)),
        ("batch rate", _BATCH_NOTE, _batch(placed, volumes, today, book)),
    ):
        for task_id, nusd, before in saved.sort("task_id").iter_rows():
            if nusd > _WORTH_A_LINE * before:
                open_share = 1 - volumes[task_id].committed_share
                month = None if per_month is None else round(nusd * per_month * open_share)
                found.setdefault(task_id, []).append({"name": name, "saving_month_nusd": month, "note": note})
    return found


_CACHING_NOTE = (
    "the prompt starts with the same long text each time; mark it for the vendor's prompt cache "
    "(a vendor's surcharge for writing to the cache is not counted)"
)
_BATCH_NOTE = "no person waits for the answer; only if it may take up to 24 hours"


def _caching(
    tasks: Tasks, placed: pl.DataFrame, assumptions: Assumptions, today: dt.date | None, book: PriceBook | None
) -> pl.DataFrame:
    """Return ``task_id``, what reading the common first message from the cache saves, and what the calls cost."""
    size = tasks.calls.messages.select(
        pl.col("message_id").alias("first"),
        (pl.col("n_chars") / assumptions.central("chars_per_token")).floor().cast(pl.Int64).alias("prefix_tokens"),
    )
    # Between two calls of a sample lie the calls that it left out.
    seconds = 60 * assumptions.central("prompt_cache_minutes") / tasks.calls.sampling_rate
    calls = (
        placed.with_columns(pl.col("message_ids").list.first().alias("first"))
        .filter(
            pl.col("first").is_not_null() & pl.col("started_at").is_not_null() & pl.col("input_tokens").is_not_null()
        )
        .join(size, on="first")
        .filter(pl.col("prefix_tokens") >= assumptions.central("prompt_cache_min_tokens"))
        .sort("started_at", "call_id")
        .with_columns(
            (pl.col("started_at").diff().over("task_id", "first", "model").dt.total_seconds() <= seconds).alias("_warm")
        )
        .filter(
            pl.col("cached_tokens").fill_null(0).sum().over("task_id")
            < LOW_CACHED_SHARE * pl.col("input_tokens").sum().over("task_id")
        )
    )
    prefix = calls.select(
        "call_id", pl.when("_warm").then("prefix_tokens").otherwise(0).fill_null(0).alias("prefix_tokens")
    )
    costs = cached_costs(calls.drop("prefix_tokens"), prefix, today=today, book=book)
    return _sums(calls, costs, "cached_nusd")


def _batch(
    placed: pl.DataFrame, volumes: Mapping[str, Volume], today: dt.date | None, book: PriceBook | None
) -> pl.DataFrame:
    """Return ``task_id``, what the batch rate saves, and what the calls cost, for tasks that no person waits for."""
    patient = [
        volume.task_id
        for volume in volumes.values()
        if (volume.machine_only or 0.0) >= WITHOUT_PEOPLE and (volume.steps_per_session or 1.0) <= ONE_SHOT_STEPS
    ]
    calls = placed.filter(pl.col("task_id").is_in(patient) & ~pl.col("batch"))
    return _sums(calls, batch_costs(calls, today=today, book=book), "batch_nusd")


def _sums(calls: pl.DataFrame, costs: pl.DataFrame, column: str) -> pl.DataFrame:
    compared = calls.join(costs, on="call_id").filter(pl.col(column).is_not_null())
    saved = (pl.col("runrate_nusd") - pl.col(column)).clip(lower_bound=0).sum()
    return compared.group_by("task_id").agg(saved.alias("saved"), pl.col("runrate_nusd").sum().alias("before"))
