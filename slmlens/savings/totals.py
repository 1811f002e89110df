"""The figures of a whole plan: the sum of joint draws, the order of work, and how much of the spend it covers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from slmlens.results import Verdicts
from slmlens.savings.montecarlo import percentiles
from slmlens.savings.valuing import Valued
from slmlens.spend.ledger import build_ledger
from slmlens.spend.months import Month
from slmlens.tables import NUSD_PER_USD

READY = ("code", "cache", "migrate-swap", "migrate-tune")
"""Actions that need no further evidence."""


def plan_total(
    valued: Sequence[Valued], verdicts: Verdicts, month: Month, excluded: Collection[str]
) -> dict[str, object]:
    """Return ``Plan.total``; see :func:`slmlens.savings.plan.plan` for its keys.

    :param month: The month estimate of the whole log.
    :param excluded: Ids of tasks or calls that are set aside: they are in no saving.
    """
    aside = set(excluded)
    paying = [
        task
        for task in valued
        if task.decision.action != "keep" and _expected(task) > 0 and task.volume.task_id not in aside
    ]
    paying.sort(key=lambda task: (-_expected(task), task.volume.task_id))
    draws = [task.chosen.worth.monthly for task in paying if task.chosen.worth is not None]
    saving: dict[str, int] | None = None
    if month.mid_nusd is not None:
        sums = percentiles(np.sum(draws, axis=0)) if draws else (0, 0, 0)
        saving = dict(zip(("p10", "p50", "p90"), sums, strict=True))
    return {
        "saving_month_nusd": saving,
        "sum_of_p50_nusd": sum(percentiles(drawn)[1] for drawn in draws),
        "one_off_nusd": sum(round(task.chosen.one_off_usd * NUSD_PER_USD) for task in paying),
        "order": [task.volume.task_id for task in paying],
        "coverage_nusd": _coverage(valued, verdicts, excluded),
        "month": month,
    }


def _expected(task: Valued) -> float:
    """Return the expected NPV; where no month is known, what the log's own calls would have saved."""
    expected = task.chosen.expected_npv
    return (task.chosen.saved_nusd or 0.0) * task.volume.billed_calls if expected is None else expected


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
