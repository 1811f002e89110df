"""Answers of a small model to the prompts of one task: graded, kept in the run, and the run's verdicts made anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from slmlens.errors import SettingError
from slmlens.pilots.store import FOLDER, GRADES, SAMPLE, stored, stored_recorded
from slmlens.results import Tasks, Verdicts
from slmlens.run import Run
from slmlens.suitability.answers import Answer
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import MAX_SLMS, Progress
from slmlens.suitability.pilot_words import verdict_words

KEYS = ["call_id", "slm", "mode"]


@dataclass(frozen=True)
class Drawn:
    """A task whose calls to ask are drawn.

    :param run: The run that keeps sample and grades; None: nothing is written.
    :param tasks: The tasks.
    :param task_id: The task.
    :param sample: ``PilotSampleTable`` of the task.
    """

    run: Run | None
    tasks: Tasks
    task_id: str
    sample: pl.DataFrame

    @cached_property
    def calls(self) -> dict[str, str]:
        """Call of each prompt id, in the order to ask."""
        from slmlens.suitability.pilot import prompt_ids

        order = self.sample.sort("position").get_column("call_id")
        ids = prompt_ids(self.tasks, self.task_id, order)
        return {ids[call_id]: call_id for call_id in order}

    @cached_property
    def observed(self) -> Observed:
        """The task's usable calls: what the present model answered."""
        from slmlens.suitability.pilot import observed_task

        observed = observed_task(self.tasks, self.task_id)
        assert observed is not None, "a task with a sample has usable calls"
        return observed


@dataclass(frozen=True)
class Graded:
    """Grades after new answers.

    :param grades: ``PilotGradesTable`` of all small models.
    :param progress: How far each small model has come.
    :param changed: Answers that replaced others and changed a grade.
    """

    grades: pl.DataFrame
    progress: tuple[Progress, ...]
    changed: int


def graded_so_far(drawn: Drawn) -> Graded:
    """Return the grades that a run keeps of a task; none without a run."""
    from slmlens.suitability.pilot import progress_of
    from slmlens.suitability.pilot_tables import PilotGradesTable
    from slmlens.suitability.settings import AssessSettings

    kept = None if drawn.run is None else stored(drawn.run, drawn.tasks, drawn.task_id)
    if kept is None:
        return Graded(PilotGradesTable.create_empty(), (), 0)
    return Graded(kept[1], tuple(progress_of(*kept, AssessSettings())), 0)


def graded_name(drawn: Drawn, slm: str) -> str:
    """Return the model's name as it was graded before, or as the catalogue has it, where only capitals differ.

    :raises SettingError: If it would be one model too many for the task.
    """
    from slmlens.savings.catalogue import small_models

    recorded = [] if drawn.run is None else [stored_recorded(drawn.run, drawn.tasks, drawn.task_id)]
    frames = [one.select("slm") for one in (graded_so_far(drawn).grades, *recorded)]
    graded = pl.concat(frames).get_column("slm").unique().sort().to_list()
    known = [*graded, *(model.name for model in small_models())]
    slm = next((name for name in known if name.casefold() == slm.casefold()), slm)
    if slm not in graded and len(graded) >= MAX_SLMS:
        raise SettingError(
            f"{len(graded)} small models were piloted on this task already ({', '.join(graded)}), and with each more "
            "the best of them looks better than it is",
            where=drawn.task_id,
            next_step="stay with these, or take a new log for another",
        )
    return slm


def keep_sample(drawn: Drawn) -> None:
    """Keep the sample in the run, unless it is there."""
    if drawn.run is not None and stored(drawn.run, drawn.tasks, drawn.task_id) is None:
        drawn.run.write_frame(f"{FOLDER}/{drawn.task_id}/{SAMPLE}", drawn.sample)


def grade_and_keep(
    drawn: Drawn, given: Mapping[str, Answer | None], *, slm: str, mode: str, reference: Observed | None = None
) -> Graded:
    """Grade answers and keep the grades in the run, beside those of before.

    :param given: Answers by prompt id, all of the sample; None: the model failed to answer.
    :param slm: The model, as :func:`graded_name` has it.
    :param reference: What to grade against; default: the present model's answers as the run stores them.
    """
    from slmlens.suitability.pilot import grade_answers, progress_of
    from slmlens.suitability.settings import AssessSettings

    before = graded_so_far(drawn).grades
    by_call = {drawn.calls[one]: answer for one, answer in given.items()}
    fresh = grade_answers(reference or drawn.observed, by_call, slm=slm, mode=mode)
    grades = pl.concat([before.join(fresh, on=KEYS, how="anti"), fresh]).sort(KEYS)
    changed = fresh.join(before, on=KEYS).filter(pl.col("acceptable") != pl.col("acceptable_right")).height
    if drawn.run is not None and not grades.equals(before):
        drawn.run.write_frame(f"{FOLDER}/{drawn.task_id}/{GRADES}", grades)
    counted = drawn.sample.filter(pl.col("call_id").is_in(drawn.observed.call_ids))
    return Graded(grades, tuple(progress_of(counted, grades, AssessSettings())), changed)


def verdicts_made_anew(drawn: Drawn) -> tuple[Verdicts | None, list[str]]:
    """Weigh, value and report again where the run had come so far; tell the verdict before and after."""
    from slmlens import stages
    from slmlens.settings import stored_settings

    run, task_id = drawn.run, drawn.task_id
    had = {} if run is None else dict(run.manifest.get("stages", {}))
    if run is None or "assess" not in had:
        return None, []
    before = _verdict_words(run, task_id)
    settings = stored_settings(run)
    mark = had["assess"]["fingerprint"]
    verdicts = stages.assess(drawn.tasks, run=run, seed=settings.seed)
    if run.manifest["stages"]["assess"]["fingerprint"] == mark:
        return verdicts, [f"The verdict stays: {before}."]
    if "plan" in had:
        made = stages.plan(verdicts, run=run, settings=settings)
        if "report" in had:
            audience = run.manifest.get("audience", "leadership")
            stages.report(made, run=run, audience=audience, settings=settings)
    return verdicts, [f"Before: {before}. After: {_verdict_words(run, task_id)}."]


def _verdict_words(run: Run, task_id: str) -> str:
    found = run.read_frame("verdicts").row(by_predicate=pl.col("task_id") == task_id, named=True)
    actions = run.read_frame("actions") if run.path("actions.parquet").is_file() else None
    action = None
    if actions is not None:
        action = actions.row(by_predicate=pl.col("task_id") == task_id, named=True)["action"]
    return verdict_words(found, action)
