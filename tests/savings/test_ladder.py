"""The ladder adds up: what a rung takes is not there for the next one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slmlens.savings.ladder import Step, climb
from slmlens.savings.plan import plan
from tests.savings.world import TODAY, parity, steady, verdicts_of

RUNGS = [
    "cache",
    "code",
    "prompt caching",
    "batch rate",
    "vendor's smaller model",
    "small model as it is",
    "small model tuned",
    "keep",
]
share = st.floats(0, 1)


@st.composite
def steps(draw):
    made = []
    for name in RUNGS[:-1]:
        model = draw(st.floats(0, 2e12)) if "model" in name else None
        fixed = draw(st.floats(0, 1e11)) if model else 0.0
        made.append(Step(name, draw(st.booleans()), "x", draw(share), draw(share), model, fixed))
    return made


@given(st.one_of(st.none(), st.integers(0, 10**12)), steps())
def test_savings_and_what_is_kept_are_the_months_cost_to_the_nano_dollar(month, rungs):
    rows = climb(month, rungs)
    assert [row["name"] for row in rows] == RUNGS
    if month is None:
        assert all(row["saving_month_nusd"] is row["remains_month_nusd"] is None for row in rows)
        return
    left = month
    for row in rows:
        assert row["serves"] or row["saving_month_nusd"] is None
        assert (row["saving_month_nusd"] or 0) >= 0
        assert row["remains_month_nusd"] == left - (row["saving_month_nusd"] or 0) >= 0
        left = row["remains_month_nusd"]
    assert sum(row["saving_month_nusd"] or 0 for row in rows) + rows[-1]["remains_month_nusd"] == month


def test_calls_priced_one_by_one_cost_what_the_ladder_says():
    """1,000 calls of 100: 40 % repeat, a cached prefix takes a quarter, batch a half, the smaller model a fifth."""
    rungs = [
        Step("cache", serves=True, rests_on="", leaves=0.6),
        Step("code", serves=False, rests_on="", leaves=0.0),
        Step("prompt caching", serves=True, rests_on="", price=0.75),
        Step("batch rate", serves=True, rests_on="", price=0.5),
        Step("vendor's smaller model", serves=True, rests_on="", month_nusd=20_000),
        Step("small model as it is", serves=True, rests_on="", month_nusd=5_000, fixed_nusd=100),
        Step("small model tuned", serves=True, rests_on="", month_nusd=6_000),
    ]
    once, cached, batched = 600 * 100, 600 * 75, 600 * 37.5
    smaller, own = 600 * 20 * 0.75 * 0.5, 600 * 5 + 100
    rows = {row["name"]: row["remains_month_nusd"] for row in climb(100_000, rungs)}
    assert [rows[name] for name in RUNGS] == [once, once, cached, batched, smaller, own, own, own]


def laddered(tasks, facts=None, **world):
    made = plan(verdicts_of(tasks, facts, **world), today=TODAY, draws=200)
    return {row["task_id"]: {rung["name"]: rung for rung in row["ladder"]} for row in made.actions.to_dicts()}, made


def test_a_plans_ladder_starts_from_the_months_cost_of_the_task_and_shows_each_models_chance():
    facts = {"t": {"swap": parity(0.5), "tuned": parity(0.9)}}
    rungs, made = laddered({"t": steady(3000, 30, input_tokens=3000, human_facing=False)}, facts, sampling_rate=0.1)
    rungs = rungs["t"]
    assert list(rungs) == RUNGS
    taken = sum(rung["saving_month_nusd"] or 0 for rung in rungs.values())
    assert taken + rungs["keep"]["remains_month_nusd"] == made.total["month"].mid_nusd
    assert rungs["prompt caching"]["serves"]
    assert rungs["batch rate"]["serves"]
    assert 0 < rungs["small model as it is"]["chance"] <= rungs["small model tuned"]["chance"]
    assert rungs["vendor's smaller model"]["rests_on"].startswith("gpt-4.1-mini, ")
    levers = {lever["name"]: lever["saving_month_nusd"] for lever in made.actions.item(0, "levers")}
    assert rungs["batch rate"]["saving_month_nusd"] < levers["batch rate"], "on what caching left, not on all"


def test_code_leaves_nothing_to_any_model():
    rungs, _ = laddered({"t": steady(300, 30)}, {"t": {"program_lo90": 0.995}}, sampling_rate=0.001)
    assert rungs["t"]["code"]["remains_month_nusd"] == 0
    assert (rungs["t"]["small model tuned"]["saving_month_nusd"] or 0) == 0


def test_a_model_with_little_hope_takes_nothing():
    facts = {"t": {"evidence": "unlikely", "swap": parity(0.05), "tuned": parity(0.05)}}
    rungs, _ = laddered({"t": steady(300, 30)}, facts, sampling_rate=0.001)
    for name in RUNGS[4:7]:
        assert rungs["t"][name]["saving_month_nusd"] is None
        assert not rungs["t"][name]["serves"]


def test_without_a_month_no_rung_has_money_and_a_gated_task_says_its_gate():
    rungs, _ = laddered(
        {"t": [{"started_at": None}] * 300, "g": steady(300, 30)}, {"g": {"gate": "images", "evidence": "gated"}}
    )
    assert all(rung["saving_month_nusd"] is rung["remains_month_nusd"] is None for rung in rungs["t"].values())
    assert rungs["g"]["small model tuned"]["rests_on"] == "the task may not be moved: images"
