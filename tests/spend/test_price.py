"""Each call has the price the price list gives it, to the nano-dollar, or none at all."""

from __future__ import annotations

import datetime as dt
import socket
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import SettingError
from slmlens.spend.price import listed_model, price_calls
from slmlens.spend.price_book import ListLayer, PriceBook
from slmlens.spend.price_file import PriceFile
from tests.savings.world import TODAY, calls_frame

WHEN = dt.datetime(2026, 9, 14, 10, 30, tzinfo=dt.UTC)
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
MODELS = [
    ("openai", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4.1-mini"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("gcp.vertex_ai", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("openrouter", "google/gemini-3.8-flash"),
    ("perplexity", "sonar-deep-research"),
]


def price(**call):
    return price_calls(calls_frame([call]), today=TODAY).row(0, named=True)


def by_the_library(call, when, *, batch=False):
    from genai_prices import Usage, calc_price

    provider, model = listed_model(call["provider"], call["model"])
    usage = Usage(
        input_tokens=call["input_tokens"],
        cache_read_tokens=call["cached_tokens"],
        cache_write_tokens=call["cache_write_tokens"],
        output_tokens=call["output_tokens"],
        output_reasoning_tokens=call["reasoning_tokens"],
    )
    context = {"processing": "batch"} if batch else None
    usd = calc_price(
        usage, model, provider_id=provider, genai_request_timestamp=when, price_context=context
    ).total_price
    return int((usd * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN))


@st.composite
def logged_calls(draw):
    provider, model = draw(st.sampled_from(MODELS))
    tokens = draw(st.integers(0, 600_000))
    cached = draw(st.integers(0, tokens))
    out = draw(st.integers(0, 60_000))
    minute = draw(st.integers(0, 800 * 24 * 60))
    return {
        "provider": provider,
        "model": model,
        "input_tokens": tokens,
        "cached_tokens": cached,
        "cache_write_tokens": draw(st.integers(0, tokens - cached)),
        "output_tokens": out,
        "reasoning_tokens": draw(st.integers(0, out)),
        "started_at": dt.datetime(2024, 11, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=minute),
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(logged_calls(), min_size=1, max_size=20))
@pytest.mark.slow
def test_the_fast_price_is_the_librarys_price_of_each_single_call(rows):
    priced = price_calls(calls_frame(rows), today=TODAY, book=PriceBook(PriceFile(), (ListLayer(),)))
    for row, spend, runrate in zip(rows, *priced.select("spend_nusd", "runrate_nusd").to_dict().values(), strict=True):
        assert spend == by_the_library(row, row["started_at"])
        assert runrate == by_the_library(row, dt.datetime.combine(TODAY, row["started_at"].timetz()))


def test_batch_calls_have_the_batch_rate_also_before_the_day_the_list_recorded_it():
    call = {"model": "gpt-4.1", "input_tokens": 1_000_000, "output_tokens": 0, "started_at": WHEN}
    assert price(**call, batch=True)["spend_nusd"] == price(**call)["spend_nusd"] // 2
    late = {**calls_frame([call]).row(0, named=True), "cache_write_tokens": 0, "reasoning_tokens": 0}
    now = dt.datetime.combine(TODAY, dt.time(9), dt.UTC)
    assert price(**{**call, "started_at": now}, batch=True)["spend_nusd"] == by_the_library(late, now, batch=True)


def test_a_long_context_tier_bites_on_the_call_and_never_on_the_sum():
    small = {"provider": "anthropic", "model": "claude-sonnet-4-5", "input_tokens": 200_000, "output_tokens": 0}
    assert price(**small)["spend_nusd"] == 600_000_000
    assert price(**{**small, "input_tokens": 200_001})["spend_nusd"] == 1_200_006_000
    five = price_calls(calls_frame([small] * 5), today=TODAY).get_column("spend_nusd")
    assert five.sum() == 5 * 600_000_000


def test_cached_input_is_inside_the_input_and_reasoning_inside_the_output():
    call = {
        "model": "gpt-4.1",
        "input_tokens": 1000,
        "cached_tokens": 400,
        "output_tokens": 100,
        "reasoning_tokens": 90,
    }
    assert price(**call)["spend_nusd"] == 600 * 2_000 + 400 * 500 + 100 * 8_000


@pytest.mark.parametrize(
    ("provider", "model", "listed"),
    [
        (None, "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("azure.ai.openai", "gpt-4o", ("azure", "gpt-4o")),
        (None, "azure/gpt-4o", ("azure", "gpt-4o")),
        ("litellm", "openai/gpt-4.1-mini", ("openai", "gpt-4.1-mini")),
        (None, f"bedrock/us.{SONNET}", ("aws", f"regional.{SONNET}")),
        (None, f"bedrock/converse/us.{SONNET}", ("aws", f"regional.{SONNET}")),
        ("aws.bedrock", f"eu.{SONNET}", ("aws", f"regional.{SONNET}")),
        ("bedrock", f"arn:aws:bedrock:us-east-1:1:inference-profile/us.{SONNET}", ("aws", f"regional.{SONNET}")),
        (None, f"us.{SONNET}", ("aws", f"regional.{SONNET}")),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", ("google", "claude-sonnet-4-5")),
        (None, "vertex_ai/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        (None, "models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("openrouter", "openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        (None, "openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
        (None, "accounts/fireworks/models/llama-v3p1-8b-instruct", ("fireworks", "llama-v3p1-8b-instruct")),
        ("anthropic", "claude-sonnet-4-5-20250929[1m]", ("anthropic", "claude-sonnet-4-5")),
        (None, "groq/llama-3.1-8b-instant", ("groq", "llama-3.1-8b-instant")),
        ("openai", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("acme-gateway", "gpt-4o", ("openai", "gpt-4o")),
        (None, "ft:gpt-4o-mini-2024-07-18:acme::abc", ("openai", "ft:gpt-4o-mini")),
        ("azure", "our-production-deployment", None),
        ("azure", "gpt-4o-prod", None),
        (None, "hosted_vllm/qwen3-8b", None),
        ("ollama", "gpt-oss", None),
        (None, "meta-llama/Llama-3.1-8B-Instruct", None),
        (None, "<synthetic>", None),
        (None, "  ", None),
        (None, None, None),
    ],
)  # fmt: skip
def test_a_logged_name_is_placed_at_its_provider_or_not_at_all(provider, model, listed):
    assert listed_model(provider, model) == listed


@pytest.mark.parametrize(
    "call",
    [
        {"model": None},
        {"model": "never-heard-of"},
        {"model": "our-deployment", "provider": "azure"},
        {"input_tokens": None},
        {"output_tokens": None},
        {"input_tokens": 10, "cached_tokens": 11},
        {"output_tokens": 5, "reasoning_tokens": 9, "provider": "perplexity", "model": "sonar-deep-research"},
    ],
)
def test_what_cannot_be_priced_is_null_and_never_zero(call):
    row = price(**call)
    assert (row["spend_nusd"], row["runrate_nusd"], row["model_assumed"]) == (None, None, False)


def test_a_deployment_name_is_priced_by_the_model_it_serves():
    assert price(provider="azure", model="gpt-4o", model_requested="our-deployment")["spend_nusd"] is not None
    assert price(provider="azure", model="our-deployment", model_requested="gpt-4o")["spend_nusd"] is not None


def test_only_calls_without_a_name_take_the_assumed_model():
    rows = [{"model": None}, {"model": "never-heard-of"}, {"model": "gpt-4o"}]
    priced = price_calls(calls_frame(rows), assume_model="gpt-4.1", today=TODAY)
    assert priced.get_column("model_assumed").to_list() == [True, False, False]
    assert priced.get_column("model").to_list() == [None, "never-heard-of", "gpt-4o"]
    assert priced.item(0, "spend_nusd") == price(model="gpt-4.1")["spend_nusd"]
    assert priced.item(1, "spend_nusd") is None


def test_an_assumed_model_without_a_price_is_refused_with_advice():
    with pytest.raises(SettingError, match="No price is known") as caught:
        price_calls(calls_frame([{}]), assume_model="never-heard-of")
    assert "vendor" in caught.value.next_step


def test_a_price_that_fell_is_spent_at_the_old_rate_and_run_at_the_new():
    row = price(model="o3", input_tokens=1_000_000, output_tokens=0, started_at=dt.datetime(2025, 5, 1, tzinfo=dt.UTC))
    assert (row["spend_nusd"], row["runrate_nusd"]) == (10_000_000_000, 2_000_000_000)


def test_row_order_and_columns_are_kept_and_an_empty_log_is_no_error():
    rows = [{"model": name, "input_tokens": size} for name in ("gpt-4o", None, "o3") for size in (9, 1, None)]
    frame = calls_frame(rows)
    priced = price_calls(frame, today=TODAY)
    assert priced.get_column("call_id").to_list() == frame.get_column("call_id").to_list()
    assert priced.columns == frame.columns
    assert price_calls(frame.clear(), today=TODAY).is_empty()
    shuffled = price_calls(frame.sample(fraction=1, shuffle=True, seed=3), today=TODAY)
    assert shuffled.sort("call_id").equals(priced.sort("call_id"))


def test_pricing_opens_no_connection(monkeypatch):
    def refuse(*_):
        raise AssertionError("pricing must not connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert price()["spend_nusd"] is not None


@pytest.mark.slow
def test_the_mean_price_of_a_frame_matches_the_sum_of_its_rows():
    rows = [{"model": model, "provider": provider, "started_at": WHEN} for provider, model in MODELS for _ in range(3)]
    priced = price_calls(calls_frame(rows), today=TODAY)
    one_by_one = [price(**row)["spend_nusd"] for row in rows]
    assert priced.select(pl.col("spend_nusd").sum()).item() == sum(one_by_one)
