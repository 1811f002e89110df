"""Answers of other models, as they come: tool calls in a server's form or as the text that a model writes for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from slmlens.suitability.answers import Answer, parse_answer

_THOUGHT = re.compile(r"^\s*(?:<think>)?.*?</think>\s*", re.DOTALL)
_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_MISTRAL = re.compile(r"^\s*\[TOOL_CALLS\]\s*(\[.*\])\s*$", re.DOTALL)


def parse_candidate(text: str | None, tool_calls: Iterable[Mapping[str, Any]] | None = None) -> Answer:
    """Return a candidate's answer, parsed like the incumbent's.

    A reasoning block before the answer is dropped, also one whose opening tag stands in the chat template. Tool calls
    count in the form of the chat completions API (``{"function": {"name", "arguments"}}``), as plain ``{"name",
    "arguments"}`` with arguments as JSON text or as an object, and as text that a server with a tool parser would have
    turned into calls: ``<tool_call>`` blocks (Hermes, Qwen) and ``[TOOL_CALLS]`` (Mistral).

    :param text: The answer's text, or None.
    :param tool_calls: Its tool calls, or None.
    """
    body = _THOUGHT.sub("", text or "") if "</think>" in (text or "") else text or ""
    calls = [_plain(call) for call in tool_calls or ()] or _calls_in(body)
    return parse_answer(body, calls)


def _plain(call: Mapping[str, Any]) -> dict[str, str]:
    inner = call.get("function") or call
    arguments = inner.get("arguments", inner.get("parameters"))
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
    return {"name": str(inner.get("name") or ""), "arguments": text}


def _calls_in(body: str) -> list[dict[str, str]]:
    """Read calls written as text; none where one of the blocks isn't a call, for then a server would fail too."""
    listed = _MISTRAL.match(body)
    blocks = [listed.group(1)] if listed else _TAGGED.findall(body)
    calls: list[dict[str, str]] = []
    for block in blocks:
        try:
            value = orjson.loads(block)
        except orjson.JSONDecodeError:
            return []
        for call in value if isinstance(value, list) else [value]:
            if not isinstance(call, dict) or not call.get("name"):
                return []
            calls.append(_plain(call))
    return calls
