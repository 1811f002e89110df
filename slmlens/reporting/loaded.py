"""What was read, refused, redacted and priced, as small tables for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from slmlens.curation.counts import placeholder_counts
from slmlens.curation.spans import NOT_COVERED
from slmlens.errors import SettingError
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.money import dollars, money_unit, places_for, rounded, usd
from slmlens.reporting.text import counted, sentence
from slmlens.results import Calls
from slmlens.spend.ledger import Ledger, build_ledger
from slmlens.tables import AssignmentsTable


class Run(Protocol):
    """What keeps facts beside the tables of a run, as :class:`slmlens.run.Run` does."""

    def note(self, **facts: object) -> None:
        """Keep facts."""


_MOST_FILES = 25
_MOST_MODELS = 25
_PLACES_SHOWN = 3
_KINDS = ("records", "calls", "parents", "duplicates", "rejects", "other")
_WORDS = {"parents": "spans that hold calls", "duplicates": "seen twice", "rejects": "refused", "other": "not a call"}
_FOUND = {
    "EMAIL": "e-mail addresses",
    "PHONE": "telephone numbers",
    "IBAN": "bank accounts (IBAN)",
    "CARD": "payment cards",
    "IP": "internet addresses (IP)",
    "SECRET": "keys, tokens and passwords",
    "CONNECTION": "connection strings",
    "NATIONAL_ID": "national identity numbers",
    "PATH": "names in file paths",
}


def files_table(calls: Calls) -> Grid:
    """Return the files, the largest first, and what became of the records of each.

    :returns: Columns ``file``, ``read as``, ``records`` and the kinds of record that add up to it; kinds that no file
        holds are left out. Beyond 25 files, the rest stand in one row.
    """
    files = calls.files.sort("records", "file", descending=[True, False])
    shown = files.head(_MOST_FILES).select("file", "format", *_KINDS)
    rest = files.slice(_MOST_FILES)
    if rest.height:
        totals = rest.select(*[pl.col(kind).sum() for kind in _KINDS]).row(0, named=True)
        shown = pl.concat(
            [shown, pl.DataFrame([{"file": f"{counted(rest.height, 'more file')}", "format": "", **totals}])]
        )
    held = [kind for kind in _KINDS if kind in {"records", "calls"} or files.get_column(kind).sum()]
    names = {kind: _WORDS.get(kind, kind) for kind in held}
    frame = shown.select("file", pl.col("format").fill_null("not recognised").alias("read as"), *held).rename(names)
    return Grid(frame, numbers=list(names.values()), strong="file")


def rejects_table(calls: Calls) -> Grid:
    """Return why records were refused, the commonest reason first.

    :returns: Columns ``reason``, ``records``, ``first places`` (file and line) and ``it looks like``: the shape of the
        first, letters as ``a`` and digits as ``9``; the text itself is never kept.
    """
    table = (
        calls.rejects.sort("file", "line")
        .with_columns(pl.format("{}:{}", "file", "line").alias("place"))
        .group_by("reason", maintain_order=True)
        .agg(
            pl.len().alias("records"),
            pl.col("place").head(_PLACES_SHOWN).str.join(", ").alias("first places"),
            pl.col("shape").first().str.slice(0, 80).alias("it looks like"),
        )
        .sort("records", "reason", descending=[True, False])
    )
    return Grid(table, numbers=["records"], strong="reason", empty="No record was refused.")


def redaction_table(calls: Calls) -> Grid:
    """Return what was taken out of the distinct messages, by kind.

    :returns: Columns ``kind``, ``placeholder`` (what stands there now) and ``places`` (how often).
    """
    rows = [
        {
            "kind": _kind_words(kind),
            "placeholder": f"<{kind}:…>",
            "places": n,
        }
        for kind, n in placeholder_counts(calls.messages).items()
    ]
    frame = pl.DataFrame(rows, schema={"kind": pl.String, "placeholder": pl.String, "places": pl.Int64})
    return Grid(frame, numbers=["places"], strong="kind", empty=_nothing_found(calls))


def not_covered_table() -> Grid:
    """Return what the redaction does not look for, one row each."""
    return Grid(pl.DataFrame({"not looked for": [sentence(line)[:-1] for line in NOT_COVERED]}))


def models_table(calls: Calls) -> Grid:
    """Return the ledger by model, the dearest first, and its sum as the last row.

    :returns: Columns ``provider``, ``model``, ``calls``, ``priced``, ``cost`` (at the price of the day of each call),
        ``input tokens`` and ``output tokens``. Costs are rounded each on its own; the sum is exact.
    """
    ledger = ledger_of(calls)
    unit = money_unit(ledger.imported_nusd)
    by_model = ledger.by_model
    costs = [None if nusd is None else dollars(rounded(nusd, unit), unit) for nusd in by_model.get_column("spend_nusd")]
    total = dollars(rounded(ledger.imported_nusd, unit), unit)
    places = places_for([*(cost for cost in costs if cost is not None), total])
    rows = [
        {
            "provider": row["provider"] or "(not named)",
            "model": row["model"] or "(not named)",
            "calls": row["n_calls"],
            "priced": row["priced_calls"],
            "cost": "not priced" if cost is None else usd(cost, places),
            "input tokens": row["input_tokens"],
            "output tokens": row["output_tokens"],
        }
        for row, cost in zip(by_model.iter_rows(named=True), costs, strict=True)
    ][:_MOST_MODELS]
    hidden = by_model.slice(_MOST_MODELS)
    whole = {
        "provider": f"with {counted(hidden.height, 'further model')}" if hidden.height else "",
        "model": "all",
        "calls": ledger.calls,
        "priced": ledger.priced_calls,
        "cost": usd(total, places) if ledger.priced_calls else "not priced",
        "input tokens": by_model.get_column("input_tokens").sum(),
        "output tokens": by_model.get_column("output_tokens").sum(),
    }
    return Grid(pl.DataFrame([*rows, whole]), numbers=_numbers(whole), strong="model")


def ledger_of(calls: Calls) -> Ledger:
    """Return the ledger of calls before any task is looked for: all of them are in no task."""
    nowhere = pl.DataFrame(
        {"call_id": calls.calls.get_column("call_id")}, schema_overrides={"call_id": pl.String}
    ).select("call_id", *[pl.lit(None, dtype=kind).alias(name) for name, kind in _other_columns()])
    return build_ledger(calls.calls, nowhere)


def _other_columns() -> list[tuple[str, pl.DataType]]:
    return [(name, kind) for name, kind in AssignmentsTable.create_empty().schema.items() if name != "call_id"]


def _nothing_found(calls: Calls) -> str:
    if calls.messages.get_column("text").count():
        return "No personal value and no secret of the kinds that are looked for was found."
    return "The log holds no text to look through."


def _numbers(row: dict[str, object]) -> Sequence[str]:
    return [name for name in row if name not in {"provider", "model"}]


def recall_table(calls: Calls, run: Run | None = None) -> Grid | Words:
    """Plant made-up values into the log's own prompts, and return by kind how many of them the redaction found.

    :param run: Keeps the result, which its next report prints; see
        :func:`slmlens.curation.recall.redaction_recall`.
    :returns: Columns ``kind``, ``planted``, ``found``, ``recall`` and ``interval`` (90 %); or words, where the log
        holds no prompt to plant a value into.
    """
    from slmlens.curation.recall import redaction_recall

    try:
        measured = redaction_recall(calls, run=run)
    except SettingError as obstacle:
        return Words(f"Not measured: {obstacle.what}.")
    rows = [
        {
            "kind": _kind_words(row["kind"]),
            "planted": row["planted"],
            "found": row["found"],
            "recall": f"{100 * row['recall']:.1f} %",
            "interval": f"{100 * row['lo90']:.1f} to {100 * row['hi90']:.1f} %",
        }
        for row in measured.totals.iter_rows(named=True)
    ]
    return Grid(pl.DataFrame(rows), numbers=["planted", "found", "recall", "interval"], strong="kind")


def _kind_words(kind: str) -> str:
    return _FOUND.get(kind, sentence(kind.replace("_", " ").lower())[:-1])
