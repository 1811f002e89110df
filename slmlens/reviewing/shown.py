"""What a review shows: rows, figures before and after, decisions and skeletons, as small tables and plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from slmlens.reporting.grid import Excerpt, Grid, Words, safe
from slmlens.reporting.money import dollars, money_unit, rounded, usd
from slmlens.reporting.text import counted, percent
from slmlens.results import Tasks
from slmlens.reviewing.session import Change, Figures, ReviewSession, figures_of
from slmlens.tasks.cut import KNOBS, Cut

KINDS = {
    "rename": "Renamed",
    "merge": "Merged",
    "split": "Split",
    "move": "Moved",
    "set_aside": "Set aside",
    "override": "Action asked for",
    "undo": "Undone",
}
"""Kind of a decision: how it is told."""

_STATUS = {
    "applied": "holds",
    "stale": "does not apply",
    "conflicting": "contradicts another",
    "undone": "taken back",
}
_COLUMNS = "grid-template-columns:minmax(3em,10em) 4em 5em 6em 4em 5em minmax(0,1fr);gap:0 .8em"
_GRID = f"display:grid;{_COLUMNS};font-variant-numeric:tabular-nums"
_RIGHT = "text-align:right;white-space:nowrap"
_CUT_OFF = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def money(nusd: int, total: int) -> str:
    """Return nano-USD as dollars, rounded as everything of a log that cost so much."""
    unit = money_unit(total)
    return usd(dollars(rounded(nusd, unit), unit))


def total_of(figures: Figures) -> int:
    """Return all priced spend, in nano-USD."""
    return figures.tasks_nusd + figures.unassigned_nusd + figures.excluded_nusd


def stability_words(stability: float | None) -> str:
    """Return a stability to two digits, or that it was not measured."""
    return "not measured" if stability is None else f"{stability:.2f}"


def _figure_cells(figures: Figures) -> dict[str, str]:
    total = total_of(figures)
    return {
        "tasks": f"{figures.tasks:,}",
        "spend in tasks": money(figures.tasks_nusd, total),
        "spend in no task": f"{money(figures.unassigned_nusd, total)} ({counted(figures.unassigned_calls, 'call')})",
        "spend set aside": f"{money(figures.excluded_nusd, total)} ({counted(figures.set_aside, 'task')})",
        "stability": stability_words(figures.stability)
        + ("" if figures.stability is None else f" (of {percent(figures.stability_share)} of the calls in tasks)"),
    }


def figures_words(figures: Figures) -> str:
    """Return the state of a review in a line."""
    _, *rest = _figure_cells(figures).items()
    return "; ".join([counted(figures.tasks, "task"), *(f"{name} {value}" for name, value in rest)]) + "."


def change_grid(change: Change) -> Grid:
    """Return the figures before and after a gesture or a recut."""
    before, after = _figure_cells(change.before), _figure_cells(change.after)
    frame = pl.DataFrame({"figure": list(before), "before": list(before.values()), "after": list(after.values())})
    return Grid(frame, strong="figure")


def change_words(change: Change) -> str:
    """Return what was done, as a sentence."""
    if change.decision is None:
        return change.said
    kind = change.decision.kind
    rest = change.said.removeprefix(kind.replace("_", " ")).strip()
    return f"{KINDS[kind]}: {rest}{'' if rest.endswith('.') else '.'}"


def decisions_grid(decisions: pl.DataFrame, only: Sequence[str] | None = None) -> Grid:
    """Return the decisions, the latest first.

    :param decisions: ``DecisionsTable``.
    :param only: Ids of those to list; None: all.
    :returns: Columns ``decision``, ``by``, ``why``, ``it`` (what became of it) and ``what to do``.
    """
    chosen = decisions if only is None else decisions.filter(pl.col("decision_id").is_in(list(only)))
    rows = [
        {
            "decision": f"{KINDS[row['kind']]}: {row['what']}",
            "by": ", ".join(filter(None, (row["author"], row["earlier_run"] and f"in {row['earlier_run']}"))),
            "why": row["reason"],
            "it": _STATUS[row["status"]],
            "what to do": row["next_step"] or "",
        }
        for row in chosen.reverse().iter_rows(named=True)
    ]
    return Grid(pl.DataFrame(rows), strong="decision", empty="Nothing was decided yet.")


def undoable(decisions: pl.DataFrame) -> list[tuple[str, str]]:
    """Return ``(words, id)`` of each decision that can be taken back, the latest first."""
    standing = decisions.filter((pl.col("status") != "undone") & (pl.col("kind") != "undo")).reverse()
    return [(f"{KINDS[kind]}: {what}", i) for kind, what, i in standing.select("kind", "what", "decision_id").rows()]


@dataclass(frozen=True)
class Row:
    """A task as a row of the panel.

    :param task_id: Its id.
    :param name: Its name, as plain text.
    :param cells: The rest of the row, as HTML; everything in it from the log is escaped.
    :param searched: What a search looks through.
    """

    task_id: str
    name: str
    cells: str
    searched: str


def rows_of(session: ReviewSession) -> list[Row]:
    """Return the tasks of a review as rows, the dearest first."""
    total = total_of(session.figures)
    return [
        Row(row["task_id"], row["name"], _cells(row, total), f"{row['name']} {row['application']}".casefold())
        for row in session.table().iter_rows(named=True)
    ]


def _cells(row: Mapping[str, Any], total: int) -> str:
    spend = row["spend_nusd"]
    marks = ["set aside"] * bool(row["set_aside"]) + ([f"asked: {row['asked']}"] if row["asked"] else [])
    return _line(
        row["application"],
        f"{row['n_calls']:,}",
        f"{row['n_units']:,}",
        "not priced" if spend is None else money(spend, total),
        "" if spend is None or not total else percent(spend / total),
        "" if row["stability"] is None else f"{row['stability']:.2f}",
        ", ".join(marks),
    )


def unassigned_cells(figures: Figures) -> str:
    """Return the row of the calls that are in no task, as HTML."""
    total, spend = total_of(figures), figures.unassigned_nusd
    share = percent(spend / total) if total else ""
    return _line("", f"{figures.unassigned_calls:,}", "", money(spend, total), share, "", "")


def _line(application: str, *rest: str) -> str:
    *figures, marks = rest
    cells = "".join(f'<span style="{_RIGHT}">{safe(cell)}</span>' for cell in figures)
    first = f'<span style="{_CUT_OFF}" title="{safe(application)}">{safe(application)}</span>'
    return f'<div style="{_GRID}">{first}{cells}<span>{safe(marks)}</span></div>'


def skeleton_of(tasks: Tasks, task_id: str) -> Excerpt:
    """Return the text that the prompts of a task share; k-anonymous."""
    row = tasks.tasks.row(by_predicate=pl.col("task_id") == task_id, named=True)
    return Excerpt(row["skeleton"])


def knobs_grid(cut: Cut) -> Grid:
    """Return the settings of a cut, each with what moving it does.

    :returns: Columns ``setting``, ``it is``, ``now``, ``raise it`` and ``lower it``.
    """
    rows = [
        {
            "setting": knob.name,
            "it is": knob.label,
            "now": f"{getattr(cut, knob.name):g}",
            "raise it": knob.more,
            "lower it": knob.less,
        }
        for knob in KNOBS
    ]
    return Grid(pl.DataFrame(rows), numbers=["now"], strong="setting")


def layers_grid(tasks: Tasks) -> Grid:
    """Return the layers, the dearest application first and in it the dearest task; calls in no task come last.

    :returns: Columns ``application``, ``task``, ``declared step`` (as the log names it), ``calls``, ``sessions``,
        ``calls a session``, ``spend``, ``share`` and ``stability``. Spends are rounded each on its own.
    """
    session = ReviewSession(tasks, author="")
    figures, known = session.figures, {row["task_id"]: row for row in tasks.tasks.iter_rows(named=True)}
    total = total_of(figures)
    table = session.table().with_columns(whole=pl.col("spend_nusd").sum().over("application"))
    ordered = table.sort(
        "whole",
        "application",
        "spend_nusd",
        "n_calls",
        "task_id",
        descending=[True, False, True, True, False],
        nulls_last=True,
    )
    rows = []
    for row in ordered.iter_rows(named=True):
        more, spend = known[row["task_id"]], row["spend_nusd"]
        again = more["steps_per_session"]
        rows.append(
            {
                "application": row["application"],
                "task": row["name"],
                "declared step": ", ".join(more["step_names"]),
                "calls": f"{row['n_calls']:,}",
                "sessions": f"{row['n_units']:,}" + ("" if more["recurrence_unit"] != "slot" else " contents"),
                "calls a session": "" if again is None else f"{again:.1f}",
                "spend": "not priced" if spend is None else money(spend, total),
                "share": percent(spend / total) if spend is not None and total else "",
                "stability": stability_words(row["stability"]),
            }
        )
    if figures.unassigned_calls or not rows:
        loose = money(figures.unassigned_nusd, total)
        share = percent(figures.unassigned_nusd / total) if total else ""
        rows.append(
            dict.fromkeys(rows[0] if rows else ("application", "task", "calls", "spend", "share"), "")
            | {"application": "(in no task)", "calls": f"{figures.unassigned_calls:,}", "spend": loose, "share": share}
        )
    return Grid(
        pl.DataFrame(rows),
        numbers=("calls", "sessions", "calls a session", "spend", "share", "stability"),
        strong="task",
    )


def stability_grid(tasks: Tasks) -> Grid:
    """Return how firm each task is, the least firm first, those not measured last.

    :returns: Columns ``task``, ``stability``, ``sessions`` (or distinct contents) and ``prompt edited on``.
    """
    rows = tasks.tasks.sort("stability", "n_units", "task_id", nulls_last=True)
    frame = rows.select(
        task="name",
        stability=pl.col("stability").map_elements(stability_words, return_dtype=pl.String, skip_nulls=False),
        sessions="n_units",
        edited=pl.col("edited_on").dt.strftime("%-d %b %Y").fill_null(""),
    ).rename({"edited": "prompt edited on"})
    return Grid(frame, numbers=("stability", "sessions"), strong="task", empty="There is no task.")


def layers_words(tasks: Tasks) -> Words:
    """Return the size of each layer in a sentence."""
    figures = figures_of(tasks)
    applications = tasks.tasks.get_column("application").n_unique()
    sites = tasks.tasks.select("application", "call_site").n_unique()
    said = (
        f"{counted(applications, 'application')}, {counted(sites, 'call site')}, {counted(tasks.tasks.height, 'task')}"
    )
    loose = counted(figures.unassigned_calls, "call")
    return Words(f"{said}; {loose} in no task.", large=True)


HEADS_HTML = f"<b>{_line('application', 'calls', 'sessions', 'spend', 'share', 'stability', '')}</b>"
"""The heads of the columns of a row."""
