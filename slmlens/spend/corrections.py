"""Prices that the price list has wrong, corrected from a dated file with a source for each row."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources

from slmlens.spend.rate_sheet import RateSheet, dated_price
from slmlens.spend.rates import RATES


@dataclass(frozen=True)
class Correction:
    """One row of ``price_corrections.csv``.

    :param provider: Id of the price list.
    :param model: The model's name at the provider, as its API takes it; other names of the same model are not meant.
    :param since: First day the price holds; None: always has.
    :param until: Last day; None: still does.
    :param above: The price holds for calls with more input tokens than this.
    :param rates: US dollars a million tokens (see :data:`slmlens.spend.rates.RATES`).
    :param batch: Batch price as a share of the standard one; None: as much.
    :param source: Where the price is stated.
    :param checked: Day on which we read it there.
    """

    provider: str
    model: str
    since: dt.date | None
    until: dt.date | None
    above: int
    rates: dict[str, Decimal]
    batch: Decimal | None
    source: str
    checked: dt.date


def read_corrections() -> list[Correction]:
    """Return the corrections that come with slmlens."""
    text = resources.files("slmlens.spend").joinpath("price_corrections.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [_correction(row) for row in csv.DictReader(lines)]


def corrections_sheet() -> RateSheet:
    """Return the corrections as prices by ``provider/model``."""
    rates: dict[str, dict[tuple[dt.date | None, dt.date | None, Decimal | None], dict[int, dict[str, Decimal]]]] = {}
    for row in read_corrections():
        periods = rates.setdefault(f"{row.provider}/{row.model}", {})
        first_token = row.above + 1 if row.above else 0
        periods.setdefault((row.since, row.until, row.batch), {})[first_token] = row.rates
    return RateSheet(
        {
            name: tuple(
                dated_price(tiers, since=since, until=until, batch=batch)
                for (since, until, batch), tiers in periods.items()
            )
            for name, periods in rates.items()
        }
    )


def _correction(row: dict[str, str]) -> Correction:
    return Correction(
        provider=row["provider"],
        model=row["model"],
        since=_day(row["from"]),
        until=_day(row["until"]),
        above=int(row["above"] or 0),
        rates={name: Decimal(row[name]) for name in RATES if row.get(name)},
        batch=Decimal(row["batch"]) if row["batch"] else None,
        source=row["source"],
        checked=dt.date.fromisoformat(row["checked"]),
    )


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
