"""MLflow's traces: ``Trace.to_json()`` and the rows of ``search_traces``, whose spans keep JSON in every attribute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs import attributes as dialect
from slmlens.logs.dialects import answer_body, request_body
from slmlens.logs.exchange import Body, NotACallError, string
from slmlens.logs.framework_messages import decoded, object_of, tool_list
from slmlens.logs.spans import AGENT, LLM, OTHER, TOOL, TRACE, Span, first, put
from slmlens.logs.usage import usage_body

Record = Mapping[str, object]

_ROLES = {
    **dict.fromkeys(("CHAT_MODEL", "LLM"), LLM),
    **dict.fromkeys(("AGENT", "CHAIN", "WORKFLOW", "TASK", "UNKNOWN"), AGENT),
    "TOOL": TOOL,
}
_FAILED = ("ERROR", "STATUS_CODE_ERROR", "2")
_ABOUT = "mlflow trace"


def is_mlflow(record: Record) -> bool:
    """Tell whether a record is a trace of MLflow, or a row of its table of traces.

    :param record: One row or document.
    """
    if isinstance(object_of(record.get("data")).get("spans"), list):
        return "info" in record
    tabled = {"execution_duration", "execution_time_ms", "trace_metadata", "request_metadata"} & record.keys()
    return bool(tabled) and bool({"trace", "spans"} & record.keys())


def parts(record: Record) -> Iterator[Record]:
    """Yield what the trace says of itself, then its spans.

    :param record: ``{info, data}``, or a row whose ``trace`` or ``spans`` hold them.
    """
    whole = object_of(decoded(record.get("trace"))) or record
    info, data = object_of(whole.get("info")), object_of(decoded(whole.get("data")))
    spans = decoded(data.get("spans", record.get("spans")))
    beside = info or {key: decoded(one) for key, one in record.items() if key not in ("trace", "spans")}
    listed = [span for span in spans if isinstance(span, dict)] if isinstance(spans, list) else []
    trace = next((own for own in map(_trace_id, listed) if own), None) or string(beside.get("trace_id"))
    yield {_ABOUT: trace, **beside}
    yield from listed


def read_row(row: Record) -> Span:
    """Return the span that a row stands for.

    :param row: What ``parts`` yields.
    :raises NotACallError: If it is no span.
    """
    if _ABOUT in row:
        return _trace(row)
    own = _span_id(row, "span_id")
    if own is None:
        raise NotACallError("no span of MLflow", rejected=True)
    attributes = {key: decoded(one) for key, one in object_of(decoded(row.get("attributes"))).items()}
    span = Span(_role(attributes), _trace_id(row), own, _span_id(row, "parent_span_id", "parent_id"))
    span.name = string(row.get("name"))
    span.scope = "mlflow"
    status = object_of(row.get("status"))
    span.failed = str(status.get("code", row.get("status_code"))) in _FAILED
    span.strong = dialect.declared_step(attributes)
    put(span.values, "usage", "usage", _usage(attributes))
    if span.role == LLM:
        _read_call(span, row, attributes)
    return span


def _trace(row: Record) -> Span:
    about, tags = (object_of(decoded(row.get(key))) for key in ("trace_metadata", "tags"))
    about = about or object_of(decoded(row.get("request_metadata")))
    span = Span(TRACE, string(row.get(_ABOUT)), None, name=string(tags.get("mlflow.traceName")))
    put(span.values, "session", "session_id", string(about.get("mlflow.trace.session")))
    put(span.values, "user", "user_id", string(about.get("mlflow.trace.user")))
    span.tags = [f"{key}:{one}" for key, one in tags.items() if not key.startswith("mlflow.") and isinstance(one, str)]
    return span


def _trace_id(row: Record) -> str | None:
    return string(row.get("trace_id")) or string(object_of(row.get("context")).get("trace_id"))


def _span_id(row: Record, *keys: str) -> str | None:
    return string(first({**object_of(row.get("context")), **row}, keys))


def _role(attributes: Body) -> str:
    kind = string(attributes.get("mlflow.spanType"))
    return _ROLES.get(kind.upper(), OTHER) if kind else OTHER


def _usage(attributes: Body) -> Body | None:
    counts = object_of(attributes.get("mlflow.chat.tokenUsage"))
    if not counts:
        return None
    return usage_body(
        inputs=counts.get("input_tokens"),
        outputs=counts.get("output_tokens"),
        cached=counts.get("cache_read_input_tokens"),
        written=counts.get("cache_creation_input_tokens"),
        total=counts.get("total_tokens"),
    )


def _read_call(span: Span, row: Record, attributes: Body) -> None:
    put(span.values, "started", "start_time_unix_nano", first(row, ("start_time_unix_nano", "start_time")))
    put(span.values, "ended", "end_time_unix_nano", first(row, ("end_time_unix_nano", "end_time")))
    inputs = attributes.get("mlflow.spanInputs")
    named = (attributes.get("mlflow.llm.model"), attributes.get("model"), object_of(inputs).get("model"))
    put(span.values, "requested", "requested_model", next((one for one in map(string, named) if one), None))
    put(span.values, "provider", "provider", string(attributes.get("mlflow.llm.provider")))
    put(span.values, "cost", "cost_usd", object_of(attributes.get("mlflow.llm.cost")).get("total_cost"))
    span.request = request_body(inputs)
    tools = tool_list(first(attributes, ("mlflow.chat.tools", "tools")))
    if tools and span.request is not None and not span.request.get("tools"):
        span.request["tools"] = tools
    outputs = attributes.get("mlflow.spanOutputs")
    span.response = None if span.failed or outputs is None else answer_body(outputs)
