"""Price each call: at the price of the day it was made, and at today's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from slmlens.errors import SettingError
from slmlens.spend.names import Listing, resolve
from slmlens.spend.rates import TIER_SCHEMA, Tier, price_nusd, tiers_at, varies_by_hour

_NAME = ["provider", "model", "model_requested"]
_NOON = dt.time(12)


def price_calls(calls: pl.DataFrame, *, assume_model: str | None = None, today: dt.date | None = None) -> pl.DataFrame:
    """Fill ``spend_nusd``, ``runrate_nusd`` and ``model_assumed`` of the calls, each call on its own.

    Prices are those of genai-prices, offline. A call is never priced as part of a sum, because long-context tiers
    depend on the single request. Null means unpriced: no model, a model without a listing (an Azure deployment name, a
    self-hosted model), no token counts, or counts that contradict each other. Before October 2024 the list's gpt-4o
    price is the later one. Where a vendor lists no batch rate, a batch call has the standard one.

    :param calls: ``CallsTable``; row order is kept.
    :param assume_model: Prices the calls whose model is unknown, as ``model`` or ``provider/model``.
    :param today: Day of the run-rate price; default: today (UTC). Also prices the spend of calls without a time.
    :raises SettingError: If no price is known for the assumed model.
    """
    if assume_model is not None and resolve(None, assume_model) is None:
        raise SettingError(
            f"no price is known for the assumed model {assume_model!r}",
            where="assume_model",
            next_step="name it as its vendor does, with the provider where needed ('groq/llama-3.1-8b-instant')",
        )
    day = today or dt.datetime.now(dt.UTC).date()
    frame, listings = _with_listing(calls.with_row_index("_row"), assume_model)
    noon = pl.lit(dt.datetime.combine(day, _NOON, dt.UTC)).cast(pl.Datetime("us", "UTC"))
    logged = pl.col("started_at").fill_null(noon)
    moved = noon.dt.combine(logged.dt.time()).dt.replace_time_zone("UTC")
    spend = _priced(frame.with_columns(_when=logged), listings).alias("spend_nusd")
    runrate = _priced(frame.with_columns(_when=moved), listings).alias("runrate_nusd")
    return calls.with_columns(spend, runrate, frame.get_column("_assumed").alias("model_assumed"))


def listed_model(provider: str | None, model: str | None) -> tuple[str, str] | None:
    """Return (provider id, model id) of the price list for a logged name, or None where it has no listing."""
    found = resolve(provider, model)
    return None if found is None else (str(found.provider.id), str(found.model.id))


def _with_listing(frame: pl.DataFrame, assume_model: str | None) -> tuple[pl.DataFrame, list[Listing]]:
    """Add ``_listing`` (a position in the returned list, or null), ``_hourly`` and ``_assumed``."""
    nameless = pl.col("model").is_null() & pl.col("model_requested").is_null()
    names = frame.select(_NAME).unique(maintain_order=True)
    listings: list[Listing] = []
    rows = []
    for provider, model, requested in names.iter_rows():
        unnamed = model is None and requested is None
        # The served name is the truth; an alias or a deployment name in its place leaves the requested one.
        found = resolve(None, assume_model) if unnamed else resolve(provider, model) or resolve(provider, requested)
        rows.append((None if found is None else len(listings), found is not None and varies_by_hour(found)))
        if found is not None:
            listings.append(found)
    found_frame = pl.DataFrame(rows, {"_listing": pl.Int32, "_hourly": pl.Boolean}, orient="row")
    assumed = nameless if assume_model is not None else pl.lit(value=False)
    joined = frame.join(names.hstack(found_frame), on=_NAME, how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(assumed.alias("_assumed")), listings


def _priced(frame: pl.DataFrame, listings: Sequence[Listing]) -> pl.Series:
    """Return the price of each row at its ``_when``, in nano-USD; null where unpriced."""
    keys = ["_listing", "_at", "batch"]
    frame = frame.with_columns(
        _at=pl.when("_hourly").then(pl.col("_when").dt.truncate("1m")).otherwise(pl.col("_when").dt.truncate("1d"))
    )
    wanted = frame.filter(pl.col("_listing").is_not_null()).select(keys).unique(maintain_order=True)
    ids: dict[tuple[Tier, ...], int] = {}
    price_ids: list[int | None] = []
    for listing, at, batch in wanted.iter_rows():
        tiers = tiers_at(listings[listing], at, batch=batch)
        price_ids.append(None if tiers is None else ids.setdefault(tiers, len(ids)))
    table = pl.DataFrame(
        [tier.row(price_id) for tiers, price_id in ids.items() for tier in tiers], TIER_SCHEMA, orient="row"
    )
    known = wanted.with_columns(pl.Series("price_id", price_ids, pl.Int32))
    sized = frame.join(known, on=keys, how="inner").filter(pl.col("input_tokens").is_not_null())
    priced = sized.sort("input_tokens").join_asof(
        table.sort("from_tokens"), left_on="input_tokens", right_on="from_tokens", by="price_id", check_sortedness=False
    )
    values = priced.select("_row", price_nusd().alias("_nusd"))
    return frame.select("_row").join(values, on="_row", how="left", maintain_order="left").get_column("_nusd")
