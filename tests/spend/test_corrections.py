"""Prices that the list has wrong are corrected for their days and their name only, each with a source."""

from __future__ import annotations

import datetime as dt

import pytest

from slmlens.spend.corrections import read_corrections
from slmlens.spend.names import Place, listing_at
from slmlens.spend.price import price_calls
from slmlens.spend.price_book import ListLayer, PriceBook, open_book
from slmlens.spend.price_file import PriceFile, read_price_file
from tests.savings.world import TODAY, calls_frame

USD = 1_000_000_000
ROWS = read_corrections()


def spend(model, day, provider="openai", book=None, **call):
    call = {"input_tokens": 1_000_000, "output_tokens": 1_000_000, "cached_tokens": 0, **call}
    when = dt.datetime.combine(day, dt.time(12), dt.UTC)
    row = price_calls(
        calls_frame([{"provider": provider, "model": model, "started_at": when, **call}]), today=TODAY, book=book
    ).row(0, named=True)
    return row["spend_nusd"] / USD, row["price_source"]


@pytest.mark.parametrize(
    ("model", "day", "usd", "source"),
    [
        ("gpt-4o", dt.date(2024, 10, 1), 20.0, "correction"),
        ("gpt-4o", dt.date(2024, 10, 2), 12.5, "genai-prices"),
        ("gpt-4o-2024-08-06", dt.date(2024, 9, 1), 12.5, "genai-prices"),
        ("gpt-4o-2024-05-13", dt.date(2026, 1, 1), 20.0, "genai-prices"),
    ],
)
def test_gpt_4o_meant_the_dearer_model_until_october_2024_and_its_dated_names_did_not(model, day, usd, source):
    assert spend(model, day) == (usd, source)


def test_a_served_name_is_not_corrected_for_the_alias_that_was_asked_for():
    assert spend("gpt-4o-2024-08-06", dt.date(2024, 9, 1), model_requested="gpt-4o") == (12.5, "genai-prices")
    assert spend("gpt-4o", dt.date(2024, 9, 1), batch=True) == (10.0, "correction")


def test_a_correction_has_the_tiers_of_its_day():
    day = dt.date(2026, 4, 1)
    small = spend("grok-4.20-0309-reasoning", day, "xai", input_tokens=200_000, output_tokens=0)
    large = spend("grok-4.20-0309-reasoning", day, "xai", input_tokens=200_001, output_tokens=0)
    assert small == (0.4, "correction")
    assert large == (0.800004, "correction")


def test_the_users_price_goes_before_a_correction():
    book = open_book(read_price_file("models: {gpt-4o: {input: 1, output: 1}}"))
    assert spend("gpt-4o", dt.date(2024, 9, 1), book=book) == (2.0, "your file")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.provider}/{row.model}/{row.since}/{row.above}")
def test_each_row_is_cited_names_a_listed_model_and_changes_its_price(row):
    assert "https://" in row.source
    assert row.checked <= dt.date(2026, 11, 28)
    assert row.rates.keys() >= {"input", "output"}
    assert row.since is None or row.until is None or row.since <= row.until
    found = listing_at(Place(row.provider, row.model))
    assert found is not None
    assert found.provider.id == row.provider
    day, book = row.until or row.since, open_book()
    tokens = {"input_tokens": row.above + 1000, "cached_tokens": 500, "output_tokens": 1000}
    ours = spend(row.model, day, row.provider, book, **tokens)
    listed = spend(row.model, day, row.provider, PriceBook(PriceFile(), (ListLayer(),)), **tokens)
    assert ours[1] == "correction"
    assert ours[0] != listed[0]


def test_periods_of_a_model_do_not_overlap():
    for row in ROWS:
        for other in ROWS:
            same = (row.provider, row.model, row.above) == (other.provider, other.model, other.above)
            if same and row is not other:
                assert (row.until or dt.date.max) < (other.since or dt.date.min) or (other.until or dt.date.max) < (
                    row.since or dt.date.min
                )
