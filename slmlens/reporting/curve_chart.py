"""The learning curve of one task, drawn by plotly: what a cheap classifier reaches with more and more of the log."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import SettingError
from slmlens.reporting.charts import chart_layout, plain
from slmlens.reporting.grid import Words
from slmlens.reporting.one_task import OneTask, probes_words
from slmlens.results import Tasks
from slmlens.suitability.curve import learning_curve

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MEASURED, _AHEAD, _NEEDED, _SOFT, _GRID = "#0b6e6e", "#7b8794", "#a1570a", "#55606e", "#e6e9ed"
_WIDTH = 110


def curve_chart(tasks: Tasks, one: OneTask | Words) -> Figure | Words:
    """Draw what a classifier reaches on later sessions with more and more of the earlier ones, and perhaps beyond.

    :param tasks: The tasks of the log.
    :param one: The task.
    :returns: A plotly figure; words where no classifier applies, and no curve can be drawn.
    """
    if isinstance(one, Words):
        return one
    told = probes_words(one).text
    try:
        curve = learning_curve(tasks, one.belief.seen.task_id, settings=one.belief.settings)
    except SettingError as error:
        return Words(f"{told} There is no learning curve: {error.what}.")
    import plotly.graph_objects as go

    figure = go.Figure()
    measured, ahead = (curve.filter(pl.col("extrapolated") == later) for later in (False, True))
    for part, name, colour, dash in (
        (pl.concat([measured.tail(1), ahead]), "extrapolated, widened interval", _AHEAD, "dot"),
        (measured, "measured", _MEASURED, "solid"),
    ):
        _add(figure, part, name, colour, dash)
    needed = one.belief.judged.target.point
    figure.add_hline(y=needed, line={"color": _NEEDED, "width": 2}, annotation_text="what parity asks")
    subtitle = "<br>".join(plain(line) for line in textwrap.wrap(told, _WIDTH))
    figure.update_layout(**chart_layout("Would more examples help? What a cheap classifier reaches", subtitle))
    figure.update_layout(height=420, legend={"orientation": "h", "y": -0.22}, margin={"t": 110, "l": 60, "b": 60})
    ticks = {"tickmode": "array", "tickvals": curve.get_column("n").to_list(), "tickformat": ",d", "gridcolor": _GRID}
    figure.update_xaxes(type="log", title={"text": "calls it was trained on"}, **ticks)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", gridcolor=_GRID)
    return figure


def _add(figure: Figure, part: pl.DataFrame, name: str, colour: str, dash: str) -> None:
    n, agreement, lo, hi = (part.get_column(column).to_list() for column in ("n", "agreement", "lo", "hi"))
    figure.add_scatter(
        x=n,
        y=agreement,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2, "dash": dash},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - mid for high, mid in zip(hi, agreement, strict=True)],
            "arrayminus": [mid - low for low, mid in zip(lo, agreement, strict=True)],
            "color": colour,
            "thickness": 1.2,
        },
        hovertemplate="%{x:,} calls: %{y:.0%}<extra></extra>",
    )
