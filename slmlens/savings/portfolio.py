"""Which set of tasks to take on under a budget of engineering time, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

DAYS_A_WEEK = 5
_TICKS_A_DAY = 100
_ROUNDING = 1e-6
_EXACT_CELLS = 40_000_000
"""Cells of the dynamic programme up to which the best set is found exactly."""
_MOST_GROUPS = 5
"""Machines beyond which all are taken as rented."""


@dataclass(frozen=True)
class Project:
    """A task that could be taken on; money in nano-USD, expected, over the horizon.

    :param task_id: The task.
    :param value: NPV as if it were the only one: it pays its whole roll-out and its whole machine.
    :param own_days: Engineering days that no other task shares, such as those of a pilot or of plain code.
    :param days: Engineering days of the roll-out (data, evaluation, routing, rollback), of which others share a part.
    :param roll_out: Their cost: less than the days at their price where the work is done only if a pilot goes well.
    :param month: Saving a month.
    :param group: The machine that it would share, such as one GPU for the adapters of several tasks; None: none.
    :param rent: Cost of that machine over the horizon.
    """

    task_id: str
    value: float
    own_days: float
    days: float
    roll_out: float
    month: float
    group: str | None = None
    rent: float = 0.0


@dataclass(frozen=True)
class Portfolio:
    """The chosen set.

    :param tasks: Ids of the tasks in the order in which to do them: the most saving a month for a day's work first.
    :param days: Engineering days of the set, what is shared counted once.
    :param value: Expected NPV of the set, in nano-USD.
    :param bound: No set is worth more than this; equal to ``value`` where the search was exact.
    :param left_out: Why each other task is not in it, by id.
    """

    tasks: tuple[str, ...]
    days: float
    value: float
    bound: float
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """No other set is worth more."""
        return self.bound <= self.value


def set_days(projects: Sequence[Project], later_share: float) -> float:
    """Return the days of a set: of the roll-outs the longest in full, and of each other a share.

    :param later_share: Work on the second and each later roll-out over that on the first.
    """
    own = sum(project.own_days for project in projects)
    return own + _shared([project.days for project in projects], later_share)


def set_value(projects: Sequence[Project], later_share: float) -> float:
    """Return the expected NPV of a set: the sum of its tasks, and what sharing roll-outs and machines saves."""
    costs = [project.roll_out for project in projects]
    rents = {project.group: project.rent for project in projects if project.group is not None}
    paid = sum(project.rent for project in projects if project.group is not None)
    alone = sum(project.value for project in projects)
    return alone + sum(costs) - _shared(costs, later_share) + paid - sum(rents.values())


def choose(projects: Sequence[Project], *, budget_days: float | None, later_share: float) -> Portfolio:
    """Return the set of highest expected NPV whose days fit the budget; exact, but for more than some dozens of tasks.

    A 0/1 knapsack, solved for each roll-out that may be the largest (in days, and in money) and each set of machines,
    by dynamic programming over hundredths of a day (Kellerer, Pferschy and Pisinger, Knapsack Problems, 2004, chapter
    2); a set may overrun by 5 minutes a task. Where that would take too long, the set is filled by value for a day's
    work, and ``bound`` is that of the relaxed problem, which may take a part of a task. The order within the set is
    Smith's rule (Naval Research Logistics Quarterly 3, 1956): with one team, the most saving a month for a day's work
    first loses the least by waiting.

    :param projects: What could be taken on; tasks of one group name the same rent.
    :param budget_days: None: no limit.
    :param later_share: Work on the second and each later roll-out over that on the first, in [0, 1].
    """
    ordered = sorted(projects, key=lambda project: project.task_id)
    best, bound = _search(ordered, budget_days, later_share)
    value, taken = set_value(best, later_share), {project.task_id for project in best}
    left = [project for project in ordered if project.task_id not in taken]
    return Portfolio(
        tasks=tuple(project.task_id for project in sorted(best, key=_smith)),
        days=set_days(best, later_share),
        value=value,
        bound=max(value, bound),
        left_out={project.task_id: _why_not(project, best, budget_days, later_share) for project in left},
    )


@dataclass(frozen=True)
class _Case:
    """The largest roll-out and the machines are fixed: then no task's worth depends on another.

    :param items: Tasks that fit the case.
    :param values: What each adds.
    :param ticks: Hundredths of a day that each takes, rounded down: no set that fits is passed over.
    :param room: Hundredths of a day there are; None: no limit.
    :param set_up: What the case costs before any task.
    """

    items: list[Project]
    values: np.ndarray
    ticks: np.ndarray
    room: int | None
    set_up: float


def _shared(parts: Sequence[float], later_share: float) -> float:
    return later_share * sum(parts) + (1 - later_share) * max(parts, default=0.0)


def _search(projects: list[Project], budget_days: float | None, later_share: float) -> tuple[list[Project], float]:
    cases = list(_cases(projects, budget_days, later_share))
    exact = sum(len(case.items) * ((case.room or 0) + 1) for case in cases) <= _EXACT_CELLS
    exact = exact and len({project.group for project in projects}) <= _MOST_GROUPS + 1
    best: list[Project] = []
    value = bound = 0.0
    for case in cases:
        chosen = _unlimited(case) if case.room is None else _knapsack(case) if exact else _greedy(case)
        worth = set_value(chosen, later_share)
        if worth > value + _ROUNDING * abs(value):
            best, value = chosen, worth
        bound = max(bound, value if exact else _relaxed(case))
    return best, bound


def _cases(projects: list[Project], budget_days: float | None, later_share: float) -> Iterator[_Case]:
    """Yield a case for each largest roll-out, in days and in money, and each set of machines.

    A set found in a case is worth at least what the case says, as its largest roll-out may be smaller and a machine
    unused; and the best set is in the case of its own largest ones: so the best over all cases is the best.
    """
    rents = {project.group: project.rent for project in projects if project.group is not None}
    for longest in sorted({project.days for project in projects}) if budget_days is not None else [np.inf]:
        set_up_days = (1 - later_share) * longest
        room = None if budget_days is None else int(_TICKS_A_DAY * (budget_days - set_up_days) + _ROUNDING)
        if room is not None and budget_days is not None and set_up_days > budget_days + _ROUNDING:
            continue
        short = [project for project in projects if project.days <= longest]
        for dearest in sorted({project.roll_out for project in short}):
            cheap = [project for project in short if project.roll_out <= dearest]
            for machines in _sets(sorted(rents)):
                items = [project for project in cheap if project.group is None or project.group in machines]
                set_up = (1 - later_share) * dearest + sum(rents[name] for name in machines)
                yield _case(items, room, set_up, later_share)


def _case(items: list[Project], room: int | None, set_up: float, later_share: float) -> _Case:
    alone = [project.value + (project.rent if project.group is not None else 0.0) for project in items]
    values = [value + (1 - later_share) * project.roll_out for value, project in zip(alone, items, strict=True)]
    days = np.array([project.own_days + later_share * project.days for project in items])
    ticks = np.floor(days * _TICKS_A_DAY + _ROUNDING).astype(int)
    return _Case(items, np.array(values), ticks, room, set_up)


def _sets(groups: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if len(groups) > _MOST_GROUPS:
        yield tuple(groups)
        return
    for size in range(len(groups) + 1):
        yield from itertools.combinations(groups, size)


def _unlimited(case: _Case) -> list[Project]:
    return [project for project, value in zip(case.items, case.values, strict=True) if value > 0]


def _knapsack(case: _Case) -> list[Project]:
    """Return the best set within the room: row by row, the best value with so many ticks."""
    assert case.room is not None
    best = np.zeros(case.room + 1)
    takes = []
    for value, ticks in zip(case.values, case.ticks, strict=True):
        take = np.zeros(case.room + 1, dtype=bool)
        if ticks <= case.room and value > 0:
            with_it = best[: case.room + 1 - ticks] + value
            take[ticks:] = with_it > best[ticks:]
            best[ticks:] = np.where(take[ticks:], with_it, best[ticks:])
        takes.append(take)
    chosen, left = [], case.room
    for at in range(len(case.items) - 1, -1, -1):
        if takes[at][left]:
            chosen.append(case.items[at])
            left -= int(case.ticks[at])
    return chosen[::-1]


def _greedy(case: _Case) -> list[Project]:
    """Return the better of two fillings of the room: by value for a day's work, or the one task worth most."""
    assert case.room is not None
    filled, left = [], case.room
    for at in _by_density(case).tolist():
        if case.ticks[at] <= left:
            filled.append(at)
            left -= int(case.ticks[at])
    alone = np.flatnonzero((case.ticks <= case.room) & (case.values > 0))
    single = alone[np.argmax(case.values[alone])][None].tolist() if alone.size else []
    better = single if case.values[single].sum() > case.values[filled].sum() else filled
    return [case.items[at] for at in sorted(better)]


def _relaxed(case: _Case) -> float:
    """Return what the case would be worth at most, if a part of a task could be taken (Dantzig 1957)."""
    order = _by_density(case)
    values, ticks = case.values[order], case.ticks[order]
    left = (np.inf if case.room is None else case.room) - (np.cumsum(ticks) - ticks)
    parts = np.clip(left / np.maximum(ticks, _ROUNDING), 0.0, 1.0)
    return float((parts * values).sum()) - case.set_up


def _by_density(case: _Case) -> np.ndarray:
    """Return the places of the tasks that pay, by value for a day's work; equal ones by id."""
    pays = np.flatnonzero(case.values > 0)
    order: np.ndarray = pays[np.argsort(-case.values[pays] / np.maximum(case.ticks[pays], _ROUNDING), kind="stable")]
    return order


def _smith(project: Project) -> tuple[float, str]:
    days = project.own_days + project.days
    return -project.month / days if days else -np.inf, project.task_id


def _why_not(project: Project, best: Sequence[Project], budget_days: float | None, later_share: float) -> str:
    if set_value([*best, project], later_share) <= set_value(best, later_share):
        return "it costs more than it saves"
    weeks = set_days([*best, project], later_share) / DAYS_A_WEEK
    if budget_days is None or weeks * DAYS_A_WEEK <= budget_days:
        return "the search was cut short before it"
    return f"with it the plan takes {weeks:.1f} engineer-weeks, and the others are worth more in the time there is"
