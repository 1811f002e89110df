"""Fine-tuning files of chat messages, one conversation a line; each answer in it is a call.

They hold neither models nor times nor tokens, and a conversation counts as a session.
"""

from __future__ import annotations

from collections.abc import Iterator

from slmlens.logs.decode import digest, encode
from slmlens.logs.formats.declaration import Format, Record, not_held

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


_SWITCHES = {
    "answers": "End each conversation with the assistant's message.",
    "model": "Nothing to set: the file names no model. Add `--assume-model NAME`.",
    "price": "Add `--assume-model NAME`.",
    "tools": "Write `tools` beside `messages`.",
    **not_held("tokens", "sessions", "users", "traces", "steps", "services", "times", "latency", "window"),
}

FORMAT = Format(
    name="openai_chat_dataset",
    title="fine-tuning files of chat messages",
    recognises=_recognises,
    prompt_setting="keep all messages of the conversation",
    parts=_turns,
    switches=_SWITCHES,
)
