"""GPUs one can rent: what an hour costs, and what throughput was measured on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl

_PRICES = {
    "gpu": pl.String,
    "vram_gb": pl.Float64,
    "bandwidth_gb_s": pl.Float64,
    "usd_hour_low": pl.Float64,
    "usd_hour_mid": pl.Float64,
    "usd_hour_high": pl.Float64,
    "basis": pl.String,
    "source": pl.String,
    "date": pl.String,
    "kind": pl.String,
}
_THROUGHPUT = {
    "model": pl.String,
    "params_b": pl.Float64,
    "gpu": pl.String,
    "gpus": pl.Int64,
    "engine": pl.String,
    "precision": pl.String,
    "scenario": pl.String,
    "input_tokens": pl.Float64,
    "output_tokens": pl.Float64,
    "input_tok_s": pl.Float64,
    "output_tok_s": pl.Float64,
    "ttft_p99_ms": pl.Float64,
    "tpot_ms": pl.Float64,
    "tpot_kind": pl.String,
    "anchor": pl.String,
    "source": pl.String,
    "date": pl.String,
    "verification": pl.String,
}


@dataclass(frozen=True)
class Gpu:
    """A GPU with the throughput row that sizing starts from.

    :param vram_gb: Memory.
    :param bandwidth_gb_s: Memory bandwidth, of the vendor's data sheet.
    :param usd_hour: Low, middle and high price of an hour, on demand.
    :param price_basis: Whose prices these are.
    :param price_source: Where they were read.
    :param price_date: ISO day.
    :param params_b: Billions of parameters of the model that the throughput is of.
    :param input_tokens: Input of a call in that measurement.
    :param output_tokens: Its output.
    :param output_tok_s: Output tokens a second, of one GPU.
    :param tpot_s: Seconds an output token took at that load.
    :param derived: The row was derived from another GPU's.
    """

    name: str
    vram_gb: float
    bandwidth_gb_s: float
    usd_hour: tuple[float, float, float]
    price_basis: str
    price_source: str
    price_date: str
    params_b: float
    input_tokens: float
    output_tokens: float
    output_tok_s: float
    tpot_s: float
    derived: bool


@cache
def read_gpu_prices() -> pl.DataFrame:
    """Return the prices: one row a GPU, USD an hour."""
    return _read("gpu_prices.csv", _PRICES)


@cache
def read_gpu_throughput() -> pl.DataFrame:
    """Return the throughput rows: tokens a second of one GPU at a load, empty cells null.

    ``verification`` says who stands behind a row: MLPerf's figures here are divided by the number of GPUs, which
    MLCommons did not verify. ``anchor`` marks the one row a GPU that sizing starts from; ``tpot_kind`` whether the time
    per output token is a mean or the 99th percentile.
    """
    return _read("gpu_throughput.csv", _THROUGHPUT)


@cache
def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that have both a price and a throughput, cheapest first."""
    anchors = read_gpu_throughput().filter(pl.col("anchor") == "yes")
    rows = read_gpu_prices().join(anchors, on="gpu", suffix="_throughput").sort("usd_hour_mid", "gpu")
    return tuple(
        Gpu(
            name=row["gpu"],
            vram_gb=row["vram_gb"],
            bandwidth_gb_s=row["bandwidth_gb_s"],
            usd_hour=(row["usd_hour_low"], row["usd_hour_mid"], row["usd_hour_high"]),
            price_basis=row["basis"],
            price_source=row["source"],
            price_date=row["date"],
            params_b=row["params_b"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            output_tok_s=row["output_tok_s"],
            tpot_s=row["tpot_ms"] / 1000,
            derived=row["scenario"] == "derived",
        )
        for row in rows.iter_rows(named=True)
    )


def price_name(gpu: str) -> str:
    """Return the name of the assumption that holds a GPU's price."""
    return f"gpu_{gpu.lower()}_usd_hour"


def _read(name: str, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    file = resources.files("slmlens.savings") / name
    return pl.read_csv(file.read_bytes(), schema=schema)
