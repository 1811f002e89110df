"""Rare versions of a prompt: a site that one session makes or unmakes joins the one whose prompt it mostly repeats.

A site with just ``k_task`` recurrence units would not be found with one session less. It stands on its own only if its
prompt does: where half of its fixed words stand, in the same order, in another prompt of its place, it is taken for a
version of that one. A place with fewer than twice ``k_task`` units is left alone: there every site is that rare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from operator import itemgetter

import polars as pl

from slmlens.tasks.joining import join_sites
from slmlens.tasks.sites import CallSite

VERSION = 0.5
"""Share of the fixed words that both prompts hold in the same order (CONTRACT 2: from a half on, two are one)."""


def joined_versions(
    sites: Sequence[CallSite], placed: pl.DataFrame, words: Mapping[int, Sequence[str]], *, k_task: int
) -> tuple[list[CallSite], pl.DataFrame]:
    """Join each site that has just ``k_task`` units to the most alike site of its place.

    :param placed: ``call_id, site, unit_id`` and more.
    :param words: The fixed words of each site's prompt, in order.
    :returns: The sites left and the calls' places; of two, the one with more calls stands for both.
    """
    known = placed.drop_nulls("site")
    units = {n: frozenset(u) for n, u in known.group_by("site").agg(pl.col("unit_id").unique()).rows()}
    pairs = [(one, other) for _, one, other in sorted(_alike(_rare_pairs(sites, units, k_task), words))]
    return join_sites(sites, placed, pairs, rare=k_task)


def _rare_pairs(sites: Sequence[CallSite], units: Mapping[int, frozenset[str]], k_task: int) -> list[tuple[int, int]]:
    """Return the pairs of sites of one place of which at least one is rare, where the place is not."""
    by_place: dict[tuple[str | None, str | None, bool], list[int]] = {}
    for site in sites:
        by_place.setdefault((site.service, site.step, site.by_content), []).append(site.number)
    pairs = []
    for members in by_place.values():
        if len(frozenset().union(*(units[n] for n in members))) < 2 * k_task:
            continue
        rare = [n for n in members if len(units[n]) <= k_task]
        pairs += sorted({(min(r, n), max(r, n)) for r in rare for n in members if n != r})
    return pairs


def _alike(pairs: Sequence[tuple[int, int]], words: Mapping[int, Sequence[str]]) -> list[tuple[float, int, int]]:
    """Return (minus likeness, site, site) of the pairs that are versions of one prompt."""
    found = []
    matcher = SequenceMatcher(None, autojunk=False)
    for one, rivals in groupby(sorted(pairs), key=itemgetter(0)):
        matcher.set_seq2(list(words[one]))
        for _, other in rivals:
            shorter, longer = sorted((len(words[one]), len(words[other])))
            if not shorter or 2 * shorter < VERSION * (shorter + longer):
                continue
            matcher.set_seq1(list(words[other]))
            if matcher.quick_ratio() >= VERSION and (likeness := matcher.ratio()) >= VERSION:
                found.append((-likeness, one, other))
    return found
