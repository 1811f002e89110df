"""Back-test of a finished run: what it would have promised on a part of its own calls, against the rest."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from slmlens.errors import RunFolderError, SettingError
from slmlens.run import MANIFEST, Run, open_run
from slmlens.settings import price_book, stored_settings

if TYPE_CHECKING:
    from slmlens.refinement.backtest import BackTest
    from slmlens.results import Calls

FILE = "backtest.json"


def backtest(run: Run | str | Path, split: str | dt.date) -> BackTest:
    """Hold what slmlens would have promised before a day against what the log shows from that day on.

    Month, tasks, volumes, evidence and savings are made from the calls before the day alone, with the run's own seed,
    assumptions, cut and price day. ``print`` the result for a page of plain text; the record is written to
    ``backtest.json`` in the run's folder.

    :param run: A finished run or its folder, with its texts.
    :param split: First UTC day of the later calls, such as ``2026-09-15``.
    :raises RunFolderError: If there is no finished run, or it holds no texts.
    :raises SettingError: If the day can't be read, the log has no times, or one side would be empty.
    """
    from slmlens.refinement.backtest import back_test
    from slmlens.refinement.promise import SameSettings
    from slmlens.reporting.backtest_page import back_test_page, back_test_record
    from slmlens.tasks.cut import cut_of

    at, day = _finished(run), _day(split)
    settings = stored_settings(at)
    same = SameSettings(
        discovery=cut_of(at.manifest).settings(),
        overrides=settings.assumptions,  # type: ignore[arg-type]
        seed=settings.seed,
        today=settings.today,
        book=price_book(settings, at),
    )
    found = back_test(_calls(at), day, same)
    found = replace(found, said=back_test_page(found))
    at.write_text(FILE, json.dumps(back_test_record(found), indent=1, ensure_ascii=False))
    return found


def _finished(run: Run | str | Path) -> Run:
    folder = run.folder if isinstance(run, Run) else Path(run).expanduser()
    at = open_run(folder) if (folder / MANIFEST).is_file() else Run(folder)
    if "report" not in at.manifest.get("stages", {}):
        raise RunFolderError(
            "there is no finished run here", where=folder.name, next_step="run `slmlens run LOGS --out FOLDER` first"
        )
    if not at.manifest.get("text_kept") or at.manifest.get("texts_removed_on"):
        raise RunFolderError(
            "the run holds no texts, so no tasks can be found in a part of it",
            where=folder.name,
            next_step="run it again without --no-text, into a new folder",
        )
    return at


def _calls(at: Run) -> Calls:
    from slmlens.forgetting import leave_out_forgotten
    from slmlens.results import Calls

    names = ("calls", "messages", "rejects", "files", "duplicates")
    frames = {name: at.read_frame(name) for name in names}
    stored = Calls(**frames, sampling_rate=at.manifest["sampling_rate"], notes=tuple(at.manifest["notes"]))
    return leave_out_forgotten(at, stored)


def _day(split: str | dt.date) -> dt.date:
    if isinstance(split, dt.datetime):
        return split.date()
    if isinstance(split, dt.date):
        return split
    try:
        return dt.date.fromisoformat(split)
    except ValueError as cause:
        raise SettingError(
            f"{split!r} is no day", where="split", next_step="write it as a year, a month and a day: 2026-09-15"
        ) from cause
