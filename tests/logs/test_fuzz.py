"""Every reader against records that no tool would write: nothing crashes, nothing is lost, nothing private gets out."""

from __future__ import annotations

import gzip
import json
import random
import re
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from slmlens.errors import InputError
from slmlens.logs.formats import FORMATS
from slmlens.logs.read import read_calls
from slmlens.results import Calls
from slmlens.tables import CallsTable, FilesTable, MessagesTable, RejectsTable
from tests.logs.conftest import PlainRedactor
from tests.logs.seeds import MAIL, SEEDS

NAMES = [form.name for form in FORMATS]
UNREGISTERED = sorted(SEEDS.keys() - set(NAMES))
SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": [Phase.generate],  # shrinking a log takes minutes
    "suppress_health_check": list(HealthCheck),
}

HUGE, DEEP = "@huge@", "@deep%d@"
JUNK = [
    None, True, False, 0, 1, -1, -(10**18), 2**53, 2**63, 10**30, 10**400, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), float("-inf"), "", " ", "x", "0", "-7", "1e999", "NaN", "\0", "\ud800", "a\udfff\ud800b", "\ufeff{}",
    "9" * 5000, "1.5", "2026-09-01T10:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01", "null", "[]", "{}", "[1]", '{"a":',
    '["a", {"b": [null]}]', '{"role": "user", "content": {"content": {"text": 7}}}', MAIL, f'{{"{MAIL}": "{MAIL}"}}',
    [], {}, [[]], [None], [1, "a", {}], [[[{"text": MAIL}]]], {"": None}, {"a": {"b": {"c": []}}}, {MAIL: MAIL},
    {"id": {"id": 3}}, [{"role": "user"}], {"type": "text"}, {"content": None}, {"messages": 3}, HUGE,
    DEEP % 100, DEEP % 260, DEEP % 1100, DEEP % 100_000,
]  # fmt: skip
ID = re.compile(r"(^|_)(id|uuid)$|Id$|Uuid$|^uuid$")
OPS = ("junk", "junk", "junk", "drop", "double", "shuffle", "swap", "key", "ids", "same", "inner")
BYTE_OPS = ("cut", "cut", "nul", "utf8", "surrogate", "nan", "twice", "glue", "blank", "quote", "comma")

Op = tuple[str, int, int]
OP = st.tuples(st.sampled_from(OPS), st.integers(0, 10**6), st.integers(0, 10**6))
BYTE_OP = st.tuples(st.sampled_from(BYTE_OPS), st.integers(0, 10**6), st.integers(0, 10**6))


def places(node: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the path of every value, at any depth."""
    keys = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = [path] if path else []
    for key, child in keys:
        found += places(child, (*path, key))
    return found


def at(record: object, path: tuple[object, ...]) -> object:
    for key in path:
        record = record[key]
    return record


def mutate(record: object, op: Op) -> None:  # noqa: C901 - one arm for each way to spoil a record
    """Spoil one place of a record, in place."""
    kind, where, what = op
    every = places(record)
    if not every:
        return
    path = every[where % len(every)]
    parent, key = at(record, path[:-1]), path[-1]
    if kind == "junk":
        parent[key] = deepcopy(JUNK[what % len(JUNK)])
    elif kind == "drop":
        del parent[key]
    elif kind == "double" and isinstance(parent, list):
        parent[key:key] = deepcopy([parent[key]] * (what % 40))
    elif kind == "shuffle" and isinstance(parent, dict):
        pairs = random.Random(what).sample(list(parent.items()), len(parent))
        parent.clear()
        parent.update(pairs)
    elif kind == "swap":
        other = every[what % len(every)]
        parent[key] = json.loads(json.dumps(at(record, other)))
    elif kind == "key" and isinstance(parent, dict):
        parent[[MAIL, "", "\ud800", "id", "type", "content", "error"][what % 7]] = parent.pop(key)
    elif kind in ("ids", "same"):
        for place in every:
            if ID.search(str(place[-1])) and not isinstance(at(record, place), (dict, list)):
                at(record, place[:-1])[place[-1]] = "same" if kind == "same" else deepcopy(JUNK[what % len(JUNK)])
    elif kind == "inner" and isinstance(parent[key], str) and parent[key][:1] in ("{", "["):
        try:
            inside = json.loads(parent[key])
        except json.JSONDecodeError:  # a stream stored as lines
            return
        mutate(inside, ("junk", what, where))
        parent[key] = json.dumps(inside)


def dumped(record: object) -> bytes:
    """Return a record as JSON, with the values put in that Python can't hold or that would take long to copy."""
    raw = json.dumps(record).encode()
    raw = raw.replace(HUGE.encode(), b"very long " * 100_000)
    return re.sub(rb'"@deep(\d+)@"', lambda found: b"[" * int(found[1]) + b"]" * int(found[1]), raw)


def spoil(lines: list[bytes], op: Op) -> None:
    """Spoil the bytes of one line, in place."""
    kind, where, what = op
    number = where % len(lines)
    line = lines[number]
    spot = what % (len(line) + 1)
    inserted = {"nul": b"\0", "utf8": b"\xff\xc3", "surrogate": b"\\ud83d", "quote": b'"', "comma": b",,"}
    if kind in inserted:
        lines[number] = line[:spot] + inserted[kind] + line[spot:]
    elif kind == "cut":
        lines[number] = line[:spot]
    elif kind == "nan":
        lines[number] = re.sub(rb":\s*\d+", b": NaN", line, count=1 + what % 3)
    elif kind == "twice":
        lines[number] = line[:1] + b'"id": null, "type": 3, "messages": {}, ' + line[1:]
    elif kind == "glue":
        lines[number] = line + lines[what % len(lines)]
    else:
        lines[number] = b" \t" * (what % 9)


@st.composite
def logs(draw: st.DrawFn, name: str) -> bytes:
    """A log: good records, spoilt ones after them, in any order, some with spoilt bytes."""
    seeds = SEEDS[name]
    lines = [dumped(seed) for seed in seeds]
    for _ in range(draw(st.integers(4, 10))):
        record = json.loads(json.dumps(draw(st.sampled_from(seeds))))
        for op in draw(st.lists(OP, min_size=1, max_size=4)):
            mutate(record, op)
        lines.append(dumped(record))
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
    for op in draw(st.lists(BYTE_OP, max_size=4)):
        spoil(lines, op)
    shape = draw(st.integers(0, 9))
    if shape == 0:
        return b"[" + b",\n".join(lines) + b"]"
    raw = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])).join(lines)
    if shape == 1:
        packed = gzip.compress(raw, 1)
        return packed[: draw(st.integers(0, len(packed)))]
    return raw[: draw(st.integers(0, len(raw)))] if shape == 2 else raw


def read_bytes(content: bytes, **more: object) -> Calls | None:
    """Read a log twice; None if it was refused as a whole, and in a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(content)
        try:
            first = read_calls([path], redactor=PlainRedactor(), **more)
        except InputError as error:
            assert folder not in str(error)  # noqa: PT017 - one of the two allowed outcomes
            assert MAIL not in str(error)  # noqa: PT017
            return None
        second = read_calls([path], redactor=PlainRedactor(), **more)
    for frame in ("calls", "messages", "rejects", "files", "duplicates"):
        assert_frame_equal(getattr(first, frame), getattr(second, frame))
    assert first.notes == second.notes
    return first


def hold_what_was_promised(calls: Calls) -> None:
    """Check the promises that any log must leave intact."""
    CallsTable.validate(calls.calls)
    MessagesTable.validate(calls.messages)
    RejectsTable.validate(calls.rejects)
    FilesTable.validate(calls.files)
    for row in calls.files.iter_rows(named=True):
        parts = ("calls", "parents", "duplicates", "rejects", "other")
        assert row["records"] == sum(row[part] for part in parts)
        assert row["rejects"] == calls.rejects.height
        assert row["calls"] == calls.calls.height
        assert row["duplicates"] == calls.duplicates.height
    for shape in calls.rejects["shape"]:
        assert len(shape) <= 80
        assert all(sign in "a9" or not sign.isalnum() for sign in shape)
    for column in ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"):
        assert (calls.calls[column].drop_nulls() >= 0).all()
    for column in ("latency_ms", "ttft_ms", "logged_nusd"):
        assert (calls.calls[column].drop_nulls() >= 0).all()
        assert calls.calls[column].cast(float).drop_nulls().is_finite().all()
    known = set(calls.messages["message_id"])
    assert set(calls.calls["message_ids"].explode().drop_nulls()) <= known
    assert set(calls.calls["answer_id"].drop_nulls()) <= known
    frames = (calls.calls, calls.messages, calls.rejects, calls.files, calls.duplicates)
    everything = "".join(str(frame.rows()) for frame in frames) + "".join(calls.notes)
    assert MAIL not in everything
    assert "\ud800" not in everything


def fuzz(name: str, content: bytes, *, forced: bool) -> None:
    calls = read_bytes(content, format=name) if forced else read_bytes(content)
    if calls is not None:
        hold_what_was_promised(calls)


def test_every_format_that_is_read_is_fuzzed():
    assert set(NAMES) <= SEEDS.keys(), "write seeds for the new format in tests/logs/seeds.py"


OFTEN = {"bedrock", "claude_code", "langfuse", "litellm", "openai_batch", "openai_pairs", "otlp"}
"""One format of each kind of reader; the others, which share them, are fuzzed with the slow tests."""


@pytest.fixture(params=[pytest.param(one, marks=() if one in OFTEN else pytest.mark.slow) for one in sorted(SEEDS)])
def name(request: pytest.FixtureRequest) -> str:
    if request.param in UNREGISTERED:
        pytest.skip("the format is not read yet")
    return request.param


def test_the_seeds_are_read_whole_and_keep_no_address(name):
    calls = read_bytes(b"\n".join(dumped(seed) for seed in SEEDS[name]))
    assert calls is not None
    assert calls.files["format"].to_list() == [name]
    assert calls.rejects["reason"].to_list() == []
    assert calls.calls["status"].is_in(["ok", "error"]).any()
    hold_what_was_promised(calls)


@pytest.mark.parametrize("forced", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_spoilt_records_are_read_or_refused_and_nothing_is_lost(name, forced):
    @settings(max_examples=12, **SETTINGS)
    @given(logs(name))
    def check(content: bytes) -> None:
        fuzz(name, content, forced=forced)

    check()


@pytest.mark.slow
def test_many_more_spoilt_records_are_read_or_refused(name):
    @settings(max_examples=70, **SETTINGS)
    @given(logs(name), st.booleans())
    def check(content: bytes, forced: bool) -> None:
        fuzz(name, content, forced=forced)

    check()


def test_each_place_of_each_record_may_hold_anything(name):
    lines = [dumped(seed) for seed in SEEDS[name]]
    number = 0
    for seed in SEEDS[name]:
        for path in places(seed):
            record = json.loads(json.dumps(seed))
            at(record, path[:-1])[path[-1]] = JUNK[number % (len(JUNK) - 5)]  # without the huge and the deep ones
            lines.append(dumped(record))
            number += 1
    calls = read_bytes(b"\n".join(lines), format=name)
    assert calls is not None
    hold_what_was_promised(calls)


@pytest.mark.parametrize("junk", [HUGE, *(DEEP % depth for depth in (100, 260, 1100, 100_000))])
def test_huge_texts_and_deep_nests_cost_at_most_their_record(name, junk):
    rng = random.Random(5)
    lines = [dumped(seed) for seed in SEEDS[name]]
    for seed in SEEDS[name]:
        every = places(seed)
        for path in rng.sample(every, min(2, len(every))):
            record = json.loads(json.dumps(seed))
            at(record, path[:-1])[path[-1]] = junk
            lines.append(dumped(record))
    calls = read_bytes(b"\n".join(lines), format=name)
    assert calls is not None
    hold_what_was_promised(calls)


def with_ids(record: object, change: Callable[[str, object], object]) -> object:
    changed = json.loads(json.dumps(record))
    for path in places(changed):
        value = at(changed, path)
        if ID.search(str(path[-1])) and isinstance(value, (str, type(None))):
            at(changed, path[:-1])[path[-1]] = change(str(path[-1]), value)
    return changed


IDS: dict[str, Callable[[str, object], object]] = {
    "one id for all, its own parent": lambda _, __: "0af7651916cd43dd",
    "empty": lambda _, __: "",
    "null": lambda _, __: None,
    "a ring of two": lambda key, _: "b" if "parent" in key.lower() else "a",
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("times", [1, 80])
def test_ids_in_rings_repeated_or_empty_lose_nothing(name, kind, times):
    spoilt = [dumped(with_ids(seed, IDS[kind])) for seed in SEEDS[name]]
    back = [dumped(with_ids(seed, lambda key, _: "a" if "parent" in key.lower() else "b")) for seed in SEEDS[name]]
    calls = read_bytes(b"\n".join((spoilt + (back if "ring" in kind else [])) * times), format=name)
    if calls is not None:
        hold_what_was_promised(calls)


def test_the_order_of_lines_changes_no_id_and_no_message(name):
    lines = [dumped(seed) for seed in SEEDS[name]]
    straight = read_bytes(b"\n".join(lines))
    mixed = read_bytes(b"\n".join(random.Random(3).sample(lines, len(lines))))
    assert straight is not None
    assert mixed is not None
    assert set(straight.calls["call_id"]) == set(mixed.calls["call_id"])
    assert set(straight.messages["message_id"]) == set(mixed.messages["message_id"])
    order = ["call_id", "message_ids", "answer_id", "input_tokens", "session_id"]
    assert_frame_equal(straight.calls.select(order).sort(order[0]), mixed.calls.select(order).sort(order[0]))
