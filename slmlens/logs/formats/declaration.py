"""How an export format is declared: one small file each, read by one normaliser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slmlens.logs.spans import Span

Record = Mapping[str, object]

GAPS = (
    "prompts", "answers", "tokens", "cached_tokens", "reasoning_tokens", "model", "price", "sessions", "users",
    "traces", "steps", "services", "times", "latency", "tools", "window",
)  # fmt: skip
"""What a log may lack, by the names that ``Format.switches`` uses."""


@dataclass(frozen=True)
class Thread:
    """Keys of a format that logs a conversation line by line, from which calls are put together.

    :param node: Id of the line.
    :param parent: Id of the line before it in the conversation.
    :param session: Id of the session.
    :param request: Id that the lines of one answer share, beside the id of the message.
    :param message: The message itself.
    :param time: When the line was written.
    :param folder: The working folder; only its last part is kept.
    :param side: True on the lines of a subagent.
    :param agent: Id of the subagent.
    :param cost: What the tool said that the answer cost, in USD.
    :param failed_model: Model name that the tool writes where the call failed.
    :param spawns: Names of the tools that start a subagent, and the argument that names it.
    :param quiet: Kinds of lines that are no messages.
    """

    node: str
    parent: str
    session: str
    request: str
    message: str
    time: str
    folder: str
    side: str
    agent: str
    cost: str
    failed_model: str
    spawns: Mapping[str, str]
    quiet: frozenset[str]


@dataclass(frozen=True)
class Batch:
    """Keys of a format that logs requests and answers apart, joined by an id that the user gave.

    :param id: The id.
    :param request_at: Keys that hold the request.
    :param response_at: Keys that hold the answer or what became of it.
    """

    id: str
    request_at: tuple[str, ...]
    response_at: tuple[str, ...]


_NOT_HELD = {
    "tokens": "token counts",
    "sessions": "sessions",
    "users": "users",
    "traces": "traces",
    "steps": "steps",
    "services": "services",
    "times": "times",
    "latency": "latencies",
    "tools": "tools on offer",
    "window": "times",
}


def not_held(*gaps: str) -> dict[str, str]:
    """Return, for gaps of a format that nothing can be set against, the sentence that says so.

    :param gaps: Names of :data:`GAPS`.
    """
    return {gap: f"Nothing to set: the file holds no {_NOT_HELD[gap]}." for gap in gaps}


@dataclass(frozen=True)
class Format:
    """An export format.

    :param name: Short name, as in ``--format``.
    :param title: What it is called in messages to the user.
    :param recognises: Tells whether one record is of this format.
    :param carriers: Keys under which records may be wrapped, one inside the other.
    :param request_at: Keys that may hold the request, the likeliest first.
    :param response_at: Keys that may hold the response.
    :param billing: ``metered``, or ``seat`` where a plan pays and a price is a list-price equivalent.
    :param provider: The provider, where the format has only one.
    :param service: The application, where the format has only one.
    :param prompt_setting: What to switch on so that the log holds prompts.
    :param thread: Keys of a conversation logged line by line; None where a record is a whole call.
    :param parts: Yields the rows, spans or turns that one record of a file holds; None where it is one call or line.
    :param span: Reads one of them as a span of a trace, from which calls are put together; None where it is a call. It
        raises :class:`slmlens.logs.exchange.NotACallError` on what can't be read.
    :param batch: Keys of requests and answers that are logged apart; None where they stand together.
    :param whole: Yields, of all records of a file, the position of each that holds a call, and the call; None where
        records are read one by one.
    :param verified: False where the layout is that of a documentation or a source, since no real export was at hand.
    :param switches: A name of :data:`GAPS` -> what to set in the tool so that the log has it, as sentences; where
        nothing can be set, the text says so. A gap that the tool can't have is left out.
    """

    name: str
    title: str
    recognises: Callable[[Record], bool]
    prompt_setting: str = "export the prompts beside the answers"
    carriers: tuple[str, ...] = ()
    request_at: tuple[str, ...] = ("request",)
    response_at: tuple[str, ...] = ("response",)
    billing: str = "metered"
    provider: str | None = None
    service: str | None = None
    thread: Thread | None = None
    parts: Callable[[Record], Iterator[Record]] | None = None
    span: Callable[[Record], Span] | None = None
    batch: Batch | None = None
    whole: Callable[[list[Record]], Iterable[tuple[int, Record]]] | None = None
    verified: bool = True
    switches: Mapping[str, str] = field(default_factory=dict)
