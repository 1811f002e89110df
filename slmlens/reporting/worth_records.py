"""What the plan and each task are worth over the horizon, as records of the summary: ranges, chances, months."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slmlens.reporting.money import cents
from slmlens.results import Plan

_ENDS = ("p10", "p50", "p90")

Json = dict[str, Any]


def plan_worth(plan: Plan) -> Json:
    """Return the plan's NPV, its chance to pay, its payback and its work in one roll-out; null without a month."""
    total: Mapping[str, Any] = plan.total
    npv, months = total.get("npv_nusd"), total.get("payback_months")
    return {
        "npv_usd": None if npv is None else {end: cents(npv[end]) for end in _ENDS},
        "npv_sum_of_task_p50_usd": cents(total.get("npv_sum_of_p50_nusd")),
        "p_npv_positive": _short(total.get("p_npv_positive")),
        "payback": None if months is None else _payback(months, total.get("p_never_repaid")),
        "one_off_together_usd": cents(total.get("one_off_together_nusd")),
    }


def task_worth(row: Mapping[str, Any]) -> Json:
    """Return the same of one task's option, and what its wrong answers cost.

    :param row: A row of :func:`slmlens.reporting.task_records.task_rows`.
    """
    ends = {end: cents(row[f"npv_{end}_nusd"]) for end in _ENDS}
    known = row["action"] != "keep" and None not in ends.values()
    months = {end: row[f"payback_{end}_months"] for end in _ENDS}
    return {
        "npv_usd": ends if known else None,
        "p_npv_positive": _short(row["p_npv_positive"]) if known else None,
        "payback": None if row["p_never_repaid"] is None else _payback(months, row["p_never_repaid"]),
        "wrong_per_1000_calls_usd": cents(row["wrong_per_1000_calls_nusd"]),
    }


def _payback(months: Mapping[str, float | None], never: float | None) -> Json:
    known = {f"{end}_months": None if (at := months[end]) is None else round(at, 1) for end in _ENDS}
    return {**known, "p_never": _short(never)}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
