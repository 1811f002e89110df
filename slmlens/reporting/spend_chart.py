"""What a log cost, day by day, as a plotly chart for a notebook. It asks for nothing outside."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from slmlens.reporting.accounts import since_step_words
from slmlens.reporting.charts import chart_layout, plain
from slmlens.reporting.money import usd_about, usd_month
from slmlens.reporting.text import counted, shorten
from slmlens.results import Calls
from slmlens.spend.months import Month, estimate_month
from slmlens.tables import NUSD_PER_USD

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#a3abb6")
"""Colours that the colour-blind can tell apart (Okabe and Ito, 2008), the last one grey for the other models."""

_MODELS = len(PALETTE) - 1
_OTHERS = "other models"
_UNNAMED = "(no model named)"


@dataclass(frozen=True)
class Bars:
    """What the chart draws.

    :param frame: ``at`` (a day, or a model where the log has no two days), ``model``, ``amount``.
    :param priced: Amounts are US dollars at today's prices, of the priced calls; False: calls.
    :param by_day: ``at`` is a UTC day.
    :param models: Names by falling amount.
    """

    frame: pl.DataFrame
    priced: bool
    by_day: bool
    models: list[str]


def spend_chart(calls: Calls) -> Figure:
    """Draw what the calls of a log cost at today's prices, day by day and by model, with the month they make.

    A log without prices shows numbers of calls; one without two days with calls shows models.

    :param calls: Priced calls, as :func:`slmlens.stages.read_logs` returns them.
    """
    import plotly.graph_objects as go

    bars = spend_bars(calls)
    month = estimate_month(calls.calls, sampling_rate=calls.sampling_rate)
    figure = go.Figure()
    for model, colour in zip(bars.models, PALETTE, strict=False):
        own = bars.frame.filter(pl.col("model") == model)
        at, amount = own.get_column("at").to_list(), own.get_column("amount").to_list()
        across = {"x": at, "y": amount} if bars.by_day else {"x": amount, "y": [plain(str(name)) for name in at]}
        figure.add_bar(
            **across,
            name=plain(shorten(model, 40)),
            marker={"color": colour, "line": {"width": 0}},
            orientation="v" if bars.by_day else "h",
            hovertext=[_hover(bars, *row) for row in own.select("at", "model", "amount").iter_rows()],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    told = plain(month.reason + since_step_words(month))
    figure.update_layout(
        **chart_layout(month_title(month, calls), f"{plain(_caption(bars, calls))}<br>{told}"),
        barmode="stack",
        showlegend=bars.by_day,
    )
    figure.update_layout(legend={"orientation": "h", "y": -0.2, "traceorder": "normal"}, height=440, bargap=0.25)
    figure.update_layout(margin={"t": 100, "l": 60, "b": 40})
    money: dict[str, object] = {"rangemode": "tozero", "gridcolor": "#e6e9ed", "automargin": True}
    money |= {"tickprefix": "&#36;"} if bars.priced else {}
    figure.update_layout(
        **{"yaxis": money} if bars.by_day else {"xaxis": money, "yaxis": {"autorange": "reversed", "automargin": True}}
    )
    return figure


def spend_bars(calls: Calls) -> Bars:
    """Return the amounts that the chart draws, of calls that carry a time where it draws days.

    They add up to the run-rate of these calls, or to their number where none is priced.
    """
    frame = calls.calls
    priced = frame.get_column("runrate_nusd").count() > 0
    amount = (pl.col("runrate_nusd").fill_null(0) / NUSD_PER_USD) if priced else pl.lit(1)
    named = pl.coalesce("model", "model_requested", pl.lit(_UNNAMED))
    dated = frame.select(pl.col("started_at").dt.date().alias("day"), named.alias("model"), amount.alias("amount"))
    order = dated.group_by("model").agg(pl.col("amount").sum()).sort("amount", "model", descending=[True, False])
    first = order.get_column("model").to_list()[:_MODELS]
    days = dated.get_column("day").drop_nulls().n_unique()
    by_day = days > 1
    dated = dated.with_columns(
        pl.when(pl.col("model").is_in(first)).then("model").otherwise(pl.lit(_OTHERS)).alias("model")
    )
    at = pl.col("day") if by_day else pl.col("model")
    drawn = dated.filter(pl.col("day").is_not_null()) if by_day else dated
    grouped = drawn.group_by(at.alias("at"), "model").agg(pl.col("amount").sum()).sort("at", "model")
    models = [*first, *([_OTHERS] if order.height > _MODELS else [])]
    return Bars(grouped, priced=priced, by_day=by_day, models=models)


def month_title(month: Month, calls: Calls) -> str:
    """Return what a month costs in words, or what the log cost where no month can be stated."""
    if month.mid_nusd is None:
        spent = calls.calls.get_column("runrate_nusd")
        if not spent.count():
            return f"{counted(calls.calls.height, 'call')}, none of them priced"
        return f"{usd_about(int(spent.sum()) / NUSD_PER_USD, 3)} in this log; no month is stated"
    ends = {
        name: None if nusd is None else nusd / NUSD_PER_USD
        for name, nusd in (("low", month.low_nusd), ("mid", month.mid_nusd), ("high", month.high_nusd))
    }
    return f"{usd_month(ends)} a month at this rate"


def _hover(bars: Bars, at: object, model: str, amount: float) -> str:
    worth = f"{usd_about(amount, 3)} at today's prices" if bars.priced else counted(int(amount), "call")
    day = f"<b>{at:%a %d %b %Y}</b><br>" if isinstance(at, dt.date) else ""
    return f"{day}{plain(shorten(model, 60))}: {plain(worth)}"


def _caption(bars: Bars, calls: Calls) -> str:
    what = ("the cost of each day" if bars.by_day else "the cost of each model") if bars.priced else "calls"
    prices = ", at today's prices" if bars.priced else ""
    sampled = "" if calls.sampling_rate >= 1 else f", a {100 * calls.sampling_rate:g} % sample"
    return f"Bars: {what} in this log{sampled}{prices}."
