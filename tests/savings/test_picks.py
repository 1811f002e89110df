"""Three models to look at first: what each is picked for, when two are a tie, and when there is none."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.savings import picks as subject
from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.candidates import Candidates, candidates_of
from slmlens.savings.chances import Beliefs, GradedModel
from slmlens.savings.montecarlo import Setting, draw_shared
from slmlens.savings.picks import Pick, ahead, pick, worth_more
from slmlens.savings.volumes import task_volumes
from slmlens.spend.months import estimate_month
from slmlens.suitability.posterior import beta_mass
from slmlens.tables import MODES, PICKS
from tests.savings.world import parity, steady, verdicts_of

KNOWN = load_assumptions()
FLOOR = [{"name": "tuned_floor", "value": 0.99}, {"name": "tuned_floor_sd", "value": 0.01}]


def of(facts: Mapping[str, object], graded=None, *, model: str = "gpt-4.1", calls: int = 20_000):
    verdicts = verdicts_of({"t": steady(100, 30, model=model)}, {"t": {"output_kind": "json", **facts}})
    month = estimate_month(verdicts.tasks.calls.calls, sampling_rate=100 / calls)
    volume = task_volumes(verdicts.tasks, month)["t"]
    row = verdicts.verdicts.row(0, named=True)
    setting = Setting(KNOWN, draw_shared(KNOWN, month, seed=0, draws=400), 0)
    return candidates_of(volume, row, graded or {}, KNOWN), volume, setting


def by_kind(found: list[Pick], mode: str) -> dict[str, Pick]:
    return {one.kind: one for one in found if one.mode == mode}


def test_priors_alone_call_no_model_safe_however_hopeful():
    small, volume, setting = of({"signals": [{"name": "output_tokens_mean", "value": 1.0}], "a_needed_at": [0.1]})
    assert max(small.beliefs["tuned"].p_parity) >= 0.8
    for mode in MODES:
        found = by_kind(pick(small, volume, setting), mode)
        assert set(found) == set(PICKS)
        assert found["smallest-safe"].slm is None
        assert "grade D" in found["smallest-safe"].note
        assert found["safest"].slm is not None


def test_a_probe_that_learned_the_task_makes_the_smallest_sufficient_model_safe():
    small, volume, setting = of({"signals": FLOOR, "a_needed_at": [0.9]})
    first = by_kind(pick(small, volume, setting), "tuned")["smallest-safe"]
    beliefs = small.beliefs["tuned"]
    safe = [model for model, p in zip(beliefs.models, beliefs.p_parity, strict=True) if p >= 0.8]
    assert first.slm == min(safe, key=lambda model: model.params_b).name
    assert first.p_parity >= 0.8
    assert first.a_lo90 <= first.a_hi90
    # the same probe tested on sessions that follow no time is worth a grade less, and then none is safe
    small, volume, setting = of({"signals": FLOOR, "a_needed_at": [0.9], "time_ordered": False})
    assert by_kind(pick(small, volume, setting), "tuned")["smallest-safe"].slm is None


def test_a_model_that_was_graded_well_is_the_safest_and_one_graded_badly_is_not():
    graded = {
        ("swap", "Qwen3-4B-Instruct-2507"): GradedModel(0.99, 0.98, 200.0),
        ("swap", "Qwen3-8B"): GradedModel(0.01, 0.50, 200.0),
    }
    small, volume, setting = of({"a_needed_at": [0.9]}, graded)
    found = by_kind(pick(small, volume, setting), "swap")
    assert found["safest"].slm == found["smallest-safe"].slm == "Qwen3-4B-Instruct-2507"
    assert "grade A" in found["safest"].note
    assert "Qwen3-8B" not in found["safest"].ties


def test_best_value_is_none_where_no_pilot_repays_its_work():
    small, volume, setting = of({"a_needed_at": [0.5]}, model="gpt-5-nano", calls=200)
    found = by_kind(pick(small, volume, setting), "swap")["best-value"]
    assert found.slm is None
    assert "repay" in found.note
    small, volume, setting = of({"a_needed_at": [0.5]}, calls=5_000_000)
    found = by_kind(pick(small, volume, setting), "swap")["best-value"]
    assert found.slm is not None
    assert found.value_nusd > 0


def test_best_value_has_the_highest_expected_benefit_of_all_that_have_a_price():
    small, volume, setting = of({"a_needed_at": [0.5]}, calls=5_000_000)
    beliefs = small.beliefs["swap"]
    value = subject._value(
        "swap", beliefs, volume, small.verdict, subject._means(small.accepted, volume, setting), setting
    )
    expected = beliefs.p_parity * value.later - value.before
    found = by_kind(pick(small, volume, setting), "swap")["best-value"]
    assert found.value_nusd == round(float(np.nanmax(expected)))


@pytest.mark.parametrize("evidence", ["gated", "not-enough-data", "no-signal"])
def test_a_task_that_the_evidence_rules_out_has_no_picks(evidence):
    assert pick(*of({"evidence": evidence})) == []


def test_the_order_of_the_models_does_not_matter():
    small, volume, setting = of({"signals": FLOOR, "a_needed_at": [0.9]})
    shuffled = {}
    for mode, beliefs in small.beliefs.items():
        order = list(range(len(beliefs.models)))
        random.Random(3).shuffle(order)
        shuffled[mode] = Beliefs(
            [beliefs.models[at] for at in order],
            beliefs.p_parity[order],
            beliefs.low[order],
            beliefs.high[order],
            beliefs.mass[order],
            [beliefs.grades[at] for at in order],
        )
    assert pick(replace(small, beliefs=shuffled), volume, setting) == pick(small, volume, setting)


def twins(small: Candidates, mode: str) -> Candidates:
    """The same task with one hosted model twice, under another name."""
    beliefs = small.beliefs[mode]
    at = next(at for at, model in enumerate(beliefs.models) if model.hosted)
    first, rows = beliefs.models[at], [at, at]
    again = Beliefs(
        [first, replace(first, name=f"{first.name}-twin")],
        beliefs.p_parity[rows],
        beliefs.low[rows],
        beliefs.high[rows],
        beliefs.mass[rows],
        ["C", "C"],
    )
    return replace(small, accepted=list(again.models), beliefs={mode: again})


def test_twins_are_a_tie_in_each_of_the_three():
    small, volume, setting = of({"signals": FLOOR, "a_needed_at": [0.5]}, calls=5_000_000)
    found = pick(twins(small, "tuned"), volume, setting)
    assert len(found) == 3
    for one in found:
        assert [f"{one.slm}-twin"] == one.ties


BETAS = st.tuples(st.floats(0.02, 0.98), st.floats(0.5, 300))


@given(first=BETAS, second=BETAS)
def test_the_share_ahead_is_that_of_independent_draws(first, second):
    shapes = [(mean * kappa, (1 - mean) * kappa) for mean, kappa in (first, second)]
    share = ahead(np.array([beta_mass(*shape) for shape in shapes]), 0)
    assert share[0] == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    a, b = (np.floor(rng.beta(*shape, 40_000) * 400).clip(max=399) for shape in shapes)
    assert share[1] == pytest.approx((b > a).mean() + (b == a).mean() / 2, abs=0.015)


@given(
    p=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    later=st.tuples(st.floats(-50, 100), st.floats(-50, 100)),
    spread=st.tuples(st.floats(0.1, 20), st.floats(0.1, 20)),
)
def test_the_share_worth_more_is_that_of_independent_draws(p, later, spread):
    value = subject._Value(np.array(later), np.array(spread), 1.0, monthly=True)
    share = worth_more(np.array(p), value, 0)
    assert share[0] == pytest.approx(0.5)
    rng = np.random.default_rng(1)
    holds = [rng.random(40_000) < one for one in p]
    gap = later[1] - later[0] + np.hypot(*spread) * rng.standard_normal(40_000)
    lone = [float(one > 0) for one in later]
    more = np.select(
        [holds[0] & holds[1], ~holds[0] & holds[1], holds[0] & ~holds[1]], [gap > 0, lone[1], 1 - lone[0]], 0.5
    )
    assert share[1] == pytest.approx(more.mean(), abs=0.015)


def test_the_posterior_that_a_pick_shows_is_the_candidates_own():
    small, volume, setting = of({"swap": parity(0.5, slm="any of about 8B"), "a_needed_at": [0.9]})
    row = {entry["slm"]: entry for entry in small.rows}
    for one in pick(small, volume, setting):
        if one.slm is not None:
            suffix = "_tuned" if one.mode == "tuned" else ""
            assert row[one.slm][f"p_parity{suffix}"] == pytest.approx(one.p_parity)
