"""OpenAI's stored completions (``store: true``): pages of ``GET /chat/completions`` and of each one's ``/messages``.

A completion does not hold what was asked: its messages stand in a page of their own, and are joined to it by their id,
which begins with the completion's. Both are looked for in one file. Unverified: by the reference of the API
(developers.openai.com/api/reference/resources/chat); no real export was at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.trajectories import listed

_MESSAGE_ID = re.compile(r"(chatcmpl-.+)-(\d+)")


def _is_completion(record: Record) -> bool:
    return record.get("object") == "chat.completion" and {"request_id", "metadata"} <= record.keys()


def _message_id(record: Record) -> tuple[str, int] | None:
    """Return the completion that a message belongs to, and its place, or None of anything else."""
    own = record.get("id")
    found = _MESSAGE_ID.fullmatch(own) if "role" in record and isinstance(own, str) and len(own) < 200 else None  # noqa: PLR2004 - an id is short
    return (found[1], int(found[2])) if found else None


def _recognises(record: Record) -> bool:
    first = next(_parts(record), record)
    return _is_completion(first) or ("content_parts" in first and _message_id(first) is not None)


def _parts(record: Record) -> Iterator[Record]:
    """Yield the completions or messages of a page, or the record itself where pages were taken apart."""
    yield from listed(record["data"]) if isinstance(record.get("data"), list) else (record,)


def _calls(records: list[Record]) -> Iterator[tuple[int, Record]]:
    """Yield the call of each completion, with the messages of the file that belong to it."""
    asked: dict[str, dict[int, Record]] = {}
    for record in records:
        own = _message_id(record)
        if own is not None:
            asked.setdefault(own[0], {})[own[1]] = record
    for position, record in enumerate(records):
        if "choices" in record:
            told = asked.get(str(record.get("id")), {})
            messages = [_message(told[place]) for place in sorted(told)]
            beside = {key: record[key] for key in ("tools", "response_format") if record.get(key)}
            request = {"request": {"messages": messages, **beside}} if messages else {}
            yield position, {**request, "response": record, "metadata": record.get("metadata")}


def _message(record: Record) -> Record:
    parts = record.get("content_parts")
    return {
        **{key: record[key] for key in ("role", "tool_calls", "name") if record.get(key)},
        "content": parts if isinstance(parts, list) and parts else record.get("content"),
    }


_SWITCHES = {
    "prompts": "Fetch `/chat/completions/ID/messages` of each completion too, and write both into one file.",
    "sessions": 'Send `metadata: {"session_id": ...}` with each request.',
    "users": 'Send `metadata: {"user_id": ...}` with each request.',
    "traces": 'Send `metadata: {"trace_id": ...}` with each request.',
    "steps": 'Send `metadata: {"step": ...}` with each request.',
    "services": 'Send `metadata: {"service": ...}` with each request.',
    "window": "Fetch the pages of two weeks or more.",
    **not_held("latency"),
}

FORMAT = Format(
    name="stored_completions",
    title="OpenAI's stored completions",
    recognises=_recognises,
    prompt_setting="fetch `/chat/completions/ID/messages` too, and write both into one file",
    parts=_parts,
    whole=_calls,
    verified=False,
    switches=_SWITCHES,
)
