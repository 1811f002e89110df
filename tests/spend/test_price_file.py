"""The user's prices go before any list, and every mistake in the file is said with its place."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import SettingError
from slmlens.spend.ledger import build_ledger
from slmlens.spend.price import price_calls
from slmlens.spend.price_book import open_book
from slmlens.spend.price_file import load_price_file, read_price_file
from slmlens.spend.rate_sheet import matches
from tests.savings.world import TODAY, assignments_frame, calls_frame

MILLION = {"input_tokens": 1_000_000, "output_tokens": 0, "cached_tokens": 0}
USD = 1_000_000_000


def priced(text, *rows, today=TODAY):
    return price_calls(calls_frame(rows), today=today, book=open_book(read_price_file(text)))


def one(text, **call):
    return priced(text, call).row(0, named=True)


def dollars(found):
    return [round(nusd / USD, 6) for nusd in found["spend_nusd"]]


def test_the_users_price_beats_the_list_and_says_so():
    row = one("models: {gpt-4.1: {input: 1.5, output: 6}}", **MILLION)
    assert (row["spend_nusd"], row["runrate_nusd"], row["price_source"]) == (1.5 * USD, 1.5 * USD, "your file")
    other = one("models: {gpt-4.1: {input: 1.5, output: 6}}", **{**MILLION, "model": "gpt-4o-mini"})
    assert other["price_source"] == "genai-prices"


@pytest.mark.parametrize(
    ("key", "call"),
    [
        ("gpt-4.1", {"model": "gpt-4.1-2025-04-14"}),
        ("openai/gpt-4.1", {"model": "gpt-4.1"}),
        ("azure/gpt-4.1", {"provider": "azure.ai.openai", "model": "gpt-4.1"}),
        ("GPT-4.1", {"model": "gpt-4.1"}),
        ("gpt-4*", {"model": "gpt-4.1"}),
        ("our-deployment", {"provider": "azure", "model": "our-deployment"}),
        ("our-deployment", {"provider": "azure", "model": "gpt-4.1", "model_requested": "our-deployment"}),
        ("*/qwen3-8b", {"provider": None, "model": "hosted/qwen3-8b"}),
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
         {"provider": None, "model": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"}),
    ],
)  # fmt: skip
def test_a_model_may_be_called_as_logged_as_its_vendor_does_or_by_a_pattern(key, call):
    assert one(f"models: {{'{key}': {{input: 7, output: 7}}}}", **MILLION, **call)["spend_nusd"] == 7 * USD


def test_a_price_at_one_provider_says_nothing_of_another():
    row = one("models: {azure/gpt-4.1: {input: 7, output: 7}}", **MILLION)
    assert row["price_source"] == "genai-prices"


def test_a_name_in_full_goes_before_a_pattern_and_a_long_pattern_before_a_short_one():
    text = "models: {'*': {input: 1}, 'gpt-4*': {input: 2}, 'gpt-4.1*': {input: 3}, gpt-4.1-mini: {input: 4}}"
    rows = [{**MILLION, "model": name} for name in ("o3", "gpt-4o", "gpt-4.1", "gpt-4.1-mini")]
    assert dollars(priced(text, *rows)) == [1, 2, 3, 4]


def test_prices_hold_from_their_first_to_their_last_day_and_the_list_fills_the_rest():
    text = """
models:
  gpt-4.1:
    - {input: 1.9, until: 2026-06-30}
    - {input: 1.6, from: 2026-07-02, until: 2026-08-01}
"""
    days = [(6, 30), (7, 1), (7, 2), (8, 1), (8, 2)]
    rows = [{**MILLION, "started_at": dt.datetime(2026, *day, 23, 59, tzinfo=dt.UTC)} for day in days]
    found = priced(text, *rows)
    assert dollars(found) == [1.9, 2.0, 1.6, 1.6, 2.0]
    assert found["runrate_nusd"].to_list() == [2 * USD] * 5


def test_cached_written_reasoning_batch_tiers_and_requests_have_their_own_prices():
    text = """
models:
  gpt-4.1:
    input: 4
    cached: 1
    cache_write: 5
    output: 10
    reasoning: 20
    request: 0.5
    batch: 0.25
    tiers: [{above: 2000000, input: 8}]
"""
    call = {
        "input_tokens": 1_000_000,
        "cached_tokens": 500_000,
        "cache_write_tokens": 100_000,
        "output_tokens": 300_000,
        "reasoning_tokens": 200_000,
    }
    usual = 400_000 * 4_000 + 500_000 * 1_000 + 100_000 * 5_000 + 100_000 * 10_000 + 200_000 * 20_000 + USD // 2
    assert one(text, **call)["spend_nusd"] == usual
    assert one(text, **call, batch=True)["spend_nusd"] == usual // 4
    long = {**call, "input_tokens": 2_000_001}
    assert one(text, **long)["spend_nusd"] == usual - 400_000 * 4_000 + 1_400_001 * 8_000


def test_without_a_price_of_their_own_cached_tokens_cost_what_input_costs():
    call = {"input_tokens": 1_000_000, "cached_tokens": 900_000, "output_tokens": 0}
    assert one("models: {gpt-4.1: {input: 4}}", **call)["spend_nusd"] == 4 * USD


def test_a_deployment_is_priced_by_what_is_behind_it_and_an_unknown_one_stays_unpriced():
    text = "deployments: {prod-chat: azure/gpt-4.1}"
    rows = [{**MILLION, "provider": "azure", "model": name} for name in ("prod-chat", "other-chat")]
    found = priced(text, *rows)
    assert found["spend_nusd"].to_list() == [2 * USD, None]
    assert found["price_source"].to_list() == ["genai-prices", None]
    ledger = build_ledger(found, assignments_frame(found, [None, None]))
    assert ledger.unpriced.select("model", "why").row(0) == ("other-chat", "no listed price")


def test_a_deployment_named_like_a_model_does_not_change_that_model_at_its_vendor():
    text = "deployments: {gpt-4.1: azure/gpt-4o-mini}"
    rows = [{**MILLION, "provider": provider} for provider in ("openai", "azure")]
    assert priced(text, *rows)["spend_nusd"].to_list() == [2 * USD, 0.15 * USD]


def test_prices_in_another_currency_are_converted_at_the_stated_rate():
    text = "currency: {name: EUR, usd: 1.1, date: 2026-11-01}\nmodels: {gpt-4.1: {input: 2}}"
    assert one(text, **MILLION)["spend_nusd"] == 2.2 * USD
    (said,) = read_price_file(text).in_words()
    assert all(part in said for part in ("EUR", "1.1", "2026-11-01"))


def test_a_discount_is_off_the_list_and_not_off_the_contract():
    text = """
models: {gpt-4o: {input: 3}}
discount:
  openai: {share: 0.1, from: 2026-09-01, until: 2026-09-30}
  azure.ai.openai: 0.5
"""
    when = dt.datetime(2026, 9, 30, tzinfo=dt.UTC)
    calls = [
        {"started_at": when},
        {"started_at": when + dt.timedelta(days=1)},
        {"started_at": when, "model": "gpt-4o"},
        {"started_at": when, "provider": "azure"},
        {"started_at": when, "provider": "anthropic", "model": "claude-sonnet-4-5"},
    ]
    found = priced(text, *({**MILLION, **call} for call in calls))
    assert dollars(found) == [1.8, 2.0, 3.0, 1.0, 6.0]
    sources = ["your discount", "genai-prices", "your file", "your discount", "genai-prices"]
    assert found["price_source"].to_list() == sources


def test_a_commitment_covers_the_calls_it_names_until_its_last_day():
    text = """
commitments:
  - {provider: azure, model: "gpt-4.1*", share: 0.6, until: 2026-09-10}
  - {provider: "*", share: 0.2, until: 2027-01-31}
"""
    when = dt.datetime(2026, 9, 10, 12, tzinfo=dt.UTC)
    found = priced(
        text,
        {**MILLION, "provider": "azure", "started_at": when},
        {**MILLION, "provider": "azure", "started_at": when + dt.timedelta(days=1)},
        {**MILLION, "started_at": when},
        {**MILLION, "started_at": when, "billing": "seat"},
    )
    assert found["committed_share"].to_list() == [0.6, None, 0.2, 0.2]
    assert found["committed_until"].to_list()[:2] == [dt.date(2026, 9, 10), None]
    ledger = build_ledger(found, assignments_frame(found, [None] * 4))
    assert ledger.prepaid_nusd == (0.6 + 0.2) * 2 * USD  # a seat plan's call is no expense anyway
    assert ledger.imported_nusd == ledger.metered_nusd + ledger.seat_nusd + ledger.prepaid_nusd


RATE = st.decimals(0, 200, places=4)
CALL = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["gpt-4.1", "gpt-4o", "ours", None]),
        "input_tokens": st.integers(0, 300_000),
        "cached_tokens": st.integers(0, 1000),
        "output_tokens": st.integers(0, 50_000),
        "batch": st.booleans(),
    }
)


def file_of(rates):
    names = ("input", "cached", "output", "request")
    return "models: {'*': {" + ", ".join(f"{name}: {rate}" for name, rate in zip(names, rates, strict=True)) + "}}"


@settings(max_examples=40, deadline=None)
@given(st.lists(CALL, min_size=1, max_size=8), st.tuples(RATE, RATE, RATE, RATE), st.integers(2, 9))
@pytest.mark.slow
def test_scaling_all_rates_scales_the_spend(rows, rates, factor):
    small = priced(file_of(rates), *rows)
    large = priced(file_of([rate * factor for rate in rates]), *rows)
    for before, after in zip(small["spend_nusd"], large["spend_nusd"], strict=True):
        assert (before is None) == (after is None)
        assert before is None or abs(after - factor * before) <= factor  # each is rounded once to a nano-dollar


@settings(max_examples=40, deadline=None)
@given(st.lists(CALL, min_size=1, max_size=8), st.tuples(RATE, RATE, RATE, RATE), st.integers(0, 3), RATE)
@pytest.mark.slow
def test_a_higher_rate_never_lowers_a_price(rows, rates, at, more):
    dearer = [rate + more * (at == n) for n, rate in enumerate(rates)]
    before, after = priced(file_of(rates), *rows)["spend_nusd"], priced(file_of(dearer), *rows)["spend_nusd"]
    assert all(low is None or low <= high for low, high in zip(before, after, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(CALL, max_size=10), st.sampled_from(["", "models: {ours: {input: 1}}", "discount: {openai: 0.3}"]))
@pytest.mark.slow
def test_sources_and_prepaid_parts_add_up_to_what_was_imported(rows, text):
    committed = f"{text}\ncommitments: [{{provider: openai, share: 0.37, until: 2099-01-01}}]"
    calls = priced(committed, *rows)
    ledger = build_ledger(calls, assignments_frame(calls, [None] * len(rows)))
    assert ledger.by_source["spend_nusd"].sum() == ledger.imported_nusd
    assert ledger.by_source["calls"].sum() == ledger.priced_calls
    assert calls["price_source"].is_null().to_list() == calls["spend_nusd"].is_null().to_list()
    assert 0 <= ledger.prepaid_nusd <= ledger.imported_nusd


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("modles: {}", "modles", "nothing is known by this name"),
        ("- a", "prices.yml", "names with a colon"),
        ("models: [gpt-4o]", "models", "names with a colon"),
        ("models: {gpt-4o: {inptu: 2}}", "models > gpt-4o > inptu", "use one of: input"),
        ("models: {gpt-4o: {output: 2}}", "models > gpt-4o", "neither what a million input tokens cost"),
        ("models: {gpt-4o: {input: $2}}", "models > gpt-4o > input", "a number is wanted, not '$2'"),
        ("models: {gpt-4o: {input: -1}}", "models > gpt-4o > input", "at least 0"),
        ("models: {gpt-4o: {input: .inf}}", "models > gpt-4o > input", "a number is wanted"),
        ("models: {gpt-4o: [{input: 1}, {input: x}]}", "models > gpt-4o > entry 2 > input", "a number"),
        ("models: {gpt-4o: {input: 1, from: 2026-13-01}}", "models > gpt-4o > from", "a day is wanted"),
        ("models: {gpt-4o: {input: 1, from: 2026-05-01, until: 2026-04-01}}", "models > gpt-4o", "before it begins"),
        ("models: {gpt-4o: {input: 1}, gpt-4o: {input: 2}}", "line 1", "gpt-4o is given twice"),
        ("models: {gpt-4o: {input: 1, tiers: [{input: 2}]}}", "tiers > entry 1 > above", "not nothing"),
        ("deployments: {prod: gpt-4o}", "deployments > prod", "provider/model"),
        ("deployments: {prod: [a]}", "deployments > prod", "a name is wanted"),
        ("commitments: [{share: 0.5, until: 2027-01-01}]", "commitments > entry 1", "neither a provider nor a model"),
        ("commitments: [{provider: azure, share: 60, until: 2027-01-01}]", "entry 1 > share", "at most 1"),
        ("commitments: [{provider: azure, share: 0.5}]", "commitments > entry 1", "no last day"),
        ("currency: {name: EUR}", "currency > usd", "a number is wanted"),
        ("currency: {usd: 1.1}", "currency > name", "a name is wanted"),
        ("currency: {name: EUR, usd: 0}", "currency > usd", "more than 0"),
        ("discount: {openai: 1.5}", "discount > openai", "at most 1"),
        ("discount: {openai: {from: 2026-01-01}}", "discount > openai > share", "a number is wanted"),
        ("models: {gpt-4o: {input: 2", "line", "no YAML"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_place_and_what_to_do(tmp_path, text, place, told):
    path = tmp_path / "prices.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        load_price_file(path)
    said = str(caught.value)
    assert "prices.yml" in said
    assert place in said
    assert told.lower() in said.lower()
    assert caught.value.next_step
    assert str(tmp_path) not in said


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(SettingError, match="can't be read"):
        load_price_file(tmp_path / "none.yml")


def test_an_empty_file_changes_nothing():
    assert one("", **MILLION)["spend_nusd"] == 2 * USD


def test_numbers_are_exact():
    sheet = read_price_file("models: {a: {input: 0.1}}\ndiscount: {openai: 0.1}")
    assert sheet.discounts[0].share == Decimal("0.1")
    assert one("models: {gpt-4.1: {input: 0.1}}", input_tokens=10, output_tokens=0)["spend_nusd"] == 1_000


@pytest.mark.parametrize(
    ("pattern", "name", "holds"),
    [("gpt-*", "gpt-4o", True), ("gpt-?o", "gpt-4o", True), ("gpt-?", "gpt-4o", False), ("a.c", "abc", False),
     ("*claude*", "us.anthropic.claude-x", True), ("claude[1m]", "claude[1m]", True)],
)  # fmt: skip
def test_only_a_star_and_a_question_mark_are_wild(pattern, name, holds):
    assert matches(pattern, name) is holds
