"""What AutoGen logs of its calls: events of version 0.4 and later, and the runtime log of version 0.2 and of AG2."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import decoded

Record = Mapping[str, object]

_EVENTS = frozenset({
    "LLMCall", "LLMStreamStart", "LLMStreamEnd", "ToolCall", "Message", "MessageDropped", "MessageHandlerException",
    "AgentConstructionException",
})  # fmt: skip
_OWN_NAME = re.compile(r"(.+)_[0-9a-f]{8}-[0-9a-f-]{27}")  # AgentChat adds the id of the team to an agent's name
_LONGEST_REPR = 1 << 20


def is_autogen(record: Record) -> bool:
    """Tell whether a record is one of AutoGen's.

    :param record: An event, or a row of the runtime log.
    """
    if str(record.get("type")) in _EVENTS:
        return bool({"agent_id", "sender", "prompt_tokens"} & record.keys())
    if {"source_id", "source_name"} <= record.keys():
        return "event_name" in record or "agent_class" in record
    return "wrapper_id" in record and bool({"invocation_id", "json_state", "agent_type"} & record.keys())


def calls_of(records: list[Record]) -> Iterator[tuple[int, Record]]:
    """Yield the calls of a file: calls, ends of streams with what their start asked, rows of completions.

    An answer that AutoGen took from its cache (``is_cached``) is no call of a model.

    :param records: The events or rows of a file, in their order.
    """
    begun: dict[str | None, Record] = {}
    sessions = {str(record["wrapper_id"]): record["session_id"] for record in records if _names_session(record)}
    for position, record in enumerate(records):
        kind, agent = record.get("type"), string(record.get("agent_id"))
        if kind == "LLMStreamStart":
            begun[agent] = record
        elif kind == "LLMStreamEnd":
            yield position, _of_event({**begun.pop(agent, {}), **record}, agent)
        elif kind == "LLMCall":
            yield position, _of_event(record, agent)
        elif "invocation_id" in record and record.get("is_cached") in (0, False, None, "0"):
            yield position, _of_row(record, sessions.get(str(record.get("wrapper_id"))))


def _names_session(record: Record) -> bool:
    return isinstance(record.get("wrapper_id"), (int, str)) and isinstance(record.get("session_id"), str)


def _of_event(event: Record, agent: str | None) -> Record:
    name, _, key = (agent or "").partition("/")
    known = _OWN_NAME.fullmatch(name)
    request = {key: event[key] for key in ("messages", "tools") if event.get(key)}
    return {
        **({"request": request} if request else {}),
        "response": event.get("response"),
        "usage": {key: event.get(key) for key in ("prompt_tokens", "completion_tokens")},
        "step": known[1] if known else name,
        "session_id": key if known else None,
        "timestamp": event.get("timestamp"),
    }


def _of_row(row: Record, session: object) -> Record:
    said = row.get("response")
    told = _of_repr(said) if isinstance(said, str) and said.startswith("ChatCompletion(") else decoded(said)
    return {
        "request": decoded(row.get("request")),
        "response": told,
        **{key: row.get(key) for key in ("start_time", "end_time", "cost")},
        "step": row.get("source_name"),
        "session_id": row.get("session_id", session),
    }


def _of_repr(text: str) -> Body | None:
    """Return the completion that a text such as ``ChatCompletion(id='...')`` writes out; it is parsed, never run."""
    if len(text) > _LONGEST_REPR:
        return None
    try:
        found = _value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) and "choices" in found else None


def _value(node: ast.expr) -> object:
    if isinstance(node, ast.Call):
        return {word.arg: _value(word.value) for word in node.keywords if word.arg}
    if isinstance(node, ast.List):
        return [_value(one) for one in node.elts]
    if isinstance(node, ast.Dict):
        return {str(_value(key)): _value(one) for key, one in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float, bool)):
        return node.value
    return None
