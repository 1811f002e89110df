"""What a fact is worth, on draws whose truth is known - and nothing where there is nothing to know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.savings.value_of_information import Fact, Worth, evppi, learnable, ranked, worths, yes_no_worth

DRAWS = 4000
SEEDS = range(12)


def loss(mean, spread):
    """E[max(0, X)] of a normal X: the unit normal loss of Raiffa and Schlaifer (1961)."""
    z = mean / spread
    density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return mean * (1 + math.erf(z / math.sqrt(2))) / 2 + spread * density


@pytest.mark.parametrize("mean", [-1.0, -0.3, 0.0, 0.4, 1.2])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_the_worth_of_one_of_two_normal_causes_is_the_published_one(mean, share):
    """NPV = mean + a fact + noise, all normal with a total spread of 1: the truth has a closed form."""
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        fact = rng.standard_normal(DRAWS)
        npv = mean + math.sqrt(share) * fact + math.sqrt(1 - share) * rng.standard_normal(DRAWS)
        found.append(evppi(npv, fact).value)
    truth = loss(mean, math.sqrt(share)) - max(mean, 0.0)
    assert np.mean(found) == pytest.approx(truth, abs=0.012)


@pytest.mark.parametrize("mean", [-0.5, 0.0, 0.5])
def test_a_fact_that_says_nothing_is_worth_next_to_nothing_and_is_seldom_called_sure(mean):
    sure, values = 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        worth = evppi(mean + rng.standard_normal(DRAWS), rng.standard_normal(DRAWS))
        values.append(worth.value)
        sure += learnable("x", "", worth, 0).sure
    assert np.mean(values) < 0.01
    assert sure / 200 <= 0.08


def test_a_yes_or_no_is_worth_the_loss_that_it_avoids():
    rng = np.random.default_rng(0)
    holds = (rng.random(20_000) < 0.6).astype(float)
    npv = holds * 10 - 4 + rng.standard_normal(20_000)
    assert evppi(npv, holds).value == pytest.approx(0.4 * 4, rel=0.05)
    assert yes_no_worth(-4, 6, 0.6) == pytest.approx(0.6 * 6 - 2)


def test_a_curved_dependence_is_found_as_well():
    """Acting pays at both ends and not between them: a straight line would see nothing."""
    rng = np.random.default_rng(1)
    fact = rng.standard_normal(DRAWS)
    npv = fact**2 - 1 + 0.5 * rng.standard_normal(DRAWS)
    truth = 2 * math.exp(-0.5) / math.sqrt(2 * math.pi)  # E[max(0, X^2 - 1)] of a standard normal
    assert evppi(npv, fact).value == pytest.approx(truth, rel=0.06)


def test_several_options_share_a_fact_and_each_is_decided_by_itself():
    rng = np.random.default_rng(2)
    fact = rng.standard_normal(DRAWS)
    both = np.stack([fact, -fact], axis=1)
    assert evppi(both, fact).value == pytest.approx(2 * evppi(fact, fact).value, rel=0.1)


def test_what_does_not_vary_and_a_plan_without_options_are_worth_nothing():
    assert worths(np.ones(100), {"x": np.ones(100)}) == {"x": Worth(0.0, 0.0)}
    assert evppi(np.empty((100, 0)), np.arange(100.0)) == Worth(0.0, 0.0)


@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(0, 1))
def test_knowing_never_hurts(if_not, if_so, chance):
    assert yes_no_worth(if_not, if_so, chance) >= -1e-9


def test_the_next_fact_is_the_one_with_the_highest_worth_after_its_cost():
    facts = [
        Fact("dear", "", 900, 950, sure=True),
        Fact("cheap", "", 500, 10, sure=True),
        Fact("large", "", 800, 200, sure=True),
        Fact("noise", "", 9000, 1, sure=False),
    ]
    assert [fact.name for fact in ranked(facts)] == ["large", "cheap"]
