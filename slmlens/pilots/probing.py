"""SLM probes of a run or of tasks in memory: which tasks, one loaded model for all, adapters and results kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import RunFolderError, SettingError
from slmlens.results import Tasks, Verdicts
from slmlens.run import MANIFEST, Run

if TYPE_CHECKING:
    from slmlens.specialists.base_models import BaseModel, Loaded
    from slmlens.specialists.probe_results import TaskProbe
    from slmlens.specialists.slm_probe import ProbeSettings

SECONDS = 180.0
MOST_TASKS = 3
Say = Callable[[str], None]
Step = Callable[[str, str, float], None]
"""Takes the task's id, what is being done of it, and the share that is done."""


def slm_probe(
    base: str | Path | None = None,
    *,
    run: Run | None = None,
    only: Sequence[str] = (),
    most_tasks: int = MOST_TASKS,
    seconds: float = SECONDS,
    force: bool = False,
    seed: int = 0,
    say: Say | None = None,
    progress: Step | None = None,
) -> Callable[[Tasks], pl.DataFrame]:
    """Return a probe for ``sl.assess(tasks, probes=[sl.slm_probe()])``: a real small model, tuned on each task.

    For the tasks that cost most a LoRA adapter is trained on earlier sessions, and its answers to later ones are graded
    by the task's comparator: evidence of grade A or B for that model. Where training could say nothing new, as of
    answers that are drawn by chance, nothing is trained. Needs the extra ``tune``; nothing is fetched unless ``base``
    is the id of a hub's model that is not on this machine.

    :param base: SmolLM2-135M-Instruct if None; a folder of transformers, a GGUF file, or an id of the Hugging Face hub.
    :param run: The run whose folder keeps adapters and results, and where a probe that was interrupted goes on.
    :param only: Ids of the tasks to probe; none named: those that cost most.
    :param most_tasks: How many of them.
    :param seconds: Seconds a task may take, about.
    :param force: Train whatever speaks against it.
    :param seed: Seed of adapters and of the order of examples.
    :param say: Gets what is fetched, before it is, and the result of each task in a sentence.
    :param progress: See :data:`Step`.
    :raises MissingExtraError: If the extra, or the wheel with the default model, is not installed.
    :raises SettingError: If no model or task goes by that name.
    """
    from slmlens.specialists.sft import Recipe
    from slmlens.specialists.slm_probe import ProbeSettings

    settings = ProbeSettings(seconds=seconds, recipe=Recipe(seed=seed))

    def probe(tasks: Tasks) -> pl.DataFrame:
        from slmlens.specialists.probe_results import evidence_of

        found = probe_tasks(
            tasks,
            base,
            run=run,
            only=only,
            most_tasks=most_tasks,
            force=force,
            settings=settings,
            say=say,
            progress=progress,
        )
        return pl.concat([evidence_of([]), *(one.evidence for one in found)])

    return probe


def probe_tasks(
    tasks: Tasks,
    base: str | Path | None = None,
    *,
    run: Run | None = None,
    verdicts: Verdicts | None = None,
    only: Sequence[str] = (),
    most_tasks: int = MOST_TASKS,
    force: bool = False,
    settings: ProbeSettings | None = None,
    say: Say | None = None,
    progress: Step | None = None,
) -> tuple[TaskProbe, ...]:
    """Return what a small model, tuned on each task, does on its later calls; refused tasks say why.

    The arguments are those of :func:`slm_probe`.

    :param verdicts: What ``assess`` says of the tasks, where it is known: then no task is measured again to choose.
    :param settings: How each task is probed; None: the defaults.
    """
    from slmlens.specialists.base_models import base_model
    from slmlens.specialists.choice import ChoiceSettings, choose_tasks
    from slmlens.specialists.probe_results import refused_probe
    from slmlens.specialists.probe_words import probe_words
    from slmlens.specialists.slm_probe import ProbeSettings, probe_task

    unknown = sorted(set(only) - set(tasks.tasks.get_column("task_id")))
    if unknown:
        raise SettingError(
            f"there is no task {', '.join(unknown)}", where="only", next_step="name tasks by their ids in tasks.tasks"
        )
    model = base_model(base)
    settings = settings or ProbeSettings()
    chosen = choose_tasks(
        tasks,
        verdicts=verdicts,
        only=only,
        force=force,
        choice=ChoiceSettings(most_tasks=most_tasks),
        seed=settings.recipe.seed,
    )
    load = _loader(model, say)
    found = []
    for one in chosen:
        if one.dataset is None:
            made = refused_probe(one.task_id, model.name, one.refused or "")
        else:
            step = None if progress is None else _of_task(progress, one.task_id)
            folder = None if run is None else _place(run, one.task_id, model.name)
            made = probe_task(one.dataset, load, slm=model.name, settings=settings, folder=folder, progress=step)
        found.append(made)
        if say is not None:
            say(probe_words(made))
    return tuple(found)


def _loader(model: BaseModel, say: Say | None) -> Callable[[], Loaded]:
    """Return what loads the model once, when the first task needs it."""
    from slmlens.specialists.base_models import load_base

    @cache
    def load() -> Loaded:
        return load_base(model, say=say)

    return load


def _of_task(progress: Step, task_id: str) -> Callable[[str, float], None]:
    return lambda step, share: progress(task_id, step, share)


def _place(run: Run, task_id: str, model: str) -> Path:
    from slmlens.specialists.store import place_of

    if not run.path(MANIFEST).is_file():
        raise RunFolderError(
            "the run holds nothing yet, so there is nothing to keep a tuned model with",
            where=run.folder.name,
            next_step="read the log and find the tasks with run=run first, or leave run out",
        )
    return place_of(run.folder, task_id, model)
