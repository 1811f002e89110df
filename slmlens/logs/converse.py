"""Bodies of Bedrock's Converse (which Nova's InvokeModel shares) in the shape of OpenAI's."""

from __future__ import annotations

from slmlens.logs.decode import encode_sorted
from slmlens.logs.exchange import Body
from slmlens.logs.framework_messages import object_of, tool_list
from slmlens.logs.trajectories import listed
from slmlens.logs.units import count
from slmlens.logs.usage import usage_body, with_cached_inside

_BLOCKS = frozenset(
    {"text", "toolUse", "toolResult", "image", "document", "video", "cachePoint", "guardContent", "reasoningContent"}
)
_UNSAID = frozenset({"cachePoint", "reasoningContent"})
_PLACEHOLDERS = {"image": "[image]", "video": "[video]"}


def is_converse_request(body: Body) -> bool:
    """Tell whether a request is Converse's: its settings have names of their own, its blocks no ``type``.

    :param body: The request's body.
    """
    if {"inferenceConfig", "toolConfig", "additionalModelRequestFields"} & body.keys():
        return True
    messages = body.get("messages")
    for one in messages if isinstance(messages, list) else []:
        content = one.get("content") if isinstance(one, dict) else None
        if isinstance(content, list) and content:
            first = content[0]
            alike = isinstance(first, dict) and "type" not in first and bool(_BLOCKS & first.keys())
            return alike and not any("tool_calls" in other for other in listed(messages))
    return False


def is_converse_answer(body: Body) -> bool:
    """Tell whether an answer is Converse's.

    :param body: The answer's body.
    """
    return isinstance(object_of(body.get("output")).get("message"), dict)


def converse_request(body: Body) -> Body:
    """Return what a request asks.

    :param body: ``{messages, system, toolConfig, inferenceConfig}``.
    """
    head = "\n".join(text for text in map(_text, listed(body.get("system"))) if text)
    messages: list[Body] = [{"role": "system", "content": head}] if head else []
    for one in listed(body.get("messages")):
        made = _message(one)
        messages += listed(made.pop("results", []))
        if made.get("content") or made.get("tool_calls"):
            messages.append(made)
    specs = [object_of(one.get("toolSpec")) for one in listed(object_of(body.get("toolConfig")).get("tools"))]
    tools = [
        {"name": one.get("name"), "parameters": object_of(one.get("inputSchema")).get("json")} for one in specs if one
    ]
    return {"messages": messages, "tools": tool_list(tools), **{key: body[key] for key in ("model",) if key in body}}


def converse_answer(body: Body) -> Body:
    """Return what an answer says.

    :param body: ``{output: {message}, stopReason, usage, metrics}``.
    """
    said = _message(object_of(object_of(body["output"])["message"]))
    said.pop("results", None)
    usage = _usage(object_of(body.get("usage")))
    return {
        **_chosen(said, body.get("stopReason"), usage),
        "latency_ms": object_of(body.get("metrics")).get("latencyMs"),
    }


def converse_stream(parts: list[Body]) -> Body:
    """Return the answer that the events of a stream add up to.

    :param parts: ``contentBlockStart``, ``contentBlockDelta``, ``messageStop`` and ``metadata`` events.
    """
    texts: list[str] = []
    calls: dict[object, dict[str, str]] = {}
    finish: object = None
    usage: Body = {}
    for part in parts:
        start, delta = object_of(part.get("contentBlockStart")), object_of(part.get("contentBlockDelta"))
        used = object_of(object_of(start.get("start")).get("toolUse"))
        if used:
            calls[start.get("contentBlockIndex")] = {"name": str(used.get("name")), "arguments": ""}
        grown = object_of(delta.get("delta"))
        if isinstance(grown.get("text"), str):
            texts.append(str(grown["text"]))
        piece = object_of(grown.get("toolUse")).get("input")
        if isinstance(piece, str) and delta.get("contentBlockIndex") in calls:
            calls[delta.get("contentBlockIndex")]["arguments"] += piece
        finish = object_of(part.get("messageStop")).get("stopReason") or finish
        usage = object_of(object_of(part.get("metadata")).get("usage")) or usage
    made = [{"function": dict(one)} for one in calls.values()]
    said: Body = {"content": "".join(texts) or None, **({"tool_calls": made} if made else {})}
    return _chosen(said, finish, _usage(usage))


def _message(one: Body) -> Body:
    texts: list[str] = []
    calls: list[Body] = []
    results: list[Body] = []
    for block in listed(one.get("content")):
        used, returned = object_of(block.get("toolUse")), object_of(block.get("toolResult"))
        if used:
            calls.append(
                {"id": used.get("toolUseId"), "function": {"name": used.get("name"), "arguments": used.get("input")}}
            )
        elif returned:
            parts = [_told(part) for part in listed(returned.get("content"))]
            results.append({"role": "tool", "content": "\n".join(parts)})
        elif not _UNSAID & block.keys():
            texts.append(_text(block) or _PLACEHOLDERS.get(next(iter(block), ""), "[file]"))
    plain = one.get("content")
    said = plain if isinstance(plain, str) else "\n".join(texts)
    made: Body = {"role": one.get("role"), "content": said or None}
    return {**made, **({"tool_calls": calls} if calls else {}), **({"results": results} if results else {})}


def _text(block: Body) -> str | None:
    """Return the text of a block, also of one that a guardrail is to look at."""
    guarded = object_of(object_of(block.get("guardContent")).get("text"))
    text = block.get("text", guarded.get("text"))
    return text if isinstance(text, str) else None


def _told(part: Body) -> str:
    if "json" in part:
        return encode_sorted(part["json"])
    return _text(part) or _PLACEHOLDERS.get(next(iter(part), ""), "[file]")


def _chosen(said: Body, finish: object, usage: Body | None) -> Body:
    choice = {"message": {"role": "assistant", **said}, "finish_reason": finish}
    return {"choices": [choice], **({"usage": usage} if usage else {})}


def _usage(told: Body) -> Body | None:
    """Return usage in OpenAI's terms: Converse counts cached tokens beside the input."""
    if not told:
        return None
    read, written = (
        count(told.get(f"cache{end}InputTokens", told.get(f"cache{end}InputTokenCount"))) for end in ("Read", "Write")
    )
    whole = with_cached_inside(count(told.get("inputTokens")) or 0, read, written)
    return usage_body(inputs=whole, outputs=told.get("outputTokens"), cached=read, written=written)
