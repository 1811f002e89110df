"""Three small models to look at first on a task: the smallest safe one, the best value and the safest.

Each stands with its own P(parity) and interval. Two that can't be told apart are a tie: in independent draws the second
comes out ahead of the first in more than 40 % of them, draws that are equal counting half. That share is the
probability of superiority (Vargha and Delaney 2000, Journal of Educational and Behavioral Statistics 25), read off the
posteriors without drawing. *Safest* compares the shares of acceptable answers; *best value* what a pilot would bring.
*Smallest safe* compares no quality: what ties with it is safe too and at most 5 % larger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.savings.candidates import Candidates
from slmlens.savings.catalogue import SmallModel
from slmlens.savings.chances import Beliefs
from slmlens.savings.deployments import price_spread, slm_call_nusd
from slmlens.savings.montecarlo import Setting
from slmlens.savings.volumes import Volume
from slmlens.savings.wrong_answers import excess_wrong, wrong_answer_nusd
from slmlens.suitability.decide import LIKELY_FROM
from slmlens.suitability.posterior import CELLS
from slmlens.tables import NUSD_PER_USD

TIE_FROM = 0.4
"""Share of draws in which the second comes out ahead, above which two are a tie."""
SAME_SIZE = 1.05
_UNPICKED = ("gated", "not-enough-data", "no-signal")
_CENTRES = (np.arange(CELLS) + 0.5) / CELLS
_CERTAIN = 40.0
"""Standard deviations beyond which a difference has a sure sign."""
_VERB = {"swap": "swap", "tuned": "tune"}
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pick:
    """One of the three, in one mode.

    :param kind: A word of ``PICKS``.
    :param mode: ``swap`` or ``tuned``.
    :param slm: The model; None: there is none, and the note says why.
    :param p_parity: Its P(parity).
    :param a_lo90: Lower end of the 90 % interval of A.
    :param a_hi90: Upper end.
    :param value_nusd: What a pilot of it is expected to bring over the horizon, net; None: no month, no price.
    :param ties: Models that can't be told from it, the likeliest first.
    :param note: Why it, or why none.
    """

    kind: str
    mode: str
    slm: str | None
    p_parity: float | None
    a_lo90: float | None
    a_hi90: float | None
    value_nusd: int | None
    ties: Sequence[str]
    note: str


@dataclass(frozen=True)
class _Means:
    """What the modes of a task share: central cost of a call and its log-sd by model, and means over all futures.

    :param cost: In nano-USD, by name; models without a price are left out.
    :param spread: Log-sd of the hosted price, by name.
    :param people: Nano-USD of a dollar of people's time.
    :param falling: Discounted months of saving, with prices falling.
    :param moved: Share of the calls that no commitment covers over the horizon.
    """

    cost: Mapping[str, float]
    spread: Mapping[str, float]
    people: float
    falling: float
    moved: float


@dataclass(frozen=True)
class _Value:
    """What each model would bring, a position a model; NaN: it has no price.

    :param later: Net benefit in nano-USD where parity holds, after the pilot; without a month, the saving of a call.
    :param spread: Its standard deviation over hosted prices.
    :param before: What the pilot costs.
    :param monthly: A month is known, so that later is over the horizon.
    """

    later: Floats
    spread: Floats
    before: float
    monthly: bool


def pick(small: Candidates, volume: Volume, setting: Setting) -> list[Pick]:
    """Return the picks of a task by mode; none where the evidence rules the task out or says nothing of it.

    A model is *safe* if its P(parity) is at least 0.8 at its own grade C or better: a probe or a pilot of its own has
    measured it. At grade D, by priors alone, none is. *Best value* is among the models that a host lists.
    """
    if small.verdict["evidence"] in _UNPICKED:
        return []
    means = _means(small.accepted, volume, setting)
    return [
        found
        for mode, beliefs in small.beliefs.items()
        for found in _picks_of_mode(mode, beliefs, _value(mode, beliefs, volume, small.verdict, means, setting))
    ]


def ahead(mass: Floats, of: int) -> Floats:
    """Return for each model the share of independent draws in which its A beats one model's; equal draws count half.

    :param mass: One row a model: probability of each cell of [0, 1].
    :param of: Position of that one.
    """
    other = mass[of]
    return np.asarray(mass @ (np.cumsum(other) - other / 2), dtype=np.float64)


def worth_more(p_parity: Floats, value: _Value, of: int) -> Floats:
    """Return for each model the share of independent draws in which its pilot brings more than one model's.

    A pilot brings ``later`` where parity holds, less its own cost, which all share. Where neither model holds parity
    both bring the same, which counts half. Factors that move all models alike stand at their means; where both hold,
    the difference is taken as normal.
    """
    p, q, later = p_parity[of], p_parity, value.later
    gap, sd = later - later[of], np.hypot(value.spread, value.spread[of])
    more = _normal(np.where(sd > 0, gap / np.where(sd > 0, sd, 1.0), np.sign(gap) * _CERTAIN))
    wins = np.where(later > 0, 1.0, 0.0)
    share: Floats = p * q * more + q * (1 - p) * wins + p * (1 - q) * (1 - wins[of]) + (1 - p) * (1 - q) / 2
    return share


def _picks_of_mode(mode: str, beliefs: Beliefs, value: _Value) -> list[Pick]:
    expected = beliefs.p_parity * value.later - value.before
    return [
        _smallest_safe(mode, beliefs, value, expected),
        _best_value(mode, beliefs, value, expected),
        _safest(mode, beliefs, value, expected),
    ]


def _smallest_safe(mode: str, beliefs: Beliefs, value: _Value, expected: Floats) -> Pick:
    probed = np.array([grade != "D" for grade in beliefs.grades])
    safe = np.flatnonzero(probed & (beliefs.p_parity >= LIKELY_FROM))
    if not safe.size:
        why = f"none reaches a chance of parity of {100 * LIKELY_FROM:.0f} %"
        return _none("smallest-safe", mode, why if probed.any() else "priors alone (grade D) call no model safe")
    first = min(safe.tolist(), key=lambda at: (beliefs.models[at].params_b, -beliefs.p_parity[at], _name(beliefs, at)))
    near = [at for at in safe.tolist() if beliefs.models[at].params_b <= SAME_SIZE * beliefs.models[first].params_b]
    note = f"{round(beliefs.models[first].params_b, 1):g}B, grade {beliefs.grades[first]}"
    return _found("smallest-safe", mode, beliefs, first, near, value, expected, note)


def _best_value(mode: str, beliefs: Beliefs, value: _Value, expected: Floats) -> Pick:
    priced = np.flatnonzero(np.isfinite(expected))
    if not priced.size:
        return _none("best-value", mode, "no price to compare by")
    best = np.flatnonzero(expected == expected[priced].max()).tolist()
    first = min(best, key=lambda at: (-beliefs.p_parity[at], _name(beliefs, at)))
    if expected[first] <= 0:
        return _none("best-value", mode, "a pilot of none is expected to repay its work")
    near = np.flatnonzero(worth_more(beliefs.p_parity, value, first) > TIE_FROM).tolist()
    note = "highest expected net benefit" if value.monthly else "highest expected saving a call, before people cost"
    return _found("best-value", mode, beliefs, first, near, value, expected, note)


def _safest(mode: str, beliefs: Beliefs, value: _Value, expected: Floats) -> Pick:
    likeliest = np.flatnonzero(beliefs.p_parity >= beliefs.p_parity.max()).tolist()
    first = min(likeliest, key=lambda at: (beliefs.models[at].params_b, _name(beliefs, at)))
    near = np.flatnonzero(ahead(beliefs.mass, first) > TIE_FROM).tolist()
    note = f"highest chance of parity, grade {beliefs.grades[first]}"
    return _found("safest", mode, beliefs, first, near, value, expected, note)


def _found(
    kind: str,
    mode: str,
    beliefs: Beliefs,
    first: int,
    near: Sequence[int],
    value: _Value,
    expected: Floats,
    note: str,
) -> Pick:
    chances = beliefs.p_parity.tolist()
    others = sorted((-chances[at], _name(beliefs, at)) for at in near if at != first)
    known = value.monthly and np.isfinite(expected[first])
    return Pick(
        kind=kind,
        mode=mode,
        slm=_name(beliefs, first),
        p_parity=float(beliefs.p_parity[first]),
        a_lo90=float(beliefs.low[first]),
        a_hi90=float(beliefs.high[first]),
        value_nusd=round(float(expected[first])) if known else None,
        ties=[name for _, name in others],
        note=note,
    )


def _none(kind: str, mode: str, why: str) -> Pick:
    return Pick(kind, mode, None, None, None, None, None, [], why)


def _name(beliefs: Beliefs, at: int) -> str:
    return beliefs.models[at].name


def _means(models: Sequence[SmallModel], volume: Volume, setting: Setting) -> _Means:
    assumptions, shared = setting.assumptions, setting.shared
    found = {model.name: slm_call_nusd(model, volume, assumptions) for model in models if model.hosted}
    covered = volume.open_share(shared.discount.size)
    return _Means(
        cost={name: cost for name, cost in found.items() if cost is not None},
        spread={model.name: price_spread(model, assumptions) for model in models if model.hosted},
        people=float(shared.people.mean()) * NUSD_PER_USD,
        falling=float(shared.months_falling.mean()),
        moved=1.0 if covered is None else float(covered.mean()),
    )


def _value(
    mode: str, beliefs: Beliefs, volume: Volume, verdict: Mapping[str, object], means: _Means, setting: Setting
) -> _Value:
    """Return what each hosted model would bring, at the means of what all models share."""
    assumptions, shared = setting.assumptions, setting.shared
    cost = np.array([means.cost.get(model.name, np.nan) for model in beliefs.models])
    spread = np.array([means.spread.get(model.name, np.nan) for model in beliefs.models])
    if mode == "tuned":
        cost = cost * float(shared.tuned.mean())
    now = np.nan if volume.call_nusd is None or volume.seat_only else volume.call_nusd
    saved = means.moved * (now - cost)
    lost = means.moved * _wrong(beliefs, verdict) * wrong_answer_nusd(volume, assumptions)
    if volume.billed_month is None:
        return _Value(saved - lost, cost * spread, 0.0, monthly=False)
    falling, flat = volume.billed_month * means.falling, volume.billed_month * shared.months_flat
    work = assumptions.once_usd(_VERB[mode]) + shared.months_flat * assumptions.monthly_usd(_VERB[mode])
    later = falling * saved - flat * lost - means.people * work
    return _Value(later, falling * cost * spread, means.people * assumptions.once_usd("pilot"), monthly=True)


def _wrong(beliefs: Beliefs, verdict: Mapping[str, object]) -> Floats:
    """Return the mean share of wrong answers beyond the present model's, of each model where it holds parity."""
    ceiling, needed = verdict["ceiling_pair"], float(str(verdict["a_needed"]))
    excess = excess_wrong(_CENTRES, float(ceiling) if isinstance(ceiling, int | float) else 1.0)
    holding = beliefs.mass[:, needed <= _CENTRES]
    whole = holding.sum(axis=1)
    return np.asarray((holding @ excess[needed <= _CENTRES]) / np.where(whole > 0, whole, 1.0), dtype=np.float64)


def _normal(z: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(z), dtype=np.float64)
