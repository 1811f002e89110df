"""An array that is read in slices holds the same records as one that is read at once."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.logs.arrays import ArrayCutter
from slmlens.logs.limits import Limits
from slmlens.logs.records import Item, read_items

TEXT = st.text(st.sampled_from('\\",[]{}: \naé\U0001f600'), max_size=12)
LEAF = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
RECORD = st.dictionaries(TEXT, VALUE, min_size=1, max_size=4)
INDENT = st.sampled_from([None, 0, 1])


def cut(content: bytes, at: list[int], largest: int = 10**6) -> tuple[list[bytes], ArrayCutter]:
    """Feed the bytes behind the opening bracket in pieces that end where told."""
    cutter, found = ArrayCutter(largest), []
    for begin, end in pairwise([1, *sorted(1 + n % len(content) for n in at), len(content)]):
        found += [bytes(raw) for raw, _ in cutter.feed(content[begin:end])]
    last, _ = cutter.last()
    return [*found, bytes(last)], cutter


@given(st.lists(VALUE, min_size=1, max_size=6), INDENT, st.booleans(), st.lists(st.integers(0, 2000), max_size=8))
def test_wherever_the_stream_is_cut_the_elements_are_the_same(values, indent, ascii_only, at):
    content = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    elements, cutter = cut(content, at)
    assert [json.loads(raw) for raw in elements] == values
    assert cutter.ended


def read(content: bytes, limits: Limits) -> list[Item]:
    return list(read_items(io.BufferedReader(io.BytesIO(content)), limits)[1])


@given(st.lists(RECORD, min_size=2, max_size=6), INDENT, st.sampled_from([None, "data", "runs"]))
def test_a_document_gives_the_same_records_at_once_and_in_slices(records, indent, key):
    document = records if key is None else {"object": "list", "page": [0, {"of": 3}], key: records, "more": False}
    content = json.dumps(document, indent=indent).encode()
    assert read(content, Limits(whole=len(content) - 1)) == read(content, Limits())


def test_an_object_that_is_a_record_itself_is_not_cut():
    content = orjson.dumps({"request": {}, "data": [{"n": 1}, {"n": 2}]})
    assert len(read(content, Limits(whole=0))) == 1


@pytest.mark.parametrize("behind", [b"", b" \n", b","])
def test_an_array_that_breaks_off_keeps_what_is_whole(behind):
    found = read(b'[{"n":1},{"n":2}' + behind, Limits(whole=0))
    assert [item.value for item in found] == [{"n": 1}, {"n": 2}]
    (*_, half) = read(b'[{"n":1},{"n":2},{"n":', Limits(whole=0))
    assert (half.line, half.refused, half.shape) == (3, "not valid JSON", '{"a":')


def test_a_bad_element_costs_only_itself():
    found = read(b'[{"n":1},{bad},,{"n":2}]', Limits(whole=0))
    assert [(item.line, item.value) for item in found] == [(1, {"n": 1}), (2, None), (3, None), (4, {"n": 2})]
    assert [item.refused for item in found if item.refused] == ["not valid JSON"] * 2


def test_an_element_that_is_too_large_costs_only_itself():
    found = read(b'[{"n":1},{"a":"' + b"x" * 3000 + b'"},{"n":2}]', Limits(whole=0, line=1000))
    assert [item.value for item in found] == [{"n": 1}, None, {"n": 2}]
    assert found[1].refused == "an element of more than 1000 bytes"


@pytest.mark.parametrize("behind", ['[{"n":2}]', " 7"])
def test_what_stands_behind_an_array_is_not_lost_silently(behind):
    found = read(b'[{"n":1}]' + behind.encode(), Limits(whole=0))
    assert found[0].value == {"n": 1}
    assert found[1].refused == "text stands behind the end of the array"


@pytest.mark.parametrize("content", [b"[", b"[]", b"[ \n]"])
def test_an_array_without_elements_has_no_records(content):
    assert [item.value for item in read(content, Limits(whole=0)) if item.refused is None] == []
