"""The rules that every reader keeps, each held by a real file. Those below miss elsewhere; the others stand in:

* calls are leaves: ``test_trace_fixtures`` (Vercel's and Weave's parents carry other numbers than their children;
  MLflow's traces and Inspect's totals are not read), ``test_langfuse``, ``test_otlp``
* calls seen twice count once: ``test_trace_fixtures.test_a_trace_export_and_its_logs_read_together_...``
* what a call adds to the one before it: ``test_trace_fixtures.test_each_range_of_inspects_message_pool_...``
* cached tokens of both conventions: below, and ``test_real_logs.test_bodies_of_every_provider_...``
* units of time and money: below
* JSON inside strings: ``test_trace_fixtures`` (MLflow's attributes, Langfuse's texts), ``test_export_shapes``
* errors without model or answer: ``test_trace_fixtures.test_the_same_recorded_calls_...`` (a 404 in four dialects)
* streams joined: ``test_real_logs.test_streams_add_up_to_their_answers``
* order by start: below, and the properties of ``test_conservation``
* content left out: ``test_collect``, ``test_golden`` (OpenTelemetry's default keeps no content on spans)
* attachments as placeholders: below
* nothing of a log is run: ``test_trace_fixtures`` (LangChain's constructors), ``test_autogen``
* keys, headers and tracebacks are dropped: below, and ``test_clouds``
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor

FIRST_AND_LATENCIES = {
    "_generated/otlp/openinference-openai-0.1.66.jsonl": (
        "2026-11-21 21:04:50.712", [24.692, 10.543, 1.905, 34.805, 10.985, 373.306],
    ),
    "_generated/litellm/standard_logging_payload.jsonl": (
        "2026-11-21 21:11:11.573", [377.598, 1996.771, 19.082, 40.151],
    ),
    "_generated/litellm/spend_logs_payload.jsonl": ("2026-11-21 21:11:11.573", [377.598, 1996.771, 19.082]),
    "_generated/mlflow/traces_to_json.jsonl": ("2026-11-21 21:13:37.998", [16.122, 7.902, 13.012, 3.744]),
    "_generated/weave/calls_stream_query.jsonl": ("2026-11-21 21:18:43.510", [None, 11.048, 7.135, 2.727]),
    "_generated/langsmith/runs_model_dump.jsonl": ("2026-11-21 21:11:23.246", [16.217, 4.324, 7.285]),
    "langfuse/vercel-aisdk-2025-11-17.trace.json": ("2025-11-17 14:55:18.787", [3043.0]),
}  # fmt: skip
"""The first start of each file, and its latencies in the order of starts, from nanoseconds, seconds or texts."""


def read(path: Path):
    if not path.exists():
        pytest.skip("this file is not among those at hand")
    return read_calls([path], redactor=PlainRedactor())


@pytest.mark.parametrize("name", FIRST_AND_LATENCIES)
def test_times_are_utc_and_latencies_milliseconds_whatever_the_tool_logs(shared, name):
    calls = read(shared / "fixtures" / name).calls.sort("started_at")
    first, latencies = FIRST_AND_LATENCIES[name]
    assert calls["started_at"].dt.strftime("%Y-%m-%d %H:%M:%S%.3f")[0] == first
    assert calls["latency_ms"].to_list() == [
        None if one is None else pytest.approx(one, abs=0.002) for one in latencies
    ]


def test_litellms_first_token_and_cost_are_milliseconds_and_nano_dollars(shared):
    calls = read(shared / "fixtures/_generated/litellm/standard_logging_payload.jsonl").calls.sort("started_at")
    assert calls["ttft_ms"].to_list() == [None, None, pytest.approx(8.081, abs=0.001), None]  # only one was streamed
    assert calls["logged_nusd"].to_list() == [41_850, 29_850, 660_000, 0]


def test_anthropic_counts_cached_tokens_beside_the_input_and_openai_inside(shared):
    beside = read(shared / "fixtures/anthropic_messages/openllmetry_anthropic.jsonl").calls
    inside = read(shared / "fixtures/openai_chat_pairs/openllmetry_chat.jsonl").calls
    # by hand: 4,437 tokens of input, 4,660 read from the cache and 4,660 written to it
    assert beside["input_tokens"].sum() == 4_437 + 4_660 + 4_660
    assert (beside["cached_tokens"].sum(), beside["cache_write_tokens"].sum()) == (4_660, 4_660)
    assert inside["cached_tokens"].sum() == 7_552
    assert inside.filter(pl.col("cached_tokens") > pl.col("input_tokens")).is_empty()


def test_lines_of_a_trace_in_any_order_are_the_same_calls(shared, tmp_path):
    path = shared / "fixtures/_generated/otlp/openllmetry-0.62.4.jsonl"
    turned = tmp_path / path.name
    turned.write_text("\n".join(reversed(path.read_text().splitlines())))
    plain, other = (read(one).calls.drop("source_line").sort("call_id") for one in (path, turned))
    assert plain.equals(other)


@pytest.mark.slow
def test_attachments_are_placeholders_and_their_bytes_are_not_kept(shared):
    path = shared / "logs/pydantic_ai_cassettes/calls.jsonl"
    messages = read(path).messages["text"]
    kinds = ("[image]", "[file]", "[audio]", "[video]")
    assert all(messages.str.contains(kind, literal=True).any() for kind in kinds)
    whole = path.read_text()
    encoded = [part for part in ("iVBORw0KGgo", "JVBERi0x", "/9j/4AAQ") if part in whole]
    assert encoded
    assert not any(messages.str.contains(part, literal=True).any() for part in encoded)


def test_the_traceback_of_a_failed_call_is_not_kept(shared):
    path = shared / "fixtures/_generated/litellm/standard_logging_payload.jsonl"
    failed = [row for row in map(json.loads, path.read_text().splitlines()) if row["status"] == "failure"]
    traced = [row["error_information"]["traceback"] for row in failed]
    assert all("File " in one for one in traced)
    calls = read(path)
    kept = json.dumps([calls.calls.rows(), calls.messages.rows(), calls.notes], default=str)
    assert calls.calls.filter(status="error").height == len(failed) == 1
    assert "File " not in kept
