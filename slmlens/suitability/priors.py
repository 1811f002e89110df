"""What is known of a task before any probe: published results by length, model and type, as a weak Beta."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from math import exp, log

import polars as pl

MULTI_TURN_DEPTH = 4.0
"""Mean messages per prompt from which tool calls count as multi-turn: system, user, call, result."""
CHARS_PER_TOKEN = 3.6
"""Characters a token where a log holds no usage (measured on English prose against o200k)."""
RELEASE_ORIGIN = 2024.0
"""The year from which the release of a small model is counted in the fit."""
REFERENCE_TOKENS = 100.0
"""Output tokens that stand in where they are unknown; a term of its own carries the difference."""
SWAP_SIGNS = {"log_output_tokens": -1, "log_params_b": 1, "tool_tuned": 1, "release_year": 1}
"""Signs that the fit of the swap prior may not cross: longer answers are harder, later and larger models better."""
TUNED_REFERENCE_B = 7.2
"""Billions of parameters that the tuned prior's means are for."""
_LEAST_KAPPA = 0.5
"""Least weight that a widened prior keeps: that of a Jeffreys prior is 1, and it knows nothing."""


@dataclass(frozen=True)
class SlmFacts:
    """What a prior needs to know of a small model.

    :param name: Its name.
    :param params_b: Billions of parameters.
    :param tool_tuned: It was trained to call tools.
    :param released: Year of its release, as 2024.5; None: unknown.
    """

    name: str
    params_b: float
    tool_tuned: bool = False
    released: float | None = None


@dataclass(frozen=True)
class Prior:
    """A Beta prior of A = P(the answer is acceptable).

    :param mean: Its mean.
    :param kappa: Its weight in calls.
    :param note: What it rests on, in words.
    """

    mean: float
    kappa: float
    note: str

    @property
    def a(self) -> float:
        """First shape parameter."""
        return self.kappa * self.mean

    @property
    def b(self) -> float:
        """Second shape parameter."""
        return self.kappa * (1 - self.mean)


@cache
def _terms() -> dict[tuple[str, str], float]:
    return {(row["mode"], row["term"]): row["value"] for row in prior_table().iter_rows(named=True)}


@cache
def _terms_of(mode: str) -> dict[str, float]:
    return {term: x for (of, term), x in _terms().items() if of == mode}


def prior_table() -> pl.DataFrame:
    """Return the data file of priors.

    Columns: mode (``swap``: small model as it is; ``swap_dated``: the same with its year of release; ``tuned``;
    ``published``: shares of small models that reach 95 % of a named incumbent), term, value, n (what it was counted
    over, see source), kind (fact or judgement), source, date.
    """
    with files("slmlens.suitability").joinpath("priors.csv").open("rb") as handle:
        return pl.read_csv(handle.read(), schema_overrides={"value": pl.Float64})


def prior_assumptions() -> list[dict[str, str]]:
    """Return the priors that verdicts rest on as rows of ``AssumptionsTable``."""
    return [
        {
            "name": f"prior.{row['mode']}.{row['term']}",
            "value": str(row["value"]),
            "unit": _unit(row["mode"], row["term"]),
            "source": f"{row['source']} (n = {row['n']})",
            "date": row["date"],
            "kind": row["kind"],
        }
        for row in prior_table().filter(pl.col("mode") != "published").iter_rows(named=True)
    ]


def _unit(mode: str, term: str) -> str:
    if term.startswith("kappa"):
        return "pseudo-calls"
    if term.startswith("released_"):
        return "year"
    if term == "params_min":
        return "billion parameters"
    return "agreement" if mode == "tuned" and not term.startswith("log_") else "logit"


def swap_terms(
    output_tokens: float | None, params_b: float, *, tool_tuned: bool = False, released: float | None = None
) -> dict[str, float]:
    """Return what the swap prior is linear in: the value of each term. The refit builds its matrix from it too.

    :param output_tokens: Mean output tokens of the task, reasoning included; None: unknown.
    :param params_b: Billions of parameters.
    :param tool_tuned: A call-tuned model on a task of tool calls.
    :param released: Year of the model's release; None: unknown, and the term is left out.
    """
    tokens = REFERENCE_TOKENS if output_tokens is None else max(output_tokens, 1.0)
    terms = {
        "intercept": 1.0,
        "log_output_tokens": log(tokens),
        "no_output_tokens": float(output_tokens is None),
        "log_params_b": log(params_b),
        "tool_tuned": float(tool_tuned),
    }
    return terms if released is None else {**terms, "release_year": released - RELEASE_ORIGIN}


@lru_cache(maxsize=4096)
def swap_prior(
    output_tokens: float | None, params_b: float, *, tool_tuned: bool = False, released: float | None = None
) -> Prior:
    """Return the prior of a small model as it is: logit(p) linear in ``swap_terms``.

    With the year of release it is the better of the two out of family and out of source (``docs/method.md``). The year
    is taken no later than that of the newest model measured: a gain since then is not assumed.

    :param output_tokens: Mean output tokens of the task, reasoning included; None: unknown.
    :param params_b: Billions of parameters.
    :param tool_tuned: A call-tuned model on a task of tool calls.
    :param released: Year of the model's release, as 2024.5; None: unknown.
    """
    value = _terms_of("swap" if released is None else "swap_dated")
    if released is not None:
        released = min(max(released, value["released_min"]), value["released_max"])
    terms = swap_terms(output_tokens, params_b, tool_tuned=tool_tuned, released=released)
    logit = sum([value[name] * x for name, x in terms.items()])
    kappa = value["kappa"]
    length = "unknown output length" if output_tokens is None else f"output length ({output_tokens:.0f} tokens)"
    newest = " or later" if released == value.get("released_max") else ""
    year = "" if released is None else f", of {int(released)}{newest}"
    note = f"prior by {length} and size ({params_b:g}B{year}), worth {kappa:.1f} calls"
    return Prior(1 / (1 + exp(-logit)), kappa, note)


def swap_prior_of(model: SlmFacts, output_tokens: float | None, *, calls_tools: bool) -> Prior:
    """Return the swap prior of a named small model on a task.

    :param model: The small model.
    :param output_tokens: Mean output tokens of the task; None: unknown.
    :param calls_tools: The task's answers are tool calls.
    """
    prior = swap_prior(
        output_tokens, model.params_b, tool_tuned=model.tool_tuned and calls_tools, released=model.released
    )
    return Prior(prior.mean, prior.kappa, f"{model.name}: {prior.note}")


def tuned_prior(output_kind: str, turn_depth: float, *, params_b: float = TUNED_REFERENCE_B) -> Prior:
    """Return the prior of a small model tuned on the task, by the kind of its answers and its size.

    What size is worth to a tuned model is known from three series of models only, so a smaller one is expected to be
    worse *and* its prior weighs less: the doubt about the slope, ``log_params_b_sd``, is added to the Beta's variance.

    :param output_kind: One of ``tables.OUTPUT_KINDS``.
    :param turn_depth: Mean number of messages in a prompt.
    :param params_b: Billions of parameters; a larger model than the means are for is not taken to be better, nor one
        smaller than any measured to be worse than that.
    """
    return _tuned_prior(output_kind, output_kind == "tool_call" and turn_depth > MULTI_TURN_DEPTH, params_b)


@lru_cache(maxsize=4096)
def _tuned_prior(output_kind: str, multi_turn: bool, params_b: float) -> Prior:  # noqa: FBT001 - cached by position
    value = _terms_of("tuned")
    kind = "tool_call_multi_turn" if multi_turn else output_kind
    words = "tool calls in several turns" if multi_turn else f"answers of kind {output_kind}"
    size = min(max(params_b, value["params_min"]), TUNED_REFERENCE_B)
    smaller = log(size / TUNED_REFERENCE_B)
    odds = value[kind] / (1 - value[kind]) * exp(value["log_params_b"] * smaller)
    mean = odds / (1 + odds)
    kappa = widened(mean, value["kappa"], value["log_params_b_sd"] * smaller)
    at_size = f", {params_b:g}B" if smaller < 0 else ""
    return Prior(mean, kappa, f"prior by type ({words}{at_size}), worth {kappa:.1f} calls")


def tuned_prior_of(model: SlmFacts, output_kind: str, turn_depth: float) -> Prior:
    """Return the prior of a named small model tuned on a task: by its size, as nothing else of it was measured.

    :param model: The small model.
    :param output_kind: One of ``tables.OUTPUT_KINDS``.
    :param turn_depth: Mean number of messages in a prompt.
    """
    prior = tuned_prior(output_kind, turn_depth, params_b=model.params_b)
    return Prior(prior.mean, prior.kappa, f"{model.name}: {prior.note}")


def widened(mean: float, kappa: float, logit_sd: float) -> float:
    """Return the weight of the Beta whose variance is larger by a doubt about its mean.

    :param mean: Mean of the Beta, which stays.
    :param kappa: Its weight without the doubt.
    :param logit_sd: Standard deviation of the doubt, on the logit scale.
    """
    bernoulli = mean * (1 - mean)
    variance = bernoulli / (kappa + 1) + (bernoulli * logit_sd) ** 2
    return max(bernoulli / variance - 1, _LEAST_KAPPA)


def published_parity() -> pl.DataFrame:
    """Return how often small models reached 95 % of a named incumbent in published results.

    One row a task type, incumbent and mode: task_type, incumbent, mode (swap | tuned), share, n (small models, or tasks
    times small models), source, date. Facts for a reader; no verdict is computed from them.
    """
    parts = pl.col("term").str.splitn("|", 3)
    return (
        prior_table()
        .filter(pl.col("mode") == "published")
        .select(
            task_type=parts.struct.field("field_0"),
            incumbent=parts.struct.field("field_1"),
            mode=parts.struct.field("field_2"),
            share="value",
            n="n",
            source="source",
            date="date",
        )
    )
