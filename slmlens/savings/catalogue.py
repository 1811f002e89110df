"""The small models on offer, and by name why a task can or can't take each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl

_SCHEMA = {
    "model": pl.String,
    "params_b": pl.Float64,
    "active_b": pl.Float64,
    "context_window": pl.Int64,
    "licence": pl.String,
    "commercial_use": pl.String,
    "tools": pl.String,
    "tool_tuned": pl.String,
    "released": pl.String,
    "modalities": pl.String,
    "usd_in_median": pl.Float64,
    "usd_out_median": pl.Float64,
    "usd_in_min": pl.Float64,
    "usd_out_min": pl.Float64,
    "listings": pl.Int64,
    "price_source": pl.String,
    "source": pl.String,
    "date": pl.String,
    "verified": pl.String,
}


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
    :param usd_in_min: Cheapest listing.
    :param usd_out_min: Cheapest listing.
    :param listings: Number of listings the median is over.
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


@dataclass(frozen=True)
class Needs:
    """What a task asks of a model.

    :param p99_tokens: 99th percentile of input plus output tokens; None: no token counts.
    :param tools: It calls tools.
    :param modalities: What its prompts hold beside text.
    """

    p99_tokens: float | None
    tools: bool
    modalities: frozenset[str] = frozenset()


@cache
def read_catalogue() -> pl.DataFrame:
    """Return the catalogue: one row a model, prices in USD a million tokens, empty cells null."""
    file = resources.files("slmlens.savings") / "slm_catalogue.csv"
    return pl.read_csv(file.read_bytes(), schema=_SCHEMA)


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
        )
        for row in rows
    )


def _year(released: str | None) -> float | None:
    """Return the middle of a month such as ``2024-09`` as a year."""
    if released is None:
        return None
    year, month = map(int, released.split("-"))
    return year + (month - 0.5) / 12


def rejection(  # noqa: PLR0911 - one return a criterion, as the criteria are listed
    model: SmallModel, needs: Needs, *, headroom: float, tokenizer_ratio: float
) -> str:
    """Return why the task can't take the model, or an empty string where it can.

    :param headroom: Context window over the 99th percentile of tokens.
    :param tokenizer_ratio: The small model's tokens over the incumbent's.
    """
    if model.commercial_use == "no":
        return f"licence {model.licence} forbids commercial use"
    missing = sorted(needs.modalities - set(model.modalities.split("+")))
    if missing:
        return f"reads no {', '.join(missing)}"
    if needs.tools and model.tools == "no":
        return "calls no tools"
    if needs.p99_tokens is not None:
        wanted = needs.p99_tokens * headroom * tokenizer_ratio
        if model.context_window is None:
            return "context window unknown"
        if model.context_window < wanted:
            return f"context window of {model.context_window:,} tokens, {wanted:,.0f} needed"
    if model.usd_in is None or model.usd_out is None:
        return "nobody is listed as hosting it, and self-hosting is not priced in this version"
    return ""


def remark(model: SmallModel, needs: Needs) -> str:
    """Return what to know about an accepted model."""
    notes = [f"{round(model.params_b, 1):g}B, ${model.usd_in:g}/${model.usd_out:g} a million tokens in/out, hosted"]
    if needs.p99_tokens is None:
        notes.append("window not checked: no token counts")
    if needs.tools and model.tools == "prompt":
        notes.append("tools only by prompting")
    if model.commercial_use == "terms":
        notes.append(f"under the conditions of {model.licence}")
    return "; ".join(notes)


def nearest(models: Sequence[SmallModel], params_b: float) -> SmallModel | None:
    """Return the model closest in active size, or None of none.

    Sizes within some 5 % count as equal; then a licence without conditions, more listings and a lower price decide.
    """

    def distance(model: SmallModel) -> tuple[float, bool, int, float, str]:
        apart = round(abs(math.log(model.active_b / params_b)), 1)
        return apart, model.commercial_use != "yes", -(model.listings or 0), model.usd_out or 0.0, model.name

    return min(models, key=distance, default=None)
