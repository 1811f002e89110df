"""One answer, parsed: its kind, and its fields as canonical text that can be compared."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import orjson

from slmlens.suitability.numerals import canonical_number, number_text
from slmlens.suitability.program_text import MAX_CHARS, PARSED, canonical_program, looks_like_sql, token_text

WHOLE = ""
"""Field name of an answer that has no parts."""
TOOL = "(tool)"
"""Field that names the tool, or tools, an answer calls; absent names are an answer in words."""
NO_TOOL = "(answer in words)"
MARK = "\x00"
"""First character of a canonical value that no text of an answer can equal, such as null."""
NULL = f"{MARK}null"

_THOUGHT = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)
_FENCED = re.compile(r"```([\w+-]*)[ \t]*\n(.*?)\n?[ \t]*(?:```|\Z)", re.DOTALL)
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+(?=\S)")
_MAX_DEPTH = 4
_CODE_SHARE = 0.5
_LIST_LINES = 2
_SHORTEST_PROGRAM = 14


@dataclass(frozen=True)
class Answer:
    """A parsed answer.

    :param kind: One of ``tables.OUTPUT_KINDS`` except ``label``, which only a task as a whole can be.
    :param fields: Key path -> canonical text. An answer without parts has the one field ``WHOLE``.
    :param parsed: False: program text in a language that isn't parsed, compared by its tokens.
    :param prose: Words stand around the fenced JSON or program that is the answer.
    """

    kind: str
    fields: dict[str, str]
    parsed: bool = True
    prose: bool = False

    @property
    def canonical(self) -> str:
        """All fields as one text; equal texts are equal answers under the strictest comparator."""
        return orjson.dumps([self.kind, sorted(self.fields.items())]).decode()


def normalise(text: str) -> str:
    """Return the text after NFKC, case folding and collapsing of white space."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def parse_answer(text: str | None, tool_calls: list[dict[str, str]] | None) -> Answer:
    """Return the parsed answer.

    A JSON value or a program inside a code fence is the same as the bare one; where the fence takes up the smaller
    part of the answer, the answer is prose. A leading ``<think>`` block is no part of the answer.

    :param text: The answer's text, or None.
    :param tool_calls: ``[{"name", "arguments"}]`` as in ``CallsTable``; arguments are JSON text.
    """
    if tool_calls:
        return _parse_tool_calls(tool_calls)
    body = _unmarked(text or "").strip()
    if body.startswith("<think>"):
        body = _THOUGHT.sub("", body)
    if not body:
        return Answer("empty", {WHOLE: ""})
    return _parse_json(body) or _parse_fenced(body) or _parse_plain(body)


def _unmarked(text: str) -> str:
    return text.replace(MARK, "").replace(PARSED, "")


def _parse_fenced(body: str) -> Answer | None:
    """Read an answer that is mostly fenced text: JSON if its only fence holds some, else a program."""
    if "```" not in body:
        return None
    fences = list(_FENCED.finditer(body))
    inside = sum(len(fence.group()) for fence in fences)
    if inside <= _CODE_SHARE * len(body):
        return None
    edges = [0, *(edge for fence in fences for edge in fence.span()), len(body)]
    prose = any(body[start:end].strip() for start, end in zip(edges[::2], edges[1::2], strict=True))
    if len(fences) == 1:
        structured = _parse_json(fences[0].group(2).strip(), prose=prose)
        if structured is not None:
            return structured
    programs = _programs(fences) if inside <= MAX_CHARS else None
    if programs is None:
        tokens = "\n".join(token_text(fence.group(2)) for fence in fences)
        return Answer("code", {WHOLE: tokens}, parsed=False, prose=prose)
    return Answer("code", {WHOLE: "\n".join(programs)}, prose=prose)


def _programs(fences: list[re.Match[str]]) -> list[str] | None:
    """Return the canonical text of each fence's program; None as soon as one can't be parsed."""
    found = []
    for fence in fences:
        program = canonical_program(fence.group(2), fence.group(1))
        if program is None:
            return None
        found.append(program)
    return found


def _parse_plain(body: str) -> Answer:
    number = canonical_number(unicodedata.normalize("NFKC", body))
    if number is not None:
        return Answer("number", {WHOLE: number})
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) >= _LIST_LINES and all(_BULLET.match(line) for line in lines):
        return Answer("list", {WHOLE: "\n".join(f"- {normalise(_BULLET.sub('', line, 1))}" for line in lines)})
    program = _program_in(body)
    return Answer("code", {WHOLE: program}) if program else Answer("text", {WHOLE: normalise(body)})


def _program_in(text: str) -> str | None:
    """Read a bare statement of SQL, or Python of several lines, as a program."""
    if len(text) >= _SHORTEST_PROGRAM and ("\n" in text or looks_like_sql(text)):
        return canonical_program(text)
    return None


def _parse_json(body: str, *, prose: bool = False) -> Answer | None:
    if not body.startswith(("{", "[")):
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(value, list):
        return Answer("list", {WHOLE: canonical_value(value)}, prose=prose)
    return Answer("json", _flatten(value), prose=prose)


def _flatten(value: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, str]:
    """Key paths of nested objects down to a few levels; what lies deeper is compared as one value."""
    flat: dict[str, str] = {}
    for key, item in value.items():
        path = prefix + (key.replace(".", "\\.") or '""')
        if isinstance(item, dict) and item and depth < _MAX_DEPTH:
            flat.update(_flatten(item, f"{path}.", depth + 1))
        else:
            flat[path] = canonical_value(item)
    return flat


def canonical_value(value: object) -> str:
    """Return any JSON value as canonical text: strings normalised, numbers by value, keys sorted, lists in order.

    A number or a truth value written as a string is the same; null is a value of its own. A string that is a program
    counts as one.
    """
    if value is None:
        return NULL
    if isinstance(value, str):
        plain = _unmarked(value)
        return _program_in(plain) or normalise(plain)
    return _nested(value)


def _nested(value: object) -> str:
    """Return a value inside a list or object: quoted, so that no text can stand for two values."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ", ".join(_quoted(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{orjson.dumps(key).decode()}: {_quoted(value[key])}" for key in sorted(value)) + "}"
    return normalise(str(value))


def _quoted(value: object) -> str:
    if value is None or isinstance(value, list | dict):
        return "null" if value is None else _nested(value)
    return orjson.dumps(canonical_value(value)).decode()


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
        return {WHOLE: normalise(_unmarked(text or ""))}
    return _flatten(value) if isinstance(value, dict) else {WHOLE: canonical_value(value)}
