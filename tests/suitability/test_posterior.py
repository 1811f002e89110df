"""The posterior of A, its intervals and predictions, and the bound that uses no prior: against exact results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from slmlens.suitability.intervals import Share, clopper_pearson
from slmlens.suitability.posterior import (
    BOUND_ALPHA,
    LOOK_SHARES,
    LOOKS,
    Floor,
    Graded,
    Target,
    beliefs_by_prior,
    calls_to_settle,
    meets_target,
    posterior_of_a,
    prior_free_bound,
)
from slmlens.suitability.priors import Prior

PARITY = Target(0.95, 0.80, 0.3, None)
FLAT = Prior(0.5, 2.0, "flat")
PRIORS = st.builds(Prior, st.floats(0.05, 0.95), st.floats(0.5, 8), st.just(""))
GRADES = st.builds(Graded, st.just("m"), st.floats(5, 400), st.floats(0, 1))


def share(value: float, n: int) -> Share:
    return Share(value, *clopper_pearson(value * n, n), n, n, n)


class TestPosterior:
    @given(PRIORS, st.none() | st.floats(0.2, 1.0), st.none() | st.floats(0.5, 0.95))
    @settings(max_examples=60)
    def test_a_prior_alone_gives_what_the_grid_gives(self, prior, cut, ceiling):
        target = PARITY if ceiling is None else Target(0.95, 0.80, 0.3, share(ceiling, 40))
        p_parity, *ends = (float(one[0]) for one in beliefs_by_prior([prior], target.nodes(), cut))
        found = posterior_of_a(prior, target, cut=cut)
        assert p_parity == pytest.approx(found.p_parity, abs=0.005)
        assert ends == pytest.approx(found.quantile(np.array([0.05, 0.95])).tolist(), abs=0.01)

    @given(PRIORS, GRADES)
    @settings(max_examples=60)
    def test_without_a_probe_it_is_the_beta_posterior(self, prior, graded):
        found = posterior_of_a(prior, PARITY, graded=graded)
        hits = graded.agreement * graded.n_eff
        exact = stats.beta(prior.a + hits, prior.b + graded.n_eff - hits)
        for level in (0.80, 0.90):
            lo, hi = exact.interval(level)
            expected = (0.0 if hits == 0 else lo, 1.0 if hits == graded.n_eff else hi)
            assert found.interval(level) == pytest.approx(expected, abs=0.003)
        assert found.p_parity == pytest.approx(exact.sf(0.95), abs=0.003)

    @given(PRIORS, GRADES)
    @settings(max_examples=40)
    def test_the_median_lies_in_the_80_percent_interval_and_that_in_the_90_percent_one(self, prior, graded):
        parity = posterior_of_a(prior, PARITY, graded=graded).as_parity("m")
        names = ("a_lo90", "a_lo80", "a_p50", "a_hi80", "a_hi90")
        assert [parity[name] for name in names] == sorted(parity[name] for name in names)

    @given(st.builds(Prior, st.floats(0.1, 0.9), st.floats(2, 8), st.just("")), st.integers(1, 60))
    @settings(max_examples=40)
    def test_the_next_calls_are_predicted_by_a_beta_binomial(self, prior, n):
        found = posterior_of_a(prior, PARITY).predictive(n)
        assert found.sum() == pytest.approx(1)
        assert found == pytest.approx(stats.betabinom(n, prior.a, prior.b).pmf(np.arange(n + 1)), abs=0.02)

    @given(st.floats(0.05, 0.98), st.floats(0.3, 1.0), st.floats(0.03, 0.3))
    @settings(max_examples=40)
    def test_quantiles_never_fall_and_a_floor_never_lowers_parity(self, mean, at, spread):
        prior = Prior(mean, 2.6, "")
        bare, anchored = posterior_of_a(prior, PARITY), posterior_of_a(prior, PARITY, floor=Floor(at, spread))
        assert anchored.p_parity >= bare.p_parity - 1e-9
        quantiles = anchored.as_parity("m")["quantiles"]
        assert len(quantiles) == 101
        assert np.all(np.diff(quantiles) >= 0)
        assert 0 <= quantiles[0] <= quantiles[-1] <= 1

    def test_nothing_agrees_more_often_than_the_modal_answer(self):
        found = posterior_of_a(FLAT, PARITY, cut=0.8)
        assert found.quantile(np.array([1.0]))[0] <= 0.8 + 1 / 400
        assert found.p_parity == pytest.approx(0, abs=1e-9)

    def test_answers_far_above_what_is_reachable_end_at_what_is_reachable(self):
        found = posterior_of_a(FLAT, PARITY, cut=0.3, graded=Graded("m", 4_000, 0.99))
        assert found.mass.sum() == pytest.approx(1)
        assert found.quantile(np.array([0.5]))[0] == pytest.approx(0.3, abs=0.01)

    def test_a_lower_self_agreement_lowers_the_bar_but_not_below_the_skill(self):
        agreed = share(0.66, 300)
        assert Target(0.95, 0.8, 0.33, agreed).point == pytest.approx(0.627)
        assert Target(0.95, 0.8, 0.60, agreed).point == pytest.approx(0.648)
        assert Target(0.95, 0.8, 0.70, agreed).point == 1.0
        assert Target(0.95, 0.8, 0.98, None).point == pytest.approx(0.996)

    @pytest.mark.parametrize(("a", "calls"), [(0.0, 20), (1.0, 20), (0.6, 40), (0.97, 120)])
    def test_after_a_pilot_the_interval_holds_the_truth(self, a, calls):
        rng = np.random.default_rng(1)
        held = 0
        for hits in rng.binomial(calls, a, size=200):
            lo, hi = posterior_of_a(FLAT, PARITY, graded=Graded("m", calls, hits / calls)).interval(0.90)
            held += lo <= a <= hi
        assert held >= 0.85 * 200


class TestCallsToSettle:
    def test_a_pilot_is_never_longer_than_its_cap(self):
        for value in (0.2, 0.9, 0.96, 0.999):
            found = posterior_of_a(FLAT, PARITY, graded=Graded("m", 200, value))
            assert 30 <= calls_to_settle(found, 0.95, 500) <= 500

    def test_a_hopeless_model_is_settled_at_the_first_look(self):
        assert calls_to_settle(posterior_of_a(FLAT, PARITY, graded=Graded("m", 400, 0.3)), 0.95, 500) == 30

    def test_the_closer_to_the_target_the_more_calls(self):
        needed = [
            calls_to_settle(posterior_of_a(FLAT, PARITY, graded=Graded("m", 4_000, a)), 0.95, 500)
            for a in (0.5, 0.85, 0.94)
        ]
        assert needed == sorted(needed)
        assert needed[0] < needed[-1]

    def test_a_cap_below_the_first_look_is_the_answer(self):
        assert calls_to_settle(posterior_of_a(FLAT, PARITY), 0.95, 20) == 20


class TestBoundWithoutPrior:
    def test_the_error_of_all_looks_together_is_five_percent(self):
        assert sum(LOOK_SHARES) == pytest.approx(1)
        assert LOOKS == (30, 60, 120, 240)

    @given(st.integers(0, 300), st.integers(1, 6))
    @settings(max_examples=60)
    def test_more_models_on_a_task_never_raise_a_bound(self, misses, series):
        agreement = max(1 - misses / 300, 0.0)
        alone = prior_free_bound(Graded("m", 240, agreement))
        assert prior_free_bound(Graded("m", 240, agreement, series)) <= alone + 1e-12
        assert alone <= agreement

    def test_calls_that_share_sessions_spend_no_more_than_the_look_they_were_made_at(self):
        weakened = prior_free_bound(Graded("m", 119, 0.99))
        spent = BOUND_ALPHA * LOOK_SHARES[LOOKS.index(120)]
        assert weakened == pytest.approx(clopper_pearson(0.99 * 119, 119, spent)[0])
        assert prior_free_bound(Graded("m", 100, 0.99)) < clopper_pearson(99, 100, spent)[0]

    def test_without_repeats_shown_is_the_bound_against_the_target(self):
        assert meets_target(Graded("m", 240, 1 - 5 / 240), PARITY)
        assert not meets_target(Graded("m", 240, 1 - 6 / 240), PARITY)

    def test_few_repeated_prompts_show_less_than_many(self):
        graded = Graded("m", 240, 0.94)
        few, many = (Target(0.95, 0.8, 0.3, share(0.9, n)) for n in (10, 3_000))
        assert graded.agreement > few.point
        assert meets_target(graded, many)
        assert not meets_target(graded, few)
