"""Which fact to learn next: what it would be worth to know, against what it costs to find out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_FOLDS = 2
_FEW_VALUES = 3
_TERMS = 4
"""Terms of the regression of the NPV on a fact: a constant and a cubic of its normal score."""

_Z90 = 1.6449


@dataclass(frozen=True)
class Worth:
    """What a fact would be worth, in nano-USD.

    :param value: Expected gain of the plan from knowing it before anything is done (EVPPI), never below 0.
    :param error: Its standard error over the draws.
    """

    value: float
    error: float


@dataclass(frozen=True)
class Fact:
    """Something that can be learned.

    :param name: ``parity:TASK_ID``, ``volume``, ``prices``, ``people`` or ``commitments``.
    :param how: How one learns it, as a phrase.
    :param worth_nusd: The most that knowing it can be worth: learning is never perfect.
    :param cost_nusd: What learning it costs.
    :param sure: The worth exceeds nothing by more than the noise of the draws.
    """

    name: str
    how: str
    worth_nusd: int
    cost_nusd: int
    sure: bool

    @property
    def net_nusd(self) -> int:
        """Worth less cost."""
        return self.worth_nusd - self.cost_nusd


def evppi(npv: np.ndarray, fact: np.ndarray) -> Worth:
    """Return what it is worth to know a fact before deciding, for each option by itself, whether to act.

    The expected value of partial perfect information, ``E[max(0, E[NPV | fact])] - max(0, E[NPV])``, summed over the
    options. ``E[NPV | fact]`` is a regression on the draws (Strong, Oakley and Brennan, Medical Decision Making 34,
    2014); one half of the draws chooses when to act and the other half is paid by it, and then the other way round, so
    that noise is not mistaken for knowledge. What comes out is what that rule earns, which is at most the EVPPI.

    :param npv: NPV of acting against not acting: a row a draw, a column an option.
    :param fact: The value of the fact in each draw. One with up to three values is taken value by value.
    """
    columns = npv[:, None] if npv.ndim == 1 else npv
    if not columns.size:
        return Worth(0.0, 0.0)
    basis = _basis(fact)
    halves = np.arange(len(columns)) % _FOLDS
    gains = np.empty(len(columns))
    for half in range(_FOLDS):
        own, other = halves == half, halves != half
        if not basis[other].any(axis=0).all():  # a value that only one half has
            return Worth(0.0, 0.0)
        fitted, *_ = np.linalg.lstsq(basis[other], columns[other], rcond=None)
        acts = basis[own] @ fitted > 0
        anyway = columns[other].mean(axis=0) > 0
        gains[own] = (columns[own] * (acts.astype(float) - anyway)).sum(axis=1)
    return Worth(max(0.0, float(gains.mean())), float(gains.std() / np.sqrt(len(gains))))


def yes_no_worth(if_not: float, if_so: float, chance: float) -> float:
    """Return what it is worth to know a yes or no before acting, where acting is worth so much in each case.

    :param if_not: NPV of acting where it is not so.
    :param if_so: NPV of acting where it is.
    :param chance: Chance that it is.
    """
    knowing = (1 - chance) * max(if_not, 0.0) + chance * max(if_so, 0.0)
    return knowing - max((1 - chance) * if_not + chance * if_so, 0.0)


def learnable(name: str, how: str, worth: Worth, cost_nusd: float) -> Fact:
    """Return a fact with its worth and cost as whole nano-USD."""
    return Fact(name, how, round(worth.value), round(cost_nusd), sure=worth.value > _Z90 * worth.error)


def ranked(facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts worth more than they cost, beyond the noise of the draws; the highest net worth first."""
    worthwhile = [fact for fact in facts if fact.sure and fact.net_nusd > 0]
    return sorted(worthwhile, key=lambda fact: (-fact.net_nusd, fact.name))


def worths(npv: np.ndarray, facts: Mapping[str, np.ndarray]) -> dict[str, Worth]:
    """Return :func:`evppi` of each fact, by name; one that does not vary is worth nothing."""
    return {name: evppi(npv, drawn) if np.ptp(drawn) else Worth(0.0, 0.0) for name, drawn in facts.items()}


def _basis(fact: np.ndarray) -> np.ndarray:
    values, place = np.unique(fact, return_inverse=True)
    if values.size <= _FEW_VALUES:
        return np.eye(values.size)[place]
    from scipy.special import ndtri

    score = ndtri((np.argsort(np.argsort(fact, kind="stable"), kind="stable") + 0.5) / fact.size)
    return np.vander(score, _TERMS, increasing=True)
