"""Spans of a prompt that an answer could be a copy of, as they stand or in another form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from slmlens.suitability.answers import canonical_value, normalise

MAX_CHARS = 2_000
"""Longest prompt looked at: its first and last halves."""
POSITIONS = (0, 1, 2, 3, -1)
"""Which of the spans of one type a program may take, counted from the front, and the last."""

_MONTHS = {
    month: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sep sept", "october oct", "november nov", "december dec"),
        start=1,
    )
    for month in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:(?P<y1>\d{{4}})[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})"
    rf"|(?P<mn1>{_MONTH})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{{4}})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?P<mn2>{_MONTH})\.?,?\s+(?P<y3>\d{{4}}))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_NAME = re.compile(r"\b[A-Z][\w'\u2019-]*[a-z](?: [A-Z][\w'\u2019-]*[a-z])+\b")
_CAPITAL = re.compile(r"\b[A-Z][\w'\u2019-]*\b")
_IDENTIFIER = re.compile(r"\b[A-Z]{1,6}-?\d+\b")
_PLACEHOLDER = re.compile(r"<[A-Z_]+:[A-Z2-7]+>")
_QUOTED = re.compile(r"[\"“`]([^\"”`\n]{1,120})[\"”`]")
_LABELLED = re.compile(r"\b([A-Za-z][\w ]{0,20}):\s*([^\n,;]{1,80}?)\s*(?=[\n,;.]|$)")
_LABEL_SHARE = 0.5

Transform = Callable[[str], str]


def _as_is(span: str) -> str:
    return canonical_value(span)


def _digits(span: str) -> str:
    return re.sub(r"\D", "", span).lstrip("0") or "0"


def _value(span: str) -> str:
    plain = span.replace(",", "")
    return canonical_value(float(plain)) if plain else ""


def _last_first(span: str) -> str:
    first, _, last = span.rpartition(" ")
    return normalise(f"{last}, {first}")


def _first_word(span: str) -> str:
    return normalise(span.split(" ", 1)[0])


def _last_word(span: str) -> str:
    return normalise(span.rsplit(" ", 1)[-1])


def _iso(span: str) -> str:
    found = _DATE.search(span)
    if not found:
        return ""
    part = {key: value for key, value in found.groupdict().items() if value}
    year = part.get("y1") or part.get("y2") or part.get("y3") or ""
    name = part.get("mn1") or part.get("mn2")
    month = _MONTHS[name.lower()] if name else int(part["m1"])
    day = part.get("d1") or part.get("d2") or part.get("d3") or "0"
    return f"{year}-{month:02d}-{int(day):02d}"


_TYPES: dict[str, tuple[re.Pattern[str], dict[str, Transform]]] = {
    "date": (_DATE, {"as written": _as_is, "as yyyy-mm-dd": _iso}),
    "number": (_NUMBER, {"as written": _as_is, "by value": _value, "digits only": _digits}),
    "name": (
        _NAME,
        {"as written": _as_is, "last word first": _last_first, "first word": _first_word, "last word": _last_word},
    ),
    "capitalised word": (_CAPITAL, {"as written": _as_is}),
    "identifier": (_IDENTIFIER, {"as written": _as_is, "digits only": _digits}),
    "redacted value": (_PLACEHOLDER, {"as written": _as_is}),
    "quotation": (_QUOTED, {"as written": _as_is}),
}


def candidate_spans(texts: list[str]) -> dict[str, list[str]]:
    """Return candidate name -> the canonical text it takes from each prompt ("" where the prompt has no such span).

    :param texts: Prompts with the redactor's placeholders as they stand, so that copying a redacted value is visible.
    """
    clipped = [_clip(text) for text in texts]
    columns: dict[str, list[str]] = {"the whole text": [normalise(text) for text in clipped]}
    for kind, (pattern, transforms) in _TYPES.items():
        spans = [_spans(pattern, _without_dates(text) if kind == "number" else text) for text in clipped]
        if sum(map(bool, spans)) <= _LABEL_SHARE * len(texts):
            continue
        for position in POSITIONS:
            taken = [_take(found, position) for found in spans]
            for form, transform in transforms.items():
                columns[f"{kind} {_ordinal(position)}, {form}"] = [transform(span) if span else "" for span in taken]
    columns.update(_labelled(clipped))
    return columns


def _clip(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS // 2] + "\n" + text[-MAX_CHARS // 2 :]


def _without_dates(text: str) -> str:
    return _DATE.sub(" ", text)


def _spans(pattern: re.Pattern[str], text: str) -> list[str]:
    group = 1 if pattern is _QUOTED else 0
    return [match.group(group) for match in pattern.finditer(text)]


def _take(found: list[str], position: int) -> str:
    return found[position] if -len(found) <= position < len(found) else ""


def _ordinal(position: int) -> str:
    return "last" if position < 0 else f"no. {position + 1}"


def _labelled(texts: list[str]) -> dict[str, list[str]]:
    """Return what follows "label:" for labels that most prompts have."""
    found = [{normalise(label): value for label, value in _LABELLED.findall(text)} for text in texts]
    seen = Counter(label for labels in found for label in labels)
    kept: Iterable[str] = sorted(label for label, n in seen.items() if n > _LABEL_SHARE * len(texts))
    return {f"what follows “{label}:”": [canonical_value(labels.get(label, "")) for labels in found] for label in kept}
