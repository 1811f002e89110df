"""One answer, parsed: its kind, and its fields as canonical text that can be compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import orjson

WHOLE = ""
"""Field name of an answer that has no parts."""
TOOL = "(tool)"
"""Field that names the tool, or tools, an answer calls; absent names are an answer in words."""
NO_TOOL = "(answer in words)"

_FENCE = re.compile(r"^\s*```[\w+-]*[ \t]*\n(.*?)\n?\s*```\s*$", re.DOTALL)
_FENCED_PART = re.compile(r"```[\w+-]*[ \t]*\n.*?(?:```|\Z)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?[$€£]?\s?\d[\d,]*(?:\.\d+)?\s?%?")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+\S")
_MAX_DEPTH = 4
_CODE_SHARE = 0.5
_LIST_LINES = 2


@dataclass(frozen=True)
class Answer:
    """A parsed answer.

    :param kind: One of ``tables.OUTPUT_KINDS`` except ``label``, which only a task as a whole can be.
    :param fields: Key path -> canonical text. An answer without parts has the one field ``WHOLE``.
    """

    kind: str
    fields: dict[str, str]

    @property
    def canonical(self) -> str:
        """All fields as one text; equal texts are equal answers under the strictest comparator."""
        return orjson.dumps([self.kind, sorted(self.fields.items())]).decode()


def normalise(text: str) -> str:
    """Return the text after NFKC, case folding and collapsing of white space."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(folded.casefold().split())


def parse_answer(text: str | None, tool_calls: list[dict[str, str]] | None) -> Answer:
    """Return the parsed answer.

    :param text: The answer's text, or None.
    :param tool_calls: ``[{"name", "arguments"}]`` as in ``CallsTable``; arguments are JSON text.
    """
    if tool_calls:
        return _parse_tool_calls(tool_calls)
    body = (text or "").strip()
    if not body:
        return Answer("empty", {WHOLE: ""})
    return _parse_json(body) or _parse_plain(body)


def _parse_plain(body: str) -> Answer:
    fenced = _FENCE.match(body)
    if fenced:
        structured = _parse_json(fenced.group(1))
        if structured is not None:
            return structured
    if _NUMBER.fullmatch(body):
        return Answer("number", {WHOLE: _canonical_number(body)})
    if sum(len(part) for part in _FENCED_PART.findall(body)) > _CODE_SHARE * len(body):
        return Answer("code", {WHOLE: " ".join((fenced.group(1) if fenced else body).split())})
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) >= _LIST_LINES and all(_BULLET.match(line) for line in lines):
        return Answer("list", {WHOLE: normalise("\n".join(lines))})
    return Answer("text", {WHOLE: normalise(body)})


def _parse_json(body: str) -> Answer | None:
    if not body.startswith(("{", "[")):
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(value, list):
        return Answer("list", {WHOLE: canonical_value(value)})
    return Answer("json", _flatten(value))


def _flatten(value: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, str]:
    """Key paths of nested objects down to a few levels; what lies deeper is compared as one value."""
    flat: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, dict) and item and depth < _MAX_DEPTH:
            flat.update(_flatten(item, f"{prefix}{key}.", depth + 1))
        else:
            flat[f"{prefix}{key}"] = canonical_value(item)
    return flat


def canonical_value(value: object) -> str:
    """Return any JSON value as canonical text: strings normalised, numbers by value, object keys sorted."""
    if isinstance(value, str):
        return normalise(value)
    if isinstance(value, bool) or value is None:
        return orjson.dumps(value).decode()
    if isinstance(value, int | float):
        return _number_text(float(value))
    if isinstance(value, list):
        return "[" + ", ".join(canonical_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {canonical_value(value[key])}" for key in sorted(value)) + "}"
    return normalise(str(value))


def _canonical_number(body: str) -> str:
    percent = body.endswith("%")
    digits = re.sub(r"[^\d.+-]", "", body)
    return _number_text(float(digits)) + ("%" if percent else "")


def _number_text(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - float precision


def _parse_tool_calls(tool_calls: list[dict[str, str]]) -> Answer:
    """Read calls as a set: sorted by name and arguments, so that the order of parallel calls doesn't matter."""
    parsed = sorted(((call["name"] or "", _arguments(call["arguments"])) for call in tool_calls), key=str)
    fields = {TOOL: " + ".join(name for name, _ in parsed)}
    for position, (name, arguments) in enumerate(parsed):
        same = sum(other == name for other, _ in parsed[:position])
        prefix = name if same == 0 else f"{name}#{same + 1}"
        fields.update({f"{prefix}.{key}": value for key, value in arguments.items()})
    return Answer("tool_call", fields)


def _arguments(text: str | None) -> dict[str, str]:
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {WHOLE: normalise(text or "")}
    return _flatten(value) if isinstance(value, dict) else {WHOLE: canonical_value(value)}
