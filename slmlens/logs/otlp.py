"""OTLP JSON: the spans and log records of an export request, through ``opentelemetry-proto-json``.

Tolerated beyond the specification: snake case keys, enums as text, ids in base64 (what dumping the protobufs gives),
and ``arrayValue: {}``.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from slmlens.logs import attributes as dialect
from slmlens.logs.dialects import answer_body
from slmlens.logs.envelope import envelope_fields, tag_texts
from slmlens.logs.exchange import NotACallError, string
from slmlens.logs.framework_messages import decoded, message
from slmlens.logs.spans import LLM, OTHER, Event, Span, put
from slmlens.logs.units import utc_microseconds

if TYPE_CHECKING:
    from opentelemetry.proto_json.common.v1.common import AnyValue, KeyValue
    from opentelemetry.proto_json.logs.v1.logs import LogRecord
    from opentelemetry.proto_json.trace.v1.trace import Span as ProtoSpan

Record = Mapping[str, object]

_CONTAINERS = {
    "resourceSpans": ("scopeSpans", "instrumentationLibrarySpans", "spans", "span"),
    "resourceLogs": ("scopeLogs", "instrumentationLibraryLogs", "logRecords", "log"),
}
_KEYS = {
    "trace_id": "traceId", "span_id": "spanId", "parent_span_id": "parentSpanId", "trace_state": "traceState",
    "start_time_unix_nano": "startTimeUnixNano", "end_time_unix_nano": "endTimeUnixNano",
    "time_unix_nano": "timeUnixNano", "observed_time_unix_nano": "observedTimeUnixNano", "event_name": "eventName",
    "string_value": "stringValue", "int_value": "intValue", "bool_value": "boolValue", "double_value": "doubleValue",
    "array_value": "arrayValue", "kvlist_value": "kvlistValue", "bytes_value": "bytesValue",
}  # fmt: skip
_STATUS = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2, "UNSET": 0, "OK": 1, "ERROR": 2}
_FAILED = 2
_DEPTH = 24
_UNREAD = frozenset(
    {"kind", "flags", "links", "severityNumber", "severityText", "traceState", "droppedAttributesCount"}
)
_ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
_NAMELESS_SERVICE = "unknown_service"  # what OpenTelemetry's SDKs write where no service is named
_MESSAGE_EVENTS = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}  # fmt: skip
_CHOICE_EVENT = "gen_ai.choice"
_DETAILS_EVENTS = frozenset({
    "gen_ai.client.inference.operation.details", "gen_ai.content.prompt", "gen_ai.content.completion",
})  # fmt: skip


def is_otlp(record: Record) -> bool:
    """Tell whether a record is an export request of spans or of logs.

    :param record: One line or document.
    """
    return any(isinstance(record.get(key), list) for name in _CONTAINERS for key in (name, _snake(name)))


def parts(record: Record) -> Iterator[Record]:
    """Yield each span or log record of an export request, with its scope and resource.

    :param record: One line or document.
    :returns: Objects ``{span | log, scope, resource}``; what is no object stands under ``broken``.
    """
    for container, (scoped, older, inner, kind) in _CONTAINERS.items():
        for resource_part in _listed(record, container):
            held = resource_part if isinstance(resource_part, dict) else {}
            resource = held.get("resource")
            groups = _listed(held, scoped) or _listed(held, older)
            for group in groups or [resource_part]:
                scope = group.get("scope") if isinstance(group, dict) else None
                members = _listed(group, inner) if isinstance(group, dict) else []
                for one in members or ([] if isinstance(group, dict) else [group]):
                    key = kind if isinstance(one, dict) else "broken"
                    yield {key: one, "scope": scope, "resource": resource}


def read_part(part: Record) -> Span:
    """Return the span that one element of :func:`parts` stands for.

    :param part: ``{span | log, scope, resource}``.
    :raises NotACallError: If it breaks the OTLP specification.
    """
    try:
        if "span" in part:
            return _span(part)
        if "log" in part:
            return _log(part)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise NotACallError("a span or log record that is not valid OTLP JSON", rejected=True) from None
    raise NotACallError("a span or log record that is no object", rejected=True)


def plain_attributes(pairs: Sequence[KeyValue]) -> dict[str, object]:
    """Return attributes as plain values; bytes become base64 text.

    :param pairs: The attributes as parsed.
    """
    return {pair.key: _plain(pair.value) for pair in pairs if pair.key is not None}


def _span(part: Record) -> Span:
    from opentelemetry.proto_json.trace.v1.trace import Span as Proto

    parsed = Proto.from_dict(_spelt(part["span"]))
    found = plain_attributes(parsed.attributes)
    role = dialect.role_of_span(found, parsed.name or "")
    span = _common(part, found, role, parsed.trace_id, parsed.span_id)
    span.parent = _id(parsed.parent_span_id)
    span.name = parsed.name or None
    put(span.values, "started", "start_time_unix_nano", parsed.start_time_unix_nano or None)
    put(span.values, "ended", "end_time_unix_nano", parsed.end_time_unix_nano or None)
    put(span.values, "ttft", "ttft_ms", _until_spoken(parsed.start_time_unix_nano, found))
    code = parsed.status.code if parsed.status is not None else None
    span.failed = code is not None and int(code) == _FAILED
    if role == LLM:
        span.request = dialect.read_request(found)
        span.response = dialect.read_response(found)
        _read_span_events(span, parsed)
    return span


def _until_spoken(started: int | None, found: Record) -> float | None:
    """Return the milliseconds from the start to what Langfuse's SDK notes as the first token, in JSON's quotes."""
    noted = found.get("langfuse.observation.completion_start_time")
    if noted is None:
        return None
    began, spoke = utc_microseconds(started), utc_microseconds(decoded(noted))
    return (spoke - began) / 1_000 if began is not None and spoke is not None and spoke >= began else None


def _read_span_events(span: Span, parsed: ProtoSpan) -> None:
    """Read content that older conventions keep in the events of the span."""
    listed: list[object] = []
    for event in parsed.events:
        found = plain_attributes(event.attributes)
        if event.name in _MESSAGE_EVENTS:
            listed.append(message({"role": _MESSAGE_EVENTS[event.name], **found}))
        elif event.name == _CHOICE_EVENT and _is_empty(span.response):
            span.response = _merged(span.response, answer_body(found))
        elif event.name == "gen_ai.content.prompt" and span.request is None:
            span.request = dialect.read_request({"gen_ai.prompt": found.get("gen_ai.prompt")})
        elif event.name == "gen_ai.content.completion" and _is_empty(span.response):
            said = dialect.read_response({"gen_ai.completion": found.get("gen_ai.completion")})
            span.response = _merged(span.response, said)
    if listed and (span.request is None or "messages" not in span.request):
        span.request = {**(span.request or {}), "messages": listed}


def _is_empty(response: object) -> bool:
    return response is None or (isinstance(response, dict) and response.get("choices") == [])


def _merged(known: object, said: object) -> object:
    return {**known, **said} if isinstance(known, dict) and isinstance(said, dict) else said


def _log(part: Record) -> Span:
    from opentelemetry.proto_json.logs.v1.logs import LogRecord as Proto

    parsed = Proto.from_dict(_spelt(part["log"]))
    found = plain_attributes(parsed.attributes)
    name = parsed.event_name or string(found.get("event.name")) or ""
    when = parsed.time_unix_nano or parsed.observed_time_unix_nano or 0
    role = LLM if name in _DETAILS_EVENTS or name in _MESSAGE_EVENTS or name == _CHOICE_EVENT else OTHER
    span = _common(part, found, role, parsed.trace_id, parsed.span_id)
    span.details = True
    put(span.values, "started", "start_time_unix_nano", when or None)
    if name in _DETAILS_EVENTS:
        span.role = dialect.role_of_span({"gen_ai.operation.name": "chat", **found})
        span.request, span.response = dialect.read_request(found), dialect.read_response(found)
        span.failed = "error.type" in found
    elif role == LLM:
        span.event = _event(name, parsed, when)
    return span


def _event(name: str, parsed: LogRecord, when: int) -> Event:
    body = _plain(parsed.body)
    body = body if isinstance(body, dict) else {"content": body}
    if name == _CHOICE_EVENT:
        answer = answer_body(body if "message" in body else {"message": body})
        return Event(when, None, answer if isinstance(answer, dict) else None)
    role = _MESSAGE_EVENTS[name]
    return Event(when, message({"role": role, **{key: one for key, one in body.items() if one is not None}}), None)


def _common(part: Record, found: dict[str, object], role: str, trace_id: bytes | None, span_id: bytes | None) -> Span:
    scope, resource = part.get("scope"), _resource(part.get("resource"))
    span = Span(role, _id(trace_id), _id(span_id))
    span.scope = str(scope.get("name") or "") if isinstance(scope, dict) else ""
    span.strong = dialect.declared_step(found)
    span.values = dialect.fields_of(found)
    service = string(resource.get("service.name"))
    if service and not service.startswith(_NAMELESS_SERVICE):
        put(span.values, "service", "service_name", service)
    own, tags = envelope_fields(
        {"own": {key.rsplit(".", 1)[-1]: value for key, value in found.items() if _is_own(key)}}
    )
    for name in ("session", "user"):
        if name in own:
            put(span.values, name, own[name].alias, own[name].value)
    environment = resource.get("deployment.environment", resource.get("deployment.environment.name"))
    span.tags = [*tag_texts(found.get("tag.tags") or found.get("langfuse.trace.tags")), *tags]
    if isinstance(environment, str):
        span.tags.append(f"environment:{environment}")
    return span


def _is_own(key: str) -> bool:
    """Tell whether an attribute is the application's own, not a convention's."""
    return key.startswith(("traceloop.association.properties.", "langfuse.trace.metadata.", "ai.telemetry.metadata."))


def _resource(raw: object) -> dict[str, object]:
    from opentelemetry.proto_json.common.v1.common import KeyValue

    listed = raw.get("attributes") if isinstance(raw, dict) else None
    pairs = [KeyValue.from_dict(one) for one in _spelt(listed or [])]  # type: ignore[arg-type] # it raises by itself
    return plain_attributes(pairs)


def _spelt(value: object, depth: int = _DEPTH) -> dict[str, object]:
    """Return the object with the specification's spelling of keys, ids and enums, so that the library takes it."""
    return _respelt(value, depth)  # type: ignore[return-value] # the library refuses what is no object


def _respelt(value: object, depth: int) -> object:
    if depth <= 0:
        message_text = "nested too deeply"
        raise ValueError(message_text)
    if isinstance(value, list):
        return [_respelt(one, depth - 1) for one in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, object] = {}
    for raw_key, one in value.items():
        key = _KEYS.get(str(raw_key), str(raw_key))
        if key in _UNREAD:
            continue
        if key in _ID_BYTES:
            made[key] = _hex(one, _ID_BYTES[key])
        elif key == "status" and isinstance(one, dict):
            code = one.get("code")
            made[key] = {**one, "code": _STATUS.get(code, 0) if isinstance(code, str) else code or 0}
        else:
            made[key] = _respelt(one, depth - 1) if isinstance(one, (dict, list)) else one
    return made


def _hex(value: object, size: int) -> object:
    """Return an id in hexadecimal; a dump of the protobufs has it in base64."""
    if isinstance(value, str) and len(value) == -(-size // 3) * 4 and value.endswith("="):
        try:
            return base64.b64decode(value, validate=True).hex()
        except (binascii.Error, ValueError):
            return value
    return value if value is not None else ""


def _id(raw: bytes | None) -> str | None:
    return raw.hex() if raw and any(raw) else None


def _plain(value: AnyValue | None) -> object:
    if value is None:
        return None
    if value.array_value is not None:
        return [_plain(one) for one in value.array_value.values]
    if value.kvlist_value is not None:
        return plain_attributes(value.kvlist_value.values)
    if value.bytes_value is not None:
        return base64.b64encode(value.bytes_value).decode()
    held = (value.string_value, value.int_value, value.bool_value, value.double_value)
    one = next((one for one in held if one is not None), None)
    return None if isinstance(one, float) and not math.isfinite(one) else one


def _listed(held: Record, key: str) -> list[object]:
    value = held.get(key, held.get(_snake(key)))
    return value if isinstance(value, list) else []


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
