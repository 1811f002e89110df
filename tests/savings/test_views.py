"""The decision views of a plan against the plan itself, valued again with the input moved."""

from __future__ import annotations

import pytest

from slmlens.savings.plan import plan
from tests.savings.world import FAULTLESS, TODAY, parity, steady, verdicts_of

FIXED = {
    "price_decline_year": 0.2,
    "people_cost_factor": 1,
    "hosted_tuned_price_factor": 1,
    "tokenizer_ratio": 1,
    "wrong_answer_minutes": 1,
    "wrong_handled_share_human": 0.1,
    "wrong_handled_share_machine": 0.01,
    "later_rollout_share": 0.4,
    "price_spread_listings": 0,
    "price_spread_market": 0,
    "month_spread": 0,
    "cheaper_llm_parity": 0,
}
"""Every input at one value."""

TASKS = {"big": steady(400, 10), "mid": steady(300, 10), "low": steady(200, 10)}
SHOWN = {"evidence": "shown", "grade": "A", "swap": parity(1.0), "tuned": parity(1.0)}
OPEN = {"evidence": "open", "swap": parity(0.5), "tuned": parity(0.6)}
FACTS = {"big": SHOWN, "mid": OPEN, "low": OPEN}


def planned(facts=FACTS, tasks=TASKS, rate=0.0002, draws=2000, **overrides):
    given = {**FAULTLESS, **overrides}
    return plan(verdicts_of(tasks, facts, sampling_rate=rate), overrides=given, today=TODAY, draws=draws)


def bars(made):
    return {bar["input"]: bar for bar in made.total["tornado"]}


@pytest.mark.slow
def test_the_work_at_which_the_tornado_flips_makes_the_plan_worth_nothing_when_it_is_valued_again():
    """One task, certain to hold, and every input known but the people cost: one future is then all futures."""
    one = {"big": steady(4000, 10)}
    known = planned({"big": SHOWN}, one, rate=0.01, **FIXED)
    assert known.total["order"] == ["big"]
    spread = planned({"big": SHOWN}, one, rate=0.01, **{**FIXED, "people_cost_factor": [0.5, 1, 2]})
    flip = bars(spread)["people_cost_factor"]["flip"]
    again = planned({"big": SHOWN}, one, rate=0.01, **{**FIXED, "people_cost_factor": flip})
    before, after = (made.savings.filter(action="migrate-swap", deployment="hosted-base") for made in (known, again))
    assert before.item(0, "npv_p90_nusd") > 0
    assert abs(after.item(0, "npv_p90_nusd")) < 0.05 * before.item(0, "npv_p90_nusd")


def test_wrong_answers_and_each_uncertain_task_have_a_bar_of_their_own():
    careful = {"person_hour_usd": 4, "wrong_retries": 1}
    found = {bar["input"] for bar in planned({**FACTS, "big": OPEN}, **careful).total["tornado"]}
    assert found & {"parity:big", "parity:mid", "parity:low"}
    assert "wrong_answers" in found


def test_the_tornado_is_sorted_and_has_six_bars_at_most():
    widths = [abs(bar["npv_high_nusd"] - bar["npv_low_nusd"]) for bar in planned().total["tornado"]]
    assert 3 <= len(widths) <= 6
    assert widths == sorted(widths, reverse=True)


def test_an_input_that_is_known_is_no_bar():
    made = planned(people_cost_factor=1, price_decline_year=0.2)
    assert not {"people_cost_factor", "price_decline_year"} & set(bars(made))


def test_a_plan_that_does_nothing_has_no_tornado_and_no_portfolio():
    made = planned(rate=1.0)
    assert made.total["order"] == []
    assert made.total["tornado"] == []
    assert made.total["portfolio"] is None


def test_without_a_budget_the_portfolio_is_the_plan():
    made = planned()
    found = made.total["portfolio"]
    assert set(found["tasks"]) == set(made.total["order"])
    assert found["budget_weeks"] is None
    assert found["left_out"] == []
    assert found["npv_nusd"] == made.total["npv_nusd"]
    assert found["p_npv_positive"] == made.total["p_npv_positive"]


@pytest.mark.slow
def test_a_small_budget_takes_what_fits_and_says_what_it_leaves_out_and_why():
    free = planned().total["portfolio"]
    for weeks in (0.4, 1.0, 2.5):
        found = planned(budget_weeks=weeks).total["portfolio"]
        assert found["weeks"] <= weeks + 1e-9
        assert len(found["tasks"]) < len(free["tasks"]) or free["weeks"] <= weeks
        assert {*found["tasks"], *(entry["task_id"] for entry in found["left_out"])} == set(free["tasks"])
        assert all("engineer-weeks" in entry["reason"] for entry in found["left_out"])


def test_what_is_worth_learning_costs_less_than_it_is_worth():
    facts = planned().total["facts"]
    assert facts
    assert all(fact["worth_nusd"] > fact["cost_nusd"] >= 0 for fact in facts)
    nets = [fact["worth_nusd"] - fact["cost_nusd"] for fact in facts]
    assert nets == sorted(nets, reverse=True)


def test_nobody_is_asked_for_commitments_where_they_could_not_be():
    never = planned(unasked_commitment_chance=0).total["facts"]
    assert "commitments" not in {fact["fact"] for fact in never}


def test_a_task_that_is_certain_needs_no_pilot_to_be_learned():
    assert "parity:big" not in {fact["fact"] for fact in planned().total["facts"]}


def test_each_task_with_a_small_model_has_its_routing_table():
    made = planned()
    for rows in made.actions.get_column("routing").to_list():
        assert [row["way"] for row in rows] == ["move", "router", "cascade"]
        whole, routed, tried = (row["saving_month_nusd"] for row in rows)
        assert tried <= routed <= whole
        assert rows[1]["saving_low_nusd"] <= routed <= rows[1]["saving_high_nusd"]
        assert rows[2]["paid_twice_nusd"] > 0
    timeless = planned(tasks={"big": [{"started_at": None}] * 300})
    assert timeless.actions.item(0, "routing").to_list() == []
