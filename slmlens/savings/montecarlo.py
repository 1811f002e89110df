"""Joint draws of what an option is worth: factors that all tasks share are drawn once, so that sums are honest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.spend.months import Month
from slmlens.tables import NUSD_PER_USD

_Z95 = 1.6449
_YEAR = 12


@dataclass(frozen=True)
class Shared:
    """Draws that hold for all tasks together, one position a simulated future.

    :param volume: Factor on the volume of the log.
    :param prices: Factor on all hosted prices of small models.
    :param tuned: Factor of a hosted fine-tune's price over its base model's.
    :param tokens: Small model's tokens over the incumbent's.
    :param people: Factor on all people cost.
    :param months_falling: Months of saving over the horizon, discounted, with prices falling.
    :param months_flat: Months of cost over the horizon, discounted.
    :param parity: The common part of whether small models hold parity, standard normal.
    """

    volume: np.ndarray
    prices: np.ndarray
    tuned: np.ndarray
    tokens: np.ndarray
    people: np.ndarray
    months_falling: np.ndarray
    months_flat: float
    parity: np.ndarray


@dataclass(frozen=True)
class Setting:
    """What every option of every task is valued with."""

    assumptions: Assumptions
    shared: Shared
    seed: int


def draw_shared(assumptions: Assumptions, month: Month, *, seed: int, draws: int) -> Shared:
    """Return the shared draws.

    :param month: Its interval is the spread of the volume; without one, the assumption ``month_spread`` is.
    """
    rng = _generator(seed, "shared")

    def triangular(name: str) -> np.ndarray:
        low, mode, high = assumptions.triangle(name)
        return rng.triangular(low, mode, high, draws) if high > low else np.full(draws, mode)

    volume = _volume_factor(month, rng.standard_normal(draws), assumptions.central("month_spread"))
    prices = np.exp(assumptions.central("price_spread_market") * rng.standard_normal(draws))
    decline = triangular("price_decline_year")
    months = np.arange(1, round(assumptions.central("horizon_months")) + 1)[:, None] / _YEAR
    discount = (1 + assumptions.central("discount_rate_year")) ** -months
    return Shared(
        volume=volume,
        prices=prices,
        tuned=triangular("hosted_tuned_price_factor"),
        tokens=triangular("tokenizer_ratio"),
        people=triangular("people_cost_factor"),
        months_falling=(discount * np.maximum(1 - decline, 0.0)[None, :] ** months).sum(axis=0),
        months_flat=float(discount.sum()),
        parity=rng.standard_normal(draws),
    )


def draw_volume(shared: Shared, task_id: str, units: int, *, seed: int) -> np.ndarray:
    """Return the factor on a task's volume: the log's own, and the task's chance with so few units of work."""
    spread = min(0.5, 1 / math.sqrt(max(units, 1)))
    own = spread * _generator(seed, "volume", task_id).standard_normal(shared.volume.size)
    return shared.volume * np.exp(own - spread**2 / 2)


def draw_ranks(shared: Shared, task_id: str, *, seed: int, correlation: float) -> np.ndarray:
    """Return the ranks, uniform in (0, 1), at which a task's agreements are drawn.

    Swap and tuned use the same ranks: a task that is easy for the one is easy for the other.
    """
    from scipy.special import ndtr

    own = _generator(seed, "parity", task_id).standard_normal(shared.parity.size)
    ranks: np.ndarray = ndtr(math.sqrt(correlation) * shared.parity + math.sqrt(1 - correlation) * own)
    return ranks


def draw_parity(ranks: np.ndarray, quantiles: Sequence[float], needed: float) -> np.ndarray:
    """Return 1.0 in the draws whose agreement A reaches what parity needs, else 0.0.

    :param quantiles: Of A at equal steps from 0 to 1: its inverse distribution function.
    """
    steps = np.asarray(quantiles, dtype=float)
    drawn = np.interp(ranks, np.linspace(0, 1, steps.size), steps)
    return np.where(drawn >= needed, 1.0, 0.0)


def draw_price(name: str, spread: float, *, seed: int, draws: int) -> np.ndarray:
    """Return the factor on one small model's hosted price, the same for every task that uses it."""
    drawn: np.ndarray = np.exp(spread * _generator(seed, "price", name).standard_normal(draws))
    return drawn


@dataclass(frozen=True)
class Worth:
    """Draws of an option's money, in nano-USD.

    :param monthly: Saving in a month at the run-rate, after its monthly people cost; 0 where parity does not hold.
    :param npv: Net present value over the horizon; where parity does not hold, what was spent to find out.
    """

    monthly: np.ndarray
    npv: np.ndarray


def value(
    shared: Shared,
    gross: np.ndarray,
    holds: np.ndarray | float,
    *,
    before_usd: float,
    once_usd: float,
    monthly_usd: float,
) -> Worth:
    """Return what an option is worth, unconditionally: it counts only where parity holds.

    :param gross: Draws of the monthly saving on calls, in nano-USD.
    :param holds: Draws (or a share) of parity.
    :param before_usd: People cost that is spent whether or not parity holds.
    :param once_usd: People cost that is spent only where it holds.
    :param monthly_usd: People cost a month, where it holds.
    """
    monthly_cost = monthly_usd * NUSD_PER_USD * shared.people
    monthly = holds * (gross - monthly_cost)
    later = gross * shared.months_falling - monthly_cost * shared.months_flat - once_usd * NUSD_PER_USD * shared.people
    return Worth(monthly, holds * later - before_usd * NUSD_PER_USD * shared.people)


def percentiles(draws: np.ndarray) -> tuple[int, int, int]:
    """Return P10, P50 and P90 as whole nano-USD."""
    ordered = np.sort(draws)
    return quantile(ordered, 0.1), quantile(ordered, 0.5), quantile(ordered, 0.9)


def quantile(ordered: np.ndarray, share: float) -> int:
    """Return a quantile of sorted draws, linear between two of them, as whole nano-USD."""
    at = share * (ordered.size - 1)
    low = math.floor(at)
    high = min(low + 1, ordered.size - 1)
    return round(float(ordered[low] + (at - low) * (ordered[high] - ordered[low])))


def payback_months(gross: float, once: float, monthly: float, decline_year: float, *, limit: int = 120) -> float | None:
    """Return the month in which the saving has repaid the work, with prices falling; None: not within ten years.

    :param gross: Saving on calls in the first month.
    :param once: One-off cost.
    :param monthly: Cost a month.
    :param decline_year: Yearly decline of prices.
    """
    months = np.arange(1, limit + 1)
    total = np.cumsum(gross * max(1 - decline_year, 0.0) ** (months / _YEAR) - monthly) - once
    paid = np.flatnonzero(total >= 0)
    if not paid.size:
        return None
    at = int(paid[0])
    before = float(total[at - 1]) if at else -once
    step = float(total[at]) - before
    return float(at + (-before / step if step > 0 else 0.0))


def _volume_factor(month: Month, normal: np.ndarray, spread: float) -> np.ndarray:
    if month.low_nusd is None or month.high_nusd is None or not month.mid_nusd:
        drawn: np.ndarray = np.exp(spread * normal)
        return drawn
    up, down = month.high_nusd / month.mid_nusd - 1, 1 - month.low_nusd / month.mid_nusd
    return np.maximum(0.0, 1 + normal / _Z95 * np.where(normal > 0, up, down))


def _generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on the names and not on the order in which tasks are valued."""
    digest = hashlib.blake2b("\x1f".join(names).encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "big")])
