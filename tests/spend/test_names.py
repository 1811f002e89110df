"""Every gateway's and library's spelling of a model leads to its listing, or to none."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from slmlens.errors import InputError
from slmlens.logs.read import read_calls
from slmlens.spend.names import places, resolve
from slmlens.spend.price import listed_model
from tests.logs.conftest import PlainRedactor

SEEN, KNOWN = (Path(__file__).with_name(name) for name in ("spellings.csv", "known_forms.csv"))
"""Names that stand in real logs, and forms that gateways and libraries document; an empty listing: it has none."""

LARGEST = 40_000_000


def rows_of(table: Path) -> list[tuple[str | None, str, tuple[str, str] | None]]:
    """Return provider, name, and (provider, model) of the price list."""
    with table.open(encoding="utf-8", newline="") as rows:
        return [
            (
                row["provider"] or None,
                row["name"],
                (row["listed_provider"], row["listed_model"]) if row["listed_model"] else None,
            )
            for row in csv.DictReader(rows)
        ]


@pytest.mark.parametrize(("provider", "name", "listed"), [*rows_of(KNOWN), *rows_of(SEEN)])
def test_a_spelling_is_placed_at_its_provider_or_left_alone(provider, name, listed):
    assert listed_model(provider, name) == listed


@pytest.mark.slow
def test_the_table_holds_every_name_of_the_real_logs(shared):
    known = {(provider, name) for provider, name, _ in rows_of(SEEN)}
    found = set()
    for part in ("fixtures", "logs"):
        for path in (shared / part).rglob("*"):
            if not path.is_file() or path.stat().st_size > LARGEST or path.suffix in {".md", ".txt"}:
                continue
            try:
                calls = read_calls([path], redactor=PlainRedactor()).calls
            except InputError:
                continue
            for provider, *names in calls.select("provider", "model", "model_requested").unique().iter_rows():
                found |= {(provider, name) for name in names if name}
    assert found <= known


def test_a_self_hosted_model_has_no_place_in_a_price_list():
    assert places("vllm", "gpt-4o") == ()
    assert places(None, None) == ()


def test_a_letter_more_is_another_name():
    for name in ("gpt-4o", "gpt-4.1-mini", "o3", "gpt-5"):
        assert resolve(None, name) is not None
        assert resolve(None, f"{name}x") is None
        assert resolve(None, f"our-{name}") is None
