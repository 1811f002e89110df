"""What is known of a task before any probe: published results by output length, size and type, as a weak Beta."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl

MULTI_TURN_DEPTH = 4.0
"""Mean messages per prompt from which tool calls count as multi-turn: system, user, call, result."""
CHARS_PER_TOKEN = 3.6
"""Characters a token where a log holds no usage (measured on English prose against o200k)."""


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


def prior_table() -> pl.DataFrame:
    """Return the data file of priors: mode, term, value, n (clusters or tasks behind it), kind, source, date."""
    with files("slmlens.suitability").joinpath("priors.csv").open("rb") as handle:
        return pl.read_csv(handle.read())


def prior_assumptions() -> list[dict[str, str]]:
    """Return the priors as rows of ``AssumptionsTable``."""
    return [
        {
            "name": f"prior.{row['mode']}.{row['term']}",
            "value": str(row["value"]),
            "unit": "pseudo-calls" if row["term"] == "kappa" else ("logit" if row["mode"] == "swap" else "agreement"),
            "source": f"{row['source']} (n = {row['n']})",
            "date": row["date"],
            "kind": row["kind"],
        }
        for row in prior_table().iter_rows(named=True)
    ]


def swap_prior(output_tokens: float, params_b: float, *, tool_tuned: bool = False) -> Prior:
    """Return the prior of a small model as it is: logit(p) linear in ln(output tokens), ln(size) and tool tuning.

    Out of family its AUC for parity is 0.81; output length alone has 0.79.

    :param output_tokens: Mean output tokens of the task, reasoning included.
    :param params_b: Billions of parameters.
    :param tool_tuned: A call-tuned model on a task of tool calls.
    """
    term = _terms()
    logit = (
        term["swap", "intercept"]
        + term["swap", "log_output_tokens"] * np.log(max(output_tokens, 1.0))
        + term["swap", "log_params_b"] * np.log(params_b)
        + term["swap", "tool_tuned"] * tool_tuned
    )
    mean = float(1 / (1 + np.exp(-logit)))
    kappa = term["swap", "kappa"]
    note = f"prior by output length ({output_tokens:.0f} tokens) and size ({params_b:g}B), worth {kappa:g} calls"
    return Prior(mean, kappa, note)


def tuned_prior(output_kind: str, turn_depth: float) -> Prior:
    """Return the prior of a small model tuned on the task, by the kind of its answers.

    :param output_kind: One of ``tables.OUTPUT_KINDS``.
    :param turn_depth: Mean number of messages in a prompt.
    """
    term = _terms()
    multi_turn = output_kind == "tool_call" and turn_depth > MULTI_TURN_DEPTH
    kind = "tool_call_multi_turn" if multi_turn else output_kind
    words = "tool calls in several turns" if multi_turn else f"answers of kind {output_kind}"
    note = f"prior by type ({words}), worth {term['tuned', 'kappa']:g} calls"
    return Prior(term["tuned", kind], term["tuned", "kappa"], note)
