"""A run after another (``--from RUN``): its tasks keep the earlier ids, and what people decided there holds on.

What a run takes over is kept in its own folder: the earlier task set (``earlier_taskset.json``), the earlier decisions
(entries of ``decisions.yaml`` that name the run they come from) and the earlier cut (in the manifest). So it can be
resumed, corrected and analysed again when the earlier folder is gone, and taking over twice is taking over once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from slmlens.deciding import decided_stage
from slmlens.errors import RunFolderError, SettingError
from slmlens.results import Calls, Tasks
from slmlens.run import MANIFEST
from slmlens.tasks import decisions as decided
from slmlens.tasks import naming as names
from slmlens.tasks.cut import EARLIER, FACT, FOLLOWS, cut_as_followed, cut_in_words, cut_of
from slmlens.tasks.taskset_json import FILE, dump_task_set, load_task_set

if TYPE_CHECKING:
    from slmlens.run import Run
    from slmlens.tasks.chat_endpoint import ChatEndpoint
    from slmlens.tasks.taskset import TaskSet

LINEAGE = "lineage"


@dataclass(frozen=True)
class _Earlier:
    """What is taken over from an earlier run.

    :param name: The name of its folder.
    :param task_set: The text of its task set.
    :param decisions: Its decisions, those it had taken over itself with their own origin.
    :param cut: What differs from the usual cut.
    """

    name: str
    task_set: str
    decisions: Sequence[decided.Decision] = ()
    cut: Mapping[str, int | float] = field(default_factory=dict)


def task_set_at(folder: str | Path) -> TaskSet:
    """Return the task set of a run.

    :param folder: The run's folder, or its ``taskset.json``.
    :raises RunFolderError: If there is none, or it can't be used.
    """
    return load_task_set(_read(_place(folder), folder), where=_named(folder))


def check_previous(previous: str | Path | None, run: Run | None = None) -> None:
    """Refuse an earlier run that can't be used, before any work is done.

    :param run: The run that is to follow it.
    :raises RunFolderError: If it holds no task set, or its manifest can't be used.
    :raises InputError: If a decision in it can't be read.
    """
    if previous is None or _is_followed(run, previous):
        return
    _earlier_at(previous)


def found_tasks(
    calls: Calls,
    *,
    run: Run | None = None,
    previous: str | Path | None = None,
    naming: ChatEndpoint | None = None,
) -> Tasks:
    """Find the tasks of a log, under the ids of an earlier run where one is named; store, replay and resume in a run.

    A run that has once followed an earlier one goes on following it, also when it is not named again or is gone. A cut
    that was kept for the run (:mod:`slmlens.tasks.cut`), else for the earlier one, is followed; where it is the earlier
    one's, so are its trees (:mod:`slmlens.tasks.regrow`). Without a run, no decisions are taken over.

    :param previous: The earlier run's folder, or its ``taskset.json``.
    :param naming: A model that names the tasks. A run keeps its names; where none is named again, nothing is sent.
    :raises RunFolderError: If the earlier run holds no task set, or its manifest can't be used.
    :raises InputError: If a decision of either run can't be read.
    """
    from slmlens.tasks.discover import discover_tasks

    if run is None:
        known = None if previous is None else task_set_at(previous)
        tasks = discover_tasks(calls, earlier=known)
        tasks = names.named_by_model(tasks, naming.model, endpoint=naming).tasks if naming else tasks
        return _succeeding(tasks, known)
    if previous is not None and not _is_followed(run, previous):
        _take_over(run, _earlier_at(previous))
    cut, earlier, model = cut_of(run.manifest), _followed_set(run), names.naming_model(run.manifest, naming)
    known = None if earlier is None else load_task_set(earlier, where=EARLIER)
    if naming and names.unanswered(run.manifest):
        run.reopen("tasks")

    def find() -> Tasks:
        tasks = discover_tasks(calls, settings=cut.settings(), earlier=known if cut_as_followed(run.manifest) else None)
        if model is not None:
            tasks = _named_by(model, tasks, run, naming)
        tasks = _succeeding(tasks, known)
        _store(run, tasks)
        return tasks

    chosen: dict[str, object] = {FACT: cut.record()} if cut.record() else {}
    chosen |= {names.FACT: model} if model is not None else {}
    depends = chosen | ({"taskset": 1} if earlier is None else {"taskset": 1, "previous": _hash(earlier)})
    return _attached(run, decided_stage(run, calls, find, depends))


def _succeeding(tasks: Tasks, earlier: TaskSet | None) -> Tasks:
    """Return the tasks under the ids of the earlier run, if there is one."""
    from slmlens.tasks.lineage import with_earlier_ids

    return tasks if earlier is None else with_earlier_ids(tasks, earlier)


def discovery_in_words(facts: Mapping[str, Any]) -> list[str]:
    """Return sentences on what a person chose for how the tasks of a run are cut and named; none where it is as usual.

    :param facts: The run's manifest.
    """
    return [*cut_in_words(facts), *names.naming_in_words(facts)]


def _named_by(model: str, tasks: Tasks, run: Run, naming: ChatEndpoint | None) -> Tasks:
    """Name tasks by a model, and keep its names in the run; only an endpoint that is named now is asked."""
    named = names.named_by_model(tasks, model, endpoint=naming, known=names.known_names(run.path(names.FILE)))
    run.write_text(names.FILE, names.dump_names(named))
    run.note(**{names.FACT: names.record_of(named, naming, model, run.manifest)})
    return named.tasks


def _earlier_at(previous: str | Path) -> _Earlier:
    """Read what an earlier run leaves; a bare task set leaves no decisions and no cut."""
    folder, name = Path(previous).expanduser(), _named(previous)
    task_set = _read(_place(previous), previous)
    load_task_set(task_set, where=name)
    if not folder.is_dir():
        return _Earlier(name, task_set)
    text = decided.read_bytes(folder / decided.FILE).decode("utf-8", errors="replace")
    made = decided.in_order(decided.parse(text, f"{name}/{decided.FILE}"))
    return _Earlier(name, task_set, [replace(d, origin=d.origin or name) for d in made], _cut_at(folder, name))


def _cut_at(folder: Path, name: str) -> Mapping[str, int | float]:
    try:
        facts: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return cut_of(dict(facts)).record()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, SettingError) as cause:
        raise RunFolderError(
            f"the manifest of the earlier run can't be used ({cause})",
            where=f"{name}/{MANIFEST}",
            next_step=f"mend it, or name {name}/{FILE}, which takes over the ids alone",
        ) from cause


def _take_over(run: Run, earlier: _Earlier) -> None:
    """Keep in the run what it takes over; its name in the manifest comes last and makes it hold."""
    decided.load(run.path(decided.FILE))  # raises before anything is written
    run.write_text(EARLIER, earlier.task_set)
    decided.append_missing(run.path(decided.FILE), earlier.decisions)
    run.note(**{FOLLOWS: {"run": earlier.name, FACT: dict(earlier.cut)}})


def _is_followed(run: Run | None, previous: str | Path) -> bool:
    """Tell whether an earlier run that is gone is the one that the run has followed so far."""
    if run is None or _place(previous).exists() or _followed_set(run) is None:
        return False
    return bool(run.manifest[FOLLOWS]["run"] == _named(previous))


def _followed_set(run: Run) -> str | None:
    place = run.path(EARLIER)
    return _read(place, place) if run.manifest.get(FOLLOWS) and place.is_file() else None


def _store(run: Run, tasks: Tasks) -> None:
    run.write_text(FILE, dump_task_set(tasks.task_set))
    if tasks.lineage is not None:
        run.write_frame(LINEAGE, tasks.lineage)
    else:
        run.path(f"{LINEAGE}.parquet").unlink(missing_ok=True)


def _attached(run: Run, tasks: Tasks) -> Tasks:
    """Return the tasks, and those before any decision, with the task set and the lineage that the run has in store."""
    stored = run.path(FILE)
    task_set = load_task_set(_read(stored, run.folder)) if stored.is_file() else None
    place = run.path(f"{LINEAGE}.parquet")
    lineage = pl.read_parquet(place) if place.is_file() else None
    found = None if tasks.found is None else replace(tasks.found, task_set=task_set, lineage=lineage)
    return replace(tasks, task_set=task_set, lineage=lineage, found=found)


def _place(folder: str | Path) -> Path:
    """Return where the task set of a run lies."""
    place = Path(folder).expanduser()
    return place / FILE if place.is_dir() else place


def _read(place: Path, named: str | Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise RunFolderError(
            "there is no run with tasks here",
            where=_named(named),
            next_step="name the folder of an earlier run that found its tasks",
        ) from cause


def _named(folder: str | Path) -> str:
    """Return the name of a folder, never its path; ``.`` has one too."""
    name = Path(folder).expanduser().resolve().name or str(folder)
    return os.fsencode(name).decode("utf-8", errors="replace")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
