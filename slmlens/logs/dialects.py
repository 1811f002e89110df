"""Inputs and outputs of spans, in whatever shape the tracer keeps them, as request and answer bodies.

Shapes seen: messages of any framework, transcripts in one string, arguments of a decorated function, LangChain's
generations, Gemini's contents, and the bodies of the providers themselves.
"""

from __future__ import annotations

import re

from slmlens.logs.answer_bodies import is_answer_body
from slmlens.logs.content import text_of
from slmlens.logs.decode import encode_sorted
from slmlens.logs.exchange import Body
from slmlens.logs.framework_messages import (
    chosen,
    decoded,
    is_message,
    message,
    messages,
    object_of,
    tool_list,
    vercel_call,
    with_head,
    with_parts_sorted,
)
from slmlens.logs.gemini import gemini_answer, gemini_request
from slmlens.logs.spans import first

_OWN_IDS = ("chatcmpl-", "cmpl-", "resp_", "msg_", "gen-")
"""How ids begin that a provider gave to an answer; frameworks give ids of their own."""
_TURN = re.compile(r"^(system|developer|user|assistant|tool|human|ai): ?", re.MULTILINE | re.IGNORECASE)
_ASKED = ("query", "question", "user_input", "user_message", "text", "inputs")


def request_body(value: object) -> Body | None:
    """Return the request that a traced input stands for, as ``{messages, tools, ...}``; None if it tells no prompt.

    :param value: The input as logged, JSON within strings included.
    """
    value = decoded(value)
    if isinstance(value, str):
        return {"messages": _transcript(value)} if value.strip() else None
    if isinstance(value, list):
        return _listed_request(value)
    return _request_object(value) if isinstance(value, dict) and value else None


def with_echoed(request: Body | None, response: object) -> Body | None:
    """Return a request completed by what an answer of the Responses API repeats of it: instructions, tools, format.

    :param request: The request, or None.
    :param response: The answer's body.
    """
    if request is None or not isinstance(response, dict) or response.get("object") != "response":
        return request
    echoed = {key: response[key] for key in ("instructions", "text", "tools") if response.get(key)}
    return {**echoed, **{key: one for key, one in request.items() if one}}


def _request_object(value: Body) -> Body | None:
    if "contents" in value or "systemInstruction" in value:
        return gemini_request(value)
    if isinstance(value.get("messages"), (list, str)):
        listed = decoded(value["messages"])
        body = _listed_request(listed) if isinstance(listed, list) else request_body(listed)
        beside = {key: decoded(one) for key, one in value.items() if key not in ("messages", "tools")}
        return {**beside, **(body or {}), **_tools_of(value.get("tools"), body)}
    for key in ("prompt", "prompts", "input", "args", "kwargs", "arguments"):
        inner = decoded(value.get(key))
        if inner and (len(value) == 1 or key in ("prompt", "input") or not value.get("kwargs")):
            beside = {name: one for name, one in value.items() if name in ("model", "tools", "instructions", "text")}
            return with_head({**beside, **(request_body(inner) or {})}, value.get("system"))
    return _single_request(value)


def answer_body(value: object) -> object:
    """Return the answer that a traced output stands for: a provider's own body, or ``{choices: [{message}]}``.

    An object of no known shape is an answer in JSON, and its text is that JSON.

    :param value: The output as logged, JSON within strings included.
    :returns: What ``read_answer`` takes; None if there is no answer.
    """
    if isinstance(value, str) and value.strip()[:1] not in ("{", "[", '"'):
        return chosen({"role": "assistant", "content": value}) if value.strip() not in ("", "null") else None
    whole = decoded(value)
    if isinstance(whole, list):
        return _listed_answer(whole, value)
    if isinstance(whole, dict):
        return _provider_answer(whole) or _answer_object(whole)
    return None if whole in (None, "") else chosen({"role": "assistant", "content": _as_text(value)})


def _provider_answer(whole: Body) -> object:
    """Return the answer if the object is a provider's or a framework's body, else None."""
    if is_answer_body(whole):
        return whole
    if isinstance(whole.get("candidates"), list) or isinstance(whole.get("content"), dict):
        return gemini_answer(whole)
    if isinstance(whole.get("generations"), list):
        return _generation(whole["generations"])
    return None


def _answer_object(whole: Body) -> object:
    listed = whole.get("messages")
    if isinstance(listed, list) and listed and whole.keys() <= {"messages", "role"}:
        return answer_body(listed[-1:])
    said = whole.get("message")
    if isinstance(said, dict):
        return chosen(message(said), whole.get("finish_reason"))
    if is_message(whole):
        return _said(whole)
    calls = whole.get("toolCalls", whole.get("tool_calls"))
    if isinstance(calls, list) and whole.keys() <= {"text", "toolCalls", "tool_calls", "role"}:
        made = [vercel_call(one) for one in calls]
        return chosen({"role": "assistant", "content": whole.get("text"), "tool_calls": made})
    return chosen({"role": "assistant", "content": encode_sorted(whole) if whole else None})


def _said(raw: Body) -> Body | None:
    """Return the answer that is one message; LangChain keeps the provider's id and reason with it."""
    inner = raw.get("kwargs")
    held = inner if isinstance(inner, dict) else raw
    told = object_of(held.get("response_metadata"))
    finish = first(held, ("finish_reason", "stop_reason")) or first(told, ("finish_reason", "stop_reason"))
    own = first(told, ("id",)) or held.get("id")
    made = chosen(message(raw), finish)
    return {"id": own, **made} if made is not None and isinstance(own, str) and own.startswith(_OWN_IDS) else made


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else text_of(value)


def _transcript(text: str) -> list[object]:
    """Return the messages of a text such as ``system: ...`` and ``user: ...`` on lines of their own."""
    turns = list(_TURN.finditer(text))
    if not turns or turns[0].start() > 0:
        return [{"role": "user", "content": text}]
    ends = [*(turn.start() for turn in turns[1:]), len(text)]
    return [
        {"role": turn.group(1).lower(), "content": text[turn.end() : end].strip()}
        for turn, end in zip(turns, ends, strict=True)
    ]


def _listed_request(listed: list[object]) -> Body | None:
    listed = _unnested(listed)
    tools = [object_of(one).get("content") for one in listed if _declares_tool(one)]
    spoken = [one for one in listed if not _declares_tool(one)]
    asked = [one for one in spoken if not (isinstance(one, dict) and one.get("event.name") == "gen_ai.choice")]
    if not asked:
        return None
    return {"messages": messages(asked), **({"tools": tools} if tools else {})}


def _unnested(listed: list[object]) -> list[object]:
    """Return the messages of a batch of one, as LangChain logs them."""
    while len(listed) == 1 and isinstance(listed[0], list):
        listed = listed[0]
    return listed


def _declares_tool(one: object) -> bool:
    """Tell a tool's declaration that LangChain's tracer lists among the messages."""
    content = one.get("content") if isinstance(one, dict) and one.get("role") == "tool" else None
    return isinstance(content, dict) and content.get("type") == "function" and "function" in content


def _tools_of(value: object, body: Body | None) -> Body:
    tools = tool_list(value)
    return {"tools": tools} if tools and not (body or {}).get("tools") else {}


def _single_request(value: Body) -> Body | None:
    if is_message(value):
        return {"messages": [message(value)]}
    if set(value) == {"content"} and value["content"] in ("role", "content", "parts"):
        return None  # a tracer that logged the name of a field for its value
    asked = next((value[key] for key in _ASKED if isinstance(value.get(key), str)), None)
    text = asked if asked is not None and len(value) == 1 else encode_sorted(value)
    return {"messages": [{"role": "user", "content": text}]}


def _listed_answer(listed: list[object], raw: object) -> object:
    listed = _unnested(listed)
    opening = object_of(listed[0]) if listed else {}
    if "toolCallId" in opening or "toolName" in opening:
        return chosen({"role": "assistant", "content": None, "tool_calls": [vercel_call(one) for one in listed]})
    if any(object_of(one).get("type") in ("message", "function_call") for one in listed):
        return {"object": "response", "status": "completed", "output": listed}
    if "event.name" in opening or "message" in opening or is_message(opening):
        return answer_body(listed[-1])
    if "type" in opening and {"text", "content"} & opening.keys():
        return chosen(with_parts_sorted({"role": "assistant", "content": listed}))
    if "generation_info" in opening or "text" in opening:
        return _generation(listed)
    return chosen({"role": "assistant", "content": _as_text(raw) if listed else None})


def _generation(listed: object) -> object:
    """Return the answer of LangChain's ``generations: [[{text, message}]]``."""
    while isinstance(listed, list) and listed:
        listed = listed[0]
    if not isinstance(listed, dict):
        return None
    info = object_of(listed.get("generation_info"))
    said = message(listed["message"]) if isinstance(listed.get("message"), dict) else {"content": listed.get("text")}
    return chosen({"role": "assistant", **said}, info.get("finish_reason"))
