"""Spans of a prompt that an answer could be a copy of, as they stand or in another form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache

from slmlens.suitability.answers import canonical_value, normalise

MAX_CHARS = 2_000
"""Longest prompt looked at: its first and last halves."""
POSITIONS = (0, 1, 2, 3, -1)
"""Which of the spans of one type a program may take, counted from the front, and the last."""

_MONTH_NAMES = (
    "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
    "september sep sept", "october oct", "november nov", "december dec",
)  # fmt: skip
_MONTHS = {month: number for number, names in enumerate(_MONTH_NAMES, start=1) for month in names.split()}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:(?P<y1>\d{{4}})[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})"
    rf"|(?P<mn1>{_MONTH})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{{4}})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?P<mn2>{_MONTH})\.?,?\s+(?P<y3>\d{{4}})"
    r"|(?P<n1>\d{1,2})[-/.](?P<n2>\d{1,2})[-/.](?P<y4>\d{4}))\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_NAME = re.compile(r"\b[A-Z][\w'\u2019-]*[a-z](?: [A-Z][\w'\u2019-]*[a-z])+\b")
_CAPITAL = re.compile(r"\b[A-Z][\w'\u2019-]*\b")
_IDENTIFIER = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*\b")
_PLACEHOLDER = re.compile(r"<[A-Z_]+:[A-Z2-7]+>")
_QUOTED = re.compile(r"[\"“`]([^\"”`\n]{1,120})[\"”`]")
_BRACKETED = re.compile(r"\(([^()\n]{1,80})\)")
_URL = re.compile(r"\bhttps?://[^\s\"'<>()]+[^\s\"'<>().,;:!?]")
_LINE = re.compile(r"[^\n]*[^\s\n][^\n]*")
_LABELLED = re.compile(r"\b([A-Za-z][\w ]{0,20}):\s*([^\n,;]{1,80}?)\s*(?=[\n,;.]|$)")
_KEYED = re.compile(r'"([A-Za-z][\w -]{0,30})"\s*:\s*(?:"((?:[^"\\]|\\.){0,120})"|(-?\d[\d.eE+-]*|true|false|null))')
_LABEL_SHARE = 0.5
_EDGES = " \t'\"“”`*_.,;:!?()[]"

Transform = Callable[[str], str]


def _as_is(span: str) -> str:
    return canonical_value(span)


def _trimmed(span: str) -> str:
    return canonical_value(span.strip(_EDGES))


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


def _host(span: str) -> str:
    return normalise(span.split("/")[2])


def _date_as(form: str, *, month_first: bool = False) -> Transform:
    """Return a transform that writes a date's year (y), month (m) and day (d) as ``form`` says."""

    def write(span: str) -> str:
        year, month, day = _date_parts(span, month_first=month_first)
        return form.format(y=year, m=month, d=day, name=_MONTH_NAMES[month - 1].split()[0]) if month else ""

    return write


@lru_cache(maxsize=8192)
def _date_parts(span: str, *, month_first: bool) -> tuple[int, int, int]:
    """Return year, month and day of a date; zeros where they make none."""
    found = _DATE.search(span)
    if not found:
        return 0, 0, 0
    part = {key: value for key, value in found.groupdict().items() if value}
    year = int(part.get("y1") or part.get("y2") or part.get("y3") or part.get("y4") or 0)
    name = part.get("mn1") or part.get("mn2")
    if "n1" in part:
        month, day = (part["n1"], part["n2"]) if month_first else (part["n2"], part["n1"])
    else:
        month, day = str(_MONTHS[name.lower()]) if name else part["m1"], part.get("d1") or part.get("d2") or part["d3"]
    return (year, int(month), int(day)) if 1 <= int(month) <= len(_MONTH_NAMES) else (0, 0, 0)


_TYPES: dict[str, tuple[re.Pattern[str], dict[str, Transform]]] = {
    "date": (
        _DATE,
        {
            "as written": _as_is,
            "as yyyy-mm-dd": _date_as("{y}-{m:02d}-{d:02d}"),
            "month first, as yyyy-mm-dd": _date_as("{y}-{m:02d}-{d:02d}", month_first=True),
            "as dd/mm/yyyy": _date_as("{d:02d}/{m:02d}/{y}"),
            "as mm/dd/yyyy": _date_as("{m:02d}/{d:02d}/{y}"),
            "as dd.mm.yyyy": _date_as("{d:02d}.{m:02d}.{y}"),
            "as yyyymmdd": _date_as("{y}{m:02d}{d:02d}"),
            "as month d, yyyy": _date_as("{name} {d}, {y}"),
            "its year": _date_as("{y}"),
        },
    ),
    "number": (_NUMBER, {"as written": _as_is, "by value": _value, "digits only": _digits}),
    "name": (
        _NAME,
        {"as written": _as_is, "last word first": _last_first, "first word": _first_word, "last word": _last_word},
    ),
    "capitalised word": (_CAPITAL, {"as written": _as_is}),
    "identifier": (_IDENTIFIER, {"as written": _as_is, "digits only": _digits}),
    "redacted value": (_PLACEHOLDER, {"as written": _as_is}),
    "quotation": (_QUOTED, {"as written": _as_is, "trimmed": _trimmed}),
    "bracket": (_BRACKETED, {"as written": _as_is}),
    "address": (_URL, {"as written": _as_is, "its host": _host}),
    "line": (_LINE, {"as written": _as_is, "trimmed": _trimmed}),
}


def candidate_spans(texts: list[str]) -> dict[str, list[str]]:
    """Return candidate name -> the canonical text it takes from each prompt ("" where the prompt has no such span).

    Columns that are equal in every row are given once, under the first name.

    :param texts: Prompts with the redactor's placeholders as they stand, so that copying a redacted value is visible.
    """
    clipped = [_clip(text) for text in texts]
    columns: dict[str, list[str]] = {"the whole text": [normalise(text) for text in clipped]}
    dates, undated = zip(*map(_split_dates, clipped), strict=True) if clipped else ((), ())
    several_lines = sum("\n" in text for text in clipped) > _LABEL_SHARE * len(texts)
    for kind, (pattern, transforms) in _TYPES.items():
        if kind == "line" and not several_lines:
            continue
        texts_of = undated if kind == "number" else clipped
        spans = list(dates) if kind == "date" else [_spans(pattern, text) for text in texts_of]
        if sum(map(bool, spans)) <= _LABEL_SHARE * len(texts):
            continue
        for position in POSITIONS:
            taken = [_take(found, position) for found in spans]
            if position > 0 and not any(taken):
                break
            for form, transform in transforms.items():
                columns[f"{kind} {_ordinal(position)}, {form}"] = [transform(span) if span else "" for span in taken]
    columns.update(_labelled(clipped))
    distinct: dict[tuple[str, ...], str] = {}
    for name, column in columns.items():
        distinct.setdefault(tuple(column), name)
    return {name: columns[name] for name in distinct.values()}


def _clip(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS // 2] + "\n" + text[-MAX_CHARS // 2 :]


def _split_dates(text: str) -> tuple[list[str], str]:
    """Return a text's dates, and the text without them."""
    found = [match.span() for match in _DATE.finditer(text)]
    edges = [0, *(place for span in found for place in span), len(text)]
    rest = " ".join(text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))
    return [text[start:end] for start, end in found], rest


def _spans(pattern: re.Pattern[str], text: str) -> list[str]:
    group = 1 if pattern.groups == 1 else 0
    return [match.group(group) for match in pattern.finditer(text)]


def _take(found: list[str], position: int) -> str:
    return found[position] if -len(found) <= position < len(found) else ""


def _ordinal(position: int) -> str:
    return "last" if position < 0 else f"no. {position + 1}"


def _labelled(texts: list[str]) -> dict[str, list[str]]:
    """Return what follows "label:" or stands under a key of JSON, for labels that most prompts have."""
    found = [
        {normalise(label): value.strip(_EDGES) for label, value in _LABELLED.findall(text)}
        | {normalise(key): string or bare for key, string, bare in _KEYED.findall(text)}
        for text in texts
    ]
    seen = Counter(label for labels in found for label in labels)
    kept: Iterable[str] = sorted(label for label, n in seen.items() if n > _LABEL_SHARE * len(texts))
    return {f"what follows “{label}:”": [canonical_value(labels.get(label, "")) for labels in found] for label in kept}
