"""Prompt edits: a call site that vanishes while a like one appears is the same step under a new prompt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

OVERLAP = 0.02
"""Share of either site's calls that may lie on the wrong side of the hand-over."""

MIN_UNITS = 5
"""Units each side needs: five and five in perfect order happen by chance once in 252 (two-sided once in 126)."""

ALIKE = 0.6
"""Share of the fixed words that both prompts hold in the same order."""


@dataclass(frozen=True)
class SiteTimes:
    """What of a call site an edit is judged by.

    :param site: Number of the site.
    :param place: Declared service and step: an edit stays in its place.
    :param times: Start times of its calls, sorted; empty if the log has no time.
    :param units: Recurrence units.
    :param words: Fixed words of its prompt, in order.
    """

    site: int
    place: str
    times: Sequence[dt.datetime]
    units: frozenset[str]
    words: Sequence[str]


def prompt_edits(sites: Sequence[SiteTimes]) -> list[tuple[int, int, dt.datetime]]:
    """Return (old site, new site, time of the edit) for each hand-over, earliest first; each site at most once."""
    found = [
        (new.times[0], old.site, new.site)
        for old in sites
        for new in sites
        if old is not new and old.place == new.place and _hands_over(old, new)
    ]
    edits: list[tuple[int, int, dt.datetime]] = []
    for when, before, after in sorted(found):
        if all(before != old and after != new for old, new, _ in edits):
            edits.append((before, after, when))
    return edits


def _hands_over(old: SiteTimes, new: SiteTimes) -> bool:
    if min(len(old.units), len(new.units)) < MIN_UNITS or not old.times or not new.times:
        return False
    start = new.times[int(OVERLAP * len(new.times))]
    late = sum(t >= start for t in old.times)
    if late > OVERLAP * len(old.times) or old.times[0] >= new.times[0]:
        return False
    gap = start - old.times[-1]
    if gap > max(old.times[-1] - old.times[0], new.times[-1] - start) / 2:
        return False
    return SequenceMatcher(None, list(old.words), list(new.words), autojunk=False).ratio() >= ALIKE
