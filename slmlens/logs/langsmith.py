"""LangSmith's runs: rows of the API and of exports, runs with children inside, and the batches that its SDKs send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs.dialects import answer_body, request_body
from slmlens.logs.envelope import tag_texts
from slmlens.logs.exchange import Body, NotACallError, string
from slmlens.logs.framework_messages import decoded, object_of, tool_list
from slmlens.logs.spans import AGENT, LLM, OTHER, TOOL, Span, Values, first, put
from slmlens.logs.units import count, utc_microseconds
from slmlens.logs.usage import usage_body

Record = Mapping[str, object]

_ROLES = {"llm": LLM, "chain": AGENT, "tool": TOOL, "retriever": OTHER, "embedding": OTHER}
_BATCHES = ("post", "patch")
_SESSION_KEYS = ("session_id", "thread_id", "conversation_id")
_PAGE = "runs"
_COUNTED = ("prompt_tokens", "completion_tokens", "total_tokens")


def is_langsmith(record: Record) -> bool:
    """Tell whether a record is a run, or a batch of runs as the SDKs send them.

    :param record: One row or document.
    """
    held = (*_BATCHES, _PAGE)
    if any(isinstance(record.get(key), list) for key in held):
        return any(_is_run(object_of(one)) for key in held for one in _listed(record.get(key)))
    return _is_run(record)


def parts(record: Record) -> Iterator[Record]:
    """Yield the runs of a record, each before its children; in a batch, each completed by its patches.

    :param record: A run, perhaps with ``child_runs``, a page ``{runs, cursors}``, or ``{post, patch}``.
    """
    if _is_run(record) or isinstance(record.get(_PAGE), list):
        for run in [record] if _is_run(record) else map(object_of, _listed(record[_PAGE])):
            yield from _with_children(run)
        return
    merged: dict[object, Body] = {}
    for key in _BATCHES:
        for place, one in enumerate(_listed(record.get(key))):
            run = object_of(one)
            kept = merged.setdefault(_id(run) or (key, place), {"patched": True} if key == "patch" else {})
            kept |= {name: value for name, value in run.items() if value not in (None, "", [], {})}
            if key == "post":
                kept.pop("patched", None)
    for run in merged.values():
        yield from _with_children(run)


def read_row(row: Record) -> Span:
    """Return the span that a run stands for.

    :param row: A run, with the keys of the API.
    :raises NotACallError: If it is none.
    """
    kind, patched = string(row.get("run_type")), row.get("patched") is True
    own = _id(row)
    if own is None or (kind is None and not patched):
        raise NotACallError("no run of LangSmith", rejected=True)
    span = Span(_ROLES.get(kind or "llm", OTHER), _trace(row), own)
    span.parent = string(row.get("parent_run_id"))
    span.name = string(row.get("name"))
    span.scope, span.details = "langsmith", patched
    span.version = str(row.get("last_queued_at") or row.get("end_time") or "")
    span.failed = bool(row.get("error")) or row.get("status") == "error"
    metadata = object_of(object_of(decoded(row.get("extra"))).get("metadata"))
    span.strong = string(metadata.get("langgraph_node"))
    span.tags = tag_texts(decoded(row.get("tags")))
    put(span.values, "session", "session_id", string(first(metadata, _SESSION_KEYS)))
    put(span.values, "user", "user_id", string(metadata.get("user_id")))
    put(span.values, "service", "service", string(row.get("session_name")))
    if span.role != LLM:
        put(span.values, "usage", "usage", _row_usage(row))
        return span
    _read_call(span, row, metadata)
    return span


def _is_run(record: Record) -> bool:
    traced = {"trace_id", "dotted_order", "parent_run_id", "child_runs"} & record.keys()
    return isinstance(record.get("run_type"), str) and bool(traced)


def _id(row: Record) -> str | None:
    """Return the id of a run; a patch of the JavaScript SDK tells it at the end of its ``dotted_order`` only."""
    order = string(row.get("dotted_order"))
    return string(row.get("id") or row.get("run_id")) or (order.rsplit("Z", maxsplit=1)[-1] if order else None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _with_children(run: Record) -> Iterator[Record]:
    yield run
    for child in _listed(run.get("child_runs")):
        if isinstance(child, dict):
            yield from _with_children({"trace_id": _trace(run), "parent_run_id": run.get("id"), **child})


def _trace(row: Record) -> str | None:
    return string(row.get("trace_id")) or (None if row.get("parent_run_id") else _id(row))


def _read_call(span: Span, row: Record, metadata: Body) -> None:
    extra = object_of(decoded(row.get("extra")))
    asked = object_of(decoded(extra.get("invocation_params")))
    outputs = object_of(decoded(row.get("outputs")))
    said = _said(outputs)
    own = object_of(said.get("response_metadata"))
    _read_times(span.values, row)
    put(span.values, "model", "model", string(first(own, ("model_name", "model"))) or string(outputs.get("model")))
    put(span.values, "requested", "requested_model", _requested(metadata, asked, row))
    put(span.values, "provider", "provider", string(metadata.get("ls_provider")))
    put(span.values, "cost", "cost_usd", row.get("total_cost") or None)
    put(span.values, "usage", "usage", _usage(row, said, own, outputs))
    span.request = request_body(row.get("inputs"))
    tools = tool_list(asked.get("tools") or asked.get("functions"))
    if span.request is not None:
        span.request |= {"tools": tools} if tools and not span.request.get("tools") else {}
        wanted = asked.get("response_format")
        span.request |= {"response_format": wanted} if isinstance(wanted, dict) else {}
    span.response = None if span.failed else _response(outputs, said, own)


def _requested(metadata: Body, asked: Body, row: Record) -> str | None:
    inputs = object_of(decoded(row.get("inputs")))
    named = (metadata.get("ls_model_name"), asked.get("model"), asked.get("model_name"), inputs.get("model"))
    return next((name for name in map(string, named) if name), None)


def _read_times(values: Values, row: Record) -> None:
    put(values, "started", "start_time", row.get("start_time"))
    put(values, "ended", "end_time", row.get("end_time"))
    began, spoke = utc_microseconds(row.get("start_time")), utc_microseconds(row.get("first_token_time"))
    if began is not None and spoke is not None and spoke >= began:
        put(values, "ttft", "ttft_ms", (spoke - began) / 1_000)


def _said(outputs: Body) -> Body:
    """Return the message of a LangChain generation; empty where the output has another shape."""
    listed: object = outputs.get("generations")
    while isinstance(listed, list) and listed:
        listed = listed[0]
    inner = object_of(object_of(listed).get("message"))
    return object_of(inner.get("kwargs")) or inner


def _response(outputs: Body, said: Body, own: Body) -> object:
    answer = answer_body(outputs) if outputs else None
    if not isinstance(answer, dict) or not said:
        return answer
    choices = answer.get("choices")
    finish = first(own, ("finish_reason", "stop_reason", "done_reason"))
    if isinstance(choices, list) and choices and finish and not object_of(choices[0]).get("finish_reason"):
        choices[0]["finish_reason"] = finish
    known = string(own.get("id"))
    return {**({"id": known} if known else {}), **answer}


def _usage(row: Record, said: Body, own: Body, outputs: Body) -> object:
    """Return usage in OpenAI's terms: the message's own, else the provider's, else the run's."""
    metadata = object_of(said.get("usage_metadata")) or object_of(outputs.get("usage_metadata"))
    if metadata:
        inside, outside = (object_of(metadata.get(f"{end}_token_details")) for end in ("input", "output"))
        return usage_body(
            inputs=metadata.get("input_tokens"),
            outputs=metadata.get("output_tokens"),
            cached=inside.get("cache_read"),
            written=inside.get("cache_creation"),
            reasoning=outside.get("reasoning"),
            total=metadata.get("total_tokens"),
        )
    provider = object_of(own.get("token_usage")) or object_of(object_of(outputs.get("llm_output")).get("token_usage"))
    return provider or object_of(outputs.get("usage")) or _row_usage(row)


def _row_usage(row: Record) -> Body | None:
    counts = {name: count(row.get(name)) for name in _COUNTED}
    if not counts["prompt_tokens"] and not counts["completion_tokens"]:
        return None
    inside = object_of(decoded(row.get("prompt_token_details")))
    return {**counts, "prompt_tokens_details": {"cached_tokens": inside.get("cache_read")}}
