"""The ``tasks`` records of the summary: one joined row a task, then one plain record a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from slmlens.reporting.deployment_records import deployment_records, deployments_by_task
from slmlens.reporting.money import cents
from slmlens.reporting.worth_records import task_worth
from slmlens.results import Plan, Tasks
from slmlens.tables import FAILURES

_RANGE = ("p10", "p50", "p90")
_PARITY_FIELDS = ("slm", "a_p50", "a_lo90", "a_hi90", "a_lo80", "a_hi80", "p_parity")
_DIGITS = 4
_MAJORITY = 0.5


def bucket_of(action: str, *, in_plan: bool) -> str:
    """Return ``ready``, ``pilot`` or ``keep``: the part of the coverage bar that a task belongs to.

    :param in_plan: The plan acts on the task. One it leaves out is kept, whatever its action: it may have earned
        ``code`` or a pilot and still not repay the work at this volume.
    """
    if action == "keep" or not in_plan:
        return "keep"
    return "pilot" if action.startswith("pilot") else "ready"


def bucket(task: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return :func:`bucket_of` of a task's record in its summary."""
    return bucket_of(task["action"], in_plan=task["task_id"] in summary["plan"]["order"])


def task_rows(plan: Plan, by_task: pl.DataFrame) -> pl.DataFrame:
    """Join what every floor knows of a task.

    :param by_task: Of the ledger; a task that a person set aside as a whole is left out, its money being ``excluded``.
    :return: One row a task, largest run-rate first: ``TasksTable``, ``VerdictsTable``, ``ActionsTable`` (its reasons as
        ``action_reasons``), :func:`telling_option`, ``deployments``, :func:`call_figures`, ``spend_nusd`` and
        ``runrate_nusd`` (null: no call priced).
    """
    actions = plan.actions.drop("evidence").rename({"reasons": "action_reasons"})
    money = by_task.filter(~pl.col("excluded")).select("task_id", "spend_nusd", "runrate_nusd")
    return (
        plan.tasks.tasks.join(plan.verdicts.verdicts, on="task_id", how="inner", validate="1:1")
        .join(actions, on="task_id", how="inner", validate="1:1")
        .join(money, on="task_id", how="inner", validate="1:1")
        .join(telling_option(plan.savings), on="task_id", how="left", validate="1:1")
        .join(deployments_by_task(plan.savings), on="task_id", how="left", validate="1:1")
        .join(call_figures(plan.tasks), on="task_id", how="left", validate="1:1")
        .sort(pl.col("runrate_nusd").fill_null(-1), "n_calls", "task_id", descending=[True, True, False])
    )


def telling_option(savings: pl.DataFrame) -> pl.DataFrame:
    """Return the option to report of each task: the chosen one; for a task that is kept, the one nearest to paying."""
    acts = pl.col("chosen") & (pl.col("action") != "keep")
    return (
        savings.sort(
            "task_id",
            ~acts,
            pl.col("break_even_calls_month"),
            "deployment",
            "slm",
            nulls_last=True,
            maintain_order=True,
        )
        .unique("task_id", keep="first", maintain_order=True)
        .drop("action", "mode", "slm", "chosen")
    )


def call_figures(tasks: Tasks) -> pl.DataFrame:
    """Return by task: tokens (null where no call knows them), median latency, whether most answers face a person."""
    owner = tasks.assignments.select("call_id", "task_id").drop_nulls("task_id")
    return (
        tasks.calls.calls.join(owner, on="call_id", how="inner")
        .group_by("task_id")
        .agg(
            *[_sum_or_null(name) for name in ("input_tokens", "output_tokens")],
            pl.col("latency_ms").median().alias("latency_p50_ms"),
            (pl.col("human_facing").mean() >= _MAJORITY).alias("human_facing"),
        )
    )


def task_record(
    row: Mapping[str, Any], *, spend_usd: float | None, spend_share: float | None, runrate_usd: float | None
) -> dict[str, Any]:
    """Return the summary's record of one row of :func:`task_rows`; money that must add up comes in rounded."""
    return {
        "task_id": row["task_id"],
        "name": row["name"],
        "application": row["application"],
        "call_site": row["call_site"],
        "step_names": row["step_names"],
        "recurrence_unit": row["recurrence_unit"],
        "n_calls": row["n_calls"],
        "n_units": row["n_units"],
        "steps_per_session": _short(row["steps_per_session"], 2),
        "spend_usd": spend_usd,
        "spend_share": spend_share,
        "runrate_usd": runrate_usd,
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "latency_p50_ms": _short(row["latency_p50_ms"], 1),
        "human_facing": row["human_facing"],
        "output_kind": row["output_kind"],
        "stability": _short(row["stability"]),
        "failures": _failures(row["failures"]),
        "ceiling": _ceiling(row),
        "constant": _short(row["constant"]),
        "parity": {mode: _parity(row[mode]) for mode in ("swap", "tuned")},
        "grade": row["grade"],
        "evidence": row["evidence"],
        "action": row["action"],
        "keep_because": row["keep_because"],
        "hold": row["hold"],
        "levers": [
            {"name": lever["name"], "saving_month_usd": cents(lever["saving_month_nusd"]), "note": lever["note"]}
            for lever in row["levers"]
        ],
        "ladder": [
            {
                "name": rung["name"],
                "serves": rung["serves"],
                "saving_month_usd": cents(rung["saving_month_nusd"]),
                "remains_month_usd": cents(rung["remains_month_nusd"]),
                "chance": _short(rung["chance"]),
                "rests_on": rung["rests_on"],
            }
            for rung in row["ladder"]
        ],
        "reasons": list(dict.fromkeys([*row["reasons"], *row["action_reasons"]])),
        "pilot_calls": row["pilot_calls"],
        "candidates": [_rounded(candidate) for candidate in row["candidates"]],
        "capability": row["capability"],
        "picks": [_pick(one) for one in row["picks"]],
        "deployments": deployment_records(row["deployments"]),
        "skeleton": row["skeleton"],
        **_saving(row),
        **task_worth(row),
        "flips": row["flips"],
    }


def _saving(row: Mapping[str, Any]) -> dict[str, Any]:
    ends = {end: cents(row[f"{end}_nusd"]) for end in _RANGE}
    known = row["action"] != "keep" and None not in ends.values()
    return {
        "saving_month_usd": ends if known else None,
        "saving_per_1000_calls_usd": cents(row["saving_per_1000_calls_nusd"]),
        "break_even_calls_month": _short(row["break_even_calls_month"], 0),
        "payback_months": _short(row["payback_months"], 1),
    }


def _failures(counts: list[Mapping[str, Any]]) -> dict[str, int]:
    known = {entry["status"]: entry["n"] for entry in counts}
    return {status: known[status] for status in FAILURES if known.get(status)}


def _ceiling(row: Mapping[str, Any]) -> dict[str, Any] | None:
    if row["ceiling_pair"] is None:
        return None
    lo90, hi90 = _short(row["ceiling_lo90"]), _short(row["ceiling_hi90"])
    return {"pair": _short(row["ceiling_pair"]), "lo90": lo90, "hi90": hi90, "n": row["ceiling_n"]}


def _parity(estimate: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if estimate is None or estimate["slm"] is None:
        return None
    return {name: estimate[name] if name == "slm" else _short(estimate[name]) for name in _PARITY_FIELDS}


def _pick(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": one["kind"],
        "mode": one["mode"],
        "slm": one["slm"],
        **{name: _short(one[name]) for name in ("p_parity", "a_lo90", "a_hi90")},
        "value_usd": cents(one["value_nusd"]),
        "ties": one["ties"],
        "note": one["note"],
    }


def _sum_or_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)


def _short(value: float | None, digits: int = _DIGITS) -> float | None:
    return None if value is None else round(value, digits)


def _rounded(candidate: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in candidate.items()}
