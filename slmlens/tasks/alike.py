"""Call sites that differ only in content are one call site."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.joining import join_sites
from slmlens.tasks.shingles import U64
from slmlens.tasks.sites import CallSite

ALIKE = 0.75
"""Jaccard similarity of two cores from which the sites may be one."""

LONG = 40
"""Phrases that must differ before their words tell: where a word in thirteen instructs (the mean measured), none in 40
comes by chance in 4 %."""


def joined_alike(
    sites: Sequence[CallSite], placed: pl.DataFrame, instructing: U64, settings: SkeletonSettings
) -> tuple[list[CallSite], pl.DataFrame]:
    """Join sites of one declared place whose prompts are alike but for a long text without instructions.

    :param instructing: Sorted hashes of the phrases that are centred on a word of instruction.
    :returns: The sites left and the calls' places; of two the one with more calls stands for both.
    """
    pairs = [(one, other) for _, one, other in sorted(_pairs(sites, instructing, settings))]
    return join_sites(sites, placed, pairs)


def _pairs(sites: Sequence[CallSite], instructing: U64, settings: SkeletonSettings) -> list[tuple[float, int, int]]:
    """Return (minus Jaccard, site, site) of the sites that differ only in content."""
    by_place: dict[tuple[str | None, str | None], list[CallSite]] = {}
    for site in sites:
        by_place.setdefault((site.service, site.step), []).append(site)
    found = []
    for members in by_place.values():
        for one, other in combinations(members, 2):
            shorter, longer = sorted((len(one.core), len(other.core)))
            if shorter < ALIKE * longer:
                continue
            shared, differing = len(np.intersect1d(one.core, other.core)), np.setxor1d(one.core, other.core)
            if len(differing) < LONG or shared < ALIKE * (shared + len(differing)):
                continue
            if np.isin(differing, instructing).mean() < settings.instruction:
                found.append((-shared / (shared + len(differing)), one.number, other.number))
    return found
