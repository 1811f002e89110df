"""Every real file at hand is recognised without a flag, and its figures are those counted from the raw file.

``golden.csv`` was counted by a script that shares no code with slmlens; a file without calls says why. Tokens are those
of the calls that log both counts, cached tokens inside the input; an empty cell: none does.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import polars as pl
import pytest

from slmlens.errors import InputError
from slmlens.logs.formats import FORMATS
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor

with (Path(__file__).parent / "golden.csv").open() as stream:
    GOLDEN = {row["file"]: row for row in csv.DictReader(stream)}
_LARGE = ("chatdev/calls", "crewai_cassettes/calls", "openllmetry_cassettes/calls", "pydantic_ai_cassettes/calls",
          "mint/traces", "gpt-4o-airline.json", "autogpt_cassettes/calls")  # fmt: skip
CALLS = [
    pytest.param(name, marks=pytest.mark.slow) if any(one in name for one in _LARGE) else name
    for name, row in GOLDEN.items()
    if row["format"]
]
NO_CALLS = [name for name, row in GOLDEN.items() if row["no_calls"]]


def test_a_format_is_verified_by_a_real_file_or_says_that_it_is_not():
    """A user reads it in the notes of a reading, and in docs/formats.md."""
    assert {form.name for form in FORMATS if form.verified} == {row["format"] for row in GOLDEN.values()} - {""}
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text().partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", page, flags=re.MULTILINE))
    assert {form.name for form in FORMATS} <= rows.keys()
    assert {name for name, row in rows.items() if "**unverified**" in row} == {
        form.name for form in FORMATS if not form.verified
    }


def held(shared: Path, name: str) -> Path:
    path = shared / name
    if not path.exists():
        pytest.skip("this file is not among those at hand")
    return path


def test_every_file_at_hand_is_listed(shared):
    found = {
        path.relative_to(shared).as_posix()
        for folder in ("fixtures", "logs")
        for path in (shared / folder).rglob("*")
        if path.is_file()
    }
    assert sorted(found - GOLDEN.keys()) == []
    assert all(bool(row["format"]) != bool(row["no_calls"]) for row in GOLDEN.values())


@pytest.mark.parametrize("name", CALLS)
def test_a_file_is_recognised_and_counts_as_by_hand(shared, name):
    row = GOLDEN[name]
    calls = read_calls([held(shared, name)], redactor=PlainRedactor())
    assert set(calls.files["format"].drop_nulls()) == {row["format"]}
    assert (calls.files["records"].sum(), calls.calls.height) == (int(row["records"]), int(row["calls"]))
    logged = calls.calls.filter(~pl.col("tokens_estimated"))
    told = [str(logged[column].sum() or "") for column in ("input_tokens", "output_tokens")]
    assert told == [row["input_tokens"], row["output_tokens"]]


@pytest.mark.parametrize("name", NO_CALLS)
def test_a_file_without_calls_is_refused_with_a_reason(shared, name):
    with pytest.raises(InputError, match=r"can't be read as a log|hold no LLM call"):
        read_calls([held(shared, name)], redactor=PlainRedactor())
