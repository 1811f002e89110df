"""Phoenix' spans, flat, nested or as a table's columns, are the same calls that OpenInference sent as OTLP."""

from __future__ import annotations

import json

import pytest

from slmlens.logs.otlp import plain_attributes
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor


def otlp_spans(path) -> list[dict[str, object]]:
    """Return the spans of an OTLP file as Phoenix' API would tell them, attributes flat."""
    from opentelemetry.proto_json.trace.v1.trace import Span as Proto

    rows = []
    for line in path.read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for one in scope["spans"]:
                    found = plain_attributes(Proto.from_dict(one).attributes)
                    rows.append({
                        "name": one["name"], "span_kind": found.get("openinference.span.kind", "UNKNOWN"),
                        "context": {"trace_id": one["traceId"], "span_id": one["spanId"]},
                        "parent_id": one.get("parentSpanId") or None, "attributes": found,
                        "status_code": "ERROR" if one.get("status", {}).get("code") == 2 else "OK",
                        "start_time": int(one["startTimeUnixNano"]) // 1000,
                        "end_time": int(one["endTimeUnixNano"]) // 1000,
                    })  # fmt: skip
    return rows


def nested(flat: dict[str, object]) -> dict[str, object]:
    """Return dotted keys as objects within objects; numbered ones stay keys."""
    made: dict[str, object] = {}
    for path, value in flat.items():
        *heads, last = path.split(".")
        at = made
        for head in heads:
            at = at.setdefault(head, {})
            if not isinstance(at, dict):
                break
        else:
            at[last] = value
    return made


def as_table(row: dict[str, object]) -> dict[str, object]:
    columns = {f"attributes.{key}": one for key, one in row["attributes"].items()}
    context = {f"context.{key}": one for key, one in row["context"].items()}
    return {**{key: one for key, one in row.items() if key not in ("attributes", "context")}, **context, **columns}


SHAPES = {
    "flat": lambda row: row,
    "nested": lambda row: {**row, "attributes": nested(row["attributes"])},
    "table": as_table,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_an_export_tells_the_same_calls(shared, tmp_path, shape):
    path = shared / "fixtures/_generated/otlp/openinference-openai-0.1.66.jsonl"
    known = read_calls([path], redactor=PlainRedactor()).calls
    rows = [SHAPES[shape](row) for row in otlp_spans(path)]
    (tmp_path / "spans.jsonl").write_text("\n".join(map(json.dumps, rows)))
    calls = read_calls([tmp_path / "spans.jsonl"], redactor=PlainRedactor())
    assert calls.files["format"].to_list() == ["phoenix"]
    columns = ["message_ids", "answer_id", "model", "input_tokens", "cached_tokens", "output_tokens", "status", "step"]
    told = [one.sort("started_at", "call_id").select(columns).rows() for one in (known, calls.calls)]
    assert told[0] == told[1]
