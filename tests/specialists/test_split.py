"""The split of a dataset: what neither time nor likeness may let through."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slmlens.specialists.split import LEFT_OUT, NEARLY_EQUAL, TEST, TRAIN, VALIDATION, near_groups, split_rows

WORDS = [
    "the",
    "parcel",
    "of",
    "order",
    "is",
    "late",
    "lost",
    "early",
    "and",
    "must",
    "go",
    "back",
    "to",
    "them",
    "today",
    "please",
]


@st.composite
def logs(draw: st.DrawFn) -> tuple[np.ndarray, list[str]]:
    """Units of one to four calls in time order, their prompts drawn from a few wordings."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=30))
    wordings = draw(st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=12))
    units = np.repeat(np.arange(len(sizes)), sizes)
    picked = draw(st.lists(st.integers(0, len(wordings) - 1), min_size=len(units), max_size=len(units)))
    numbers = draw(st.lists(st.integers(0, 999), min_size=len(units), max_size=len(units)))
    return units, [" ".join([*wordings[at], str(number)]) for at, number in zip(picked, numbers, strict=True)]


def sides_of(keys: list[int], sides: list[str]) -> dict[int, set[str]]:
    found = defaultdict(set)
    for key, side in zip(keys, sides, strict=True):
        if side != LEFT_OUT:
            found[key].add(side)
    return found


@given(logs())
def test_no_unit_and_no_leak_group_is_on_two_sides(log: tuple[np.ndarray, list[str]]) -> None:
    units, slots = log
    split = split_rows(units, slots, 0.7)
    assert len(split.sides) == len(units)
    assert all(len(sides) == 1 for sides in sides_of(units.tolist(), split.sides).values())
    assert all(len(sides) == 1 for sides in sides_of(split.groups.tolist(), split.sides).values())


@given(logs())
def test_each_row_serves_on_its_side_of_time_or_not_at_all_and_every_wording_serves(log) -> None:
    units, slots = log
    split = split_rows(units, slots, 0.7)
    assert all(side in (own, LEFT_OUT) for side, own in zip(split.sides, split.by_time, strict=True))
    assert set(sides_of(split.groups.tolist(), split.sides)) == set(split.groups.tolist())
    assert split.left_out == split.sides.count(LEFT_OUT)


@given(logs())
def test_everything_that_trains_comes_before_everything_that_tests(log) -> None:
    units, slots = log
    split = split_rows(units, slots, 0.7)
    order = [(TRAIN, VALIDATION, TEST).index(side) for side in split.by_time]
    assert order == sorted(order)


@given(logs(), st.randoms())
def test_the_split_does_not_depend_on_the_names_of_units_nor_on_the_order_inside_one(log, random) -> None:
    units, slots = log
    rows = list(range(len(units)))
    random.shuffle(rows)
    rows.sort(key=lambda row: units[row])
    names = {unit: name for name, unit in enumerate(sorted(set(units.tolist()), key=lambda unit: hash((unit, "x"))))}
    again = split_rows(np.array([names[units[row]] for row in rows]), [slots[row] for row in rows], 0.7)
    split = split_rows(units, slots, 0.7)
    assert [split.sides[row] for row in rows] == again.sides


@given(logs())
def test_two_prompts_of_different_groups_are_never_nearly_equal(log) -> None:
    _, slots = log
    groups = near_groups(slots)
    shingled = []
    for slot in slots:
        words = ["0" if word.isdigit() else word for word in slot.split()]
        shingled.append({tuple(words[at : at + 3]) for at in range(len(words) - 2)} or {tuple(words)})
    for one in range(len(slots)):
        for other in range(one):
            alike = len(shingled[one] & shingled[other]) / len(shingled[one] | shingled[other])
            assert alike < NEARLY_EQUAL or groups[one] == groups[other]


def test_wordings_on_both_sides_of_time_leave_enough_on_each() -> None:
    topics = ["late", "lost", "early", "damaged", "returned", "held", "split", "found"]
    slots = [f"ticket {i} the shipment is {topics[i % 8]}" for i in range(400)]
    split = split_rows(np.arange(400), slots, 0.7)
    assert len(set(split.groups.tolist())) == 8
    assert split.straddling == 8
    assert split.sides.count(TRAIN) >= 60
    assert split.sides.count(TEST) >= 30
    assert split.sides.count(VALIDATION) > 0


def test_one_wording_alone_trains_and_leaves_nothing_to_test_on() -> None:
    split = split_rows(np.arange(50), [f"number {i}" for i in range(50)], 0.7)
    assert split.sides.count(TEST) == 0
    assert split.sides.count(TRAIN) > 0
