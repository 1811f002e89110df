"""Intervals, splits, the student and its null, and the ceiling: each against what is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.suitability.answers import parse_answer
from slmlens.suitability.ceiling import measure_ceiling
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.features import gram_matrix
from slmlens.suitability.intervals import clopper_pearson, clustered_share
from slmlens.suitability.splits import earlier_units, group_folds, leak_groups
from slmlens.suitability.student import RIDGE, fit_prompts, holm, permutation_null


class TestIntervals:
    @pytest.mark.parametrize(("n", "target"), [(29, 0.90), (59, 0.95), (149, 0.98)])
    def test_calls_without_a_failure_certify_what_the_tables_say(self, n, target):
        assert clopper_pearson(n, n, 0.05)[0] >= target > clopper_pearson(n - 1, n - 1, 0.05)[0]

    def test_calls_that_share_a_session_count_for_less(self):
        rng = np.random.default_rng(0)
        hits = np.repeat(rng.random(40) < 0.7, 10).astype(float)
        alone = clustered_share(hits, np.arange(400))
        shared = clustered_share(hits, np.repeat(np.arange(40), 10))
        assert shared.n_eff < 60 < alone.n_eff
        assert shared.lo90 < alone.lo90

    def test_the_interval_of_clustered_calls_covers_the_truth(self):
        rng = np.random.default_rng(1)
        held = 0
        for _ in range(200):
            rates = rng.beta(4, 1, size=25)
            hits = (rng.random((25, 6)) < rates[:, None]).astype(float).ravel()
            found = clustered_share(hits, np.repeat(np.arange(25), 6))
            held += found.lo90 <= 0.8 <= found.hi90
        assert held >= 0.86 * 200


class TestSplits:
    @given(st.lists(st.integers(0, 8), min_size=2, max_size=40))
    def test_a_unit_is_never_on_both_sides(self, units):
        units = np.array(sorted(units))
        early = earlier_units(units, 0.7)
        assert not set(units[early]) & set(units[~early])
        if len(set(units)) > 1:
            assert 0 < early.sum() < len(units)

    def test_prompts_that_differ_in_numbers_case_or_space_are_one_group(self):
        groups = leak_groups(["Ticket 17: late", "ticket 204:  LATE ", "ticket 3: lost"])
        assert groups[0] == groups[1] != groups[2]

    def test_a_group_lies_in_one_fold_whatever_the_row_order(self):
        texts = [f"wording {chr(97 + i % 11)} no {i}" for i in range(60)]
        folds = group_folds(texts, leak_groups(texts), 0)
        back = group_folds(texts[::-1], leak_groups(texts[::-1]), 0)[::-1]
        assert (folds == back).all()
        assert len(set(folds)) > 1
        assert all(len(set(folds[i::11])) == 1 for i in range(11))


class TestStudent:
    def test_leaving_rows_out_equals_a_fit_without_them(self):
        rng = np.random.default_rng(2)
        texts = [" ".join(rng.choice(list("abcdefgh"), 5)) + f" {i}" for i in range(60)]
        gram, codes = gram_matrix(texts), rng.integers(0, 3, 60)
        early, folds = np.arange(60) < 42, np.arange(60) % 5
        fitted = fit_prompts(gram, early, folds)
        for rows, predicted in [(~early, fitted.later(codes)), (folds == 2, fitted.out_of_fold(codes)[folds == 2])]:
            kept = np.setdiff1d(np.arange(60), np.arange(60)[rows])
            inner = gram[np.ix_(kept, kept)] + 1 + RIDGE * np.eye(len(kept))
            cross = gram[rows][:, kept] + 1
            refit = (cross @ np.linalg.solve(inner, np.eye(3)[codes[kept]])).argmax(axis=1)
            assert (refit == predicted).all()

    def test_similar_prompts_are_similar(self):
        gram = gram_matrix(["the invoice is wrong", "the invoice is late", "Ärger mit dem Paket", ""])
        assert gram[0, 1] > gram[0, 2]
        assert np.allclose(gram.diagonal()[:3], 1, atol=1e-4)
        assert gram[3].max() < 1e-6

    def test_answers_that_stick_to_their_session_are_no_signal(self):
        rng = np.random.default_rng(3)
        low = 0
        for i in range(200):
            units = np.repeat(np.arange(12), 10)
            predicted, actual = np.repeat(rng.integers(0, 2, 12), 10), np.repeat(rng.integers(0, 2, 12), 10)
            low += permutation_null(predicted, actual, units, 199, i)[0] <= 0.05
        assert low <= 0.10 * 200

    @pytest.mark.parametrize("sizes", [[40, 25, *[2] * 25], [60, *[3] * 20], [*range(1, 16)]])
    @pytest.mark.parametrize("share", [1 / 3, 0.1])
    def test_sessions_of_unlike_length_do_not_make_chance_significant(self, sizes, share):
        """200 logs without signal, whose answers stick to their session; laid end to end, a tenth came out at 1 %."""
        rng = np.random.default_rng(7)
        units = np.repeat(np.arange(len(sizes)), sizes)
        p = []
        for i in range(200):
            predicted, actual = ((rng.random(len(sizes)) < share).astype(np.int64)[units] for _ in range(2))
            p.append(permutation_null(predicted, actual, units, 199, i)[0])
        assert np.mean(np.array(p) <= 0.01) <= 0.035, "binomial: 7 of 200 at a true 1 % in one run of 600"
        assert np.mean(np.array(p) <= 0.10) <= 0.16

    def test_a_rare_class_that_is_found_is_significant_and_one_that_is_guessed_is_not(self):
        rng = np.random.default_rng(8)
        units = np.arange(300) // 2
        found, guessed = [], []
        for i in range(60):
            actual = (rng.random(300) < 0.04).astype(np.int64)
            found.append(permutation_null(actual & (rng.random(300) < 0.8), actual, units, 199, i)[0])
            guessed.append(permutation_null((rng.random(300) < 0.04).astype(np.int64), actual, units, 199, i)[0])
        assert np.mean(np.array(found) <= 0.01) > 0.9
        assert np.mean(np.array(guessed) <= 0.01) <= 0.05

    def test_a_clear_signal_has_a_p_value_that_survives_many_tasks(self):
        codes = np.tile([0, 1, 2], 60)
        p, _ = permutation_null(codes, codes, np.repeat(np.arange(60), 3), 999, 0)
        units = np.arange(180)
        q, _ = permutation_null(codes, codes, units, 999, 0)
        assert q < 1e-5
        assert p == 1.0, "every session has the same answers in the same order: moving sessions changes nothing"

    def test_holm_is_what_holm_wrote(self):
        assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
        assert holm([]) == []


class TestCeiling:
    @staticmethod
    def measure(labels, prompts, sessions):
        answers = compare_task([parse_answer(label, None) for label in labels], np.arange(len(labels)))
        return measure_ceiling(answers, np.array(prompts), np.array(sessions), 0)

    def test_without_repeats_there_is_no_ceiling(self):
        assert self.measure(["a", "b", "a"], [0, 1, 2], [0, 1, 2]).pair is None

    def test_a_repeat_inside_one_session_may_be_a_retry_and_does_not_count(self):
        found = self.measure(["a", "b", "a", "b"], [0, 0, 1, 1], [0, 0, 1, 1])
        assert found.pair is None
        assert found.repeats_equal == 0

    def test_an_answer_from_a_cache_does_not_count(self):
        assert self.measure(["a", "a"], [0, 0], [0, -1]).pair is None

    def test_repeats_that_always_agree_are_a_cache_hit(self):
        found = self.measure(["a", "a", "b", "b", "b"], [0, 0, 1, 1, 1], [0, 1, 2, 3, 4])
        assert found.pair is not None
        assert (found.pair.value, found.repeats_equal, found.repeat_share) == (1.0, 1.0, 0.6)

    def test_pairwise_and_modal_agreement_are_found_again(self):
        rng = np.random.default_rng(4)
        held_pair = held_mode = 0
        for _ in range(20):
            labels = ["xyz"[0] if u < 0.8 else "y" if u < 0.9 else "z" for u in rng.random(600)]
            prompts, sessions = np.repeat(np.arange(200), 3), np.arange(600)
            modal = np.repeat(rng.integers(0, 3, 200), 3)
            turned = ["xyz"[("xyz".index(label) + turn) % 3] for label, turn in zip(labels, modal, strict=True)]
            found = self.measure(turned, prompts, sessions)
            held_pair += found.pair.lo90 <= 0.66 <= found.pair.hi90
            held_mode += found.mode_lo90 <= 0.80 <= found.mode_hi90
        assert held_pair >= 15
        assert held_mode >= 15
