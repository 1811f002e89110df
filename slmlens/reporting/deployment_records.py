"""The ways to run a small model for each task, side by side: as records of the summary and as lines to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from slmlens.reporting.money import cents, usd_about

_MOVES = ("migrate-swap", "migrate-tune")
_NAMES = {"hosted-base": "Hosted, as it is", "hosted-tuned": "Hosted, tuned", "self-hosted": "Self-hosted"}
_TUNED_HERE = "Self-hosted, tuned"


def deployments_by_task(savings: pl.DataFrame) -> pl.DataFrame:
    """Return ``task_id`` and ``deployments``: rows of ``SavingsTable`` that run a small model, by mode, hosted first.

    Pilots are left out: they lead to the same deployments.
    """
    found = (
        savings.filter(pl.col("action").is_in(_MOVES))
        .sort("task_id", "mode", "deployment", "slm", nulls_last=True)
        .select(
            "task_id",
            pl.struct(
                "deployment",
                "mode",
                "slm",
                "cost_per_1000_calls_nusd",
                "fixed_month_nusd",
                "one_off_nusd",
                "break_even_calls_month",
                "p50_nusd",
                "rests_on",
            ).alias("deployments"),
        )
    )
    return found.group_by("task_id", maintain_order=True).agg("deployments")


def deployment_records(rows: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return the ``deployments`` of a task's record, money in US dollars."""
    return [
        {
            "deployment": row["deployment"],
            "mode": row["mode"],
            "slm": row["slm"],
            "cost_per_1000_calls_usd": cents(row["cost_per_1000_calls_nusd"]),
            "fixed_month_usd": cents(row["fixed_month_nusd"]),
            "one_off_usd": cents(row["one_off_nusd"]),
            "break_even_calls_month": _whole(row["break_even_calls_month"]),
            "saving_month_p50_usd": cents(row["p50_nusd"]),
            "rests_on": row["rests_on"],
        }
        for row in rows or ()
    ]


def deployment_lines(task: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the cells of a table: how and where the model runs, its costs, and from how many calls it repays.

    What two of them rest on alike is said once, by the first.
    """
    rows = task.get("deployments", ())
    said = {row["rests_on"]: at for at, row in reversed(list(enumerate(rows)))}
    return [
        {
            "name": _name(row),
            "slm": row["slm"] or "",
            "calls": _usd(row["cost_per_1000_calls_usd"]),
            "fixed": _usd(row["fixed_month_usd"]),
            "once": _usd(row["one_off_usd"]),
            "repays": _calls(row["break_even_calls_month"]),
            "rests_on": (row["rests_on"] or "") if said[row["rests_on"]] == at else "",
        }
        for at, row in enumerate(rows)
    ]


def _name(row: Mapping[str, Any]) -> str:
    own_tuned = row["deployment"] == "self-hosted" and row["mode"] == "tuned"
    return _TUNED_HERE if own_tuned else _NAMES.get(row["deployment"], row["deployment"])


def _usd(value: float | None) -> str:
    return "not known" if value is None else usd_about(value)


def _calls(value: float | None) -> str:
    return "never" if value is None else f"{float(f'{value:.1e}'):,.0f}"


def _whole(value: float | None) -> float | None:
    return None if value is None else round(value, 0)
