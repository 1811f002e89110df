"""Langfuse's observations and traces: one schema in two spellings, inputs and outputs in any framework's dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from slmlens.logs import attributes as dialect
from slmlens.logs.dialects import answer_body, request_body, with_echoed
from slmlens.logs.envelope import envelope_fields, snake, tag_texts
from slmlens.logs.exchange import Body, NotACallError, string
from slmlens.logs.framework_messages import decoded, tool_list
from slmlens.logs.spans import AGENT, LLM, OTHER, TOOL, TRACE, Span, Values, first, put
from slmlens.logs.units import count, utc_microseconds
from slmlens.logs.usage import usage_of_counts

Record = Mapping[str, object]

_ROLES = {"GENERATION": LLM, "AGENT": AGENT, "CHAIN": AGENT, "TOOL": TOOL}
_OBSERVATION_KEYS = frozenset({
    "usage_details", "parent_observation_id", "provided_model_name", "cost_details", "usage_pricing_tier_id",
})  # fmt: skip
_TRACE_KEYS = frozenset({"bookmarked", "release", "public", "session_id", "project_id", "html_path", "total_cost"})
_SCORE_KEYS = frozenset({"data_type", "source", "string_value", "observation_id", "config_id"})
_PLAIN_ENVIRONMENTS = ("default", "langfuse-llm-as-a-judge")
_METADATA_FIELDS = ("session", "user", "step", "service")


def is_langfuse(record: Record) -> bool:
    """Tell whether a record is a trace with its observations, an observation, a trace row or a score.

    :param record: One row or document.
    """
    if isinstance(record.get("observations"), list):
        return isinstance(record.get("trace"), dict) or {"id", "timestamp"} <= record.keys()
    page = _page(record)
    if page:
        return is_langfuse(page[0])
    keys = {snake(key) for key in record}
    if "trace_id" in keys and "id" in keys:
        return bool(_OBSERVATION_KEYS & keys) or _is_score(keys)
    return _is_trace(keys)


def _page(record: Record) -> list[Record]:
    """Return the rows of a page of the API; of anything else none."""
    data = record.get("data") if "meta" in record else None
    rows = data if isinstance(data, list) else []
    return [one for one in rows if isinstance(one, dict) and "data" not in one]


def parts(record: Record) -> Iterator[Record]:
    """Yield the rows of a record: the trace, then its observations; a row stands for itself.

    :param record: A row, a page ``{data, meta}`` of the API, ``{trace, observations}``, or a trace that holds its
        observations.
    """
    observations = record.get("observations")
    if not isinstance(observations, list):
        yield from _page(record) or (record,)
        return
    trace = record.get("trace")
    yield trace if isinstance(trace, dict) else {key: one for key, one in record.items() if key != "observations"}
    for one in observations:
        if not isinstance(one, str):  # the list of traces names its observations by id only
            yield one if isinstance(one, dict) else {"broken": one}


def read_row(row: Record) -> Span:
    """Return the span that a row stands for.

    :param row: An observation, a trace or a score, in camel or snake case.
    :raises NotACallError: If it is none of them.
    """
    columns = {snake(key): value for key, value in row.items()}
    keys = columns.keys()
    if "trace_id" not in keys:
        if "id" not in keys:
            raise NotACallError("neither a trace nor an observation of Langfuse", rejected=True)
        return _trace(columns)
    if not _OBSERVATION_KEYS & keys and "type" not in keys:
        if _is_score(keys):
            return Span(OTHER, string(columns["trace_id"]), None)
        raise NotACallError("neither a trace nor an observation of Langfuse", rejected=True)
    return _observation(columns)


def _is_trace(keys: set[str]) -> bool:
    return {"id", "timestamp", "name"} <= keys and bool(_TRACE_KEYS & keys) and not {"request", "response"} & keys


def _is_score(keys: AbstractSet[str]) -> bool:
    return keys >= {"name", "value"} and bool(keys & _SCORE_KEYS)


def _trace(columns: Body) -> Span:
    span = Span(TRACE, string(columns.get("id")), None, name=string(columns.get("name")))
    _read_owner(span.values, columns)
    _read_metadata(span, decoded(columns.get("metadata")))
    span.tags = [*_tags(columns), *span.tags]
    return span


def _observation(columns: Body) -> Span:
    kind = string(columns.get("type"))
    role = _ROLES.get(kind.upper(), OTHER) if kind else (LLM if _model(columns) else OTHER)
    span = Span(role, string(columns.get("trace_id")), string(columns.get("id")))
    span.parent = string(columns.get("parent_observation_id"))
    span.name = string(columns.get("name"))
    span.scope = "langfuse"
    span.version = str(columns.get("updated_at") or columns.get("created_at") or "")
    span.failed = columns.get("level") == "ERROR"
    _read_owner(span.values, columns)
    metadata = decoded(columns.get("metadata"))
    _read_metadata(span, metadata)
    span.tags = [*_tags(columns), *span.tags]
    span.strong = string(columns.get("prompt_name")) or span.strong
    if role != LLM:
        put(span.values, "usage", "usage", _usage(columns))
        return span
    found = decoded(metadata.get("attributes")) if isinstance(metadata, dict) else None
    attributes = found if isinstance(found, dict) else {}
    _read_model(span.values, columns, attributes, metadata)
    _read_times(span.values, columns)
    put(span.values, "usage", "usage", _usage(columns))
    put(span.values, "cost", "cost_usd", _cost(columns))
    for field_name, value in dialect.fields_of(attributes).items():
        span.values.setdefault(field_name, value)
    span.request = _request(columns, attributes, metadata)
    span.response = _response(columns, attributes)
    return span


def _read_owner(values: Values, columns: Body) -> None:
    put(values, "session", "session_id", string(columns.get("session_id")))
    put(values, "user", "user_id", string(columns.get("user_id")))


def _read_metadata(span: Span, metadata: object) -> None:
    if not isinstance(metadata, dict):
        return
    own = {key: one for key, one in metadata.items() if key not in ("attributes", "scope", "resourceAttributes")}
    fields, tags = envelope_fields({"own": own})
    for name in _METADATA_FIELDS:
        if name in fields and name != "step":
            put(span.values, name, fields[name].alias, fields[name].value)
    if "step" in fields:
        span.strong = string(fields["step"].value)
    attributes = decoded(metadata.get("attributes"))
    if isinstance(attributes, dict):
        span.strong = dialect.declared_step(attributes) or span.strong
    resource = decoded(metadata.get("resourceAttributes"))
    service = string(resource.get("service.name")) if isinstance(resource, dict) else None
    if service and not service.startswith("unknown_service"):
        put(span.values, "service", "service_name", service)
    span.tags += tags


def _tags(columns: Body) -> list[str]:
    environment = string(columns.get("environment"))
    tags = tag_texts(decoded(columns.get("tags") or columns.get("trace_tags")))
    return [*tags, f"environment:{environment}"] if environment and environment not in _PLAIN_ENVIRONMENTS else tags


def _model(columns: Body) -> str | None:
    return string(first(columns, ("provided_model_name", "model")))


def _read_model(values: Values, columns: Body, attributes: Body, metadata: object) -> None:
    own = metadata if isinstance(metadata, dict) else {}
    served = string(first(attributes, ("gen_ai.response.model", "ai.response.model")))
    put(values, "model", "model", served or _model(columns))
    put(values, "requested", "requested_model", first(attributes, ("gen_ai.request.model", "ai.model.id")))
    put(values, "requested", "requested_model", string(own.get("ls_model_name")))
    put(values, "provider", "provider", string(own.get("ls_provider")))


def _read_times(values: Values, columns: Body) -> None:
    started = columns.get("start_time")
    put(values, "started", "start_time", started)
    put(values, "ended", "end_time", columns.get("end_time"))
    put(values, "latency", "latency_s", columns.get("latency"))
    put(values, "ttft", "ttft_s", columns.get("time_to_first_token"))
    began, spoke = utc_microseconds(started), utc_microseconds(columns.get("completion_start_time"))
    if began is not None and spoke is not None and spoke >= began:
        put(values, "ttft", "ttft_ms", (spoke - began) / 1_000)


def _cost(columns: Body) -> object:
    """Return the cost that Langfuse computed, in USD; without details a zero means that it knew no price."""
    details = decoded(columns.get("cost_details"))
    total = first(columns, ("total_cost", "calculated_total_cost"))
    if isinstance(details, dict) and details:
        return details.get("total", total)
    return total or None


def _usage(columns: Body) -> Body | None:
    """Return usage in OpenAI's terms, out of details or of the columns that came before them."""
    details = decoded(first(columns, ("usage_details", "usage")))
    counts = {key.lower(): number for key, value in _items(details) if (number := count(value)) is not None}
    legacy = {"input": "input_usage", "output": "output_usage", "total": "total_usage"}
    older = {"input": "prompt_tokens", "output": "completion_tokens", "total": "total_tokens"}
    for names in (legacy, older):
        for key, name in names.items():
            number = count(columns.get(name))
            if key not in counts and number:
                counts[key] = number
    return usage_of_counts(counts)


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _request(columns: Body, attributes: Body, metadata: object) -> Body | None:
    body = with_echoed(request_body(columns.get("input")), decoded(columns.get("output")))
    body = body or dialect.read_request(attributes)
    tools = tool_list(decoded(columns.get("tool_definitions")))
    tools = tools or (tool_list(metadata.get("tools")) if isinstance(metadata, dict) else [])
    if not tools:
        asked = dialect.read_request(attributes) or {}
        declared = asked.get("tools")
        tools = declared if isinstance(declared, list) else []
    if tools and body is not None and not body.get("tools"):
        body["tools"] = tools
    parameters = decoded(columns.get("model_parameters"))
    wanted = decoded(parameters.get("response_format")) if isinstance(parameters, dict) else None
    if isinstance(wanted, dict) and body is not None:
        body.setdefault("response_format", wanted)
    return body


def _response(columns: Body, attributes: Body) -> object:
    told = dialect.read_response(attributes)
    said = answer_body(columns.get("output"))
    if not isinstance(said, dict):
        return told if said is None else said
    known = {key: told[key] for key in ("id", "service_tier") if key in told} if isinstance(told, dict) else {}
    choices = said.get("choices")
    theirs = told.get("choices") if isinstance(told, dict) else None
    if isinstance(choices, list) and choices and not choices[0].get("finish_reason"):
        if isinstance(theirs, list) and theirs:
            choices[0]["finish_reason"] = theirs[0].get("finish_reason")
        else:
            choices[0]["finish_reason"] = dialect.finish_of(attributes)
    return {**known, **said}
