"""The one-page answer as small tables in plain words, read from the summary alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from slmlens.reporting.card import about, action_label, evidence_badge, name_of, saving_cell
from slmlens.reporting.grid import Excerpt, Grid, Words
from slmlens.reporting.headline import calls_a_month
from slmlens.reporting.money import places_for, usd, usd_about, whole_percents
from slmlens.reporting.plain_words import COVERAGE, kept_because
from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import ends, percent

Json = Mapping[str, Any]

_NOT_IN_A_TASK = "calls that recur too rarely to be a task, and those a person set aside"
_MONTH_DIGITS = 2
_SKELETON_CHARS = 1500


@dataclass(frozen=True)
class Measure:
    """What the answer is measured in: money where the log can be priced, else calls.

    :param priced: True: US dollars at today's prices; False: calls.
    :param parts: Amount by part of the coverage (``ready``, ``pilot``, ``keep``, ``unassigned``, ``excluded``).
    :param places: Decimals that write every dollar amount of the answer exactly.
    """

    priced: bool
    parts: Mapping[str, float]
    places: int = 2

    @property
    def total(self) -> float:
        """All of the log."""
        return sum(self.parts.values())

    def of_task(self, task: Json) -> float:
        """Return the amount of a task; one without a priced call counts as nothing beside priced ones."""
        return float((task["runrate_usd"] or 0.0) if self.priced else task["n_calls"])

    def words(self, amount: float) -> str:
        """Return an amount as it is shown: ``$12.50`` or ``1,204 calls``."""
        return usd(amount, self.places) if self.priced else f"{amount:,.0f} call{'' if amount == 1 else 's'}"


def measure(summary: Json) -> Measure:
    """Return what to measure a log in, and how much of it goes to each part.

    :param summary: Of :func:`slmlens.reporting.summary.summarise`.
    """
    coverage = summary["plan"]["coverage"]
    if coverage is not None and sum(coverage.values()) > 0:
        parts = {name: coverage[f"{name}_usd"] for name in COVERAGE}
        money = [task["runrate_usd"] for task in summary["tasks"] if task["runrate_usd"] is not None]
        return Measure(priced=True, parts=parts, places=places_for([*parts.values(), *money]))
    calls: dict[str, float] = dict.fromkeys(COVERAGE, 0)
    for task in summary["tasks"]:
        calls[bucket(task, summary)] += task["n_calls"]
    calls["unassigned"] = summary["rows"]["calls"] - sum(calls.values())
    return Measure(priced=False, parts=calls)


def answer(summary: Json) -> Words:
    """Return the headline."""
    return Words(summary["plan"]["headline"], large=True)


def first_skeleton(summary: Json) -> Excerpt | Words:
    """Return the name of the largest task and the text that its prompts share, shortened in the middle."""
    if not summary["tasks"]:
        return Words("No step of this log recurs in enough sessions to be a task, so there is none to show.")
    task = summary["tasks"][0]
    return Excerpt(f"{name_of(task)}\n\n{ends(task['skeleton'], _SKELETON_CHARS)}")


def coverage_table(summary: Json) -> Grid:
    """Return what to do with the log, part by part; the parts add up to all of it.

    :returns: Columns ``what to do``, ``it means``, ``in this log``, ``share`` and, where the log carries a month,
        ``a month``: the part of the month's middle figure, to two digits.
    """
    basis = measure(summary)
    month = summary["ledger"]["month_usd"]
    monthly = basis.priced and month is not None
    shares = whole_percents(list(basis.parts.values()))
    rows = []
    for (name, amount), share in zip(basis.parts.items(), shares, strict=True):
        if name == "excluded" and not amount:
            continue
        label, meaning = COVERAGE[name]
        row = {
            "what to do": label,
            "it means": meaning if basis.priced or name != "unassigned" else _NOT_IN_A_TASK,
            "in this log": basis.words(amount),
            "share": share,
        }
        if monthly:
            row["a month"] = (
                f"about {usd_about(amount / basis.total * month['mid'], _MONTH_DIGITS)}" if amount else "$0"
            )
        rows.append(row)
    return Grid(pl.DataFrame(rows), numbers=("in this log", "share", "a month"), strong="what to do")


def task_table(summary: Json) -> Grid:
    """Return the tasks in plain words, the largest first, and the calls in no task as a last row.

    :returns: Columns ``task``, ``calls``, ``calls a month`` (where the log carries a month), ``cost in this log`` (at
        today's prices), ``share``, ``evidence``, ``what to do``, ``potential saving a month`` and ``why not``.
    """
    basis = measure(summary)
    rows = [_task_row(task, summary, basis) for task in summary["tasks"]]
    left = summary["rows"]["calls"] - sum(task["n_calls"] for task in summary["tasks"])
    if left > 0 or not rows:
        loose = basis.parts["unassigned"] + basis.parts["excluded"]
        share = loose / basis.total if basis.total else None
        rows.append(
            _row("(in no task)", f"{left:,}", "", basis.words(loose), percent(share), "", "", "", _NOT_IN_A_TASK)
        )
    frame = pl.DataFrame(rows)
    if summary["ledger"]["month_usd"] is None:
        frame = frame.drop("calls a month")
    if not basis.priced:
        frame = frame.drop("cost in this log")
    return Grid(frame, numbers=("calls", "calls a month", "cost in this log", "share"), strong="task")


def _task_row(task: Json, summary: Json, basis: Measure) -> dict[str, str]:
    monthly = calls_a_month(task, summary)
    kept = bucket(task, summary) == "keep"
    cost = "not priced" if task["runrate_usd"] is None else basis.words(basis.of_task(task))
    return _row(
        name_of(task),
        f"{task['n_calls']:,}",
        "" if monthly is None else f"about {about(monthly)}",
        cost,
        percent(basis.of_task(task) / basis.total if basis.total else None),
        evidence_badge(task)["label"],
        action_label(task, summary),
        "none" if kept else saving_cell(task, summary)["value"],
        kept_because(task) if kept else "",
    )


def _row(*cells: str) -> dict[str, str]:
    names = (
        "task",
        "calls",
        "calls a month",
        "cost in this log",
        "share",
        "evidence",
        "what to do",
        "potential saving a month",
        "why not",
    )
    return dict(zip(names, cells, strict=True))
