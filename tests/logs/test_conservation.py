"""Whatever a file holds, nothing crashes, every record is accounted for, and order does not matter."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import orjson
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from slmlens.errors import InputError
from slmlens.logs.decode import UnreadableError, decode
from slmlens.logs.draft import Place
from slmlens.logs.exchange import NotACallError
from slmlens.logs.formats import FORMATS, detect
from slmlens.logs.normalise import Normaliser
from slmlens.logs.read import read_calls
from slmlens.logs.threads import ThreadReader
from slmlens.results import Calls
from tests.logs.conftest import PlainRedactor, pair

SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck)}

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def claude_line(kind: str, n: int) -> dict[str, object]:
    content: object = "Rename the function."
    if kind == "assistant":
        content = [
            {"type": "text", "text": "Done."},
            {"type": "tool_use", "id": "t1", "name": "Edit", "input": {"a": 1}},
        ]
    return {
        "type": kind,
        "uuid": f"u{n}",
        "parentUuid": f"u{n - 1}",
        "sessionId": "s",
        "isSidechain": False,
        "timestamp": "2026-09-01T10:00:00Z",
        "requestId": "r",
        "cwd": "/home/ana/shop",
        "message": {
            "role": kind,
            "id": f"msg_{n}",
            "model": "claude-sonnet-4-5",
            "content": content,
            "usage": {"input_tokens": 3, "output_tokens": 4},
        },
    }


VALID = [
    pair(session_id="s-1", timestamp="2026-09-01T10:00:00Z", latency_ms=3, tags=["a"], metadata={"step": "triage"}),
    pair(
        answer=None,
        message={"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    ),
    pair(
        request={"tools": [{"type": "function", "function": {"name": "f"}}], "response_format": {"type": "json_object"}}
    ),
    {
        "request": {
            "model": "gpt-4o",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
            "instructions": "Be brief.",
        },
        "response": {
            "object": "response",
            "id": "resp_1",
            "status": "completed",
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}],
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
    },
    {
        "url": "https://api.openai.com/v1/chat/completions",
        "status": 200,
        "request": {"messages": [{"role": "user", "content": "Hi"}]},
        "response_stream": (
            'data: {"id":"c","object":"chat.completion.chunk",'
            '"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        ),
    },
    {
        "request": {
            "max_tokens": 5,
            "system": "Be brief.",
            "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "7"}]}],
        },
        "response": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Seven"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 1},
        },
    },
    claude_line("user", 1),
    claude_line("assistant", 2),
]


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """A valid record in which one to three places, at any depth, hold something else."""
    record = orjson.loads(orjson.dumps(draw(st.sampled_from(VALID))))
    for _ in range(draw(st.integers(1, 3))):
        node = record
        while True:
            keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            child = node[key]
            if isinstance(child, dict | list) and draw(st.booleans()):
                node = child
                continue
            node[key] = draw(junk)
            break
    return record


LINES = st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"").replace(b"\0", b""))


def conserved(calls: Calls) -> bool:
    files = calls.files
    parts = pl.sum_horizontal("calls", "parents", "duplicates", "rejects", "other")
    return bool(files.select((pl.col("records") == parts).all()).item())


def read_lines(lines: list[bytes], folder: str) -> Calls | None:
    path = Path(folder) / "log.jsonl"
    path.write_bytes(b"\n".join(lines))
    try:
        return read_calls([path], redactor=PlainRedactor())
    except InputError as error:
        assert folder not in str(error)  # noqa: PT017 - an error is one of the two allowed outcomes
        return None


def json_bytes(record: object) -> bytes:
    return json.dumps(record).encode("utf-8", "replace")


@settings(max_examples=400, **SETTINGS)
@given(mutated())
def test_a_record_with_junk_in_any_place_is_a_call_or_has_a_reason(record):
    normaliser = Normaliser(PlainRedactor())
    record = decode(json_bytes(record))
    form = detect([record]) or FORMATS[-1]
    place = Place(0, 1, b"")
    try:
        if form.thread is None:
            normaliser.call(record, form, place)
        else:
            thread = ThreadReader(form, form.thread, normaliser)
            thread.add(record, place)
            thread.end_file(0)
            thread.finish()
    except (NotACallError, UnreadableError) as cause:
        assert str(cause)  # noqa: PT017 - the reason is one of the two allowed outcomes


@settings(max_examples=12, **SETTINGS)
@given(st.lists(mutated() | junk, min_size=10, max_size=40), st.integers(0, 2))
def test_every_record_is_counted_once(records, valid):
    lines = [json_bytes(record) for record in [*VALID[:valid], *records]]
    with tempfile.TemporaryDirectory() as folder:
        calls = read_lines(lines, folder)
    if calls is not None:
        assert conserved(calls)
        assert calls.files["records"].sum() == sum(bool(line.strip()) for line in lines)


@settings(max_examples=12, **SETTINGS)
@given(st.lists(LINES, min_size=5, max_size=30))
def test_bytes_that_are_no_log_never_crash_and_leave_no_text_in_the_rejects(lines):
    with tempfile.TemporaryDirectory() as folder:
        calls = read_lines([json_bytes(VALID[0]), *lines], folder)
    if calls is None:
        return
    assert conserved(calls)
    for shape in calls.rejects["shape"]:
        assert len(shape) <= 80
        assert all(sign in "a9" or not sign.isalnum() for sign in shape)


@settings(max_examples=6, **SETTINGS)
@given(st.randoms(use_true_random=False))
def test_shuffled_lines_give_the_same_tables(rng: random.Random):
    records = [
        pair(
            f"Where is parcel {n % 7}?",
            f"At stop {n % 3}.",
            session_id=f"s-{n % 4}",
            response={"id": f"c-{n % 9}", "created": 1_780_000_000 + n % 5},
        )
        for n in range(24)
    ]
    shuffled = rng.sample(records, len(records))
    with tempfile.TemporaryDirectory() as folder:
        first = read_lines([json_bytes(one) for one in records], folder)
        second = read_lines([json_bytes(one) for one in shuffled], folder)
    assert first is not None
    assert second is not None
    assert_frame_equal(first.calls.drop("source_line"), second.calls.drop("source_line"))
    assert_frame_equal(first.messages, second.messages)


def test_splitting_a_log_over_files_gives_the_same_calls(tmp_path):
    records = [pair(f"Parcel {n}?", response={"id": f"c-{n}", "created": 1_780_000_000 + n}) for n in range(10)]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "all.jsonl").write_bytes(b"\n".join(map(json_bytes, records)))
    (tmp_path / "two" / "a.jsonl").write_bytes(b"\n".join(map(json_bytes, records[5:])))
    (tmp_path / "two" / "b.json").write_bytes(json_bytes(records[:5]))
    whole = read_calls([tmp_path / "one"], redactor=PlainRedactor())
    parts = read_calls([tmp_path / "two"], redactor=PlainRedactor())
    where = ["source_file", "source_line"]
    assert_frame_equal(whole.calls.drop(where), parts.calls.drop(where))
    assert_frame_equal(whole.messages, parts.messages)
