"""Wrong answers cost money: only those beyond the present model's own, and what they cost decides what pays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.montecarlo import draw_shared
from slmlens.savings.plan import plan
from slmlens.savings.volumes import Volume
from slmlens.savings.wrong_answers import excess_wrong, wrong_answer_loss, wrong_answer_nusd
from slmlens.spend.months import estimate_month
from slmlens.tables import NUSD_PER_USD, CallsTable
from tests.savings.world import FAULTLESS, TODAY, parity, steady, verdicts_of

HUMAN = Volume(
    task_id="t",
    calls=1000,
    units=1000,
    billed_calls=1000,
    priced_calls=1000,
    spend_nusd=0,
    call_nusd=2_000_000.0,
    input_tokens=900.0,
    cached_tokens=0.0,
    output_tokens=120.0,
    p99_tokens=1000.0,
    tools=False,
    machine_only=0.0,
    billed_month=1e6,
    model="gpt-4.1",
    steps_per_session=1.0,
)
MACHINE = replace(HUMAN, machine_only=1.0)


def option_of(made, action, task="t"):
    hosted = made.savings.filter(pl.col("deployment") != "self-hosted")
    return hosted.row(by_predicate=(pl.col("task_id") == task) & (pl.col("action") == action), named=True)


def planned(facts=None, *, overrides=None, **call):
    verdicts = verdicts_of({"t": steady(300, 30, **call)}, {"t": facts or {}}, sampling_rate=0.0001)
    return plan(verdicts, overrides=overrides, today=TODAY, draws=400)


@pytest.mark.parametrize(("right", "small"), [(0.9, 0.8), (0.97, 0.95), (0.8, 0.5), (0.95, 0.95), (0.9, 0.99)])
def test_the_excess_is_the_share_that_only_the_small_model_gets_wrong(right, small):
    """Simulated: two models err independently among many wrong answers; the formula sees their agreements only."""
    rng = np.random.default_rng(3)
    n = 400_000

    def answers(share):
        return np.where(rng.random(n) < share, 0, rng.integers(1, 10_000, n))

    first, again, other = answers(right), answers(right), answers(small)
    found = excess_wrong(float((first == other).mean()), float((first == again).mean()))
    assert found == pytest.approx(max(right - small, 0.0), abs=0.004)


def test_a_small_model_that_agrees_as_often_as_the_present_one_with_itself_costs_nothing_more():
    assert excess_wrong(0.9, 0.9) == 0
    assert excess_wrong(0.95, 0.9) == 0
    assert excess_wrong(0.9, 1.0) == pytest.approx(0.1)


def test_a_wrong_answer_costs_a_retry_and_for_some_minutes_of_a_person():
    known = load_assumptions()
    minute = 40 / 60 * NUSD_PER_USD
    human = 2_000_000 + (0.02 + 0.10 + 0.20) / 3 * 1.5 * minute
    machine = 2_000_000 + (0.0 + 0.01 + 0.05) / 3 * 1.5 * minute
    assert wrong_answer_nusd(HUMAN, known) == pytest.approx(human)
    assert wrong_answer_nusd(MACHINE, known) == pytest.approx(machine)
    assert wrong_answer_nusd(replace(HUMAN, machine_only=0.5), known) == pytest.approx((human + machine) / 2)
    assert wrong_answer_nusd(replace(HUMAN, machine_only=None), known) == pytest.approx(human)
    assert wrong_answer_nusd(HUMAN, load_assumptions(FAULTLESS)) == 0


def loss_of(verdict, agreement):
    known = load_assumptions()
    shared = draw_shared(known, estimate_month(CallsTable.create_empty()), seed=0, draws=4000)
    full = {"ceiling_pair": None, "weak_comparator": False, "a_needed": 0.95, **verdict}
    quantiles = np.full(101, agreement).tolist()
    return wrong_answer_loss(np.full(4000, agreement), quantiles, full, HUMAN, shared, known)


def test_the_central_loss_is_the_mean_of_its_draws():
    found = loss_of({}, 0.97)
    assert found.drawn.mean() == pytest.approx(found.central, rel=0.02)


def test_a_measured_ceiling_and_free_text_lower_the_loss():
    plain = loss_of({}, 0.96).central
    assert loss_of({"ceiling_pair": 0.97}, 0.96).central == pytest.approx(plain * 0.01 / 0.97**0.5 / 0.04)
    assert loss_of({"ceiling_pair": 0.95}, 0.96).central == 0
    assert loss_of({"weak_comparator": True}, 0.96).central == pytest.approx(plain / 3)


def test_at_the_defaults_a_cheap_call_that_people_read_is_not_worth_its_wrong_answers():
    """GPT-4.1 at $0.0028 a call: 2.5 % of further wrong answers cost more than the model saves."""
    made = planned(human_facing=True)
    row = option_of(made, "migrate-swap")
    assert row["wrong_per_1000_calls_nusd"] > row["saving_per_1000_calls_nusd"] > 0
    assert row["break_even_calls_month"] is None
    assert row["p50_nusd"] <= 0
    assert row["p_npv_positive"] < 0.25
    assert option_of(planned(overrides=FAULTLESS), "migrate-swap")["p_npv_positive"] > 0.45
    assert any("its wrong answers would cost" in flip for flip in made.actions.item(0, "flips"))


def test_where_no_person_reads_the_answers_the_same_calls_pay():
    row = option_of(planned(human_facing=False), "migrate-swap")
    assert 0 < row["wrong_per_1000_calls_nusd"] < row["saving_per_1000_calls_nusd"]
    free = option_of(planned(human_facing=False, overrides=FAULTLESS), "migrate-swap")
    assert row["break_even_calls_month"] > free["break_even_calls_month"]
    assert row["p50_nusd"] < free["p50_nusd"]


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 200), st.floats(0, 200), st.floats(0.01, 1.0))
@pytest.mark.slow
def test_dearer_wrong_answers_never_save_more(cheap, dear, handled):
    cheap, dear = sorted((cheap, dear))
    rows = [
        option_of(planned(overrides={"person_hour_usd": hour, "wrong_handled_share_human": handled}), "pilot-tune")
        for hour in (cheap, dear)
    ]
    for column in ("p10_nusd", "p50_nusd", "p90_nusd", "npv_p10_nusd", "npv_p90_nusd", "p_npv_positive"):
        assert rows[0][column] >= rows[1][column]


def test_the_vendors_smaller_model_pays_for_its_wrong_answers_too_and_code_and_cache_do_not():
    facts = {"program_lo90": 0.995, "repeat_share": 0.5, "repeats_equal": 1.0}
    made = planned(facts)
    assert option_of(made, "pilot-cheaper-llm")["wrong_per_1000_calls_nusd"] > 0
    assert option_of(made, "code")["wrong_per_1000_calls_nusd"] == 0
    assert option_of(made, "cache")["wrong_per_1000_calls_nusd"] == 0


def test_free_text_says_what_is_assumed():
    made = planned({"output_kind": "text", "weak_comparator": True, "swap": parity(0.5)}, human_facing=False)
    assert any("weak_wrong_share" in reason for reason in made.actions.item(0, "reasons"))
