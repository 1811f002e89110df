"""What the report says on the sources of prices, prepaid money, tags and the invoice, in words, from the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmlens.reporting.money import places_for, usd
from slmlens.reporting.text import counted, shorten

Json = Mapping[str, Any]

_SOURCES = {
    "your file": "your price file",
    "your discount": "a price list less your discount",
    "correction": "our dated corrections",
    "genai-prices": "genai-prices",
    "model-prices": "model-prices",
}
_MOST_VALUES = 25
_MOST_LINES = 25
_MOST_TASKS = 3
_NAME = 60


def source_lines(ledger: Json) -> list[str]:
    """Return a sentence on where prices are from, and one on each part that is a list-price equivalent."""
    sources = ledger.get("price_sources") or []
    lines = []
    if sources:
        places = places_for([row["usd"] for row in sources])
        parts = [
            f"{_SOURCES.get(row['source'], row['source'])} ({counted(row['calls'], 'call')}, {usd(row['usd'], places)})"
            for row in sources
        ]
        lines.append(f"Prices are from {'; '.join(parts)}.")
    if ledger.get("seat_usd"):
        lines.append(f"Paid by a seat plan: {usd(ledger['seat_usd'])}, a list-price equivalent and no expense.")
    if ledger.get("prepaid_usd"):
        lines.append(
            f"Prepaid by a commitment: {usd(ledger['prepaid_usd'])}, a list-price equivalent until the commitment ends."
        )
    return lines


def tag_view(summary: Json) -> dict[str, Any] | None:
    """Return the table of a cost-allocation tag: key, lines, a line of the rest and the total; None: no tag."""
    tags = summary["ledger"].get("tags")
    if not tags:
        return None
    names = {task["task_id"]: task["name"] for task in summary["tasks"]}
    places = places_for([row["usd"] for row in tags["values"]])
    shown, hidden = _split(tags["values"])
    rows = [
        {
            "value": "untagged" if row["value"] is None else shorten(row["value"], _NAME),
            "calls": f"{row['calls']:,}",
            "usd": usd(row["usd"], places) if row["priced_calls"] else "not priced",
            "tasks": _tasks(row["tasks"], names, places),
        }
        for row in shown
    ]
    if hidden:
        rest = round(sum(row["usd"] for row in hidden), 6)
        calls = sum(row["calls"] for row in hidden)
        rows.append(
            {"value": f"{len(hidden)} more values", "calls": f"{calls:,}", "usd": usd(rest, places), "tasks": ""}
        )
    total = round(sum(row["usd"] for row in tags["values"]), 6)
    calls = f"{sum(row['calls'] for row in tags['values']):,}"
    return {"key": shorten(tags["key"], _NAME), "rows": rows, "total": usd(total, places), "calls": calls}


def invoice_view(summary: Json) -> dict[str, Any] | None:
    """Return the comparison with an invoice: its sentence, reasons and the lines that differ most; None: no invoice."""
    invoice = summary["ledger"].get("invoice")
    if not invoice:
        return None
    differing = [line for line in invoice["lines"] if line["reason"] or line["open_usd"]]
    differing.sort(key=lambda line: -abs(line["open_usd"]) - abs(line["explained_usd"]) / 1e6)
    return {
        "file": invoice["file"],
        "sentence": invoice["sentence"],
        "equal": len(invoice["lines"]) - len(differing),
        "lines": [_invoice_line(line) for line in differing[:_MOST_LINES]],
        "left": max(len(differing) - _MOST_LINES, 0),
    }


def _split(values: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """Return the values to show and the others; the untagged calls are always shown, and one value is never hidden."""
    if len(values) <= _MOST_VALUES + 1:
        return list(values), []
    tagged = [row for row in values if row["value"] is not None]
    untagged = [row for row in values if row["value"] is None]
    return [*tagged[:_MOST_VALUES], *untagged], tagged[_MOST_VALUES:]


def _tasks(tasks: Sequence[Json], names: Mapping[str, str], places: int) -> str:
    named = [(names.get(row["task_id"], "in no task"), row["usd"]) for row in tasks if row["usd"]]
    shown = [f"{shorten(name, _NAME)} {usd(value, places)}" for name, value in named[:_MOST_TASKS]]
    more = len(named) - len(shown)
    return "; ".join([*shown, *([f"{more} more"] if more else [])])


def _invoice_line(line: Json) -> dict[str, str]:
    days = " to ".join(dict.fromkeys(day for day in (line["start"], line["end"]) if day))
    return {
        "model": shorten(line["model"], _NAME) or "(no text)",
        "days": days or "no day",
        "invoice": usd(line["invoice_usd"]),
        "log": usd(line["log_usd"]),
        "explained": usd(line["explained_usd"]),
        "open": usd(line["open_usd"]),
        "reason": line["reason"] or "no reason found",
    }
