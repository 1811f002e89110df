"""An option as a row of ``SavingsTable``: its money as percentiles, chances and months."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.cash_flows import payback_draws, payback_months, spent_once
from slmlens.savings.montecarlo import Setting, percentiles
from slmlens.savings.options import Option, break_even_calls
from slmlens.savings.valuing import Valued
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD


def savings_rows(tasks: Sequence[Valued], setting: Setting) -> list[dict[str, object]]:
    """Return the options of all tasks as rows of ``SavingsTable``; draws of the payback only of chosen ones."""
    options = [(task.volume, option, option is task.chosen) for task in tasks for option in task.options]
    paybacks = _paybacks([(volume, option) for volume, option, _ in options], setting.assumptions)
    return [
        _row(volume, option, payback, setting, chosen=chosen)
        for (volume, option, chosen), payback in zip(options, paybacks, strict=True)
    ]


def _row(volume: Volume, option: Option, payback: float, setting: Setting, *, chosen: bool) -> dict[str, object]:
    return {
        "task_id": volume.task_id,
        "action": option.action,
        "deployment": option.deployment,
        "mode": option.mode,
        "slm": option.slm,
        **_percentiles(option),
        "one_off_nusd": round(option.one_off_usd * NUSD_PER_USD),
        "payback_months": payback if np.isfinite(payback) else None,
        **_payback_spread(option, setting, chosen=chosen),
        **_per_1000_calls(option),
        "fixed_month_nusd": round(option.fixed_usd * NUSD_PER_USD),
        "rests_on": option.rests_on,
        "break_even_calls_month": break_even_calls(option, setting.assumptions.central("horizon_months")),
        "chosen": chosen,
    }


def _per_1000_calls(option: Option) -> dict[str, object]:
    known = option.saved_nusd is not None
    saved = (option.saved_nusd or 0.0) - option.fixed_call_nusd
    return {
        "saving_per_1000_calls_nusd": round(1000 * saved) if known else None,
        "cost_per_1000_calls_nusd": None if option.call_nusd is None else round(1000 * option.call_nusd),
        "wrong_per_1000_calls_nusd": round(1000 * option.wrong_nusd) if known else None,
    }


def _percentiles(option: Option) -> dict[str, object]:
    names = ("p10_nusd", "p50_nusd", "p90_nusd", "npv_p10_nusd", "npv_p50_nusd", "npv_p90_nusd", "p_npv_positive")
    if option.worth is None:
        return dict.fromkeys(names)
    month, npv = percentiles(option.worth.monthly), percentiles(option.worth.npv)
    return dict(zip(names, (*month, *npv, np.count_nonzero(option.worth.npv > 0) / option.worth.npv.size), strict=True))


def _paybacks(options: Sequence[tuple[Volume, Option]], assumptions: Assumptions) -> list[float]:
    """Return the payback of each option at central values, if parity holds; infinite: never, no month or no price."""
    known = [
        (
            volume.billed_month * option.saved_nusd * option.open_share,
            option.one_off_usd * NUSD_PER_USD,
            volume.billed_month * option.wrong_nusd * option.open_share + option.monthly_usd * NUSD_PER_USD,
        )
        if volume.billed_month is not None and option.saved_nusd is not None and option.action != "keep"
        else (0.0, 1.0, 0.0)
        for volume, option in options
    ]
    gross, once, monthly = np.array(known, dtype=float).reshape(-1, 3).T
    found: list[float] = payback_months(gross, once, monthly, assumptions.central("price_decline_year")).tolist()
    return found


def _payback_spread(option: Option, setting: Setting, *, chosen: bool) -> dict[str, object]:
    """Return the spread of the payback over all draws, those in which parity does not hold among them."""
    names = ("payback_p10_months", "payback_p50_months", "payback_p90_months", "p_never_repaid")
    if not chosen or option.flows is None:
        return dict.fromkeys(names)
    drawn = payback_draws(setting.shared, [option.flows], spent_once(setting.shared, option.flows))
    return dict(zip(names, payback_spread(drawn), strict=True))


def payback_spread(drawn: np.ndarray) -> tuple[float | None, float | None, float | None, float]:
    """Return P10, P50 and P90 of draws of the payback (None: that draw never repays), and the share that never do."""
    ordered = np.sort(drawn)
    low, middle, high = (float(ordered[round(share * (ordered.size - 1))]) for share in (0.1, 0.5, 0.9))
    known = [end if np.isfinite(end) else None for end in (low, middle, high)]
    return known[0], known[1], known[2], float(np.isinf(ordered).mean())
