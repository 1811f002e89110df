"""What is believed of each small model on one task: its own prior, what the probes say, and its graded answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.savings.catalogue import SmallModel
from slmlens.suitability.judge import LOOP_STEPS, grade_of
from slmlens.suitability.larger import higher
from slmlens.suitability.posterior import (
    Floats,
    Floor,
    Posterior,
    beliefs_by_prior,
    beta_mass,
    graded_mass,
    grid_beliefs,
    grid_masses,
    posterior_at,
)
from slmlens.suitability.priors import Prior, SlmFacts, swap_prior_of, tuned_prior_of
from slmlens.suitability.signals import output_tokens, turn_depth
from slmlens.tables import GRADES

_ROUNDED = 200
"""A prior's mean is rounded to one part in so many where only the overlap of two models is asked for."""


@dataclass(frozen=True)
class GradedModel:
    """What grading said of one small model on a task.

    :param p_parity: P(parity) on all the evidence.
    :param agreement: Share of its answers that were acceptable; None: not told.
    :param n_eff: Independent calls they are worth.
    :param covered: Share of the task's calls that they speak for.
    """

    p_parity: float
    agreement: float | None = None
    n_eff: float = 0.0
    covered: float = 1.0


Graded = Mapping[tuple[str, str], GradedModel]
"""By mode and name, each small model that was graded on a task."""


@dataclass(frozen=True)
class Beliefs:
    """What is believed of some small models in one mode, a position a model.

    :param p_parity: P(parity).
    :param low: Lower end of the 90 % interval of A.
    :param high: Upper end.
    :param mass: One row a model: probability of each cell of [0, 1] that A lies in it.
    :param grades: Evidence grade of each: A or B where it was graded itself, C where a probe speaks for it, else D.
    """

    models: Sequence[SmallModel]
    p_parity: Floats
    low: Floats
    high: Floats
    mass: Floats
    grades: Sequence[str]


@dataclass(frozen=True)
class Basis:
    """What the chances of all models on a task rest on.

    :param needed: Equally likely values of the least A.
    :param cut: No A above this; None: not known.
    :param floor: What a probe says of a tuned model; None: none learned the task.
    :param larger: What a graded tuned model says of those that are larger; None: nothing.
    :param larger_from_b: Billions of parameters from which a model is one of these.
    :param looped: The task runs several times in a session.
    :param time_ordered: The probes were tested on later sessions; otherwise grades are one lower.
    """

    output_kind: str
    output_tokens: float
    turn_depth: float
    needed: Floats
    cut: float | None
    floor: Floor | None
    looped: bool
    time_ordered: bool
    larger: Floor | None = None
    larger_from_b: float = float("inf")

    def prior(self, mode: str, model: SmallModel) -> Prior:
        """Return the prior of A for one model."""
        facts = SlmFacts(model.name, model.params_b, model.tool_tuned, model.released)
        if mode == "tuned":
            return tuned_prior_of(facts, self.output_kind, self.turn_depth)
        return swap_prior_of(facts, self.output_tokens, calls_tools=self.output_kind == "tool_call")

    def posterior(self, mode: str, model: SmallModel) -> Posterior:
        """Return the posterior of A for one model that was not graded."""
        return posterior_at(self.prior(mode, model), self.needed, floor=self._floor(mode, model), cut=self.cut)

    def beliefs(self, mode: str, models: Sequence[SmallModel], graded: Graded) -> Beliefs:
        """Return what is believed of the models, each on its own; P(parity) of a graded one is what grading said."""
        priors = [self.prior(mode, model) for model in models]
        known = {at: found for at, model in enumerate(models) if (found := graded.get((mode, model.name))) is not None}
        # a graded model speaks for itself: what it says of larger ones is no news of it
        floors = [self._floor(mode, None if at in known else model) for at, model in enumerate(models)]
        masses = np.array([_mass(prior, rounded=floor is None) for prior, floor in zip(priors, floors, strict=True)])
        for at, one in known.items():
            masses[at] = _graded_mass(priors[at], one)
        for floor in set(floors):
            same = [at for at, other in enumerate(floors) if other == floor]
            masses[same] = grid_masses(masses[same], floor, self.cut)
        p_parity, low, high = beliefs_by_prior(priors, self.needed, self.cut)
        on_grid = [at for at, floor in enumerate(floors) if floor is not None or at in known]
        if on_grid:
            p_parity[on_grid], low[on_grid], high[on_grid] = grid_beliefs(masses[on_grid], self.needed)
        for at, one in known.items():
            p_parity[at] = one.p_parity
        grades = [self._grade(known.get(at), probed=floor is not None) for at, floor in enumerate(floors)]
        return Beliefs(models, p_parity, low, high, masses, grades)

    def _floor(self, mode: str, model: SmallModel | None) -> Floor | None:
        if mode != "tuned":
            return None
        is_larger = model is not None and model.params_b >= self.larger_from_b
        return higher(self.floor, self.larger) if is_larger else self.floor

    def _grade(self, graded: GradedModel | None, *, probed: bool) -> str:
        n_eff, covered = (graded.n_eff, graded.covered) if graded else (0.0, 1.0)
        grade = grade_of(n_eff, covered, probed=probed, looped=self.looped)
        return grade if self.time_ordered else GRADES[min(GRADES.index(grade) + 1, len(GRADES) - 1)]


def basis_of(verdict: Mapping[str, object], steps: float | None) -> Basis | None:
    """Return what the chances rest on; None: the task has no answer to judge by.

    :param verdict: Row of ``VerdictsTable``.
    :param steps: Calls of the task in a session; None: no sessions.
    """
    if verdict["swap"] is None:
        return None
    signals = signals_of(verdict)
    return Basis(
        output_kind=str(verdict["output_kind"]),
        output_tokens=output_tokens({name: signals.get(name) for name in ("output_tokens_mean", "output_chars_mean")}),
        turn_depth=turn_depth({"turn_depth": signals.get("turn_depth")}),
        needed=np.array(verdict["a_needed_at"], dtype=np.float64),
        cut=signals.get("ceiling_mode_hi90"),
        floor=_floor_in(signals, "tuned_floor"),
        looped=(steps or 1.0) > LOOP_STEPS,
        time_ordered=bool(verdict["time_ordered"]),
        larger=_floor_in(signals, "larger_floor"),
        larger_from_b=signals.get("larger_floor_from_b") or float("inf"),
    )


def _floor_in(signals: Mapping[str, float | None], name: str) -> Floor | None:
    at, spread = signals.get(name), signals.get(f"{name}_sd")
    return None if at is None or spread is None else Floor(at, spread)


def graded_models(evidence: pl.DataFrame) -> dict[str, dict[tuple[str, str], GradedModel]]:
    """Return task_id -> (mode, small model) -> what grading said of the small models that were graded.

    :param evidence: ``EvidenceTable``.
    """
    graded = evidence.filter(pl.col("slm").is_not_null()).drop_nulls("p_parity").sort("task_id", "mode", "slm")
    worth = pl.coalesce("n_eff", pl.min_horizontal("n", "n_units"))
    found: dict[str, dict[tuple[str, str], GradedModel]] = {}
    covered = pl.col("covered").fill_null(1.0)
    columns = graded.select("task_id", "mode", "slm", "p_parity", "agreement", worth.alias("n_eff"), covered)
    for task_id, mode, slm, *facts in columns.iter_rows():
        found.setdefault(task_id, {})[mode, slm] = GradedModel(*facts)
    return found


def signals_of(verdict: Mapping[str, object]) -> dict[str, float | None]:
    """Return a verdict's signals by name."""
    rows = verdict["signals"]
    return {row["name"]: row["value"] for row in rows} if isinstance(rows, Sequence) else {}


def _mass(prior: Prior, *, rounded: bool) -> Floats:
    mean = round(prior.mean * _ROUNDED) / _ROUNDED if rounded else prior.mean
    mean = min(max(mean, 1 / _ROUNDED), 1 - 1 / _ROUNDED) if rounded else mean
    return beta_mass(prior.kappa * mean, prior.kappa * (1 - mean))


def _graded_mass(prior: Prior, one: GradedModel) -> Floats:
    if one.agreement is None:
        return beta_mass(prior.a, prior.b)
    hits = one.agreement * one.n_eff
    return graded_mass(prior, hits, one.n_eff - hits, one.covered)
