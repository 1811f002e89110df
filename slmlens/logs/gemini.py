"""Gemini's request and answer bodies in the shape of OpenAI's."""

from __future__ import annotations

from slmlens.logs.content import text_of
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import chosen, decoded, message, messages, object_of, tool_list, with_head
from slmlens.logs.trajectories import listed
from slmlens.logs.units import count
from slmlens.logs.usage import usage_body

_FILES = ("inlineData", "inline_data", "fileData", "file_data")
_MEDIA = ("image", "audio", "video")
_SERVER_TOOLS = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")


def gemini_request(value: Body) -> Body:
    """Return what a request asks.

    :param value: ``{contents, config | generationConfig, tools, model}``.
    """
    config = object_of(value.get("config", value.get("generationConfig")))
    contents = decoded(value.get("contents"))
    turns = contents if isinstance(contents, list) else [contents]
    head = decoded(
        value.get("systemInstruction")
        or value.get("system_instruction")
        or config.get("system_instruction")
        or config.get("systemInstruction")
    )
    body: Body = {
        "messages": messages([_with_placeholders(one) for one in turns if one]),
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
    content = object_of(_with_placeholders(object_of(first.get("content"))))
    finish = first.get("finishReason", first.get("finish_reason"))
    said = message({"role": "assistant", "parts": content.get("parts") or []})
    said.pop("results", None)
    made = chosen(said, finish)
    model = value.get("modelVersion", value.get("model_version"))
    identity = {"id": value.get("responseId", value.get("response_id")), "model": model}
    return None if made is None else {**{key: one for key, one in identity.items() if one}, **made}


def gemini_body(value: Body) -> Body:
    """Return an answer with its usage; one that was blocked before it began is a refusal, one without words says none.

    :param value: ``{candidates | promptFeedback, usageMetadata, modelVersion, responseId}``.
    """
    if not value.get("candidates") and object_of(value.get("promptFeedback")).get("blockReason"):
        value = {**value, "candidates": [{"finishReason": "content_filter"}]}
    made = gemini_answer(value)
    nothing = {"choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": None}]}
    usage = gemini_usage(object_of(value.get("usageMetadata")))
    return {**(made if isinstance(made, dict) else nothing), **({"usage": usage} if usage else {})}


def gemini_usage(told: Body) -> Body | None:
    """Return usage in OpenAI's terms: thinking and what tools of the server fed in stand beside the other counts.

    :param told: ``usageMetadata``; its ``totalTokenCount`` is the sum of all four.
    """
    if not told:
        return None
    thought, fed = count(told.get("thoughtsTokenCount")) or 0, count(told.get("toolUsePromptTokenCount")) or 0
    asked, said = count(told.get("promptTokenCount")), count(told.get("candidatesTokenCount"))
    if asked is None and said is None:
        return None
    return usage_body(
        inputs=None if asked is None else asked + fed,
        outputs=(said or 0) + thought,
        cached=told.get("cachedContentTokenCount"),
        reasoning=thought or None,
    )


def gemini_stream(parts: list[Body]) -> Body:
    """Return the answer that the parts of a stream add up to.

    :param parts: Answers that each hold a piece.
    """
    said: list[object] = []
    whole: Body = {}
    finish: object = None
    for part in parts:
        candidate = next(iter(listed(part.get("candidates"))), {})
        said += listed(object_of(candidate.get("content")).get("parts"))
        whole |= {key: part[key] for key in ("usageMetadata", "modelVersion", "responseId") if part.get(key)}
        finish = candidate.get("finishReason") or finish
    return gemini_body({**whole, "candidates": [{"content": {"parts": _texts_joined(said)}, "finishReason": finish}]})


def _texts_joined(said: list[object]) -> list[object]:
    """Join the texts that follow one another: a stream cuts a text anywhere."""
    joined: list[object] = []
    for one in said:
        before = joined[-1] if joined else None
        if isinstance(one, dict) and isinstance(before, dict) and _is_said(one) and _is_said(before):
            joined[-1] = {"text": f"{before['text']}{one['text']}"}
        else:
            joined.append(one)
    return joined


def _is_said(part: Body) -> bool:
    return isinstance(part.get("text"), str) and not part.get("thought")


def _with_placeholders(content: object) -> object:
    """Name files and what tools of the server did, which have no text, by a type that becomes a placeholder."""
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(parts, list):
        return content
    return {**content, "parts": [_placeholder(part) or part for part in parts]}


def _placeholder(part: object) -> Body | None:
    if not isinstance(part, dict) or part.get("text"):
        return None
    held = next((object_of(part[key]) for key in _FILES if key in part), None)
    if held is not None:
        media = str(held.get("mimeType", held.get("mime_type"))).split("/")[0]
        return {"type": media if media in _MEDIA else "file"}
    done = next((key for key in _SERVER_TOOLS if key in part), None)
    return {"type": done} if done else None
