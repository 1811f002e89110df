"""Forget one session of a run, or all its texts: from the tables, from what was made of them, from notebooks beside.

Texts go first and every step can be repeated: a forget that was interrupted leaves a mark in the manifest, and the next
one, or the next analysis into the folder, finishes the removal before it does anything else.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmlens.errors import RunFolderError, SettingError
from slmlens.run import MANIFEST, Run, open_run

if TYPE_CHECKING:
    from slmlens.curation.redact import Redaction
    from slmlens.results import Calls

TEXT_TABLES = ("messages", "calls", "duplicates", "files")
"""Written in this order: the texts first."""
DERIVED = (
    "items.parquet", "tasks.parquet", "assignments.parquet", "decisions.parquet", "found_tasks.parquet",
    "found_assignments.parquet", "taskset.json", "lineage.parquet", "verdicts.parquet", "vectors.npy",
    "vectors.parquet", "map.parquet",
    "evidence.parquet", "evidence_assumptions.parquet", "savings.parquet", "actions.parquet", "assumptions.parquet",
    "pilots.parquet", "backtest.json", "summary.json", "report.html", "report.pdf", "model.xlsx",
)  # fmt: skip
"""Made from the calls; removed before the texts, and made again where the analysis makes them."""
KEPT = (
    MANIFEST, "rejects.parquet", "decisions.yaml", "earlier_taskset.json", "names.json",
    *(f"{name}.parquet" for name in TEXT_TABLES),
)  # fmt: skip
HARMLESS = (".DS_Store", "Thumbs.db")
CHECKPOINTS = ".ipynb_checkpoints"
KEY_WORDS = ("key", "slmlens")
"""What is hashed under a run's key so that the same key can be recognised later; it tells nothing of the key."""
_TELLING_CHARS = 20  # a line this long that stands in another file was copied from the session


@dataclass(frozen=True)
class Forgotten:
    """What a forget did.

    :param session: Keyed hash of the session; None where all texts were removed.
    :param calls: Calls that were removed; 0 where an interrupted forget was finished or only texts were removed.
    :param messages: Messages that were removed, or whose text was.
    :param cleaned: Notebooks and copies of them whose outputs were removed.
    :param said: The result in a sentence or two.
    """

    session: str | None
    calls: int
    messages: int
    cleaned: tuple[str, ...]
    said: str


def forget(
    run: Run | str | Path, *, session: str | None = None, texts: bool = False, key_file: Path | None = None
) -> Forgotten:
    """Remove a session from a run for good, or all message texts and tool arguments.

    The session's calls, the messages that only it used and its duplicates are removed, and everything made of them is
    made again from what is left. Outputs of notebooks in the folder are cleared. The exported log is not touched.

    :param run: The run, or its folder.
    :param session: The keyed hash in ``session_id`` of the calls table, or, with the run's key, the id as logged.
    :param texts: True removes the texts of all sessions and keeps the figures, as when ``keep_days`` have passed.
    :param key_file: The file with the run's key; None: ``SLMLENS_KEY``.
    :raises RunFolderError: If there is no run, no such session, or a file that can't be searched; nothing was changed.
    :raises SettingError: If neither or both of ``session`` and ``texts`` are given, or the key is another run's.
    """
    if (session is None) == (not texts):
        raise SettingError("say what to forget", next_step="give either a session's id or --texts")
    at = run if isinstance(run, Run) else _existing(Path(run))
    _refuse_unknown_files(at)
    if session is None:
        return _forget_texts(at)
    calls = _stored(at)
    known = _session_of(at, calls, session, key_file)
    _refuse_what_holds_it(at, calls, known)
    pending = at.manifest.get("forgetting") or {"again": list(at.manifest.get("stages", {}))}
    at.note(forgotten=[*dict.fromkeys([*at.manifest.get("forgotten", []), known])], forgetting=pending)
    cleaned = finish_forgetting(at)
    left = _stored(at)
    outcome = _made_again(at, left, pending["again"])
    at.note(forgetting=None)
    removed = calls.calls.height - left.calls.height
    gone = calls.messages.height - left.messages.height
    said = f"Session {known}: {removed:,} calls and {gone:,} messages were removed. {outcome} {_log_still_holds(at)}"
    return Forgotten(known, removed, gone, tuple(cleaned), said)


def finish_forgetting(run: Run) -> list[str]:
    """Take every forgotten session out of the tables on disk and drop what was made of them; return notebooks cleaned.

    :param run: A run whose manifest names the sessions; nothing happens twice.
    """
    from slmlens.curation.forget import without_session
    from slmlens.pilots.store import forget_in_pilots
    from slmlens.specialists.store import remove_specialists

    remove_specialists(run.folder)
    run.manifest["stages"] = {name: facts for name, facts in run.manifest.get("stages", {}).items() if name == "read"}
    run.note()
    for name in DERIVED:
        run.path(name).unlink(missing_ok=True)
    for part in run.folder.glob(".*.part"):
        part.unlink()
    cleaned = _clean_notebooks(run.folder)
    calls = _stored(run)
    for session in run.manifest.get("forgotten", []):
        calls = without_session(calls, session)
    forget_in_pilots(run, calls.calls)
    for name in TEXT_TABLES:
        run.write_frame(name, getattr(calls, name))
    return cleaned


def leave_out_forgotten(run: Run, calls: Calls) -> Calls:
    """Return calls that were read anew without the sessions that this run was told to forget.

    :raises RunFolderError: If nothing else is left.
    """
    from slmlens.curation.forget import without_session

    for session in run.manifest.get("forgotten", []):
        calls = without_session(calls, session)
    if calls.calls.is_empty():
        raise RunFolderError(
            "every call of the log belongs to a session that this run has forgotten",
            where=run.folder.name,
            next_step="take these sessions out of the log",
        )
    return calls


def check_key(run: Run, redaction: Redaction) -> None:
    """Refuse to read a log anew into a run that forgot a session, where that session could not be told.

    :raises RunFolderError: If the key is not the one that the sessions were hashed with.
    """
    if run.manifest.get("forgotten") and run.manifest.get("key_check") != redaction.pseudonym(*KEY_WORDS):
        raise RunFolderError(
            "this run has forgotten a session, the log has to be read again and may still hold it, and without the key "
            "that the run was made with it can't be told from the others",
            where=run.folder.name,
            next_step="take the session out of the log and analyse it into a new folder, or name the key with --key",
        )


def remove_texts(run: Run) -> int:
    """Remove message texts and tool arguments from a run and say so in its report; return how many messages.

    :param run: A run; where it holds no text, nothing changes.
    """
    from slmlens.curation.forget import without_texts
    from slmlens.pilots.store import remove_prompts
    from slmlens.reporting.html import render_html
    from slmlens.specialists.store import remove_adapters
    from slmlens.tasks.vectors import drop_vectors

    day = dt.datetime.now(dt.UTC).date().isoformat()
    held = 0
    for part in run.folder.glob(".*.part"):
        part.unlink()
    drop_vectors(run)
    remove_prompts(run)
    remove_adapters(run.folder)
    if run.path("calls.parquet").exists():
        calls = _stored(run)
        held = calls.messages.height - calls.messages.get_column("text").null_count()
        bare = without_texts(calls)
        run.write_frame("messages", bare.messages)
        run.write_frame("calls", bare.calls)
    if run.path("summary.json").exists():
        summary: dict[str, Any] = json.loads(run.path("summary.json").read_text(encoding="utf-8"))
        summary["redaction"]["text_kept"] = False
        summary["limits"] = [*summary["limits"], texts_removed_words(day)]
        run.write_text("summary.json", json.dumps(summary, indent=1, ensure_ascii=False))
        run.write_text("report.html", render_html(summary, audience=run.manifest.get("audience", "leadership")))
    run.note(text_kept=False, texts_removed_on=day)
    return held


def to_store(run: Run, calls: Calls, *, keep_text: bool) -> Calls:
    """Return calls as the run stores them; where it keeps no texts, what earlier ones left behind goes too."""
    from slmlens.curation.forget import without_texts
    from slmlens.tasks.vectors import drop_vectors

    if keep_text:
        return calls
    drop_vectors(run)
    return without_texts(calls)


def texts_removed_words(day: str) -> str:
    """Return the sentence that a report says on it."""
    return f"Message texts and tool arguments were removed from the run folder on {day}; the figures were made before."


def _existing(folder: Path) -> Run:
    if not (folder / MANIFEST).is_file():
        raise RunFolderError("there is no run here", where=folder.name, next_step="name the folder of a run")
    return open_run(folder)


def _stored(run: Run) -> Calls:
    from slmlens.results import Calls

    try:
        frames = {name: run.read_frame(name) for name in (*TEXT_TABLES, "rejects")}
    except OSError as cause:
        raise RunFolderError(
            "the run holds no calls", where=run.folder.name, next_step="there is nothing left to forget"
        ) from cause
    return Calls(**frames, sampling_rate=run.manifest["sampling_rate"], notes=tuple(run.manifest["notes"]))


def _session_of(run: Run, calls: Calls, asked: str, key_file: Path | None) -> str:
    from slmlens.curation.forget import matching_sessions
    from slmlens.curation.redact import KEY_VARIABLE, Redaction, load_key

    given = key_file is not None or bool(os.environ.get(KEY_VARIABLE, "").strip())
    redaction = Redaction(load_key(key_file)) if given else None
    fits = redaction is not None and run.manifest.get("key_check") == redaction.pseudonym(*KEY_WORDS)
    known = {*calls.calls.get_column("session_id").drop_nulls(), *run.manifest.get("forgotten", [])}
    services = calls.calls.get_column("service").drop_nulls().unique().sort()
    found = matching_sessions(known, services, asked, redaction.pseudonym if redaction and fits else None)
    if len(found) == 1:
        return next(iter(found))
    if found:
        choices = ", ".join(f"{one} (service {name or 'not named'})" for one, name in found.items())
        raise RunFolderError(
            f"the id stands for {len(found)} sessions: {choices}",
            where=run.folder.name,
            next_step="name one of these hashes",
        )
    if key_file is not None and not fits:
        raise SettingError(
            "this is not the key that the run was made with", where=key_file.name, next_step="name the run's key"
        )
    raise RunFolderError(
        "there is no session of this id",
        where=run.folder.name,
        next_step="give the hash in the column session_id of calls.parquet, or the id as logged together with the "
        "run's key (--key or SLMLENS_KEY)",
    )


def _refuse_unknown_files(run: Run) -> None:
    unknown = sorted(str(path.relative_to(run.folder)) for path in _others(run.folder))
    if unknown:
        raise RunFolderError(
            f"the run folder holds files that slmlens did not write and can't search: {', '.join(unknown[:5])}",
            where=run.folder.name,
            next_step="look through them, move them out, and forget again; nothing was changed",
        )


def _refuse_what_holds_it(run: Run, calls: Calls, session: str) -> None:
    """Refuse, before anything is changed, where a person copied a line of the session into a file that is kept."""
    from slmlens.curation.forget import without_session

    kept = without_session(calls, session).messages.select("message_id")
    gone = calls.messages.join(kept, on="message_id", how="anti").get_column("text").drop_nulls()
    lines = {line.strip() for text in gone for line in text.splitlines() if len(line.strip()) >= _TELLING_CHARS}
    for path in [run.path("decisions.yaml"), *_notebooks(run.folder)]:
        if path.is_file() and any(line in _typed_text(path) for line in lines):
            raise RunFolderError(
                "a line of this session was copied here by hand",
                where=path.name,
                next_step="take it out and forget again; nothing was changed",
            )


def _others(folder: Path) -> Iterator[Path]:
    from slmlens.pilots.store import is_pilot_file
    from slmlens.specialists.store import is_specialist_file

    for path in folder.rglob("*"):
        linked = path.is_symlink()
        if (path.is_dir() and not linked) or CHECKPOINTS in path.relative_to(folder).parts:
            continue
        ours = path.parent == folder and (path.name in (*DERIVED, *KEPT) or path.name.endswith(".part"))
        ours = ours or is_pilot_file(folder, path) or is_specialist_file(folder, path)
        if linked or not (ours or path.name in HARMLESS or _is_notebook(path)):
            yield path


def _notebooks(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.ipynb"))
    return [path for path in found if CHECKPOINTS not in path.parts and not path.is_symlink() and _is_notebook(path)]


def _typed_text(path: Path) -> str:
    """Return what a person wrote into a file: of a notebook its cells, without their outputs."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell.get("source") or "") for cell in json.loads(text)["cells"])


def _is_notebook(path: Path) -> bool:
    if path.suffix != ".ipynb":
        return False
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)


def _clean_notebooks(folder: Path) -> list[str]:
    """Remove saved copies of notebooks, and outputs and widget states of the notebooks themselves."""
    cleaned = []
    for copies in sorted(folder.rglob(CHECKPOINTS)):
        shutil.rmtree(copies)
        cleaned.append(str(copies.relative_to(folder)))
    for path in _notebooks(folder):
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
        notebook.get("metadata", {}).pop("widgets", None)
        for cell in notebook["cells"]:
            if cell.get("cell_type") == "code":
                cell.update(outputs=[], execution_count=None)
        fresh = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        if fresh != text:
            beside = path.with_name(f".{path.name}.part")
            beside.write_text(fresh, encoding="utf-8")
            beside.replace(path)
            cleaned.append(str(path.relative_to(folder)))
    return cleaned


def _made_again(run: Run, left: Calls, stages_before: Sequence[str]) -> str:
    """Make again, from what is left and with the settings of the run, the stages that it had."""
    from slmlens import stages
    from slmlens.settings import stored_settings

    if left.calls.is_empty():
        return "It was the last one: the run is empty."
    if not {"tasks", "assess", "plan", "report"} & set(stages_before):
        return "The run has no tasks and no report yet."
    if not run.manifest.get("text_kept", True):
        return (
            "The run keeps no texts, so tasks and report can't be made again and were removed: analyse the log again "
            "without the session."
        )
    settings = stored_settings(run)
    tasks = stages.discover_tasks(left, run=run)
    if {"assess", "plan", "report"} & set(stages_before):
        verdicts = stages.assess(tasks, run=run, seed=settings.seed)
        made = stages.plan(verdicts, run=run, settings=settings)
        stages.report(made, run=run, audience=run.manifest.get("audience", "leadership"), settings=settings)
    return "What was made of the calls was made again from those that are left."


def _log_still_holds(run: Run) -> str:
    names: Sequence[str] = [one["file"] for one in run.manifest.get("inputs", [])]
    where = names[0] if len(names) == 1 else f"{len(names)} files"
    return f"The exported log ({where}) still holds it: delete it there too."


def _forget_texts(run: Run) -> Forgotten:
    cleaned = _clean_notebooks(run.folder)
    held = remove_texts(run)
    said = f"The texts of {held:,} messages and all tool arguments were removed; figures and report stay."
    return Forgotten(None, 0, held, tuple(cleaned), said)
