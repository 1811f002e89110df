"""The figures of a whole plan: the sum of joint draws, the order of work, and how much of the spend it covers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from slmlens.results import Verdicts
from slmlens.savings.cash_flows import payback_draws, spent_once
from slmlens.savings.montecarlo import Shared, percentiles
from slmlens.savings.options import Option
from slmlens.savings.savings_rows import payback_spread
from slmlens.savings.valuing import Valued
from slmlens.spend.ledger import build_ledger
from slmlens.spend.months import Month
from slmlens.tables import NUSD_PER_USD

READY = ("code", "cache", "migrate-swap", "migrate-tune")
"""Actions that need no further evidence."""
OWN_WORK = ("code", "cache")
"""Actions whose work is not shared with moving other tasks."""
_ENDS = ("p10", "p50", "p90")


def plan_total(
    valued: Sequence[Valued], verdicts: Verdicts, month: Month, shared: Shared, excluded: Collection[str]
) -> dict[str, object]:
    """Return ``Plan.total``; figures are joint draws over the tasks in ``order``, in nano-USD, None without a month.

    ``order``: tasks whose action has a positive expected value, highest first. ``saving_month_nusd``, ``npv_nusd`` and
    ``payback_months``: p10, p50, p90 (a payback: None where that draw never repays). ``sum_of_p50_nusd`` and
    ``npv_sum_of_p50_nusd``: sums of the tasks' own medians. ``p_npv_positive``, ``p_never_repaid``. ``one_off_nusd``:
    the sum of what each task's work costs alone; ``one_off_together_nusd``: of all in one roll-out, which is what the
    plan's NPV and payback take. ``coverage_nusd``: spend by ready, pilot, keep, unassigned, excluded, adding up to what
    was imported. ``month``: the estimate for the whole log.

    :param month: The month estimate of the whole log.
    :param shared: The draws that all tasks share.
    :param excluded: Ids of tasks or calls that are set aside: they are in no saving.
    """
    aside = set(excluded)
    paying = [
        task
        for task in valued
        if task.decision.action != "keep" and _expected(task) > 0 and task.volume.task_id not in aside
    ]
    paying.sort(key=lambda task: (-_expected(task), task.volume.task_id))
    chosen = [task.chosen for task in paying]
    return {
        **plan_money(chosen, shared, known=month.mid_nusd is not None),
        "one_off_nusd": sum(round(option.one_off_usd * NUSD_PER_USD) for option in chosen),
        "one_off_together_nusd": round(_together_usd(chosen, shared) * NUSD_PER_USD),
        "order": [task.volume.task_id for task in paying],
        "coverage_nusd": _coverage(valued, verdicts, excluded),
        "month": month,
    }


def shared_rollout(works: Sequence[np.ndarray], later_share: np.ndarray) -> np.ndarray:
    """Return what moving tasks together takes off the sum of their one-off work.

    They share evaluation, routing and rollback: the task with the most work pays in full, each other one a share of
    its own, ``(1 - share) x (sum - largest)``. Which task comes first does not matter.

    :param works: Draws of the one-off work of each task that moves to another model.
    :param later_share: Draws of the share.
    """
    if not works:
        return np.zeros_like(later_share)
    stacked = np.stack(works)
    saved: np.ndarray = (1 - later_share) * (stacked.sum(axis=0) - stacked.max(axis=0))
    return saved


def plan_money(chosen: Sequence[Option], shared: Shared, *, known: bool) -> dict[str, object]:
    """Return the figures of joint draws; None where no month is known."""
    worths = [option.worth for option in chosen if option.worth is not None]
    flows = [option.flows for option in chosen if option.flows is not None]
    once = [spent_once(shared, each) for each in flows]
    moved = [option.flows for option in chosen if option.flows is not None and option.action not in OWN_WORK]
    together = shared_rollout([spent_once(shared, each) for each in moved], shared.later_rollout)
    npv = _summed([each.npv for each in worths], together) + together
    spread = payback_spread(payback_draws(shared, flows, _summed(once, together) - together))
    return {
        "saving_month_nusd": _range(_summed([each.monthly for each in worths], together)) if known else None,
        "sum_of_p50_nusd": sum(percentiles(each.monthly)[1] for each in worths),
        "npv_nusd": _range(npv) if known else None,
        "npv_sum_of_p50_nusd": sum(percentiles(each.npv)[1] for each in worths) if known else None,
        "p_npv_positive": float((npv > 0).mean()) if known and worths else None,
        "payback_months": dict(zip(_ENDS, spread, strict=False)) if known and flows else None,
        "p_never_repaid": spread[-1] if known and flows else None,
    }


def _together_usd(chosen: Sequence[Option], shared: Shared) -> float:
    moved = [option.one_off_usd for option in chosen if option.action not in OWN_WORK]
    return sum(option.one_off_usd for option in chosen) - float(
        shared_rollout([np.full_like(shared.later_rollout, work) for work in moved], shared.later_rollout).mean()
    )


def _summed(draws: Sequence[np.ndarray], like: np.ndarray) -> np.ndarray:
    return np.sum(draws, axis=0) if draws else np.zeros_like(like)


def _range(draws: np.ndarray) -> dict[str, int]:
    return dict(zip(_ENDS, percentiles(draws), strict=True))


def _expected(task: Valued) -> float:
    """Return the expected NPV; where no month is known, what the log's own calls would have saved."""
    expected = task.chosen.expected_npv
    return (task.chosen.net_nusd or 0.0) * task.volume.billed_calls if expected is None else expected


def _coverage(valued: Sequence[Valued], verdicts: Verdicts, excluded: Collection[str]) -> dict[str, int]:
    tasks = verdicts.tasks
    ledger = build_ledger(tasks.calls.calls, tasks.assignments, excluded=excluded)
    kind = {task.volume.task_id: _kind(task.decision.action) for task in valued}
    coverage = {
        "ready": 0,
        "pilot": 0,
        "keep": 0,
        "unassigned": ledger.unassigned_nusd,
        "excluded": ledger.excluded_nusd,
    }
    spend = ledger.by_task.filter(pl.col("task_id").is_not_null() & ~pl.col("excluded"))
    for task_id, nusd in spend.select("task_id", pl.col("spend_nusd").fill_null(0)).iter_rows():
        coverage[kind[task_id]] += nusd
    return coverage | {"unassigned": ledger.unassigned_nusd, "excluded": ledger.excluded_nusd}


def _kind(action: str) -> str:
    if action in READY:
        return "ready"
    return "keep" if action == "keep" else "pilot"
