"""Calls of W&B Weave: one row an operation; those of a model among them are told by their name and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from slmlens.logs.answer_bodies import is_answer_body
from slmlens.logs.dialects import answer_body, request_body
from slmlens.logs.envelope import envelope_fields
from slmlens.logs.exchange import Body, NotACallError, string
from slmlens.logs.framework_messages import decoded, object_of
from slmlens.logs.spans import AGENT, LLM, Span, put

Record = Mapping[str, object]

_SCHEME = "weave:///"
_CLIENT_OP = re.compile(
    r"(openai|anthropic|litellm|mistralai|cohere|groq|google|genai|gemini|vertexai|bedrock|instructor|cerebras)\b.*"
    r"(create|parse|completion|complete|generate|invoke|converse|stream|chat)",
    re.IGNORECASE,
)
"""Names that Weave's integrations give to the methods of a provider's client."""

_NESTED = frozenset({"inputs", "output", "attributes", "summary"})
_OF_MODEL = re.compile(r"(summary\.usage|summary\.(?:weave\.)?costs)\.(.+)\.(\w+)")
_OWNED = ("session", "user", "service", "step")


def is_weave(record: Record) -> bool:
    """Tell whether a record is a call of Weave.

    :param record: One row; from a CSV its columns may be flattened.
    """
    return str(record.get("op_name", "")).startswith(_SCHEME) and "trace_id" in record


def parts(row: Record) -> Iterator[Record]:
    """Yield a row with its objects put together again: a CSV has a column for each of their keys, joined by dots.

    :param row: A call.
    """
    flat = {key: one for key, one in row.items() if key.partition(".")[0] in _NESTED and "." in key}
    whole: dict[str, object] = {key: one for key, one in row.items() if key not in flat}
    for key, one in flat.items():
        head, *between, last = _levels(key)
        level = whole.setdefault(head, {})
        for name in between:
            level = level.setdefault(name, {}) if isinstance(level, dict) else None
        if isinstance(level, dict):
            level[last] = one
    yield whole


def _levels(key: str) -> list[str]:
    """Return the keys of a column's name; a model's name among them may have dots of its own."""
    found = _OF_MODEL.fullmatch(key)
    return [*found[1].split("."), found[2], found[3]] if found else key.split(".")


def read_row(row: Record) -> Span:
    """Return the span that a row stands for.

    :param row: A call.
    :raises NotACallError: If it is none.
    """
    name = string(row.get("op_name"))
    if name is None or string(row.get("id")) is None:
        raise NotACallError("no call of Weave", rejected=True)
    operation = name.rsplit("/", maxsplit=1)[-1].split(":", maxsplit=1)[0]
    inputs, output = object_of(decoded(row.get("inputs"))), decoded(row.get("output"))
    role = LLM if _calls_a_model(operation, inputs, output) else AGENT
    span = Span(role, string(row.get("trace_id")), string(row.get("id")), string(row.get("parent_id")))
    span.name = string(row.get("display_name")) or operation
    span.scope = "weave"
    span.version = str(row.get("ended_at") or "")
    span.failed = bool(row.get("exception"))
    _read_attributes(span, row)
    summary = object_of(decoded(row.get("summary")))
    usage = _usage(summary)
    put(span.values, "usage", "usage", usage)
    if role == LLM:
        _read_call(span, row, inputs, output, summary)
    return span


def _calls_a_model(operation: str, inputs: Body, output: object) -> bool:
    if _CLIENT_OP.match(operation):
        return True
    asked = bool({"messages", "prompt", "contents", "input"} & inputs.keys()) and "model" in inputs
    return asked and (is_answer_body(output) if isinstance(output, dict) else False)


def _read_attributes(span: Span, row: Record) -> None:
    own = {key: one for key, one in object_of(decoded(row.get("attributes"))).items() if key != "weave"}
    fields, tags = envelope_fields({"own": own})
    put(span.values, "session", "session_id", string(row.get("thread_id")))
    for name in _OWNED:
        if name in fields:
            put(span.values, name, fields[name].alias, fields[name].value)
    if "step" in fields:
        span.strong = string(fields["step"].value)
    put(span.values, "user", "user_id", string(row.get("wb_user_id")))
    project = string(row.get("project_id"))
    put(span.values, "service", "service", project.rsplit("/", maxsplit=1)[-1] if project else None)
    span.tags = tags


def _usage(summary: Body) -> Body | None:
    """Return the tokens that the summary counts; of several models, those of the one with most."""
    by_model = object_of(summary.get("usage"))
    counts = [one for one in by_model.values() if isinstance(one, dict)]
    return max(counts, key=lambda one: str(one.get("total_tokens") or "").zfill(12), default=None)


def _read_call(span: Span, row: Record, inputs: Body, output: object, summary: Body) -> None:
    put(span.values, "started", "start_time", row.get("started_at"))
    put(span.values, "ended", "end_time", row.get("ended_at"))
    put(span.values, "requested", "requested_model", string(inputs.get("model")))
    models = [name for name, one in object_of(summary.get("usage")).items() if isinstance(one, dict)]
    put(span.values, "model", "model", models[0] if len(models) == 1 else None)
    put(span.values, "cost", "cost_usd", _cost(summary))
    span.request = request_body({key: one for key, one in inputs.items() if key != "self" and one is not None})
    span.response = None if span.failed else (answer_body(output) if output is not None else None)


def _cost(summary: Body) -> float | None:
    costs = object_of(summary.get("costs")) or object_of(object_of(summary.get("weave")).get("costs"))
    parts = [
        one.get(f"{end}_tokens_total_cost")
        for one in costs.values()
        if isinstance(one, dict)
        for end in ("prompt", "completion")
    ]
    known = [float(part) for part in parts if isinstance(part, int | float)]
    return sum(known) if known else None
