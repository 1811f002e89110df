"""Which pilot to run first: the task, the small model and the number of calls with the highest expected value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import polars as pl

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import small_models
from slmlens.savings.deployments import slm_call_nusd
from slmlens.savings.options import Option, best_by_action
from slmlens.savings.volumes import Volume
from slmlens.suitability.judge import LOOP_STEPS
from slmlens.suitability.posterior import LOOKS, Graded, prior_free_bound
from slmlens.suitability.settings import AssessSettings
from slmlens.tables import NUSD_PER_USD, PilotPlanTable, checked

_UNDECIDED = ("open", "likely")
_LATER_SHARE = 1 - AssessSettings().train_share
"""Share of the sessions that a tuned model may be piloted on: it is trained on the others."""
_MIN_DRAWS = 20


def pilot_rows(
    volume: Volume, verdict: Mapping[str, object], options: Sequence[Option], assumptions: Assumptions
) -> list[dict[str, object]]:
    """Return the pilots of a task, one a mode; none where it is decided or no small model has an option.

    It asks the number of calls, one of ``LOOKS``, that has the highest expected value: the chance that the answers meet
    the target by then (without a prior; under the prior predictive), times the median NPV where parity holds, less the
    people and calls of the pilot: the expected value of sample information (Raiffa and Schlaifer 1961), where one moves
    a task only if it is shown and pays. Without a month there is no value, and the chance decides.

    :param verdict: A row of ``VerdictsTable``.
    """
    if verdict["evidence"] not in _UNDECIDED:
        return []
    return [
        row
        for option in best_by_action(options).values()
        if option.action in ("pilot-swap", "pilot-tune")
        for row in _of_mode(option, volume, verdict, assumptions)
    ]


def pilot_table(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Return ``PilotPlanTable``, the highest expected value first; without any, the likeliest to be shown."""
    ordered = sorted(rows, key=_worth, reverse=True)
    ranked = [{"rank": rank, **row} for rank, row in enumerate(ordered, 1)]
    return checked(PilotPlanTable, pl.DataFrame(ranked, schema=PilotPlanTable.create_empty().schema))


def chance_shown(quantiles: Sequence[float], needed: float, looks: Sequence[int]) -> list[float]:
    """Return the chance that a pilot has shown parity by each look, under the prior predictive of A.

    At each of 100 equally likely values of A the hits between looks are binomial; paths that have met the bound at an
    earlier look are taken out, so that each is counted once.

    :param quantiles: Of A at equal steps from 0 to 1.
    :param needed: The agreement that parity asks for.
    :param looks: Sizes of the pilot, increasing.
    """
    steps = np.linspace(0, 1, len(quantiles))
    values = np.interp((np.arange(100) + 0.5) / 100, steps, quantiles)
    alive = np.zeros((len(values), max(looks, default=0) + 1))
    alive[:, 0] = 1.0
    shown, total, before = [], 0.0, 0
    for look in looks:
        more = _binomial(look - before, values)
        alive = np.array([np.convolve(row[: before + 1], step) for row, step in zip(alive, more, strict=True)])
        passed = _bounds(look) >= needed
        total += float(alive[:, passed].sum() / len(values))
        alive[:, passed] = 0.0
        shown.append(min(total, 1.0))
        before = look
    return shown


def _binomial(n: int, shares: np.ndarray) -> np.ndarray:
    """Return the chance of 0 .. n hits, a row a share. ``scipy.stats`` has it too, and takes long to import."""
    from scipy.special import gammaln, xlog1py, xlogy

    hits, share = np.arange(n + 1)[None, :], shares[:, None]
    ways = gammaln(n + 1) - gammaln(hits + 1) - gammaln(n - hits + 1)
    return np.asarray(np.exp(ways + xlogy(hits, share) + xlog1py(n - hits, -share)))


@cache
def _bounds(look: int) -> np.ndarray:
    """Return the bound without a prior for each number of hits among so many calls."""
    return np.array([prior_free_bound(Graded("", look, hits / look)) for hits in range(look + 1)])


def _of_mode(
    option: Option, volume: Volume, verdict: Mapping[str, object], assumptions: Assumptions
) -> list[dict[str, object]]:
    parity = verdict[str(option.mode)]
    sessions = volume.units * (_LATER_SHARE if option.mode == "tuned" else 1.0)
    looks = [look for look in LOOKS if look <= sessions]
    if not isinstance(parity, dict) or not looks:
        return []
    chances = chance_shown(parity["quantiles"], float(str(verdict["a_needed"])), looks)
    worth = _worth_if_shown(option, assumptions)
    rows = [
        _row(option, volume, parity, calls, shown, worth, assumptions)
        for calls, shown in zip(looks, chances, strict=True)
    ]
    return rows[-1:] if worth is None or worth <= 0 else [max(rows, key=_worth)]


def _row(
    option: Option,
    volume: Volume,
    parity: Mapping[str, object],
    calls: int,
    shown: float,
    worth: float | None,
    assumptions: Assumptions,
) -> dict[str, object]:
    model = next((model for model in small_models() if model.name == option.slm), None)
    asked = 0.0 if model is None else calls * (slm_call_nusd(model, volume, assumptions) or 0.0)
    cost = assumptions.once_usd("pilot") * NUSD_PER_USD + asked
    return {
        "task_id": volume.task_id,
        "mode": option.mode,
        "slm": option.slm,
        "calls": calls,
        "p_shown": shown,
        "p_parity": parity["p_parity"],
        "worth_if_shown_nusd": None if worth is None else round(worth),
        "cost_nusd": round(cost),
        "value_nusd": None if worth is None else round(shown * max(worth, 0.0) - cost),
        "in_loop": (volume.steps_per_session or 1.0) > LOOP_STEPS,
    }


def _worth_if_shown(option: Option, assumptions: Assumptions) -> float | None:
    """Return the median NPV of moving over the draws in which parity holds; None: no month, or hardly any such draw."""
    if option.worth is None:
        return None
    holds = option.worth.monthly != 0
    if holds.sum() < _MIN_DRAWS:
        return 0.0
    return float(np.median(option.worth.npv[holds])) + assumptions.once_usd("pilot") * NUSD_PER_USD


def _worth(row: Mapping[str, object]) -> tuple[bool, float, float, str]:
    value = row["value_nusd"]
    known = isinstance(value, int)
    return known, float(value) if isinstance(value, int) else 0.0, float(str(row["p_shown"])), str(row["task_id"])
