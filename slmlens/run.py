"""A run: a private folder with a manifest, tables written whole or not at all, and stages that resume."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from slmlens._version import __version__
from slmlens.errors import InputError, RunFolderError
from slmlens.logs.remote import mark_of, size_of
from slmlens.logs.sources import named_files

SERIAL_VERSION = 2
"""Version of the folder's layout; a folder of another one is refused, not guessed at."""

STAGES = ("read", "tasks", "assess", "plan", "report")
MANIFEST = "manifest.json"
PRIVATE = 0o700

Result = TypeVar("Result")
Json = dict[str, Any]


@dataclass
class Run:
    """One analysis on disk. Stages write their tables here, each file beside its place and renamed into it.

    :param folder: The folder; made on the first write, readable by its owner only.
    :param manifest: What was run on what, when and how long; a copy of ``manifest.json``.
    """

    folder: Path
    manifest: Json = field(default_factory=dict)

    def __repr__(self) -> str:
        done = [name for name in STAGES if name in self.manifest.get("stages", {})]
        return f"Run({self.folder.name!r}, done: {', '.join(done) or 'nothing yet'})"

    def stage(
        self,
        name: str,
        settings: Mapping[str, object],
        *,
        compute: Callable[[], Result],
        save: Callable[[Run, Result], None],
        load: Callable[[Run], Result],
    ) -> Result:
        """Return the result of a stage: loaded, if it was finished on the same input and settings; else computed.

        :param name: One of ``STAGES``.
        :param settings: What the result depends on beside the stage before; JSON-like.
        """
        mark = self._fingerprint(name, settings)
        if self.manifest.get("stages", {}).get(name, {}).get("fingerprint") == mark:
            try:
                return load(self)
            except (OSError, pl.exceptions.PolarsError, KeyError, ValueError):
                pass  # a table is gone or broken: make it again
        self._forget_from(name)
        started = time.monotonic()
        result = compute()
        self._claim()
        save(self, result)
        self.manifest.setdefault("stages", {})[name] = {
            "fingerprint": mark,
            "seconds": round(time.monotonic() - started, 3),
            "peak_mb": _peak_mb(),
        }
        self._write_manifest()
        return result

    def path(self, name: str) -> Path:
        """Return the place of a file of this run."""
        return self.folder / name

    def write_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Write a table as parquet, whole or not at all."""
        self._replace(f"{name}.parquet", frame.write_parquet)

    def write_array(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write an array as ``.npy``, whole or not at all."""

        def write(path: Path) -> None:
            with path.open("wb") as handle:
                np.save(handle, array, allow_pickle=False)

        self._replace(f"{name}.npy", write)

    def read_frame(self, name: str) -> pl.DataFrame:
        """Read a table that :meth:`write_frame` wrote."""
        return pl.read_parquet(self.path(f"{name}.parquet"))

    def summary(self) -> Json:
        """Return the summary of a finished run: the one dict that every rendering shows.

        :raises RunFolderError: If the run is not finished.
        """
        place = self.path("summary.json")
        if not place.is_file():
            raise RunFolderError(
                "there is no finished run here", where=self.folder.name, next_step="run `slmlens run LOGS --out FOLDER`"
            )
        found: Json = json.loads(place.read_text(encoding="utf-8"))
        return found

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file, whole or not at all."""
        self._claim()
        self._replace(name, lambda path: path.write_text(text, encoding="utf-8"))
        return self.path(name)

    def reopen(self, stage: str) -> None:
        """Mark a stage and those after it as not done, because what they depend on has changed.

        :param stage: One of ``STAGES``.
        """
        self._forget_from(stage)
        if self.folder.is_dir():
            self._write_manifest()

    def note(self, **facts: object) -> None:
        """Keep facts in the manifest."""
        self.manifest.update(facts)
        if self.folder.is_dir():
            self._write_manifest()

    def check_writable(self) -> None:
        """Refuse early, before hours of work, where the folder could not be written.

        :raises RunFolderError: If it is a file, or holds other things than a run, or can't be made or written.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise RunFolderError(
                "the run folder's name is taken by a file",
                where=self.folder.name,
                next_step="name another folder with --out",
            )
        if self.folder.is_dir() and not (self.folder / MANIFEST).exists() and any(self.folder.iterdir()):
            raise RunFolderError(
                "the folder holds files that are no run",
                where=self.folder.name,
                next_step="name a new or empty folder with --out",
            )
        home = next(p for p in (self.folder, *self.folder.absolute().parents) if p.exists())
        if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
            raise RunFolderError(
                "the run folder can't be written",
                where=self.folder.name,
                next_step="name a folder that you may write, with --out",
            )

    def _fingerprint(self, name: str, settings: Mapping[str, object]) -> str:
        at = STAGES.index(name)
        before = self.manifest.get("stages", {}).get(STAGES[at - 1], {}).get("fingerprint", "") if at else ""
        text = json.dumps([SERIAL_VERSION, __version__, name, before, dict(settings)], sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _forget_from(self, name: str) -> None:
        for later in STAGES[STAGES.index(name) :]:
            self.manifest.get("stages", {}).pop(later, None)

    def _claim(self) -> None:
        """Make the folder, private, and put the first manifest in it."""
        if (self.folder / MANIFEST).exists():
            return
        try:
            self.folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            self.folder.chmod(PRIVATE)
        except OSError as cause:
            raise RunFolderError(
                f"the run folder can't be made ({cause.strerror})",
                where=self.folder.name,
                next_step="name a folder that you may write, with --out",
            ) from cause
        self.manifest = {"serial_version": SERIAL_VERSION, "versions": _versions(), "stages": {}, **self.manifest}
        self._write_manifest()

    def _write_manifest(self) -> None:
        text = json.dumps(self.manifest, indent=1, default=str)
        self._replace(MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))

    def _replace(self, name: str, write: Callable[[Path], object]) -> None:
        place = self.folder / name
        beside = place.with_name(f".{place.name}.part")
        try:
            place.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            write(beside)
            beside.replace(place)
        except OSError as cause:
            raise RunFolderError(
                f"{name} can't be written ({cause.strerror})",
                where=self.folder.name,
                next_step="free some space or name another folder",
            ) from cause


def open_run(folder: str | Path) -> Run:
    """Return the run in a folder; a new one if there is none yet. Stages resume where they stopped.

    Where the days for which texts may be kept (``Settings.keep_days``) have passed, the texts are removed first.

    :raises RunFolderError: If the folder holds something else, can't be written, or is of another layout version.
    """
    run = Run(Path(folder))
    run.check_writable()
    manifest = run.folder / MANIFEST
    if manifest.exists():
        try:
            run.manifest = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError as cause:
            raise RunFolderError(
                "the manifest is not readable", where=run.folder.name, next_step="name another folder with --out"
            ) from cause
        if run.manifest.get("serial_version") != SERIAL_VERSION:
            raise RunFolderError(
                "the run was made by another version of slmlens",
                where=run.folder.name,
                next_step="run the analysis again into a new folder",
            )
        _expire(run)
    return run


def hash_inputs(paths: Sequence[str | Path]) -> list[Json]:
    """Return name, size and content mark of each input file, folders walked as the reader does; no absolute path.

    The mark of a file on the disk is a hash of its bytes; of an object in a store, the store's own, if it has one.

    :raises InputError: If a file can't be read.
    """
    files = []
    for given in paths:
        for file, name, _ in named_files(given):
            try:
                files.append({"file": name, "bytes": size_of(file), "hash": mark_of(file)})
            except OSError as cause:
                raise InputError(
                    f"the file can't be read ({cause.strerror})",
                    where=name,
                    next_step="make it readable, or leave it out",
                ) from cause
    return files


def _expire(run: Run) -> None:
    last = run.manifest.get("expires_on")
    if last and run.manifest.get("text_kept") and dt.datetime.now(dt.UTC).date() >= dt.date.fromisoformat(last):
        from slmlens.forgetting import remove_texts

        remove_texts(run)


def _versions() -> dict[str, str]:
    return {"slmlens": __version__, "python": platform.python_version(), "polars": pl.__version__}


def _peak_mb() -> int | None:
    """Return the peak resident memory of this process in MB (Linux counts kilobytes, macOS bytes, Windows nothing)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1 << 20 if sys.platform == "darwin" else 1 << 10))
