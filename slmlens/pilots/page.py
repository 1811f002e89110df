"""A pilot as a notebook runs it: a task is chosen, a model is asked, and the task is looked at again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from slmlens.errors import SlmlensError
from slmlens.pilots.pilot import Pilot, pilot
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.one_task import OneTask, look_at
from slmlens.reporting.text import percent
from slmlens.results import Plan
from slmlens.run import Run
from slmlens.stages import Paths

if TYPE_CHECKING:
    from slmlens.specialists.probe_results import Outcome, TaskProbe

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What became of a pilot, to look at.

    :param pilot: The pilot; None: nothing was asked.
    :param words: The result, or why there is none.
    """

    pilot: Pilot | None
    words: str

    def __repr__(self) -> str:
        return repr(Words(self.words))

    def _repr_html_(self) -> str:
        return Words(self.words)._repr_html_()


@dataclass(frozen=True)
class Tuning:
    """What became of a model that was tuned here, to look at.

    :param probe: The result; None: nothing was tuned.
    :param words: Why nothing was, or what the figures rest on.
    """

    probe: TaskProbe | None
    words: str

    def __repr__(self) -> str:
        return repr(Words(self.words))

    def _repr_html_(self) -> str:
        return Words(self.words)._repr_html_()

    @property
    def outcomes(self) -> Grid | Words:
        """Each way of asking the model, beside the constant answer."""
        if self.probe is None:
            return Words("")
        return Grid(pl.DataFrame([_outcome(one) for one in self.probe.outcomes]), _NUMBERS, strong="way")


_NUMBERS = ("examples", "calls", "agreement", "constant")


def _outcome(one: Outcome) -> dict[str, object]:
    return {
        "way": one.way,
        "examples": one.examples,
        "calls": one.n,
        "agreement": f"{percent(one.agreement)} ({percent(one.lo90)} to {percent(one.hi90)})",
        "constant": "" if one.constant is None else percent(one.constant),
    }


def first_pilot(plan: Plan, summary: Json, task: str | None = None) -> OneTask | Words:
    """Return the task to pilot first, to look at: that of the pilot of the highest expected value, not in a loop.

    :param plan: The plan of a log.
    :param summary: Its summary.
    :param task: Id or name of another task; None: the plan's choice, and where it has none the dearest undecided one.
    :raises SettingError: If there is no such task.
    """
    if task is None and not plan.pilots.is_empty():
        alone = plan.pilots.filter(~pl.col("in_loop"))
        task = str((plan.pilots if alone.is_empty() else alone).item(0, "task_id"))
    return look_at(plan, summary, task)


def ask(
    run: Run,
    one: OneTask | Words,
    *,
    recorded: Paths | None = None,
    endpoint: str | None = None,
    model: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Asked:
    """Pilot a task: with the answers that a log holds, or at an endpoint; with neither, the prompts are written.

    :param run: The run, which keeps the grades.
    :param one: The task.
    :param recorded: A log of another model on the same prompts.
    :param endpoint: Address of a model to ask, if there is no such log.
    :param model: Its name.
    :param say: Gets, before anything is sent, what leaves and where to.
    """
    if isinstance(one, Words):
        return Asked(None, one.text)
    at = None if recorded is not None else endpoint
    try:
        found = pilot(run, one.record["task_id"], recorded=recorded, endpoint=at, model=model, say=say)
    except SlmlensError as why:
        return Asked(None, f"Nothing was asked. {why}")
    return Asked(found, found.said)


def look_again(run: Run, one: OneTask | Words, tuning: Tuning | None = None) -> OneTask | Words:
    """Return a task as the run has it now: weighed, valued and reported with all that was graded since.

    :param one: The task as it was looked at before.
    :param tuning: A model that was tuned on it: it counts here, and the run's verdict stays without it. Words if there
        is none.
    """
    from slmlens import stages
    from slmlens.pilots.store import stored_tasks
    from slmlens.savings.plan import plan
    from slmlens.settings import price_book, stored_settings

    if isinstance(one, Words):
        return one
    if tuning is not None and tuning.probe is None:
        return Words("Nothing was tuned, so nothing moved.")
    settings, tasks, probe = stored_settings(run), stored_tasks(run), tuning.probe if tuning else None
    if probe is None:
        made = stages.plan(stages.assess(tasks, run=run, seed=settings.seed), run=run, settings=settings)
        return look_at(made, stages.report(made, run=run, settings=settings), one.record["task_id"])
    verdicts = stages.assess(tasks, run=run, seed=settings.seed, probes=[lambda _tasks: probe.evidence])
    book = price_book(settings, run)
    made = plan(verdicts, overrides=settings.assumptions, seed=settings.seed, today=settings.today, book=book)  # type: ignore[arg-type]
    return look_at(made, stages.report(made, settings=settings), one.record["task_id"])


def tune(run: Run, one: OneTask | Words, *, seconds: float | None, base: str | None = None) -> Tuning:
    """Tune a small model on the task's earlier sessions, here, and grade it on later ones.

    :param run: The run, which keeps adapter and result.
    :param one: The task.
    :param seconds: Seconds to spend, about; None: nothing is tuned.
    :param base: The model to tune: a folder of transformers, a GGUF file or an id of a hub; None: the default one.
    """
    from slmlens.specialists.probe_words import probe_words

    if isinstance(one, Words):
        return Tuning(None, one.text)
    if seconds is None:
        return Tuning(None, "Nothing was tuned: set TUNE_SECONDS to 180 to tune a small model here.")
    try:
        found = _probed(run, str(one.record["task_id"]), seconds, base)
    except SlmlensError as why:
        return Tuning(None, f"Nothing was tuned. {why}")
    return Tuning(None if found.refused else found, probe_words(found))


def _probed(run: Run, task_id: str, seconds: float, base: str | None) -> TaskProbe:
    from slmlens.pilots.probing import probe_tasks
    from slmlens.pilots.store import stored_tasks
    from slmlens.specialists.slm_probe import ProbeSettings

    settings = ProbeSettings(seconds=seconds)
    with warnings.catch_warnings():
        # transformers tells its developers what it will rename; a reader of the page can do nothing about it
        warnings.simplefilter("ignore", FutureWarning)
        (found,) = probe_tasks(stored_tasks(run), base, run=run, only=[task_id], settings=settings)
    return found


def kept_as_graded(run: Run, asked: Asked) -> bool:
    """Return whether the run's evidence holds the figures of a pilot; also where there was none, or no look reached."""
    if asked.pilot is None or asked.pilot.evidence.is_empty():
        return True
    keys = ["task_id", "mode", "slm", "n", "agreement"]
    kept = run.read_frame("evidence").filter(pl.col("source") == "pilot")
    return asked.pilot.evidence.join(kept, on=keys, how="anti").is_empty()
