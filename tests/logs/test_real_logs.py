"""Real logs beside the checkout; the expected figures were counted from the raw files by other means."""

from __future__ import annotations

import csv
import gzip
from collections import Counter

import orjson
import polars as pl
import pytest

from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, texts


def read(*paths, **settings):
    return read_calls(list(paths), redactor=PlainRedactor(), **settings)


def raw_lines(path) -> list[dict]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        return [orjson.loads(line) for line in stream if line.strip()]


def test_the_mixed_agent_log_is_read_whole(shared):
    path = shared / "bench" / "agents_mixed.jsonl.gz"
    calls = read(path)
    with (shared / "bench" / "agents_mixed.gold.csv").open() as stream:
        gold = {row["call_id"]: row for row in csv.DictReader(stream)}
    assert set(calls.calls["call_id"]) == set(gold)
    assert calls.rejects.is_empty()
    sessions = {row["session_id"] for row in gold.values() if row["session_id"]}
    assert calls.calls["session_id"].drop_nulls().n_unique() == len(sessions)
    records = raw_lines(path)
    logged = [record["response"]["usage"] for record in records if "usage" in record["response"]]
    counted = calls.calls.filter(~pl.col("tokens_estimated"))
    assert counted.height == len(logged)
    assert counted["input_tokens"].sum() == sum(usage["prompt_tokens"] for usage in logged)
    assert counted["output_tokens"].sum() == sum(usage["completion_tokens"] for usage in logged)
    lengths = dict(calls.calls.select("call_id", pl.col("message_ids").list.len()).iter_rows())
    assert all(lengths[record["response"]["id"]] == len(record["request"]["messages"]) for record in records)
    distinct = {
        (one["role"], one["content"])
        for record in records
        for one in record["request"]["messages"]
        if "tool_calls" not in one
    }
    stored = {(role, text) for role, text in texts(calls).values()}
    hidden = sum((role, text) not in stored for role, text in distinct)
    assert hidden < 0.02 * len(distinct)  # what the plain redactor changed


@pytest.mark.parametrize(
    ("path", "records", "status"),
    [
        ("fixtures/openai_chat_pairs/openllmetry_chat.jsonl", 232, {"error": 1}),
        ("fixtures/openai_chat_pairs/otel_contrib_chat.jsonl", 33, {"error": 1, "truncated": 0}),
        ("fixtures/openai_responses/otel_contrib_responses.jsonl", 21, {"error": 1, "ok": 20}),
        ("fixtures/frugon_proxy_log/sample_logs.every280th.jsonl", 201, {"ok": 201}),
        ("fixtures/nvidia_flywheel/chat_completion.json", 3, {"ok": 3}),
        ("fixtures/nvidia_flywheel/record.readme_example.json", 1, {"ok": 1}),
        ("logs/autogpt_cassettes/calls.jsonl", 440, {"ok": 440}),
    ],
)
def test_files_of_pairs_are_recognised_and_every_record_is_a_call(shared, path, records, status):
    calls = read(shared / path)
    assert calls.files.select("format", "records", "calls", "rejects").row(0) == ("openai_pairs", records, records, 0)
    found = Counter(calls.calls["status"])
    assert all(found[word] == count for word, count in (status or {}).items())


def test_a_flywheel_record_carries_its_workload_as_the_step(shared):
    call = read(shared / "fixtures/nvidia_flywheel/record.readme_example.json").calls.row(0, named=True)
    assert (call["step"], call["service"]) == ("tool_call_routing", "acme-prod")
    assert (call["input_tokens"], call["output_tokens"], call["call_id"]) == (15, 72, "chatcmpl-abc123")


def test_usage_beside_the_bodies_is_read(shared):
    path = shared / "fixtures/frugon_proxy_log/sample_logs.every280th.jsonl"
    calls, records = read(path).calls, raw_lines(path)
    assert calls["input_tokens"].sum() == sum(record["usage"]["prompt_tokens"] for record in records)
    assert calls["output_tokens"].sum() == sum(record["usage"]["completion_tokens"] for record in records)
    assert not calls["tokens_estimated"].any()
    assert calls["started_at"].null_count() == 0


def test_streams_add_up_to_their_answers(shared):
    path = shared / "fixtures/openai_responses/otel_contrib_responses.jsonl"
    calls, records = read(path), raw_lines(path)
    streamed = [number for number, record in enumerate(records, start=1) if "response_stream" in record]
    rows = calls.calls.filter(pl.col("source_line").is_in(streamed))
    assert rows.height == len(streamed) == 9
    assert rows["answer_id"].null_count() == 0
    assert rows["output_tokens"].min() > 0


FOREIGN = {
    "crewai": (1123, {"gemini": (83, 40_411, 9_633), "converse": (21, 11_014, 1_518), "ollama": (2, 219, 46)}),
    "openinference": (223, {"gemini": (37, 6_664, 4_509), "converse": (5, 534, 162), "ollama": (9, 742, 4_263)}),
    "openllmetry": (
        1009,
        {
            "gemini": (2, 10, 3_742), "converse": (20, 528, 640), "ollama": (30, 438, 1_484),
            "cohere": (46, 12_634, 3_526), "titan": (6, 155, 498), "llama": (6, 498, 489),
        },
    ),
    "pydantic_ai": (
        1676, {"gemini": (362, 230_110, 82_139), "converse": (167, 108_814, 12_819), "cohere": (13, 3_292, 934)},
    ),
}  # fmt: skip
"""Records in all; per dialect the answers, and the tokens of those that log both counts, added up from raw bodies."""


def dialect_of(record: dict) -> str | None:
    said = record["response"]
    if isinstance(said, str):
        told = {'"eval_count"': "ollama", '"event_type"': "cohere", "event: message-end": "cohere"}
        return next((name for mark, name in told.items() if mark in said), None)
    keys = {"usageMetadata": "gemini", "stopReason": "converse", "eval_count": "ollama", "generation_id": "cohere",
            "results": "titan", "generation": "llama"}  # fmt: skip
    found = next((name for key, name in keys.items() if key in (said or ())), None)
    return found or ("cohere" if isinstance(said, dict) and {"finish_reason", "message"} <= said.keys() else None)


@pytest.mark.parametrize("name", FOREIGN)
def test_bodies_of_every_provider_are_read_wherever_a_pair_holds_them(shared, name):
    path = shared / "logs" / f"{name}_cassettes" / "calls.jsonl"
    calls, records = read(path), raw_lines(path)
    lines = pl.DataFrame(
        {
            "source_line": range(1, len(records) + 1),
            "dialect": [dialect_of(record) for record in records],
        }
    )
    answers = calls.calls.join(lines, on="source_line").filter(pl.col("dialect").is_not_null())
    whole = answers.filter(~pl.col("tokens_estimated")).group_by("dialect")
    found = whole.agg(asked=pl.col("input_tokens").sum(), said=pl.col("output_tokens").sum())
    in_all, by_hand = FOREIGN[name]
    assert calls.files.row(0, named=True)["records"] == in_all == len(records)
    assert dict(answers["dialect"].value_counts().iter_rows()) == {one: n for one, (n, *_) in by_hand.items()}
    assert {one: told for one, *told in found.iter_rows()} == {one: told for one, (_, *told) in by_hand.items()}
    # one page of a test server that is no model's answer
    assert calls.rejects.height == (name == "pydantic_ai")


def test_claude_code_fixtures(shared):
    calls = read(shared / "fixtures" / "claude_code")
    counts = {
        row["file"]: (row["records"], row["calls"], row["rejects"], row["other"])
        for row in calls.files.iter_rows(named=True)
    }
    # by hand: three lines are no objects, two have a message without content, one has no type
    assert counts["edge_cases.jsonl"] == (19, 4, 6, 9)
    assert counts["sample_session.jsonl"] == (8, 3, 0, 5)
    assert counts["session_b.jsonl"] == (3, 1, 0, 2)
    assert counts["sample_session.json"][:3] == (33, 15, 0)
    assert counts["SOURCE.txt"] == (0, 0, 0, 0)
    assert set(calls.calls["billing"]) == {"seat"}
    by_id = {row["call_id"]: row for row in calls.calls.iter_rows(named=True)}
    assert by_id["edge_004"]["tool_calls"][0]["name"] == "FailingTool"
    assert by_id["edge_004"]["input_tokens"] == 200


def test_the_gold_table_beside_a_log_is_skipped_with_a_note(shared):
    calls = read(shared / "bench")
    formats = dict(calls.files.select("file", "format").iter_rows())
    assert formats["agents_mixed.gold.csv"] is None
    assert calls.calls.height == 6189
    assert any("agents_mixed.gold.csv" in note for note in calls.notes)


@pytest.mark.slow
def test_every_trap_is_read_whole(traps):
    for path in sorted(traps.glob("*.jsonl")):
        calls = read(path)
        assert calls.files.row(0, named=True)["calls"] == len(raw_lines(path)), path.name
        assert calls.calls["session_id"].null_count() == 0
