"""Price each call: at the price of the day it was made, and at today's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from slmlens.errors import SettingError
from slmlens.spend.names import resolve
from slmlens.spend.price_book import Named, PriceBook, open_book
from slmlens.spend.rates import TIER_SCHEMA, Tier, price_nusd

_NAME = ["provider", "model", "model_requested"]
_NOON = dt.time(12)


def price_calls(
    calls: pl.DataFrame,
    *,
    assume_model: str | None = None,
    today: dt.date | None = None,
    book: PriceBook | None = None,
) -> pl.DataFrame:
    """Fill the columns of money of the calls, each call on its own.

    ``spend_nusd`` (price of the day), ``price_source`` (where that is from), ``runrate_nusd`` (today's price),
    ``model_assumed``, ``committed_share`` and ``committed_until``. A call is never priced as part of a sum, because
    long-context tiers depend on the single request. Null means unpriced: no model, a model without a price (an Azure
    deployment name, a self-hosted model), no token counts, or counts that contradict each other. Where a vendor lists
    no batch rate, a batch call has the standard one.

    :param calls: ``CallsTable``; row order is kept.
    :param assume_model: Prices the calls whose model is unknown, as ``model`` or ``provider/model``.
    :param today: Day of the run-rate price; default: today (UTC). Also prices the spend of calls without a time.
    :param book: Where prices are from; None: the public lists, offline.
    :raises SettingError: If no price is known for the assumed model.
    """
    book = book or open_book()
    day = today or dt.datetime.now(dt.UTC).date()
    assumed = None if assume_model is None else _assumed(book, assume_model, day)
    frame, named = _with_names(calls.with_row_index("_row"), book, assumed)
    noon = pl.lit(dt.datetime.combine(day, _NOON, dt.UTC)).cast(pl.Datetime("us", "UTC"))
    logged = pl.col("started_at").fill_null(noon)
    moved = noon.dt.combine(logged.dt.time()).dt.replace_time_zone("UTC")
    spend = _priced(frame.with_columns(_when=logged), named, book)
    runrate = _priced(frame.with_columns(_when=moved), named, book)
    covered = (logged.dt.date() <= pl.col("_until")).fill_null(value=False)
    return calls.with_columns(
        spend.get_column("nusd").alias("spend_nusd"),
        spend.get_column("source").alias("price_source"),
        runrate.get_column("nusd").alias("runrate_nusd"),
        frame.get_column("_assumed").alias("model_assumed"),
        *frame.select(
            committed_share=pl.when(covered).then("_share"), committed_until=pl.when(covered).then("_until")
        ).get_columns(),
    )


def listed_model(provider: str | None, model: str | None) -> tuple[str, str] | None:
    """Return (provider id, model id) of the price list for a logged name, or None where it has no listing."""
    found = resolve(provider, model)
    return None if found is None else (str(found.provider.id), str(found.model.id))


def _assumed(book: PriceBook, model: str, day: dt.date) -> Named:
    named = book.named(None, model)
    if book.quote(named, dt.datetime.combine(day, _NOON, dt.UTC)) is None:
        raise SettingError(
            f"no price is known for the assumed model {model!r}",
            where="assume_model",
            next_step="name it as its vendor does, with the provider where needed ('groq/llama-3.1-8b-instant')",
        )
    return named


def _with_names(frame: pl.DataFrame, book: PriceBook, assumed: Named | None) -> tuple[pl.DataFrame, list[Named]]:
    """Add ``_named`` (a position in the returned list), ``_hourly``, ``_assumed``, ``_share`` and ``_until``."""
    nameless = pl.col("model").is_null() & pl.col("model_requested").is_null()
    names = frame.select(_NAME).unique(maintain_order=True)
    found: list[Named] = []
    rows = []
    for provider, model, requested in names.iter_rows():
        # The served name is the truth; an alias or a deployment name in its place leaves the requested one.
        unnamed = model is None and requested is None
        named = assumed if unnamed and assumed is not None else book.named(provider, model, requested)
        rows.append((len(found), book.by_the_minute(named), *(book.committed(named) or (None, None))))
        found.append(named)
    schema = {"_named": pl.Int32, "_hourly": pl.Boolean, "_share": pl.Float64, "_until": pl.Date}
    joined = frame.join(
        names.hstack(pl.DataFrame(rows, schema, orient="row")),
        on=_NAME,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return joined.with_columns(_assumed=nameless if assumed is not None else pl.lit(value=False)), found


def _priced(frame: pl.DataFrame, named: Sequence[Named], book: PriceBook) -> pl.DataFrame:
    """Return the price of each row at its ``_when``: ``nusd`` in nano-USD and its ``source``; null where unpriced."""
    keys = ["_named", "_at", "batch"]
    frame = frame.with_columns(
        _at=pl.when("_hourly").then(pl.col("_when").dt.truncate("1m")).otherwise(pl.col("_when").dt.truncate("1d"))
    )
    wanted = frame.select(keys).unique(maintain_order=True)
    ids: dict[tuple[Tier, ...], int] = {}
    quoted: list[tuple[int | None, str | None]] = []
    for at_name, at, batch in wanted.iter_rows():
        quote = book.quote(named[at_name], at, batch=batch)
        quoted.append((None, None) if quote is None else (ids.setdefault(quote.tiers, len(ids)), quote.source))
    table = pl.DataFrame(
        [tier.row(price_id) for tiers, price_id in ids.items() for tier in tiers], TIER_SCHEMA, orient="row"
    )
    known = wanted.hstack(pl.DataFrame(quoted, {"price_id": pl.Int32, "source": pl.String}, orient="row"))
    sized = frame.join(known, on=keys, how="inner").filter(pl.col("input_tokens").is_not_null())
    priced = sized.sort("input_tokens").join_asof(
        table.sort("from_tokens"), left_on="input_tokens", right_on="from_tokens", by="price_id", check_sortedness=False
    )
    values = priced.select("_row", "source", nusd=price_nusd())
    joined = frame.select("_row").join(values, on="_row", how="left", maintain_order="left")
    return joined.select("nusd", source=pl.when(pl.col("nusd").is_not_null()).then("source"))
