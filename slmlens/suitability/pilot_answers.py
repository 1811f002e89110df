"""The answers of another model to the prompts of a pilot, read from JSON lines."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from slmlens.errors import InputError
from slmlens.logs.answer_bodies import is_answer_body, read_answer
from slmlens.logs.exchange import NotACallError
from slmlens.suitability.answers import Answer
from slmlens.suitability.candidates import parse_candidate

_TEXTS = ("answer", "text", "content", "output")
_FAILED_FROM = 400
_LISTED = 3
_EXAMPLE = '{"id": "...", "answer": "..."}, or "tool_calls" in place of "answer"'

Line = Mapping[str, Any]


def read_answers(path: Path) -> dict[str, Answer | None]:
    """Return the answers of a file by prompt id; None: the model failed to answer.

    A line is ``{"id", "answer"}`` (``text``, ``content`` and ``output`` are taken too; an object is taken as JSON)
    and/or ``"tool_calls"``, or a line of an OpenAI batch output (``custom_id``, ``response``).

    :raises InputError: If the file can't be read, is empty, a line holds no id or no answer, or an id stands twice.
    """
    found: dict[str, Answer | None] = {}
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        where = f"{path.name}, line {number}"
        prompt_id = line.get("custom_id") or line.get("id")
        if not isinstance(prompt_id, str) or not prompt_id:
            raise InputError("there is no id on this line", where=where, next_step=f"write {_EXAMPLE}")
        if prompt_id in found:
            raise InputError(
                f"{prompt_id} was answered before, on line {lines[prompt_id]}",
                where=where,
                next_step="keep one answer a prompt",
            )
        found[prompt_id], lines[prompt_id] = _answer(line, where), number
    if not found:
        raise InputError("the file holds no answers", where=path.name, next_step=f"write a line a prompt: {_EXAMPLE}")
    return found


def check_ids(given: Collection[str], asked: Collection[str], *, where: str) -> None:
    """Refuse answers to prompts that are not in the export.

    :raises InputError: If any is not.
    """
    unknown = sorted(set(given) - set(asked))
    if not unknown:
        return
    prefix = next(iter(asked)).rpartition("-")[0]
    what = f"{len(unknown):,} of {len(given):,} ids are not in this task's export: {', '.join(unknown[:_LISTED])}"
    if all(one.startswith(f"{prefix}-") for one in unknown):
        hint = "these come from an export of another run; answer the prompts.jsonl of this one"
    elif len(unknown) == len(given):
        hint = "these answers are for another task or another file; name the task that they were exported for"
    else:
        near = difflib.get_close_matches(unknown[0], asked, n=1)
        hint = f"take them out{f', or write {near[0]} for {unknown[0]}' if near else ''}"
    raise InputError(what, where=where, next_step=f"{hint}; nothing was imported")


def _lines(path: Path) -> list[tuple[int, Line]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise InputError("the file of answers can't be read", where=path.name, next_step="check the path") from cause
    found: list[tuple[int, Line]] = []
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError as cause:
            raise InputError(
                "this is no JSON", where=f"{path.name}, line {number}", next_step=f"write a line a prompt: {_EXAMPLE}"
            ) from cause
        if not isinstance(line, dict):
            raise InputError(
                "this is no JSON object", where=f"{path.name}, line {number}", next_step=f"write {_EXAMPLE}"
            )
        found.append((number, line))
    return found


def _answer(line: Line, where: str) -> Answer | None:
    body = line.get("response")
    if isinstance(body, dict):
        if line.get("error") or _failed(body):
            return None
        return _of_body(body.get("body", body), where)
    if line.get("error") and not any(line.get(name) for name in _TEXTS):
        return None
    if is_answer_body(dict(line)):
        return _of_body(line, where)
    named = [name for name in (*_TEXTS, "tool_calls") if name in line]
    if not named:
        raise InputError("there is no answer on this line", where=where, next_step=f"write {_EXAMPLE}")
    text = next((line[name] for name in _TEXTS if line.get(name) is not None), None)
    calls = line.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        raise InputError(
            "tool_calls is no list of objects",
            where=where,
            next_step='write [{"name": "...", "arguments": {...}}]',
        )
    if text is None and not calls:
        return None
    return parse_candidate(text if isinstance(text, str | None) else orjson.dumps(text).decode(), calls)


def _failed(response: Line) -> bool:
    status = response.get("status_code")
    return isinstance(status, int) and status >= _FAILED_FROM


def answer_in(body: object, names: Mapping[str, str] = MappingProxyType({})) -> Answer | None:
    """Return the answer in a response of a chat endpoint; None: the model gave none.

    :param names: The log's name of each tool that was offered under another.
    :raises NotACallError: If it is no such response.
    """
    answer = read_answer(body)
    if answer.failed or answer.refused or (answer.text is None and not answer.calls):
        return None
    calls = [{"name": names.get(call.name, call.name), "arguments": call.arguments} for call in answer.calls]
    return parse_candidate(answer.text, calls)


def _of_body(body: object, where: str) -> Answer | None:
    try:
        return answer_in(body)
    except NotACallError as cause:
        raise InputError(f"the response is {cause}", where=where, next_step=f"write {_EXAMPLE}") from cause
