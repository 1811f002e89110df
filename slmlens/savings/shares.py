"""Shares of calls, tokens, dollars and latency side by side: what a plan covers depends on what is counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

PARTS = ("ready", "pilot", "keep", "unassigned", "excluded")
MEASURES = ("calls", "tokens", "runrate_nusd", "latency_ms")

PAPER_QUERIES = {"MetaGPT": 0.6, "Open Operator": 0.4, "Cradle": 0.7}
"""Share of queries that Belcak et al., Small Language Models are the Future of Agentic AI (arXiv 2506.02153, 2025),
appendix B, estimate that small models could take, by judgement."""

NOT_COMPARABLE = (
    "Belcak et al. (2025, appendix B) judge that small models could take about 60 % of the queries of MetaGPT, 40 % of "
    "Open Operator's and 70 % of Cradle's. Those are shares of queries, estimated and not measured; they don't compare "
    "with shares of dollars, since calls differ in length and price."
)


@dataclass(frozen=True)
class Part:
    """A part of the log.

    :param name: One of ``PARTS``.
    :param calls: Its calls.
    :param tokens: Their input and output tokens, where known.
    :param runrate_nusd: Their cost at today's prices, where known.
    :param latency_ms: Their latency added up, where logged.
    """

    name: str
    calls: int
    tokens: int
    runrate_nusd: int
    latency_ms: float


def parts_of(
    calls: pl.DataFrame, assignments: pl.DataFrame, buckets: Mapping[str, str], excluded: Collection[str]
) -> list[Part]:
    """Return the parts of a log, in the order of ``PARTS``; they add up to all its calls.

    :param calls: ``CallsTable``, priced.
    :param assignments: ``AssignmentsTable``.
    :param buckets: ``ready``, ``pilot`` or ``keep`` by task id.
    :param excluded: Ids of tasks that a person set aside.
    """
    named = {**buckets, **dict.fromkeys(excluded, "excluded")}
    part = pl.col("task_id").replace_strict(list(named), list(named.values()), default=None, return_dtype=pl.String)
    tokens = pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0)
    found = (
        calls.join(assignments.select("call_id", "task_id"), on="call_id")
        .group_by(part.fill_null("unassigned").alias("part"))
        .agg(pl.len(), tokens.sum().alias("tokens"), pl.col("runrate_nusd").sum(), pl.col("latency_ms").sum())
    )
    rows = {row[0]: row[1:] for row in found.iter_rows()}
    return [Part(name, *rows.get(name, (0, 0, 0, 0.0))) for name in PARTS]


def shares_of(parts: Collection[Part], measure: str) -> dict[str, float] | None:
    """Return each part's share of a measure, by name; None: it is nowhere known.

    :param measure: One of ``MEASURES``.
    """
    amounts = {part.name: float(getattr(part, measure)) for part in parts}
    total = sum(amounts.values())
    return {name: amount / total for name, amount in amounts.items()} if total > 0 else None
