"""The tornado moves one input at a time, and a flip is where the answer really turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.savings.tornado import Swing, flip_values, tornado


def swing(name, low, central, high, least=0.0, most=100.0):
    return Swing(name, "", low, central, high, least, most)


def npv(values):
    """What is saved on calls, less work and its upkeep."""
    return values["calls"] * (values["now"] - values["then"]) * 12 - values["work"] - 12 * values["upkeep"]


INPUTS = [
    swing("calls", 50, 100, 180, most=1000),
    swing("now", 3, 4, 5),
    swing("then", 0.5, 1, 3),
    swing("work", 500, 1000, 2000, most=1e6),
    swing("upkeep", 10, 20, 40, most=1e6),
]


def test_the_widest_bar_comes_first_and_the_others_stay_central():
    bars = tornado(npv, INPUTS, shown=3)
    assert [bar.swing.name for bar in bars] == ["calls", "then", "now"]
    assert (bars[0].at_low, bars[0].at_high) == (50 * 3 * 12 - 1240, 180 * 3 * 12 - 1240)


def test_at_its_flip_value_an_input_makes_the_plan_worth_nothing():
    central = {one.name: one.central for one in INPUTS}
    for bar in tornado(npv, INPUTS):
        assert npv({**central, bar.swing.name: bar.flip}) == pytest.approx(0, abs=1e-5)
    assert tornado(npv, INPUTS)[0].flip == pytest.approx(1240 / 36)


def test_an_input_that_can_not_turn_the_answer_in_a_sane_range_has_no_flip():
    narrow = swing("upkeep", 10, 20, 40, most=100)
    inputs = [*INPUTS[:-1], narrow]
    assert flip_values(npv, inputs, [narrow]) == [None]
    assert flip_values(npv, inputs, []) == []


def test_an_input_that_moves_nothing_is_no_bar():
    assert [bar.swing.name for bar in tornado(npv, [*INPUTS, swing("weather", 0, 1, 2)], shown=9)].count("weather") == 0


@given(
    roots=st.lists(st.floats(-90, 90), min_size=1, max_size=3, unique_by=round),
    central=st.floats(-99, 99),
)
def test_of_several_flips_the_nearest_is_found(roots, central):
    """Unless two lie so close that the grid steps over both."""
    roots = [root for root in roots if abs(root - central) > 0.5]
    gaps = np.diff(sorted(roots))
    if not roots or (gaps < 14).any():
        return
    only = swing("x", 0, central, 0, -100, 100)
    found = flip_values(lambda values: np.prod([values["x"] - root for root in roots], axis=0), [only], [only])[0]
    assert found == pytest.approx(min(roots, key=lambda root: abs(root - central)), abs=1e-5)


def test_rows_in_another_order_give_the_same_tornado():
    assert tornado(npv, INPUTS[::-1]) == tornado(npv, INPUTS)
