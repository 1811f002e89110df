"""Where the money of the ledger comes from and whose it is: sources of prices, prepaid parts, tags, the invoice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from slmlens.reporting.money import apportion, cents, dollars, money_unit, rounded
from slmlens.spend.invoice import Invoice
from slmlens.spend.ledger import Ledger
from slmlens.spend.tags import TagTotals

Json = dict[str, Any]


def spend_record(ledger: Ledger) -> Json:
    """Return ``price_sources``, ``seat_usd`` and ``prepaid_usd`` of the summary's ledger; null: no call is priced."""
    if not ledger.priced_calls:
        return {"price_sources": [], "seat_usd": None, "prepaid_usd": None}
    unit = money_unit(ledger.imported_nusd)
    sources = ledger.by_source
    units = _shares(sources.get_column("spend_nusd").to_list(), ledger, unit)
    return {
        "price_sources": [
            {"source": row["source"], "calls": row["calls"], "usd": dollars(value, unit)}
            for row, value in zip(sources.iter_rows(named=True), units, strict=True)
        ],
        "seat_usd": dollars(rounded(ledger.seat_nusd, unit), unit),
        "prepaid_usd": dollars(rounded(ledger.prepaid_nusd, unit), unit),
    }


def tags_record(tags: TagTotals | None, ledger: Ledger) -> Json | None:
    """Return the money by tag, the dearest value first and untagged calls last; it adds up to what was imported."""
    if tags is None:
        return None
    unit = money_unit(ledger.imported_nusd)
    totals = tags.totals
    units = _shares(totals.get_column("spend_nusd").to_list(), ledger, unit)
    values = []
    for row, value in zip(totals.iter_rows(named=True), units, strict=True):
        tasks = tags.by_task.filter(pl.col("value").eq_missing(row["value"]))
        parts = apportion(tasks.get_column("spend_nusd").to_list(), unit, value)
        values.append(
            {
                "value": row["value"],
                "calls": row["n_calls"],
                "priced_calls": row["priced_calls"],
                "usd": dollars(value, unit),
                "runrate_usd": dollars(rounded(row["runrate_nusd"], unit), unit),
                "tasks": [
                    {"task_id": task["task_id"], "calls": task["n_calls"], "usd": dollars(part, unit)}
                    for task, part in zip(tasks.iter_rows(named=True), parts, strict=True)
                ],
            }
        )
    return {"key": tags.key, "values": values}


def invoice_record(invoice: Invoice, *, file: str, calls: int) -> Json:
    """Return the comparison with an invoice.

    :param file: The invoice's name, without a path.
    :param calls: Calls of the log that it was compared with.
    """
    return {
        "file": file,
        "calls": calls,
        "invoice_usd": cents(invoice.invoice_nusd),
        "log_usd": cents(invoice.ours_nusd),
        "open_usd": cents(invoice.open_nusd),
        "agrees": invoice.agrees,
        "sentence": invoice.sentence,
        "reasons": [
            {"reason": reason, "lines": rows, "usd": cents(nusd)} for reason, rows, nusd in invoice.reasons.iter_rows()
        ],
        "lines": [
            {
                "model": row["model"],
                "provider": row["provider"],
                "start": None if row["start"] is None else row["start"].isoformat(),
                "end": None if row["end"] is None else row["end"].isoformat(),
                "invoice_usd": cents(row["invoice_nusd"]),
                "log_usd": cents(row["ours_nusd"]),
                "explained_usd": cents(row["explained_nusd"]),
                "open_usd": cents(row["open_nusd"]),
                "reason": row["reason"],
            }
            for row in invoice.rows.iter_rows(named=True)
        ],
    }


def _shares(parts: Sequence[int], ledger: Ledger, unit: int) -> list[int]:
    """Return parts of the imported spend in whole units that add up to it as it is shown."""
    return apportion(parts, unit, rounded(ledger.imported_nusd, unit))
