"""The decision views of a plan as plain records: tornado, facts to learn, the set of tasks in the time there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.cash_flows import spent_once
from slmlens.savings.montecarlo import Setting, percentiles
from slmlens.savings.options import Option, best_by_action
from slmlens.savings.pools import SELF_HOSTED, GpuPool, gpu_pools, own_rent, without_rent
from slmlens.savings.portfolio import DAYS_A_WEEK, Portfolio, Project, choose
from slmlens.savings.routing import Split, Traffic, break_even, cascade, move, router
from slmlens.savings.sensitivity import plan_facts, plan_tornado
from slmlens.savings.totals import OWN_WORK, shared_rollout
from slmlens.savings.valuing import Valued
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD

_WORK = {"code": "code", "cache": "cache", "pilot-cheaper-llm": "cheaper_llm"}


def decision_views(
    order: Sequence[str], valued: Sequence[Valued], pilots: pl.DataFrame, setting: Setting
) -> dict[str, object]:
    """Return ``tornado``, ``facts`` and ``portfolio`` of ``Plan.total``; money in nano-USD over the horizon.

    ``tornado``: a record an input: ``input, unit, low, central, high, npv_low_nusd, npv_high_nusd, flip`` (None: no
    flip in a range that makes sense). ``facts``: ``fact, how, worth_nusd, cost_nusd``, the highest net worth first.
    ``portfolio``: ``budget_weeks`` (None: no limit), ``weeks, tasks`` (ids, in the order in which to do them),
    ``npv_nusd`` (p10, p50, p90), ``p_npv_positive``, ``gap`` (share by which another set may be better at most; 0: none
    is), ``left_out`` (``task_id, reason``) and ``pools``: GPUs that at least two of its tasks share, with ``slm, gpu,
    gpus, tasks, month_nusd, alone_nusd`` (a month with GPUs of their own) and ``not_alone`` (those of them that would
    not pay with GPUs of their own; the plan's other figures count each task alone). None: no month is known or nothing
    pays.

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
        "portfolio": _portfolio(acting, valued, setting),
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


@dataclass(frozen=True)
class _Set:
    """What could be taken on, and the best set of it.

    :param options: By task, the option that it would take.
    :param pools: The GPUs that some of them would share.
    """

    options: Mapping[str, Option]
    pools: Sequence[GpuPool]
    found: Portfolio

    def sharing(self, pool: GpuPool) -> list[str]:
        """Return the ids of the chosen tasks that share a pool."""
        return [task_id for task_id in self.found.tasks if task_id in pool.options]


def _portfolio(acting: Sequence[Valued], valued: Sequence[Valued], setting: Setting) -> dict[str, object] | None:
    weeks = setting.assumptions.central("budget_weeks")
    options = {task.volume.task_id: task.chosen for task in acting}
    best = _chosen(options, (), setting)
    for pool in gpu_pools(valued, options.keys(), setting):
        tried = _chosen({**best.options, **pool.options}, [*best.pools, pool], setting)
        if tried.found.value > best.found.value and all(len(tried.sharing(each)) > 1 for each in tried.pools):
            best = tried
    found = best.found
    if not found.tasks and not found.left_out:
        return None
    npv = _set_npv(best, setting)
    return {
        "budget_weeks": weeks if weeks > 0 else None,
        "weeks": found.days / DAYS_A_WEEK,
        "tasks": list(found.tasks),
        "npv_nusd": dict(zip(("p10", "p50", "p90"), percentiles(npv), strict=True)),
        "p_npv_positive": float((npv > 0).mean()),
        "gap": _gap(found),
        "left_out": [{"task_id": task_id, "reason": why} for task_id, why in sorted(found.left_out.items())],
        "pools": [_pool_row(pool, best.sharing(pool)) for pool in best.pools],
    }


def _chosen(options: Mapping[str, Option], pools: Sequence[GpuPool], setting: Setting) -> _Set:
    weeks = setting.assumptions.central("budget_weeks")
    shared = {task_id: pool for pool in pools for task_id in pool.options}
    projects = [
        _project(task_id, option, shared.get(task_id), setting)
        for task_id, option in options.items()
        if option.worth is not None and option.flows is not None
    ]
    found = choose(
        projects,
        budget_days=weeks * DAYS_A_WEEK if weeks > 0 else None,
        later_share=setting.assumptions.mean("later_rollout_share"),
    )
    return _Set(options, pools, found)


def _gap(found: Portfolio) -> float:
    return 0.0 if found.exact or found.value <= 0 else found.bound / found.value - 1


def _project(task_id: str, option: Option, pool: GpuPool | None, setting: Setting) -> Project:
    """Return an option as a project; in a pool it pays the pool's GPUs instead of its own."""
    assert option.worth is not None
    assert option.flows is not None
    days = _days(option, setting.assumptions)
    own = option.action in OWN_WORK
    rent = 0.0 if pool is None else float(pool.rent.mean())
    worth = option.worth.npv if pool is None else without_rent(option, setting)
    return Project(
        task_id=task_id,
        value=float(worth.mean()) - rent,
        own_days=days if own else 0.0,
        days=0.0 if own else days,
        roll_out=0.0 if own else float(spent_once(setting.shared, option.flows).mean()),
        month=float(option.worth.monthly.mean()),
        group=None if pool is None else pool.model,
        rent=rent,
    )


def _pool_row(pool: GpuPool, task_ids: Sequence[str]) -> dict[str, object]:
    alone = [task_id for task_id in task_ids if (pool.options[task_id].expected_npv or 0.0) <= 0]
    return {
        "slm": pool.model,
        "gpu": pool.serving.gpu,
        "gpus": pool.serving.gpus + pool.serving.spare,
        "tasks": list(task_ids),
        "month_nusd": round(pool.serving.usd_month[1] * NUSD_PER_USD),
        "alone_nusd": round(sum(pool.options[task_id].fixed_usd for task_id in task_ids) * NUSD_PER_USD),
        "not_alone": alone,
    }


def _days(option: Option, assumptions: Assumptions) -> float:
    """Return the engineering days of an option if it goes ahead, its pilot included."""
    verb = _WORK.get(option.action, option.action.rpartition("-")[2])
    parts = [verb]
    parts += ["pilot"] if option.action.startswith("pilot") else []
    parts += ["self_host"] if option.deployment == SELF_HOSTED else []
    return sum(assumptions.central(f"{part}_days") for part in parts)


def _set_npv(best: _Set, setting: Setting) -> np.ndarray:
    """Return draws of the NPV of a set, what it shares counted once."""
    options = {task_id: best.options[task_id] for task_id in best.found.tasks}
    works = [
        spent_once(setting.shared, option.flows)
        for option in options.values()
        if option.flows is not None and option.action not in OWN_WORK
    ]
    together = shared_rollout(works, setting.shared.later_rollout)
    for option in options.values():
        if option.worth is not None:
            together = together + option.worth.npv
    for pool in best.pools:
        together = together - pool.rent
        for task_id in best.sharing(pool):
            together = together + own_rent(options[task_id], setting)
    return together
