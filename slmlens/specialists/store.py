"""What SLM probes keep in a run's folder: adapters and results of each task; cleared when texts are forgotten."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER, RESULT = "specialists", "result.json"


def place_of(run_folder: Path, task_id: str, model: str) -> Path:
    """Return the folder of one task and model in a run's folder."""
    return run_folder / FOLDER / task_id / "".join(c if c.isalnum() or c in "-_." else "_" for c in model).lstrip(".")


def is_specialist_file(run_folder: Path, path: Path) -> bool:
    """Return whether a file of a run's folder is one of an SLM probe: all that lie under its folder are."""
    return path.relative_to(run_folder).parts[0] == FOLDER


def remove_specialists(run_folder: Path) -> None:
    """Remove adapters, checkpoints and results of a run: a tuned model can hold what it was trained on.

    A later probe tunes again on the texts that are left.
    """
    place = run_folder / FOLDER
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)


def remove_adapters(run_folder: Path) -> None:
    """Remove adapters and checkpoints of a run, and keep the results, which hold no text."""
    for path in sorted((run_folder / FOLDER).glob("*/*/*")):
        if path.name != RESULT:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
