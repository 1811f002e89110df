"""Two folds of the review panel that cost something, and so wait until a person opens them or asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from slmlens.reporting.grid import safe
from slmlens.reviewing.item_map import ItemMap
from slmlens.reviewing.kinds import Kinds, Rule, kinds_of
from slmlens.reviewing.session import Change, ReviewSession
from slmlens.tasks.encoders import VectorCache
from slmlens.tasks.vectors import Store

Widget = Any  # ipywidgets ships no types

PLOTLY = "application/vnd.plotly.v1+json"
_PROSE = "line-height:1.45;max-width:62em;margin:.3em 0"
_DRAWING = (
    "Drawing the map. The first time this takes half a minute, on a large log a few; later it is read from the run."
)
_KINDS_HINT = "Tick one task above, then look. Nothing is changed by looking."
LOOK = "Look for kinds of work"
SPLIT_BY_RULE = "Split by this rule"


class MapFold:
    """The map: made when it is opened first, coloured anew after each change while it is open.

    :param make: ``ipywidgets``.
    :param session: The review.
    :param store: The run that keeps vectors and coordinates.
    :param cache: Vectors of texts.
    """

    def __init__(self, make: Any, session: ReviewSession, store: Store | None, cache: VectorCache) -> None:  # noqa: ANN401 - ipywidgets ships no types
        self._session, self._store, self._cache = session, store, cache
        self.map: ItemMap | None = None
        self.is_open = False
        self.said = make.HTML()
        self.chart = make.Output(layout=make.Layout(min_height="660px"))
        self.view = make.VBox([self.said, self.chart])

    def turned(self, *, is_open: bool) -> None:
        """Take note that the fold was opened or closed."""
        self.is_open = is_open
        self.draw()

    def draw(self) -> None:
        """Draw the tasks as they are now, if anybody can see it."""
        if not self.is_open:
            return
        if self.map is None:
            self._say(_DRAWING)
            try:
                self.map = ItemMap(self._session.tasks.calls, store=self._store, cache=self._cache)
            except Exception as error:
                self.is_open = False  # until it is opened again: decisions go on without a map
                self._say(f"There is no map. {error}")
                raise
            self._say("")
        figure = self.map.figure(self._session.tasks, self._session.selected)
        shown = {PLOTLY: json.loads(figure.to_json()), "text/plain": figure.layout.title.text}
        self.chart.outputs = ({"output_type": "display_data", "data": shown, "metadata": {}},)

    def _say(self, text: str) -> None:
        self.said.value = f"<p style='{_PROSE}'>{safe(text)}</p>" if text else ""
        self.chart.layout.display = "none" if text else ""


class KindsFold:
    """Kinds of work inside the ticked task, and the rules among them that can be decided on.

    :param make: ``ipywidgets``.
    :param session: The review.
    :param cache: Vectors of texts.
    :param guard: Shows what goes wrong in a callback.
    :param kept: Called with what a decision did.
    """

    def __init__(
        self,
        make: Any,  # noqa: ANN401 - ipywidgets ships no types
        session: ReviewSession,
        cache: VectorCache,
        guard: AbstractContextManager[None],
        kept: Callable[[Change], None],
    ) -> None:
        self._session, self._cache, self._guard, self._kept = session, cache, guard, kept
        self.kinds: Kinds | None = None
        self.look = make.Button(description=LOOK, tooltip="Group the calls of the ticked task by what they work on")
        self.look.layout.width = "auto"
        self.look.on_click(self._looked)
        self.found = make.HTML(layout=make.Layout(width="98%"))
        self.rule = make.Dropdown(description="rule", options=[], layout=make.Layout(width="44em"))
        self.split = make.Button(
            description=SPLIT_BY_RULE, tooltip="Make two tasks: the calls that fit, and the others"
        )
        self.split.layout.width = "auto"
        self.split.on_click(self._split)
        self.offer = make.HBox([self.rule, self.split])
        self.view = make.VBox([make.HBox([self.look]), self.found, self.offer])
        self._show(None)

    def enable(self) -> None:
        """Let be clicked what can be done now."""
        self.look.disabled = len(self._session.selected) != 1
        self.split.disabled = self._session.on_trial

    def _looked(self, _: object) -> None:
        with self._guard:
            (task_id,) = self._session.selected
            self._show(None)
            self.found.value = f"<p style='{_PROSE}'>Looking. This takes seconds.</p>"
            self._show(kinds_of(self._session.tasks, task_id, cache=self._cache))

    def _split(self, _: object) -> None:
        with self._guard:
            rule: Rule = self.rule.value
            assert self.kinds is not None
            self._session.select(self.kinds.task_id)
            change = self._session.split(**{rule.kind: rule.value}, reason=_reason(rule, self.kinds))
            self._show(None)
            self._kept(change)

    def _show(self, kinds: Kinds | None) -> None:
        self.kinds = kinds
        if kinds is None:
            self.found.value = f"<p style='{_PROSE}'>{safe(_KINDS_HINT)}</p>"
        else:
            self.found.value = kinds._repr_html_()
        rules = () if kinds is None else kinds.rules
        self.rule.options = [(f"part {rule.part + 1}: {rule.words}", rule) for rule in rules]
        self.rule.value = rules[0] if rules else None
        self.offer.layout.display = "" if rules else "none"


def _reason(rule: Rule, kinds: Kinds) -> str:
    return f"part {rule.part + 1} of {kinds.parts.height} by meaning, which come back to {kinds.reproduced:.2f}"
