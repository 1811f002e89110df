"""Cohere's request and answer bodies, of both versions of its chat, in the shape of OpenAI's."""

from __future__ import annotations

from slmlens.logs.decode import encode_sorted
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import object_of
from slmlens.logs.trajectories import listed

_ROLES = {"chatbot": "assistant"}


def is_cohere_request(body: Body) -> bool:
    """Tell whether a request is one of Cohere's first chat: the last message stands apart from those before it.

    :param body: The request's body.
    """
    return string(body.get("message")) is not None and not {"messages", "prompt", "input"} & body.keys()


def cohere_request(body: Body) -> Body:
    """Return what a request of the first chat asks; documents to answer from count as a tool's result.

    :param body: ``{message, chat_history, preamble, documents, tools, tool_results, model}``.
    """
    head = string(body.get("preamble"))
    messages: list[Body] = [{"role": "system", "content": head}] if head else []
    for one in listed(body.get("chat_history")):
        role = str(one.get("role", "user")).lower()
        messages.append({"role": _ROLES.get(role, role), "content": one.get("message")})
    messages += [{"role": "tool", "content": encode_sorted(one)} for one in listed(body.get("documents"))]
    messages.append({"role": "user", "content": body["message"]})
    messages += [{"role": "tool", "content": encode_sorted(one)} for one in listed(body.get("tool_results"))]
    kept: Body = {key: body[key] for key in ("model", "tools", "response_format") if key in body}
    return {**kept, "messages": messages}


def cohere_answer(body: Body) -> Body | None:
    """Return what an answer says, or None if it is none of Cohere's.

    :param body: ``{text, generation_id, meta}`` (v1), ``{message, finish_reason, usage}`` (v2), or
        ``{generations}`` (its completions, also on Bedrock).
    """
    if "generation_id" in body and isinstance(body.get("text"), str):
        calls = [
            {"function": {"name": one.get("name"), "arguments": one.get("parameters")}}
            for one in listed(body.get("tool_calls"))
        ]
        said: Body = {"content": body["text"], **({"tool_calls": calls} if calls else {})}
        usage = object_of(body.get("meta"))
        return _answered(body.get("response_id"), said, body.get("finish_reason"), usage)
    if isinstance(body.get("message"), dict) and "finish_reason" in body:
        return _answered(
            body.get("id"), object_of(body["message"]), body["finish_reason"], object_of(body.get("usage"))
        )
    first = next(iter(listed(body.get("generations"))), {})
    if isinstance(first.get("text"), str):
        return _answered(body.get("id"), {"content": first["text"]}, first.get("finish_reason"), {})
    return None


def cohere_stream(parts: list[Body]) -> Body | None:
    """Return the answer that the events of a stream add up to, or None if they are none of Cohere's.

    :param parts: The events of either version.
    """
    if any("event_type" in part for part in parts):
        return _first_chats_stream(parts)
    if any(part.get("type") in ("message-start", "content-delta", "message-end") for part in parts):
        return _second_chats_stream(parts)
    return None


def _first_chats_stream(parts: list[Body]) -> Body:
    whole = next((object_of(one["response"]) for one in parts if isinstance(one.get("response"), dict)), {})
    text = "".join(str(one["text"]) for one in parts if one.get("event_type") == "text-generation" and "text" in one)
    answer = cohere_answer({"generation_id": None, "text": text, **whole}) or {}
    return answer if whole else {**answer, "cut": True}


def _second_chats_stream(parts: list[Body]) -> Body:
    own = next((one["id"] for one in parts if one.get("id")), None)
    texts: list[str] = []
    calls: dict[object, dict[str, str]] = {}
    end: Body = {}
    for part in parts:
        delta = object_of(part.get("delta"))
        said = object_of(delta.get("message"))
        piece = object_of(said.get("content")).get("text")
        if isinstance(piece, str):
            texts.append(piece)
        called = object_of(object_of(said.get("tool_calls")).get("function"))
        if called:
            slot = calls.setdefault(part.get("index"), {"name": "", "arguments": ""})
            slot["name"] = slot["name"] or str(called.get("name") or "")
            slot["arguments"] += str(called.get("arguments") or "")
        end = delta if part.get("type") == "message-end" else end
    made = [{"function": dict(one)} for one in calls.values()]
    message: Body = {"content": "".join(texts) or None, **({"tool_calls": made} if made else {})}
    answer = _answered(own, message, end.get("finish_reason"), object_of(end.get("usage")))
    return answer if end else {**answer, "cut": True}


def _answered(own: object, said: Body, finish: object, told: Body) -> Body:
    choice = {"message": {"role": "assistant", **said}, "finish_reason": finish}
    usage = {key: told[key] for key in ("billed_units", "tokens", "cached_tokens") if key in told}
    return {"id": own, "choices": [choice], **({"usage": usage} if usage else {})}
