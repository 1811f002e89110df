"""Charts of what is believed of one task, drawn by plotly: prior and posterior, and what a pilot would make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slmlens.reporting.card import name_of
from slmlens.reporting.charts import chart_layout, plain
from slmlens.reporting.grid import Words
from slmlens.reporting.one_task import OneTask
from slmlens.reporting.plain_words import EVIDENCE
from slmlens.reporting.text import percent, shorten
from slmlens.suitability.belief import OUTCOMES, PilotOutcome, pilot_outcomes
from slmlens.suitability.judge import Judged, ModeVerdict, known_ceiling
from slmlens.suitability.posterior import CELLS, LOOKS, Posterior, posterior_of_a

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MODES = {"swap": "A small model as it is", "tuned": "A small model trained on this task"}
"""Mode: what the charts call it."""
BINS = 100
"""Bars of the drawn belief: one a percentage point."""

_INK, _SOFT, _LINE = "#1b2430", "#55606e", "#e6e9ed"
_MEETS, _SHORT, _NEEDED = "#0b6e6e", "#b9d4d3", "#a1570a"
_OUTCOME = {"shown": "#0b6e6e", "likely": "#5fa5a2", "open": "#e0c9a6", "unlikely": "#57616f"}
_NAME = 70
_HEADROOM = 1.4
"""Space above the highest bar, for the labels of the lines."""


def drawn(posterior: Posterior) -> np.ndarray:
    """Return the probability of each percentage point of A, in the order of A."""
    return np.asarray(posterior.mass.reshape(BINS, CELLS // BINS).sum(axis=1))


def prior_of(mode: ModeVerdict, judged: Judged) -> Posterior:
    """Return the prior of a mode on the grid of its posterior: before probes, ceiling and pilots."""
    return posterior_of_a(mode.prior, judged.target)


def belief_chart(one: OneTask | Words) -> Figure | Words:
    """Draw what is believed of A, the share of acceptable answers, before and after the evidence of this log.

    A row a mode: the prior as a line, the posterior as bars, dark where A meets what parity asks for; floor, ceiling
    and the least A as lines.

    :returns: A plotly figure; it asks for nothing outside. Words where there is no task to draw.
    """
    if isinstance(one, Words):
        return one
    from plotly.subplots import make_subplots

    judged = one.belief.judged
    titles = [plain(_mode_title(mode, judged)) for mode in MODES]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.16, subplot_titles=titles)
    figure.update_annotations(x=0, xanchor="left", font={"size": 14, "color": _INK})
    for row, verdict in enumerate((judged.swap, judged.tuned), 1):
        _add_mode(figure, row, prior_of(verdict, judged), verdict.posterior, judged)
        _add_bars(figure, row, one)
    _lay_out(figure, f"What we believe of {name_of(one.record)}", "this log")
    return figure


def moved_chart(before: OneTask | Words, after: OneTask | Words) -> Figure | Words:
    """Draw what is believed of A before a pilot or a probe and after it, in both modes.

    :param before: The task as it was looked at before.
    :param after: The same task, looked at again.
    """
    if isinstance(before, Words) or isinstance(after, Words):
        return before if isinstance(before, Words) else after
    from plotly.subplots import make_subplots

    was, judged = before.belief.judged, after.belief.judged
    titles = [plain(_mode_title(mode, judged)) for mode in MODES]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.16, subplot_titles=titles)
    figure.update_annotations(x=0, xanchor="left", font={"size": 14, "color": _INK})
    for row, (old, new) in enumerate(((was.swap, judged.swap), (was.tuned, judged.tuned)), 1):
        _add_mode(figure, row, old.posterior, new.posterior, judged, than="these answers")
        _add_bars(figure, row, after)
    _lay_out(figure, f"What the answers move in {name_of(after.record)}", "these answers")
    return figure


def _lay_out(figure: Figure, title: str, than: str) -> None:
    figure.update_layout(**chart_layout(shorten(title, _NAME), _KEY.format(than=than)))
    figure.update_layout(barmode="overlay", bargap=0, showlegend=False, margin={"t": 104, "l": 50, "r": 24, "b": 50})
    figure.update_xaxes(range=[-0.005, 1.005], tickformat=".0%", showgrid=False, showticklabels=True)
    figure.update_xaxes(title={"text": "A: share of the next answers that would be acceptable"}, row=2)
    figure.update_yaxes(visible=False)


_KEY = (
    f'<span style="color:{_SOFT}">- - -</span> before {{than}} &nbsp; '
    f'<span style="color:{_MEETS}">■</span> after, and good enough &nbsp; '
    f'<span style="color:{_SHORT}">■</span> after, and too low &nbsp; '
    f'<span style="color:{_NEEDED}">┃</span> what parity asks for'
)


def _mode_title(mode: str, judged: Judged) -> str:
    verdict = judged.swap if mode == "swap" else judged.tuned
    rests = {"C": "prior and probe", "D": "prior alone: nothing was graded"}
    words = rests.get(verdict.grade, f"answers of {verdict.slm} were graded")
    return f"{MODES[mode]}: {percent(verdict.posterior.p_parity)} chance of parity ({words})"


def _add_mode(
    figure: Figure, row: int, old: Posterior, new: Posterior, judged: Judged, *, than: str = "this log"
) -> None:
    middles = (np.arange(BINS) + 0.5) / BINS
    before, after = drawn(old), drawn(new)
    figure.update_yaxes(range=[0, _HEADROOM * max(before.max(), after.max())], row=row, col=1)
    meets = middles >= judged.target.point
    figure.add_bar(
        x=middles,
        y=after,
        width=1 / BINS,
        marker={"color": [_MEETS if good else _SHORT for good in meets], "line": {"width": 0}},
        hovertemplate=f"A about %{{x:.1%}}: %{{y:.1%}} after {than}<extra></extra>",
        row=row,
        col=1,
    )
    figure.add_scatter(
        x=middles,
        y=before,
        mode="lines",
        line={"color": _SOFT, "width": 2, "dash": "dash"},
        hovertemplate=f"A about %{{x:.1%}}: %{{y:.1%}} before {than}<extra></extra>",
        row=row,
        col=1,
    )


def _add_bars(figure: Figure, row: int, one: OneTask) -> None:
    """Floor, ceiling and what parity asks for; labels hang inward, the last one below the others."""
    target, known = one.belief.judged.target, known_ceiling(one.belief.seen)
    height = known.value if known is not None else 1.0
    lines = (
        (target.constant, f"constant {percent(target.constant)}", _SOFT, "dot", 1.0),
        (height, f"ceiling {percent(height)}{'' if known else ', assumed'}", _SOFT, "dot", 1.0),
        (target.point, f"parity asks {percent(target.point)}", _NEEDED, "solid", 0.86),
    )
    for at, words, colour, dash, y in lines:
        figure.add_vline(x=at, line={"color": colour, "width": 2, "dash": dash}, row=row, col=1)
        figure.add_annotation(
            x=at,
            y=y,
            yref=f"y{row if row > 1 else ''} domain",
            text=plain(words),
            showarrow=False,
            xanchor="left" if at < 0.5 else "right",  # noqa: PLR2004 - inward
            xshift=4 if at < 0.5 else -4,  # noqa: PLR2004 - inward
            yanchor="top",
            font={"size": 12, "color": colour},
            bgcolor="#ffffff",
            row=row,
            col=1,
        )


def pilot_chart(one: OneTask | Words) -> Figure | Words:
    """Draw how likely each verdict is after a pilot of 30, 60, 120 and 240 answers, before any answer is asked for.

    :returns: A plotly figure whose bars say on how many acceptable answers each verdict begins; words where no pilot
        can be run.
    """
    if isinstance(one, Words):
        return one
    if one.record["evidence"] in {"gated", "not-enough-data"}:
        return Words(f"A pilot would change nothing: {EVIDENCE[one.record['evidence']][1]}.")
    import plotly.graph_objects as go

    found = {mode: pilot_outcomes(one.belief, mode) for mode in MODES}
    at = [[words for words in MODES.values() for _ in LOOKS], [f"{calls} answers" for _ in MODES for calls in LOOKS]]
    outcomes = [outcome for mode in MODES for outcome in found[mode]]
    figure = go.Figure()
    for word in _said(outcomes):
        chance = [outcome.chance.get(word, 0.0) for outcome in outcomes]
        figure.add_bar(
            y=at,
            x=chance,
            orientation="h",
            name=_label(word),
            marker={"color": _OUTCOME.get(word, _LINE), "line": {"width": 0}},
            text=[_inside(word, share, outcome.least) for share, outcome in zip(chance, outcomes, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            hovertemplate=f"{plain(_label(word))}: %{{x:.1%}}<extra></extra>",
        )
    figure.update_layout(
        **chart_layout(
            shorten(f"What a pilot would make of {name_of(one.record)}", _NAME),
            plain("Chance of each verdict; in the bars, how many acceptable answers it begins with"),
        )
    )
    figure.update_layout(
        barmode="stack", bargap=0.25, legend={"orientation": "h", "y": -0.1, "traceorder": "normal"}, height=480
    )
    figure.update_layout(margin={"t": 80, "l": 20, "r": 20, "b": 60})
    figure.update_xaxes(range=[0, 1], tickformat=".0%", gridcolor=_LINE)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def _said(outcomes: list[PilotOutcome]) -> list[str]:
    words = {word for outcome in outcomes for word in outcome.chance}
    return [*(word for word in OUTCOMES if word in words), *sorted(words - set(OUTCOMES))]


def _label(word: str) -> str:
    return EVIDENCE[word][0]


_ROOM = 0.08
"""A bar narrower than this has no text in it."""


def _inside(word: str, share: float, least: dict[str, int]) -> str:
    if share < _ROOM:
        return ""
    if word == "unlikely":
        above = least.get("open")
        return "" if above is None else f"under {above}"
    return f"from {least[word]}" if word in least else ""
