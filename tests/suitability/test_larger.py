"""What a graded small model says of larger ones, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from slmlens.suitability.answers import Answer
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.judge import ANY_MODEL, Judged, Seen, judge
from slmlens.suitability.larger import params_b_of
from slmlens.suitability.posterior import Graded
from slmlens.suitability.reasons import reasons_of
from slmlens.suitability.settings import AssessSettings

SETTINGS = AssessSettings()
TINY = "SmolLM2-135M-Instruct"


def seen_with(graded: dict[str, list[Graded]], *, constant: float = 0.3, steps: float = 1.0) -> Seen:
    """A task that no cheap probe learns, with these models graded on it."""
    given = [Answer("json", {"intent": f"answer {i}"}) for i in range(40)]
    signals = {"output_tokens_mean": 20.0, "turn_depth": 2.0, "input_tokens_p99": 500.0, "media_share": 0.0}
    answers = compare_task(given, np.arange(40))
    return Seen("t", answers, constant, None, None, {}, signals, 40, steps, True, 1.0, graded)


def judged_with(*tuned: Graded, constant: float = 0.3, swap: tuple[Graded, ...] = (), steps: float = 1.0) -> Judged:
    return judge(seen_with({"tuned": list(tuned), "swap": list(swap)}, constant=constant, steps=steps), SETTINGS)


NONE = judged_with()


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("SmolLM2-135M-Instruct", 0.135),
        ("Qwen2.5-0.5B-Instruct", 0.5),
        ("llama3.1:8b", 8.0),
        ("HuggingFaceTB/SmolLM2-1.7B", 1.7),
        ("Qwen3-30B-A3B", 30.0),
        ("Mixtral-8x7B-Instruct", None),
        ("Phi-3.5-mini", None),
        ("my-model", None),
        ("gemma-3-270m-it", 0.27),
        ("run 3 bis", None),
    ],
)
def test_a_name_tells_its_size_or_nothing(name: str, size: float | None) -> None:
    assert params_b_of(name) == size


@pytest.mark.parametrize("hits", [0, 20, 40, 60, 80, 100, 110])
def test_a_poor_result_of_a_tiny_model_leaves_larger_ones_as_they_were(hits: int) -> None:
    judged = judged_with(Graded(TINY, 120, hits / 120))
    assert judged.tuned.slm.startswith(ANY_MODEL)
    assert judged.tuned.posterior.p_parity == NONE.tuned.posterior.p_parity
    assert judged.tuned.grade == "D"
    assert judged.evidence == "open"
    assert judged.tuned.p_parity_of[TINY] < 0.5


def test_an_untuned_tiny_model_that_fails_rules_out_no_untuned_larger_one() -> None:
    judged = judged_with(swap=(Graded(TINY, 60, 0.0),))
    assert judged.swap.slm.startswith(ANY_MODEL)
    assert judged.swap.posterior.p_parity == NONE.swap.posterior.p_parity


def test_a_poor_result_of_a_model_of_the_size_asked_for_still_rules_the_mode_out() -> None:
    judged = judged_with(Graded("Llama-3-8B", 120, 0.5), Graded(TINY, 120, 0.5, 2))
    assert not judged.tuned.slm.startswith(ANY_MODEL)
    assert judged.tuned.posterior.p_parity < 0.01
    assert judged_with(Graded("a model of no known size", 120, 0.5)).tuned.posterior.p_parity < 0.01


def test_a_tiny_model_that_just_misses_speaks_for_larger_ones_at_grade_c_and_never_as_shown() -> None:
    judged = judged_with(Graded(TINY, 500, 0.945))
    assert judged.tuned.p_parity_of[TINY] < 0.8
    assert judged.larger.slm == TINY
    assert judged.tuned.slm.startswith(ANY_MODEL)
    assert judged.tuned.posterior.p_parity >= 0.8
    assert (judged.tuned.grade, judged.tuned.shown, judged.evidence) == ("C", False, "likely")


def test_a_tiny_model_that_holds_parity_is_the_model_that_the_verdict_is_for() -> None:
    judged = judged_with(Graded(TINY, 120, 1.0))
    assert (judged.tuned.slm, judged.tuned.grade, judged.evidence) == (TINY, "A", "shown")


def test_in_a_loop_neither_is_shown() -> None:
    judged = judged_with(Graded(TINY, 120, 1.0), steps=5.0)
    assert (judged.tuned.grade, judged.evidence) == ("B", "likely")


@given(st.integers(10, 300), st.floats(0, 1), st.floats(0, 0.9))
def test_larger_models_are_never_made_less_likely_nor_shown(n: int, agreement: float, constant: float) -> None:
    judged = judged_with(Graded(TINY, n, agreement), constant=constant)
    before = judged_with(constant=constant)
    assert judged.tuned.posterior.p_parity >= before.tuned.posterior.p_parity - 1e-9
    if judged.tuned.slm.startswith(ANY_MODEL):
        assert judged.tuned.grade in {"C", "D"}
        assert judged.evidence != "shown"


@pytest.mark.parametrize("constant", [0.3, 0.6, 0.9])
def test_a_model_that_only_knows_the_constant_makes_no_task_green(constant: float) -> None:
    n = 60
    chance = binom.pmf(range(n + 1), n, constant)
    green = sum(
        chance[hits]
        for hits in range(n + 1)
        if chance[hits] > 1e-6
        and judged_with(Graded(TINY, n, hits / n), constant=constant).evidence in {"likely", "shown"}
    )
    assert green < 0.01


def test_the_reasons_say_what_is_judgement() -> None:
    for graded, said in (
        (Graded(TINY, 500, 0.945), "is a judgement"),
        (Graded(TINY, 120, 0.4), "rules out no larger one"),
    ):
        seen = seen_with({"tuned": [graded]})
        told = " ".join(reasons_of(seen, judge(seen, SETTINGS), None, SETTINGS, n_subjects=9))
        assert f"Graded, {TINY} tuned on this task" in told
        assert said in told
