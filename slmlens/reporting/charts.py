"""Charts for notebooks: the map of tasks, drawn by plotly from the summary alone. They ask for nothing outside."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from slmlens.reporting.card import action_label, evidence_badge, name_of, saving_cell
from slmlens.reporting.onepage import Measure, measure
from slmlens.reporting.plain_words import COVERAGE, kept_because, next_step
from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import counted, percent, sentence, shorten, visible

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Json = Mapping[str, Any]

COLOURS = {"ready": "#0b6e6e", "pilot": "#a1570a", "keep": "#57616f", "unassigned": "#d8dde3", "excluded": "#d8dde3"}
"""Part of the coverage: its colour, as in the report. What is in no task is hatched as well."""

_PAPER = "#ffffff"
_WASH = "#eef1f4"
_INK = "#1b2430"
_SOFT = "#55606e"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
_HATCHED = ("unassigned", "excluded")
_SMALLEST_TEXT = 10
_HEIGHT = 560
_TILE_CHARS, _TILE_LINES, _HOVER_CHARS = 18, 3, 64
_ROOT = "log"
_UPLOAD = "sendChartToCloud"
"""plotly.js 4 puts a button on every chart that sends its data to plotly's servers."""


@dataclass(frozen=True)
class Tile:
    """One tile of the map.

    :param tile_id: Unique in the map.
    :param parent: Id of the tile that it lies in; empty for the whole log.
    :param label: A short name, as plain text.
    :param words: What stands on it, as the markup of the chart.
    :param hover: What is told when the mouse is on it, as the markup of the chart.
    :param amount: Its own dollars or calls; 0 for one that holds others.
    :param part: The part of the coverage, or empty for a tile that holds others.
    """

    tile_id: str
    parent: str
    label: str
    words: str
    hover: str
    amount: float
    part: str


def task_map(summary: Json) -> Figure:
    """Draw the log as a map: application, call site, task. The area is cost, the colour what to do.

    The tiles of tasks, of unassigned calls and of what a person set aside add up to the log's cost at today's prices,
    as the coverage does. Where the log can't be priced, the area is the number of calls. A call site that is one task
    is drawn once.

    :param summary: Of :func:`slmlens.reporting.summary.summarise`; every figure shown is in it.
    :returns: A plotly figure. Text from the log is escaped; the figure asks for nothing outside.
    """
    import plotly.graph_objects as go

    basis = measure(summary)
    tiles = map_tiles(summary)
    trace = go.Treemap(
        ids=[tile.tile_id for tile in tiles],
        parents=[tile.parent for tile in tiles],
        labels=[plain(tile.label) for tile in tiles],
        values=[tile.amount for tile in tiles],
        branchvalues="remainder",  # a branch is the sum of its leaves; rounding can't make it less
        text=[tile.words for tile in tiles],
        texttemplate="%{text}",
        hovertext=[tile.hover for tile in tiles],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "colors": [COLOURS.get(tile.part, _WASH) for tile in tiles],
            "pattern": {
                "shape": ["/" if tile.part in _HATCHED else "" for tile in tiles],
                "fgcolor": [_SOFT if tile.part in _HATCHED else _WASH for tile in tiles],
                "size": 7,
                "solidity": 0.12,
            },
            "line": {"color": _PAPER, "width": 1.5},
            "pad": {"t": 24, "l": 3, "r": 3, "b": 3},
        },
        insidetextfont={"color": [_ink(tile.part) for tile in tiles]},
        pathbar={"thickness": 22},
        tiling={"packing": "squarify"},
        sort=True,
    )
    figure = go.Figure(trace)
    figure.update_layout(**chart_layout(_title(summary, basis), _legend(basis)))
    return figure


def chart_layout(title: str, subtitle: str) -> dict[str, Any]:
    """Return the layout that all charts of the notebooks share.

    :param title: Plain text.
    :param subtitle: Markup of the chart.
    """
    return {
        "title": {
            "text": plain(title),
            "subtitle": {"text": subtitle, "font": {"size": 13, "color": _SOFT}},
            "font": {"size": 17, "color": _INK},
            "x": 0.01,
            "xanchor": "left",
        },
        "font": {"family": _FONT, "size": 13, "color": _INK},
        "paper_bgcolor": _PAPER,
        "plot_bgcolor": _PAPER,
        "margin": {"t": 80, "l": 8, "r": 8, "b": 8},
        "height": _HEIGHT,
        "modebar": {"remove": [_UPLOAD]},
        "uniformtext": {"minsize": _SMALLEST_TEXT, "mode": "hide"},
        "hoverlabel": {"align": "left", "bgcolor": _PAPER, "bordercolor": _SOFT, "font": {"color": _INK, "size": 13}},
    }


def plain(text: str) -> str:
    """Return text that the chart shows as it is: no markup, and no formula between two dollar signs."""
    return escape(visible(text)).replace("$", "&#36;")


def map_tiles(summary: Json) -> list[Tile]:
    """Return the tiles of the map: the whole, applications, call sites of several tasks, tasks, and the rest."""
    basis = measure(summary)
    tiles = [Tile(_ROOT, "", "All calls", "All calls", plain("All calls of this log"), 0, "")]
    sites = Counter((task["application"], task["call_site"]) for task in summary["tasks"])
    seen: set[str] = set()
    for task in summary["tasks"]:
        application, site = task["application"], task["call_site"]
        parent = f"application/{application}"
        if parent not in seen:
            seen.add(parent)
            tiles.append(_branch(parent, _ROOT, application, "application"))
        if sites[application, site] > 1:
            within, parent = parent, f"site/{application}/{site}"
            if parent not in seen:
                seen.add(parent)
                tiles.append(_branch(parent, within, site, "call site"))
        if basis.of_task(task) > 0:
            tiles.append(_task_tile(task, summary, basis, parent))
    return [*_without_empty_branches(tiles), *_rest(summary, basis)]


def _without_empty_branches(tiles: list[Tile]) -> list[Tile]:
    """Drop the branches in which no task has an amount; sites first, then applications that held only such sites."""
    for prefix in ("site/", "application/"):
        parents = {tile.parent for tile in tiles}
        tiles = [tile for tile in tiles if not tile.tile_id.startswith(prefix) or tile.tile_id in parents]
    return tiles


def _branch(tile_id: str, parent: str, name: str, kind: str) -> Tile:
    words = plain(shorten(name or f"(no {kind} named)", 60))
    return Tile(
        tile_id, parent, shorten(name, 40), words, f"{sentence(kind)[:-1]}: {wrapped(name, _HOVER_CHARS)}", 0, ""
    )


def _task_tile(task: Json, summary: Json, basis: Measure, parent: str) -> Tile:
    part, badge, amount = bucket(task, summary), evidence_badge(task), basis.of_task(task)
    label = action_label(task, summary)
    share = percent(amount / basis.total)
    if part == "keep":
        why = f"Why: {kept_because(task)}."
    else:
        why = f"{next_step(task)} Potential saving a month: {saving_cell(task, summary)['value']}."
    money = f"{basis.words(amount)}, {share} of the log"
    hover = [
        f"<b>{wrapped(name_of(task), _HOVER_CHARS)}</b>",
        wrapped(f"{counted(task['n_calls'], 'call')} in {task['n_units']:,} {task['recurrence_unit']}s", _HOVER_CHARS),
        *([plain(f"{money} (at today's prices)")] if basis.priced else [plain(f"{share} of the calls")]),
        f"<b>{plain(label)}</b>",
        wrapped(why, _HOVER_CHARS),
        wrapped(f"Evidence: {badge['label'].lower()} ({badge['meaning']})", _HOVER_CHARS),
    ]
    words = [
        f"<b>{wrapped(name_of(task), _TILE_CHARS, _TILE_LINES)}</b>",
        plain(label),
        plain(f"{basis.words(amount)} · {share}"),
    ]
    return Tile(
        task["task_id"], parent, shorten(name_of(task), 40), "<br>".join(words), "<br>".join(hover), amount, part
    )


def _rest(summary: Json, basis: Measure) -> list[Tile]:
    tiles = []
    for part in _HATCHED:
        amount = basis.parts[part]
        if amount <= 0:
            continue
        label, meaning = COVERAGE[part]
        share = percent(amount / basis.total)
        if not basis.priced:
            label, meaning = "In no task", "calls that recur too rarely to be a task, or that a person set aside"
        if not summary["tasks"]:
            meaning = "no step of this log recurs in enough sessions to be a task"
        words = f"<b>{plain(label)}</b><br>{plain(f'{basis.words(amount)} · {share}')}"
        tiles.append(
            Tile(part, _ROOT, label, words, f"{words}<br>{wrapped(sentence(meaning), _HOVER_CHARS)}", amount, part)
        )
    return tiles


def _title(summary: Json, basis: Measure) -> str:
    sampled = summary["window"]["sampling_rate"]
    of_what = "this log" if sampled >= 1 else f"this log, a {100 * sampled:g} % sample"
    if basis.priced:
        return f"Where {basis.words(basis.total)} goes ({of_what}, at today's prices)"
    return f"Where {basis.words(basis.total)} go ({of_what}; no prices)"


def _legend(basis: Measure) -> str:
    """Return the key of the colours, with the amount of each part: ready, pilot, keep, and what is in no task."""
    marks = {"unassigned": "▨", "excluded": "▨"}
    return " &nbsp; ".join(
        f'<span style="color:{_SOFT if part in marks else COLOURS[part]}">{marks.get(part, "■")}</span> '
        f"{plain(COVERAGE[part][0])} {plain(basis.words(amount))}"
        for part, amount in basis.parts.items()
        if amount > 0 or part != "excluded"
    )


def _ink(part: str) -> str:
    return _PAPER if part in {"ready", "pilot", "keep"} else _INK


def wrapped(text: str, width: int, lines: int = 8) -> str:
    """Return text from the log as lines of a chart, the ones beyond the last left out."""
    cut = textwrap.wrap(visible(text), width, max_lines=lines, placeholder=" …") or [""]
    return "<br>".join(plain(line) for line in cut)
