"""Bodies of providers that speak another dialect - Gemini, Bedrock, Ollama, Cohere - in the shape of OpenAI's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from slmlens.logs.decode import encode_sorted
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import object_of, tool_list
from slmlens.logs.gemini import gemini_answer, gemini_request
from slmlens.logs.trajectories import listed
from slmlens.logs.units import count
from slmlens.logs.usage import usage_body, with_cached_inside

_MODEL_IN_URL = re.compile(r"/(?:models?|publishers/[^/]+/models)/([^/:?]+)")
_LLM_URL = re.compile(
    r"/(chat/completions|completions|responses|messages|chat|generate|converse(-stream)?"
    r"|invoke(-with-response-stream)?)(\?|$)|:(stream)?generateContent|:(stream)?rawPredict",
    re.IGNORECASE,
)
_BLOCKS = ("text", "toolUse", "toolResult", "image", "document", "cachePoint", "guardContent", "reasoningContent")


def openai_request(body: object, url: str | None = None) -> Body | None:
    """Return a request in the shape of OpenAI's, or of Anthropic's where it has that; None if it is no object.

    :param body: The request's body.
    :param url: Where it was sent: Gemini and Bedrock name the model there.
    """
    if not isinstance(body, dict):
        return None
    named = _model_of(url)
    beside: Body = {"model": named} if named and "model" not in body else {}
    if "contents" in body:
        return {**beside, **gemini_request(body)}
    if _is_converse(body):
        return {**beside, **_converse_request(body)}
    if string(body.get("inputText")):
        return {**beside, "messages": [{"role": "user", "content": body["inputText"]}]}
    return {**beside, **body}


def openai_answer(body: object) -> object:
    """Return an answer in the shape of OpenAI's where its dialect is known; else as it is.

    :param body: The answer's body, the list of a stream's parts, or a text.
    """
    if isinstance(body, list):
        return _streamed(listed(body)) or body
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("candidates"), list):
        return _with_usage(gemini_answer(body), _gemini_usage(object_of(body.get("usageMetadata"))))
    if isinstance(object_of(body.get("output")).get("message"), dict):
        said = _converse_message(object_of(object_of(body["output"])["message"]))
        return _chosen(said, body.get("stopReason"), _converse_usage(object_of(body.get("usage"))))
    return _plain_answer(body) or body


def _plain_answer(body: Body) -> Body | None:
    results = listed(body.get("results"))
    if results and "outputText" in results[0]:
        usage = usage_body(inputs=body.get("inputTextTokenCount"), outputs=results[0].get("tokenCount"))
        return _chosen({"content": results[0]["outputText"]}, results[0].get("completionReason"), usage)
    if isinstance(body.get("generation"), str):
        usage = {
            "prompt_tokens": body.get("prompt_token_count"),
            "completion_tokens": body.get("generation_token_count"),
        }
        return _chosen({"content": body["generation"]}, body.get("stop_reason"), usage)
    if "done" in body and ("eval_count" in body or "message" in body or isinstance(body.get("response"), str)):
        said = object_of(body.get("message")) or {"content": body.get("response")}
        usage = usage_body(inputs=body.get("prompt_eval_count"), outputs=body.get("eval_count"))
        return {**_chosen(said, body.get("done_reason"), usage), "model": body.get("model")}
    if isinstance(body.get("message"), dict) and "finish_reason" in body and "choices" not in body:
        return {**_chosen(object_of(body["message"]), body.get("finish_reason"), None), "usage": body.get("usage")}
    return None


def _chosen(said: Body, finish: object, usage: Body | None) -> Body:
    word = string(finish)
    choice = {"message": {"role": "assistant", **said}, "finish_reason": word.lower() if word else None}
    return {"choices": [choice], **({"usage": usage} if usage else {})}


def _with_usage(body: object, usage: Body | None) -> object:
    return {**body, "usage": usage} if isinstance(body, dict) and usage else body


def _gemini_usage(told: Body) -> Body | None:
    if not told:
        return None
    thought = count(told.get("thoughtsTokenCount")) or 0
    return usage_body(
        inputs=told.get("promptTokenCount"),
        outputs=(count(told.get("candidatesTokenCount")) or 0) + thought,
        cached=told.get("cachedContentTokenCount"),
        reasoning=thought or None,
    )


def _is_converse(body: Body) -> bool:
    if {"inferenceConfig", "toolConfig"} & body.keys():
        return True
    blocks = [block for one in listed(body.get("messages")) for block in listed(one.get("content"))]
    return bool(blocks) and all("type" not in block and set(_BLOCKS) & block.keys() for block in blocks)


def _converse_request(body: Body) -> Body:
    head = "\n".join(str(one["text"]) for one in listed(body.get("system")) if "text" in one)
    messages: list[Body] = [{"role": "system", "content": head}] if head else []
    for one in listed(body.get("messages")):
        made = _converse_message(one)
        messages += listed(made.pop("results", []))
        if made.get("content") or made.get("tool_calls"):
            messages.append(made)
    specs = [object_of(one.get("toolSpec")) for one in listed(object_of(body.get("toolConfig")).get("tools"))]
    tools = [
        {"name": one.get("name"), "parameters": object_of(one.get("inputSchema")).get("json")} for one in specs if one
    ]
    return {"messages": messages, "tools": tool_list(tools), **{key: body[key] for key in ("model",) if key in body}}


def _converse_message(one: Body) -> Body:
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
        elif "text" in block:
            texts.append(str(block["text"]))
        elif not {"cachePoint", "reasoningContent"} & block.keys():
            texts.append(f"<{next(iter(block), 'attachment')}>")
    made: Body = {"role": one.get("role"), "content": "\n".join(texts) or None}
    return {**made, **({"tool_calls": calls} if calls else {}), **({"results": results} if results else {})}


def _told(part: Body) -> str:
    return encode_sorted(part["json"]) if "json" in part else str(part.get("text", "<attachment>"))


def _converse_usage(told: Body) -> Body | None:
    """Return usage in OpenAI's terms: Converse counts cached tokens beside the input."""
    if not told:
        return None
    read, written = (count(told.get(key)) for key in ("cacheReadInputTokens", "cacheWriteInputTokens"))
    whole = with_cached_inside(count(told.get("inputTokens")) or 0, read, written)
    return usage_body(inputs=whole, outputs=told.get("outputTokens"), cached=read, written=written)


def _streamed(parts: list[Body]) -> object:
    """Return the answer that the parts of a Gemini or Converse stream make, or None of another stream."""
    if any("candidates" in part for part in parts):
        return _gemini_stream(parts)
    if any({"contentBlockDelta", "messageStop"} & part.keys() for part in parts):
        return _converse_stream(parts)
    return None


def _gemini_stream(parts: list[Body]) -> object:
    said: list[object] = []
    whole: Body = {}
    for part in parts:
        candidate = next(iter(listed(part.get("candidates"))), {})
        said += listed(object_of(candidate.get("content")).get("parts"))
        kept = {key: part[key] for key in ("usageMetadata", "modelVersion", "responseId") if part.get(key)}
        whole |= kept
        whole |= {"finish": candidate["finishReason"]} if candidate.get("finishReason") else {}
    candidate = {"content": {"parts": _texts_joined(said)}, "finishReason": whole.pop("finish", None)}
    return openai_answer({**whole, "candidates": [candidate]})


def _texts_joined(said: list[object]) -> list[object]:
    """Join the texts that follow one another: a stream cuts a text anywhere."""
    joined: list[object] = []
    for one in said:
        before = joined[-1] if joined else None
        if isinstance(one, dict) and isinstance(before, dict) and set(one) == set(before) == {"text"}:
            joined[-1] = {"text": f"{before['text']}{one['text']}"}
        else:
            joined.append(one)
    return joined


def _converse_stream(parts: list[Body]) -> Body:
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
    return _chosen(said, finish, _converse_usage(usage))


def _model_of(url: str | None) -> str | None:
    found = _MODEL_IN_URL.search(url or "")
    return found[1].replace("%3A", ":") if found else None


def is_llm_url(url: str | None) -> bool:
    """Tell whether an address is one at which a language model answers.

    :param url: The address; None counts as one.
    """
    return url is None or _LLM_URL.search(url) is not None


def recorded(request: object, response: object, url: str | None = None) -> Mapping[str, object]:
    """Return ``{request, response}`` of bodies of any dialect that is known; what is missing is left out.

    :param request: The request's body.
    :param response: The answer's body.
    :param url: The address.
    """
    asked, said = openai_request(request, url), openai_answer(response)
    return {**({"request": asked} if asked else {}), **({"response": said} if said not in (None, "", {}, []) else {})}
