"""The map of a log: a mark for each content of a prompt, coloured by task. Recuts and decisions only recolour it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from slmlens.errors import SettingError
from slmlens.reporting.charts import chart_layout, plain, wrapped
from slmlens.reporting.grid import Words
from slmlens.reporting.text import counted, shorten
from slmlens.results import Calls, Tasks
from slmlens.tasks.encoders import Encoder, VectorCache
from slmlens.tasks.forms import kind_of
from slmlens.tasks.projection import Projection, project
from slmlens.tasks.vectors import Store, point_vectors, points_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

K_SHOW = 5
"""Subjects that must share an answer form in a task before its keys and tools are named, as in task discovery."""

NAMED = 24
"""Tasks with a colour of their own, those with the most calls; the others share one."""

COLOURS = ("#0b6e6e", "#d1762a", "#4a5fc1", "#b3367a", "#5f8f2f", "#8a5a3c", "#2f9bd0", "#7b4fa8", "#c4a000", "#c23b35")
SYMBOLS = ("circle", "diamond", "triangle-up", "square", "star")
"""A task keeps its pair of colour and symbol as long as the panel is open; symbols help where colours look alike."""

_REST, _LOOSE = "#8d97a5", "#c3cad3"
_LARGEST, _SMALLEST = 24, 5
_LEGEND_CHARS, _HOVER_CHARS, _NOTE_CHARS = 34, 56, 100
_FADED = 0.06
_HEIGHT = 640
_UNITS = {"session": "session", "trace": "trace", "slot": "content"}


@dataclass(frozen=True)
class Look:
    """How the marks of a task look.

    :param rank: Place in the legend.
    :param faded: Other tasks stand out.
    """

    label: str
    colour: str
    symbol: str
    rank: int
    faded: bool


class ItemMap:
    """Where the calls of a log lie on the map. Made once; every cut of the log is drawn on the same places.

    :param calls: The calls.
    :param store: The run that keeps vectors and coordinates; None: they are made anew each time.
    :param cache: Vectors of texts that were found earlier.
    :param encoder: By default the static word vectors where installed, else TF-IDF.
    :raises SettingError: If no prompt is at hand.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        store: Store | None = None,
        cache: VectorCache | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self._points = points_of(calls)
        self._slots: dict[str, int] = {}
        self.projection = _laid_out(calls, self._points, store, cache, encoder)

    def marks(self, tasks: Tasks, *, k_show: int = K_SHOW) -> pl.DataFrame:
        """Return what is drawn for these tasks, the marks with the most calls first.

        :param tasks: Any tasks of the same calls.
        :returns: ``task_id`` (null: in no task), ``point_id``, ``x``, ``y``, ``form`` (without its keys and tools where
            fewer than ``k_show`` subjects of the task share it), ``n_calls``, ``n_units``.
        """
        users = tasks.calls.calls.select("call_id", "user_id")
        rows = (
            tasks.assignments.select("call_id", "task_id", "unit_id")
            .join(self._points, on="call_id")
            .join(users, on="call_id", how="left")
        )
        counts = rows.group_by("task_id", "point_id").agg(
            pl.col("form").first(), n_calls=pl.len().cast(pl.Int64), n_units=pl.col("unit_id").n_unique().cast(pl.Int64)
        )
        return (
            counts.join(_shown_forms(rows, k_show), on=["task_id", "form"], nulls_equal=True)
            .join(self.projection.points, on="point_id")
            .select("task_id", "point_id", "x", "y", pl.col("shown").alias("form"), "n_calls", "n_units")
            .sort("n_calls", "point_id", "task_id", descending=[True, False, False])
        )

    def figure(self, tasks: Tasks, selected: Collection[str] = ()) -> Figure:
        """Draw the map, coloured by task; the area of a mark is its calls.

        :param selected: Tasks that stand out; empty: none does.
        """
        import plotly.graph_objects as go

        marks = self.marks(tasks)
        facts = {row[0]: row[1:] for row in tasks.tasks.select("task_id", "name", "recurrence_unit").rows()}
        by_calls = tasks.tasks.sort("n_calls", "task_id", descending=[True, False]).get_column("task_id").to_list()
        own = [*dict.fromkeys([*by_calls[:NAMED], *(t for t in by_calls if t in selected)])]
        task_id, largest = pl.col("task_id"), int(marks.get_column("n_calls").max() or 1)  # type: ignore[arg-type]
        figure = go.Figure()
        layers = [
            (marks.filter(task_id.is_null()), Look("in no task", _LOOSE, "x-thin-open", 1002, bool(selected))),
            (
                marks.filter(~task_id.is_in(own)),
                Look(counted(len(by_calls) - len(own), "smaller task"), _REST, "circle", 1001, bool(selected)),
            ),
            *((marks.filter(task_id == t), self._look(t, facts[t][0], at, selected)) for at, t in enumerate(own)),
        ]
        for shown, look in layers:
            if shown.height:
                figure.add_trace(_trace(shown, look, facts, largest))
        figure.update_layout(**_layout(tasks, marks, self.projection))
        return figure

    def _look(self, task_id: str, name: str, rank: int, selected: Collection[str]) -> Look:
        slot = self._slots.setdefault(task_id, len(self._slots))
        colour, symbol = COLOURS[slot % len(COLOURS)], SYMBOLS[slot // len(COLOURS) % len(SYMBOLS)]
        return Look(name, colour, symbol, rank, faded=bool(selected) and task_id not in selected)


def draw_map(tasks: Tasks, *, run: Store | None = None) -> Figure | Words:
    """Draw the map of these tasks for a notebook; a sentence where there is no prompt to draw.

    :param run: The run that keeps vectors and coordinates.
    """
    try:
        return ItemMap(tasks.calls, store=run).figure(tasks)
    except SettingError as error:
        return Words(str(error))


def _laid_out(
    calls: Calls, points: pl.DataFrame, store: Store | None, cache: VectorCache | None, encoder: Encoder | None
) -> Projection:
    try:
        vectors = point_vectors(calls, points=points, encoder=encoder, cache=cache, store=store)
    except ValueError as cause:  # three words are not enough for TF-IDF
        raise _without_texts() from cause
    if vectors.points.is_empty():
        raise _without_texts()
    return project(vectors, store=store)


def _without_texts() -> SettingError:
    return SettingError(
        "the map is made of the prompts, and too few are at hand",
        where="map",
        next_step="analyse a log that holds prompts, and keep its texts (no --no-text)",
    )


def _shown_forms(rows: pl.DataFrame, k_show: int) -> pl.DataFrame:
    """Return ``task_id, form, shown``: the form without the names in it where too few subjects share it."""
    with_users = pl.col("user_id").is_not_null().any().over("task_id")
    shared = (
        rows.with_columns(subject=pl.when(with_users).then("user_id").otherwise("unit_id"))
        .group_by("task_id", "form")
        .agg(subjects=pl.col("subject").drop_nulls().n_unique())
        .sort("task_id", "form")
    )
    shown = [
        form if task_id is not None and subjects >= k_show else kind_of(form)
        for task_id, form, subjects in shared.select("task_id", "form", "subjects").rows()
    ]
    return shared.select("task_id", "form", pl.Series("shown", shown, dtype=pl.String))


def _trace(marks: pl.DataFrame, look: Look, facts: Mapping[str, tuple[str, str]], largest: int) -> Any:  # noqa: ANN401 - plotly ships no types
    """Draw marks in one colour.

    :param facts: Task: its name and its recurrence unit.
    """
    import plotly.graph_objects as go

    heads = {t: wrapped(facts[t][0], _HOVER_CHARS, 3) for t in marks.get_column("task_id").drop_nulls().unique()}
    hover = [
        f"<b>{heads.get(task_id, 'in no task')}</b><br>answer: {wrapped(form, _HOVER_CHARS, 3)}"
        f"<br>{counted(calls, 'call')} in {counted(units, _UNITS[facts[task_id][1]] if task_id else 'session')}"
        for task_id, form, calls, units in marks.select("task_id", "form", "n_calls", "n_units").rows()
    ]
    return go.Scattergl(
        x=marks.get_column("x").cast(pl.Float32).to_numpy(),
        y=marks.get_column("y").cast(pl.Float32).to_numpy(),
        mode="markers",
        name=plain(shorten(look.label, _LEGEND_CHARS)),
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        opacity=_FADED if look.faded else 0.75,
        legendrank=look.rank,
        marker={
            "color": look.colour,
            "symbol": look.symbol,
            "size": marks.get_column("n_calls").to_numpy(),
            "sizemode": "area",
            "sizeref": largest / _LARGEST**2,
            "sizemin": _SMALLEST,
            "line": {"color": look.colour if look.symbol.endswith("open") else "#ffffff", "width": 0.5},
        },
    )


def _layout(tasks: Tasks, marks: pl.DataFrame, projection: Projection) -> dict[str, Any]:
    missing = tasks.calls.calls.height - int(marks.get_column("n_calls").sum())
    notes = [
        "A mark: prompts with one content and one form of answer; its area: calls.",
        "Near: worded alike. Directions and the space between islands mean nothing.",
        *([projection.said] if projection.said else []),
        *([f"{counted(missing, 'call')} without a text, or with a rare one, are not drawn."] if missing else []),
    ]
    subtitle = "<br>".join(wrapped(note, _NOTE_CHARS) for note in notes)
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    drawn = f"{counted(marks.height, 'mark')} for {counted(tasks.tasks.height, 'task')}"
    shared = chart_layout(f"What the prompts say: {drawn}", subtitle)
    return {
        **shared,
        "height": _HEIGHT,
        "xaxis": axis,
        "yaxis": axis,
        "legend": {"itemsizing": "constant", "font": {"size": 12}, "y": 1, "yanchor": "top"},
        "showlegend": True,  # with one task, too
        "hovermode": "closest",
        "dragmode": "pan",
        "modebar": {"remove": [*shared["modebar"]["remove"], "lasso2d", "select2d", "autoScale2d"]},
    }
