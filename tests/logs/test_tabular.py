"""Tables of calls: the rows of CSV and Parquet files are the same records as JSON lines."""

from __future__ import annotations

import gzip
import json
import zipfile

import polars as pl
import pytest

from slmlens.errors import InputError
from slmlens.logs.read import read_calls
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
