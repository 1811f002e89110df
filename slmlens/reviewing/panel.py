"""The review panel of a notebook: widgets wired to a :class:`ReviewSession`, in which everything is decided."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from slmlens.reporting.grid import Excerpt, Grid, safe
from slmlens.reporting.text import counted, shorten, visible
from slmlens.results import Tasks
from slmlens.reviewing.cuts import Cuts
from slmlens.reviewing.folds import KindsFold, MapFold
from slmlens.reviewing.session import Change, Folder, ReviewSession
from slmlens.reviewing.shown import (
    HEADS_HTML,
    Row,
    change_grid,
    change_words,
    decisions_grid,
    figures_words,
    rows_of,
    skeleton_of,
    unassigned_cells,
    undoable,
)
from slmlens.reviewing.tool import CALM, DONE, NOTE, Tool, Widget
from slmlens.tasks.cut import KNOBS, Cut, Knob
from slmlens.tasks.encoders import VectorCache
from slmlens.tasks.vectors import Store

MOST_ROWS = 100
LAST = "the last decision"

_NAME_WIDTH = "36%"

ONE, SOME, ANY = "one", "some", "any"
FOLDS = (
    "Map of the prompts",
    "Kinds of work inside the ticked task",
    "Cut the tasks finer or coarser",
    "What was decided so far",
)
BUTTONS = {
    "rename": ("Rename", ONE, "Give the one selected task the new name"),
    "merge": ("Merge", SOME, "Make one task of the selected ones; the new name, if any, becomes its name"),
    "split": ("Split", ONE, "Make two tasks of the selected one: the calls that fit, and the others"),
    "set_aside": ("Set aside", ONE, "Leave the selected task out of the plan; its money is shown as set aside"),
    "undo": ("Undo", ANY, "Take a decision back; the list keeps both"),
}
"""Gesture: what its button says, how many selected tasks it needs, what it does."""


def review(tasks: Tasks, *, run: Folder | None = None, author: str | None = None, raises: bool | None = None) -> Panel:
    """Open a panel to correct tasks by hand: rename, merge, split, set aside, undo, and cut them finer or coarser.

    Each gesture is written to the run's ``decisions.yaml`` at once; a cut is only tried until it is kept. The map
    of the prompts and the kinds of work inside a task are made when they are asked for.

    :param tasks: Tasks, as ``discover_tasks`` returns them.
    :param run: The run they belong to; None keeps the decisions in memory only.
    :param author: Who reviews; None: the name of the account. It can be changed in the panel.
    :param raises: True: a callback that fails raises once the error is on screen, for tests; None: where the
        environment variable ``SLMLENS_PANEL_RAISES`` is set.
    :returns: The panel; a notebook shows it. ``panel.session`` is the review behind it, for cells of your own.
    :raises InputError: If ``decisions.yaml`` holds an entry that can't be read.
    """
    session = ReviewSession(tasks, run, author=author)
    return Panel(session, Cuts(session, tasks, run), store=run, raises=raises)


@dataclass
class RowWidget:
    """One row of the table; it shows another task after a refresh."""

    task_id: str
    check: Widget
    cells: Widget
    box: Widget


class Panel(Tool):
    """Widgets over a review. They hold no state of their own beside what a person has typed.

    :param session: The review.
    :param cuts: Its cuts.
    :param store: The run that keeps what the map is made of.
    :param raises: See :class:`slmlens.reviewing.tool.Tool`.
    """

    def __init__(
        self, session: ReviewSession, cuts: Cuts, *, store: Store | None = None, raises: bool | None = None
    ) -> None:
        super().__init__(raises=raises)
        self.session = session
        self.cuts = cuts
        self._filling = False
        self._rows: list[RowWidget] = []
        self.sliders = {knob.name: self._slider(knob) for knob in KNOBS}
        self.buttons = {name: self._button(*words[::2], self._on(name)) for name, words in BUTTONS.items()}
        cache = VectorCache()
        self.map = MapFold(self._make, session, store, cache)
        self.kinds = KindsFold(self._make, session, cache, self, self._decided)
        self._make_fields()
        self._make_recut()
        self.view = self._make.VBox(
            [self.figures, self.table, self.selected, self._gestures(), self.said, self._folded()]
        )
        self.refresh()

    def __repr__(self) -> str:
        return figures_words(self.session.figures)

    # what is on screen

    def refresh(self) -> None:
        """Show the review as it is now."""
        self._filling = True
        tried = "Only tried, not kept: " if self.session.on_trial else ""
        self.figures.value = f"<div style='{NOTE};padding-left:0'><b>{tried}{safe(repr(self))}</b></div>"
        self._fill_rows(rows_of(self.session))
        self._show_selected()
        self.undo_of.options = [(LAST, ""), *((shorten(w, 90), i) for w, i in undoable(self.session.decisions))]
        self.decisions.value = _html(decisions_grid(self.session.decisions))
        self._enable()
        self._filling = False
        self.map.draw()

    def _fill_rows(self, rows: list[Row]) -> None:
        wanted = visible(self.find.value).casefold().strip()
        fitting = [row for row in rows if wanted in row.searched]
        shown = fitting[:MOST_ROWS]
        while len(self._rows) < len(shown):
            self._rows.append(self._row())
        for widget, row in zip(self._rows, shown, strict=False):
            widget.task_id = row.task_id
            widget.check.description = widget.check.tooltip = visible(row.name)
            widget.check.value = row.task_id in self.session.selected
            widget.cells.value = row.cells
        self.rows.children = [widget.box for widget in self._rows[: len(shown)]]
        left = len(rows) - len(shown)
        self.more.value = f"<i>{counted(left, 'more task')}: find them by a word of their name.</i>" if left else ""
        self.unassigned.value = unassigned_cells(self.session.figures)

    def _show_selected(self) -> None:
        chosen = self.session.selected
        names = {row.task_id: row.name for row in rows_of(self.session)}
        said = "; ".join(f"<b>{safe(names[task_id])}</b>" for task_id in chosen)
        text = f"Selected: {said}" if said else "Nothing is selected. Tick the tasks that you want to change."
        if len(chosen) == 1:
            shared = _html(skeleton_of(self.session.tasks, chosen[0]))
            text += f"<br>What its prompts share:<div style='max-height:13em;overflow:auto'>{shared}</div>"
        self.selected.value = f"<div style='line-height:1.4;margin:.4em 0'>{text}</div>"

    def _enable(self) -> None:
        n, trial = len(self.session.selected), self.session.on_trial
        fits = {ONE: n == 1, SOME: n > 1, ANY: len(self.undo_of.options) > 1}
        for name, (_, needs, _) in BUTTONS.items():
            self.buttons[name].disabled = trial or not fits[needs]
        self.keep.disabled = self.back.disabled = not trial
        self.kinds.enable()

    def _tell(self, change: Change, more: str = "") -> None:
        html = f"{safe(change_words(change))} {safe(more)}{_html(change_grid(change))}"
        if change.stale:
            listed = decisions_grid(self.session.decisions, change.stale)
            html += f"<b>Because of this, {counted(len(change.stale), 'decision')} no longer hold:</b>{_html(listed)}"
        self._say(CALM if self.session.on_trial else DONE, html)

    # what a person does

    def _on(self, name: str) -> Callable[[object], None]:
        def clicked(_: object) -> None:
            with self:
                self.session.author = self.author.value.strip()
                self._decided(self._gesture(name))
                self.name.value = self.reason.value = self.split_value.value = ""

        return clicked

    def _decided(self, change: Change) -> None:
        self._tell(change)
        self.refresh()

    def _gesture(self, name: str) -> Change:
        why, called = self.reason.value.strip(), self.name.value
        if name == "rename":
            return self.session.rename(called, reason=why)
        if name == "merge":
            return self.session.merge(name=called if called.strip() else None, reason=why)
        if name == "split":
            return self.session.split(**{self.split_by.value: self.split_value.value.strip()}, reason=why)
        if name == "set_aside":
            return self.session.set_aside(reason=why)
        return self.session.undo(self.undo_of.value or None, reason=why)

    def _toggled(self, widget: RowWidget) -> None:
        if self._filling:
            return
        with self:
            others = [task_id for task_id in self.session.selected if task_id != widget.task_id]
            self.session.select(*others, *([widget.task_id] if widget.check.value else []))
            self._show_selected()
            self._enable()
            self.map.draw()

    def _turned(self, _: object) -> None:
        with self:
            self.map.turned(is_open=self.folded.selected_index == 0)

    def _recut(self, _: object) -> None:
        with self:
            values = {name: slider.value for name, slider in self.sliders.items()}
            self._take(Cut(**values | {"cover": round(values["cover"], 2)}))

    def _take(self, cut: Cut) -> None:
        if not self.cuts.is_known(cut):
            self._say(CALM, "Finding the tasks anew. This takes seconds, on a large log a minute.")
        began = time.perf_counter()
        change = self.cuts.take(cut)
        took = f"It took {time.perf_counter() - began:.1f} s."
        trial = "Nothing is written. Keep this cut, or go back, before you decide on its tasks."
        self._tell(change, f"{took} {trial}" if self.session.on_trial else took)
        self.refresh()

    def _kept(self, _: object) -> None:
        with self:
            self._say(DONE, safe(self.cuts.keep()))
            self.refresh()

    def _gone_back(self, _: object) -> None:
        with self:
            for name, slider in self.sliders.items():
                slider.value = getattr(self.cuts.kept, name)
            self._take(self.cuts.kept)

    def _searched(self, _: object) -> None:
        with self:
            self.refresh()

    # the widgets

    def _make_fields(self) -> None:
        make, wide = self._make, {"layout": self._make.Layout(width="98%")}
        self.figures, self.selected, self.said = make.HTML(), make.HTML(**wide), make.HTML(**wide)
        self.decisions, self.more = make.HTML(**wide), make.HTML()
        self.find = self._text("find", "a word of a task's name")
        self.find.observe(self._searched, "value")
        self.name = self._text("new name", "for rename or merge")
        self.split_value = self._text("what", "a word, or a name")
        self.reason = self._text("reason", "kept beside the decision")
        self.author = self._text("author", "who decides", self.session.author)
        self.split_by = make.Dropdown(
            description="split by",
            options=[("words in what varies", "phrase"), ("declared step", "step"), ("a tool on offer", "tool")],
        )
        self.undo_of = make.Dropdown(description="undo", options=[(LAST, "")])
        self.rows = make.VBox(layout=make.Layout(max_height="27em", overflow="hidden auto"))
        self.unassigned = make.HTML(layout=make.Layout(flex="1 1 0", min_width="0"))
        head = make.HTML(HEADS_HTML, layout=make.Layout(flex="1 1 0", min_width="0"))
        self.table = make.VBox(
            [
                self.find,
                make.HBox([make.HTML("<b>task</b>", layout=make.Layout(width=_NAME_WIDTH)), head]),
                self.rows,
                make.HBox([make.HTML("(in no task)", layout=make.Layout(width=_NAME_WIDTH)), self.unassigned]),
                self.more,
            ]
        )

    def _make_recut(self) -> None:
        self.recut = self._button("Recut", "Find the tasks anew with these settings; nothing is written", self._recut)
        self.keep = self._button("Keep this cut", "The run is analysed with these settings from now on", self._kept)
        self.back = self._button("Back", "Return to the cut of the run", self._gone_back)

    def _gestures(self) -> Widget:
        make, button = self._make, self.buttons
        return make.VBox(
            [
                make.HBox([self.name, button["rename"], button["merge"]]),
                make.HBox([self.split_by, self.split_value, button["split"], button["set_aside"]]),
                make.HBox([self.undo_of, button["undo"]]),
                make.HBox([self.reason, self.author]),
            ]
        )

    def _folded(self) -> Widget:
        make = self._make
        rows = [
            make.VBox(
                [self.sliders[k.name], make.HTML(f"<small>Higher: {safe(k.more)}.<br>Lower: {safe(k.less)}.</small>")]
            )
            for k in KNOBS
        ]
        recut = make.VBox([*rows, make.HBox([self.recut, self.keep, self.back])])
        folds = [self.map.view, self.kinds.view, recut, self.decisions]
        self.folded = make.Accordion(folds, titles=FOLDS, selected_index=None)
        self.folded.observe(self._turned, "selected_index")
        return self.folded

    def _slider(self, knob: Knob) -> Widget:
        kind = self._make.IntSlider if isinstance(knob.low, int) else self._make.FloatSlider
        return kind(
            value=getattr(self.cuts.kept, knob.name),
            min=knob.low,
            max=knob.high,
            step=knob.step,
            description=knob.label,
            continuous_update=False,
            style={"description_width": "34em"},
            layout=self._make.Layout(width="98%"),
        )

    def _row(self) -> RowWidget:
        make = self._make
        check = make.Checkbox(indent=False, layout=make.Layout(flex=f"0 0 {_NAME_WIDTH}", min_width="0"))
        cells = make.HTML(layout=make.Layout(flex="1 1 0", min_width="0"))
        widget = RowWidget("", check, cells, make.HBox([check, cells], layout=make.Layout(min_height="2em")))
        check.observe(lambda _: self._toggled(widget), "value")
        return widget

    def _text(self, label: str, hint: str, value: str = "") -> Widget:
        return self._make.Text(value, description=label, placeholder=hint, layout=self._make.Layout(width="28em"))

    def _button(self, label: str, does: str, clicked: Callable[[object], None]) -> Widget:
        button = self._make.Button(description=label, tooltip=does)
        button.on_click(clicked)
        return button


def _html(thing: Grid | Excerpt) -> str:
    """Return a small table or text as a notebook shows it."""
    html: str = thing._repr_html_()
    return html
