"""How often the 90 % interval of a month holds the truth, and how often a ramp or a step is seen and named.

    python benchmarks/months.py [--sims 300] [--seed 11]

Every figure is a share of simulated logs whose truth is known. Five processes were there when the method was chosen;
the others were not used to choose anything. "holds rate": of the logs with an interval, those whose interval for the
current rate holds the true rate; "next 30": those whose second interval holds what the next 30 days cost; "width": the
median width over the truth; "shifted": logs that are said to have moved to another level (they get no interval).
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from slmlens.spend.months import MONTH_DAYS, Month, estimate_month

NUSD = 1_000_000_000
START = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
LENGTHS = (30, 60)
FEW_LENGTHS = (60, 180, 600)
BURN_IN = 60
WEEK = np.array([1.1, 1.2, 1.2, 1.1, 1.0, 0.3, 0.2])
Process = Callable[[int, np.random.Generator], tuple[np.ndarray, float]]
"""Days and a generator -> the money of each day, and of a mean day in the long run."""


def noise(n: int, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Log-normal factors of mean 1."""
    return rng.lognormal(-(spread**2) / 2, spread, n)


def runs(n: int, rng: np.random.Generator, stay: float, start: float) -> np.ndarray:
    """Return on and off by day: a run that is on goes on with chance ``stay``."""
    on, out = rng.random() < start / (1 - stay + start), np.zeros(n)
    for day in range(n):
        on = rng.random() < (stay if on else start)
        out[day] = on
    return out


def daily(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The same level every day, 30 % noise."""
    return 100 * noise(n, rng, 0.3), 100.0


def weekly(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Quiet weekends."""
    return 100 * WEEK[np.arange(n) % 7] * noise(n, rng, 0.25), float(100 * WEEK.mean())


def bursty(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A base load and bursts of 2.5 days, about two in 30 days, twelve times as dear."""
    bursts = runs(n, rng, 0.6, 0.08) * rng.exponential(600, n)
    return 50 * noise(n, rng, 0.3) + bursts, 50 + 600 * 0.08 / 0.48


def sparse(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A batch job on one day in five, of very uneven size."""
    return (rng.random(n) < 0.2) * 100 * rng.lognormal(-0.5, 1.0, n), 20.0


def drifting(memory: float, spread: float) -> Process:
    """Days that resemble the day before."""

    def process(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        state, out = 0.0, np.zeros(n + BURN_IN)
        for day in range(n + BURN_IN):
            state = out[day] = memory * state + rng.normal(0, spread)
        return 100 * np.exp(out[BURN_IN:] - spread**2 / (1 - memory**2) / 2), 100.0

    return process


def heavy_bursts(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """One day in seven costs a multiple, of infinite third moment (Pareto, index 2.2)."""
    bursts = (rng.random(n) < 0.15) * 300 * (rng.pareto(2.2, n) + 1) * 1.2 / 2.2
    return 40 * noise(n, rng, 0.3) + bursts, 85.0


def poisson_batches(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Batches at random times, three a week."""
    counts = rng.poisson(3 / 7, n)
    return np.array([100 * noise(count, rng, 0.8).sum() for count in counts]), 300 / 7


def long_bursts(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Bursts of five days every 25 days, six times as dear."""
    return (60 + 300 * runs(n, rng, 0.8, 0.05)) * noise(n, rng, 0.3), 120.0


def two_levels(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Two levels, one three times the other, each for ten days on average."""
    return (50 + 100 * runs(n, rng, 0.9, 0.1)) * noise(n, rng, 0.25), 100.0


def weekly_batch(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """One day a week."""
    return ((np.arange(n) + rng.integers(7)) % 7 == 0) * 700 * noise(n, rng, 0.4), 100.0


def office(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Working days only, 60 % noise."""
    return ((np.arange(n) + rng.integers(7)) % 7 < 5) * 140 * noise(n, rng, 0.6), 100.0


def few_days(days: float, spread: float, stretch: int = 1) -> Process:
    """So many days (or stretches of days) with cost in the window, at random."""

    def process(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        chance = days / (n - MONTH_DAYS)
        out = np.zeros(n + BURN_IN)
        for first in np.flatnonzero(rng.random(n + BURN_IN) < chance):
            length = int(rng.geometric(1 / stretch))
            out[first : first + length] += 100 * noise(out[first : first + length].size, rng, spread)
        return out[BURN_IN:], 100 * stretch * chance

    return process


def moving(factor: float, *, step: float | None = None, weekdays: bool = False) -> Process:
    """A line from 100 to ``factor`` times it over the window, or a step after a share of it; 30 % noise."""

    def process(n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        window = n - MONTH_DAYS
        at = np.arange(n)
        path = (
            1 + (factor - 1) * np.minimum(at / (window - 1), 1)
            if step is None
            else np.where(at < step * window, 1, factor)
        )
        shape = WEEK[at % 7] if weekdays else np.ones(n)
        return 100 * path * shape * noise(n, rng, 0.3), float(100 * factor * (WEEK.mean() if weekdays else 1))

    return process


PROCESSES: dict[str, Process] = {
    "daily": daily,
    "weekly": weekly,
    "bursty": bursty,
    "sparse": sparse,
    "drifting .5": drifting(0.5, 0.3),
}
OTHERS: dict[str, Process] = {
    "heavy bursts": heavy_bursts,
    "poisson batches": poisson_batches,
    "long bursts": long_bursts,
    "two levels": two_levels,
    "weekly batch": weekly_batch,
    "office, uneven": office,
    "drifting .7": drifting(0.7, 0.25),
    "drifting .85": drifting(0.85, 0.2),
}
FEW: dict[str, Process] = {
    "5 days": few_days(5, 1.0),
    "5 days, very uneven": few_days(5, 1.6),
    "8 days": few_days(8, 1.0),
    "8 days, very uneven": few_days(8, 1.6),
    "8 times 3 days": few_days(8, 0.7, 3),
    "8 times 12 days": few_days(8, 0.5, 12),
}
MOVING: dict[str, Process] = {
    "ramp x1.5": moving(1.5),
    "ramp x2": moving(2),
    "ramp x2, weekdays": moving(2, weekdays=True),
    "ramp x3": moving(3),
    "ramp to a half": moving(0.5),
    "step x1.5": moving(1.5, step=0.5),
    "step x2": moving(2, step=0.5),
    "step x2, early": moving(2, step=0.25),
    "step x2, late": moving(2, step=0.75),
    "step x3, weekdays": moving(3, step=0.5, weekdays=True),
    "step to a half": moving(0.5, step=0.5),
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


def simulate(process: Process, n: int, sims: int, rng: np.random.Generator) -> Iterable[tuple[Month, float, float]]:
    """Yield the estimated month, the true month, and what the next 30 days cost, in nano-USD."""
    for _ in range(sims):
        amounts, rate = process(n + MONTH_DAYS, rng)
        yield estimate_month(as_calls(amounts[:n], 0)), MONTH_DAYS * rate * NUSD, float(amounts[n:].sum() * NUSD)


def coverage(process: Process, n: int, sims: int, rng: np.random.Generator) -> dict[str, float]:
    """Return shares over the simulated logs."""
    hits, ahead, widths, shifted, without = [], [], [], 0, 0
    for month, truth, following in simulate(process, n, sims, rng):
        shifted += month.ramp
        if month.low_nusd is None or month.high_nusd is None:
            without += not month.ramp
            continue
        hits.append(month.low_nusd <= truth <= month.high_nusd)
        ahead.append((month.next_low_nusd or 0) <= following <= (month.next_high_nusd or 0))
        widths.append((month.high_nusd - month.low_nusd) / truth)
    return {
        "rate": float(np.mean(hits)),
        "next": float(np.mean(ahead)),
        "width": float(np.median(widths)),
        "ramp": shifted / sims,
        "none": without / sims,
    }


def detection(name: str, process: Process, n: int, sims: int, rng: np.random.Generator) -> dict[str, float]:
    """Return how often a shift is seen and named as what it is, and what the month after a step is worth."""
    named, hits, seen = [], [], 0
    for month, truth, _ in simulate(process, n, sims, rng):
        if month.shift is None:
            continue
        seen += 1
        named.append(month.shift.kind == name.split(maxsplit=1)[0])
        after = month.after_step
        if after is not None and after.low_nusd is not None and after.high_nusd is not None:
            hits.append(after.low_nusd <= truth <= after.high_nusd)
    return {
        "seen": seen / sims,
        "named": float(np.mean(named)) if named else float("nan"),
        "stated": len(hits) / max(seen, 1),
        "after": float(np.mean(hits)) if hits else float("nan"),
    }


def print_coverage(title: str, processes: dict[str, Process], lengths: Iterable[int], sims: int, seed: int) -> None:
    """Print one line a process and length."""
    print(f"\n{title:<22}{'days':>5}{'holds rate':>12}{'next 30':>9}{'width':>7}{'shifted':>9}{'no interval':>13}")
    for name, process in processes.items():
        for n in lengths:
            found = coverage(process, n, sims, np.random.default_rng(seed))
            print(
                f"{name:<22}{n:>5}{found['rate']:>12.2f}{found['next']:>9.2f}{found['width']:>7.2f}"
                f"{found['ramp']:>9.2f}{found['none']:>13.2f}",
                flush=True,
            )


def print_detection(sims: int, seed: int) -> None:
    """Print one line a ramp or step and length."""
    print(f"\n{'moved':<22}{'days':>5}{'seen':>12}{'named':>9}{'month after stated':>20}{'holds':>7}")
    for name, process in MOVING.items():
        for n in LENGTHS:
            found = detection(name, process, n, sims, np.random.default_rng(seed))
            print(
                f"{name:<22}{n:>5}{found['seen']:>12.2f}{found['named']:>9.2f}{found['stated']:>20.2f}"
                f"{found['after']:>7.2f}",
                flush=True,
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sims", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    print_coverage("known when chosen", PROCESSES, LENGTHS, args.sims, args.seed)
    print_coverage("not used to choose", OTHERS, LENGTHS, args.sims, args.seed)
    print_coverage("few days with cost", FEW, FEW_LENGTHS, args.sims, args.seed)
    print_detection(args.sims, args.seed)


if __name__ == "__main__":
    main()
