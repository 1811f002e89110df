"""What moves the plan's value most: each input swung alone, and the value at which the answer turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SHOWN = 6
_GRID = 32
_ROUNDS = 7

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
    if not swings:
        return []
    ends = _swung(model, swings, swings, [np.array([swing.low, swing.high]) for swing in swings])
    moving = [(npv, swing) for npv, swing in zip(ends, swings, strict=True) if np.ptp(npv)]
    widest = sorted(moving, key=lambda end: (-np.ptp(end[0]), end[1].name))[:shown]
    flips = flip_values(model, swings, [swing for _, swing in widest])
    return [Bar(swing, float(npv[0]), float(npv[1]), flip) for (npv, swing), flip in zip(widest, flips, strict=True)]


def flip_values(model: Model, swings: Sequence[Swing], asked: Sequence[Swing]) -> list[float | None]:
    """Return for each input asked for the value nearest to its central one at which the NPV is zero.

    None: there is none in the range that makes sense. Both sides of the central value are searched on a grid for the
    first change of sign, and its cell is then cut into a grid again; all inputs at once, as the model takes arrays.

    :param swings: All inputs.
    """
    sides = [(swing, end) for swing in asked for end in (swing.least, swing.most) if end != swing.central]
    # Steps grow quadratically: a flip close by is found as finely as one far away.
    steps = (np.arange(_GRID + 1) / _GRID) ** 2
    grids = [swing.central + steps * (end - swing.central) for swing, end in sides]
    for _ in range(_ROUNDS):
        npvs = _swung(model, swings, [swing for swing, _ in sides], grids)
        turns = [np.flatnonzero((npv > 0) != (npv[0] > 0)) for npv in npvs]
        sides = [side for side, turn in zip(sides, turns, strict=True) if turn.size]
        grids = [
            np.linspace(grid[turn[0] - 1], grid[turn[0]], _GRID + 1)
            for grid, turn in zip(grids, turns, strict=True)
            if turn.size
        ]
    found: dict[str, list[float]] = {swing.name: [] for swing in asked}
    for (swing, _), grid in zip(sides, grids, strict=True):
        found[swing.name].append(float(grid[_GRID // 2]))
    return [
        min(found[swing.name], key=lambda flip: abs(flip - central), default=None)
        for swing, central in ((swing, swing.central) for swing in asked)
    ]


def _swung(
    model: Model, swings: Sequence[Swing], moved: Sequence[Swing], values: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return the NPV at the values of each moved input, the others central, by one call of the model."""
    if not moved:
        return []
    sizes = [at.size for at in values]
    owner = np.repeat([swing.name for swing in moved], sizes)
    flat = np.concatenate(values)
    npv = model({swing.name: np.where(owner == swing.name, flat, swing.central) for swing in swings})
    return np.split(npv, np.cumsum(sizes)[:-1])
