"""Values that hide behind percent-encoding: a decoded view of a text, and the way back to the places in the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from slmlens.curation.spans import Span

_HINT = re.compile(r"%[2-7][0-9A-Fa-f]")
_WORD = re.compile(r"[^\s\"'`<>\\]{4,}")
_UNIT = re.compile(r"%([2-7][0-9A-Fa-f]|0[9AaDd])|\+", re.ASCII)
_CONTEXT = 40  # of telling words before the encoded stretch, as wide as the detectors look


def in_encoded(text: str, find: Callable[[str], Iterable[Span]]) -> Iterator[Span]:
    """Yield what a finder finds once percent-encoding is undone (RFC 3986; ``+`` is a blank, as in HTML forms).

    Only stretches that hold an encoded printable ASCII character are decoded, so other texts cost one search.
    """
    first = _HINT.search(text)
    if first is None:
        return
    start = max(text.rfind(blank, 0, first.start()) for blank in " \n\t\"'<") + 1
    for word in _WORD.finditer(text, start):
        if _HINT.search(word.group()):
            yield from _found_in(text, word.start(), word.end(), find)


def _found_in(text: str, start: int, end: int, find: Callable[[str], Iterable[Span]]) -> Iterator[Span]:
    lead = max(0, start - _CONTEXT)
    decoded, places = _decoded(text, start, end)
    before = text[lead:start]
    for span in find(before + decoded):
        first, last = span.start - len(before), span.end - len(before)
        if first >= 0:
            yield Span(places[first], places[last], span.kind, span.value)


def _decoded(text: str, start: int, end: int) -> tuple[str, list[int]]:
    """Return the decoded stretch and, for each of its characters and its end, the place in the text."""
    parts: list[str] = []
    places: list[int] = []
    at = start
    for unit in _UNIT.finditer(text, start, end):
        parts += [text[at : unit.start()], chr(int(unit.group(1), 16)) if unit.group(1) else " "]
        places += range(at, unit.start() + 1)
        at = unit.end()
    places += range(at, end + 1)
    return "".join([*parts, text[at:end]]), places
