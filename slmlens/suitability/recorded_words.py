"""What recorded answers speak for, in sentences."""

from __future__ import annotations

import polars as pl

from slmlens.suitability.judge import GRADE_A_COVERED
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.reasons import percent
from slmlens.suitability.recorded import Matched

_MARGIN = 2


def matched_words(found: Matched, slm: str) -> list[str]:
    """Return which share of a task's calls recorded answers speak for, and what follows, in sentences.

    :param slm: The model that gave them.
    """
    has, share = len(found.answers), percent(len(found.answers) / max(found.calls, 1))
    parts = ", ".join(f"{n:,} of {calls:,} {name}" for name, calls, n in found.parts)
    said = [f"{has:,} of {found.calls:,} usable calls ({share}) have a recorded answer of {slm}: {parts}."]
    if found.ambiguous:
        said.append(
            f"{found.ambiguous:,} calls were left out: their prompt differs from another's in redacted values only, "
            "and nobody can tell whose the answer is."
        )
    if found.untold:
        said.append(f"{found.untold:,} calls were left out: both answers hold redacted values that no prompt holds.")
    if found.covered < GRADE_A_COVERED:
        said.append(
            "They say nothing of the other calls, which are as they were believed before; so grade B is the most, and "
            f"grade A needs {percent(GRADE_A_COVERED)} of the calls."
        )
    return said


def listing_words(table: pl.DataFrame, slm: str, *, folder: str) -> str:
    """Return how many calls of each task have a recorded answer, line by line, and the command that comes next.

    :param table: ``task_id``, ``name``, ``calls``, ``recorded``, ``independent``, ``ambiguous``.
    """
    rows = [
        (
            row["task_id"],
            f"{row['recorded']:,} of {row['calls']:,}",
            f"{row['independent']:,} independent",
            row["name"],
        )
        for row in table.iter_rows(named=True)
    ]
    widths = [max((len(row[at]) for row in rows), default=0) + _MARGIN for at in range(3)]
    lines = ["".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows]
    enough = table.filter(pl.col("independent") >= LOOKS[0]).get_column("task_id")
    command = f"slmlens pilot {folder} --recorded LOGS --model {slm}"
    if not table.get_column("recorded").sum() and not table.get_column("ambiguous").sum():
        after = "No prompt of that log is one of the run's: all messages and the tools on offer have to be the same."
    elif enough.is_empty():
        after = f"No task has {LOOKS[0]} independent calls with a recorded answer, where the first look is."
    else:
        after = f"Next, for each task that matters ({LOOKS[0]} independent calls or more): {command} --task {enough[0]}"
    return "\n".join([f"Usable calls whose prompt has a recorded answer of {slm}:", *lines, after])
