"""Recorded pilots: a second log holds another model's answers to prompts of a run, and they are graded as a pilot."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from slmlens.errors import InputError, SettingError
from slmlens.pilots.grading import Drawn, Graded, graded_name
from slmlens.pilots.store import FOLDER, RECORDED, stored_recorded, stored_tasks
from slmlens.results import Calls, Tasks
from slmlens.run import Run
from slmlens.stages import Paths
from slmlens.suitability.observe import observe
from slmlens.suitability.pilot import grade_answers, observed_task, progress_of
from slmlens.suitability.pilot_sample import draw_pilot, rare_unreached
from slmlens.suitability.pilot_tables import RecordedTable
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.recorded import Matched, RecordedAnswers, match
from slmlens.suitability.recorded_words import listing_words
from slmlens.suitability.settings import AssessSettings
from slmlens.tables import checked

_LISTED = 8
_HASHED = "call-"
"""How a call's id begins where the log has none: then equal answers to equal prompts have one id."""


@dataclass(frozen=True)
class RecordedLog:
    """The calls of one model in a second log.

    :param slm: The model's name.
    :param answers: Its answers, by prompt.
    """

    slm: str
    answers: RecordedAnswers


def read_recorded(run: Run | None, tasks: Tasks, logs: Paths, model: str | None) -> RecordedLog:
    """Read a log of another model's calls as the run was read: redacted alike, in memory; nothing is stored.

    :param run: The run whose prompts were answered; None: tasks without a run.
    :param tasks: Its tasks.
    :param logs: Files or folders of any format that is recognised.
    :param model: The model whose answers count; where the log names one or none, its name. None: the one it names.
    :raises InputError: If the log can't be read, or holds the run's own calls.
    :raises SettingError: If the log names several models, or none, and ``model`` doesn't tell.
    """
    calls = _as_the_run(run, logs)
    own = set(tasks.calls.calls.get_column("call_id"))
    ids = calls.calls.get_column("call_id")
    if len(ids) and ids.is_in(own).all():
        raise InputError(
            "these are the run's own calls",
            where="recorded",
            next_step="name a log in which another model answered the same prompts",
        )
    others = calls.calls.filter(~pl.col("call_id").is_in(own) | pl.col("call_id").str.starts_with(_HASHED))
    of_model, slm = _of_one_model(others, (model or "").strip())
    return RecordedLog(slm, RecordedAnswers(replace(calls, calls=of_model), same_key=_same_key(run)))


def matches(tasks: Tasks, log: RecordedLog) -> pl.DataFrame:
    """Return how many calls of each task have a recorded answer.

    :returns: ``task_id``, ``name``, ``calls`` (with a usable answer), ``recorded``, ``independent`` (one a session,
        each recorded answer once), ``ambiguous``; the most recorded first.
    """
    names = dict(tasks.tasks.select("task_id", "name").iter_rows())
    rows = []
    for observed in observe(tasks):
        found = match(tasks, observed, log.answers, AssessSettings())
        rows.append((observed.task_id, names[observed.task_id], found))
    columns = {
        "task_id": [task_id for task_id, _, _ in rows],
        "name": [name for _, name, _ in rows],
        "calls": [found.calls for *_, found in rows],
        "recorded": [len(found.answers) for *_, found in rows],
        "independent": [found.independent for *_, found in rows],
        "ambiguous": [found.ambiguous for *_, found in rows],
    }
    return pl.DataFrame(columns).sort("recorded", "task_id", descending=[True, False])


def listing(run: Run, tasks: Tasks, log: RecordedLog) -> str:
    """Return that as text, with the command that comes next."""
    return listing_words(matches(tasks, log), log.slm, folder=str(run.folder))


def pilots_in_words(
    folder: Run | str | Path, asked: Sequence[str], logs: Paths, *, model: str | None, mode: str
) -> str:
    """Grade the answers of a second log to the prompts of some tasks, and say how each verdict moved.

    :param folder: A run or its folder.
    :param asked: Ids or names of tasks; none: only how many calls of each task have an answer.
    """
    from slmlens.pilots.pilot import existing_run, need_texts, pilot, task_of

    run = existing_run(folder)
    tasks = stored_tasks(run)
    need_texts(tasks, run.folder.name)
    names = dict(tasks.tasks.select("task_id", "name").iter_rows())
    task_ids = [task_of(tasks, one) for one in asked]
    log = read_recorded(run, tasks, logs, model)
    if not task_ids:
        return listing(run, tasks, log)
    said = [f"“{names[one]}”: {pilot(run, one, recorded=log, mode=mode).said}" for one in task_ids]
    return "\n\n".join(said)


def grade_recorded(
    run: Run | None, tasks: Tasks, task_id: str, log: RecordedLog, *, mode: str, seed: int
) -> tuple[Drawn, Graded, Matched, pl.DataFrame]:
    """Draw a sample among the calls of a task that have a recorded answer, grade it, and keep it in the run.

    :param run: The run that keeps it; None: nothing is written.
    :param seed: Seed of the sample; with a run, that of the run.
    :return: The task with its sample, the grades, what was matched, and ``RecordedTable``.
    :raises SettingError: If fewer than 30 independent calls have an answer, or it is the fourth model of the task.
    """
    observed = observed_task(tasks, task_id)
    if observed is None:
        raise SettingError("no call of the task has a usable answer", where=task_id, next_step="name another task")
    found = match(tasks, observed, log.answers, AssessSettings())
    seed = seed if run is None else int(run.manifest.get("seed", seed))
    n_calls = tasks.assignments.filter(pl.col("task_id") == task_id).height
    sample = draw_pilot(observed, AssessSettings(), seed, task_calls=n_calls, clusters=found.clusters)
    if sample is None:
        raise SettingError(
            f"{found.independent} independent calls of the task have a recorded answer of {log.slm} "
            f"({len(found.answers)} of {found.calls:,} calls), and the first look is at {LOOKS[0]}",
            where=task_id,
            next_step="see what the other tasks have without --task, or ask the model itself",
        )
    drawn = Drawn(run, tasks, task_id, sample)
    slm = graded_name(drawn, log.slm)
    given = {call_id: found.answers[call_id] for call_id in sample.get_column("call_id")}
    grades = grade_answers(observed, given, slm=slm, mode=mode)
    table = sample.join(grades, on="call_id").with_columns(
        covered=pl.lit(found.covered),
        rare_unreached=pl.lit(rare_unreached(observed, found.clusters, AssessSettings())),
    )
    table = checked(RecordedTable, table.select(RecordedTable.column_names()))
    changed = 0 if run is None else _kept(run, tasks, task_id, table)
    return drawn, Graded(grades, tuple(progress_of(sample, grades, AssessSettings())), changed), found, table


def _kept(run: Run, tasks: Tasks, task_id: str, table: pl.DataFrame) -> int:
    """Keep the grades of a model in place of those of before; return how many calls changed theirs."""
    keys = ["call_id", "slm", "mode"]
    before = stored_recorded(run, tasks, task_id)
    now = pl.concat([before.join(table, on=["slm", "mode"], how="anti"), table]).sort(keys)
    if not now.equals(before.sort(keys)):
        run.write_frame(f"{FOLDER}/{task_id}/{RECORDED}", now)
    return table.join(before, on=keys).filter(pl.col("acceptable") != pl.col("acceptable_right")).height


def _as_the_run(run: Run | None, logs: Paths) -> Calls:
    from slmlens import stages
    from slmlens.settings import Settings

    if run is None:
        return stages.read_logs(logs)
    had = run.manifest["settings"]
    names = had.get("names")
    settings = Settings(redact=run.manifest["redacted"], names=names is not None)
    if names is not None:
        settings = replace(settings, names_model=names)
    if not had.get("rules"):
        return stages.read_logs(logs, settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.yaml"
        rules.write_text(had["rules"], encoding="utf-8")
        return stages.read_logs(logs, settings=replace(settings, rules=rules))


def _same_key(run: Run | None) -> bool:
    from slmlens.curation.redact import Redaction, load_key
    from slmlens.forgetting import KEY_WORDS

    return run is not None and run.manifest.get("key_check") == Redaction(load_key()).pseudonym(*KEY_WORDS)


def _of_one_model(calls: pl.DataFrame, asked: str) -> tuple[pl.DataFrame, str]:
    """Return the calls of the model that is asked for, and its name.

    A failed call is often logged under the name that was requested only, which may be another than the answers bear.
    """
    answered = calls.filter(pl.col("status") == "ok")
    logged = answered.get_column("model").unique().sort(nulls_last=True).to_list()
    same = [name for name in logged if name is not None and name.casefold() == asked.casefold()]
    if len(logged) == 1 and (asked or logged[0]):
        return calls, [*same, asked or logged[0]][0]
    if same:
        own = pl.col("model") == same[0]
        requested = answered.filter(own).get_column("model_requested").drop_nulls().unique()
        failed = (pl.col("status") != "ok") & pl.col("model").is_in(requested.implode())
        return calls.filter(own | failed), same[0]
    listed = ", ".join(str(name) for name in logged[:_LISTED] if name is not None)
    raise SettingError(
        f"the log holds answers of several models ({listed})" if listed else "the log doesn't name the model",
        where="model",
        next_step="choose one of them with --model" if listed else "name it with --model",
    )
