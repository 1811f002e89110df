"""What a plan promises: money that adds up, options that never flatter, and "no" where the answer is no."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import SettingError
from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.cash_flows import payback_months
from slmlens.savings.options import Option, break_even_calls
from slmlens.savings.plan import plan
from slmlens.spend.price import price_calls
from slmlens.tables import NUSD_PER_USD, DecisionsTable
from tests.savings.world import FAULTLESS, START, TODAY, calls_frame, filled, parity, steady, verdicts_of

FEW = 400
CONTRACTED = {"cheaper_llm_parity": 0.0}


def planned(tasks, facts=None, *, overrides=None, draws=FEW, excluded=(), **world):
    """Plan with wrong answers at no cost (tests/savings/test_wrong_answers.py is on that)."""
    known = FAULTLESS | (overrides or {})
    return plan(verdicts_of(tasks, facts, **world), overrides=known, today=TODAY, draws=draws, excluded=excluded)


def action_of(made, task):
    return made.actions.row(by_predicate=pl.col("task_id") == task, named=True)


def option_of(made, task, action):
    """The option, hosted where it is to run a small model."""
    found = made.savings.filter(task_id=task, action=action).filter(pl.col("deployment") != "self-hosted")
    assert found.height == 1
    return found.row(0, named=True)


@pytest.mark.parametrize(
    ("provider", "model", "tune", "swap"),
    [
        ("anthropic", "claude-sonnet-4-5", 363_000, 113_000),
        ("openai", "gpt-4o", 399_000, 125_000),
        ("openai", "gpt-5.2", 463_000, 145_000),
        ("openai", "gpt-4.1", 577_000, 180_000),
        ("anthropic", "claude-haiku-4-5", 1_170_000, 365_000),
        ("openai", "gpt-4.1-mini", 3_700_000, 1_160_000),
        ("openai", "gpt-5-nano", None, None),
    ],
)
def test_the_published_break_even_table_is_reproduced(provider, model, tune, swap):
    """900 tokens in, 60 % of them cached, 120 out, against 0.10 $/M all-in; from a nano-class incumbent never."""
    call = {"provider": provider, "model": model, "input_tokens": 900, "cached_tokens": 540, "output_tokens": 120}
    incumbent = price_calls(calls_frame([call]), today=TODAY).item(0, "runrate_nusd")
    saved = incumbent - 1020 * 100
    known = load_assumptions()
    for what, expected in (("tune", tune), ("swap", swap)):
        option = Option("x", "none", None, None, None, known.once_usd(what), known.monthly_usd(what), saved)
        found = break_even_calls(option, 12)
        assert (found is None) == (expected is None)
        if expected is not None:
            assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
def test_savings_rise_with_what_the_incumbent_costs():
    models = ["gpt-5-nano", "gpt-4.1-nano", "gpt-4.1-mini", "gpt-4.1"]
    made = [planned({"t": steady(300, 30, model=name)}, sampling_rate=0.001) for name in models]
    for action in ("migrate-swap", "pilot-swap", "migrate-tune", "pilot-tune"):
        options = [option_of(one, "t", action) for one in made]
        for column in ("p10_nusd", "p50_nusd", "p90_nusd", "saving_per_1000_calls_nusd", "npv_p90_nusd"):
            values = [option[column] for option in options]
            assert values == sorted(values), (action, column)
        breaks = [option["break_even_calls_month"] or np.inf for option in options]
        assert breaks == sorted(breaks, reverse=True)


@pytest.mark.slow
def test_dearer_small_models_and_dearer_people_save_less():
    tasks = {"t": steady(300, 30)}
    plain = option_of(planned(tasks, sampling_rate=0.001), "t", "pilot-tune")
    for dearer in ({"hosted_tuned_price_factor": 9.0}, {"engineer_day_usd": 5000}, {"tune_month_usd": 2000}):
        other = option_of(planned(tasks, sampling_rate=0.001, overrides=dearer), "t", "pilot-tune")
        assert other["npv_p90_nusd"] < plain["npv_p90_nusd"]
        assert other["break_even_calls_month"] > plain["break_even_calls_month"]


def test_cached_input_counts_at_its_cached_rate():
    tasks = {"fresh": steady(300, 30), "cached": steady(300, 30, cached_tokens=700)}
    made = planned(tasks, sampling_rate=0.001)
    fresh, cached = (option_of(made, name, "migrate-swap")["saving_per_1000_calls_nusd"] for name in tasks)
    assert fresh - cached == 1000 * 700 * 1_500


def test_a_saving_counts_only_where_parity_holds():
    shares = (0.0, 0.25, 0.6, 1.0)
    tasks = {f"t{share}": steady(300, 30) for share in shares}
    facts = {f"t{share}": {"swap": parity(share), "tuned": parity(share)} for share in shares}
    made = planned(tasks, facts, sampling_rate=0.001, draws=2000)
    for share in shares:
        row = option_of(made, f"t{share}", "migrate-swap")
        assert row["p_npv_positive"] == pytest.approx(share, abs=0.05)
        assert (row["p50_nusd"] > 0) == (share > 0.5)
        assert (row["p10_nusd"] > 0) == (share > 0.9)
    hopeless = action_of(made, "t0.0")
    assert hopeless["keep_because"] == "quality"
    assert "has to agree with the incumbent in 95%" in hopeless["flips"][0]
    assert hopeless["flips"][1].startswith("if it held parity")


def test_a_nano_incumbent_is_kept_for_the_money():
    made = planned({"t": steady(300, 30, model="gpt-5-nano", cached_tokens=540)}, sampling_rate=0.01)
    row = action_of(made, "t")
    assert (row["action"], row["keep_because"]) == ("keep", "money")
    assert made.total["order"] == []
    assert made.total["saving_month_nusd"] == {"p10": 0, "p50": 0, "p90": 0}


def test_a_small_volume_says_from_where_on_it_would_pay():
    made = planned({"t": steady(300, 30)})
    row = action_of(made, "t")
    assert (row["action"], row["keep_because"]) == ("keep", "money")
    assert any("would pay from" in flip and "this log shows 300" in flip for flip in row["flips"])


@pytest.mark.slow
def test_a_large_volume_with_hope_is_piloted_and_never_migrated_without_grade_a():
    made = planned({"t": steady(300, 30)}, sampling_rate=0.0001, overrides=CONTRACTED)
    row = action_of(made, "t")
    assert (row["action"], row["mode"], row["slm"]) == ("pilot-tune", "tuned", "Qwen3-8B")
    shown = {"t": {"evidence": "shown", "grade": "A", "tuned": parity(0.97, "Llama-3.1-8B-Instruct")}}
    row = action_of(planned({"t": steady(300, 30)}, shown, sampling_rate=0.0001, overrides=CONTRACTED), "t")
    assert (row["action"], row["slm"]) == ("migrate-tune", "Llama-3.1-8B-Instruct")
    rare = {"t": {**shown["t"], "rare_class": "block", "rare_n": 4}}
    row = action_of(planned({"t": steady(300, 30)}, rare, sampling_rate=0.0001, overrides=CONTRACTED), "t")
    assert row["action"] == "pilot-tune"


def test_code_and_cache_come_before_any_model():
    tasks = {name: steady(300, 30) for name in ("code", "cache", "acts")}
    repeats = {"repeat_share": 0.6, "repeats_equal": 1.0}
    acts = {**repeats, "signals": [{"name": "side_effect_share", "value": 0.5}]}
    made = planned(tasks, {"code": {"program_lo90": 0.995}, "cache": repeats, "acts": acts}, sampling_rate=0.0005)
    assert [action_of(made, name)["action"] for name in ("code", "cache")] == ["code", "cache"]
    assert action_of(made, "acts")["action"].startswith("pilot")
    whole, part = option_of(made, "code", "code"), option_of(made, "cache", "cache")
    assert part["saving_per_1000_calls_nusd"] == pytest.approx(0.6 * whole["saving_per_1000_calls_nusd"], abs=1)


def test_a_dear_incumbents_own_smaller_model_can_win():
    row = action_of(planned({"t": steady(300, 30)}, sampling_rate=0.0015), "t")
    assert (row["action"], row["slm"]) == ("pilot-cheaper-llm", "gpt-4.1-mini")


def test_a_task_that_no_model_fits_is_kept_with_every_reason():
    made = planned({"t": steady(300, 30, input_tokens=400_000)}, sampling_rate=0.001, overrides=CONTRACTED)
    row = action_of(made, "t")
    assert (row["action"], row["keep_because"]) == ("keep", "gate")
    assert not any(candidate["accepted"] for candidate in row["candidates"])
    assert all(candidate["reason"] for candidate in row["candidates"])
    assert all(candidate["p_parity"] is None for candidate in row["candidates"])


def test_each_small_model_has_a_chance_of_its_own():
    row = action_of(planned({"t": steady(300, 30)}, sampling_rate=0.001), "t")
    chance = {c["slm"]: c["p_parity"] for c in row["candidates"] if c["accepted"]}
    assert chance["Llama-3.2-1B-Instruct"] < chance["Llama-3.2-3B-Instruct"] < chance["Qwen3-8B"]
    assert all(c["a_lo90"] <= c["a_hi90"] for c in row["candidates"] if c["accepted"])


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        ({"gate": "prompts hold images", "evidence": "gated"}, "gate"),
        ({"evidence": "not-enough-data", "swap": None, "tuned": None}, "unknown"),
        ({"evidence": "no-signal"}, "quality"),
    ],
)
def test_what_the_evidence_forbids_money_does_not_allow(facts, because):
    row = action_of(planned({"t": steady(300, 30)}, {"t": facts}, sampling_rate=0.0001), "t")
    assert (row["action"], row["keep_because"]) == ("keep", because)


def test_a_log_without_times_states_calls_instead_of_months():
    made = planned({"t": [{"started_at": None}] * 300})
    row = option_of(made, "t", "pilot-tune")
    assert (row["p50_nusd"], row["p_npv_positive"], row["payback_months"]) == (None, None, None)
    assert row["saving_per_1000_calls_nusd"] > 0
    assert row["break_even_calls_month"] > 0
    assert action_of(made, "t")["action"].startswith("pilot")
    assert made.total["saving_month_nusd"] is None
    assert any("no monthly figure" in reason for reason in action_of(made, "t")["reasons"])


def test_a_log_without_prices_is_not_judged_on_money():
    made = planned({"t": steady(300, 30, provider="azure", model="our-deployment"), "u": steady(300, 30, model=None)})
    for name in ("t", "u"):
        assert action_of(made, name)["keep_because"] == "unknown"
        assert option_of(made, name, "pilot-tune")["saving_per_1000_calls_nusd"] is None
    assert "--assume-model" in action_of(made, "u")["flips"][0]


@pytest.mark.slow
def test_a_seat_plan_saves_nothing():
    made = planned({"t": steady(300, 30, billing="seat")}, sampling_rate=0.0001)
    assert action_of(made, "t")["keep_because"] == "money"
    assert made.savings.get_column("p90_nusd").to_list() == [0] * made.savings.height
    assert any("list-price equivalent" in reason for reason in action_of(made, "t")["reasons"])
    mixed = planned({"t": steady(150, 30) + steady(150, 30, billing="seat")}, sampling_rate=0.001)
    alone = planned({"t": steady(150, 30)}, sampling_rate=0.001)
    assert (
        option_of(mixed, "t", "migrate-swap")["saving_per_1000_calls_nusd"]
        == option_of(alone, "t", "migrate-swap")["saving_per_1000_calls_nusd"]
    )


def test_exactly_one_option_of_each_task_is_chosen_and_matches_the_action():
    made = planned({"a": steady(300, 30), "b": steady(50, 30, model=None)}, sampling_rate=0.001)
    chosen = made.savings.filter("chosen").select("task_id", "action")
    assert chosen.equals(made.actions.select("task_id", "action"))


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["gpt-4o", "gpt-4.1-mini", None]), st.integers(1, 40)), min_size=1, max_size=4),
    st.integers(0, 20),
    st.booleans(),
)
@pytest.mark.slow
def test_coverage_adds_up_to_what_was_imported(groups, loose, aside):
    tasks = {f"t{at}": steady(n, 20, model=model) for at, (model, n) in enumerate(groups)}
    made = planned(tasks, unassigned=steady(loose, 20), excluded={"t0"} if aside else (), draws=100)
    imported = made.tasks.calls.calls.get_column("spend_nusd").sum()
    assert sum(made.total["coverage_nusd"].values()) == imported
    assert "t0" not in made.total["order"] or not aside


def test_the_total_is_the_sum_of_joint_draws_and_not_of_medians():
    tasks = {f"t{at}": steady(100, 30) for at in range(4)}
    made = planned(tasks, sampling_rate=0.0001, draws=2000, overrides=CONTRACTED)
    chosen = made.savings.filter(pl.col("chosen"))
    total = made.total["saving_month_nusd"]
    assert made.total["sum_of_p50_nusd"] == chosen.get_column("p50_nusd").sum()
    assert total["p10"] >= chosen.get_column("p10_nusd").sum()
    assert total["p90"] <= chosen.get_column("p90_nusd").sum()
    assert total["p10"] <= total["p50"] <= total["p90"]
    assert made.total["one_off_nusd"] == chosen.get_column("one_off_nusd").sum()
    assert made.total["one_off_nusd"] / NUSD_PER_USD == pytest.approx(4 * 8400, rel=1e-4)  # and a dollar of GPU time


def shuffled(verdicts, seed):
    def mixed(frame):
        return frame.sample(fraction=1, shuffle=True, seed=seed)

    old = verdicts.tasks
    calls = replace(old.calls, calls=mixed(old.calls.calls), messages=mixed(old.calls.messages))
    tasks = replace(old, calls=calls, tasks=mixed(old.tasks), assignments=mixed(old.assignments))
    return replace(verdicts, tasks=tasks, verdicts=mixed(verdicts.verdicts))


def test_row_order_changes_nothing_and_the_seed_little():
    verdicts = verdicts_of({"a": steady(300, 30), "b": steady(90, 30, model="gpt-4o")}, sampling_rate=0.001)
    first = plan(verdicts, today=TODAY, draws=FEW)
    again = plan(shuffled(verdicts, 9), today=TODAY, draws=FEW)
    assert first.savings.equals(again.savings)
    assert first.actions.equals(again.actions)
    assert first.total == again.total
    other = plan(verdicts, today=TODAY, draws=4000, seed=5)
    rows = (option_of(made, "a", "migrate-swap")["p90_nusd"] for made in (first, other))
    assert np.diff(list(rows))[0] / NUSD_PER_USD < 1000


def test_another_task_in_the_log_does_not_move_a_tasks_own_figures():
    alone = planned({"a": steady(300, 30)}, sampling_rate=0.001)
    beside = planned({"a": steady(300, 30), "b": steady(300, 30)}, sampling_rate=0.001)
    for column in ("break_even_calls_month", "saving_per_1000_calls_nusd", "one_off_nusd"):
        assert option_of(alone, "a", "pilot-swap")[column] == option_of(beside, "a", "pilot-swap")[column]


def test_a_long_uncached_prefix_offers_prompt_caching_and_a_patient_step_the_batch_rate():
    long = steady(3000, 20, input_tokens=3000, human_facing=False)
    warm, short = {"t": long}, {"t": steady(3000, 20, input_tokens=900)}
    made = planned(warm, sampling_rate=0.5)
    levers = {lever["name"]: lever["saving_month_nusd"] for lever in action_of(made, "t")["levers"]}
    assert set(levers) == {"batch rate", "prompt caching"}
    month = made.total["month"].mid_nusd
    assert levers["batch rate"] == pytest.approx(month / 2, rel=0.01)
    assert 0 < levers["prompt caching"] < month
    assert "batch rate" not in {lever["name"] for lever in action_of(planned(short), "t")["levers"]}


def test_every_option_and_decision_has_its_assumptions_beside_it():
    made = planned({"t": steady(300, 30)})
    names = made.assumptions.get_column("name")
    assert names.is_unique().all()
    assert {"engineer_day_usd", "slm_catalogue", "vendor_smaller_model"} <= set(names)
    user = planned({"t": steady(300, 30)}, overrides={"swap_days": 9})
    assert option_of(user, "t", "migrate-swap")["one_off_nusd"] == 7200 * NUSD_PER_USD


def decided(verdicts, kind, task, action=None):
    """Verdicts whose tasks carry one decision of a person."""
    row = {"decision_id": "d-1", "kind": kind, "author": "ana", "decided_at": START, "reason": "r", "what": "w"}
    row |= {"status": "applied", "task_ids": [task], "action": action}
    tasks = replace(verdicts.tasks, decisions=filled(DecisionsTable, [row]))
    return replace(verdicts, tasks=tasks)


def test_an_action_that_a_person_asked_for_is_followed_and_said_and_the_evidence_stays():
    verdicts = verdicts_of({"a": steady(300, 30)}, sampling_rate=0.0001)
    alone = action_of(plan(verdicts, today=TODAY, draws=FEW), "a")
    assert alone["action"] != "keep"
    kept = action_of(plan(decided(verdicts, "override", "a", "keep"), today=TODAY, draws=FEW), "a")
    assert (kept["action"], kept["keep_because"], kept["evidence"]) == ("keep", None, alone["evidence"])
    assert kept["reasons"][0] == f"a person (ana) decided on keep; the evidence alone said {alone['action']}"
    other = action_of(plan(decided(verdicts, "override", "a", "migrate-swap"), today=TODAY, draws=FEW), "a")
    assert (other["action"], other["mode"]) == ("migrate-swap", "swap")


HOLDS = ["its calls act (send_refund)", "its instructions or tools speak of health"]


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("mode", ["swap", "tuned"])
def test_a_held_task_that_is_shown_and_pays_moves_only_when_a_person_says_so(hold, mode):
    shown = {"evidence": "shown", "grade": "A", "swap": None, "tuned": None} | {mode: parity(0.97)}
    world = {"sampling_rate": 0.0001}
    tasks = {"a": steady(300, 30), "b": steady(300, 30)}
    verb = "swap" if mode == "swap" else "tune"
    held = verdicts_of(tasks, {"a": {**shown, "hold": hold}, "b": shown}, **world)

    alone = plan(held, overrides=FAULTLESS | CONTRACTED, today=TODAY, draws=FEW)
    assert action_of(alone, "b")["action"] == f"migrate-{verb}"
    waiting = action_of(alone, "a")
    assert waiting["action"] == f"pilot-{verb}"
    assert waiting["reasons"][0] == (
        f"a small model is shown and moving would pay, but {hold}: only a person may decide it"
    )

    told = decided(held, "override", "a", f"migrate-{verb}")
    lifted = action_of(plan(told, overrides=FAULTLESS | CONTRACTED, today=TODAY, draws=FEW), "a")
    assert lifted["action"] == f"migrate-{verb}"
    assert lifted["reasons"][0] == f"a person (ana) decided on migrate-{verb}; the evidence alone said pilot-{verb}"


def test_an_action_that_the_log_can_not_value_is_not_followed():
    verdicts = verdicts_of({"a": steady(300, 30)})
    alone = action_of(plan(verdicts, today=TODAY, draws=FEW), "a")
    assert action_of(plan(decided(verdicts, "override", "a", "code"), today=TODAY, draws=FEW), "a") == alone
    gated = verdicts_of({"a": steady(300, 30)}, {"a": {"gate": "images", "evidence": "gated"}})
    made = plan(decided(gated, "override", "a", "migrate-swap"), today=TODAY, draws=FEW)
    assert action_of(made, "a")["keep_because"] == "gate"


def test_a_task_that_a_person_set_aside_is_in_no_saving_and_its_money_is_excluded():
    verdicts = verdicts_of({"a": steady(300, 30), "b": steady(100, 30)})
    made = plan(decided(verdicts, "set_aside", "a"), today=TODAY, draws=FEW)
    assert "a" not in made.total["order"]
    assert made.total["coverage_nusd"]["excluded"] > 0
    assert sum(made.total["coverage_nusd"].values()) == verdicts.tasks.calls.calls.get_column("spend_nusd").sum()


def test_too_few_draws_are_refused():
    with pytest.raises(SettingError, match="draws"):
        planned({"t": steady(20, 20)}, draws=3)


def payback(gross, once, monthly, decline):
    found = payback_months(np.array([gross]), np.array([once]), np.array([monthly]), decline)
    return found.item()


def test_payback_is_the_month_in_which_the_work_is_repaid():
    assert payback(1000, 3000, 0, 0) == pytest.approx(3)
    assert payback(1000, 3000, 250, 0) == pytest.approx(4)
    assert payback(100, 3000, 200, 0) == np.inf
    slower = [payback(1000, 6000, 100, decline) for decline in (0, 0.2, 0.6)]
    assert all(a < b for a, b in itertools.pairwise(slower))
