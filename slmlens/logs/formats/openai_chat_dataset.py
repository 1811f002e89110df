"""Fine-tuning files of chat messages, one conversation a line; each answer in it is a call.

They hold neither models nor times nor tokens, and a conversation counts as a session.
"""

from __future__ import annotations

from collections.abc import Iterator

from slmlens.logs.decode import digest, encode
from slmlens.logs.formats.declaration import Format, Record

_KEYS = frozenset({"messages", "tools", "functions", "parallel_tool_calls", "metadata", "weight"})


def _recognises(record: Record) -> bool:
    listed = record.get("messages")
    if not isinstance(listed, list) or not record.keys() <= _KEYS:
        return False
    return any(isinstance(one, dict) and one.get("role") == "assistant" for one in listed)


def _turns(record: Record) -> Iterator[Record]:
    """Yield one exchange for each answer: what was said before it, and the answer."""
    listed = record.get("messages")
    said = listed if isinstance(listed, list) else []
    session = digest(encode(said)).hex()
    beside = {key: record[key] for key in ("tools", "functions") if record.get(key)}
    for place, one in enumerate(said):
        if isinstance(one, dict) and one.get("role") == "assistant":
            yield {
                "request": {"messages": said[:place], **beside},
                "response": {"choices": [{"message": one}]},
                "session_id": session,
            }


_NEVER_HELD = "Nothing to set: the file holds no %s."

_SWITCHES = {
    "answers": "End each conversation with the assistant's message.",
    "tokens": _NEVER_HELD % "token counts",
    "model": "Nothing to set: the file names no model. Add `--assume-model NAME`.",
    "price": "Add `--assume-model NAME`.",
    "sessions": _NEVER_HELD % "sessions",
    "users": _NEVER_HELD % "users",
    "traces": _NEVER_HELD % "traces",
    "steps": _NEVER_HELD % "steps",
    "services": _NEVER_HELD % "services",
    "times": _NEVER_HELD % "times",
    "latency": _NEVER_HELD % "latencies",
    "tools": "Write `tools` beside `messages`.",
    "window": _NEVER_HELD % "times",
}

FORMAT = Format(
    name="openai_chat_dataset",
    title="fine-tuning files of chat messages",
    recognises=_recognises,
    prompt_setting="keep all messages of the conversation",
    request_at=("request",),
    response_at=("response",),
    parts=_turns,
    switches=_SWITCHES,
)
