"""The two exports of the sample: chat completions by a gateway that names steps, and Responses by one that doesn't."""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from slmlens.sample.calls import Call, cached_tokens, compact, prompt_tokens, tokens_of
from slmlens.sample.shop import Shop

Record = dict[str, Any]

_ID_LETTERS = string.ascii_letters + string.digits
_TOKENS_A_SECOND = {"gpt-4-turbo": 32, "gpt-4o": 75, "gpt-4.1": 80, "gpt-4.1-mini": 110, "gpt-4.1-nano": 150}
_THINKING_SPREAD = 0.5
_FINISH = {"truncated": "length", "refusal": "content_filter"}


def tool_declarations(shop: Shop, names: Sequence[str]) -> list[Record]:
    """Return the functions that a request offers."""
    return [
        {"type": "function", "function": {"name": name, **shop.prompts["tools"][name], "strict": False}}
        for name in names
    ]


def gateway_record(shop: Shop, rng: Random, call: Call) -> Record:
    """Return a call as the support desk's gateway logs it: chat completions, session, user, agent and step."""
    step = call.step
    tools = tool_declarations(shop, call.offered)
    request: Record = {"model": step.model, "messages": list(call.messages)}
    if not step.thinking:
        request["temperature"] = 0.7 if call.task == "draft_reply" else 0
    if tools:
        request["tools"] = tools
        request["tool_choice"] = "required"
    if call.json_mode:
        request["response_format"] = {"type": "json_object"}
    usage = _usage(rng, call, tools)
    record: Record = {
        "timestamp": _iso(call.at), "latency_ms": _latency(rng, call, usage),
        "status": call.error[0] if call.error else 200, "service": step.service, "provider": step.provider,
        "session_id": call.session, "user_id": call.user,
        "metadata": {"agent": step.agent, "step": call.task, "team": step.team, "environment": "production"},
        "request": request, "response": _completion(rng, call, usage),
    }  # fmt: skip
    return record


def assistant_record(rng: Random, call: Call) -> Record:
    """Return a call as the operations assistant's proxy logs it: Responses bodies, a conversation, and no step name."""
    step = call.step
    system, *rest = call.messages
    request: Record = {
        "model": step.model, "instructions": system["content"],
        "input": rest[0]["content"] if len(rest) == 1 else rest, "conversation": {"id": call.session}, "store": False,
    }  # fmt: skip
    if call.user:
        request["safety_identifier"] = call.user
    if step.thinking:
        request["reasoning"] = {"effort": "medium"}
    if call.json_mode:
        request["text"] = {"format": {"type": "json_object"}}
    usage = _usage(rng, call, [])
    return {
        "ts": round(call.at.timestamp() * 1000), "duration_ms": _latency(rng, call, usage), "project": step.service,
        "url": "https://api.openai.com/v1/responses", "status_code": call.error[0] if call.error else 200,
        "req": request, "resp": _response(rng, call, request, usage),
    }  # fmt: skip


def _iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _usage(rng: Random, call: Call, tools: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    total, shared = prompt_tokens(call, tools)
    answer = call.answer or ""
    if call.tool:
        answer = f"{call.tool[0]} {compact(call.tool[1])}"
    thinking = int(call.step.thinking * rng.lognormvariate(0, _THINKING_SPREAD)) if call.step.thinking else 0
    cached = cached_tokens(rng, call, shared)
    return {"input": total, "cached": cached, "output": tokens_of(answer) + thinking, "thinking": thinking}


def _latency(rng: Random, call: Call, usage: Mapping[str, int]) -> int:
    if call.error:
        return rng.randrange(30, 900) if call.error[0] == 429 else rng.randrange(8_000, 31_000)  # noqa: PLR2004
    seconds = 0.35 + usage["input"] / 9_000 + usage["output"] / _TOKENS_A_SECOND.get(call.step.model, 90)
    return int(1_000 * seconds * rng.lognormvariate(0, 0.25))


def _id(rng: Random, prefix: str, length: int) -> str:
    return prefix + "".join(rng.choices(_ID_LETTERS, k=length))


def _failure(call: Call) -> Record:
    _, code, message = call.error or (0, "", "")
    return {"error": {"message": message, "type": code, "param": None, "code": code}}


def _completion(rng: Random, call: Call, usage: Mapping[str, int]) -> Record:
    if call.error:
        return _failure(call)
    message: Record = {"role": "assistant", "content": call.answer, "refusal": None}
    finish = _FINISH.get(call.outcome, "stop")
    if call.tool:
        function = {"name": call.tool[0], "arguments": compact(call.tool[1])}
        message["tool_calls"] = [{"id": _id(rng, "call_", 24), "type": "function", "function": function}]
        finish = "tool_calls"
    return {
        "id": _id(rng, "chatcmpl-", 26), "object": "chat.completion", "created": int(call.at.timestamp()),
        "model": call.step.served, "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": usage["input"], "completion_tokens": usage["output"],
            "total_tokens": usage["input"] + usage["output"],
            "prompt_tokens_details": {"cached_tokens": usage["cached"]},
            "completion_tokens_details": {"reasoning_tokens": usage["thinking"]},
        },
    }  # fmt: skip


def _response(rng: Random, call: Call, request: Mapping[str, Any], usage: Mapping[str, int]) -> Record:
    if call.error:
        return _failure(call)
    cut = call.outcome == "truncated"
    text: Record = {"type": "output_text", "text": call.answer, "annotations": []}
    message = {
        "type": "message",
        "role": "assistant",
        "status": "incomplete" if cut else "completed",
        "content": [text],
    }
    created = int(call.at.timestamp())
    return {
        "id": _id(rng, "resp_", 40), "object": "response", "created_at": created,
        "status": "incomplete" if cut else "completed", "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "model": call.step.served, "conversation": request["conversation"], "output": [message],
        "usage": {
            "input_tokens": usage["input"], "input_tokens_details": {"cached_tokens": usage["cached"]},
            "output_tokens": usage["output"], "output_tokens_details": {"reasoning_tokens": usage["thinking"]},
            "total_tokens": usage["input"] + usage["output"],
        },
    }  # fmt: skip
