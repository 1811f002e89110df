"""What clouds log of a call: Bedrock's invocation log and Vertex AI's request-response table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs.exchange import string
from slmlens.logs.framework_messages import decoded, object_of
from slmlens.logs.provider_bodies import recorded
from slmlens.logs.trajectories import listed
from slmlens.logs.units import count
from slmlens.logs.usage import usage_body, with_cached_inside

Record = Mapping[str, object]

_METRICS = "amazon-bedrock-invocationMetrics"
_SESSION_KEYS = ("session_id", "sessionId", "conversation_id", "conversationId", "thread_id")


def is_bedrock(record: Record) -> bool:
    """Tell whether a record is an entry of Bedrock's invocation log.

    :param record: One entry; CloudWatch keeps it as the text ``message``.
    """
    inner = object_of(decoded(record.get("message"))) if "message" in record else {}
    return "ModelInvocationLog" in (record.get("schemaType"), inner.get("schemaType"))


def bedrock_calls(record: Record) -> Iterator[Record]:
    """Yield the call of an entry; of bodies that were written to S3 only the counts are known.

    :param record: An entry.
    """
    entry = record if "schemaType" in record else object_of(decoded(record.get("message")))
    asked, answered = object_of(entry.get("input")), object_of(entry.get("output"))
    request, response = decoded(asked.get("inputBodyJson")), decoded(answered.get("outputBodyJson"))
    chunks = listed(response)
    metrics = next((object_of(one[_METRICS]) for one in reversed(chunks) if _METRICS in one), {})
    metrics = metrics or object_of(object_of(response).get("metrics"))
    about = object_of(entry.get("requestMetadata"))
    read, written = (count(asked.get(f"cache{end}InputTokenCount")) for end in ("Read", "Write"))
    inside = count(asked.get("inputTokenCount", metrics.get("inputTokenCount")))
    outside = count(answered.get("outputTokenCount", metrics.get("outputTokenCount")))
    usage = usage_body(inputs=with_cached_inside(inside, read, written), outputs=outside, cached=read, written=written)
    model = string(entry.get("modelId"))
    yield {
        **recorded(request, response),
        "id": entry.get("requestId"),
        "model": model.rsplit("/", maxsplit=1)[-1] if model else None,
        "provider": "aws.bedrock",
        "timestamp": entry.get("timestamp"),
        "latency_ms": metrics.get("invocationLatency", metrics.get("latencyMs")),
        "ttft_ms": metrics.get("firstByteLatency"),
        "session_id": next((about[key] for key in _SESSION_KEYS if about.get(key)), None),
        "metadata": about,
        "usage": usage,
        **({"error": entry["errorCode"]} if entry.get("errorCode") else {}),
    }


def is_vertex(record: Record) -> bool:
    """Tell whether a record is a row of Vertex AI's request-response table.

    :param record: One row.
    """
    return "logging_time" in record and bool({"full_request", "request_payload"} & record.keys())


def vertex_calls(record: Record) -> Iterator[Record]:
    """Yield the call of a row.

    :param record: A row.
    """
    request, response = (_payload(record, end) for end in ("request", "response"))
    labels = object_of(object_of(request).get("labels"))
    model = string(record.get("model"))
    yield {
        **recorded(request, response, f"/models/{model}" if model else None),
        "id": record.get("request_id"),
        "model": model.rsplit("/", maxsplit=1)[-1] if model else None,
        "provider": "gcp.vertex_ai",
        "timestamp": record.get("logging_time"),
        "metadata": {**labels, **object_of(decoded(record.get("metadata")))},
    }


def _payload(record: Record, end: str) -> object:
    whole = decoded(record.get(f"full_{end}"))
    if whole not in (None, {}, []):
        return whole
    pieces = record.get(f"{end}_payload")
    return decoded("".join(map(str, pieces)) if isinstance(pieces, list) else pieces)
