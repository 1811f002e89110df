"""How good a scorer is: ranking, calibration, intervals and decisions, with a bootstrap over families."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from benchmarks.scorers import Held

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PARITIES = (0.95, 0.90)
BINS = 10
COST_OF_WRONG = 4.0
"""Savings of one task that a migration without parity costs: it is wanted from P(parity) = 0.8, the word `likely`."""


@dataclass(frozen=True)
class Said:
    """What a scorer says of each unit, beside the truth.

    :param p: P(rho >= X) for each X of ``PARITIES``.
    :param truth: Whether rho >= X.
    :param lo: Lower end of A's 90 % interval.
    :param hi: Upper end.
    :param actual: A.
    """

    p: dict[float, Floats]
    truth: dict[float, Flags]
    lo: Floats
    hi: Floats
    actual: Floats

    @property
    def covered(self) -> Flags:
        """Whether the interval holds A."""
        return (self.lo <= self.actual) & (self.actual <= self.hi)


def say(held: Held, small: Floats, large: Floats) -> Said:
    """Return a scorer's words under its Beta, the incumbent's success taken as known (as C_pair is)."""
    a, b = held.mean * held.kappa, (1 - held.mean) * held.kappa
    return Said(
        p={x: 1 - betainc(a, b, x * large) for x in PARITIES},
        truth={x: small >= x * large - 1e-12 for x in PARITIES},
        lo=betaincinv(a, b, 0.05),
        hi=betaincinv(a, b, 0.95),
        actual=small,
    )


def say_base_rate(truth: dict[float, Flags], groups: NDArray[np.str_], said: Said) -> Said:
    """Return the constant of the Brier skill: the share of parity in the other groups."""
    p = {x: np.array([truth[x][groups != g].mean() for g in groups]) for x in PARITIES}
    return Said(p, truth, said.lo, said.hi, said.actual)


def auc(p: Floats, truth: Flags, weights: Floats) -> float:
    """Return the chance that a unit with parity is ranked above one without; ties count a half. NaN: one kind only."""
    _, rank = np.unique(p, return_inverse=True)
    good = np.bincount(rank, weights * truth)
    bad = np.bincount(rank, weights * ~truth)
    if good.sum() == 0 or bad.sum() == 0:
        return float("nan")
    below = np.cumsum(bad) - bad / 2
    return float(good @ below / (good.sum() * bad.sum()))


def brier(p: Floats, truth: Flags, weights: Floats) -> float:
    """Return the mean squared error of a probability."""
    return float(weights @ (p - truth) ** 2 / weights.sum())


def calibration(p: Floats, truth: Flags) -> list[tuple[float, float, int]]:
    """Return mean probability, share of parity and number of units in each tenth of [0, 1] that holds any."""
    cell = np.minimum((p * BINS).astype(int), BINS - 1)
    return [
        (float(p[cell == i].mean()), float(truth[cell == i].mean()), int((cell == i).sum()))
        for i in range(BINS)
        if (cell == i).any()
    ]


def ece(p: Floats, truth: Flags) -> float:
    """Return the expected calibration error over ten equal bins of probability."""
    return sum(n * abs(said - seen) for said, seen, n in calibration(p, truth)) / len(p)


def regret(p: Floats, truth: Flags, cost: float = COST_OF_WRONG) -> float:
    """Return the mean loss against hindsight, in savings of one task.

    Migrating a unit with parity gains 1 and one without loses ``cost``; it is done where it pays on expectation.
    """
    move = p >= cost / (1 + cost)
    gained = np.where(truth, 1.0, -cost) * move
    return float(np.mean(truth - gained))


def family_draws(families: NDArray[np.str_], draws: int, seed: int) -> list[Floats]:
    """Return, per draw of families with replacement, how often each unit counts."""
    names, code = np.unique(families, return_inverse=True)
    rng = np.random.default_rng(seed)
    return [rng.multinomial(len(names), np.full(len(names), 1 / len(names)))[code].astype(float) for _ in range(draws)]


def difference(one: Said, other: Said, x: float, draws: list[Floats]) -> dict[str, tuple[float, float, float]]:
    """Return AUC and Brier of ``one`` less those of ``other``: the value and its 90 % interval over the draws."""
    truth = one.truth[x]
    found = {}
    for name, measure in (("AUC", auc), ("Brier", brier)):
        whole = np.ones(len(truth))
        gaps = [measure(one.p[x], truth, w) - measure(other.p[x], truth, w) for w in draws]
        lo, hi = np.nanquantile(gaps, [0.05, 0.95])
        value = measure(one.p[x], truth, whole) - measure(other.p[x], truth, whole)
        found[name] = (value, float(lo), float(hi))
    return found


def interval(said: Said, x: float, draws: list[Floats]) -> tuple[float, float]:
    """Return the 90 % interval of a scorer's AUC over families."""
    lo, hi = np.nanquantile([auc(said.p[x], said.truth[x], w) for w in draws], [0.05, 0.95])
    return float(lo), float(hi)


def reliability_svg(lines: dict[str, list[tuple[float, float, int]]]) -> str:
    """Return a reliability plot: said against seen, a dot a bin, its area by the number of units."""
    size, pad = 320, 44
    colours = ("#1b5e8c", "#b2541a")

    def x(value: float) -> float:
        return pad + value * size

    def y(value: float) -> float:
        return pad / 2 + (1 - value) * size

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size + 1.5 * pad:.0f} {size + 1.6 * pad:.0f}"',
        ' font-family="sans-serif" font-size="11" role="img"><title>Probability of parity: said and seen</title>',
        f'<path d="M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}" stroke="#999" stroke-dasharray="4 3"/>',
        f'<path d="M{x(0):.1f} {y(1):.1f}V{y(0):.1f}H{x(1):.1f}" fill="none" stroke="#444"/>',
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<text x="{x(tick):.1f}" y="{y(0) + 15:.1f}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{x(0) - 6:.1f}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for i, (name, points) in enumerate(lines.items()):
        colour = colours[i % len(colours)]
        total = sum(n for _, _, n in points)
        for said, seen, n in points:
            radius = 3 + 22 * (n / total) ** 0.5
            parts.append(
                f'<circle cx="{x(said):.1f}" cy="{y(seen):.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.45">'
                f"<title>{name}: said {said:.2f}, seen {seen:.2f}, {n} units</title></circle>"
            )
        parts.append(f'<text x="{x(0.03):.1f}" y="{y(0.97) + 15 * i:.1f}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{x(0.5):.1f}" y="{y(0) + 32:.1f}" text-anchor="middle">P(parity) said</text>')
    middle = y(0.5)
    parts.append(
        f'<text x="12" y="{middle:.1f}" transform="rotate(-90 12 {middle:.1f})" text-anchor="middle">seen</text></svg>'
    )
    return "".join(parts) + "\n"
