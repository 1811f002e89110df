"""A second source prices what the first lacks and knows what a price was, where it is installed."""

from __future__ import annotations

import datetime as dt

import pytest

from slmlens.spend.price import price_calls
from slmlens.spend.price_book import PriceBook, open_book
from slmlens.spend.second_source import SecondSource, installed
from tests.savings.world import TODAY, calls_frame

USD = 1_000_000_000
BEYOND = {"provider": "openai", "model": "gpt-5-chat-latest-of-no-list"}


def one(book=None, **call):
    full = {"input_tokens": 1_000_000, "output_tokens": 0, "cached_tokens": 0, **call}
    return price_calls(calls_frame([full]), today=TODAY, book=book).row(0, named=True)


def test_without_it_the_book_has_the_first_source_only():
    sources = [layer.source for layer in open_book().layers]
    assert sources[:2] == ["your file", "correction"]
    assert ("model-prices" in sources) == installed()


class TestInstalled:
    """With the extra ``prices``."""

    @pytest.fixture(autouse=True)
    def there(self):
        pytest.importorskip("model_prices", reason="the extra prices is not installed")

    def test_a_price_that_has_changed_since_is_the_one_of_its_day(self):
        when = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
        call = {"provider": "gcp.vertex_ai", "model": "gemini-2.5-flash", "cached_tokens": 1_000_000}
        then, now = one(started_at=when, **call), one(started_at=dt.datetime(2026, 9, 1, tzinfo=dt.UTC), **call)
        assert (then["spend_nusd"], then["price_source"]) == (75_000_000, "model-prices")
        assert (now["spend_nusd"], now["price_source"]) == (30_000_000, "genai-prices")

    def test_a_rate_that_was_not_recorded_yet_is_no_change(self):
        row = one(model="gpt-4.1", started_at=dt.datetime(2025, 6, 12, tzinfo=dt.UTC))
        assert row["price_source"] == "genai-prices"

    def test_a_time_before_its_first_price_is_not_guessed(self):
        call = {"model": "gemini-2.5-flash", "provider": "gemini"}
        row = one(started_at=dt.datetime(2025, 3, 1, tzinfo=dt.UTC), **call)
        assert row["price_source"] == "genai-prices"

    def test_what_the_first_source_lacks_is_priced_and_a_name_alike_is_not(self):
        import model_prices
        from genai_prices.data_snapshot import get_snapshot

        first = next(provider for provider in get_snapshot().providers if provider.id == "openai")
        lacking = [
            name
            for name in model_prices._data()["prices"]["openai"]
            if first.find_model(name) is None and (model_prices.rates(name, provider="openai") or 0)
        ]
        assert lacking
        priced = [row for name in lacking if (row := one(model=name))["price_source"] == "model-prices"]
        assert len(priced) == len([name for name in lacking if model_prices.rates(name, provider="openai").input > 0])
        assert one(**BEYOND)["spend_nusd"] is None

    def test_a_host_in_between_has_no_price_of_the_vendor(self):
        only = PriceBook(open_book().file, (SecondSource(history=False),))
        assert one(only, provider="azure", model="gpt-4.1")["spend_nusd"] is None
        assert one(only, provider="openrouter", model="openai/gpt-4.1")["spend_nusd"] is None
