"""Messages and tools as tracers and frameworks write them, brought to the shape of OpenAI's chat messages.

Shapes seen: OpenTelemetry parts, Gemini parts, Vercel AI SDK parts, LangChain messages (plain and as constructors),
pydantic-ai events, Responses items.
"""

from __future__ import annotations

import re

from slmlens.logs.content import text_of
from slmlens.logs.decode import decode_text, encode_sorted
from slmlens.logs.exchange import Body, string

DECODE_DEPTH = 3
"""Levels of JSON inside strings that tracers write."""

_CLASS_ROLES = {
    "human": "user", "humanmessage": "user", "humanmessagechunk": "user", "ai": "assistant", "aimessage": "assistant",
    "aimessagechunk": "assistant", "systemmessage": "system", "toolmessage": "tool", "functionmessage": "tool",
    "chatmessage": "user", "system": "system", "tool": "tool", "function": "tool",
}  # fmt: skip
_EVENT = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message|gen_ai\.choice")
ITEM_TYPES = frozenset({"function_call", "function_call_output", "reasoning", "message", "item_reference"})
"""Types of items of the Responses API that are no messages with a role."""


def decoded(value: object) -> object:
    """Return the value that JSON within strings stands for, up to three levels deep.

    :param value: A logged value.
    """
    for _ in range(DECODE_DEPTH):
        if not isinstance(value, str):
            break
        text = value.strip()
        if text == "null":
            return None
        inner = _quoted(text) if text[:1] == '"' else decode_text(text)
        if isinstance(inner, str) and (inner == text or text[:1] != '"'):
            break
        value = inner
    return value


def chosen(said: Body, finish: object = None) -> Body | None:
    """Return a message as the only choice of an answer; None if it says nothing at all.

    :param said: The message.
    :param finish: Why it ended.
    """
    if not finish and not said.get("content") and not said.get("tool_calls") and not said.get("refusal"):
        return None
    return {"choices": [{"message": said, "finish_reason": finish or said.get("finish_reason")}]}


def is_message(value: object) -> bool:
    """Tell whether an object is a message of any dialect.

    :param value: The object.
    """
    if not isinstance(value, dict):
        return False
    if value.get("lc") or "kwargs" in value:
        return isinstance(value.get("kwargs"), dict) and bool(_class_role(value))
    if string(value.get("role")):
        return bool({"content", "parts", "tool_calls", "function_call", "text"} & value.keys())
    return _class_role(value) is not None and "content" in value


def message(raw: object) -> Body:
    """Return a message of any dialect in OpenAI's shape.

    :param raw: The message as logged.
    """
    if not isinstance(raw, dict):
        return {"role": "user", "content": text_of(raw)}
    if isinstance(raw.get("kwargs"), dict):
        role = _class_role(raw)
        raw = {**raw["kwargs"], **({"role": role} if role else {})}
    name = string(raw.get("event.name")) or ""
    inner = raw.get("message")
    if isinstance(inner, dict) and _EVENT.fullmatch(name):
        return message({"role": "assistant", **inner, "finish_reason": raw.get("finish_reason")})
    role = string(raw.get("role")) or _class_role(raw) or (name.split(".")[1] if _EVENT.fullmatch(name) else "user")
    content = raw.get("parts", raw.get("content", raw.get("text")))
    made: Body = {"role": role, "content": decoded(content) if _is_parts(content) else content}
    for key in ("tool_calls", "function_call", "refusal", "finish_reason"):
        if raw.get(key):
            made[key] = decoded(raw[key])
    extra = raw.get("additional_kwargs")
    if isinstance(extra, dict) and not made.get("tool_calls"):
        made |= {key: extra[key] for key in ("tool_calls", "function_call") if extra.get(key)}
    return with_parts_sorted(made)


def messages(listed: list[object]) -> list[object]:
    """Return messages of any dialect in OpenAI's shape; Responses items stay as they are.

    :param listed: The messages as logged.
    """
    found: list[object] = []
    for one in listed:
        one = decoded(one)  # noqa: PLW2901 - some tracers write each message as a JSON text
        if isinstance(one, dict) and one.get("type") in ITEM_TYPES and "role" not in one:
            found.append(one)
        elif isinstance(one, dict) and {"toolCallId", "toolName"} <= one.keys():
            found.append({"role": "assistant", "tool_calls": [vercel_call(one)]})
        elif isinstance(one, dict):
            made = message(one)
            if found and _answers_by_name(made, found[-1]):
                made["role"] = "tool"  # some tracers write the tool's name for the role
            results = made.pop("results", [])
            found += results if isinstance(results, list) else []
            if made.get("content") or made.get("tool_calls") or made.get("function_call") or not results:
                found.append(made)
        else:
            found.append({"role": "user", "content": text_of(one)})
    return found


def tool_list(value: object) -> list[object]:
    """Return tool declarations of any dialect as a list of objects.

    :param value: A list (of objects or JSON texts), ``{name: declaration}``, or Gemini's function declarations.
    """
    value = decoded(value)
    if isinstance(value, dict):
        if {"function_declarations", "functionDeclarations", "name", "function"} & value.keys():
            value = [value]
        else:
            value = [{"name": key, **object_of(decoded(one))} for key, one in value.items()]
    tools: list[object] = []
    for one in value if isinstance(value, list) else []:
        tool = decoded(one)
        if not isinstance(tool, dict):
            continue
        declared = tool.get("functionDeclarations", tool.get("function_declarations"))
        tools += [d for d in declared if isinstance(d, dict)] if isinstance(declared, list) else [tool]
    return tools


def with_head(body: Body, system: object) -> Body:
    """Return a request body with a system message before its messages.

    :param body: ``{messages, ...}``.
    :param system: The text; anything else than a text changes nothing.
    """
    listed = body.get("messages")
    if isinstance(system, str) and system and isinstance(listed, list):
        body["messages"] = [{"role": "system", "content": system}, *listed]
    return body


def _quoted(text: str) -> object:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def object_of(value: object) -> Body:
    """Return an object, or an empty one if the value is none.

    :param value: The value.
    """
    return value if isinstance(value, dict) else {}


def _class_role(raw: Body) -> str | None:
    """Return the role that a LangChain message's class or type names."""
    listed = raw.get("id")
    name = listed[-1] if isinstance(listed, list) and listed else raw.get("type")
    if name == "constructor":
        return None
    return _CLASS_ROLES.get(name.lower()) if isinstance(name, str) else None


def _is_parts(content: object) -> bool:
    return isinstance(content, str) and content.lstrip().startswith(('[{"type"', '[{"text"', '[{"content"'))


def vercel_call(one: object) -> Body:
    """Return a tool call of the Vercel AI SDK in OpenAI's shape.

    :param one: ``{toolName, input | args}``, or its JSON text.
    """
    call = object_of(decoded(one))
    name = call.get("toolName") or call.get("name")
    return {"function": {"name": name, "arguments": call.get("input", call.get("args", call.get("arguments")))}}


def with_parts_sorted(made: Body) -> Body:
    """Move tool calls and tool results out of the parts of a message; results become messages of their own.

    :param made: A message whose content may be a list of parts.
    :returns: The message; tool messages stand under ``results``.
    """
    content = made.get("content")
    if not isinstance(content, list):
        return made
    kept: list[object] = []
    calls: list[object] = []
    results: list[object] = []
    for part in content:
        call, result = _called(part), _returned(part)
        if call is not None:
            calls.append(call)
        elif result is not None:
            results.append({"role": "tool", "content": result})
        elif not _is_thought(part):
            kept.append(part)
    if len(kept) == len(content):
        return made
    known = made.get("tool_calls")
    merged = [*(known if isinstance(known, list) else []), *calls]
    return {**made, "content": kept or None, **({"tool_calls": merged} if merged else {}), "results": results}


def _answers_by_name(made: Body, before: object) -> bool:
    called = before.get("tool_calls") if isinstance(before, dict) else None
    listed = called if isinstance(called, list) else []
    names = [object_of(object_of(one).get("function")).get("name") for one in listed]
    return made.get("role") in names


def _is_thought(part: object) -> bool:
    """Tell reasoning, which is not kept, whatever the framework calls it."""
    if not isinstance(part, dict):
        return False
    return part.get("thought") is True or "reasoning" in str(part.get("type")).lower()


def _called(part: object) -> Body | None:
    if not isinstance(part, dict):
        return None
    if part.get("type") in ("tool_call", "tool-call", "tool_use"):
        arguments = part.get("arguments", part.get("args", part.get("input")))
        return {"function": {"name": part.get("name") or part.get("toolName"), "arguments": arguments}}
    called = part.get("functionCall", part.get("function_call"))
    if isinstance(called, dict):
        return {"function": {"name": called.get("name"), "arguments": called.get("args")}}
    return None


def _returned(part: object) -> str | None:
    if not isinstance(part, dict):
        return None
    if part.get("type") in ("tool_call_response", "tool-result"):
        outcome = next((part[key] for key in ("response", "result", "output") if part.get(key) is not None), "")
        if isinstance(outcome, dict) and set(outcome) == {"type", "value"}:  # Vercel AI SDK 5
            outcome = outcome["value"]
        return _text_or_json(outcome)
    returned = part.get("functionResponse", part.get("function_response"))
    return _text_or_json(returned.get("response")) if isinstance(returned, dict) else None


def _text_or_json(value: object) -> str:
    if isinstance(value, str):
        return value
    return encode_sorted(value) if isinstance(value, (dict, list)) else text_of(value)
