"""The decision views of a plan as plain records: tornado, facts to learn, the set of tasks in the time there is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.cash_flows import spent_once
from slmlens.savings.montecarlo import Setting, percentiles
from slmlens.savings.options import Option, best_by_action
from slmlens.savings.portfolio import DAYS_A_WEEK, Portfolio, Project, choose
from slmlens.savings.routing import Split, Traffic, break_even, cascade, move, router
from slmlens.savings.sensitivity import plan_facts, plan_tornado
from slmlens.savings.totals import OWN_WORK, shared_rollout
from slmlens.savings.valuing import Valued
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD

_WORK = {"code": "code", "cache": "cache", "pilot-cheaper-llm": "cheaper_llm"}
_SELF_HOSTED = "self-hosted"


def decision_views(
    order: Sequence[str], valued: Sequence[Valued], pilots: pl.DataFrame, setting: Setting
) -> dict[str, object]:
    """Return ``tornado``, ``facts`` and ``portfolio`` of ``Plan.total``; money in nano-USD over the horizon.

    ``tornado``: a record an input: ``input, unit, low, central, high, npv_low_nusd, npv_high_nusd, flip`` (None: no
    flip in a range that makes sense). ``facts``: ``fact, how, worth_nusd, cost_nusd``, the highest net worth first.
    ``portfolio``: ``budget_weeks`` (None: no limit), ``weeks, tasks`` (ids, in the order in which to do them),
    ``npv_nusd`` (p10, p50, p90), ``p_npv_positive``, ``gap`` (share by which another set may be better at most; 0: none
    is) and ``left_out`` (``task_id, reason``); None: no month is known or nothing pays.

    :param order: Ids of the tasks that the plan acts on.
    :param pilots: ``PilotPlanTable``.
    """
    by_id = {task.volume.task_id: task for task in valued}
    acting = [by_id[task_id] for task_id in order]
    return {
        "tornado": [
            {
                "input": bar.swing.name,
                "unit": bar.swing.unit,
                "low": bar.swing.low,
                "central": bar.swing.central,
                "high": bar.swing.high,
                "npv_low_nusd": round(bar.at_low),
                "npv_high_nusd": round(bar.at_high),
                "flip": bar.flip,
            }
            for bar in plan_tornado(acting, setting)
        ],
        "facts": [
            {"fact": fact.name, "how": fact.how, "worth_nusd": fact.worth_nusd, "cost_nusd": fact.cost_nusd}
            for fact in plan_facts(acting, valued, pilots, setting)
        ],
        "portfolio": _portfolio(acting, setting),
    }


def routing_rows(volume: Volume, options: Sequence[Option], assumptions: Assumptions) -> list[dict[str, object]]:
    """Return what it saves to move a task whole, by a router and by a cascade, at the small model that saves most.

    ``way, share, saving_month_nusd`` (before people cost and wrong answers), the same at the low and high end of the
    share, ``breaks_even_at, paid_twice_nusd, cache_loss_nusd, latency_factor`` (over the present model's). Empty where
    no small model has a price or no month is known.
    """
    small = [
        (option.call_nusd + option.fixed_call_nusd, option.slm)
        for option in best_by_action(options).values()
        if option.call_nusd is not None
    ]
    if not small or not volume.billed_month or volume.call_nusd is None:
        return []
    traffic = Traffic(
        calls=volume.billed_month,
        large=volume.call_nusd,
        small=min(small)[0],
        route=assumptions.central("route_call_usd") * NUSD_PER_USD,
        cached_share=volume.cache_read_share,
        cache_saves=volume.cache_saves_nusd,
        large_ms=1.0,
        small_ms=assumptions.central("small_latency_factor"),
    )
    low, middle, high = assumptions.triangle("routed_share")
    rows = [_split_row([move(traffic)] * 3, None)]
    return rows + [
        _split_row([way(traffic, at) for at in (low, middle, high)], break_even(way.__name__, traffic))
        for way in (router, cascade)
    ]


def _split_row(splits: Sequence[Split], breaks_even_at: float | None) -> dict[str, object]:
    low, middle, high = splits
    return {
        "way": middle.way,
        "share": middle.share,
        "saving_month_nusd": round(middle.saving),
        "saving_low_nusd": round(low.saving),
        "saving_high_nusd": round(high.saving),
        "breaks_even_at": breaks_even_at,
        "paid_twice_nusd": round(middle.paid_twice),
        "cache_loss_nusd": round(middle.cache_loss),
        "latency_factor": middle.latency_ms,
    }


def _portfolio(acting: Sequence[Valued], setting: Setting) -> dict[str, object] | None:
    assumptions = setting.assumptions
    projects = [project for task in acting if (project := _project(task, setting)) is not None]
    if not projects:
        return None
    weeks = assumptions.central("budget_weeks")
    found = choose(
        projects,
        budget_days=weeks * DAYS_A_WEEK if weeks > 0 else None,
        later_share=assumptions.mean("later_rollout_share"),
    )
    npv = _set_npv([task for task in acting if task.volume.task_id in found.tasks], setting)
    return {
        "budget_weeks": weeks if weeks > 0 else None,
        "weeks": found.days / DAYS_A_WEEK,
        "tasks": list(found.tasks),
        "npv_nusd": dict(zip(("p10", "p50", "p90"), percentiles(npv), strict=True)),
        "p_npv_positive": float((npv > 0).mean()),
        "gap": _gap(found),
        "left_out": [{"task_id": task_id, "reason": why} for task_id, why in sorted(found.left_out.items())],
    }


def _gap(found: Portfolio) -> float:
    return 0.0 if found.exact or found.value <= 0 else found.bound / found.value - 1


def _project(task: Valued, setting: Setting) -> Project | None:
    option = task.chosen
    if option.worth is None or option.flows is None:
        return None
    days = _days(option, setting.assumptions)
    own = option.action in OWN_WORK
    return Project(
        task_id=task.volume.task_id,
        value=float(option.worth.npv.mean()),
        own_days=days if own else 0.0,
        days=0.0 if own else days,
        roll_out=0.0 if own else float(spent_once(setting.shared, option.flows).mean()),
        month=float(option.worth.monthly.mean()),
    )


def _days(option: Option, assumptions: Assumptions) -> float:
    """Return the engineering days of an option if it goes ahead, its pilot included."""
    verb = _WORK.get(option.action, option.action.rpartition("-")[2])
    parts = [verb]
    parts += ["pilot"] if option.action.startswith("pilot") else []
    parts += ["self_host"] if option.deployment == _SELF_HOSTED else []
    return sum(assumptions.central(f"{part}_days") for part in parts)


def _set_npv(tasks: Sequence[Valued], setting: Setting) -> np.ndarray:
    """Return draws of the NPV of a set, what it shares counted once."""
    options = [task.chosen for task in tasks]
    works = [
        spent_once(setting.shared, option.flows)
        for option in options
        if option.flows is not None and option.action not in OWN_WORK
    ]
    together = shared_rollout(works, setting.shared.later_rollout)
    for option in options:
        if option.worth is not None:
            together = together + option.worth.npv
    return together
