"""Unit rates of a listing at a time, and the exact price of a call from them.

The rates are those of genai-prices (MIT, https://github.com/pydantic/genai-prices), read offline. Its own per-call
``calc_price`` costs about 60 microseconds; reading each distinct price once and multiplying columns of whole numbers
gives the same figures (a test compares them) many times faster.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from slmlens.spend.names import Listing

_STEPS_PER_NUSD = 10**15
"""Rates are kept in whole steps of 1e-15 nano-USD: the finest listed has 18 decimals of $ a million tokens."""

_STEPS_PER_USD_MTOK = 10**18
_STEPS_PER_USD_KREQUEST = 10**21
_STEPS_PER_USD = 10**24

RATES = ("input", "cached", "cache_write", "output", "reasoning", "request")
"""The prices of a model in a price file: US dollars a million tokens, and ``request`` a call."""

_PRICE_KEYS = (
    "input_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
)
_BATCH = {"processing": "batch"}

TIER_SCHEMA = {
    "price_id": pl.Int32(),
    "from_tokens": pl.Int64(),
    "r_in": pl.Int128(),
    "r_cached": pl.Int128(),
    "r_write": pl.Int128(),
    "r_out": pl.Int128(),
    "r_reasoning": pl.Int128(),
    "r_request": pl.Int128(),
    "has_cached": pl.Boolean(),
    "has_write": pl.Boolean(),
    "has_reasoning": pl.Boolean(),
}
"""One row a (price, tier): steps a token (``r_request``: a call), from so many input tokens on."""


@dataclass(frozen=True)
class Tier:
    """Rates that hold from a number of input tokens on, in steps; None: not priced apart from its parent."""

    from_tokens: int
    input: int | None
    cached: int | None
    write: int | None
    output: int | None
    reasoning: int | None
    request: int

    def row(self, price_id: int) -> tuple[object, ...]:
        """Return the tier as a row of ``TIER_SCHEMA``; what has no rate of its own costs what its parent costs."""
        base_in, base_out = self.input or 0, self.output or 0
        return (
            price_id,
            self.from_tokens,
            base_in,
            base_in if self.cached is None else self.cached,
            base_in if self.write is None else self.write,
            base_out,
            base_out if self.reasoning is None else self.reasoning,
            self.request,
            self.cached is not None,
            self.write is not None,
            self.reasoning is not None,
        )

    def times(self, factor: Decimal) -> Tier:
        """Return the tier with every price multiplied, rounded to whole steps."""

        def scaled(rate: int | None) -> int | None:
            return None if rate is None else int((rate * factor).to_integral_value())

        return replace(
            self,
            input=scaled(self.input),
            cached=scaled(self.cached),
            write=scaled(self.write),
            output=scaled(self.output),
            reasoning=scaled(self.reasoning),
            request=scaled(self.request) or 0,
        )


def tier_of(from_tokens: int, rates: Mapping[str, Decimal]) -> Tier:
    """Return the tier of plain rates.

    :param from_tokens: Input tokens of a call from which it holds.
    :param rates: US dollars a million tokens by ``input``, ``cached``, ``cache_write``, ``output`` and ``reasoning``,
        and US dollars a call by ``request``. Without a rate of their own, cached and written tokens cost what input
        costs, and reasoning what output costs.
    """
    token = {name: _steps(rates.get(name), _STEPS_PER_USD_MTOK) for name in RATES if name != "request"}
    return Tier(
        from_tokens,
        token["input"],
        token["cached"],
        token["cache_write"],
        token["output"],
        token["reasoning"],
        _steps(rates.get("request"), _STEPS_PER_USD) or 0,
    )


def varies_by_hour(listing: Listing) -> bool:
    """Tell whether the price depends on the time of day."""
    from genai_prices.types import TimeOfDateConstraint

    entries = listing.model.prices if isinstance(listing.model.prices, list) else []
    variants = listing.model.price_variants or []
    return any(isinstance(entry.constraint, TimeOfDateConstraint) for entry in [*entries, *variants])


def tiers_at(listing: Listing, when: dt.datetime, *, batch: bool) -> tuple[Tier, ...] | None:
    """Return the rates at a time, lowest tier first, or None where the listing has no token or request price.

    :param when: With a time zone.
    :param batch: Take the batch rate. The price list dates it from the day it was recorded (mostly October 2026) and
        not from the day it was introduced, so an earlier batch call takes the first batch rate listed.
    """
    price = listing.model.get_prices(_batch_from(listing, when), _BATCH) if batch else listing.model.get_prices(when)
    values = {key: getattr(price, key) for key in _PRICE_KEYS}
    if values["input_mtok"] is None and values["requests_kcount"] is None:
        return None
    starts = sorted({0} | {tier.start + 1 for value in values.values() for tier in getattr(value, "tiers", ())})
    return tuple(_tier(start, values) for start in starts)


def _batch_from(listing: Listing, when: dt.datetime) -> dt.datetime:
    from genai_prices.types import StartDateConstraint

    variants = [variant for variant in listing.model.price_variants or [] if variant.when == _BATCH]
    starts = [
        v.constraint.start_date if isinstance(v.constraint, StartDateConstraint) else dt.date.min for v in variants
    ]
    if not starts or min(starts) <= when.astimezone(dt.UTC).date():
        return when
    return dt.datetime.combine(min(starts), when.astimezone(dt.UTC).timetz())


def _tier(from_tokens: int, values: dict[str, Any]) -> Tier:
    def token(key: str) -> int | None:
        return _steps(_value_at(values[key], from_tokens), _STEPS_PER_USD_MTOK)

    return Tier(
        from_tokens,
        input=token("input_mtok"),
        cached=token("cache_read_mtok"),
        write=token("cache_write_mtok"),
        output=token("output_mtok"),
        reasoning=token("output_reasoning_mtok"),
        request=_steps(_value_at(values["requests_kcount"], from_tokens), _STEPS_PER_USD_KREQUEST) or 0,
    )


def _value_at(value: Any, tokens: int) -> Decimal | None:  # noqa: ANN401 - Decimal or the library's TieredPrices
    if value is None or isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if tokens > tier.start]
    rate: Decimal = reached[-1] if reached else value.base
    return rate


def _steps(rate: Decimal | None, per_usd: int) -> int | None:
    return None if rate is None else int((rate * per_usd).to_integral_value())


def price_nusd() -> pl.Expr:
    """Return the price of a call in nano-USD, exact and rounded half-even once; null where its token counts contradict.

    Takes the token columns of ``CallsTable`` beside those of ``TIER_SCHEMA``. Cached and written tokens lie inside the
    input, reasoning inside the output. A call without input or output count has no price.
    """
    inside, cached, write, out, reasoning = (
        pl.col(name).cast(pl.Int128) if required else pl.col(name).fill_null(0).cast(pl.Int128)
        for name, required in (
            ("input_tokens", True),
            ("cached_tokens", False),
            ("cache_write_tokens", False),
            ("output_tokens", True),
            ("reasoning_tokens", False),
        )
    )
    cached, write = pl.when("has_cached").then(cached).otherwise(0), pl.when("has_write").then(write).otherwise(0)
    reasoning = pl.when("has_reasoning").then(reasoning).otherwise(0)
    plain_in, plain_out = inside - cached - write, out - reasoning
    steps = (
        plain_in * pl.col("r_in")
        + cached * pl.col("r_cached")
        + write * pl.col("r_write")
        + plain_out * pl.col("r_out")
        + reasoning * pl.col("r_reasoning")
        + pl.col("r_request")
    )
    return pl.when((plain_in >= 0) & (plain_out >= 0)).then(_half_even(steps)).cast(pl.Int64)


def _half_even(steps: pl.Expr) -> pl.Expr:
    whole = steps // _STEPS_PER_NUSD
    twice = 2 * (steps - whole * _STEPS_PER_NUSD)
    up = (twice > _STEPS_PER_NUSD) | ((twice == _STEPS_PER_NUSD) & (whole % 2 == 1))
    return whole + up.cast(pl.Int128)
