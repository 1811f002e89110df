"""The small models on offer: what is known of each, and what others measured of it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl

from slmlens.errors import SettingError

CELLS = ("params", "context", "licence", "tools", "kv", "price")
"""Names of the facts that ``verified`` may mark."""
VERIFICATIONS = ("confirmed", "vendor", "unconfirmed")
"""Of a figure: measured by a third party, the same way for all; said by its maker; a copy of what its maker said."""
_SCHEMA = {
    "model": pl.String,
    "org": pl.String,
    "size_class": pl.String,
    "params_b": pl.Float64,
    "active_b": pl.Float64,
    "context_window": pl.Int64,
    "licence": pl.String,
    "commercial_use": pl.String,
    "tools": pl.String,
    "tool_tuned": pl.String,
    "thinking": pl.String,
    "released": pl.String,
    "modalities": pl.String,
    "kv_kib_per_token": pl.Float64,
    "usd_in_median": pl.Float64,
    "usd_out_median": pl.Float64,
    "usd_in_min": pl.Float64,
    "usd_out_min": pl.Float64,
    "listings": pl.Int64,
    "price_source": pl.String,
    "price_date": pl.String,
    "note": pl.String,
    "source": pl.String,
    "date": pl.String,
    "verified": pl.String,
    "disputed": pl.String,
}
_FIGURES = {
    "model": pl.String,
    "benchmark": pl.String,
    "harness": pl.String,
    "mode": pl.String,
    "thinking": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "source": pl.String,
    "date": pl.String,
    "verification": pl.String,
    "trap": pl.String,
}
_MONTHS_IN_YEAR = 12
_NEAR = 3


@dataclass(frozen=True)
class SmallModel:
    """A row of the catalogue; None means that no figure was found, never zero.

    :param active_b: Billions of parameters at work on a token.
    :param context_window: Tokens.
    :param commercial_use: ``yes``, ``terms`` (yes, under conditions of the licence) or ``no``.
    :param tools: ``native``, ``prompt`` (only by prompting) or ``no``.
    :param tool_tuned: It was trained to call tools.
    :param released: Year of its release, as 2024.5; None: unknown.
    :param modalities: What it reads, such as ``text+image``.
    :param usd_in: Median of the hosted listings, USD a million input tokens; None: nobody hosts it.
    :param usd_out: The same for output.
    :param usd_in_min: Of the cheapest listing.
    :param usd_out_min: Of the cheapest listing.
    :param listings: Number of listings the median is over.
    :param thinking: Whether it thinks before it answers: ``no``, ``optional`` or ``always``.
    :param border: Larger than what is offered by default.
    :param kv_kib: KiB of memory a token takes in the cache of keys and values at 16 bits; None: not known.
    :param verified: Its facts, of ``CELLS``, that a second source confirms; the others are unconfirmed.
    """

    name: str
    params_b: float
    active_b: float
    context_window: int | None
    licence: str
    commercial_use: str
    tools: str
    tool_tuned: bool
    released: float | None
    modalities: str
    usd_in: float | None
    usd_out: float | None
    usd_in_min: float | None
    usd_out_min: float | None
    listings: int | None
    thinking: str = "no"
    border: bool = False
    kv_kib: float | None = None
    verified: frozenset[str] = frozenset()

    @property
    def hosted(self) -> bool:
        """Somebody is listed as hosting it."""
        return self.usd_in is not None and self.usd_out is not None


@cache
def read_catalogue() -> pl.DataFrame:
    """Return the catalogue: one row a model, prices in USD a million tokens, empty cells null.

    ``verified`` joins by ``+`` the facts that a second source confirms, ``disputed`` says which of them hosts list
    otherwise. ``size_class`` is ``small``, or ``border`` for a model above 10B that is not offered by default.
    """
    return _read("slm_catalogue.csv", _SCHEMA)


@cache
def read_figures() -> pl.DataFrame:
    """Return what was measured of the models: one row a (model, benchmark, harness, mode).

    ``verification`` is of ``VERIFICATIONS``; ``thinking`` is ``yes``, ``no`` or ``unknown``: a figure is set beside
    costs only where it is ``no``. ``trap`` says what a reader has to know before comparing; null: nothing.
    """
    return _read("slm_figures.csv", _FIGURES)


@cache
def small_models() -> tuple[SmallModel, ...]:
    """Return the catalogue's models, smallest first."""
    rows = read_catalogue().sort("params_b", "model").iter_rows(named=True)
    return tuple(
        SmallModel(
            name=row["model"],
            params_b=row["params_b"],
            active_b=row["active_b"],
            context_window=row["context_window"],
            licence=row["licence"],
            commercial_use=row["commercial_use"],
            tools=row["tools"],
            tool_tuned=row["tool_tuned"] == "yes",
            released=_year(row["released"]),
            modalities=row["modalities"],
            usd_in=row["usd_in_median"],
            usd_out=row["usd_out_median"],
            usd_in_min=row["usd_in_min"],
            usd_out_min=row["usd_out_min"],
            listings=row["listings"],
            thinking=row["thinking"],
            border=row["size_class"] == "border",
            kv_kib=row["kv_kib_per_token"],
            verified=frozenset((row["verified"] or "").split("+")) - {""},
        )
        for row in rows
    )


def model_named(name: str) -> SmallModel:
    """Return the model of a name; capitals do not matter.

    :raises SettingError: If there is none; the next step names the nearest.
    """
    by_name = {model.name.casefold(): model for model in small_models()}
    found = by_name.get(name.casefold())
    if found is not None:
        return found
    inside = [known for known in by_name if name.casefold() in known]
    near = difflib.get_close_matches(name.casefold(), by_name, n=_NEAR) or inside[:_NEAR]
    names = " or ".join(repr(by_name[known].name) for known in near)
    raise SettingError(
        f"the catalogue holds no model {name!r}",
        where="model",
        next_step=f"did you mean {names}?" if near else "`slmlens models` lists them",
    )


def nearest(models: Sequence[SmallModel], params_b: float) -> SmallModel | None:
    """Return the model closest in active size, or None of none.

    Sizes within some 5 % count as equal; then a licence without conditions, answers without thinking, more listings, a
    later release and a lower price decide.
    """

    def distance(model: SmallModel) -> tuple[float, bool, bool, int, float, float, str]:
        apart = round(abs(math.log(model.active_b / params_b)), 1)
        terms, thinks = model.commercial_use != "yes", model.thinking == "always"
        return apart, terms, thinks, -(model.listings or 0), -(model.released or 0.0), model.usd_out or 0.0, model.name

    return min(models, key=distance, default=None)


def _read(name: str, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    file = resources.files("slmlens.savings") / name
    return pl.read_csv(file.read_bytes(), schema=schema)


def _year(released: str | None) -> float | None:
    """Return the middle of a month such as ``2024-09``, or of a year, as a year."""
    if released is None:
        return None
    year, _, month = released.partition("-")
    return int(year) + ((int(month) - 0.5) / _MONTHS_IN_YEAR if month else 0.5)
