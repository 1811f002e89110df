"""What graded answers moved in one task: its verdict, chances and action before and after."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from slmlens.reporting.card import action_label
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.one_task import OneTask
from slmlens.reporting.plain_words import EVIDENCE
from slmlens.reporting.text import percent

_MODES = {"swap": "chance of parity as it is", "tuned": "chance of parity, tuned"}


def moved_grid(looks: Sequence[tuple[str, OneTask | Words]]) -> Grid | Words:
    """Return verdict, chances and action of a task at several times, a column each.

    :param looks: When, and the task as it was looked at then.
    """
    shown = {when: _facts(one) for when, one in looks if isinstance(one, OneTask)}
    if not shown:
        return next((one for _, one in looks if isinstance(one, Words)), Words("There is no task to look at."))
    first = next(iter(shown.values()))
    return Grid(
        pl.DataFrame({"of the task": list(first), **{when: list(facts.values()) for when, facts in shown.items()}}),
        strong="of the task",
    )


def _facts(one: OneTask) -> dict[str, str]:
    judged = one.belief.judged
    modes = {"swap": judged.swap, "tuned": judged.tuned}
    chances = {
        words: f"{percent(modes[mode].posterior.p_parity)} ({modes[mode].slm})" for mode, words in _MODES.items()
    }
    label = EVIDENCE[one.record["evidence"]][0].lower()
    return {
        "evidence": f"{label}, grade {one.record['grade']}",
        **chances,
        "what to do": action_label(one.record, one.summary),
    }
