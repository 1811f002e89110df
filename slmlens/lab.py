"""The guided notebooks beside a user's logs: copied, pointed at them, and opened in JupyterLab."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from slmlens._version import __version__
from slmlens.errors import ContractError, RunFolderError, SettingError

FIRST = "00_start_here.ipynb"
_MARK = "slmlens"
_LOGS = re.compile(r"^LOGS = None\b.*$", re.MULTILINE)
_HERE = 'LOGS = "."  # the folder of this notebook, with your logs; None takes the sample'

QUIET = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
"""JupyterLab asks for news, for updates and for a list of extensions elsewhere, unless it is told not to."""

_DEFAULTS = "_jupyter"
"""Folder of this package whose ``labconfig`` keeps JupyterLab from asking whether it may fetch news. It changes a
default for this one start; what a person chose in JupyterLab's settings stays."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Copied:
    """What became of the notebooks.

    :param folder: Where they are.
    :param written: Names of those written, new or brought up to date.
    :param kept: Names of those that a person changed; they were left as they are.
    :param on_logs: True: they look at the logs in the folder; False: there are none, so they look at the sample.
    """

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    on_logs: bool


def shipped_notebooks() -> list[Path]:
    """Return the notebooks that slmlens ships, in their order.

    :raises ContractError: If the installation lacks them.
    """
    packed = Path(str(resources.files("slmlens"))) / "_notebooks"
    folder = packed if packed.is_dir() else packed.parent.parent / "notebooks"
    found = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not found:
        raise ContractError("the notebooks are not part of this installation", next_step="install slmlens again")
    return found


def copy_notebooks(folder: str | Path) -> Copied:
    """Copy the notebooks into a folder of logs, and set their ``LOGS`` to it; into an empty folder, for the sample.

    A copy remembers what was copied, so that a later version replaces it only where nobody changed a cell of it.
    Outputs don't count as a change. In the folder that the notebooks ship from, nothing is copied.

    :param folder: An existing folder: of exported logs, or an empty one.
    :raises SettingError: If it is no folder, or holds files and none of them is a log that can be read.
    :raises RunFolderError: If it can't be written.
    """
    at = Path(folder).expanduser()
    if not at.is_dir():
        raise SettingError(
            "this is a file, not a folder" if at.exists() else "there is no such folder",
            where=at.name or str(folder),
            next_step="name the folder that holds your logs; for the sample, make an empty one and name it",
        )
    shipped = shipped_notebooks()
    if at.resolve() == shipped[0].parent.resolve():
        return Copied(at, (), (), on_logs=False)
    on_logs = _holds_logs(at)
    written: list[str] = []
    kept: list[str] = []
    for source in shipped:
        fate = _copy(source, at / source.name, on_logs=on_logs)
        if fate is not None:
            (written if fate else kept).append(source.name)
    return Copied(at, tuple(written), tuple(kept), on_logs=on_logs)


def open_lab(arguments: Sequence[str]) -> None:
    """Run JupyterLab; returns when it is shut down.

    :param arguments: Of :func:`lab_arguments`, and any other that JupyterLab knows.
    """
    from jupyterlab.labapp import LabApp

    known = os.environ.get("JUPYTER_CONFIG_PATH", "")
    ours = str(resources.files("slmlens") / _DEFAULTS)
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, (known, ours)))
    LabApp.launch_instance([*arguments])


def lab_arguments(folder: Path, *, browser: bool = True, port: int | None = None) -> list[str]:
    """Return the arguments that JupyterLab is started with on a folder, the first notebook open.

    It listens on this machine only, and asks nothing of the outside: no news, no updates, no list of extensions.

    :param browser: False opens no browser; the address is printed.
    :param port: The port to listen on; None: JupyterLab's own choice.
    """
    return [
        f"--ServerApp.root_dir={folder.resolve()}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        *QUIET,
        *([] if browser else ["--no-browser"]),
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
    ]


def _holds_logs(folder: Path) -> bool:
    """Tell whether a folder holds a log, False where it holds no file but ours.

    :raises SettingError: If it holds files and none is a log.
    """
    from slmlens.logs.formats import detect
    from slmlens.logs.sources import SkippedFileError, Source, open_source, walk

    files = list(walk(folder))
    for path in files:
        try:
            opened = open_source(Source(path.name, path, named=False))
        except SkippedFileError:
            continue
        try:
            if detect([item.value for item in opened.head if isinstance(item.value, dict)]) is not None:
                return True
        finally:
            opened.close()
    if files:
        raise SettingError(
            f"none of the {len(files):,} files in it is a log that slmlens reads",
            where=folder.name,
            next_step="name a folder of exported logs; `slmlens check` says what is wrong with one, and "
            "90_add_a_log_format, which `slmlens lab` puts into an empty folder, adds a format",
        )
    return False


def _copy(source: Path, target: Path, *, on_logs: bool) -> bool | None:
    """Copy a notebook. True: written; False: kept, because a person changed it; None: it was there already."""
    notebook = _read(source)
    if on_logs:
        _point_at_folder(notebook)
    mark = _fingerprint(notebook)
    notebook["metadata"][_MARK] = {"version": __version__, "copied": mark}
    if target.exists():
        there = _read_or_none(target)
        now = None if there is None else _fingerprint(there)
        if now == mark:
            return None
        if there is None or there.get("metadata", {}).get(_MARK, {}).get("copied") != now:
            return False
    _write(target, notebook)
    return True


def _point_at_folder(notebook: Json) -> None:
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"], changed = _LOGS.subn(_HERE, _text(cell))
            assert changed == 1, "a notebook of ours has one line that names its logs"


def _fingerprint(notebook: Json) -> str:
    """Return a hash of what a person writes in a notebook: kinds and texts of its cells, not what they put out."""
    cells = [(cell.get("cell_type"), _text(cell).rstrip()) for cell in notebook.get("cells", [])]
    return hashlib.blake2b(json.dumps(cells).encode(), digest_size=16).hexdigest()


def _text(cell: Json) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _read(path: Path) -> Json:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(notebook, dict):
        raise ValueError(notebook)  # noqa: TRY004 - a file that is no notebook, as one that is no JSON
    return notebook


def _read_or_none(path: Path) -> Json | None:
    try:
        return _read(path)
    except (OSError, ValueError):
        return None


def _write(target: Path, notebook: Json) -> None:
    beside = target.with_name(f".{target.name}.part")
    try:
        beside.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(target)
    except OSError as cause:
        raise RunFolderError(
            f"the notebooks can't be written there ({cause.strerror})",
            where=target.parent.name,
            next_step="copy the logs into a folder that you may write, and name that one",
        ) from cause


def copied_in_words(copied: Copied) -> Sequence[str]:
    """Return what was copied, kept and looked at, a sentence each."""
    lines = []
    if copied.written:
        lines.append(f"Copied {', '.join(copied.written)}.")
    if copied.kept:
        verb = "was" if len(copied.kept) == 1 else "were"
        lines.append(
            f"Kept {', '.join(copied.kept)}, which {verb} changed since; to get a fresh copy, rename or delete it."
        )
    if not copied.on_logs and (copied.written or copied.kept):
        lines.append("The folder holds no logs, so the notebooks look at the sample.")
    return lines
