"""What moves the plan's value most: each input swung alone, and the value at which the answer turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

SHOWN = 6
_GRID = 64
_ROUNDS = 6

Model = Callable[[Mapping[str, np.ndarray]], np.ndarray]


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

    :param model: NPV of the plan from the values of every input, by name: arrays of one length in, one out.
    :param swings: The inputs; one that does not move the NPV is left out.
    :param shown: How many to return at most.
    """
    central = {swing.name: swing.central for swing in swings}

    def moved(swing: Swing, values: np.ndarray) -> np.ndarray:
        return model({**{name: np.full(values.size, at) for name, at in central.items()}, swing.name: values})

    ends = [(moved(swing, np.array([swing.low, swing.high])), swing) for swing in swings]
    moving = sorted((end for end in ends if np.ptp(end[0])), key=lambda end: (-np.ptp(end[0]), end[1].name))
    return [
        Bar(swing, float(npv[0]), float(npv[1]), flip_value(partial(moved, swing), swing))
        for npv, swing in moving[:shown]
    ]


def flip_value(npv: Callable[[np.ndarray], np.ndarray], swing: Swing) -> float | None:
    """Return the value nearest to the central one at which the NPV is zero; None: none in the range that makes sense.

    Both sides are searched on a grid for the first change of sign, whose cell is then cut into a grid again.
    """
    if npv(np.array([swing.central]))[0] == 0:
        return swing.central
    found = [
        flip
        for end in (swing.least, swing.most)
        if end != swing.central and (flip := _first_root(npv, swing.central, end)) is not None
    ]
    return min(found, key=lambda flip: abs(flip - swing.central), default=None)


def _first_root(npv: Callable[[np.ndarray], np.ndarray], start: float, end: float) -> float | None:
    # Steps grow quadratically: a flip close by is found as finely as one far away.
    grid = start + (np.arange(_GRID + 1) / _GRID) ** 2 * (end - start)
    for _ in range(_ROUNDS):
        positive = npv(grid) > 0
        turns = np.flatnonzero(positive != positive[0])
        if not turns.size:
            return None
        grid = np.linspace(grid[turns[0] - 1], grid[turns[0]], _GRID + 1)
    return float(grid[_GRID // 2])
