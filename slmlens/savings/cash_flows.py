"""What an option brings in and costs over time, in joint draws: a month, the horizon, and until it has paid back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.savings.montecarlo import Shared
from slmlens.tables import NUSD_PER_USD

_YEAR = 12
PAYBACK_MONTHS = 120
"""What has not repaid the work within ten years never does."""
_NEWTON_STEPS = 12
_SETTLED_MONTHS = 0.01
_LEAST_FACTOR = 1e-6


@dataclass(frozen=True)
class Flows:
    """What an option brings in and costs; draws in nano-USD, positions as in :class:`Shared`.

    :param saving: Saving on calls in the first month; it falls as prices do.
    :param loss: What wrong answers cost a month; people's time does not get cheaper.
    :param holds: Draws (or a share) of parity.
    :param before_usd: Work that is paid whether or not parity holds.
    :param once_usd: Work that is paid only where it holds.
    :param monthly_usd: Work a month, where it holds.
    :param fixed: What runs whether or not a call comes, a month, such as GPUs, where parity holds.
    :param open_share: Share of the calls that no commitment covers, month by month from the first, at least up to the
        horizon; after its last month all are open. None: no commitment.
    """

    saving: np.ndarray
    loss: np.ndarray | float
    holds: np.ndarray | float
    before_usd: float
    once_usd: float
    monthly_usd: float
    fixed: np.ndarray | float = 0.0
    open_share: np.ndarray | None = None


@dataclass(frozen=True)
class Worth:
    """Draws of an option's money, in nano-USD.

    :param monthly: Saving in a month at the run-rate, as commitments stand today, after the cost of wrong answers and
        monthly work; 0 where parity does not hold.
    :param npv: Net present value over the horizon; where parity does not hold, what was spent to find out.
    """

    monthly: np.ndarray
    npv: np.ndarray


def worth(shared: Shared, flows: Flows) -> Worth:
    """Return what an option is worth, unconditionally: it counts only where parity holds.

    ``NPV = -work + sum over months of (saving x (1 - price decline)^t - loss - standing cost) / (1 + discount)^t``. A
    share of the calls under a commitment neither saves nor costs anything until that ends.
    """
    return after_work(shared, flows, running(shared, flows))


def after_work(shared: Shared, flows: Flows, before: Worth) -> Worth:
    """Return what an option is worth from what it would be worth without its one-off work: a pilot shares that."""
    return Worth(before.monthly, before.npv - spent_once(shared, flows))


def running(shared: Shared, flows: Flows) -> Worth:
    """Return :func:`worth` without the one-off work."""
    falling, flat, working = _discounted_months(shared, flows.open_share)
    first = 1.0 if flows.open_share is None else float(flows.open_share[0])
    standing = _standing(shared, flows)
    monthly = flows.holds * (first * (flows.saving - flows.loss) - float(first > 0) * standing)
    return Worth(monthly, flows.holds * (flows.saving * falling - flows.loss * flat - standing * working))


def months_at_work(shared: Shared, flows: Flows) -> float:
    """Return the discounted months of the horizon in which a call is moved: those that standing costs are paid."""
    return _discounted_months(shared, flows.open_share)[2]


def spent_once(shared: Shared, flows: Flows) -> np.ndarray:
    """Return draws of the one-off work, in nano-USD: that of going ahead only where parity holds."""
    spent: np.ndarray = (flows.before_usd + flows.holds * flows.once_usd) * NUSD_PER_USD * shared.people
    return spent


def payback_draws(shared: Shared, flows: Sequence[Flows], once: np.ndarray) -> np.ndarray:
    """Return draws of the month in which savings have repaid the work, undiscounted; infinite where they never do.

    :param flows: One option, or those of all tasks of a plan.
    :param once: Draws of their one-off work, in nano-USD.
    """
    if any(each.open_share is not None for each in flows):
        return _payback_by_month(shared, flows, once)
    saving = _added([each.holds * each.saving for each in flows], once)
    monthly = _added([each.holds * (each.loss + _standing(shared, each)) for each in flows], once)
    return _payback_at_once(saving, once, monthly, shared.decline)


def payback_months(gross: np.ndarray, once: np.ndarray, monthly: np.ndarray, decline_year: float) -> np.ndarray:
    """Return the month in which the saving of each option has repaid its work; infinite: not within ten years.

    :param gross: Saving on calls in the first month; it falls with prices.
    :param once: One-off cost.
    :param monthly: Cost a month.
    :param decline_year: Yearly decline of prices.
    """
    return _payback_at_once(gross, once, monthly, np.full(gross.shape, decline_year))


def _discounted_months(shared: Shared, open_share: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | float, float]:
    """Return the discounted months of saving, of loss, and those in which anything is moved."""
    if open_share is None:
        return shared.months_falling, shared.months_flat, shared.months_flat
    within = open_share[: shared.discount.size]
    return within @ shared.falling, float(within @ shared.discount), float((within > 0) @ shared.discount)


def _payback_at_once(saving: np.ndarray, once: np.ndarray, monthly: np.ndarray, decline: np.ndarray) -> np.ndarray:
    """Solve ``saving x (r + .. + r^t) - monthly x t = once`` for t, where r is a month's price factor.

    The left side is concave in t and starts below the right, so Newton's steps from 0 never pass the first root.
    """
    months = np.full(saving.shape, np.inf)
    hopeful = np.flatnonzero(saving > monthly)
    saving, once, monthly, decline = saving[hopeful], once[hopeful], monthly[hopeful], decline[hopeful]
    factor = np.clip(1 - decline, _LEAST_FACTOR, 1 - _LEAST_FACTOR) ** (1 / _YEAR)
    log, level = np.log(factor), saving * factor / (1 - factor)
    at = np.zeros(saving.shape)
    for _ in range(_NEWTON_STEPS):
        left = np.expm1(log * at)
        missing = np.maximum(once + monthly * at + level * left, 0.0)
        slope = -level * log * (left + 1) - monthly
        step = np.divide(missing, slope, out=np.full(at.shape, np.inf), where=(slope > 0) & (at <= PAYBACK_MONTHS))
        step = np.where(missing > 0, step, 0.0)
        at = np.minimum(at + step, 2 * PAYBACK_MONTHS)
        if step.max(initial=0.0) <= _SETTLED_MONTHS:
            break
    months[hopeful] = np.where(at <= PAYBACK_MONTHS, at, np.inf)
    return months


def _payback_by_month(shared: Shared, flows: Sequence[Flows], once: np.ndarray) -> np.ndarray:
    months = np.arange(1, PAYBACK_MONTHS + 1)
    price = np.maximum(1 - shared.decline, 0.0)[None, :] ** (months[:, None] / _YEAR)
    total = np.zeros_like(price)
    for each in flows:
        share = np.ones(PAYBACK_MONTHS)
        if each.open_share is not None:
            share[: each.open_share.size] = each.open_share[:PAYBACK_MONTHS]
        calls = share[:, None] * (each.saving * price - each.loss)
        total += each.holds * (calls - (share[:, None] > 0) * _standing(shared, each))
    repaid = np.cumsum(total, axis=0) >= once
    return np.where(repaid.any(axis=0), months[repaid.argmax(axis=0)].astype(float), np.inf)


def _standing(shared: Shared, flows: Flows) -> np.ndarray:
    standing: np.ndarray = flows.monthly_usd * NUSD_PER_USD * shared.people + flows.fixed
    return standing


def _added(parts: Sequence[np.ndarray], like: np.ndarray) -> np.ndarray:
    return np.sum(parts, axis=0) if parts else np.zeros_like(like)
