"""An option as a row of ``SavingsTable``: its money as percentiles, chances and months."""

from __future__ import annotations

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.cash_flows import payback_draws, payback_months, spent_once
from slmlens.savings.montecarlo import Setting, percentiles
from slmlens.savings.options import Option, break_even_calls
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD


def savings_row(option: Option, volume: Volume, setting: Setting, *, chosen: bool) -> dict[str, object]:
    """Return the option as a row of ``SavingsTable``; draws of its payback only where it is the chosen one."""
    assumptions = setting.assumptions
    known = option.saved_nusd is not None
    return {
        "task_id": volume.task_id,
        "action": option.action,
        "deployment": option.deployment,
        "mode": option.mode,
        "slm": option.slm,
        **_percentiles(option),
        "one_off_nusd": round(option.one_off_usd * NUSD_PER_USD),
        "payback_months": _payback(option, volume, assumptions),
        **_payback_spread(option, setting, chosen=chosen),
        "saving_per_1000_calls_nusd": round(1000 * ((option.saved_nusd or 0.0) - option.fixed_call_nusd))
        if known
        else None,
        "cost_per_1000_calls_nusd": None if option.call_nusd is None else round(1000 * option.call_nusd),
        "fixed_month_nusd": round(option.fixed_usd * NUSD_PER_USD),
        "rests_on": option.rests_on,
        "wrong_per_1000_calls_nusd": round(1000 * option.wrong_nusd) if known else None,
        "break_even_calls_month": break_even_calls(option, assumptions.central("horizon_months")),
        "chosen": chosen,
    }


def _percentiles(option: Option) -> dict[str, object]:
    names = ("p10_nusd", "p50_nusd", "p90_nusd", "npv_p10_nusd", "npv_p50_nusd", "npv_p90_nusd", "p_npv_positive")
    if option.worth is None:
        return dict.fromkeys(names)
    month, npv = percentiles(option.worth.monthly), percentiles(option.worth.npv)
    return dict(zip(names, (*month, *npv, float((option.worth.npv > 0).mean())), strict=True))


def _payback(option: Option, volume: Volume, assumptions: Assumptions) -> float | None:
    net = option.net_nusd
    if volume.billed_month is None or net is None or option.action == "keep" or option.saved_nusd is None:
        return None
    gross = volume.billed_month * option.saved_nusd * option.open_share
    flat = volume.billed_month * option.wrong_nusd * option.open_share + option.monthly_usd * NUSD_PER_USD
    return payback_months(gross, option.one_off_usd * NUSD_PER_USD, flat, assumptions.central("price_decline_year"))


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
