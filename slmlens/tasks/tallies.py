"""Pairs of units that half-samples put together, kept by task: the stability of a task that people merged.

A table of ``task_id, other, pairs, together``, summed over the half-samples of :mod:`slmlens.tasks.stability`. Where
``other`` is the task itself: the pairs of units that the log puts together in one call site of it, and those of them
that the half-samples put together. Else: pairs of a unit of the task and one of the other task that they put together.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import polars as pl

SCHEMA = {"task_id": pl.String, "other": pl.String, "pairs": pl.Float64, "together": pl.Float64}


def no_tallies() -> pl.DataFrame:
    """Return the table without a row: nothing was measured."""
    return pl.DataFrame(schema=SCHEMA)


def renamed_tallies(tallies: pl.DataFrame, ids: Mapping[str, str]) -> pl.DataFrame:
    """Return the table under other task ids; those not named keep theirs."""
    return tallies.with_columns(pl.col("task_id", "other").replace(dict(ids))).sort("task_id", "other")


def merged_stability(tallies: pl.DataFrame, members: Collection[str]) -> float | None:
    """Return the stability of the task that some tasks are when a person merges them.

    The same share as for a task whose prompt was edited, which has several call sites as well: the pairs inside each,
    and as strangers only units of tasks outside. None where a member was not measured: what it is worth is not known.
    """
    mine = tallies.filter(pl.col("task_id").is_in(list(members)))
    inside = mine.filter(pl.col("other") == pl.col("task_id"))
    strange = mine.filter(~pl.col("other").is_in(list(members)))
    pairs, kept, strangers = (
        math.fsum(column) for column in (inside["pairs"], inside["together"], strange["together"])
    )
    return min(kept / (pairs + strangers), 1.0) if pairs and inside.height == len(set(members)) else None
