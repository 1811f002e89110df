"""Scorers of a unit before any pilot: the swap prior and what it has to beat, fitted without the families held out.

Each is a logistic curve for A, the success of the small model, made a Beta by one weight kappa. A scorer never sees
what it is judged on: coefficients are fitted on the other groups, and kappa on how well the units of the other groups
were predicted by fits without their source. So kappa carries what differs from source to source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import betaln, expit, logit

from slmlens.suitability.priors import RELEASE_ORIGIN, SWAP_SIGNS, prior_table, swap_terms

Floats = NDArray[np.float64]
Design = Callable[[pl.DataFrame], dict[str, Floats]]

RIDGE = 0.1
"""Ridge on all terms but the intercept, in families: fixed before the families were looked at one by one."""
TRACK_SHRINKAGE = 0.8
"""How strongly the track record of a small model is shrunk: the information of a third of a balanced family."""
KAPPA_RANGE = (0.3, 60.0)


@dataclass(frozen=True)
class Scorer:
    """A scorer.

    :param name: Its name in the tables.
    :param design: Units -> term -> values.
    :param signs: Terms whose sign is given.
    :param fixed: Terms whose coefficient is not fitted.
    :param tracked: The small model's residual in other families is added.
    """

    name: str
    design: Design
    signs: Mapping[str, int] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    tracked: bool = False


@dataclass(frozen=True)
class Fit:
    """Fitted coefficients, in the order of the terms."""

    terms: tuple[str, ...]
    beta: Floats

    def logit(self, design: Mapping[str, Floats]) -> Floats:
        """Return the linear predictor."""
        return np.column_stack([design[term] for term in self.terms]) @ self.beta


def swap_design(*, dated: bool) -> Design:
    """Return the terms of the shipped prior, with or without the year of release (the mean where it is unknown)."""

    def design(units: pl.DataFrame) -> dict[str, Floats]:
        units = units.with_columns(pl.col("released").fill_null(strategy="mean").fill_null(RELEASE_ORIGIN))
        rows = [
            swap_terms(tokens, size, tool_tuned=tuned, released=released if dated else None)
            for tokens, size, tuned, released in units.select(
                "output_tokens", "params_b", "tool_tuned", "released"
            ).iter_rows()
        ]
        return {term: np.array([row[term] for row in rows]) for term in rows[0]}

    return design


def only(*terms: str) -> Design:
    """Return a part of the shipped terms."""
    whole = swap_design(dated=True)
    return lambda units: {term: x for term, x in whole(units).items() if term in {"intercept", *terms}}


def with_extra(base: Design, **extra: Callable[[pl.DataFrame], Floats]) -> Design:
    """Return a design with further terms."""
    return lambda units: base(units) | {name: make(units) for name, make in extra.items()}


def log_of(column: str) -> Callable[[pl.DataFrame], Floats]:
    """Return the logarithm of a column, its mean where it is unknown."""

    def make(units: pl.DataFrame) -> Floats:
        logs = units.select(pl.col(column).log()).to_series()
        return logs.fill_null(logs.mean() or 0.0).to_numpy().astype(float)

    return make


def flag_of(expression: pl.Expr) -> Callable[[pl.DataFrame], Floats]:
    """Return a yes-or-no term."""
    return lambda units: units.select(expression.cast(pl.Float64).alias("x")).to_series().to_numpy()


def _incumbent_level(units: pl.DataFrame) -> Floats:
    return np.asarray(logit(units.get_column("large").clip(0.02, 0.98).to_numpy()))


def shipped_size_slope() -> float:
    """Return the coefficient of ln(size): from published series of models, as the outcomes hold few sizes."""
    return float(prior_table().row(by_predicate=SIZE_TERM, named=True)["value"])


SIZE_TERM = (pl.col("mode") == "swap") & (pl.col("term") == "log_params_b")
SIZE = {"log_params_b": shipped_size_slope()}
NOTHING = only()
LENGTH = ("log_output_tokens", "no_output_tokens")
MODEL = ("log_params_b", "tool_tuned")
TWO_SIGNALS = "output length + SLM"
DATED = "output length + SLM + release"
OUTPUT_LENGTH = "output length"
CALLS = flag_of(pl.col("source").str.starts_with("bfcl"))
SCORERS = (
    Scorer("constant", NOTHING),
    Scorer("task size", with_extra(NOTHING, log_n=log_of("n"))),
    Scorer("paper-like heuristic", with_extra(NOTHING, log_n=log_of("n"), structured=flag_of(pl.col("structured")))),
    Scorer(
        "input length",
        with_extra(NOTHING, log_in=log_of("input_tokens"), unknown=flag_of(pl.col("input_tokens").is_null())),
    ),
    Scorer(OUTPUT_LENGTH, only(*LENGTH), SWAP_SIGNS),
    Scorer("SLM identity", only(*MODEL), SWAP_SIGNS, SIZE),
    Scorer(TWO_SIGNALS, swap_design(dated=False), SWAP_SIGNS, SIZE),
    Scorer(DATED, swap_design(dated=True), SWAP_SIGNS, SIZE),
    Scorer("+ task type", with_extra(swap_design(dated=True), calls=CALLS), SWAP_SIGNS, SIZE),
    Scorer("+ incumbent's level", with_extra(swap_design(dated=True), level=_incumbent_level), SWAP_SIGNS, SIZE),
    Scorer("+ track record", swap_design(dated=True), SWAP_SIGNS, SIZE, tracked=True),
)


def family_weights(units: pl.DataFrame) -> Floats:
    """Return weights by which each family counts the same."""
    share = 1 / units.select(pl.len().over("family").alias("n")).to_series().to_numpy()
    return np.asarray(share)


def fit_terms(scorer: Scorer, design: Mapping[str, Floats], success: Floats, weights: Floats) -> Fit:
    """Return the fractional logistic fit: families equally weighted, ridge, given signs and coefficients held."""
    terms = tuple(design)
    x = np.column_stack([design[term] for term in terms])
    ridge = np.array([0.0 if term == "intercept" else RIDGE for term in terms])
    limits = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}

    def loss(beta: Floats) -> tuple[float, Floats]:
        z = x @ beta
        value = -weights @ (success * z - np.logaddexp(0, z)) + ridge @ beta**2 / 2
        return float(value), -x.T @ (weights * (success - expit(z))) + ridge * beta

    fixed = {term: (value, value) for term, value in scorer.fixed.items()}
    bounds = [fixed.get(term) or limits[scorer.signs.get(term, 0)] for term in terms]
    start = np.array([scorer.fixed.get(term, 0.0) for term in terms])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return Fit(terms, np.asarray(found.x))


def fit_kappa(successes: Floats, n: Floats, mean: Floats, weights: Floats) -> float:
    """Return the weight of a Beta under which held-out counts are likeliest (beta-binomial)."""

    def loss(log_kappa: float) -> float:
        a, b = mean * np.exp(log_kappa), (1 - mean) * np.exp(log_kappa)
        return -float(weights @ (betaln(a + successes, b + n - successes) - betaln(a, b)))

    low, high = np.log(KAPPA_RANGE)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def track_record(units: pl.DataFrame, z: Floats, held: NDArray[np.bool_]) -> Floats:
    """Return the shrunken logit residual of each held-out unit's small model in the other families of its kind."""
    success, out = units.get_column("small").to_numpy(), np.zeros(len(units))
    names = units.get_column("slm").to_numpy()
    share = 1 / units.select(pl.len().over("source", "task_category", "slm").alias("n")).to_series().to_numpy()
    p = expit(z)
    for name in set(names[held]):
        own = ~held & (names == name)
        information = share[own] @ (p[own] * (1 - p[own])) + TRACK_SHRINKAGE
        out[held & (names == name)] = share[own] @ (success[own] - p[own]) / information
    return out


@dataclass(frozen=True)
class Held:
    """What a scorer says of units that its fit has not seen.

    :param mean: Mean of A.
    :param kappa: Weight of the Beta, unit by unit.
    """

    mean: Floats
    kappa: Floats


def held_out_means(scorer: Scorer, units: pl.DataFrame, groups: NDArray[np.str_]) -> Floats:
    """Return the mean of A of each unit by a fit without its group."""
    design, success, weights = scorer.design(units), units.get_column("small").to_numpy(), family_weights(units)
    mean = np.zeros(len(units))
    for group in sorted(set(groups)):
        held = groups == group
        kept = {term: x[~held] for term, x in design.items()}
        z = fit_terms(scorer, kept, success[~held], weights[~held]).logit(design)
        if scorer.tracked:
            z = z + track_record(units, z, held)
        mean[held] = expit(z[held])
    return mean


def predict_held_out(scorer: Scorer, units: pl.DataFrame, groups: NDArray[np.str_]) -> Held:
    """Return the predictions of each group by a fit without it."""
    beside = new_source_means(scorer, units)
    kappa = np.zeros(len(units))
    for group in sorted(set(groups)):
        held = groups == group
        kappa[held] = kappa_of(units.filter(pl.Series(~held)), beside[~held])
    return Held(held_out_means(scorer, units, groups), kappa)


def new_source_means(scorer: Scorer, units: pl.DataFrame) -> Floats:
    """Return means of A by fits without the unit's source: what a private log, itself a new source, would get."""
    return held_out_means(scorer, units, units.get_column("source").to_numpy().astype(str))


def kappa_of(units: pl.DataFrame, mean: Floats) -> float:
    """Return the likeliest weight of a prior with these means."""
    n = units.get_column("n").to_numpy().astype(float)
    return fit_kappa(units.get_column("small").to_numpy() * n, n, mean, family_weights(units))
