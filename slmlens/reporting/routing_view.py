"""A task's table on moving all of its calls, or only a share by a router or a cascade, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slmlens.reporting.money import usd_about
from slmlens.reporting.text import percent

Json = Mapping[str, Any]


def routing_lines(task: Json) -> list[dict[str, str]]:
    """Return the rows of a task's table on moving it whole, by a router or by a cascade."""
    return [_split(row) for row in task.get("routing", ())]


def _split(row: Json) -> dict[str, str]:
    way = str({"move": "All calls moved", "router": "A router", "cascade": "A cascade"}.get(row["way"], row["way"]))
    saving = f"about {usd_about(row['saving_month_usd'])}"
    if row["way"] != "move":
        saving += f" ({usd_about(row['saving_low_usd'])} to {usd_about(row['saving_high_usd'])})"
    losses = [
        f"{word} {usd_about(amount)}"
        for word, amount in (("paid twice", row["paid_twice_usd"]), ("cold cache", row["cache_loss_usd"]))
        if amount > 0
    ]
    return {
        "way": way,
        "share": percent(row["share"]),
        "saving": saving,
        "losses": "; ".join(losses) or "none",
        "pays": _pays(row),
        "latency": "not known" if row["latency_factor"] is None else f"{row['latency_factor']:.2g} times",
    }


def _pays(row: Json) -> str:
    if row["way"] == "move":
        return "from the first call" if row["saving_month_usd"] > 0 else "at no volume"
    return "at no share" if row["breaks_even_at"] is None else f"from {percent(row['breaks_even_at'])} of the calls"
