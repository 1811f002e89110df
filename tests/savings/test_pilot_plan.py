"""The plan of pilots and the ladder before any model: ranked by what they are worth, with what each rests on."""

from __future__ import annotations

import polars as pl
import pytest

from slmlens.savings.pilot_plan import chance_shown
from slmlens.savings.plan import plan
from slmlens.suitability.posterior import LOOKS
from tests.savings.world import FAULTLESS, TODAY, parity, steady, verdicts_of

FEW = 400


def planned(tasks, facts=None, **world):
    return plan(verdicts_of(tasks, facts, **world), overrides=FAULTLESS, today=TODAY, draws=FEW)


def test_the_pilot_that_is_worth_most_comes_first_and_none_is_planned_where_nothing_is_open():
    tasks = {
        "large": steady(900, 30),
        "small": steady(300, 30, input_tokens=90, output_tokens=12),
        "hopeless": steady(300, 30),
        "settled": steady(300, 30),
    }
    facts = {
        "hopeless": {"evidence": "unlikely"},
        "settled": {"evidence": "shown", "grade": "A"},
    }
    found = planned(tasks, facts, sampling_rate=0.001).pilots
    assert set(found.get_column("task_id")) == {"large", "small"}
    assert found.item(0, "task_id") == "large"
    assert found.get_column("rank").to_list() == list(range(1, found.height + 1))
    values = found.get_column("value_nusd").to_list()
    assert values == sorted(values, reverse=True)
    for row in found.iter_rows(named=True):
        expected = row["p_shown"] * max(row["worth_if_shown_nusd"], 0) - row["cost_nusd"]
        assert row["value_nusd"] == pytest.approx(expected, abs=1)
        assert row["p_shown"] <= row["p_parity"] + 0.02


def test_a_pilot_asks_no_more_sessions_than_there_are_and_fewer_for_a_tuned_model():
    found = planned({"t": steady(150, 30)}, sampling_rate=0.001).pilots
    calls = dict(found.select("mode", "calls").iter_rows())
    assert calls["swap"] <= 120
    assert calls["tuned"] == 30


def test_without_a_month_a_pilot_has_a_chance_and_no_value():
    found = planned({"t": [{} for _ in range(300)]}).pilots
    assert found.get_column("value_nusd").is_null().all()
    assert (found.get_column("p_shown") >= 0).all()


def test_a_task_that_code_can_do_needs_no_pilot():
    facts = {"t": {"program_lo90": 0.995, "evidence": "likely"}}
    made = planned({"t": steady(300, 30)}, facts, sampling_rate=0.001)
    assert made.actions.item(0, "action") == "code"
    assert made.pilots.is_empty()
    rungs = {rung["name"]: rung for rung in made.actions.item(0, "ladder")}
    assert rungs["code"]["serves"]
    assert rungs["code"]["saving_month_nusd"] > 0
    assert "99.5%" in rungs["code"]["rests_on"]
    assert not rungs["cache"]["serves"]


def test_every_rung_of_the_ladder_says_what_it_rests_on():
    repeats = {"repeat_share": 0.6, "repeats_equal": 1.0}
    made = planned({"a": steady(300, 30), "b": steady(300, 30)}, {"a": repeats}, sampling_rate=0.001)
    by_task = dict(made.actions.select("task_id", "ladder").iter_rows())
    for rungs in by_task.values():
        assert [rung["name"] for rung in rungs][:4] == ["cache", "code", "prompt caching", "batch rate"]
        assert all(rung["rests_on"] for rung in rungs)
        assert all(rung["serves"] or rung["saving_month_nusd"] is None for rung in rungs)
    assert by_task["a"][0]["serves"]
    assert "60.0% of the calls" in by_task["a"][0]["rests_on"]
    assert by_task["b"][0]["rests_on"].startswith("no prompt came again")


def test_the_chance_to_be_shown_is_that_of_simulated_pilots():
    """Posterior predictive of A over a wide range, against 4,000 pilots drawn call by call."""
    import numpy as np

    from slmlens.suitability.posterior import Graded, prior_free_bound

    quantiles = parity(0.6)["quantiles"]
    rng = np.random.default_rng(1)
    bounds = {look: [prior_free_bound(Graded("", look, hits / look)) for hits in range(look + 1)] for look in LOOKS}
    agreement = np.interp(rng.random(4000), np.linspace(0, 1, len(quantiles)), quantiles)
    shown = np.zeros(len(LOOKS))
    for a in agreement:
        right = (rng.random(240) < a).cumsum()
        first = next((i for i, look in enumerate(LOOKS) if bounds[look][right[look - 1]] >= 0.95), None)
        if first is not None:
            shown[first:] += 1
    assert chance_shown(quantiles, 0.95, LOOKS) == pytest.approx((shown / 4000).tolist(), abs=0.025)
    assert pl.Series(chance_shown(quantiles, 0.95, LOOKS)).is_sorted()


def test_a_shown_task_that_stays_says_why():
    shown = {"evidence": "shown", "grade": "A", "swap": parity(1.0), "tuned": parity(0.0)}
    facts = {
        "costly": shown,
        "rare": shown | {"rare_class": "x", "rare_n": 4},
        "moves": shown,
    }
    tasks = {
        "costly": steady(300, 30, model="gpt-5-nano"),
        "rare": steady(900, 30),
        "moves": steady(900, 30),
    }
    made = planned(tasks, facts, sampling_rate=0.001)
    said = {task: " ".join(reasons) for task, reasons in made.actions.select("task_id", "reasons").iter_rows()}
    assert "the chance that moving pays is" in said["costly"]
    assert "a rare answer class has 10 graded calls" in said["rare"]
    assert made.actions.row(by_predicate=pl.col("task_id") == "moves", named=True)["action"] == "migrate-swap"
    assert "is shown, but" not in said["moves"]
