"""Pilots worth running, from the summary: which task, which small model, how many calls, worth how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slmlens.reporting.card import name_of
from slmlens.reporting.money import usd_about
from slmlens.reporting.text import percent

_SHOWN = 10
_SOME_CHANCE = 0.01

Json = Mapping[str, Any]


def pilot_lines(summary: Json) -> list[dict[str, Any]]:
    """Return the rows of the table of pilots that are worth more than they cost.

    Where the worth can't be told, those with some chance to meet the target.
    """
    by_id = {task["task_id"]: task for task in summary["tasks"]}
    planned = [pilot for pilot in summary["plan"].get("pilots", ()) if pilot["task_id"] in by_id and _pays(pilot)]
    return [_line(pilot, by_id[pilot["task_id"]]) for pilot in planned[:_SHOWN]]


def _pays(pilot: Json) -> bool:
    value: float | None = pilot["value_usd"]
    return pilot["p_shown"] >= _SOME_CHANCE if value is None else value > 0


def _line(pilot: Json, task: Json) -> dict[str, Any]:
    how = "tuned on this task" if pilot["mode"] == "tuned" else "as it is"
    return {
        "name": name_of(task),
        "task_id": pilot["task_id"],
        "slm": pilot["slm"] or "a small model",
        "how": f"{how}; in a loop" if pilot["in_loop"] else how,
        "in_loop": pilot["in_loop"],
        "calls": f"{pilot['calls']:,}",
        "chance": percent(pilot["p_shown"]),
        "cost": f"about {usd_about(pilot['cost_usd'])}",
        "worth": _about(pilot["worth_if_shown_usd"]),
        "value": _about(pilot["value_usd"]),
    }


def _about(amount: float | None) -> str:
    return "not stated" if amount is None else f"about {usd_about(amount)}"
