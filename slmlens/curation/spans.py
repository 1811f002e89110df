"""What a detector hands on, and how overlapping findings are resolved."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

KINDS = ("CARD", "CONNECTION", "EMAIL", "IBAN", "IP", "JWT", "NATIONAL_ID", "PATH", "PHONE", "SECRET", "SSN")
"""Every kind of value that is looked for, as it stands in a placeholder."""

PLACEHOLDER = re.compile(r"<([A-Z_]{2,16}):([A-Z2-7]{8})>")
"""A redacted value: its kind and eight base32 characters of its keyed hash."""

_ESCAPED = re.compile(r"(?:\\(?:[nrtbfv]|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})|%[0-9A-F]{2})$")
_ESCAPE = re.compile(r"[nrtbfv]|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}")
_ESCAPE_WIDTH = 6  # of \u0020, the longest

NOT_COVERED = (
    "names of persons",
    "postal addresses",
    "dates of birth",
    "passport, licence and insurance numbers of countries not listed",
    "telephone numbers with neither a country code, nor an American shape, nor a telling word before them",
    "passwords that no telling word announces",
    "anything inside images, files and encoded blobs",
)
"""What may be personal and is not looked for, in the words of the report."""

NOT_COVERED_BY_MODEL = (
    "names of persons and places that the language model overlooks; it knows one language and is not measured here",
    "streets, house numbers and postcodes",
)
"""What stands for the first two where a model looks for names."""


def not_covered(*, names: bool) -> list[str]:
    """Return what is not looked for.

    :param names: True where a language model looks for names (``Settings(names=True)``).
    """
    return [*NOT_COVERED_BY_MODEL, *NOT_COVERED[2:]] if names else list(NOT_COVERED)


class Span(NamedTuple):
    """A finding: ``text[start:end]`` is of this kind; ``value`` is its normalised form, equal for equal values."""

    start: int
    end: int
    kind: str
    value: str


def after_escape(text: str, start: int) -> int:
    r"""Return ``start``, moved behind an escape sequence (``\n``, ``\u0020``) whose tail the finding would cut off."""
    backslash = text.rfind("\\", max(0, start - _ESCAPE_WIDTH), start)
    if backslash >= 0:
        tail = _ESCAPE.match(text, backslash + 1)
        if tail and tail.end() > start:
            return tail.end()
    return start


def boundary(text: str, start: int) -> str:
    r"""Return the character before ``start``; nothing at the beginning and behind an escape (``\n``, ``%20``)."""
    before = text[start - 1 : start] if start else ""
    return "" if before.isalnum() and _ESCAPED.search(text, max(0, start - 6), start) else before


def preceding(text: str, start: int, width: int = 40) -> str:
    """Return the ``width`` characters before ``start`` in lower case: the context that a weak shape needs."""
    return text[max(0, start - width) : start].lower()


_REST = re.compile(r"[^.!?;:=\n\\0-9]*")


def following(text: str, end: int, width: int = 40) -> str:
    """Return the rest of the sentence behind ``end`` in lower case, ``width`` characters at most.

    A word behind a value tells as much as one before it (``12345678 is my account number``), unless a sentence ends
    or a line breaks in between, or the next value begins.
    """
    return _REST.match(text[end : end + width]).group().lower()  # type: ignore[union-attr]


def resolve(spans: Iterable[Span], barred: Iterable[tuple[int, int]] = ()) -> list[Span]:
    """Return the findings that stand, in order of place: of two that overlap the longer, then the earlier.

    :param barred: Start and end of stretches, apart from one another, that no finding may touch.
    """
    taken = sorted(barred)
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda s: (s.start - s.end, s.start, s.kind, s.value)):
        place = bisect_left(taken, (span.start, span.end))
        clear_left = place == 0 or taken[place - 1][1] <= span.start
        clear_right = place == len(taken) or span.end <= taken[place][0]
        if clear_left and clear_right:
            taken.insert(place, (span.start, span.end))
            kept.append(span)
    return sorted(kept)


_STRETCH = re.compile("[0-9](?:[ .()/\\-\u00a0\u2009\u202f\u2010-\u2013]{0,3}[0-9]){5,}")


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of six digits or more, with at most three separators between two digits."""
    for found in _STRETCH.finditer(text):
        yield found.start(), found.end()


_NO_DIGIT = re.compile("[^0-9]+")


def digits_of(text: str) -> str:
    """Return the ASCII digits of a text."""
    return _NO_DIGIT.sub("", text)


_AROUND = 60  # characters: rules that need a vendor's name look no farther than 50 back
_MAX_WINDOW = 20_000


def windows(words: Sequence[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the surroundings of some words, those that touch joined.

    :param words: Start and end of each word, in order of place.
    :param size: Length of the text.
    """
    start, end = 0, -1
    for first, last in words:
        if first - _AROUND <= end and end - start < _MAX_WINDOW:
            end = min(size, last + _AROUND)
            continue
        if end > 0:
            yield start, end
        start, end = max(0, first - _AROUND), min(size, last + _AROUND)
    if end > 0:
        yield start, end
