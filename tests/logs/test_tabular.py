"""Tables of calls: the rows of CSV and Parquet files are the same records as JSON lines."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import InputError
from slmlens.logs.csv_tables import csv_items
from slmlens.logs.inflate import SkippedFileError
from slmlens.logs.limits import Limits
from slmlens.logs.read import read_calls
from slmlens.logs.records import Item
from slmlens.logs.sources import find_sources, open_source
from slmlens.logs.tabular import parquet_items
from tests.logs import traces
from tests.logs.conftest import PlainRedactor
from tests.logs.seeds import SEEDS


def told(path):
    calls = read_calls([path], redactor=PlainRedactor())
    return calls.files["format"].item(0), calls.calls.drop("source_file", "source_line").sort("call_id")


def flat(rows):
    """Return rows as a table has them: objects and lists as JSON in a cell."""
    return [{k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()} for row in rows]


def written(tmp_path, rows):
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    frame = pl.DataFrame(flat(rows), infer_schema_length=None)
    frame.write_csv(tmp_path / "rows.csv")
    frame.write_csv(tmp_path / "rows.tsv", separator="\t")
    frame.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress((tmp_path / "rows.csv").read_bytes()))
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.write(tmp_path / "rows.parquet", "rows.parquet")


LITELLM = [one for one in SEEDS["litellm"] if "spend" in one]
LANGFUSE = [traces.observation(id=f"o{n}", name="late?") for n in range(3)]
LANGSMITH = [one for one in SEEDS["langsmith"] if one.get("id") in ("r1", "r2", "r3")]
KINDS = ("rows.csv", "rows.tsv", "rows.parquet", "rows.csv.gz", "rows.zip")


@pytest.mark.parametrize(("name", "rows"), [("litellm", LITELLM), ("langfuse", LANGFUSE), ("langsmith", LANGSMITH)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_tells_what_json_lines_tell(tmp_path, name, rows, kind):
    written(tmp_path, rows)
    form, calls = told(tmp_path / "rows.jsonl")
    assert form == name
    assert calls.height
    assert told(tmp_path / kind)[1].equals(calls)


def test_parquet_with_nested_columns_and_gaps_is_read_row_by_row(tmp_path):
    rows = [{"messages": [{"role": "user", "content": f"parcel {n}?"}, {"role": "assistant", "content": "late"}],
             "tools": None} for n in range(1200)]  # fmt: skip
    pl.DataFrame(rows).write_parquet(tmp_path / "sets.parquet")
    form, calls = told(tmp_path / "sets.parquet")
    assert form == "openai_chat_dataset"
    assert calls.height == 1200


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\x00\x01,\n\xff", b"just some words\nand more"])
def test_a_csv_without_calls_is_refused_with_a_sentence(tmp_path, content):
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"can't be read as a log|hold no LLM call"):
        read_calls([tmp_path / "log.csv"], redactor=PlainRedactor())


CELL = st.text(st.sampled_from("a1\",;\t\n\r {}[]:\\'é\ufeff"), max_size=9)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30)


def from_csv(content: bytes, limits: Limits | None = None, *, tabs: bool = False) -> list[Item]:
    return list(csv_items(io.BufferedReader(io.BytesIO(content)), limits or Limits(), tabs=tabs)[1])


def from_parquet(frame: pl.DataFrame, rows: int) -> list[Item]:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, row_group_size=rows)
    buffer.seek(0)
    return list(parquet_items(io.BufferedReader(buffer), Limits(), seekable=True)[1])


@settings(max_examples=60)
@given(ROWS, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 9))
def test_rows_are_the_same_from_csv_and_from_parquet_in_slices_of_any_size(rows, tabs, end, mark, size):
    frame = pl.DataFrame(rows, schema=["id", "note", "last"], orient="row")
    text = frame.write_csv(separator="\t" if tabs else ",", line_terminator=end, quote_style="always")
    found = from_csv((b"\xef\xbb\xbf" if mark else b"") + text.encode(), tabs=tabs)
    assert [(item.value, item.digest) for item in found] == [
        (item.value, item.digest) for item in from_parquet(frame, size)
    ]


def test_a_row_stands_at_the_line_where_it_begins():
    found = from_csv(b'id,note\r\n1,"two\r\nlines, and ""more"""\r\n\r\n2,x\r\n')
    assert [(item.line, item.value) for item in found] == [
        (2, {"id": "1", "note": 'two\r\nlines, and "more"'}),
        (5, {"id": "2", "note": "x"}),
    ]


def test_short_rows_are_read_and_rows_with_more_cells_than_names_are_refused():
    found = from_csv(b"id,note\n1\n2,x,,\n3,two, parts\n4,y\n")
    assert [item.value for item in found] == [{"id": "1"}, {"id": "2", "note": "x"}, None, {"id": "4", "note": "y"}]
    assert (found[2].line, found[2].refused, found[2].shape) == (4, "more cells than the header has", "9,aaa, aaaaa")


@pytest.mark.parametrize("tail", ["", "4,d\n"])
def test_a_quote_that_never_ends_costs_the_rows_up_to_the_next_full_one(tail):
    found = from_csv(f'id,note\n1,a\n2,"b\nwords of b\n3,c\n{tail}'.encode())
    assert [item.value["id"] for item in found if item.value] == ["1", "3", *tail[:1]]
    assert [(item.line, item.refused) for item in found if item.refused] == [
        (3, "a quoted cell that does not end within 64 MB of the file")
    ]


def test_quotes_that_do_not_match_cost_only_their_row():
    found = from_csv(b'id,note\n1,"so "called" note"\n2,"b\nc" d\n3,e\n')
    assert [item.value for item in found if item.value] == [{"id": "3", "note": "e"}]
    assert [(item.line, item.refused) for item in found if item.refused] == [
        (2, "not a valid row of CSV"),
        (3, "not a valid row of CSV"),
    ]


def test_a_cell_may_be_as_long_as_a_line_and_no_longer():
    long = b"x" * 200_000
    assert from_csv(b"id,note\n1," + long)[0].value == {"id": "1", "note": long.decode()}
    small = Limits(line=1 << 16)
    found = from_csv(b'id,note\n1,"' + long + b'"\n2,"' + b"y\n" * 40_000 + b'"\n3,z\n', small)
    assert [item.value for item in found if item.value] == [{"id": "3", "note": "z"}]
    assert [item.line for item in found if item.refused] == [2, 3, 40_003]


@pytest.mark.parametrize("content", [b'"id,note\n1,2', b'id,"no"te\n1,2', b"id,note\rid,note\r"])
def test_a_csv_without_a_header_that_can_be_read_is_refused(content):
    with pytest.raises(SkippedFileError, match="no CSV with a header line"):
        from_csv(content)


def test_a_compressed_csv_that_inflates_without_end_is_cut_and_says_so(tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"id,note\n" + b"1,2\n" * 9000))
    small = Limits(lines_floor=1000, bytes_per_line=2, inflated_floor=1 << 20)
    opened = open_source(find_sources([path])[0], small)
    *rows, last = opened.items
    opened.close()
    assert 1000 < len(rows) < 1300
    assert "inflates far more" in str(last.refused)


def table(rows: int) -> bytearray:
    buffer = io.BytesIO()
    notes = [f"{n * 7919 % 10_007:09}" * 20 for n in range(rows)]
    pl.DataFrame({"id": range(rows), "note": notes}).write_parquet(buffer, row_group_size=500)
    return bytearray(buffer.getvalue())


def records(raw: bytes) -> list[Item]:
    return list(parquet_items(io.BufferedReader(io.BytesIO(raw)), Limits(), seekable=True)[1])


def test_a_parquet_file_that_is_damaged_in_the_middle_is_cut_with_a_reason():
    raw = table(4000)
    middle = len(raw) // 2
    raw[middle : middle + len(raw) // 10] = b"\xff" * (len(raw) // 10)
    *rows, last = records(raw)
    assert 500 <= len(rows) < 4000
    assert last.refused == "the parquet file is damaged from here on"


@pytest.mark.parametrize("left", [40, 5000, -9])
def test_a_parquet_file_that_is_cut_off_is_refused(left):
    with pytest.raises(SkippedFileError, match="the parquet file is damaged"):
        records(table(4000)[:left])
