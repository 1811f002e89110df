"""What the same calls would cost at the vendor's own smaller model, at the batch rate, or with the prompt cached."""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib import resources

import polars as pl

from slmlens.spend.price import price_calls
from slmlens.spend.price_book import Named, PriceBook, open_book
from slmlens.tables import AssumptionsTable, checked

_FIRST_PARTY = frozenset({"openai", "azure", "anthropic", "google", "mistral"})


@cache
def smaller_models() -> dict[str, str]:
    """Return the next smaller model of the same vendor, by the ids of the price list (``smaller_models.csv``)."""
    rows = _rows().select("model", "smaller")
    return dict(rows.iter_rows())


def smaller_model_costs(calls: pl.DataFrame, *, today: dt.date | None, book: PriceBook | None = None) -> pl.DataFrame:
    """Return ``call_id, smaller, smaller_nusd``: each call at its vendor's next smaller model, at today's price.

    Calls whose model has none, or that have no price, are left out. The same tokens are assumed.

    :param calls: ``CallsTable``, priced.
    :param book: Where prices are from; None: the public lists. Calls keep the book they were priced with.
    """
    book = book or open_book()
    names = calls.select("provider", "model", "model_requested").unique(maintain_order=True)
    found = [_smaller(book.named(*row)) for row in names.iter_rows()]
    table = names.with_columns(
        pl.Series("_provider", [f[0] if f else None for f in found], pl.String),
        pl.Series("smaller", [f[1] if f else None for f in found], pl.String),
    )
    moved = (
        calls.join(table, on=names.columns, how="left", nulls_equal=True, maintain_order="left")
        .filter(pl.col("smaller").is_not_null() & pl.col("runrate_nusd").is_not_null())
        .with_columns(provider=pl.col("_provider"), model=pl.col("smaller"), model_requested=pl.lit(None, pl.String))
    )
    return price_calls(moved, today=today, book=book).select("call_id", "smaller", smaller_nusd="runrate_nusd")


def batch_costs(calls: pl.DataFrame, *, today: dt.date | None, book: PriceBook | None = None) -> pl.DataFrame:
    """Return ``call_id, batch_nusd``: each call at its vendor's batch rate, at today's price; null where unpriced."""
    priced = price_calls(calls.with_columns(batch=pl.lit(value=True)), today=today, book=book)
    return priced.select("call_id", batch_nusd="runrate_nusd")


def cached_costs(
    calls: pl.DataFrame, prefix: pl.DataFrame, *, today: dt.date | None, book: PriceBook | None = None
) -> pl.DataFrame:
    """Return ``call_id, cached_nusd``: each call with its repeated prefix read from the vendor's prompt cache.

    :param prefix: ``call_id, prefix_tokens``: tokens of the prefix that a call could read from the cache.
    """
    could = pl.min_horizontal("prefix_tokens", pl.col("input_tokens") - pl.col("cache_write_tokens").fill_null(0))
    moved = calls.join(prefix, on="call_id").with_columns(
        cached_tokens=pl.max_horizontal(pl.col("cached_tokens").fill_null(0), could).cast(pl.Int64)
    )
    return price_calls(moved, today=today, book=book).select("call_id", cached_nusd="runrate_nusd")


def smaller_model_assumption() -> pl.DataFrame:
    """Return the mapping as a row of ``AssumptionsTable``."""
    row = {
        "name": "vendor_smaller_model",
        "value": "; ".join(f"{large} -> {small}" for large, small in smaller_models().items()),
        "unit": "model of the same vendor",
        "source": "slmlens/savings/smaller_models.csv, each row with its source",
        "date": str(_rows().get_column("date").max()),
        "kind": "judgement",
    }
    return checked(AssumptionsTable, pl.DataFrame([row]))


@cache
def _rows() -> pl.DataFrame:
    text = resources.files("slmlens.savings").joinpath("smaller_models.csv").read_bytes()
    return pl.read_csv(text).sort("model")


def _smaller(named: Named) -> tuple[str, str] | None:
    listing = None if named.main is None else named.main.listing
    if listing is None or listing.provider.id not in _FIRST_PARTY or listing.model.id not in smaller_models():
        return None
    return str(listing.provider.id), smaller_models()[listing.model.id]
