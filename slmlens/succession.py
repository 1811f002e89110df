"""A run after another: its tasks keep the ids of the earlier run (``--from RUN``), and its own task set is stored."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from slmlens.deciding import decided_stage
from slmlens.errors import RunFolderError
from slmlens.results import Calls, Tasks
from slmlens.tasks.taskset_json import FILE, dump_task_set, load_task_set

if TYPE_CHECKING:
    from slmlens.run import Run
    from slmlens.tasks.taskset import TaskSet

LINEAGE = "lineage"


def task_set_at(folder: str | Path) -> TaskSet:
    """Return the task set of a run.

    :param folder: The run's folder, or its ``taskset.json``.
    :raises RunFolderError: If there is none, or it can't be used.
    """
    return load_task_set(_read(folder), where=_named(folder))


def check_previous(previous: str | Path | None) -> None:
    """Refuse an earlier run that can't be used, before any work is done.

    :raises RunFolderError: If it holds no task set.
    """
    if previous is not None:
        task_set_at(previous)


def found_tasks(calls: Calls, *, run: Run | None = None, previous: str | Path | None = None) -> Tasks:
    """Find the tasks of a log, under the ids of an earlier run where one is named; store, replay and resume in a run.

    A cut that was kept for the run (:mod:`slmlens.tasks.cut`) is followed.

    :param previous: The earlier run's folder, or its ``taskset.json``.
    :raises RunFolderError: If the earlier run holds no task set.
    """
    from slmlens.tasks.cut import FACT, cut_of
    from slmlens.tasks.discover import discover_tasks

    cut = cut_of({} if run is None else run.manifest)
    earlier = None if previous is None else task_set_at(previous)

    def find() -> Tasks:
        tasks = discover_tasks(calls, settings=cut.settings())
        if earlier is not None:
            from slmlens.tasks.lineage import with_earlier_ids

            tasks = with_earlier_ids(tasks, earlier)
        if run is not None:
            _store(run, tasks)
        return tasks

    if run is None:
        return find()
    chosen = {FACT: cut.record()} if cut.record() else {}
    depends = chosen | ({"taskset": 1} if previous is None else {"taskset": 1, "previous": _hash(_read(previous))})
    return _attached(run, decided_stage(run, calls, find, depends))


def _store(run: Run, tasks: Tasks) -> None:
    run.write_text(FILE, dump_task_set(tasks.task_set))
    if tasks.lineage is not None:
        run.write_frame(LINEAGE, tasks.lineage)
    else:
        run.path(f"{LINEAGE}.parquet").unlink(missing_ok=True)


def _attached(run: Run, tasks: Tasks) -> Tasks:
    """Return the tasks with the task set and the lineage that the run has in store."""
    task_set = load_task_set(_read(run.folder)) if run.path(FILE).is_file() else None
    place = run.path(f"{LINEAGE}.parquet")
    return replace(tasks, task_set=task_set, lineage=pl.read_parquet(place) if place.is_file() else None)


def _read(folder: str | Path) -> str:
    place = Path(folder).expanduser()
    place = place / FILE if place.is_dir() else place
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise RunFolderError(
            "there is no run with tasks here",
            where=_named(folder),
            next_step="name the folder of an earlier run that found its tasks",
        ) from cause


def _named(folder: str | Path) -> str:
    return Path(folder).name or str(folder)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
