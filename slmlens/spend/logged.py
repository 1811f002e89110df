"""Compare what a tool logged with what we compute, call by call, and say where the difference comes from."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from slmlens.tables import NUSD_PER_USD

_NEAR = 0.01
"""Two costs within 1 % are the same: tools round to a cent or to six decimals."""

_ROUNDING_NUSD = 1_000
"""Tools that log six decimals of a dollar can't be closer than this."""

_STEADY = 0.9
"""Another price explains a model's difference if so many of its calls stand in the same ratio."""

_ESTIMATED, _ASSUMED, _UNEXPLAINED = "estimated tokens", "assumed model", "unexplained"


@dataclass(frozen=True)
class LoggedCheck:
    """Logged against computed cost.

    :param logged_nusd: Sum of the logged costs; None: no call logged one.
    :param computed_nusd: Our sum over the calls that have both; None: there are none.
    :param compared_nusd: The logged sum over the calls that have both.
    :param calls: Number of calls with both.
    :param agrees: False if more than 1 % of the compared cost differs without an explanation; None: nothing to compare.
    :param reason: The difference and where it comes from, as a sentence.
    """

    logged_nusd: int | None
    computed_nusd: int | None
    compared_nusd: int | None
    calls: int
    agrees: bool | None
    reason: str


def compare_logged(calls: pl.DataFrame) -> LoggedCheck:
    """Return the check of ``logged_nusd`` against ``spend_nusd``.

    :param calls: ``CallsTable``, priced.
    """
    logged = calls.filter(pl.col("logged_nusd").is_not_null())
    if logged.is_empty():
        return LoggedCheck(None, None, None, 0, None, "The log carries no cost to compare with.")
    total = int(logged.get_column("logged_nusd").sum())
    both = logged.filter(pl.col("spend_nusd").is_not_null())
    if both.is_empty():
        reason = f"{logged.height:,} calls logged a cost ({_usd(total)}), none of which could be priced."
        return LoggedCheck(total, None, None, 0, None, reason)
    causes = _causes(both)
    compared, computed = int(both.get_column("logged_nusd").sum()), int(both.get_column("spend_nusd").sum())
    open_nusd = sum(abs(gap) for cause, _, gap in causes if cause == _UNEXPLAINED)
    agrees = open_nusd <= max(_NEAR * compared, _ROUNDING_NUSD * both.height)
    reason = _sentence(calls.height, both.height, compared, computed, causes)
    if logged.height > both.height:
        reason += f" {logged.height - both.height:,} more calls logged a cost and could not be priced."
    return LoggedCheck(total, computed, compared, both.height, agrees, reason)


def _causes(both: pl.DataFrame) -> list[tuple[str, int, int]]:
    """Return (cause, calls, computed minus logged) of the calls that differ, dearest first.

    Unexplained gaps are added up without their sign, so that two errors can't cancel.
    """
    gap = pl.col("spend_nusd") - pl.col("logged_nusd")
    near = gap.abs() <= pl.max_horizontal(pl.col("logged_nusd").abs() * _NEAR, pl.lit(_ROUNDING_NUSD))
    ratio = pl.col("logged_nusd") / pl.col("spend_nusd")
    middle = ratio.median().over("model")
    steady = ((ratio / middle - 1).abs() <= _NEAR).mean().over("model") >= _STEADY
    other = pl.format("another price for {} ({} of ours)", pl.col("model").fill_null("unnamed calls"), middle.round(2))
    cause = (
        pl.when("tokens_estimated")
        .then(pl.lit(_ESTIMATED))
        .when("model_assumed")
        .then(pl.lit(_ASSUMED))
        .when((pl.len().over("model") > 1) & (pl.col("spend_nusd") > 0) & (middle > 0) & steady)
        .then(other)
        .otherwise(pl.lit(_UNEXPLAINED))
    )
    told = both.with_columns(gap.alias("_gap"), near.alias("_near"), cause.alias("_cause")).filter(~pl.col("_near"))
    value = pl.when(pl.col("_cause") == _UNEXPLAINED).then(pl.col("_gap").abs()).otherwise(pl.col("_gap"))
    sums = told.group_by("_cause").agg(pl.len().alias("n"), value.sum().alias("gap"))
    return sorted(sums.iter_rows(), key=lambda row: (-abs(row[2]), row[0]))


def _sentence(n_calls: int, n_both: int, compared: int, computed: int, causes: list[tuple[str, int, int]]) -> str:
    scope = "Every call" if n_both == n_calls else f"{n_both:,} of {n_calls:,} calls"
    head = f"{scope} logged a cost: {_usd(compared)} against our {_usd(computed)}"
    if not causes:
        return f"{head}, equal within 1 % call by call."
    parts = [f"{cause} ({n:,} calls, {_usd(abs(gap))})" for cause, n, gap in causes]
    return f"{head}. The difference comes from {'; '.join(parts)}."


def _usd(nusd: int) -> str:
    return f"${nusd / NUSD_PER_USD:,.2f}" if abs(nusd) >= NUSD_PER_USD else f"${nusd / NUSD_PER_USD:.6f}"
