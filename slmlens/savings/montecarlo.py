"""Joint draws of what an option is worth: factors that all tasks share are drawn once, so that sums are honest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slmlens.savings.arrivals import Traffic
from slmlens.savings.assumptions import Assumptions
from slmlens.spend.months import Month

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
    :param decline: Yearly decline of prices.
    :param discount: Discount factor of each month of the horizon.
    :param falling: The same times the price level of the month: one row a month, one column a draw.
    :param parity: The common part of whether small models hold parity, standard normal.
    :param wrong_minutes: Minutes of a person for a wrong answer that is handled.
    :param handled_human: Share of wrong answers that are handled, where people read them.
    :param handled_machine: The same where none does.
    :param weak_wrong: Share of the free-text answers called different that are wrong.
    :param later_rollout: Work on the second and each later task that moves, over that on the first.
    """

    volume: np.ndarray
    prices: np.ndarray
    tuned: np.ndarray
    tokens: np.ndarray
    people: np.ndarray
    decline: np.ndarray
    discount: np.ndarray
    falling: np.ndarray
    parity: np.ndarray
    wrong_minutes: np.ndarray
    handled_human: np.ndarray
    handled_machine: np.ndarray
    weak_wrong: np.ndarray
    later_rollout: np.ndarray

    @cached_property
    def months_falling(self) -> np.ndarray:
        """Months of saving over the horizon, discounted, with prices falling."""
        summed: np.ndarray = self.falling.sum(axis=0)
        return summed

    @cached_property
    def months_flat(self) -> float:
        """Months of cost over the horizon, discounted."""
        return float(self.discount.sum())


@dataclass(frozen=True)
class Setting:
    """What every option of every task is valued with.

    :param traffic: When the calls arrived; None: self-hosting is not sized, only bounded from below.
    """

    assumptions: Assumptions
    shared: Shared
    seed: int
    traffic: Traffic | None = None


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

    def own(name: str) -> np.ndarray:
        return draw_triangular(name, assumptions, seed=seed, draws=draws)

    return Shared(
        volume=volume,
        prices=prices,
        tuned=triangular("hosted_tuned_price_factor"),
        tokens=triangular("tokenizer_ratio"),
        people=triangular("people_cost_factor"),
        decline=decline,
        discount=discount[:, 0],
        falling=discount * np.maximum(1 - decline, 0.0)[None, :] ** months,
        parity=rng.standard_normal(draws),
        wrong_minutes=own("wrong_answer_minutes"),
        handled_human=own("wrong_handled_share_human"),
        handled_machine=own("wrong_handled_share_machine"),
        weak_wrong=own("weak_wrong_share"),
        later_rollout=own("later_rollout_share"),
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


def draw_agreement(ranks: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Return draws of the agreement A.

    :param quantiles: Of A at equal steps from 0 to 1: its inverse distribution function.
    """
    steps = np.asarray(quantiles, dtype=float)
    # Even steps need no search: a tenth of the time of np.interp.
    at = ranks * (steps.size - 1)
    low = np.minimum(at.astype(np.intp), steps.size - 2)
    drawn: np.ndarray = steps[low] + (at - low) * np.diff(steps)[low]
    return drawn


def draw_triangular(name: str, assumptions: Assumptions, *, seed: int, draws: int) -> np.ndarray:
    """Return draws of an assumption from its own stream: one more assumption moves no other's draws."""
    low, mode, high = assumptions.triangle(name)
    if high <= low:
        return np.full(draws, mode)
    return _generator(seed, "assumption", name).triangular(low, mode, high, draws)


def draw_price(name: str, spread: float, *, seed: int, draws: int) -> np.ndarray:
    """Return the factor on one small model's hosted price, the same for every task that uses it."""
    drawn: np.ndarray = np.exp(spread * _generator(seed, "price", name).standard_normal(draws))
    return drawn


def percentiles(draws: np.ndarray) -> tuple[int, int, int]:
    """Return P10, P50 and P90 as whole nano-USD."""
    ordered = np.sort(draws)
    return quantile(ordered, 0.1), quantile(ordered, 0.5), quantile(ordered, 0.9)


def quantile(ordered: np.ndarray, share: float) -> int:
    """Return a quantile of sorted draws, linear between two of them, as whole nano-USD."""
    at = share * (ordered.size - 1)
    low = math.floor(at)
    high = min(low + 1, ordered.size - 1)
    below, above = float(ordered[low]), float(ordered[high])
    return round(below + (at - low) * (above - below))


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
