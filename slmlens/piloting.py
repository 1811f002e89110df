"""Pilots of a run: prompts out, answers of a small model in, grades kept in the run's folder and in its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from slmlens.errors import RunFolderError, SettingError
from slmlens.pilot_store import FOLDER, GRADES, PROMPTS, SAMPLE, stored, stored_tasks
from slmlens.results import Tasks, Verdicts
from slmlens.run import MANIFEST, Run, open_run
from slmlens.suitability.pilot import MAX_SLMS, Progress
from slmlens.suitability.pilot_words import export_words, progress_words, verdict_words
from slmlens.tables import MODES

_LISTED = 8


@dataclass(frozen=True)
class Pilot:
    """A pilot of one task.

    :param task_id: The task.
    :param sample: ``PilotSampleTable``: the calls to ask.
    :param prompts: What to ask, in order: ``id``, ``messages``, ``tools`` where known; empty without texts.
    :param grades: ``PilotGradesTable``: what was graded so far, of all small models.
    :param progress: How far each small model has come.
    :param evidence: ``EvidenceTable`` rows; a probe for ``sl.assess(tasks, probes=[lambda _tasks: pilot.evidence])``.
    :param verdicts: The verdicts of the run after new answers; None: nothing new, or no run.
    :param said: The result, and what to do next, in sentences.
    """

    task_id: str
    sample: pl.DataFrame
    prompts: list[dict[str, object]]
    grades: pl.DataFrame
    progress: tuple[Progress, ...]
    evidence: pl.DataFrame
    verdicts: Verdicts | None
    said: str


def pilot(
    run: Run | Tasks | str | Path,
    task: str,
    *,
    answers: str | Path | None = None,
    model: str | None = None,
    mode: str = "swap",
    seed: int = 0,
) -> Pilot:
    """Export prompts of a task for a small model, or grade its answers and move the verdict.

    Without ``answers`` up to 240 prompts of later sessions are written to ``pilots/TASK/prompts.jsonl`` in the run's
    folder: one call a session, by strata, redacted as stored, without the incumbent's answer. With ``answers`` these
    are graded by the task's comparator and kept (as grades, not as texts); at 30, 60, 120 and 240 answers evidence,
    plan and report are made anew. The same answers again change nothing.

    :param run: A run or its folder; or tasks, and then nothing is written.
    :param task: Id of the task, or its whole name.
    :param answers: JSON lines: ``id`` with ``answer`` or ``tool_calls``, or lines of an OpenAI batch output.
    :param model: Name of the small model that answered.
    :param mode: ``swap``: the model as it is; ``tuned``: trained on this task's earlier sessions.
    :param seed: Seed of the sample; with a run, that of the run.
    :raises SettingError: If the task or the mode is unknown, no model is named, or it is the fourth of the task.
    :raises InputError: If the answers can't be read, or are of another export.
    :raises RunFolderError: If there is no run with tasks, or it holds no texts to ask.
    """
    if mode not in MODES:
        raise SettingError(f"the mode {mode!r} is unknown", where="mode", next_step=f"choose {' or '.join(MODES)}")
    if answers is not None and not (model or "").strip():
        raise SettingError(
            "the model that gave these answers is not named", where="model", next_step="name it with --model"
        )
    at = None if isinstance(run, Tasks) else _existing(run)
    tasks = run if isinstance(run, Tasks) else stored_tasks(_existing(run))
    task_id = _task_id(tasks, task)
    _need_texts(tasks, at.folder.name if at else "tasks")
    sample = _sample(at, tasks, task_id, seed)
    if answers is None:
        return _export(at, tasks, task_id, sample)
    return _import(at, tasks, task_id, sample, Path(answers).expanduser(), str(model).strip(), mode)


def _export(run: Run | None, tasks: Tasks, task_id: str, sample: pl.DataFrame) -> Pilot:
    from slmlens.suitability.pilot import prompt_ids
    from slmlens.suitability.pilot_prompts import as_lines, pilot_prompts

    order = sample.sort("position").get_column("call_id")
    ids = prompt_ids(tasks, task_id, order)
    prompts = pilot_prompts(tasks, {call_id: ids[call_id] for call_id in order})
    place = "the prompts"
    if run is not None:
        if stored(run, tasks, task_id) is None:
            run.write_frame(f"{FOLDER}/{task_id}/{SAMPLE}", sample)
        place = str(run.write_text(f"{FOLDER}/{task_id}/{PROMPTS}", as_lines(prompts)))
    graded = _graded_so_far(run, tasks, task_id)
    said = export_words(tasks, task_id, sample, place=place, folder=str(run.folder) if run else None)
    return Pilot(task_id, sample, prompts, *graded, None, said)


def _graded_so_far(
    run: Run | None, tasks: Tasks, task_id: str
) -> tuple[pl.DataFrame, tuple[Progress, ...], pl.DataFrame]:
    from slmlens.suitability.pilot import pilot_evidence, progress_of
    from slmlens.suitability.pilot_tables import PilotGradesTable
    from slmlens.suitability.settings import AssessSettings

    kept = None if run is None else stored(run, tasks, task_id)
    if kept is None:
        return PilotGradesTable.create_empty(), (), pilot_evidence(task_id, [])
    sample, grades = kept
    progress = progress_of(sample, grades, AssessSettings())
    return grades, tuple(progress), pilot_evidence(task_id, progress)


def _import(
    run: Run | None, tasks: Tasks, task_id: str, sample: pl.DataFrame, answers: Path, slm: str, mode: str
) -> Pilot:
    from slmlens.suitability.pilot import (
        grade_answers,
        observed_task,
        pilot_evidence,
        progress_of,
        prompt_ids,
    )
    from slmlens.suitability.pilot_answers import check_ids, read_answers
    from slmlens.suitability.settings import AssessSettings

    if run is not None and stored(run, tasks, task_id) is None:
        raise RunFolderError(
            "no prompts of this task were exported yet, or the task has grown since",
            where=task_id,
            next_step=f"run `slmlens pilot {run.folder} --task {task_id}` first",
        )
    given = read_answers(answers)
    calls = {one: call_id for call_id, one in prompt_ids(tasks, task_id, sample.get_column("call_id")).items()}
    check_ids(given, calls, where=answers.name)
    before = _graded_so_far(run, tasks, task_id)[0]
    slm = _known_name(slm, before)
    _refuse_a_fourth(before, slm, task_id)
    observed = observed_task(tasks, task_id)
    assert observed is not None, "a task with a sample has usable calls"
    sample = sample.filter(pl.col("call_id").is_in(observed.call_ids))
    fresh = grade_answers(observed, {calls[one]: answer for one, answer in given.items()}, slm=slm, mode=mode)
    keys = ["call_id", "slm", "mode"]
    grades = pl.concat([before.join(fresh, on=keys, how="anti"), fresh]).sort(keys)
    changed = fresh.join(before, on=keys).filter(pl.col("acceptable") != pl.col("acceptable_right")).height
    progress = tuple(progress_of(sample, grades, AssessSettings()))
    mine = next(one for one in progress if (one.slm, one.mode) == (slm, mode))
    verdicts: Verdicts | None = None
    moved: list[str] = []
    if run is not None:
        if not grades.equals(before):
            run.write_frame(f"{FOLDER}/{task_id}/{GRADES}", grades)
        verdicts, moved = _made_anew(run, tasks, task_id)
    said = " ".join([*progress_words(mine, changed=changed), *moved])
    return Pilot(task_id, sample, [], grades, progress, pilot_evidence(task_id, list(progress)), verdicts, said)


def _known_name(slm: str, grades: pl.DataFrame) -> str:
    """Return the model's name as it was graded before, or as the catalogue has it, where only capitals differ."""
    from slmlens.savings.catalogue import small_models

    known = [*grades.get_column("slm").unique().sort(), *(model.name for model in small_models())]
    return next((name for name in known if name.casefold() == slm.casefold()), slm)


def _refuse_a_fourth(grades: pl.DataFrame, slm: str, task_id: str) -> None:
    known = grades.get_column("slm").unique().sort().to_list()
    if slm not in known and len(known) >= MAX_SLMS:
        raise SettingError(
            f"{len(known)} small models were piloted on this task already ({', '.join(known)}), and with each more the "
            "best of them looks better than it is",
            where=task_id,
            next_step="stay with these, or take a new log for another",
        )


def _made_anew(run: Run, tasks: Tasks, task_id: str) -> tuple[Verdicts | None, list[str]]:
    """Weigh, value and report again where the run had come so far; tell the verdict before and after."""
    from slmlens import stages
    from slmlens.settings import stored_settings

    had = dict(run.manifest.get("stages", {}))
    if "assess" not in had:
        return None, []
    before = _verdict_words(run, task_id)
    settings = stored_settings(run)
    mark = had["assess"]["fingerprint"]
    verdicts = stages.assess(tasks, run=run, seed=settings.seed)
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


def _existing(run: Run | str | Path) -> Run:
    if isinstance(run, Run):
        return run
    if not (Path(run) / MANIFEST).is_file():
        raise RunFolderError("there is no run here", where=Path(run).name, next_step="name the folder of a run")
    return open_run(run)


def _task_id(tasks: Tasks, asked: str) -> str:
    listing = tasks.tasks.sort("n_calls", "task_id", descending=[True, False]).select("task_id", "name")
    known: dict[str, str] = dict(listing.iter_rows())
    if asked in known:
        return asked
    named = [task_id for task_id, name in known.items() if name == asked]
    if len(named) == 1:
        return named[0]
    listed = ", ".join(f"{task_id} ({name})" for task_id, name in list(known.items())[:_LISTED])
    raise SettingError(f"there is no task {asked!r}", where="task", next_step=f"name one by its id: {listed}")


def _need_texts(tasks: Tasks, where: str) -> None:
    if tasks.calls.messages.get_column("text").null_count() == tasks.calls.messages.height:
        raise RunFolderError(
            "the run holds no texts, so there is nothing to ask and nothing to grade against",
            where=where,
            next_step="analyse the log into a new folder that keeps texts (without --no-text)",
        )


def _sample(run: Run | None, tasks: Tasks, task_id: str, seed: int) -> pl.DataFrame:
    """Return the sample of a task: as in store, less what left the task; else drawn."""
    from slmlens.suitability.pilot import observed_task
    from slmlens.suitability.pilot_sample import draw_pilot
    from slmlens.suitability.settings import AssessSettings

    kept = None if run is None else stored(run, tasks, task_id)
    if kept is not None:
        return kept[0]
    observed = observed_task(tasks, task_id)
    n_calls = tasks.assignments.filter(pl.col("task_id") == task_id).height
    seed = seed if run is None else int(run.manifest.get("seed", seed))
    sample = None if observed is None else draw_pilot(observed, AssessSettings(), seed, task_calls=n_calls)
    if sample is None:
        raise SettingError(
            "the task has fewer than 30 sessions with a usable answer, and a pilot asks one call a session and first "
            "looks at 30",
            where=task_id,
            next_step="pilot another task, or take a longer log",
        )
    return sample
