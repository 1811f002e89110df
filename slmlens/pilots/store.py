"""The pilots of a run on disk: samples, grades and exported prompts; read as evidence, cleared by forget."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import ContractError, RunFolderError
from slmlens.results import Calls, Tasks, Verdicts
from slmlens.run import Run
from slmlens.tables import SchemaT, checked

if TYPE_CHECKING:
    from slmlens.suitability.assess import Probe

FOLDER = "pilots"
PROMPTS, SAMPLE, GRADES, RECORDED = "prompts.jsonl", "sample", "grades", "recorded"
FILES = (PROMPTS, f"{SAMPLE}.parquet", f"{GRADES}.parquet", f"{RECORDED}.parquet")
GROWN = 1.1
"""A task with more calls than this times those at the export is another task: its sample no longer stands for it."""
_TABLES = ("calls", "messages", "rejects", "files", "duplicates")


def assessed(
    tasks: Tasks, *, run: Run | None = None, seed: int = 0, probes: Sequence[Probe] | None = None, shuffles: int = 0
) -> Verdicts:
    """Weigh the evidence for each task, the pilots of the run included; store and resume in a run.

    Further probes are run anew each time, for what they measure can't be told from here. A run whose false-green rate
    was measured once has it measured again whenever its tasks change.
    """
    from slmlens.suitability.assess import assess as weigh
    from slmlens.suitability.settings import AssessSettings

    measured = (run.manifest.get("false_green") or {}) if run is not None else {}
    settings = AssessSettings(shuffles=shuffles or measured.get("shuffles", 0))
    kept = [] if run is None else stored_pilots(run, tasks)

    def compute() -> Verdicts:
        pilots: list[Probe] = [lambda _tasks: pl.concat(kept)] if kept else []
        return weigh(tasks, seed=seed, probes=[*pilots, *(probes or ())], settings=settings)

    if run is None or probes:
        return compute()
    mark = _mark(kept)
    shuffled = {"shuffles": settings.shuffles} if settings.shuffles else {}
    depends = {"seed": seed, **shuffled, **({"pilots": mark} if mark else {})}
    return run.stage("assess", depends, compute=compute, save=_save, load=lambda at: _load(at, tasks))


def stored_pilots(run: Run, tasks: Tasks) -> list[pl.DataFrame]:
    """Return the ``EvidenceTable`` rows of a run's pilots, a frame a task; none where there are none.

    A pilot of a task that is not there any more, and calls that left their task, count for nothing. Of a model that was
    asked, recorded answers count no more.
    """
    from slmlens.suitability.pilot import pilot_evidence, progress_of
    from slmlens.suitability.recorded import recorded_evidence
    from slmlens.suitability.settings import AssessSettings

    piloted = {folder.name for folder in _folders(run)}
    found = []
    for task_id in sorted(piloted.intersection(tasks.tasks.get_column("task_id"))):
        kept = stored(run, tasks, task_id)
        asked = pilot_evidence(task_id, [] if kept is None else progress_of(*kept, AssessSettings()))
        recorded = recorded_evidence(task_id, stored_recorded(run, tasks, task_id), AssessSettings())
        rows = pl.concat([asked, recorded.join(asked, on=["slm", "mode"], how="anti")])
        found += [] if rows.is_empty() else [rows]
    return found


def stored_tasks(run: Run) -> Tasks:
    """Return the tasks of a run as they are in store.

    :raises RunFolderError: If it has none, or people's decisions have changed since.
    """
    from slmlens.deciding import decisions_mark
    from slmlens.deciding import stored_tasks as in_store
    from slmlens.succession import LINEAGE

    facts = run.manifest
    if "tasks" not in facts.get("stages", {}) or facts.get("decided", "") != decisions_mark(run):
        raise RunFolderError(
            "the run has no tasks yet, or decisions were made since they were found",
            where=run.folder.name,
            next_step="run `slmlens run LOGS --out FOLDER` first",
        )
    frames = {name: run.read_frame(name) for name in _TABLES}
    calls = Calls(**frames, sampling_rate=facts["sampling_rate"], notes=tuple(facts["notes"]))
    place = run.path(f"{LINEAGE}.parquet")
    return replace(in_store(run, calls), lineage=pl.read_parquet(place) if place.is_file() else None)


def forget_in_pilots(run: Run, calls: pl.DataFrame) -> None:
    """Take calls that are no longer there out of a run's pilots, their places and grades, and remove all prompts.

    An export writes the prompts that are left again, under the same ids.

    :param calls: The calls that are left, with ``call_id``.
    """
    remove_prompts(run)
    for folder in _folders(run):
        for name in (SAMPLE, GRADES, RECORDED):
            place = f"{FOLDER}/{folder.name}/{name}"
            if run.path(f"{place}.parquet").is_file():
                run.write_frame(place, run.read_frame(place).join(calls.select("call_id"), on="call_id", how="semi"))


def remove_prompts(run: Run) -> None:
    """Remove the exported prompts of a run's pilots; places and grades, which hold no text, stay."""
    for folder in _folders(run):
        for part in folder.glob(".*.part"):
            part.unlink()
        (folder / PROMPTS).unlink(missing_ok=True)


def is_pilot_file(run_folder: Path, path: Path) -> bool:
    """Return whether a file of a run's folder is one of a pilot."""
    inside = path.relative_to(run_folder).parts
    return len(inside) == 3 and inside[0] == FOLDER and (inside[2] in FILES or inside[2].endswith(".part"))  # noqa: PLR2004 - pilots/TASK/FILE


def _folders(run: Run) -> list[Path]:
    return sorted(path for path in run.path(FOLDER).glob("*") if path.is_dir() and not path.is_symlink())


def stored(run: Run, tasks: Tasks, task_id: str) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Return the stored sample of a task and its grades, of calls that are still the task's.

    None: there is none, or the task has grown so much since (tasks were merged, say) that it no longer stands for it.
    """
    from slmlens.suitability.pilot_tables import PilotGradesTable, PilotSampleTable

    if not run.path(f"{FOLDER}/{task_id}/{SAMPLE}.parquet").is_file():
        return None
    own = tasks.assignments.filter(pl.col("task_id") == task_id).select("call_id")
    sample = _table(run, PilotSampleTable, task_id, SAMPLE).join(own, on="call_id", how="semi")
    if sample.is_empty() or own.height > GROWN * sample.item(0, "task_calls"):
        return None
    place = f"{FOLDER}/{task_id}/{GRADES}"
    known = run.path(f"{place}.parquet").is_file()
    grades = _table(run, PilotGradesTable, task_id, GRADES) if known else PilotGradesTable.create_empty()
    return sample.sort("position"), grades.join(sample, on="call_id", how="semi")


def stored_recorded(run: Run, tasks: Tasks, task_id: str) -> pl.DataFrame:
    """Return ``RecordedTable`` of a task as a run keeps it, of calls that are still the task's; empty: there is none.

    A task that has grown so much since that a sample no longer stands for it has none.
    """
    from slmlens.suitability.pilot_tables import RecordedTable

    if not run.path(f"{FOLDER}/{task_id}/{RECORDED}.parquet").is_file():
        return RecordedTable.create_empty()
    own = tasks.assignments.filter(pl.col("task_id") == task_id).select("call_id")
    table = _table(run, RecordedTable, task_id, RECORDED)
    return table.join(own, on="call_id", how="semi").filter(own.height <= GROWN * pl.col("task_calls"))


def _table(run: Run, schema: type[SchemaT], task_id: str, name: str) -> pl.DataFrame:
    """Return a table of a pilot.

    :raises RunFolderError: If it can't be read, or is not one of this version.
    """
    try:
        return checked(schema, run.read_frame(f"{FOLDER}/{task_id}/{name}"))
    except (OSError, pl.exceptions.PolarsError, ContractError) as cause:
        raise RunFolderError(
            f"the table of {name} can't be used: it is damaged, or of another version of slmlens",
            where=f"{FOLDER}/{task_id}",
            next_step="remove this folder and export the prompts again",
        ) from cause


def _mark(kept: Sequence[pl.DataFrame]) -> str:
    text = "\n".join(frame.write_json() for frame in kept)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if text else ""


def _save(run: Run, verdicts: Verdicts) -> None:
    run.write_frame("verdicts", verdicts.verdicts)
    run.write_frame("evidence", verdicts.evidence)
    run.write_frame("evidence_assumptions", verdicts.assumptions)
    run.note(false_green=verdicts.false_green, probe_seconds=verdicts.probe_seconds)


def _load(run: Run, tasks: Tasks) -> Verdicts:
    verdicts, evidence, assumptions = (
        run.read_frame(name) for name in ("verdicts", "evidence", "evidence_assumptions")
    )
    return Verdicts(tasks, verdicts, evidence, run.manifest["false_green"], assumptions)
