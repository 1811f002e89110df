"""Gemini's request and answer bodies in the shape of OpenAI's."""

from __future__ import annotations

from slmlens.logs.content import text_of
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import chosen, decoded, message, messages, object_of, tool_list, with_head


def gemini_request(value: Body) -> Body:
    """Return what a request asks.

    :param value: ``{contents, config | generationConfig, tools, model}``.
    """
    config = object_of(value.get("config", value.get("generationConfig")))
    contents = decoded(value.get("contents"))
    listed = contents if isinstance(contents, list) else [contents]
    head = decoded(
        value.get("systemInstruction")
        or value.get("system_instruction")
        or config.get("system_instruction")
        or config.get("systemInstruction")
    )
    body: Body = {
        "messages": messages([one for one in listed if one]),
        "tools": tool_list(value.get("tools", config.get("tools"))),
    }
    if string(value.get("model")):
        body["model"] = value["model"]
    if config.get("response_mime_type", config.get("responseMimeType")) == "application/json":
        body["response_format"] = {"type": "json_object"}
    text = text_of(head.get("parts", head.get("content"))) if isinstance(head, dict) else text_of(head)
    return with_head(body, text)


def gemini_answer(value: Body) -> object:
    """Return what an answer says; None if it says nothing.

    :param value: ``{candidates: [{content, finishReason}]}``, or one candidate.
    """
    candidates = value.get("candidates")
    first = object_of(candidates[0]) if isinstance(candidates, list) and candidates else value
    content = object_of(first.get("content"))
    finish = first.get("finishReason", first.get("finish_reason"))
    said = message({"role": "assistant", "parts": content.get("parts") or []})
    said.pop("results", None)
    made = chosen(said, finish)
    model = value.get("modelVersion", value.get("model_version"))
    identity = {"id": value.get("responseId", value.get("response_id")), "model": model}
    return None if made is None else {**{key: one for key, one in identity.items() if one}, **made}
