"""Logs of Inspect: a sample's model events are its calls; what a log stores once is put back where it belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import object_of
from slmlens.logs.trajectories import listed, own_session
from slmlens.logs.units import count
from slmlens.logs.usage import usage_body, with_cached_inside

Record = Mapping[str, object]

_STORED_ONCE = re.compile(r"(?:attachment|tc)://([0-9a-f]{8,64})")
_SAMPLE_KEYS = frozenset({"events", "messages", "scores", "transcript"})
_PLAIN_SPANS = frozenset({"init", "main", "solvers", "scorers", "solver", "scorer", "agent", "sandbox"})


def is_inspect(record: Record) -> bool:
    """Tell whether a record is a log of Inspect, or a member of an ``.eval`` file: header, sample, summary, reduction.

    :param record: The document.
    """
    if "eval" in record:
        return isinstance(record.get("eval"), dict) and "plan" in record
    if {"scorer", "samples"} <= record.keys():
        return isinstance(record.get("samples"), list)
    return {"id", "epoch", "input", "target"} <= record.keys() and bool(_SAMPLE_KEYS & record.keys())


def parts(record: Record) -> Iterator[Record]:
    """Yield the calls of a log or a sample: its model events, but for those answered from Inspect's own cache.

    :param record: ``{eval, samples}``, or a sample.
    """
    told = object_of(record.get("eval"))
    samples = listed(record.get("samples")) if told else [dict(record)]
    run = string(told.get("run_id")) or string(told.get("eval_id"))
    for sample in samples:
        yield from _sample_calls(sample, run, string(told.get("task")))


def _sample_calls(sample: Body, run: str | None, task: str | None) -> Iterator[Record]:
    transcript = object_of(sample.get("transcript"))  # so until 2024
    stored = {**object_of(transcript.get("content")), **object_of(sample.get("attachments"))}
    sample = {**sample, "attachments": stored}
    events = listed(sample.get("events")) or listed(transcript.get("events"))
    named = {string(one.get("id")): one for one in events if one.get("event") == "span_begin"}
    opening = next((one.get("timestamp") for one in events), None)
    told = (run, sample.get("id"), sample.get("epoch"), opening)
    session = string(sample.get("uuid")) or own_session(*told)
    if not events:
        yield from _answers(sample, session, task)
    for event in events:
        if event.get("event") == "model" and event.get("cache") != "read" and not event.get("pending"):
            yield _call(event, sample, named, session, task)


def _answers(sample: Body, session: str | None, task: str | None) -> Iterator[Record]:
    """Yield the calls of a sample without events: its assistant's messages; one alone has the sample's usage."""
    said = [_message(one) for one in listed(sample.get("messages"))]
    output = object_of(sample.get("output"))
    spoken = [place for place, one in enumerate(said) if one.get("role") == "assistant"]
    for place in spoken:
        usage = _usage(output) if len(spoken) == 1 else None
        body = {"choices": [{"message": said[place]}], "model": string(output.get("model")), "usage": usage}
        yield {"request": {"messages": said[:place]}, "response": body, "session_id": session, "service": task}


def _call(event: Body, sample: Body, spans: Mapping[str | None, Body], session: str | None, task: str | None) -> Record:
    output = object_of(_whole(event.get("output"), sample))
    model = string(output.get("model")) or string(event.get("model"))
    asked = string(event.get("model"))
    choices = [
        {"message": _message(object_of(one.get("message"))), "finish_reason": one.get("stop_reason")}
        for one in listed(output.get("choices"))
    ]
    config = object_of(event.get("config"))
    schema = object_of(config.get("response_schema"))
    request: Body = {
        "messages": [_message(one) for one in _asked(event, sample)],
        "tools": [{"type": "function", "function": one} for one in listed(event.get("tools"))] or None,
        "model": asked.split("/", maxsplit=1)[-1] if asked else None,
    }
    if schema:
        request["response_format"] = {"type": "json_schema", "json_schema": {"name": schema.get("name")}}
    failed = event.get("error") or output.get("error")
    return {
        "request": request,
        "response": None if failed else {"choices": choices, "model": model, "usage": _usage(output)},
        "provider": asked.split("/", maxsplit=1)[0] if asked and "/" in asked else None,
        "start_time": event.get("timestamp"),
        "latency_s": output.get("time") or event.get("working_time"),
        "cost_usd": object_of(output.get("usage")).get("total_cost"),
        "session_id": session,
        "step": _step(event, spans),
        "service": task,
        **({"error": "failed"} if failed else {}),
    }


def _asked(event: Body, sample: Body) -> list[Body]:
    """Return the messages of the prompt; newer logs keep each message once, and ranges of their places."""
    ranges = event.get("input_refs")
    if not event.get("input") and isinstance(ranges, list):
        pool = listed(sample.get("message_pool")) or listed(object_of(sample.get("events_data")).get("messages"))
        picked: list[Body] = []
        for one in ranges:
            if isinstance(one, list) and len(one) == 2 and all(isinstance(end, int) for end in one):  # noqa: PLR2004 - a range
                picked += pool[max(one[0], 0) : max(one[1], 0)]
        return [object_of(_whole(one, sample)) for one in picked]
    return [object_of(_whole(one, sample)) for one in listed(event.get("input"))]


def _whole(value: object, sample: Body) -> object:
    """Return a value with the texts that the log stores once put back."""
    stored = object_of(sample.get("attachments"))
    if not stored:
        return value
    return _with_stored(value, stored)


def _with_stored(value: object, stored: Body) -> object:
    if isinstance(value, str):
        found = _STORED_ONCE.fullmatch(value)
        known = stored.get(found[1]) if found else None
        return known if isinstance(known, str) else value
    if isinstance(value, list):
        return [_with_stored(one, stored) for one in value]
    if isinstance(value, dict):
        return {key: _with_stored(one, stored) for key, one in value.items()}
    return value


def _message(one: Body) -> Body:
    calls = [
        {"id": call.get("id"), "function": {"name": call.get("function"), "arguments": call.get("arguments")}}
        for call in listed(one.get("tool_calls"))
    ]
    return {"role": one.get("role"), "content": one.get("content"), **({"tool_calls": calls} if calls else {})}


def _usage(output: Body) -> Body | None:
    """Return usage in OpenAI's terms; the logged total tells whether cached tokens stand beside the input."""
    usage = object_of(output.get("usage"))
    if not usage:
        return None
    inside, outside = count(usage.get("input_tokens")) or 0, count(usage.get("output_tokens")) or 0
    read, written = (count(usage.get(f"input_tokens_cache_{end}")) for end in ("read", "write"))
    apart = count(usage.get("total_tokens")) == inside + outside + (read or 0) + (written or 0)
    return usage_body(
        inputs=with_cached_inside(inside, read, written) if apart else inside,
        outputs=outside,
        cached=read,
        written=written,
        reasoning=usage.get("reasoning_tokens"),
    )


def _step(event: Body, spans: Mapping[str | None, Body]) -> str | None:
    role = string(event.get("role"))
    if role:
        return role
    own = string(event.get("span_id"))
    for _ in range(len(spans)):
        span = spans.get(own)
        if span is None:
            return None
        name = string(span.get("name"))
        if name and name not in _PLAIN_SPANS:
            return name
        own = string(span.get("parent_id"))
    return None
