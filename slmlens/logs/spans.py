"""One span of a trace in the words of no particular tracer, and the names that tracers give to spans by themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from slmlens.logs.exchange import Body

LLM, AGENT, TOOL, OTHER, TRACE = "llm", "agent", "tool", "other", "trace"
"""What a span is: a call of a model, something around such calls, a tool's run, anything else, or a row about the whole
trace."""


@dataclass(slots=True)
class Span:
    """A span as read, before it is known what stands below it.

    ``values`` holds what ``slmlens.logs.envelope.FIELDS`` names (session, user, started, cost, ...), by the alias that
    tells the unit. ``strong`` is a step that the application declared; ``name`` is what the tracer called the span.
    ``details`` marks a record that only completes a span of the same id; ``version`` tells the newer of two copies.
    """

    role: str
    trace: str | None
    id: str | None
    parent: str | None = None
    name: str | None = None
    strong: str | None = None
    scope: str = ""
    request: Body | None = None
    response: object = None
    failed: bool = False
    values: dict[str, tuple[str, object]] = field(default_factory=dict)  # field -> (alias, value)
    tags: list[str] = field(default_factory=list)
    details: bool = False
    event: Event | None = None
    version: str = ""


class Event(NamedTuple):
    """One message of a call that the tracer wrote as a record of its own."""

    order: int
    message: Body | None  # of the prompt
    answer: Body | None  # a response body


Values = dict[str, tuple[str, object]]


def put(values: Values, field_name: str, alias: str, value: object) -> None:
    """Keep a value unless it is missing or the field has one already.

    :param values: The values so far.
    :param field_name: A key of ``FIELDS``.
    :param alias: The alias that tells the unit, such as ``latency_s``.
    :param value: The value as logged.
    """
    if field_name not in values and value is not None and value not in ("", [], {}):
        values[field_name] = (alias, value)


def first(source: Mapping[str, object], keys: tuple[str, ...]) -> object:
    """Return the first value under one of the keys that is neither missing nor empty, else None.

    :param source: Attributes or columns.
    :param keys: Keys, the likeliest first.
    """
    for key in keys:
        value = source.get(key)
        if value is not None and value not in ("", [], {}):
            return value
    return None


_PLUMBING = frozenset({
    "acompletion", "agent", "ai", "anthropic", "api", "async", "azure", "bedrock", "call", "chain", "chat", "client",
    "cohere", "complete", "completion", "completions", "converse", "create", "do", "gemini", "gen", "genai", "generate",
    "generation", "google", "graph", "groq", "http", "https", "inference", "invoke", "lang", "langchain", "lite", "llm",
    "message", "messages", "mistral", "model", "object", "ollama", "open", "openai", "openrouter", "post", "predict",
    "request", "response", "responses", "run", "runnable", "runner", "sequence", "span", "stream", "text", "trace",
    "turn", "v1", "vertex", "vertexai", "workflow",
})  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SERIAL = re.compile(r"\d{4,}|(?=[0-9a-f]{0,32}\d)[0-9a-f]{8,}", re.IGNORECASE)


def is_serial(name: str) -> bool:
    """Tell whether a name holds a number or hash that names one run or one instance.

    :param name: The name as logged.
    """
    return _SERIAL.search(name) is not None


@lru_cache(maxsize=4096)
def tells_a_step(name: str | None, model: str | None = None) -> bool:
    """Tell whether the name of a span says which step of the agent it is.

    ``openai.chat``, ``ChatCompletion`` and ``chat gpt-4o`` are the tracer's own words; a name with a serial number or
    a hash names one run.

    :param name: The name of the span.
    :param model: The model that it called, whose name says nothing of the step.
    """
    if not name or is_serial(name):
        return False
    rest = name.lower().replace((model or "\0").lower(), " ")
    words = _WORD.findall(name) if rest == name.lower() else _WORD.findall(rest)
    return any(word.lower() not in _PLUMBING and not word.isdigit() for word in words)
