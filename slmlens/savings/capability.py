"""What others measured of small models on the kind of work a task is: context for a reader, never evidence.

No word, chance or pick of a task rests on these figures: a benchmark is another log. Within a kind of work all figures
are of one harness, so that they compare, and none is of a run in which the model was thinking: a reader who sees it
beside a price would take the one for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from slmlens.savings.catalogue import read_figures
from slmlens.savings.chances import signals_of
from slmlens.suitability.priors import MULTI_TURN_DEPTH
from slmlens.tables import OUTPUT_KINDS

LONG_TOKENS = 32_000
"""Tokens of a long call (99th in 100) from which a task is about long contexts: the windows of older small models."""
COPIED_FROM = 0.5
"""Share of the words of a text that stand in its prompt from which it is grounded there."""
_STRICT = ("label", "json", "number", "list")


@dataclass(frozen=True)
class Capability:
    """The kind of work that a task is, and what measures it.

    :param family: In words.
    :param benchmark: Its name in the catalogue's figures.
    :param harness: Whose runs, so that figures compare.
    :param higher_is_better: False for a rate of errors.
    """

    family: str
    benchmark: str
    harness: str
    higher_is_better: bool = True


TOOL_CALLS = Capability("tool calls", "BFCL v4 live", "BFCL leaderboard")
TOOL_LOOPS = Capability("tool calls in several turns", "BFCL v4 multi-turn", "BFCL leaderboard")
STRICT_FORMATS = Capability("answers of a strict format", "IFEval", "Open LLM Leaderboard v2")
GROUNDED = Capability(
    "texts grounded in the prompt", "hallucination rate", "Vectara leaderboard", higher_is_better=False
)
KNOWLEDGE = Capability("texts from knowledge", "MMLU-Pro", "Open LLM Leaderboard v2")
LONG_CONTEXT = Capability("long contexts", "RULER 128k", "vendor")
FAMILIES = (TOOL_CALLS, TOOL_LOOPS, STRICT_FORMATS, GROUNDED, KNOWLEDGE, LONG_CONTEXT)


def capability_of(verdict: Mapping[str, object], p99_tokens: float | None) -> Capability | None:
    """Return the kind of work that a task is; None: code or nothing, which no listed benchmark measures alike for all.

    :param verdict: Row of ``VerdictsTable``.
    :param p99_tokens: 99th percentile of input plus output tokens; None: not known.
    """
    kind, signals = str(verdict["output_kind"]), signals_of(verdict)
    assert kind in OUTPUT_KINDS
    if kind == "tool_call":
        return TOOL_LOOPS if (signals.get("turn_depth") or 0.0) > MULTI_TURN_DEPTH else TOOL_CALLS
    if p99_tokens is not None and p99_tokens >= LONG_TOKENS:
        return LONG_CONTEXT
    if kind in _STRICT:
        return STRICT_FORMATS
    if kind == "text":
        return GROUNDED if (signals.get("copy_coverage") or 0.0) >= COPIED_FROM else KNOWLEDGE
    return None


@cache
def figures_of(capability: Capability) -> Mapping[str, float]:
    """Return by model what was measured of it without thinking; models without such a figure are left out."""
    rows = read_figures().filter(
        (pl.col("benchmark") == capability.benchmark)
        & (pl.col("harness") == capability.harness)
        & (pl.col("thinking") == "no")
    )
    return dict(rows.select("model", "value").iter_rows())
