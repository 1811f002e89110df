"""What moves the plan's value most: each input swung alone, and the value at which the answer turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

SHOWN = 6
_GRID = 64
_HALVINGS = 60

Model = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True)
class Swing:
    """An input of the plan and how far it may lie from its central value.

    :param name: Its name: of an assumption, or ``parity:TASK_ID``.
    :param unit: Its unit.
    :param low: P10, or the low end of its range.
    :param central: Its central value.
    :param high: P90, or the high end.
    :param least: Smallest value that makes sense: where the search for the flip ends.
    :param most: Largest value that makes sense.
    """

    name: str
    unit: str
    low: float
    central: float
    high: float
    least: float
    most: float


@dataclass(frozen=True)
class Bar:
    """A bar of the tornado; money in nano-USD over the horizon.

    :param swing: The input.
    :param at_low: NPV with the input at its low end and the others central.
    :param at_high: NPV with the input at its high end.
    :param flip: Value nearest to the central one at which the NPV is zero; None: none between ``least`` and ``most``.
    """

    swing: Swing
    at_low: float
    at_high: float
    flip: float | None

    @property
    def width(self) -> float:
        """How far the NPV moves."""
        return abs(self.at_high - self.at_low)


def tornado(model: Model, swings: Sequence[Swing], *, shown: int = SHOWN) -> list[Bar]:
    """Return the inputs that move the NPV most, the widest first: one swung at a time, the others central.

    :param model: NPV of the plan from the value of every input, by name; deterministic.
    :param swings: The inputs; one that does not move the NPV is left out.
    :param shown: How many to return at most.
    """
    central = {swing.name: swing.central for swing in swings}

    def moved(swing: Swing, value: float) -> float:
        return model({**central, swing.name: value})

    ends = [(moved(swing, swing.low), moved(swing, swing.high), swing) for swing in swings]
    moving = sorted((end for end in ends if end[0] != end[1]), key=lambda end: (-abs(end[1] - end[0]), end[2].name))
    return [
        Bar(swing, at_low, at_high, flip_value(partial(moved, swing), swing))
        for at_low, at_high, swing in moving[:shown]
    ]


def flip_value(npv: Callable[[float], float], swing: Swing) -> float | None:
    """Return the value nearest to the central one at which the NPV is zero; None: none in the range that makes sense.

    Both sides are searched on a grid for the first change of sign, which is then halved (bisection).
    """
    start = npv(swing.central)
    if start == 0:
        return swing.central
    found = [
        flip
        for end in (swing.least, swing.most)
        if end != swing.central and (flip := _first_root(npv, swing.central, end, start)) is not None
    ]
    return min(found, key=lambda flip: abs(flip - swing.central), default=None)


def _first_root(npv: Callable[[float], float], start: float, end: float, at_start: float) -> float | None:
    inner = start
    # Steps grow quadratically: a flip close by is found as finely as one far away.
    for step in (np.arange(1, _GRID + 1) / _GRID) ** 2:
        outer = start + float(step) * (end - start)
        value = npv(outer)
        if value == 0:
            return outer
        if (value > 0) != (at_start > 0):
            return _bisect(npv, inner, outer, positive=at_start > 0)
        inner = outer
    return None


def _bisect(npv: Callable[[float], float], inner: float, outer: float, *, positive: bool) -> float:
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        if (npv(middle) > 0) == positive:
            inner = middle
        else:
            outer = middle
    return (inner + outer) / 2
