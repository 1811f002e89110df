"""What holds of a plan's money for any log: it adds up, follows prices, and does not depend on the order of rows."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.reporting.summary import summarise
from slmlens.savings.plan import plan
from slmlens.spend.ledger import build_ledger
from slmlens.spend.price import price_calls
from tests.savings.world import TODAY, calls_frame, steady, verdicts_of

MODELS = ["gpt-4.1", "gpt-4.1-mini", "gpt-4o", None]
LOGS = st.lists(
    st.tuples(
        st.sampled_from(MODELS),
        st.integers(2, 25),
        st.sampled_from(["metered", "seat"]),
        st.booleans(),
        st.integers(50, 9000),
    ),
    min_size=1,
    max_size=4,
)


def world(log, loose=0):
    tasks = {
        f"t{at}": steady(n, 20, model=model, billing=billing, human_facing=human, input_tokens=tokens)
        for at, (model, n, billing, human, tokens) in enumerate(log)
    }
    return verdicts_of(tasks, sampling_rate=0.001, unassigned=steady(loose, 20))


def planned(verdicts, **overrides):
    return plan(verdicts, today=TODAY, draws=100, overrides=overrides or None)


@settings(max_examples=4, deadline=None)
@given(st.integers(2, 40), st.integers(50, 9000))
@pytest.mark.slow
def test_a_seat_plan_saves_nothing_whatever_is_done(n, tokens):
    made = planned(world([("gpt-4.1", n, "seat", False, tokens)]))
    for column in ("p10_nusd", "p50_nusd", "p90_nusd", "saving_per_1000_calls_nusd"):
        assert set(made.savings.get_column(column)) <= {0, None}
    assert made.total["order"] == []


@settings(max_examples=4, deadline=None)
@given(LOGS, st.integers(0, 10))
def test_sums_shown_add_up_to_the_digit(log, loose):
    made = planned(world(log, loose))
    calls = made.tasks.calls.calls
    ledger = build_ledger(calls, made.tasks.assignments)
    shown = summarise(made, ledger=ledger, month=made.total["month"])
    parts = [task["spend_usd"] for task in shown["tasks"]]
    if shown["ledger"]["imported_usd"] is not None and None not in parts:
        assert sum(parts) == pytest.approx(shown["ledger"]["tasks_usd"], abs=1e-9)
        whole = sum(shown["ledger"][f"{name}_usd"] for name in ("tasks", "unassigned", "excluded"))
        assert whole == pytest.approx(shown["ledger"]["imported_usd"], abs=1e-9)


def test_every_assumption_has_value_unit_source_day_and_kind_the_users_own_too():
    made = planned(world([("gpt-4.1", 20, "metered", False, 900)]), swap_days=9, price_decline_year=[0, 0.1, 0.2])
    for row in made.assumptions.iter_rows(named=True):
        assert all(row[name] for name in ("value", "unit", "source", "date", "kind")), row
        dt.date.fromisoformat(row["date"])
    own = made.assumptions.filter(source="set by the user")
    assert set(own.get_column("name")) == {"swap_days", "price_decline_year"}
    assert set(own.get_column("date")) == {TODAY.isoformat()}


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "gpt-5.2"), ("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-4.1")]
)
def test_list_price_for_all_input_would_overstate_the_saving_of_cached_calls_twice_to_fourfold(provider, model):
    """10,000 tokens in, 80 % of them read from the vendor's cache, 100 out: an agent's call."""
    call = {"provider": provider, "model": model, "input_tokens": 10_000, "output_tokens": 100}
    cached = [{**row, "cached_tokens": 8000} for row in steady(40, 20, **call)]
    made = planned(verdicts_of({"t": cached}, sampling_rate=0.001))
    rows = made.savings.filter(pl.col("action") == "migrate-swap", pl.col("deployment") == "hosted-base")
    ours = rows.item(0, "saving_per_1000_calls_nusd")
    at_list = price_calls(calls_frame([call]), today=TODAY).item(0, "runrate_nusd") * 1000
    naive = at_list - rows.item(0, "cost_per_1000_calls_nusd")
    logged = made.tasks.calls.calls.get_column("runrate_nusd").mean() * 1000
    assert ours == pytest.approx(logged - rows.item(0, "cost_per_1000_calls_nusd"), abs=2)
    assert 2 <= naive / ours <= 4
