"""The bars that priors and pilots must reach, on simulated models and on the outcomes beside the checkout."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.fit_priors import slope_interval, tuned_size_slopes
from benchmarks.pilots import FAR, PARITY, recorded_pilots, shown_share
from benchmarks.scorers import DATED, OUTPUT_LENGTH, SCORERS, TWO_SIGNALS, Scorer
from benchmarks.scores import PARITIES, Said, auc, brier, calibration, difference, ece, family_draws, regret
from benchmarks.suitability_tuned import bases_left_out, without_family, words_of


class TestSimulatedPilots:
    @pytest.mark.parametrize("series", [1, 3])
    def test_a_model_with_parity_is_shown_within_240_calls(self, series):
        assert shown_share(0.99, series=series, runs=1_500) >= 0.80

    @pytest.mark.parametrize("series", [1, 3])
    def test_a_model_that_misses_the_target_is_hardly_ever_shown(self, series):
        assert shown_share(0.90, series=series, runs=1_500) <= 0.005
        assert shown_share(0.9499, series=series, runs=1_500) <= 0.05

    @pytest.mark.parametrize(("ceiling", "repeats"), [(0.9, 10), (0.9, 100), (0.66, 30)])
    def test_a_poorly_known_self_agreement_does_not_help_a_model_to_pass(self, ceiling, repeats):
        assert shown_share(0.90, ceiling=ceiling, repeats=repeats, runs=1_500) <= 0.02
        assert shown_share(0.9499, ceiling=ceiling, repeats=repeats, runs=1_500) <= 0.05


class TestScores:
    TRUTH = np.array([True, False, True, False])

    def test_ranking_calibration_and_regret_are_what_they_are_called(self):
        one, right, wrong = np.ones(4), np.array([0.9, 0.1, 0.8, 0.2]), np.array([0.1, 0.9, 0.2, 0.8])
        assert (
            auc(right, self.TRUTH, one)
            == 1
            > auc(np.full(4, 0.5), self.TRUTH, one)
            == 0.5
            > auc(wrong, self.TRUTH, one)
        )
        assert brier(right, self.TRUTH, one) < brier(wrong, self.TRUTH, one)
        assert ece(right, self.TRUTH) == pytest.approx(0.15)
        assert sum(n for _, _, n in calibration(right, self.TRUTH)) == 4
        assert regret(right, self.TRUTH) == 0
        assert regret(np.zeros(4), self.TRUTH) == 0.5, "keeping everything loses what the suitable half would save"
        assert regret(np.ones(4), self.TRUTH) == 2.0, "moving everything pays for each one that fails"

    def test_a_family_counts_whole_or_not_at_all(self):
        families = np.array(["a", "a", "b", "c"])
        for draw in family_draws(families, 20, 0):
            assert draw[0] == draw[1]
            assert draw[0] + draw[2] + draw[3] == 3


class TestReading:
    @staticmethod
    def write(folder, *, extra: dict[str, object] | None = None) -> None:
        rng = np.random.default_rng(3)
        rows = [
            {
                "task_id": f"{category}{i}",
                "task_category": category,
                "model": model,
                "model_params_b": size,
                "is_small": small,
                "passed": bool(rng.random() < level),
                **(extra or {}),
            }
            for category in ("suite/gsm8k", "new_one")
            for model, size, small, level in (("big", None, False, 0.9), ("nobody-knows-it-7b", 7.0, True, 0.6))
            for i in range(60)
        ]
        pl.DataFrame(rows, schema_overrides={"model_params_b": pl.Float64}).write_parquet(folder / "other_test.parquet")

    @pytest.mark.parametrize("extra", [{}, {"output_chars": 360}, {"output_tokens": 100.0, "input_tokens": 7.0}])
    def test_outcomes_that_nobody_has_seen_are_read_and_scored(self, tmp_path, extra):
        from benchmarks.outcomes import read_outcomes, units_of
        from benchmarks.suitability import said_by, shipped

        self.write(tmp_path, extra=extra)
        pl.DataFrame({"other": [1]}).write_parquet(tmp_path / "not_outcomes.parquet")
        units = units_of(read_outcomes(tmp_path))
        assert set(units.get_column("family")) == {"gsm8k", "new_one"}
        assert set(units.get_column("source")) == {"other"}
        assert units.get_column("output_tokens").to_list() == [100.0 if extra else None] * len(units)
        assert 0 < shipped(units, dated=True).mean.min() <= shipped(units, dated=True).mean.max() < 1
        families = units.get_column("family").to_numpy().astype(str)
        assert said_by(next(s for s in SCORERS if s.name == DATED), units, families).actual.shape == (len(units),)

    def test_rho_is_bounded_by_resampling_items_with_both_results_together(self):
        from benchmarks.outcomes import rho_interval

        rng = np.random.default_rng(0)
        large = (rng.random(400) < 0.7).astype(float)
        assert rho_interval(large, large, rng) == (1.0, 1.0), "the same answers have no error in their ratio"
        lo, hi = rho_interval(large * (rng.random(400) < 0.9), large, rng)
        assert lo < 0.9 < hi < 1


@pytest.fixture(scope="module")
def units(shared):
    from benchmarks.outcomes import read_outcomes, units_of

    return units_of(read_outcomes(shared / "outcomes"))


@pytest.fixture(scope="module")
def said(units) -> dict[str, Said]:
    from benchmarks.suitability import said_by

    chosen: list[Scorer] = [s for s in SCORERS if s.name in {DATED, TWO_SIGNALS, OUTPUT_LENGTH}]
    families = units.get_column("family").to_numpy().astype(str)
    return {scorer.name: said_by(scorer, units, families) for scorer in chosen}


class TestOnOutcomes:
    def test_no_family_is_in_fit_and_test_and_no_small_model_lacks_a_release(self, units):
        assert units.get_column("released").null_count() == 0
        assert set(units.filter(units["task_category"].str.contains("gsm"))["family"]) == {"gsm8k"}

    def test_the_shipped_scorer_is_not_worse_than_two_signals_and_better_than_length(self, units, said):
        draws = family_draws(units.get_column("family").to_numpy().astype(str), 200, 0)
        for x in PARITIES:
            two, length = (difference(said[DATED], said[name], x, draws) for name in (TWO_SIGNALS, OUTPUT_LENGTH))
            assert two["AUC"][1] > 0 > two["Brier"][2]
            assert length["AUC"][1] > 0.05
            assert length["Brier"][2] < 0

    @pytest.mark.parametrize("name", [DATED, TWO_SIGNALS])
    def test_out_of_family_it_is_calibrated(self, said, name):
        assert 0.85 <= said[name].covered.mean() <= 0.95
        for x in PARITIES:
            assert ece(said[name].p[x], said[name].truth[x]) <= 0.10

    @pytest.mark.slow
    def test_pilots_of_recorded_outcomes_end_right_or_unsettled(self, units):
        found = recorded_pilots(units, 300, 0)
        far = found.filter((found["rho"] - PARITY).abs() > FAR)
        near = found.filter((found["rho"] - PARITY).abs() <= FAR)
        assert (far.get_column("right") >= 0.9).mean() >= 0.95
        assert far.get_column("wrong").max() == 0
        assert near.get_column("wrong").max() <= 0.10


class TestTuned:
    def test_the_interval_of_a_slope_covers_that_of_all_series_and_a_further_one(self):
        rng = np.random.default_rng(0)
        inside, further = [], []
        for _ in range(2_000):
            mean, lo, hi, sd = slope_interval(list(rng.normal(0.3, 0.2, 3)))
            inside.append(lo <= 0.3 <= hi)
            further.append(rng.normal(0.3, 0.2) - mean)
            assert sd >= 0
        assert np.mean(inside) == pytest.approx(0.90, abs=0.02)
        assert np.std(further) == pytest.approx(0.2 * (4 / 3) ** 0.5, rel=0.05)

    def test_a_base_model_and_its_task_left_out_are_covered_and_small_ones_not_promised_too_much(self, shared):
        lora = pl.read_csv(shared / "reference" / "lora_land_310.csv")
        catalogue = pl.read_csv(shared / "reference" / "slm_catalog.csv", infer_schema_length=None)
        found = bases_left_out(lora, without_family(tuned_size_slopes(lora, catalogue)))
        assert found.select("base_model", "task").is_unique().all()
        assert 0.85 <= words_of(found).covered.mean() <= 0.95
        small = found.filter(found["params_b"] < 3)
        assert small.get_column("mean").mean() <= small.get_column("score").mean()
        assert (found["mean"] - found["score"]).abs().mean() <= 0.16
