"""Real outcomes of small and large models on the same items, as units: (family, small model, incumbent).

A unit's truth is rho = success of the small model / success of the incumbent on the same items. Its signals are what a
log would show: the incumbent's output and input tokens. Three incumbents a source: the strongest large model, the one
at the upper quartile, and the median one. Any Parquet file with the columns of ``COLUMNS`` is read, so that a folder
with further families can be put in place.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.suitability.priors import CHARS_PER_TOKEN

Floats = NDArray[np.float64]

COLUMNS = ("task_id", "task_category", "model", "model_params_b", "is_small", "passed")
TOKEN_COLUMNS = ("output_tokens", "input_tokens", "output_chars")
MIN_ITEMS = 30
"""Fewest items that a unit rests on."""
MOST_WITHOUT_TOKENS = 0.1
HIDES_REASONING = r"^o\d"
"""Models whose reasoning is billed but not in the recorded output: their output length says nothing."""
QUANTILES = (0.0, 0.25, 0.5)
"""Ranks of the incumbents among a source's large models, from the strongest."""
SAME_BENCHMARK = {"gsm": "gsm8k", "mgsm": "gsm8k", "agentverse-mgsm": "gsm8k", "human_eval": "humaneval"}
"""Categories of several sources that draw on one benchmark: held out together."""
CALL_TUNED = r"xlam|functionary|gorilla-openfunctions|hermes-2-(pro|theta)|hammer|toolace|functioncalling|-fc-r"
LABELS = r"mmlu|arc_challenge|openbook_qa|commonsense_qa|gpqa|boolq|hellaswag|winogrande"
"""Categories whose answer is one of a few options."""
_ORGANISATION = r"^(meta-llama|google|nousresearch|thudm|salesforce|meetkai|deepseek-ai|microsoft|qwen|ibm-granite)[_/]"
RELEASES = Path(__file__).with_name("slm_releases.csv")


def read_outcomes(folder: Path) -> pl.DataFrame:
    """Return one row an item and model: source, family, item, model, params_b, small, passed, tokens_in, tokens_out."""
    frames = []
    for path in sorted(folder.glob("*.parquet")):
        frame = pl.read_parquet(path)
        if not set(COLUMNS) <= set(frame.columns):
            continue
        known = {name: pl.col(name) if name in frame.columns else pl.lit(None) for name in TOKEN_COLUMNS}
        output, given, chars = (known[name].cast(pl.Float64) for name in TOKEN_COLUMNS)
        frames.append(
            frame.select(
                *COLUMNS[:-1],
                pl.col("passed").cast(pl.Float64),
                pl.coalesce(output, chars / CHARS_PER_TOKEN).alias("output_tokens"),
                given.alias("input_tokens"),
                pl.lit(source_of(path)).alias("source"),
            )
        )
    rows = pl.concat(frames).unique(["source", "task_category", "task_id", "model"], keep="first")
    return rows.with_columns(
        family=pl.col("task_category").map_elements(family_of, return_dtype=pl.String),
        slm=pl.col("model").str.to_lowercase().str.replace(_ORGANISATION, ""),
    ).sort("source", "task_category", "task_id", "model")


def source_of(path: Path) -> str:
    """Return the benchmark suite of a file; its parts (dev, train, test) are one source."""
    return re.sub(r"[_-](dev|train|test|hidden|rest|full).*$", "", path.stem)


def family_of(category: str) -> str:
    """Return what is held out together: the benchmark that a category's items come from."""
    last = category.rsplit("/", 1)[-1]
    return SAME_BENCHMARK.get(last, last)


def incumbents(rows: pl.DataFrame) -> list[str]:
    """Return the incumbents of one source, the strongest first."""
    large = rows.filter(~pl.col("is_small") & ~pl.col("model").str.contains(HIDES_REASONING))
    seen = large.group_by("model").agg(
        n=pl.len(), success=pl.col("passed").mean(), unknown=pl.col("output_tokens").is_null().mean()
    )
    seen = seen.filter(pl.col("n") == pl.col("n").max())
    if seen.get_column("unknown").min() < 1:
        seen = seen.filter(pl.col("unknown") <= MOST_WITHOUT_TOKENS)
    ranked = seen.sort(["success", "model"], descending=[True, False]).get_column("model").to_list()
    return [ranked[i] for i in sorted({round(q * (len(ranked) - 1)) for q in QUANTILES})]


def units_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row a unit, the strongest incumbent's (rank 0) first.

    Columns: source, task_category, family, slm, params_b, released, tool_tuned, structured, incumbent, rank, n, small
    and large (success of both), rho, output_tokens and input_tokens of the incumbent, and slm_passed and llm_passed:
    both results of each item, for the bootstrap.
    """
    found = []
    for (source,), own in rows.group_by("source", maintain_order=True):
        if not own.get_column("is_small").any() or own.get_column("is_small").all():
            continue
        for rank, name in enumerate(incumbents(own)):
            llm = own.filter(pl.col("model") == name).select(
                "task_category", "task_id", "output_tokens", "input_tokens", llm="passed"
            )
            small = own.filter(pl.col("is_small") & pl.col("model_params_b").is_not_null()).drop(
                "output_tokens", "input_tokens"
            )
            found.append(
                small.join(llm, on=["task_category", "task_id"])
                .group_by("source", "task_category", "family", "slm", maintain_order=True)
                .agg(
                    params_b=pl.col("model_params_b").first(),
                    n=pl.len(),
                    small=pl.col("passed").mean(),
                    large=pl.col("llm").mean(),
                    output_tokens=pl.col("output_tokens").mean(),
                    input_tokens=pl.col("input_tokens").mean(),
                    slm_passed=pl.col("passed"),
                    llm_passed=pl.col("llm"),
                )
                .with_columns(rank=pl.lit(rank), incumbent=pl.lit(name), source=pl.lit(source))
            )
    released = pl.read_csv(RELEASES).select(
        slm="name", released=pl.col("released").map_elements(decimal_year, return_dtype=pl.Float64)
    )
    calls = pl.col("source").str.starts_with("bfcl")
    return (
        pl.concat(found)
        .filter((pl.col("n") >= MIN_ITEMS) & (pl.col("large") > 0))
        .join(released, on="slm", how="left")
        .with_columns(
            rho=pl.col("small") / pl.col("large"),
            tool_tuned=calls & pl.col("slm").str.contains(CALL_TUNED),
            structured=calls | pl.col("family").str.contains(LABELS),
        )
        .sort("source", "task_category", "rank", "slm")
    )


def decimal_year(month: str) -> float:
    """Return a month such as 2024-04 as a year: its middle."""
    year, number = month.split("-")
    return int(year) + (int(number) - 0.5) / 12


def rho_interval(slm: Floats, llm: Floats, rng: np.random.Generator, draws: int = 400) -> tuple[float, float]:
    """Return the 90 % interval of rho by a bootstrap over items that keeps both results of an item together."""
    n = len(slm)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    below = drawn @ llm
    rho = np.where(below > 0, drawn @ slm / np.maximum(below, 1e-9), np.nan)
    lo, hi = np.nanquantile(rho, [0.05, 0.95])
    return float(lo), float(hi)
