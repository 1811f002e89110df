"""Several tasks on one base model and the same GPUs, an adapter each: which could share, and what they pay together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.savings.cash_flows import Flows, months_at_work
from slmlens.savings.catalogue import small_models
from slmlens.savings.montecarlo import Setting, draw_volume
from slmlens.savings.options import Option
from slmlens.savings.serving import Pool, Serving, size_pool
from slmlens.savings.valuing import Valued
from slmlens.suitability.decide import OPEN_FROM
from slmlens.tables import NUSD_PER_USD

SELF_HOSTED = "self-hosted"
_AT_LEAST = 2


@dataclass(frozen=True)
class GpuPool:
    """Tasks that would run on one base model and the same GPUs.

    :param model: The base model.
    :param serving: The GPUs for all of ``options`` together.
    :param options: By task, its self-hosted option; its worth is as if it were alone, with GPUs of its own.
    :param rent: Draws of what the GPUs and their upkeep cost over the horizon, in nano-USD: only where parity holds for
        one of the tasks.
    """

    model: str
    serving: Serving
    options: Mapping[str, Option]
    rent: np.ndarray


def gpu_pools(tasks: Sequence[Valued], acting: Collection[str], setting: Setting) -> list[GpuPool]:
    """Return the pools of at least two tasks that may cost less than what each of them does alone, by base model.

    A task is in a pool if its self-hosted option would beat what the plan does with it now were the GPUs free: that
    of the action decided on, or, where only money speaks against a pilot, a pilot's. A pool is sized for all its tasks;
    for fewer it is an upper bound, which is the simplification: the set chosen pays the GPUs of the whole pool. Each
    task's adapter takes memory, also where the base model serves it as it is. Work that is done once is not pooled: it
    is shared as any roll-out is. Nothing is sized unless what is to be gained exceeds the largest member's own GPUs,
    as no pool costs less.

    :param tasks: Tasks that may be moved.
    :param acting: Ids of those that the plan acts on; of the others, nothing is paid now.
    """
    together: dict[str, dict[str, Option]] = {}
    for task in sorted(tasks, key=lambda task: task.volume.task_id):
        option = _self_hosted(task)
        if option is not None and _gain(task, option, acting, setting) > 0:
            together.setdefault(str(option.slm), {})[task.volume.task_id] = option
    by_id = {task.volume.task_id: task for task in tasks}
    found = []
    for model, options in sorted(together.items()):
        gain = sum(_gain(by_id[task_id], option, acting, setting) for task_id, option in options.items())
        least = max(own_rent(option, setting).mean() for option in options.values())
        pool = _sized(model, options, by_id, setting) if len(options) >= _AT_LEAST and gain > least else None
        if pool is not None:
            found.append(pool)
    return found


def own_rent(option: Option, setting: Setting) -> np.ndarray:
    """Return draws of what GPUs of its own and their upkeep cost an option over the horizon, in nano-USD."""
    flows = _flows(option)
    upkeep = setting.assumptions.monthly_usd("self_host") * NUSD_PER_USD * setting.shared.people
    rent: np.ndarray = flows.holds * (flows.fixed + upkeep) * months_at_work(setting.shared, flows)
    return rent


def without_rent(option: Option, setting: Setting) -> np.ndarray:
    """Return draws of what a self-hosted option would be worth on GPUs that somebody else pays, in nano-USD."""
    assert option.worth is not None
    worth: np.ndarray = option.worth.npv + own_rent(option, setting)
    return worth


def _self_hosted(task: Valued) -> Option | None:
    decision = task.decision
    actions = {decision.action}
    if decision.action == "keep" and decision.keep_because == "money":
        actions = {f"pilot-{verb}" for verb, mode in (("swap", "swap"), ("tune", "tuned")) if _may_hold(task, mode)}
    own = [
        option
        for option in task.options
        if option.action in actions and option.deployment == SELF_HOSTED and option.flows is not None
    ]
    return max(own, key=lambda option: option.expected_npv or 0.0, default=None)


def _may_hold(task: Valued, mode: str) -> bool:
    parity = task.verdict[mode]
    return isinstance(parity, dict) and (parity["p_parity"] or 0.0) >= OPEN_FROM


def _gain(task: Valued, option: Option, acting: Collection[str], setting: Setting) -> float:
    now = (task.chosen.expected_npv or 0.0) if task.volume.task_id in acting else 0.0
    return float(without_rent(option, setting).mean()) - now


def _sized(model: str, options: Mapping[str, Option], by_id: Mapping[str, Valued], setting: Setting) -> GpuPool | None:
    known = {} if setting.traffic is None else setting.traffic.by_task
    base = next((one for one in small_models() if one.name == model), None)
    arrivals = {task_id: known[task_id] for task_id in options if task_id in known}
    if base is None or len(arrivals) < len(options):
        return None
    pool = size_pool(arrivals, base, setting.assumptions, seed=setting.seed)
    if pool is None:
        return None
    return GpuPool(model, pool.serving, options, _rent(pool, options, by_id, setting))


def _rent(pool: Pool, options: Mapping[str, Option], by_id: Mapping[str, Valued], setting: Setting) -> np.ndarray:
    shared = setting.shared
    load = np.zeros(shared.volume.size)
    needed = np.zeros(shared.volume.size)
    months = 0.0
    for task_id, option in options.items():
        flows, units = _flows(option), by_id[task_id].volume.units
        load += pool.shares[task_id] * draw_volume(shared, task_id, units, seed=setting.seed)
        needed = np.maximum(needed, flows.holds)
        months = max(months, months_at_work(shared, flows))
    upkeep = setting.assumptions.monthly_usd("self_host") * shared.people
    rent: np.ndarray = needed * (pool.serving.month_drawn(setting, load) + upkeep) * NUSD_PER_USD * months
    return rent


def _flows(option: Option) -> Flows:
    assert option.flows is not None
    return option.flows
