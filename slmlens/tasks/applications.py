"""Applications: call sites that belong together, declared, or connected by sessions, or by what their prompts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import polars as pl

from slmlens.tasks.shingles import U64

SHARED_CORE = 0.85
"""Containment from which a site without shared sessions joins an application by content (measured in the design)."""

MIN_COMMON = 5
"""Phrases that the sites of an application must have in common for content to connect a further one."""


@dataclass(frozen=True)
class SitePlace:
    """What of a call site an application is judged by: its number, declared service, core and source file."""

    site: int
    service: str | None
    core: U64
    source: str


def applications_of(sites: Sequence[SitePlace], sessions: pl.DataFrame, *, k_task: int) -> dict[int, int]:
    """Return the application number of each site; numbers carry no meaning beyond equality.

    :param sites: The call sites.
    :param sessions: ``site, session`` of the calls that have a session or trace.
    :param k_task: Sessions two sites must share, or half of the smaller one's, to belong together.
    """
    parent = {s.site: s.site for s in sites}
    for one, other in _connected(sites, sessions, k_task):
        _join(parent, one, other)
    _join_by_content(sites, parent)
    _join_sessionless(sites, sessions, parent)
    return {s.site: _root(parent, s.site) for s in sites}


def _connected(sites: Sequence[SitePlace], sessions: pl.DataFrame, k_task: int) -> list[tuple[int, int]]:
    services: dict[str, int] = {}
    pairs = [(services.setdefault(s.service, s.site), s.site) for s in sites if s.service is not None]
    undeclared = [s.site for s in sites if s.service is None]
    held = sessions.filter(pl.col("site").is_in(undeclared)).unique()
    size = dict(held.group_by("site").len().rows())
    shared = (
        held.join(held, on="session").filter(pl.col("site") < pl.col("site_right")).group_by("site", "site_right").len()
    )
    pairs += [
        (a, b) for a, b, n in shared.sort("site", "site_right").rows() if n >= k_task or n >= min(size[a], size[b]) / 2
    ]
    return pairs


def _join_by_content(sites: Sequence[SitePlace], parent: dict[int, int]) -> None:
    """Let a lone undeclared site join the application whose common core it holds."""
    groups: dict[int, list[SitePlace]] = {}
    for site in sites:
        if site.service is None:
            groups.setdefault(_root(parent, site.site), []).append(site)
    common = {
        root: reduce(np.intersect1d, [s.core for s in members]) for root, members in groups.items() if len(members) > 1
    }
    for root, members in groups.items():
        fits = [
            other
            for other, core in common.items()
            if other != root
            and len(members) == 1
            and len(core) >= MIN_COMMON
            and np.isin(core, members[0].core).mean() >= SHARED_CORE
        ]
        if fits:
            _join(parent, min(fits), root)


def _join_sessionless(sites: Sequence[SitePlace], sessions: pl.DataFrame, parent: dict[int, int]) -> None:
    """Sites of one file whose calls have no session at all are one application: nothing tells them apart."""
    with_session = set(sessions.get_column("site").to_list())
    first_of: dict[str, int] = {}
    for site in sites:
        if site.service is None and site.site not in with_session:
            _join(parent, first_of.setdefault(site.source, site.site), site.site)


def _root(parent: dict[int, int], site: int) -> int:
    while parent[site] != site:
        site = parent[site]
    return site


def _join(parent: dict[int, int], one: int, other: int) -> None:
    a, b = sorted((_root(parent, one), _root(parent, other)))
    parent[b] = a
