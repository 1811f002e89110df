"""Two small tools of a notebook: thresholds that a person moves, and the false-green rate of a log on request."""

from __future__ import annotations

import time
from collections.abc import Mapping

from slmlens.reporting.belief_chart import BINS, MODES, drawn
from slmlens.reporting.grid import Grid, Words, safe
from slmlens.reporting.one_task import OneTask
from slmlens.reporting.plain_words import EVIDENCE
from slmlens.reporting.text import counted, percent
from slmlens.results import Verdicts
from slmlens.reviewing.tool import CALM, NOTE, Tool, Widget
from slmlens.suitability.belief import word_of
from slmlens.suitability.judge import Judged, ModeVerdict

Json = Mapping[str, object]

_MEETS, _SHORT, _NEEDED = "#0b6e6e", "#b9d4d3", "#a1570a"
_WIDTH, _HEIGHT = 600, 70
MEASURE = "Measure it on this log"


class Thresholds(Tool):
    """Sliders for what parity asks: the verdict of one task follows them. The run keeps its own.

    :param one: The task.
    :param raises: See :class:`Tool`.
    """

    def __init__(self, one: OneTask, *, raises: bool | None = None) -> None:
        super().__init__(raises=raises)
        self._one = one
        self.judged = one.belief.judged
        settings = one.belief.settings
        self.parity = self._slider("parity: share of the ceiling that is as good", settings.parity, 0.70, 0.99)
        self.skill = self._slider("skill: share of the way from floor to ceiling", settings.skill, 0.30, 0.99)
        self.back = self._make.Button(description="Back", tooltip="Return to the thresholds of the run")
        self.back.on_click(self._gone_back)
        self.shown: Widget = self._make.HTML()
        self.view = self._make.VBox([self.parity, self.skill, self.back, self.said, self.shown])
        self._show()

    def __repr__(self) -> str:
        asked = f"parity {percent(self.parity.value)}, skill {percent(self.skill.value)}"
        return f"{asked}: {self.judged.evidence}; {percent(self.judged.target.point)} asked"

    def _slider(self, words: str, value: float, low: float, high: float) -> Widget:
        slider = self._make.FloatSlider(
            value=value,
            min=low,
            max=high,
            step=0.01,
            description=words,
            readout_format=".0%",
            style={"description_width": "24em"},
            layout=self._make.Layout(width="98%", max_width="62em"),
        )
        slider.observe(self._moved, "value")
        return slider

    def _moved(self, _: object) -> None:
        with self:
            self._say(CALM, "")
            self.judged = self._one.belief.at(parity=round(self.parity.value, 2), skill=round(self.skill.value, 2))
            self._show()

    def _gone_back(self, _: object) -> None:
        self.parity.value, self.skill.value = self._one.belief.settings.parity, self._one.belief.settings.skill

    def _show(self) -> None:
        was, now = self._one.belief.judged, self.judged
        told = f"A small model has to reach <b>{percent(now.target.point)}</b>. "
        told += f"The task is <b>{EVIDENCE[now.evidence][0].lower()}</b>"
        told += "." if now.evidence == was.evidence else f", where the run says {EVIDENCE[was.evidence][0].lower()}."
        strips = "".join(_strip(words, _mode(now, name), now) for name, words in MODES.items())
        self.shown.value = f"<div style='{NOTE};padding-left:0'>{told}{self._grid()._repr_html_()}{strips}</div>"

    def _grid(self) -> Grid:
        import polars as pl

        rows = []
        for name, words in MODES.items():
            was, now = _mode(self._one.belief.judged, name), _mode(self.judged, name)
            rows.append(
                {
                    "candidate": words,
                    "chance of parity": percent(now.posterior.p_parity),
                    "in the run": percent(was.posterior.p_parity),
                    "grade": now.grade,
                    "evidence": EVIDENCE[word_of(self._one.belief.seen, self.judged, now)][0],
                }
            )
        return Grid(pl.DataFrame(rows), numbers=("chance of parity", "in the run"), strong="candidate")


def thresholds(one: OneTask | Words, *, raises: bool | None = None) -> Thresholds | Words:
    """Return sliders for the thresholds of one task; words where there is none."""
    return one if isinstance(one, Words) else Thresholds(one, raises=raises)


def _mode(judged: Judged, name: str) -> ModeVerdict:
    return judged.swap if name == "swap" else judged.tuned


def _strip(words: str, verdict: ModeVerdict, judged: Judged) -> str:
    """Draw the belief as bars, dark where A is good enough, with the line that parity draws."""
    mass, needed = drawn(verdict.posterior), judged.target.point
    step = _WIDTH / BINS
    bars = "".join(
        f"<rect x='{at * step:.1f}' y='{_HEIGHT * (1 - share / mass.max()):.1f}' width='{step:.2f}' "
        f"height='{_HEIGHT * share / mass.max():.1f}' fill='{_MEETS if (at + 0.5) / BINS >= needed else _SHORT}'/>"
        for at, share in enumerate(mass.tolist())
    )
    x = needed * _WIDTH
    line = f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='{_HEIGHT}' stroke='{_NEEDED}' stroke-width='2'/>"
    label = f"{words}: belief about the share of acceptable answers, from 0 % to 100 %"
    return (
        f"<div style='margin:.6em 0 0;color:#55606e'>{safe(words)}</div>"
        f"<svg role='img' aria-label='{safe(label)}' viewBox='0 0 {_WIDTH} {_HEIGHT}' "
        f"shape-rendering='crispEdges' style='display:block;width:100%;max-width:44em;border-bottom:1px solid #57616f'>"
        f"{bars}{line}</svg><div style='max-width:44em;display:flex;justify-content:space-between;color:#55606e'>"
        "<small>0 % acceptable</small><small>100 %</small></div>"
    )


class FalseGreen(Tool):
    """A button that measures how far the probes fool themselves on this log; nothing is written.

    :param verdicts: The verdicts of the log.
    :param raises: See :class:`Tool`.
    """

    def __init__(self, verdicts: Verdicts, *, raises: bool | None = None) -> None:
        super().__init__(raises=raises)
        self._verdicts = verdicts
        self.record: Json | None = verdicts.false_green
        self.button = self._make.Button(description=MEASURE, layout=self._make.Layout(width="16em"))
        self.button.on_click(self._clicked)
        self.view = self._make.VBox([self.button, self.said])
        self._say(CALM, safe(repr(self)))

    def __repr__(self) -> str:
        if self.record is None:
            return "Not measured yet on this log. It takes a minute or more; a large log, several."
        return false_green_words(self.record)

    def _clicked(self, _: object) -> None:
        from slmlens.suitability.false_green import false_green

        with self:
            self.button.disabled = True
            self._say(CALM, "Shuffling the answers among sessions and running every probe again, twenty times.")
            began = time.perf_counter()
            try:
                self.record = false_green(self._verdicts.tasks)
            finally:
                self.button.disabled = False
            self._say(CALM, f"{safe(repr(self))} It took {time.perf_counter() - began:.0f} s.")


def false_green_words(record: Json) -> str:
    """Return what :func:`slmlens.suitability.false_green.false_green` found, in sentences."""
    if record["rate"] is None:
        return "No task of this log has a probe with two answers to tell apart, so there is nothing to fool."
    greens, pairs, planted, tasks = (int(str(record[name])) for name in ("greens", "pairs", "planted", "tasks"))
    every = tasks + int(str(record["tasks_without_probe"]))
    shuffled = (
        f"With answers shuffled among sessions, {greens:,} of {counted(pairs, 'try', 'tries')} still called a task "
        f"learnable: {_rate(record, 'rate', 'lo95', 'hi95')}. It applies to {tasks} of {counted(every, 'task')}."
    )
    if not planted:
        return f"{shuffled} In no task could a rule be planted, so what the probes miss is not known."
    missed = _rate(record, "missed_rate", "missed_lo95", "missed_hi95")
    return (
        f"{shuffled} With a rule planted in the answers of {counted(planted, 'task')}, the probes missed "
        f"{int(str(record['planted_missed'])):,}: {missed}."
    )


def _rate(record: Json, rate: str, low: str, high: str) -> str:
    value, lo, hi = (percent(float(str(record[name]))) for name in (rate, low, high))
    return f"{value} (95 % interval {lo} to {hi})"
