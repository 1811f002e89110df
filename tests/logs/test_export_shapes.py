"""One export in the shapes that its tool writes it in - lines, pages of the API, CSV, Parquet - is the same calls.

The rows are those of real files; the shapes are built as the tools' documentation has them.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import polars as pl
import pytest

from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor


def cell(value: object) -> object:
    return json.dumps(value) if isinstance(value, (dict, list, bool)) else value


def as_lines(path: Path, rows: list[dict]) -> Path:
    path.with_suffix(".jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return path.with_suffix(".jsonl")


def as_csv(path: Path, rows: list[dict]) -> Path:
    with path.with_suffix(".csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)))
        table.writeheader()
        table.writerows([{key: cell(one) for key, one in row.items() if one is not None} for row in rows])
    return path.with_suffix(".csv")


def as_parquet(path: Path, rows: list[dict]) -> Path:
    cells = [{key: cell(one) for key, one in row.items()} for row in rows]
    pl.DataFrame(cells, infer_schema_length=None, strict=False).write_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_pages(path: Path, rows: list[dict], key: str = "data") -> Path:
    half = len(rows) // 2
    return as_lines(path, [{key: part, "meta": {"page": n}} for n, part in enumerate([rows[:half], rows[half:]])])


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def told(calls) -> list[tuple[object, ...]]:
    columns = ("call_id", "message_ids", "answer_id", "model", "step", "input_tokens", "output_tokens", "started_at")
    return sorted(map(repr, calls.calls.select(columns).iter_rows()))


def read(path: Path):
    calls = read_calls([path], redactor=PlainRedactor())
    assert calls.rejects.is_empty()
    return calls


LANGFUSE = ("langgraph-python-2025-08-22", "vercel-aisdk-2025-11-17")


def observations(shared, name: str) -> list[dict]:
    path = shared / "fixtures/langfuse" / f"{name}.trace.json"
    if not path.exists():
        pytest.skip("this export is not among those at hand")
    return json.loads(path.read_text())["observations"]


def blob_rows(rows: list[dict]) -> list[dict]:
    """Return rows as the blob storage export spells them: snake case, other names, times without a zone."""
    renamed = {"model": "provided_model_name", "internal_model_id": "model_id"}
    snake = [{re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower(): one for key, one in row.items()} for row in rows]
    timed = [
        {
            key: one.replace("T", " ").removesuffix("Z") if key.endswith("_time") and one else one
            for key, one in row.items()
        }
        for row in snake
    ]
    return [{renamed.get(key, key): one for key, one in row.items()} for row in timed]


@pytest.mark.parametrize("name", LANGFUSE)
@pytest.mark.parametrize("write", [as_csv, as_parquet, as_pages])
def test_langfuses_batch_export_and_pages_are_the_calls_of_its_rows(shared, tmp_path, name, write):
    rows = observations(shared, name)
    expected = told(read(as_lines(tmp_path / "rows", rows)))
    assert told(read(write(tmp_path / "other", rows))) == expected


@pytest.mark.parametrize("name", LANGFUSE)
@pytest.mark.parametrize("write", [as_lines, as_csv, as_parquet])
def test_langfuses_blob_export_is_the_calls_of_its_rows(shared, tmp_path, name, write):
    rows = observations(shared, name)
    expected = told(read(as_lines(tmp_path / "rows", rows)))
    assert told(read(write(tmp_path / "blob", blob_rows(rows)))) == expected


@pytest.mark.parametrize("write", [as_csv, as_parquet, lambda path, rows: as_pages(path, rows, "runs")])
def test_langsmiths_bulk_export_is_the_calls_of_its_runs(shared, tmp_path, write):
    path = shared / "fixtures/_generated/langsmith/runs_model_dump.jsonl"
    assert told(read(write(tmp_path / "runs", lines_of(path)))) == told(read(path))


@pytest.mark.parametrize("write", [as_csv, as_parquet])
def test_mlflows_table_of_traces_is_the_calls_of_its_traces(shared, tmp_path, write):
    path = shared / "fixtures/_generated/mlflow/search_traces_df.jsonl"
    assert told(read(write(tmp_path / "traces", lines_of(path)))) == told(read(path))


def flattened(row: dict, before: str = "") -> dict:
    flat: dict[str, object] = {}
    for key, one in row.items():
        flat |= flattened(one, f"{before}{key}.") if isinstance(one, dict) and one else {f"{before}{key}": one}
    return flat


@pytest.mark.parametrize("change", [lambda row: row, flattened], ids=["objects in cells", "a column for each key"])
def test_weaves_csv_is_the_calls_of_its_rows(shared, tmp_path, change):
    path = shared / "fixtures/_generated/weave/calls_stream_query.jsonl"
    table = as_csv(tmp_path / "calls", [change(row) for row in lines_of(path)])
    assert told(read(table)) == told(read(path))
