"""What lies in the folder of a run, in plain words."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from slmlens.reporting.grid import Grid

WRITTEN = {
    "report.html": "the report to forward: one file, no script, no outside address",
    "summary.json": "every figure of the report, for programs",
    "backtest.json": "what the calls before a day would have promised, beside what came",
    "manifest.json": "what was run on what, with which settings, when",
    "calls.parquet": "one row a call: time, model, tokens, price, and which messages it is made of",
    "messages.parquet": "each distinct message once, redacted",
    "rejects.parquet": "one row a record that was refused, with the reason and never its text",
    "files.parquet": "one row a file: how many records, and what became of them",
    "duplicates.parquet": "calls that stand in the log twice and count once",
    "tasks.parquet": "one row a task",
    "items.parquet": "what tasks are made of",
    "assignments.parquet": "which call belongs to which task",
    "vectors.npy": "what the prompts of each item say, as vectors; gone when the texts are",
    "vectors.parquet": "which row of them is whose",
    "map.parquet": "where each item lies on the map; gone when the texts are",
    "taskset.json": "the rule that places calls: hashes, ids and names, no other text of the log",
    "earlier_taskset.json": "that rule of the earlier run, so that ids last when its folder is gone",
    "names.json": "names that a model gave to tasks, by a hash of what it was sent",
    "lineage.parquet": "what became of the tasks of the earlier run",
    "decisions.yaml": "what people decided on tasks; a list that only grows",
    "decisions.parquet": "one row a decision: what became of it in this log",
    "found_tasks.parquet": "the tasks before any decision",
    "found_assignments.parquet": "which call belonged to which task before any decision",
    "verdicts.parquet": "one row a task: what the evidence says",
    "evidence.parquet": "one row a piece of evidence",
    "evidence_assumptions.parquet": "what the evidence rests on",
    "savings.parquet": "what each option would be worth",
    "actions.parquet": "what to do with each task, and why",
    "pilots.parquet": "which pilot is worth most",
    "assumptions.parquet": "every figure that was assumed, with its source and day",
}
"""File of a run folder: what it holds."""


def written_table(folder: Path) -> Grid:
    """Return the files of a run folder, those for readers first.

    :returns: Columns ``file``, ``what it holds`` and ``kB``.
    """
    known = list(WRITTEN)
    paths = sorted(
        (path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")),
        key=lambda path: (known.index(path.name) if path.name in WRITTEN else len(known), path.name),
    )
    rows = [
        {
            "file": str(folder / path.name),
            "what it holds": WRITTEN.get(path.name, ""),
            "kB": -(-path.stat().st_size // 1000),
        }
        for path in paths
    ]
    return Grid(pl.DataFrame(rows), numbers=["kB"], strong="file", empty="Nothing was written.")
