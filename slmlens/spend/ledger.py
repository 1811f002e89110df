"""The ledger in which no cent is lost: what was spent, on what, and what could not be priced."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from slmlens.errors import ContractError
from slmlens.spend.logged import LoggedCheck, compare_logged

_TOKENS = pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0)


@dataclass(frozen=True)
class Ledger:
    """Money and tokens of a log, in integers; imported = tasks + unassigned + excluded.

    :param imported_nusd: Spend of all priced calls, at the price of the day.
    :param tasks_nusd: Of it, in tasks.
    :param unassigned_nusd: Of it, in no task.
    :param excluded_nusd: Of it, set aside by a person.
    :param runrate_nusd: All priced calls at today's prices.
    :param seat_nusd: Of the imported spend, calls a seat plan paid: a list-price equivalent, not an expense.
    :param prepaid_nusd: Of the rest, the share that a commitment has prepaid: a list-price equivalent as well, as long
        as the commitment lasts.
    :param calls: All calls.
    :param priced_calls: Calls with a price.
    :param unpriced_calls: Calls without one; their money is unknown and in no sum.
    :param unpriced_tokens: Input and output tokens of the unpriced calls, where known.
    :param unpriced: Unpriced calls by ``provider``, ``model``, ``why``, with ``calls``, ``tokens`` and ``share`` of all
        calls.
    :param logged: The comparison with the cost that the log carries.
    :param estimated_token_share: Share of all known tokens that were estimated from text; None: no tokens known.
    :param by_task: ``task_id`` (null: unassigned), ``excluded``, ``n_calls``, ``priced_calls``, ``spend_nusd``,
        ``runrate_nusd``, ``seat_nusd``, ``input_tokens``, ``output_tokens``. Sums over no priced call are null.
    :param by_model: ``provider``, ``model``, ``n_calls``, ``priced_calls``, ``spend_nusd``, ``runrate_nusd``, tokens.
    :param by_source: ``source`` (a word of ``tables.PRICE_SOURCES``), ``calls``, ``spend_nusd``; the dearest first.
    """

    imported_nusd: int
    tasks_nusd: int
    unassigned_nusd: int
    excluded_nusd: int
    runrate_nusd: int
    seat_nusd: int
    prepaid_nusd: int
    calls: int
    priced_calls: int
    unpriced_calls: int
    unpriced_tokens: int
    unpriced: pl.DataFrame
    logged: LoggedCheck
    estimated_token_share: float | None
    by_task: pl.DataFrame
    by_model: pl.DataFrame
    by_source: pl.DataFrame

    @property
    def metered_nusd(self) -> int:
        """Imported spend that was billed by use."""
        return self.imported_nusd - self.seat_nusd - self.prepaid_nusd


def build_ledger(calls: pl.DataFrame, assignments: pl.DataFrame, *, excluded: Collection[str] = ()) -> Ledger:
    """Return the ledger of priced calls.

    :param calls: ``CallsTable``, priced.
    :param assignments: ``AssignmentsTable``; exactly one row a call.
    :param excluded: Ids of tasks, or of single calls, that a person set aside.
    :raises ContractError: If calls and assignments don't match one to one, or the money does not add up.
    """
    placed = _placed(calls, assignments, sorted(set(excluded)))
    in_task = pl.col("task_id").is_not_null()
    ledger = Ledger(
        imported_nusd=int(calls.get_column("spend_nusd").sum()),
        tasks_nusd=_spend(placed, in_task & ~pl.col("excluded")),
        unassigned_nusd=_spend(placed, ~in_task & ~pl.col("excluded")),
        excluded_nusd=_spend(placed, pl.col("excluded")),
        runrate_nusd=int(calls.get_column("runrate_nusd").sum()),
        seat_nusd=_spend(placed, pl.col("billing") == "seat"),
        prepaid_nusd=int(calls.select(prepaid_nusd().sum()).item() or 0),
        calls=calls.height,
        priced_calls=calls.get_column("spend_nusd").count(),
        unpriced_calls=calls.get_column("spend_nusd").null_count(),
        unpriced_tokens=int(calls.filter(pl.col("spend_nusd").is_null()).select(_TOKENS.sum()).item() or 0),
        unpriced=_unpriced(calls),
        logged=compare_logged(calls),
        estimated_token_share=_estimated_share(calls),
        by_task=_totals(placed, ["task_id", "excluded"]),
        by_model=_totals(placed, ["provider", "model"]),
        by_source=_by_source(calls),
    )
    parts = ledger.tasks_nusd + ledger.unassigned_nusd + ledger.excluded_nusd
    if parts != ledger.imported_nusd:
        raise ContractError(f"the money does not add up: {ledger.imported_nusd} nano-USD imported, {parts} placed")
    return ledger


def prepaid_nusd() -> pl.Expr:
    """Return, over priced ``CallsTable``, what of a call's spend a commitment has prepaid; 0 where none covers it.

    A call that a seat plan paid is not counted: it is prepaid already.
    """
    share = pl.when(pl.col("billing") == "seat").then(0.0).otherwise(pl.col("committed_share").fill_null(0.0))
    return (pl.col("spend_nusd") * share).round().cast(pl.Int64).fill_null(0)


def _by_source(calls: pl.DataFrame) -> pl.DataFrame:
    return (
        calls.filter(pl.col("price_source").is_not_null())
        .group_by(pl.col("price_source").alias("source"))
        .agg(pl.len().cast(pl.Int64).alias("calls"), pl.col("spend_nusd").sum())
        .sort("spend_nusd", "source", descending=[True, False])
    )


def _placed(calls: pl.DataFrame, assignments: pl.DataFrame, excluded: list[str]) -> pl.DataFrame:
    where = assignments.select("call_id", "task_id")
    placed = calls.join(where, on="call_id", how="inner")
    if not placed.height == calls.height == assignments.height:
        raise ContractError(
            f"{calls.height:,} calls and {assignments.height:,} assignments share {placed.height:,} rows",
            where="ledger",
        )
    aside = pl.col("task_id").is_in(excluded).fill_null(value=False) | pl.col("call_id").is_in(excluded)
    return placed.with_columns(aside.alias("excluded"))


def _spend(placed: pl.DataFrame, where: pl.Expr) -> int:
    return int(placed.filter(where).get_column("spend_nusd").sum())


def _unpriced(calls: pl.DataFrame) -> pl.DataFrame:
    model = pl.coalesce("model", "model_requested")
    no_counts = pl.col("input_tokens").is_null() | pl.col("output_tokens").is_null()
    sound = pl.col("input_tokens") >= pl.col("cached_tokens").fill_null(0) + pl.col("cache_write_tokens").fill_null(0)
    why = (
        pl.when(model.is_null())
        .then(pl.lit("no model in the log"))
        .when(no_counts)
        .then(pl.lit("no token counts"))
        .when(~sound | (pl.col("reasoning_tokens") > pl.col("output_tokens")))
        .then(pl.lit("token counts contradict each other"))
        .otherwise(pl.lit("no listed price"))
    )
    return (
        calls.filter(pl.col("spend_nusd").is_null())
        .group_by("provider", model.alias("model"), why.alias("why"))
        .agg(pl.len().cast(pl.Int64).alias("calls"), _TOKENS.sum().alias("tokens"))
        .with_columns((pl.col("calls") / max(calls.height, 1)).alias("share"))
        .sort(["calls", "provider", "model", "why"], descending=[True, False, False, False], nulls_last=True)
    )


def _estimated_share(calls: pl.DataFrame) -> float | None:
    total, estimated = calls.select(
        _TOKENS.sum().alias("total"), _TOKENS.filter(pl.col("tokens_estimated")).sum().alias("estimated")
    ).row(0)
    return estimated / total if total else None


def _totals(placed: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    known = pl.col("spend_nusd").count() > 0
    return (
        placed.group_by(by)
        .agg(
            pl.len().cast(pl.Int64).alias("n_calls"),
            pl.col("spend_nusd").count().cast(pl.Int64).alias("priced_calls"),
            pl.when(known).then(pl.col("spend_nusd").sum()).alias("spend_nusd"),
            pl.when(known).then(pl.col("runrate_nusd").sum()).alias("runrate_nusd"),
            pl.col("spend_nusd").filter(pl.col("billing") == "seat").sum().alias("seat_nusd"),
            pl.col("input_tokens").sum(),
            pl.col("output_tokens").sum(),
        )
        .sort(["spend_nusd", *by], descending=[True, *[False] * len(by)], nulls_last=True)
    )
