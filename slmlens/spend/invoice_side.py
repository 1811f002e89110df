"""The log's side of an invoice: what each model cost on each day, and how much of each day the log has seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import pstdev

import polars as pl

from slmlens.spend.days import calendar_days
from slmlens.spend.invoice_models import model_family
from slmlens.spend.ledger import prepaid_nusd
from slmlens.spend.price_book import Named, PriceBook

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Seen:
    """What the log has of a model over a period.

    :param nusd: Cost of the priced calls.
    :param prepaid: Of it, prepaid by a commitment.
    :param priced: Calls with a price.
    :param unpriced: Calls without one.
    :param days: Days of the period.
    :param covered: Of them, days that the log covers, partial ones by their share.
    :param day_sd: Standard deviation of a covered day's cost.
    """

    nusd: int
    prepaid: int
    priced: int
    unpriced: int
    days: int
    covered: float
    day_sd: float


@dataclass(frozen=True)
class OurSpend:
    """Cost by model, provider and day.

    :param by_day: (model, provider) to day to (cost, prepaid, priced calls, unpriced calls).
    :param covered: Share of each day that the log covers.
    """

    by_day: Mapping[tuple[str, str], Mapping[dt.date, tuple[int, int, int, int]]]
    covered: Mapping[dt.date, float]

    @property
    def timed(self) -> bool:
        """Whether any call has a time."""
        return bool(self.covered)

    def models(self) -> list[str]:
        """Return all models, sorted."""
        return sorted({model for model, _ in self.by_day})

    def has(self, model: str) -> bool:
        """Tell whether the log has calls of a model."""
        return any(model == one for one, _ in self.by_day)

    def providers_of(self, model: str) -> set[str]:
        """Return at which providers the log has a model."""
        return {provider for one, provider in self.by_day if one == model}

    def over(self, model: str, provider: str, start: dt.date | None, end: dt.date | None) -> Seen:
        """Return what the log has of a model.

        :param provider: The invoice's; if the log has the model nowhere else than at another, that one counts.
        :param start: First day; None: the log's whole window.
        :param end: Last day.
        """
        at = {provider} & self.providers_of(model) or self.providers_of(model)
        first = start or min(self.covered, default=None)
        last = end or max(self.covered, default=None)
        if first is None or last is None:
            return Seen(0, 0, 0, 0, 0, 0.0, 0.0)
        days = [first + n * _DAY for n in range((last - first).days + 1)]
        zero = (0, 0, 0, 0)
        rows = [self.by_day[model, one].get(day, zero) for one in at for day in days]
        nusd, prepaid, priced, unpriced = (sum(row[n] for row in rows) for n in range(4))
        seen = [day for day in days if day in self.covered]
        costs = [sum(self.by_day[model, one].get(day, zero)[0] for one in at) for day in seen]
        spread = pstdev(costs) if len(costs) > 1 else 0.0
        return Seen(nusd, prepaid, priced, unpriced, len(days), sum(self.covered[day] for day in seen), spread)


def our_spend(calls: pl.DataFrame, book: PriceBook) -> OurSpend:
    """Return what the log's calls cost, calls that a seat plan paid left out.

    :param calls: ``CallsTable``, priced. Calls without a time belong to no day.
    """
    names = calls.select("provider", "model", "model_requested").unique(maintain_order=True)
    placed = [_place(book.named(*row)) for row in names.iter_rows()]
    known = names.with_columns(
        pl.Series("_model", [model for model, _ in placed], pl.String),
        pl.Series("_at", [provider for _, provider in placed], pl.String),
    )
    window = calendar_days(calls, pl.lit(1))
    daily = (
        calls.filter((pl.col("billing") != "seat") & pl.col("started_at").is_not_null())
        .join(known, on=names.columns, how="left", nulls_equal=True)
        .filter(pl.col("_model").is_not_null())
        .group_by("_model", "_at", pl.col("started_at").dt.date().alias("day"))
        .agg(
            pl.col("spend_nusd").sum(),
            prepaid_nusd().sum().alias("prepaid"),
            pl.col("spend_nusd").count().alias("priced"),
            pl.col("spend_nusd").null_count().alias("unpriced"),
        )
    )
    by_day: dict[tuple[str, str], dict[dt.date, tuple[int, int, int, int]]] = {}
    for model, provider, day, *figures in daily.iter_rows():
        nusd, prepaid, priced, unpriced = figures
        by_day.setdefault((model, provider), {})[day] = (nusd, prepaid, priced, unpriced)
    covered = {} if window is None else dict(zip(window.dates, window.covered.tolist(), strict=True))
    return OurSpend(by_day, covered)


def _place(named: Named) -> tuple[str | None, str]:
    main = named.main
    if main is None:
        return None, ""
    if main.listing is None:
        return main.logged, next(iter(named.provider_names), "")
    provider = str(main.listing.provider.id)
    return model_family(provider, str(main.listing.model.id)), provider
