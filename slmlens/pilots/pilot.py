"""Pilots of a run: prompts out, answers of a small model in, grades kept in the run's folder and in its verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import RunFolderError, SettingError
from slmlens.pilots.grading import (
    Drawn,
    Graded,
    grade_and_keep,
    graded_name,
    graded_so_far,
    keep_sample,
    verdicts_made_anew,
)
from slmlens.pilots.store import FOLDER, PROMPTS, stored, stored_tasks
from slmlens.results import Tasks, Verdicts
from slmlens.run import MANIFEST, Run, open_run
from slmlens.suitability.answers import Answer
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import TUNED, Progress, pilot_evidence
from slmlens.suitability.pilot_words import export_words, progress_words
from slmlens.tables import MODES

if TYPE_CHECKING:
    from slmlens.pilots.asking import Asking
    from slmlens.pilots.recorded import RecordedLog
    from slmlens.stages import Paths

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
    recorded: Paths | RecordedLog | None = None,
    endpoint: str | None = None,
    model: str | None = None,
    mode: str = "swap",
    asking: Asking | None = None,
    from_source: Paths | None = None,
    tune_locally: bool = False,
    base: str | Path | None = None,
    seconds: float = 180.0,
    say: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> Pilot:
    """Export prompts of a task for a small model, or grade its answers and move the verdict.

    Without ``answers`` up to 240 prompts of later sessions are written to ``pilots/TASK/prompts.jsonl`` in the run's
    folder: one call a session, by strata, redacted as stored, without the incumbent's answer. With ``answers`` these
    are graded by the task's comparator and kept (as grades, not as texts); at 30, 60, 120 and 240 answers evidence,
    plan and report are made anew. The same answers again change nothing. With ``recorded`` a second log is searched for
    answers of another model to the same prompts; the sample is drawn among the calls that have one, and the others are
    as they were believed (see :mod:`slmlens.suitability.recorded`).

    With ``endpoint`` a model behind an OpenAI-compatible address is asked, 60 prompts at a time unless ``asking`` says
    otherwise (see :mod:`slmlens.pilots.endpoint`); the key is taken from ``OPENAI_API_KEY``.

    With ``tune_locally`` a small model is tuned here on the task's earlier sessions and asked on later ones (see
    :mod:`slmlens.pilots.tuning`), which takes minutes and the extra ``tune``.

    :param run: A run or its folder; or tasks, and then nothing is written.
    :param task: Id of the task, or its whole name.
    :param answers: JSON lines: ``id`` with ``answer`` or ``tool_calls``, or lines of an OpenAI batch output.
    :param recorded: Files or folders of a log of another model, of any format that is recognised.
    :param model: Name of the small model that answered; with ``recorded`` it may be left to the log.
    :param endpoint: Base address of a chat endpoint, such as ``http://localhost:11434/v1``.
    :param asking: How the endpoint is asked, and how far: calls, dollars, tokens, pace.
    :param from_source: The logs of the run: prompts are asked as they were before redaction, and not stored.
    :param tune_locally: Tune a model here; its answers count as ``tuned``.
    :param base: The model to tune, as in :func:`slmlens.pilots.probing.slm_probe`; None: SmolLM2-135M-Instruct.
    :param seconds: Seconds that tuning and asking may take, about.
    :param say: Gets, before anything is sent, what leaves, where to and what it may cost.
    :param progress: Called with the prompts answered and the prompts to ask.
    :param mode: ``swap``: the model as it is; ``tuned``: trained on this task's earlier sessions.
    :param seed: Seed of the sample; with a run, that of the run.
    :raises SettingError: If the task or the mode is unknown, no model is named, or it is the fourth of the task.
    :raises InputError: If the answers can't be read, or are of another export.
    :raises EndpointError: If the endpoint can't be asked (any more); grades so far are kept.
    :raises MissingExtraError: If the client for it is not installed.
    :raises RunFolderError: If there is no run with tasks, or it holds no texts to ask.
    """
    _check_sources(answers=answers, recorded=recorded, endpoint=endpoint, tune_locally=tune_locally or None)
    _check_words(mode, model, must_be_named=bool(answers or endpoint))
    if from_source is not None and endpoint is None:
        raise SettingError(
            "raw prompts are asked at an endpoint only", where="from_source", next_step="name it with --endpoint"
        )
    at = None if isinstance(run, Tasks) else existing_run(run)
    tasks = run if isinstance(run, Tasks) else stored_tasks(existing_run(run))
    task_id = task_of(tasks, task)
    need_texts(tasks, at.folder.name if at else "tasks")
    if recorded is not None:
        return _recorded(at, tasks, task_id, recorded, model, mode, seed)
    drawn = Drawn(at, tasks, task_id, _sample(at, tasks, task_id, seed))
    if tune_locally:
        from slmlens.pilots.tuning import tuned_locally

        step = None if progress is None else _hundredths(progress)
        made = tuned_locally(drawn, base, seconds=seconds, say=say, progress=step)
        return _import(drawn, made.given, slm=made.slm, mode=TUNED, first=made.said)
    if endpoint is not None:
        from slmlens.pilots.endpoint import asked_at_endpoint

        at_endpoint, tally = asked_at_endpoint(
            drawn, endpoint, str(model), mode=mode, asking=asking, from_source=from_source, say=say, step=progress
        )
        first = at_endpoint.asked_in_words(tally)
        return _import(drawn, tally.given, slm=at_endpoint.slm, mode=mode, reference=at_endpoint.reference, first=first)
    if answers is None:
        return _export(drawn)
    return _import(drawn, _answers_in(Path(answers).expanduser(), drawn), slm=str(model).strip(), mode=mode)


def _hundredths(progress: Callable[[int, int], None]) -> Callable[[float], None]:
    return lambda share: progress(round(100 * share), 100)


def _check_words(mode: str, model: str | None, *, must_be_named: bool) -> None:
    if mode not in MODES:
        raise SettingError(f"the mode {mode!r} is unknown", where="mode", next_step=f"choose {' or '.join(MODES)}")
    if must_be_named and not (model or "").strip():
        raise SettingError("the model that answers is not named", where="model", next_step="name it with --model")


def _check_sources(**sources: object) -> None:
    """Refuse more than one source of answers at a time."""
    named = [name for name, given in sources.items() if given is not None]
    if len(named) > 1:
        raise SettingError(
            f"answers come from {' and from '.join(named)} at once",
            where=named[-1],
            next_step="take one, then the other",
        )


def _export(drawn: Drawn) -> Pilot:
    from slmlens.suitability.pilot_prompts import as_lines, pilot_prompts

    run, tasks, task_id, sample = drawn.run, drawn.tasks, drawn.task_id, drawn.sample
    prompts = pilot_prompts(tasks, {call_id: one for one, call_id in drawn.calls.items()})
    place = "the prompts"
    keep_sample(drawn)
    if run is not None:
        place = str(run.write_text(f"{FOLDER}/{task_id}/{PROMPTS}", as_lines(prompts)))
    said = export_words(tasks, task_id, sample, place=place, folder=str(run.folder) if run else None)
    return _pilot(drawn, graded_so_far(drawn), said, prompts=prompts)


def _answers_in(path: Path, drawn: Drawn) -> dict[str, Answer | None]:
    """Return the answers of a file, all to prompts of this export."""
    from slmlens.suitability.pilot_answers import check_ids, read_answers

    run, task_id = drawn.run, drawn.task_id
    if run is not None and stored(run, drawn.tasks, task_id) is None:
        raise RunFolderError(
            "no prompts of this task were exported yet, or the task has grown since",
            where=task_id,
            next_step=f"run `slmlens pilot {run.folder} --task {task_id}` first",
        )
    given = read_answers(path)
    check_ids(given, drawn.calls, where=path.name)
    return given


def _import(
    drawn: Drawn,
    given: Mapping[str, Answer | None],
    *,
    slm: str,
    mode: str,
    reference: Observed | None = None,
    first: str = "",
) -> Pilot:
    """Grade answers of any source, by prompt id of the sample, and move the verdict.

    :param reference: What to grade against; None: the present model's answers as stored.
    :param first: What the source says of itself.
    """
    slm = graded_name(drawn, slm)
    graded = grade_and_keep(drawn, given, slm=slm, mode=mode, reference=reference)
    mine = next(one for one in graded.progress if (one.slm, one.mode) == (slm, mode))
    verdicts, moved = verdicts_made_anew(drawn)
    said = " ".join([*([first] if first else []), *progress_words(mine, changed=graded.changed), *moved])
    return _pilot(drawn, graded, said, verdicts=verdicts)


def _recorded(
    run: Run | None,
    tasks: Tasks,
    task_id: str,
    logs: Paths | RecordedLog,
    model: str | None,
    mode: str,
    seed: int,
) -> Pilot:
    """Grade the answers that another log holds, and move the verdict."""
    from slmlens.pilots.recorded import RecordedLog, grade_recorded, read_recorded
    from slmlens.suitability.recorded import recorded_evidence
    from slmlens.suitability.recorded_words import matched_words
    from slmlens.suitability.settings import AssessSettings

    log = logs if isinstance(logs, RecordedLog) else read_recorded(run, tasks, logs, model)
    drawn, graded, found, table = grade_recorded(run, tasks, task_id, log, mode=mode, seed=seed)
    (mine,) = graded.progress
    verdicts, moved = verdicts_made_anew(drawn)
    said = " ".join([*matched_words(found, mine.slm), *progress_words(mine, changed=graded.changed), *moved])
    evidence = recorded_evidence(task_id, table, AssessSettings())
    return Pilot(task_id, drawn.sample, [], graded.grades, graded.progress, evidence, verdicts, said)


def _pilot(
    drawn: Drawn,
    graded: Graded,
    said: str,
    *,
    prompts: list[dict[str, object]] | None = None,
    verdicts: Verdicts | None = None,
) -> Pilot:
    evidence = pilot_evidence(drawn.task_id, list(graded.progress))
    return Pilot(drawn.task_id, drawn.sample, prompts or [], graded.grades, graded.progress, evidence, verdicts, said)


def existing_run(run: Run | str | Path) -> Run:
    """Return a run, or the one in a folder.

    :raises RunFolderError: If there is none.
    """
    if isinstance(run, Run):
        return run
    if not (Path(run) / MANIFEST).is_file():
        raise RunFolderError("there is no run here", where=Path(run).name, next_step="name the folder of a run")
    return open_run(run)


def task_of(tasks: Tasks, asked: str) -> str:
    """Return the id of a task that is asked for by its id or its whole name.

    :raises SettingError: If there is none.
    """
    listing = tasks.tasks.sort("n_calls", "task_id", descending=[True, False]).select("task_id", "name")
    known: dict[str, str] = dict(listing.iter_rows())
    if asked in known:
        return asked
    named = [task_id for task_id, name in known.items() if name == asked]
    if len(named) == 1:
        return named[0]
    listed = ", ".join(f"{task_id} ({name})" for task_id, name in list(known.items())[:_LISTED])
    raise SettingError(f"there is no task {asked!r}", where="task", next_step=f"name one by its id: {listed}")


def need_texts(tasks: Tasks, where: str) -> None:
    """Refuse tasks without texts.

    :param where: What to call them.
    :raises RunFolderError: If they have none.
    """
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
