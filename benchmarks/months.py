"""How often the 90 % interval of a month holds the truth, over processes that were not used to tune it.

    python benchmarks/months.py [--sims 400] [--seed 11]

Prints, per process and length, the share of simulated logs whose interval for the current rate holds the true rate, the
same for the next 30 days, the median width over the truth, and the share called a ramp (these get no interval).
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl

from slmlens.spend.months import estimate_month

NUSD = 1_000_000_000
START = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
LENGTHS = (21, 30, 45, 60)
Process = Callable[[int, np.random.Generator], tuple[np.ndarray, float]]


def daily(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The same level every day, 30 % noise."""
    return 100 * rng.lognormal(-0.045, 0.3, n), 100.0


def weekly(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Quiet weekends."""
    factors = np.array([1.1, 1.2, 1.2, 1.1, 1.0, 0.3, 0.2])
    return 100 * factors[np.arange(n) % 7] * rng.lognormal(-0.03125, 0.25, n), float(100 * factors.mean())


def bursty(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A base load and bursts of 2.5 days, twelve times as dear."""
    on, bursts = False, np.zeros(n + 60)
    for day in range(n + 60):
        on = rng.random() < (0.6 if on else 0.08)
        bursts[day] = on
    share = 0.08 / 0.48
    return 50 * rng.lognormal(-0.045, 0.3, n) + bursts[60:] * rng.exponential(600, n), 50 + 600 * share


def sparse(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A batch job on one day in five, of very uneven size."""
    return (rng.random(n) < 0.2) * 100 * rng.lognormal(-0.5, 1.0, n), 20.0


def drifting(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Days that resemble the day before (autocorrelation 0.5)."""
    state, out = 0.0, []
    for _ in range(n + 60):
        state = 0.5 * state + rng.normal(0, 0.3)
        out.append(state)
    return 100 * np.exp(np.array(out[60:]) - 0.06), 100.0


PROCESSES: dict[str, Process] = {
    "daily": daily,
    "weekly": weekly,
    "bursty": bursty,
    "sparse": sparse,
    "drifting": drifting,
}


def as_calls(amounts: np.ndarray, offset: int) -> pl.DataFrame:
    """Four calls in the working hours of each day with money; a free heartbeat call marks the window's ends."""
    rows = [
        (START + dt.timedelta(days=offset + day, hours=hour), round(amount * NUSD / 4))
        for day, amount in enumerate(amounts)
        if amount > 0
        for hour in (0, 9, 15, 23)
    ]
    ends = [(START + dt.timedelta(days=offset), 0), (START + dt.timedelta(days=offset + len(amounts), seconds=-1), 0)]
    return pl.DataFrame(rows + ends, {"started_at": pl.Datetime("us", "UTC"), "runrate_nusd": pl.Int64}, orient="row")


def coverage(process: Process, n: int, sims: int, rng: np.random.Generator) -> dict[str, float]:
    """Return shares over the simulated logs."""
    hits, ahead_hits, widths, ramps = [], [], [], 0
    for _ in range(sims):
        amounts, rate = process(n + 30, rng)
        month = estimate_month(as_calls(amounts[:n], 0))
        if (
            month.low_nusd is None
            or month.high_nusd is None
            or month.next_low_nusd is None
            or month.next_high_nusd is None
        ):
            ramps += month.ramp
            continue
        truth, following = 30 * rate * NUSD, amounts[n:].sum() * NUSD
        hits.append(month.low_nusd <= truth <= month.high_nusd)
        ahead_hits.append(month.next_low_nusd <= following <= month.next_high_nusd)
        widths.append((month.high_nusd - month.low_nusd) / truth)
    return {
        "rate": float(np.mean(hits)),
        "next": float(np.mean(ahead_hits)),
        "width": float(np.median(widths)),
        "ramp": ramps / sims,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sims", type=int, default=400)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    print(f"{'process':<10}{'days':>5}{'holds rate':>12}{'holds next 30':>15}{'width':>8}{'called ramp':>13}")
    for name, process in PROCESSES.items():
        for n in LENGTHS:
            found = coverage(process, n, args.sims, rng)
            print(
                f"{name:<10}{n:>5}{found['rate']:>12.2f}{found['next']:>15.2f}{found['width']:>8.2f}{found['ramp']:>13.2f}"
            )


if __name__ == "__main__":
    main()
