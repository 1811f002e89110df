"""Bodies of providers of another dialect - Gemini, Bedrock, Ollama, Cohere, Writer - in the shape of OpenAI's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from slmlens.logs.cohere import cohere_answer, cohere_request, cohere_stream, is_cohere_request
from slmlens.logs.converse import (
    converse_answer,
    converse_request,
    converse_stream,
    is_converse_answer,
    is_converse_request,
)
from slmlens.logs.decode import decode_text
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import object_of
from slmlens.logs.gemini import gemini_body, gemini_request, gemini_stream
from slmlens.logs.trajectories import listed
from slmlens.logs.units import count
from slmlens.logs.usage import usage_body

_MODEL_IN_URL = re.compile(r"/(?:models?|publishers/[^/]+/models)/([^/:?]+)")
_LLM_URL = re.compile(
    r"/(chat/completions|completions|responses|messages|chat|generate|converse(-stream)?"
    r"|invoke(-with-response-stream)?)(\?|$)|:(stream)?generateContent|:(stream)?rawPredict",
    re.IGNORECASE,
)


def openai_request(body: object, url: str | None = None) -> Body | None:
    """Return a request in the shape of OpenAI's, or of Anthropic's where it has that; None if it is no object.

    :param body: The request's body.
    :param url: Where it was sent: Gemini and Bedrock name the model there.
    """
    if not isinstance(body, dict):
        return None
    named = None if "model" in body else _model_of(url)
    beside: Body = {"model": named} if named else {}
    if "contents" in body:
        return {**beside, **gemini_request(body)}
    if is_converse_request(body):
        return {**beside, **converse_request(body)}
    if is_cohere_request(body):
        return {**beside, **cohere_request(body)}
    if string(body.get("inputText")):
        return {**beside, "messages": [{"role": "user", "content": body["inputText"]}]}
    return {**beside, **body} if beside else body


def openai_answer(body: object) -> object:
    """Return an answer in the shape of OpenAI's where its dialect is known; else as it is.

    :param body: The answer's body, the list of a stream's parts, or a text.
    """
    if isinstance(body, list):
        return streamed_answer(listed(body)) or body
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("candidates"), list) or "promptFeedback" in body:
        return gemini_body(body)
    if is_converse_answer(body):
        return converse_answer(body)
    return cohere_answer(body) or _ollama_answer(body) or _bedrock_answer(body) or body


def streamed_answer(parts: list[Body]) -> Body | None:
    """Return the answer that the parts of a stream add up to, or None of a stream of OpenAI's or Anthropic's.

    :param parts: The parts in their order.
    """
    if any("candidates" in part for part in parts):
        return gemini_stream(parts)
    if any({"contentBlockDelta", "messageStop"} & part.keys() for part in parts):
        return converse_stream(parts)
    if any("done" in part and ("message" in part or "response" in part) for part in parts):
        return _ollama_stream(parts)
    if parts and all(set(part) == {"value"} for part in parts):  # Writer's completions
        return _chosen({"content": "".join(str(part["value"]) for part in parts)}, None, None)
    return cohere_stream(parts)


def line_stream(text: str) -> list[Body] | None:
    """Return the parts of a stream that is stored as JSON lines (Ollama, Cohere), or None if the text is none.

    :param text: The stored answer.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2 or not all(line.startswith("{") for line in lines):  # noqa: PLR2004 - one line is no stream
        return None
    parts = [decode_text(line.strip()) for line in lines]
    return parts if all(isinstance(part, dict) for part in parts) else None  # type: ignore[return-value]


def _ollama_answer(body: Body) -> Body | None:
    if "done" not in body or not ("eval_count" in body or "message" in body or isinstance(body.get("response"), str)):
        return None
    said = object_of(body.get("message")) or {"content": body.get("response")}
    usage = usage_body(inputs=body.get("prompt_eval_count"), outputs=body.get("eval_count"))
    took = count(body.get("total_duration"))
    answer = _chosen(said, body.get("done_reason"), usage)
    return {
        **answer,
        "model": body.get("model"),
        "created": body.get("created_at"),
        "latency_ms": None if took is None else took / 1e6,
        **({} if body["done"] else {"cut": True}),
    }


def _ollama_stream(parts: list[Body]) -> Body | None:
    said = [object_of(part.get("message")) or {"content": part.get("response")} for part in parts]
    text = "".join(str(one["content"]) for one in said if isinstance(one.get("content"), str))
    calls = [call for one in said for call in listed(one.get("tool_calls"))]
    whole = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    return _ollama_answer({**parts[-1], "message": whole})


def _bedrock_answer(body: Body) -> Body | None:
    """Return what a model said that Bedrock's InvokeModel lets speak its own dialect: Titan, Llama, Jurassic."""
    results, completions = listed(body.get("results")), listed(body.get("completions"))
    if results and "outputText" in results[0]:
        usage = usage_body(inputs=body.get("inputTextTokenCount"), outputs=results[0].get("tokenCount"))
        return _chosen({"content": results[0]["outputText"]}, results[0].get("completionReason"), usage)
    if isinstance(body.get("generation"), str):
        usage = usage_body(inputs=body.get("prompt_token_count"), outputs=body.get("generation_token_count"))
        return _chosen({"content": body["generation"]}, body.get("stop_reason"), usage)
    if completions and isinstance(object_of(completions[0].get("data")).get("text"), str):
        data = object_of(completions[0]["data"])
        asked = object_of(body.get("prompt")).get("tokens")
        usage = usage_body(
            inputs=len(asked) if isinstance(asked, list) else None, outputs=len(listed(data.get("tokens"))) or None
        )
        finish = object_of(completions[0].get("finishReason")).get("reason")
        return _chosen({"content": data["text"]}, "stop" if finish == "endoftext" else finish, usage)
    return None


def _chosen(said: Body, finish: object, usage: Body | None) -> Body:
    choice = {"message": {"role": "assistant", **said}, "finish_reason": string(finish)}
    return {"choices": [choice], **({"usage": usage} if usage else {})}


def _model_of(url: str | None) -> str | None:
    found = _MODEL_IN_URL.search(url or "")
    return unquote(found[1]) if found else None


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
