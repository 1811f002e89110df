"""Assumptions that a person changes in a notebook: the whole plan follows, and nothing is written unless asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slmlens.errors import SettingError
from slmlens.reporting.card import name_of
from slmlens.reporting.grid import Grid, Words, safe
from slmlens.reporting.money_grids import (
    deployments_grid,
    flips_words,
    ladder_grid,
    order_grid,
    portfolio_words,
    tornado_grid,
    worth_grid,
)
from slmlens.reporting.summary import summarise
from slmlens.reporting.text import counted, shorten
from slmlens.results import Plan
from slmlens.reviewing.tool import CALM, DONE, NOTE, Tool, Widget
from slmlens.savings.assumptions import Assumption, Value, load_assumptions
from slmlens.savings.plan import plan as value_plan
from slmlens.spend.ledger import build_ledger

Json = Mapping[str, Any]

FIRST = (
    "budget_weeks", "engineer_day_usd", "people_cost_factor", "horizon_months", "price_decline_year", "pilot_days",
    "swap_days", "tune_days", "tune_month_usd", "retrains_year", "wrong_answer_minutes", "wrong_handled_share_human",
    "cheaper_llm_parity", "traffic_growth",
)  # fmt: skip
"""What most plans hang on, shown first; the others stand below."""

FILE = "assumptions.yaml"
_NUMBERS = re.compile(r"[0-9.]+(?:e[+-]?\d+)?", re.IGNORECASE)
_NAME = 70


class WhatIf(Tool):
    """Fields for the assumptions of a plan; each change values the plan anew and moves every table at once.

    :param plan: The plan of a run.
    :param summary: Its summary.
    :param folder: Where the button writes ``assumptions.yaml``.
    :param remake: Values the verdicts under changed assumptions; None: as :func:`slmlens.savings.plan.plan` does.
    :param raises: See :class:`Tool`.
    """

    def __init__(
        self,
        plan: Plan,
        summary: Json,
        *,
        folder: str | Path,
        remake: Callable[[Mapping[str, Any]], Plan] | None = None,
        raises: bool | None = None,
    ) -> None:
        super().__init__(raises=raises)
        self.plan, self.summary, self._was = plan, summary, summary
        self.changed: dict[str, Value] = {}
        self._remake = remake or (lambda changed: value_plan(plan.verdicts, overrides=changed))
        self._folder = Path(folder)
        tasks = plan.tasks
        self._ledger = build_ledger(tasks.calls.calls, tasks.assignments, excluded=tasks.set_aside)
        self._defaults = _in_the_run(plan)
        self.fields = {name: self._field(entry) for name, entry in self._defaults.items()}
        self.task = self._chooser()
        self.worth, self.tornado, self.order, self.portfolio = (self._make.HTML() for _ in range(4))
        self.deployments, self.ladder, self.flips = (self._make.HTML() for _ in range(3))
        self.write = self._button("Write assumptions.yaml", "For slmlens run LOGS --assumptions", self._written)
        self.back = self._button("Back", "Return to the assumptions of the run", self._gone_back)
        self.view = self._laid_out()
        self._show()

    def __repr__(self) -> str:
        said = self.summary["plan"]["headline"]
        changed = counted(len(self.changed), "assumption") + " changed" if self.changed else "Assumptions as in the run"
        return f"{changed}: {said}"

    def set(self, name: str, text: str) -> None:
        """Write a value into the field of an assumption, as a person would.

        :param text: A number; or the lowest, most likely and highest of a range: ``0, 0.2, 0.6``.
        """
        self.fields[name].value = text

    def shown_tables(self) -> dict[str, Grid | Words]:
        """Return what the tables show now, by name."""
        tables: dict[str, Grid | Words] = {
            "worth": worth_grid(self.summary, self._was),
            "tornado": tornado_grid(self.summary),
            "order": order_grid(self.summary),
            "portfolio": portfolio_words(self.summary),
        }
        task = next((task for task in self.summary["tasks"] if task["task_id"] == self.task.value), None)
        none = Words("The log has no task.")
        of_task: dict[str, Grid | Words] = {"deployments": none, "ladder": none, "flips": none}
        if task is not None:
            of_task = {
                "deployments": deployments_grid(task),
                "ladder": ladder_grid(task),
                "flips": flips_words(task),
            }
        return tables | of_task

    def _field(self, entry: Assumption) -> Widget:
        field = self._make.Text(
            value=_text(entry.value),
            description=entry.name,
            continuous_update=False,
            style={"description_width": "16em"},
            layout=self._make.Layout(width="26em"),
        )
        field.observe(lambda change, name=entry.name: self._edited(name, change), "value")
        return field

    def _row(self, entry: Assumption) -> Widget:
        about = f"{entry.unit} <span style='color:#55606e'>({entry.kind}; {entry.source}, {entry.date})</span>"
        words = self._make.HTML(f"<div style='line-height:1.35;max-width:46em'>{_marked(about)}</div>")
        return self._make.HBox([self.fields[entry.name], words], layout=self._make.Layout(align_items="center"))

    def _chooser(self) -> Widget:
        tasks = [(shorten(name_of(task), _NAME), task["task_id"]) for task in self.summary["tasks"]]
        acting = next(iter(self.summary["plan"]["order"]), tasks[0][1] if tasks else None)
        style, layout = {"description_width": "4em"}, self._make.Layout(width="40em")
        chooser = self._make.Dropdown(options=tasks, value=acting, description="task", style=style, layout=layout)
        chooser.observe(lambda _: self._chosen(), "value")
        return chooser

    def _button(self, words: str, tip: str, clicked: Callable[[], None]) -> Widget:
        button = self._make.Button(description=words, tooltip=tip, layout=self._make.Layout(width="16em"))
        button.on_click(lambda _: clicked())
        return button

    def _laid_out(self) -> Widget:
        rows = {name: self._row(entry) for name, entry in self._defaults.items()}
        rest = self._make.Accordion([self._make.VBox([row for name, row in rows.items() if name not in FIRST])])
        rest.set_title(0, f"{len(rows) - len(FIRST)} more assumptions")
        rest.selected_index = None
        self.first = self._make.VBox([rows[name] for name in FIRST])
        buttons = self._make.HBox([self.back, self.write])
        # what is watched stands above the fields, so that nobody has to scroll to see a change
        shown = [self.said, self.worth, self.first, rest, buttons, self.tornado, self.order, self.portfolio]
        return self._make.VBox(shown)

    def _edited(self, name: str, change: Mapping[str, Any]) -> None:
        with self:
            value = parsed(name, change["new"])
            load_assumptions({name: _plain(value)})  # refuses what is no value before anything moves
            changed = {**self.changed, name: value}
            if value == self._defaults[name].value:
                changed.pop(name)
            self._value(changed)

    def _value(self, changed: dict[str, Value]) -> None:
        base = {name: entry.value for name, entry in self._defaults.items() if entry.source == _SET}
        self.plan = self._remake({name: _plain(value) for name, value in (base | changed).items()})
        self.summary = summarise(self.plan, ledger=self._ledger, month=self.plan.total["month"])  # type: ignore[arg-type]
        self.changed = changed
        self._show()

    def _chosen(self) -> None:
        with self:
            self._show()

    def _gone_back(self) -> None:
        with self:
            for name, field in self.fields.items():
                entry = self._defaults[name]
                if field.value != _text(entry.value):
                    field.value = _text(entry.value)

    def _written(self) -> None:
        import yaml

        with self:
            base = {name: entry.value for name, entry in self._defaults.items() if entry.source == _SET}
            content = {name: _plain(value) for name, value in sorted((base | self.changed).items())}
            place = self._folder / FILE
            place.write_text(yaml.safe_dump(content, sort_keys=True) if content else "{}\n", encoding="utf-8")
            told = f"{counted(len(content), 'assumption')} in {FILE}, in the run's folder. Use it: "
            self._say(DONE, safe(f"{told}slmlens run LOGS --out FOLDER --assumptions {place.name}"))

    def _show(self) -> None:
        style = f"{NOTE};padding-left:0"
        for name, table in self.shown_tables().items():
            getattr(self, name).value = f"<div style='{style}'>{table._repr_html_()}</div>"
        self._say(CALM, safe(repr(self)))


_SET = "set by the user"


def parsed(name: str, text: str) -> Value:
    """Return the value that a person wrote: a number, or the lowest, most likely and highest of a range.

    :raises SettingError: If it is neither.
    """
    parts = [part.strip() for part in re.split(r"[,;]", text) if part.strip()]
    if not parts or not all(_NUMBERS.fullmatch(part) for part in parts) or len(parts) not in {1, 3}:
        raise SettingError(
            f"{text!r} is neither a number nor a range",
            where=name,
            next_step="write 800, or the lowest, most likely and highest: 0, 0.2, 0.6",
        )
    numbers = [float(part) for part in parts]
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def _in_the_run(plan: Plan) -> dict[str, Assumption]:
    """Return the plan's assumptions about money, as the run has them."""
    written = dict(plan.assumptions.select("name", "value").iter_rows())
    source = dict(plan.assumptions.select("name", "source").iter_rows())
    date = dict(plan.assumptions.select("name", "date").iter_rows())
    defaults = load_assumptions().entries
    return {
        name: entry
        if source.get(name) != _SET
        else Assumption(name, _read(written[name]), entry.unit, _SET, date[name], entry.kind)
        for name, entry in defaults.items()
    }


def _read(written: str) -> Value:
    """Return a value from the text of ``AssumptionsTable``: ``0.2 (0 to 0.6)``."""
    numbers = [float(number) for number in _NUMBERS.findall(written)]
    return (numbers[1], numbers[0], numbers[2]) if len(numbers) > 1 else numbers[0]


def _text(value: Value) -> str:
    return ", ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else f"{value:g}"


def _plain(value: Value) -> Any:  # noqa: ANN401  a number or a list of three, as YAML has them
    return list(value) if isinstance(value, tuple) else value


def _marked(html: str) -> str:
    return html.replace("$", "<span>$</span>")
