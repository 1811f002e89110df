"""The pace of a LoRA run: what fits the seconds, for any speed of the machine and any length of the examples."""

from __future__ import annotations

import random

from hypothesis import example, given
from hypothesis import strategies as st

from slmlens.specialists.chat import Tokens
from slmlens.specialists.pace import CHECK_SHARE, FORWARD_SHARE, LEAST_BATCH, LEAST_CHECKED, Pace, pace_of
from slmlens.specialists.sft import LEAST_STEPS, Recipe, Schedule, in_order


def of_length(tokens: int, n: int) -> list[Tokens]:
    return [Tokens([1] * (tokens - 1), [2]) for _ in range(n)]


def looks_take(pace: Pace, tokens: int, a_token: float) -> float:
    return pace.steps // pace.every * pace.checked * FORWARD_SHARE * a_token * tokens


@given(
    tokens=st.integers(20, 1_500),
    n=st.integers(60, 480),
    speed=st.floats(20, 5_000),
    left=st.floats(20, 3_600),
)
@example(tokens=57, n=60, speed=30.0, left=428.0)  # five looks fit, and 24 steps are no five equal parts
def test_a_run_ends_in_its_time_or_does_the_least_it_may(tokens: int, n: int, speed: float, left: float) -> None:
    recipe = Recipe()
    pace = pace_of(recipe, of_length(tokens, n), of_length(tokens, 32), 1 / speed, left)
    takes = tokens / speed * pace.batch * pace.steps + looks_take(pace, tokens, 1 / speed)
    assert takes <= left * 1.001 or (pace.steps <= LEAST_STEPS and pace.batch == LEAST_BATCH)
    assert looks_take(pace, tokens, 1 / speed) <= CHECK_SHARE * left * 1.001 or pace.checked == LEAST_CHECKED
    assert pace.steps % pace.every == 0
    assert pace.steps >= LEAST_STEPS
    assert LEAST_BATCH <= pace.batch <= recipe.batch


def test_ample_time_gives_whole_epochs_full_batches_and_the_whole_validation_block() -> None:
    recipe = Recipe(epochs=6)
    pace = pace_of(recipe, of_length(40, 240), of_length(40, 32), 1 / 5_000, 600)
    assert (pace.batch, pace.checked, pace.bounded) == (recipe.batch, 32, False)
    assert pace.steps == 180


def test_long_examples_make_smaller_steps_and_cheaper_looks_rather_than_too_few() -> None:
    short, long = (pace_of(Recipe(), of_length(n, 200), of_length(n, 32), 1 / 200, 90) for n in (60, 600))
    assert long.batch < short.batch
    assert long.checked < short.checked
    assert long.steps >= LEAST_STEPS
    assert looks_take(long, 600, 1 / 200) <= CHECK_SHARE * 90 or long.checked == LEAST_CHECKED


def test_without_a_validation_block_all_time_is_for_steps() -> None:
    pace = pace_of(Recipe(), of_length(100, 480), [], 1 / 100, 100)
    assert pace.checked == 0
    assert pace.steps * pace.batch >= 90


def scheduled(batch: int, steps: int) -> Schedule:
    return Schedule("m", batch, steps, every=steps, checked=0, bounded=True)


def test_a_short_run_learns_from_examples_of_all_lengths_and_a_long_one_from_all_of_them() -> None:
    train = [Tokens([1] * n, [2]) for n in range(10, 90)]
    random.Random(1).shuffle(train)
    short = in_order(train, scheduled(4, 5), Recipe())
    assert len(short) == 20
    assert sorted(map(len, short)) == sorted(map(len, train[:20]))
    whole = in_order(train, scheduled(4, 40), Recipe())
    assert sorted(map(len, whole)) == sorted([*map(len, train)] * 2)
    widths = [max(map(len, whole[at : at + 4])) - min(map(len, whole[at : at + 4])) for at in range(0, 160, 4)]
    assert max(widths) == 3, "a batch holds neighbours in length"
    assert in_order(train, scheduled(4, 40), Recipe()) == whole
