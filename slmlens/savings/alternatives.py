"""What the same calls would cost at the vendor's own smaller model, at the batch rate, or with the prompt cached."""

from __future__ import annotations

import datetime as dt

import polars as pl

from slmlens.spend.price import listed_model, price_calls
from slmlens.tables import AssumptionsTable, checked

SMALLER_MODEL = {
    "claude-3-5-sonnet": "claude-haiku-4-5",
    "claude-3-7-sonnet-latest": "claude-haiku-4-5",
    "claude-opus-4-0": "claude-sonnet-4-5",
    "claude-opus-4-1": "claude-sonnet-4-5",
    "claude-opus-4-5": "claude-sonnet-4-5",
    "claude-sonnet-4-0": "claude-haiku-4-5",
    "claude-sonnet-4-5": "claude-haiku-4-5",
    "gemini-2.5-flash": "gemini-2.5-flash-lite",
    "gemini-2.5-pro": "gemini-2.5-flash",
    "gpt-4": "gpt-4.1-mini",
    "gpt-4-turbo": "gpt-4.1-mini",
    "gpt-4.1": "gpt-4.1-mini",
    "gpt-4.1-mini": "gpt-4.1-nano",
    "gpt-4o": "gpt-4o-mini",
    "gpt-5": "gpt-5-mini",
    "gpt-5-mini": "gpt-5-nano",
    "gpt-5.1": "gpt-5-mini",
    "gpt-5.2": "gpt-5-mini",
    "gpt-5.4": "gpt-5.4-mini",
    "mistral-large": "mistral-small-latest",
    "o1": "o4-mini",
    "o3": "o4-mini",
}
"""The next smaller model of the same vendor, by the ids of the price list."""

_FIRST_PARTY = frozenset({"openai", "azure", "anthropic", "google", "mistral"})


def smaller_model_costs(calls: pl.DataFrame, *, today: dt.date | None) -> pl.DataFrame:
    """Return ``call_id, smaller, smaller_nusd``: each call at its vendor's next smaller model, at today's price.

    Calls whose model has none, or that have no price, are left out. The same tokens are assumed.

    :param calls: ``CallsTable``, priced.
    """
    names = calls.select("provider", "model", "model_requested").unique(maintain_order=True)
    found = [_smaller(*row) for row in names.iter_rows()]
    table = names.with_columns(
        pl.Series("_provider", [f[0] if f else None for f in found], pl.String),
        pl.Series("smaller", [f[1] if f else None for f in found], pl.String),
    )
    moved = (
        calls.join(table, on=names.columns, how="left", nulls_equal=True, maintain_order="left")
        .filter(pl.col("smaller").is_not_null() & pl.col("runrate_nusd").is_not_null())
        .with_columns(provider=pl.col("_provider"), model=pl.col("smaller"), model_requested=pl.lit(None, pl.String))
    )
    return price_calls(moved, today=today).select("call_id", "smaller", smaller_nusd="runrate_nusd")


def batch_costs(calls: pl.DataFrame, *, today: dt.date | None) -> pl.DataFrame:
    """Return ``call_id, batch_nusd``: each call at its vendor's batch rate, at today's price; null where unpriced."""
    priced = price_calls(calls.with_columns(batch=pl.lit(value=True)), today=today)
    return priced.select("call_id", batch_nusd="runrate_nusd")


def cached_costs(calls: pl.DataFrame, prefix: pl.DataFrame, *, today: dt.date | None) -> pl.DataFrame:
    """Return ``call_id, cached_nusd``: each call with its repeated prefix read from the vendor's prompt cache.

    :param prefix: ``call_id, prefix_tokens``: tokens of the prefix that a call could read from the cache.
    """
    could = pl.min_horizontal("prefix_tokens", pl.col("input_tokens") - pl.col("cache_write_tokens").fill_null(0))
    moved = calls.join(prefix, on="call_id").with_columns(
        cached_tokens=pl.max_horizontal(pl.col("cached_tokens").fill_null(0), could).cast(pl.Int64)
    )
    return price_calls(moved, today=today).select("call_id", cached_nusd="runrate_nusd")


def smaller_model_assumption() -> pl.DataFrame:
    """Return the mapping as a row of ``AssumptionsTable``."""
    row = {
        "name": "vendor_smaller_model",
        "value": "; ".join(f"{large} -> {small}" for large, small in SMALLER_MODEL.items()),
        "unit": "model of the same vendor",
        "source": "slmlens default; prices of genai-prices",
        "date": "2026-11-22",
        "kind": "judgement",
    }
    return checked(AssumptionsTable, pl.DataFrame([row]))


def _smaller(provider: str | None, model: str | None, requested: str | None) -> tuple[str, str] | None:
    listed = listed_model(provider, model) or listed_model(provider, requested)
    if listed is None or listed[0] not in _FIRST_PARTY or listed[1] not in SMALLER_MODEL:
        return None
    return listed[0], SMALLER_MODEL[listed[1]]
