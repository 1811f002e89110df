"""A pilot's prompt as a request of the chat completions API that also a strict server takes.

A log's messages come without the ids that tie a tool's result to its call, tool names with characters that the API
does not allow, and roles that it does not know. https://platform.openai.com/docs/api-reference/chat/create: a message
with ``tool_calls`` is followed by a ``tool`` message for each of their ids; a tool's name has at most 64 characters of
``[a-zA-Z0-9_-]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

_CALL = re.compile(r"([A-Za-z][\w.:/-]*)\((\{.*\})\)")
_ALLOWED = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOT_ALLOWED = re.compile(r"[^a-zA-Z0-9_-]")
_ROLES = frozenset({"system", "user", "assistant", "tool"})
_LONGEST_NAME = 64

Json = dict[str, Any]


@dataclass(frozen=True)
class ChatRequest:
    """What is sent for one prompt, and what its answer means.

    :param messages: Messages of the chat completions API.
    :param tools: Its tools; empty: none were offered.
    :param names: The log's name of each tool that is sent under another.
    """

    messages: list[Json]
    tools: list[Json] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)

    def as_logged(self, name: str) -> str:
        """Return the log's name of a tool."""
        return self.names.get(name, name)


def chat_request(prompt: Mapping[str, Any]) -> ChatRequest:
    """Return the request of an exported prompt (:func:`slmlens.suitability.pilot_prompts.pilot_prompts`).

    Calls that end an assistant's message, a line ``name({...})`` each, and the results that follow belong together in
    their order, under ids that are made up. A call without a result stays text, and a result without a call becomes a
    user's message: neither can be sent as what it was.
    """
    said: Sequence[Mapping[str, str]] = prompt["messages"]
    tools: Sequence[Mapping[str, Any]] = prompt.get("tools", ())
    names = _Names(tool["function"]["name"] for tool in tools)
    messages = list(_valid(said, names))
    sent = [{**tool, "function": {**tool["function"], "name": names.of(tool["function"]["name"])}} for tool in tools]
    return ChatRequest(messages, sent, names.logged)


class _Names:
    """Names of tools as the API allows them, different for different tools."""

    def __init__(self, offered: Iterable[str]) -> None:
        offered = list(offered)
        self.logged: dict[str, str] = {}
        self._sent: dict[str, str] = {name: name for name in offered if _ALLOWED.fullmatch(name)}
        for name in offered:
            self.of(name)

    def of(self, name: str) -> str:
        known = self._sent.get(name)
        if known is None:
            known = self._sent[name] = self._free(name)
            if known != name:
                self.logged[known] = name
        return known

    def _free(self, name: str) -> str:
        taken = set(self._sent.values())
        plain = _NOT_ALLOWED.sub("_", name)[:_LONGEST_NAME]
        if plain and plain not in taken:
            return plain
        numbered = (f"{plain[: _LONGEST_NAME - 4]}_{number}" for number in count(2))
        return next(one for one in numbered if one not in taken)


def _valid(said: Sequence[Mapping[str, str]], names: _Names) -> Iterator[Json]:
    ids = (f"call_{number}" for number in count(1))
    place = 0
    while place < len(said):
        message, place = said[place], place + 1
        role, text = message["role"], message["content"] or ""
        results: list[str] = []
        if role == "assistant":
            while place < len(said) and said[place]["role"] == "tool":
                results.append(said[place]["content"] or "")
                place += 1
            yield from _turn(text, results, names, ids)
        else:
            yield {"role": role if role in _ROLES - {"tool"} else "user", "content": text}


def _turn(text: str, results: Sequence[str], names: _Names, ids: Iterator[str]) -> Iterator[Json]:
    """Yield an assistant's message with the results that follow it."""
    words, calls = _split(text, most=len(results))
    message: Json = {"role": "assistant", "content": words or (None if calls else "")}
    listed = [(next(ids), name, arguments) for name, arguments in calls]
    if listed:
        message["tool_calls"] = [
            {"id": one, "type": "function", "function": {"name": names.of(name), "arguments": arguments}}
            for one, name, arguments in listed
        ]
    yield message
    for position, result in enumerate(results):
        if position < len(listed):
            yield {"role": "tool", "tool_call_id": listed[position][0], "content": result}
        else:
            yield {"role": "user", "content": result}


def _split(text: str, *, most: int) -> tuple[str, list[tuple[str, str]]]:
    """Return a message's words and the calls that end it, the first ``most`` of them; the others stay words."""
    lines = text.split("\n")
    first = len(lines)
    while first and _call(lines[first - 1]) is not None:
        first -= 1
    calls = [call for line in lines[first:] if (call := _call(line)) is not None]
    kept = lines[:first] + lines[first + most :]
    return "\n".join(kept), calls[:most]


def _call(line: str) -> tuple[str, str] | None:
    found = _CALL.fullmatch(line)
    if found is None:
        return None
    try:
        orjson.loads(found.group(2))
    except orjson.JSONDecodeError:
        return None
    return found.group(1), found.group(2)
