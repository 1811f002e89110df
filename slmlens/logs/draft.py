"""A call as read: numbers of messages and plain values, before ids are settled and columns are made."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Place:
    """Where a record stands: the number of its file, its line (from 1), a hash of its bytes, kept in memory.

    ``part`` counts the calls of one line, where a line holds several.
    """

    file: int
    line: int
    digest: bytes
    part: int = 0


@dataclass(slots=True)
class Draft:
    """One call before it becomes a row of ``CallsTable``; fields named alike mean the same."""

    place: Place
    format: str
    billing: str = "metered"
    own_id: str | None = None  # the provider's response id
    uuid: str | None = None  # the tool's own id of the record: a second record of it is a copy
    kind: str = ""  # kind of span or scope; the same call under another kind is a duplicate
    request_hash: bytes = b""
    session: str | None = None
    user: str | None = None
    trace: str | None = None
    parent: str | None = None
    previous_id: str | None = None  # response id of the call that this one continues
    step: str | None = None
    service: str | None = None
    started_us: int | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    provider: str | None = None
    model: str | None = None
    model_requested: str | None = None
    prompt: list[int] | None = None
    answer: int | None = None
    prompt_key: str | None = None
    tool_names: list[str] = field(default_factory=list)
    tool_bytes: int = 0
    response_schema: str | None = None
    tool_calls: list[dict[str, str]] = field(default_factory=list)
    finish_reason: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    batch: bool = False
    logged_nusd: int | None = None
    status: str = "ok"
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Collected:
    """What became of the records of a format whose calls are known only when all files were read.

    :param calls: The calls.
    :param copies: Of each call seen again: the call that is kept, and its copy.
    :param parents: Numbers of the files of spans that only repeat the calls below them, one entry each.
    :param other: Numbers of the files of records that are no call, one entry each.
    :param notes: Sentences a user should read.
    """

    calls: list[Draft]
    copies: list[tuple[Draft, Draft]] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    other: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
