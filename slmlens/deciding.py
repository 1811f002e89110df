"""The tasks of a run: found, then decided on by people (``decisions.yaml``), stored and loaded with both in view."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from slmlens.results import Calls, Tasks

if TYPE_CHECKING:
    from slmlens.run import Run

TABLES = ("items", "tasks", "assignments", "decisions")
FOUND = ("found_tasks", "found_assignments")
"""What was found before any decision; only there where there are decisions, so that one can be taken back."""


def decisions_mark(run: Run) -> str:
    """Return a hash of the run's decisions; empty where there are none."""
    from slmlens.tasks.decisions import FILE, read_bytes

    text = read_bytes(run.path(FILE))
    return hashlib.blake2b(text, digest_size=16).hexdigest() if text.strip() else ""


def decided_stage(
    run: Run, calls: Calls, find: Callable[[], Tasks], depends: Mapping[str, object] | None = None
) -> Tasks:
    """Return the tasks of a run, its decisions replayed over what is found; loaded where nothing has changed.

    A decision that was added makes this stage and those after it run again, and nothing before.

    :param find: Finds the tasks, without any decision.
    :param depends: What else the tasks depend on, JSON-like.
    :raises InputError: If an entry of ``decisions.yaml`` can't be read.
    """
    from slmlens.tasks.decisions import FILE, load
    from slmlens.tasks.replay import replay

    mark = decisions_mark(run)
    decisions = load(run.path(FILE))

    def compute() -> Tasks:
        return replay(find(), decisions).tasks

    settings = {**(depends or {}), **({"decisions": mark} if mark else {})}
    return run.stage("tasks", settings, compute=compute, save=_save, load=lambda at: stored_tasks(at, calls))


def _save(run: Run, tasks: Tasks) -> None:
    for name in TABLES:
        run.write_frame(name, getattr(tasks, name))
    for name in FOUND:
        if tasks.found is not None:
            run.write_frame(name, getattr(tasks.found, name.removeprefix("found_")))
        else:
            run.path(f"{name}.parquet").unlink(missing_ok=True)
    run.note(decided=decisions_mark(run))


def stored_tasks(run: Run, calls: Calls) -> Tasks:
    """Return the tasks that a run has in store, over its calls.

    :raises OSError: If it has none.
    """
    items, tasks, assignments, decisions = (run.read_frame(name) for name in TABLES)
    found = None
    if decisions.height:
        found_tasks, found_assignments = (run.read_frame(name) for name in FOUND)
        found = Tasks(calls, items, found_tasks, found_assignments)
    return Tasks(calls, items, tasks, assignments, decisions=decisions, found=found)
