"""What came back: answers of OpenAI chat, completions and Responses, of Anthropic, of who is read alike, and texts."""

from __future__ import annotations

from slmlens.logs.content import ToolCall, item_call, text_of, tool_call, tool_calls_of
from slmlens.logs.decode import decode_text
from slmlens.logs.exchange import UNREAD, Answer, Body, NotACallError, string
from slmlens.logs.provider_bodies import line_stream, openai_answer, streamed_answer
from slmlens.logs.streams import merged_stream, stream_events

FINISH_REASONS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content-filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "model_armor": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "error_toxic": "content_filter",
    "finish": "stop",
}
"""Finish reasons of the providers in four words; other words stay as logged."""

_NO_CALLS = {
    "response.input_tokens": "a count of tokens, not a call",
    "embedding": "an embedding, not a call",
    "model": "a listing, not a call",
    "conversation": "a conversation object, not a call",
    "file": "a file object, not a call",
}


def read_answer(response: object) -> Answer:
    """Return what a response says.

    :param response: A body, the text or chunks of a stream, a JSON text, a plain answer text, or None.
    :raises NotACallError: If it is no LLM answer, or one of a dialect that is not read.
    """
    if isinstance(response, str) and response.lstrip()[:1] in ("{", "["):
        response = line_stream(response) or decode_text(response.strip())
    events = stream_events(response)
    if events is not None:
        response = merged_stream(events) or streamed_answer(events)
        if response is None:
            what = "a stream of a dialect that is not read" + UNREAD if events else "a stream without a whole event"
            raise NotACallError(what, rejected=True)
    if response is None:
        return Answer()
    if isinstance(response, str):
        return Answer(text=response, captured=True) if response.strip() else Answer()
    if isinstance(response, list):
        return _of_list(response)
    if not isinstance(response, dict):
        raise NotACallError("the response is neither an object nor a text", rejected=True)
    return _of_body(response)


def is_answer_body(body: Body) -> bool:
    """Tell whether an object is itself the answer of an LLM (not an envelope around one).

    :param body: The object.
    """
    if isinstance(body.get("choices"), list):
        return True
    if body.get("object") == "response" and "output" in body:
        return True
    return body.get("type") == "message" and isinstance(body.get("content"), list) and "role" in body


def finish_word(raw: object) -> str | None:
    """Return a finish reason in the house's words.

    :param raw: The reason as logged.
    """
    word = string(raw)
    return FINISH_REASONS.get(word.lower(), word.lower()[:40]) if word else None


def _of_body(body: Body) -> Answer:
    if not is_answer_body(body):
        known = openai_answer(body)
        body = known if isinstance(known, dict) else body
    answer = Answer(
        response_id=string(body.get("id")),
        model=string(body.get("model")),
        provider=string(body.get("provider")),
        created=body.get("created", body.get("created_at")),
        tier=string(body.get("service_tier")),
        cut=bool(body.get("cut")),
        latency_ms=body.get("latency_ms"),
    )
    usage = body.get("usage")
    if isinstance(usage, dict):
        answer.usage = usage
        answer.tier = string(usage.get("service_tier")) or answer.tier
    if isinstance(body.get("choices"), list):
        _read_choices(body, answer)
    elif body.get("object") == "response" or (isinstance(body.get("output"), list) and "stopReason" not in body):
        _read_output(body, answer)
    elif body.get("type") == "message" and isinstance(body.get("content"), list):
        _read_blocks(body, answer)
    elif not body.get("error") and body.get("type") != "error":
        _read_loose(body, answer)
    error = body.get("error")
    answer.refused |= isinstance(error, dict) and error.get("code") == "content_filter"
    answer.failed |= (bool(error) or body.get("type") == "error") and not answer.refused
    return answer


def _read_choices(body: Body, answer: Answer) -> None:
    choices = body["choices"]
    first = choices[0] if isinstance(choices, list) and choices else {}
    if not isinstance(first, dict):
        raise NotACallError("the first choice is no object", rejected=True)
    answer.finish = finish_word(first.get("finish_reason"))
    message = first.get("message", first.get("delta"))
    if isinstance(message, str):
        answer.captured, answer.text = True, message
    elif isinstance(message, dict):
        answer.captured = True
        content = message.get("content")
        answer.text = None if content is None else text_of(content)
        answer.calls = tool_calls_of(message)
        answer.refused = bool(message.get("refusal"))
        if answer.refused and not answer.text:
            answer.text = string(message.get("refusal"))
    elif isinstance(first.get("text"), str):
        answer.captured, answer.text = True, first["text"]


def _read_output(body: Body, answer: Answer) -> None:
    output = body.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    texts, calls = [], []
    for item in items:
        called = item_call(item)
        if called:
            calls.append(called)
        elif item.get("type", "message") == "message" and item.get("role", "assistant") == "assistant":
            content = item.get("content")
            texts.append(text_of(content))
            parts = content if isinstance(content, list) else []
            answer.refused |= any(isinstance(part, dict) and part.get("type") == "refusal" for part in parts)
    answer.captured = any(item.get("type") != "compaction" for item in items)  # that is sealed
    answer.text = "\n".join(texts) if texts else None
    answer.calls = tuple(calls)
    answer.completed = body.get("completed_at")
    status, details = string(body.get("status")), body.get("incomplete_details")
    answer.failed = status in ("failed", "cancelled")
    answer.pending = status in ("queued", "in_progress") and not items
    reason = details.get("reason") if isinstance(details, dict) else None
    if status == "incomplete":
        answer.finish = finish_word(reason)
    elif status == "completed":
        answer.finish = "tool_calls" if calls else "stop"


def _read_blocks(body: Body, answer: Answer) -> None:
    texts: list[str] = []
    calls: list[ToolCall] = []
    content = body["content"]
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict) and block.get("type") == "tool_use":
            calls.append(tool_call(block.get("name"), block.get("input")))
        else:
            texts.append(text_of(block))
    said = "\n".join(text for text in texts if text)
    answer.captured = bool(content)
    answer.text = said or None
    answer.calls = tuple(calls)
    answer.finish = finish_word(body.get("stop_reason"))
    answer.refused = body.get("stop_reason") == "refusal"


def _read_loose(body: Body, answer: Answer) -> None:
    kind = body.get("object")
    listed = body.get("data")
    if kind == "list" and isinstance(listed, list) and listed and isinstance(listed[0], dict):
        kind = listed[0].get("object")
    if isinstance(kind, str) and kind in _NO_CALLS:
        raise NotACallError(_NO_CALLS[kind], rejected=False)
    if "embedding" in body or "embeddings" in body:
        raise NotACallError(_NO_CALLS["embedding"], rejected=False)
    if set(body) == {"input_tokens"}:
        raise NotACallError(_NO_CALLS["response.input_tokens"], rejected=False)
    message = body.get("message") if isinstance(body.get("message"), dict) else body
    if not isinstance(message, dict) or not _is_loose_message(message):
        raise NotACallError("a response of a shape that is not read" + UNREAD, rejected=True)
    answer.captured = True
    content = next((message[key] for key in _LOOSE_TEXT if message.get(key) is not None), None)
    answer.text = None if content is None else text_of(content)
    answer.calls = tool_calls_of(message)
    answer.finish = finish_word(body.get("finish_reason", body.get("stop_reason")))


_LOOSE_TEXT = ("content", "text", "output_text", "completion", "answer", "output")


def _is_loose_message(message: Body) -> bool:
    if message.get("role") == "assistant":
        return True
    return any(isinstance(message.get(key), str) for key in _LOOSE_TEXT)


def _of_list(response: list[object]) -> Answer:
    items = [item for item in response if isinstance(item, dict)]
    if items and "role" in items[-1] and "type" not in items[-1]:
        return _of_body(items[-1])
    if items and any(item.get("type") in ("message", "function_call") for item in items):
        return _of_body({"object": "response", "status": "completed", "output": items})
    if items and all(item.get("type") in ("text", "tool_use", "thinking") for item in items):
        return _of_body({"type": "message", "role": "assistant", "content": items})
    merged = streamed_answer(items)
    if merged is not None:
        return _of_body(merged)
    raise NotACallError("a response of a shape that is not read" + UNREAD, rejected=True)
