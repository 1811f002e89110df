"""One call as its bodies tell it: the request and the answer, in the words of no particular provider."""

from __future__ import annotations

from dataclasses import dataclass, field

from slmlens.logs.content import ToolCall

Body = dict[str, object]

UNREAD = "; bodies of OpenAI, Anthropic, Gemini, Bedrock, Ollama and Cohere are read"
"""What is added to the reason of a reject whose body is another provider's."""


class NotACallError(Exception):
    """The record holds no LLM call that can be read.

    :param reason: A constant clause; never text of the record.
    :param rejected: True if it is a call that could not be read, False if it is no call (an embedding, a listing).
    """

    def __init__(self, reason: str, *, rejected: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rejected = rejected


@dataclass(slots=True)
class Request:
    """What was asked.

    ``prompt`` holds messages of any dialect, None where the log has none; ``wants_json`` is true where the request
    asked for JSON, and ``schema_name`` names the schema.
    """

    prompt: list[object] | None = None
    tools: list[object] = field(default_factory=list)
    wants_json: bool = False
    schema_name: str | None = None
    model: str | None = None
    tier: str | None = None
    previous_id: str | None = None
    conversation: str | None = None


@dataclass(slots=True)
class Answer:
    """What came back.

    ``text`` is None where the log holds no answer text. ``captured`` tells a log that records answers from one that
    leaves content out. ``pending`` marks a poll of a call that was still running.
    """

    text: str | None = None
    calls: tuple[ToolCall, ...] = ()
    captured: bool = False
    finish: str | None = None
    refused: bool = False
    failed: bool = False
    cut: bool = False
    pending: bool = False
    response_id: str | None = None
    model: str | None = None
    provider: str | None = None
    created: object = None
    completed: object = None
    latency_ms: object = None
    usage: Body = field(default_factory=dict)
    tier: str | None = None


def string(value: object) -> str | None:
    """Return a non-empty string, else None.

    :param value: Anything logged.
    """
    return value if isinstance(value, str) and value else None
