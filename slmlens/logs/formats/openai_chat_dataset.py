"""Training sets of conversations, one a line or row; each answer in one is a call.

OpenAI's fine-tuning files and Hugging Face's ``messages`` (huggingface.co/docs/trl/dataset_formats), ShareGPT's
``conversations`` of ``{from, value}``, and sets of preferences, whose preferred answer is read (the other is what a
model should not say). They hold what a model was taught, without times or tokens; a conversation counts as a session.
"""

from __future__ import annotations

from collections.abc import Iterator

from slmlens.logs.decode import decode_text, digest, encode
from slmlens.logs.exchange import Body, string
from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.framework_messages import object_of
from slmlens.logs.trajectories import listed

_KEYS = frozenset({"messages", "tools", "functions", "parallel_tool_calls", "metadata", "weight"})
_TURNS_AT = ("messages", "conversations", "conversation")
_ANSWERED = frozenset({
    "request", "response", "response_body", "choices", "usage", "output", "completion", "answer", "status", "error",
})  # fmt: skip
"""Keys of a log of calls, which a training set has none of."""

_ROLES = {
    "human": "user", "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
    "function_call": "assistant", "observation": "tool", "function_response": "tool",
}  # fmt: skip


def _recognises(record: Record) -> bool:
    if _preference(record) is not None:
        return True
    said = _said(record)
    answers = [one.get("role") == "assistant" for one in said]
    if record.keys() <= _KEYS:
        return any(answers)
    return bool(answers) and answers[-1] and not _ANSWERED & record.keys()


def _turns(record: Record) -> Iterator[Record]:
    """Yield one exchange for each answer: what was said before it, and the answer; of a preference only its last."""
    preferred = _preference(record)
    said = _said(record) if preferred is None else preferred
    named = string(record.get("conversation_id"))
    session = named or digest(encode(said)).hex()
    asked = object_of(record.get("input"))
    beside = {key: record.get(key) or asked.get(key) for key in ("tools", "functions")}
    places = [place for place, one in enumerate(said) if one.get("role") == "assistant"]
    for place in places if preferred is None else places[-1:]:
        yield {
            "request": {"messages": said[:place], **{key: one for key, one in beside.items() if one}},
            "response": {"choices": [{"message": said[place]}]},
            "session_id": session,
            "model": string(record.get("model")),
        }


def _said(record: Record) -> list[Body]:
    """Return the messages of a conversation, in OpenAI's shape."""
    found = next((record[key] for key in _TURNS_AT if isinstance(record.get(key), list)), None)
    return [_message(one) for one in listed(found)]


def _message(one: Body) -> Body:
    if "from" not in one or "role" in one:
        return one
    role, value = str(one["from"]), one.get("value")
    made: Body = {"role": _ROLES.get(role, role), "content": value}
    called = decode_text(value.strip()) if role == "function_call" and isinstance(value, str) else None
    return {**made, "content": None, "tool_calls": [{"function": called}]} if isinstance(called, dict) else made


def _preference(record: Record) -> list[Body] | None:
    """Return the conversation that ends in the preferred answer, or None of a record that holds no preference."""
    if "preferred_output" in record:
        return [*listed(object_of(record.get("input")).get("messages")), *listed(record["preferred_output"])]
    if not {"chosen", "rejected"} <= record.keys():
        return None
    prompt, chosen = record.get("prompt"), record["chosen"]
    before = listed(prompt) if not isinstance(prompt, str) else [{"role": "user", "content": prompt}]
    if isinstance(chosen, str):
        return [*before, {"role": "assistant", "content": chosen}]
    told = [_message(one) for one in listed(chosen)]
    return told if len(told) > 1 else [*before, *told]  # most sets repeat the prompt


_SWITCHES = {
    "answers": "End each conversation with the assistant's message.",
    "model": "Write `model` beside `messages`, or add `--assume-model NAME`.",
    "price": "Add `--assume-model NAME`.",
    "sessions": "Nothing to set: a conversation is a session.",
    "tools": "Write `tools` beside `messages`.",
    **not_held("tokens", "users", "traces", "steps", "services", "times", "latency", "window"),
}

FORMAT = Format(
    name="openai_chat_dataset",
    title="training sets of conversations",
    recognises=_recognises,
    prompt_setting="keep all messages of the conversation",
    parts=_turns,
    switches=_SWITCHES,
)
