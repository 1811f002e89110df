"""Joining call sites: of two, the one with more calls stands for both and keeps the phrases of the other as past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from slmlens.tasks.sites import CallSite


def join_sites(
    sites: Sequence[CallSite], placed: pl.DataFrame, pairs: Iterable[tuple[int, int]], *, rare: int | None = None
) -> tuple[list[CallSite], pl.DataFrame]:
    """Join pairs of sites in their order; two that go on with different tasks of an earlier run are never joined.

    :param placed: ``call_id, site, unit_id`` and more.
    :param pairs: Numbers of the sites to join; what was joined before is one site.
    :param rare: Join only where one of the two has at most so many recurrence units by then; None: always.
    :returns: The sites left and the calls' places.
    """
    counted = placed.drop_nulls("site").group_by("site").agg(pl.len(), pl.col("unit_id").unique())
    size = {n: calls for n, calls, _ in counted.rows()}
    units = {n: frozenset(names) for n, _, names in counted.rows()}
    by_number = {s.number: s for s in sites}
    stands_for = {s.number: s.number for s in sites}
    for one, other in pairs:
        kept, gone = sorted((stands_for[one], stands_for[other]), key=lambda n: (-size[n], n))
        too_common = rare is not None and min(len(units[kept]), len(units[gone])) > rare
        if kept == gone or too_common or _were_two(by_number[kept], by_number[gone]):
            continue
        stands_for = {n: kept if to == gone else to for n, to in stands_for.items()}
        size[kept] += size[gone]
        units[kept] |= units[gone]
        by_number[kept] = _standing_for(by_number[kept], by_number[gone])
    left = [by_number[n] for n in sorted(set(stands_for.values()))]
    return left, placed.with_columns(pl.col("site").replace(stands_for))


def _were_two(one: CallSite, other: CallSite) -> bool:
    return one.was is not None and other.was is not None and one.was != other.was


def _standing_for(kept: CallSite, gone: CallSite) -> CallSite:
    earlier = np.union1d(np.union1d(kept.earlier, gone.core), gone.earlier)
    return replace(kept, earlier=earlier, was=kept.was or gone.was)
