"""The priors: what moves them and how far, where each figure comes from, and that one command makes the file again."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.suitability.posterior import Target, posterior_of_a
from slmlens.suitability.priors import (
    SWAP_SIGNS,
    SlmFacts,
    prior_assumptions,
    prior_table,
    published_parity,
    swap_prior,
    swap_prior_of,
    swap_terms,
    tuned_prior,
    tuned_prior_of,
)
from slmlens.tables import OUTPUT_KINDS

TOKENS = st.floats(1, 20_000)
SIZES = st.floats(0.1, 10)
YEARS = st.one_of(st.none(), st.floats(2020, 2030))


class TestSwap:
    @given(TOKENS, SIZES, YEARS, st.booleans())
    def test_a_prior_is_a_weak_beta(self, tokens, size, year, tuned):
        prior = swap_prior(tokens, size, tool_tuned=tuned, released=year)
        assert 0 < prior.mean < 1
        assert prior.a + prior.b == pytest.approx(prior.kappa)
        assert 1 < prior.kappa < 10, "worth a few pilot calls, not more"

    @given(TOKENS, SIZES, YEARS)
    def test_longer_answers_and_smaller_models_are_doubted_more(self, tokens, size, year):
        here = swap_prior(tokens, size, released=year).mean
        assert swap_prior(tokens * 2, size, released=year).mean < here
        assert swap_prior(tokens, size / 2, released=year).mean < here
        assert swap_prior(tokens, size, tool_tuned=True, released=year).mean > here

    @given(TOKENS, SIZES)
    def test_a_newer_model_is_trusted_more_up_to_the_newest_measured(self, tokens, size):
        means = [swap_prior(tokens, size, released=year).mean for year in (2020, 2023.6, 2024.2, 2024.6, 2025, 2030)]
        assert means == sorted(means)
        assert means[-1] == means[-2], "a gain that nobody measured is not assumed"

    def test_an_unknown_length_is_neither_short_nor_free(self):
        assert swap_prior(20, 8).mean > swap_prior(None, 8).mean > swap_prior(2_000, 8).mean

    def test_the_terms_with_a_sign_are_terms_of_the_prior(self):
        assert set(SWAP_SIGNS) <= set(swap_terms(10, 8, released=2024.5))
        assert set(swap_terms(10, 8, released=2024.5)) - set(swap_terms(10, 8)) == {"release_year"}

    def test_a_named_model_has_its_own_prior(self):
        tuned = SlmFacts("a caller", 8, tool_tuned=True, released=2024.5)
        plain = SlmFacts("a talker", 8, released=2024.5)
        assert swap_prior_of(tuned, 30, calls_tools=True).mean > swap_prior_of(plain, 30, calls_tools=True).mean
        assert swap_prior_of(tuned, 30, calls_tools=False).mean == swap_prior_of(plain, 30, calls_tools=False).mean
        assert swap_prior_of(tuned, 30, calls_tools=True).note.startswith("a caller:")


class TestTuned:
    @pytest.mark.parametrize("kind", OUTPUT_KINDS)
    def test_every_kind_of_answer_has_a_tuned_prior(self, kind):
        assert 0 < tuned_prior(kind, 2).mean < 1
        assert tuned_prior("tool_call", 9).mean < tuned_prior("tool_call", 2).mean

    def test_a_smaller_model_is_doubted_more_and_a_larger_one_than_was_measured_is_not_trusted_more(self):
        found = [tuned_prior("label", 2, params_b=size) for size in (0.1, 0.494, 2.5, 4, 7.2, 9)]
        means = [prior.mean for prior in found]
        assert means[0] == means[1] < means[2] < means[3] < means[4]
        assert means[-1] == pytest.approx(means[-2])

    def test_the_farther_from_what_was_measured_the_less_a_tuned_prior_weighs(self):
        weights = [tuned_prior("label", 2, params_b=size).kappa for size in (0.5, 1.2, 2.5, 4, 7.2)]
        assert weights == sorted(set(weights))
        assert weights[-1] == pytest.approx(tuned_prior("label", 2, params_b=70).kappa)

    @pytest.mark.parametrize("kind", ["label", "json", "tool_call"])
    def test_a_smaller_tuned_model_is_never_likelier_to_hold_parity(self, kind):
        """Widening alone would put more of a small model's belief above the bar than of a large one's."""
        target = Target(0.95, 0.80, 0.3, None)
        chances = [
            posterior_of_a(tuned_prior(kind, 2, params_b=size), target).p_parity for size in (1.2, 2.5, 3.2, 4, 5, 7.2)
        ]
        assert chances == sorted(chances)

    def test_a_named_tuned_model_has_the_prior_of_its_size(self):
        small, large = SlmFacts("a small one", 1.2), SlmFacts("a large one", 8)
        assert tuned_prior_of(small, "label", 2).mean < tuned_prior_of(large, "label", 2).mean
        assert tuned_prior_of(small, "label", 2).note.startswith("a small one:")


class TestFile:
    def test_every_prior_has_a_source_and_a_date(self):
        table = prior_table()
        assert table.select("source", "date", "kind").null_count().sum_horizontal().item() == 0
        assert table.select("mode", "term").is_unique().all()
        assert set(table.get_column("kind")) == {"fact", "judgement"}

    def test_what_verdicts_rest_on_is_listed_and_published_facts_are_not(self):
        named = {row["name"] for row in prior_assumptions()}
        assert {"prior.swap_dated.release_year", "prior.tuned.label", "prior.swap.kappa"} <= named
        assert not any("published" in name for name in named)

    def test_parity_depends_on_the_incumbent(self):
        table = published_parity().filter(pl.col("task_type") == "parallel tool calls", pl.col("mode") == "tuned")
        share = dict(table.select("incumbent", "share").iter_rows())
        assert share["GPT-4.1"] > 0.8
        assert share["Claude Sonnet 4.5"] < 0.3
        assert published_parity().get_column("share").is_between(0, 1).all()

    def test_one_command_makes_the_file_again(self, shared):
        from benchmarks.fit_priors import fit_priors

        shipped = prior_table()
        again = fit_priors(shared, shipped.get_column("date").item(0))
        assert again.drop("value").equals(shipped.drop("value"))
        assert (again.get_column("value") - shipped.get_column("value")).abs().max() <= 0.0011
