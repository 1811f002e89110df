"""Trees grown along those of an earlier run: what it told apart stays apart, and what it took for one stays one.

A threshold that one log just passes, the same log with a session less may just miss, and a task would be cut otherwise
though nothing changed. So the trees of a run that follows another start from that one's: its alternatives are used
where prompts still hold them, its call sites are kept where they still recur, and only what fits none of them is looked
at anew. A kept site is split only by a choice that is beyond doubt: at least two of its sides have twice ``k_task``
units, so that each half of the log could show it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from slmlens.tasks.blocks import Block, Group, SkeletonSettings, choose_alternatives, find_blocks, group_of
from slmlens.tasks.corpus import Corpus
from slmlens.tasks.excerpts import Excerpt, excerpt_of
from slmlens.tasks.incidence import Bools
from slmlens.tasks.joining import join_sites
from slmlens.tasks.prompts import Prompts, declared
from slmlens.tasks.shingles import I64, U64
from slmlens.tasks.sites import CallSite, rows_of_partitions
from slmlens.tasks.skeletons import FIRM, MAX_DEPTH, ROUNDING, UNASSIGNED, Grower, Node, containment, route
from slmlens.tasks.taskset import TaskSet, place_print


def grow_trees_along(
    prompts: Prompts, corpus: Corpus, settings: SkeletonSettings, earlier: TaskSet
) -> tuple[dict[str, Node], dict[int, str]]:
    """Return one tree a partition, and the earlier task that a site of theirs goes on with, by the site's number.

    :param corpus: With the phrases that the earlier trees ask for (``build_corpus(known=earlier.phrases_asked())``).
    """
    grower = Regrower(corpus, settings)
    everything = excerpt_of(corpus.matrix)
    trees = {}
    for partition, rows in rows_of_partitions(prompts).items():
        old = earlier.trees.get(place_print(*declared(partition)))
        mine = everything.only(rows)
        trees[partition] = grower.fit(mine) if old is None else grower.fit_along(mine, old)
    tasks = {new: earlier.task_of_site.get(old) for new, old in grower.earlier_site.items()}
    return trees, {new: task for new, task in tasks.items() if task is not None}


def joined_again(
    sites: Sequence[CallSite], placed: pl.DataFrame, *, k_task: int
) -> tuple[list[CallSite], pl.DataFrame]:
    """Join the sites that were one task in the earlier run, but for those that this log shows beyond doubt."""
    size = dict(placed.drop_nulls("site").group_by("site").len().rows())
    of_task: dict[str, list[int]] = {}
    for site in sites:
        if site.was is not None:
            of_task.setdefault(site.was, []).append(site.number)
    largest = {task: min(numbers, key=lambda n: (-size[n], n)) for task, numbers in of_task.items()}
    pairs = [(largest[task], n) for task in sorted(of_task) for n in sorted(of_task[task])]
    return join_sites(sites, placed, pairs, rare=2 * k_task - 1)


class Regrower(Grower):
    """Grows trees along earlier ones.

    :ivar earlier_site: Number of the earlier site by the number of the new one that stands for it.
    """

    def __init__(self, corpus: Corpus, settings: SkeletonSettings) -> None:
        super().__init__(corpus, settings)
        self.earlier_site: dict[int, int] = {}

    def fit_along(self, prompts: Excerpt, earlier: Node) -> Node:
        """Return the tree of some prompts, grown along an earlier tree."""
        return self._along(prompts, earlier, 0) or self.nothing()

    def _along(self, prompts: Excerpt, earlier: Node | None, depth: int) -> Node | None:
        if not len(prompts.rows) or depth >= MAX_DEPTH:
            return None
        if earlier is None:
            return self.remainder(prompts, depth, by_content=False)
        if earlier.children:
            return self._same_choice(prompts, earlier, depth)
        return self._same_site(prompts, earlier, depth)

    def _same_choice(self, prompts: Excerpt, earlier: Node, depth: int) -> Node | None:
        goes_to = route(prompts, self.corpus.hashes, earlier.blocks, self.settings.contained)
        grown = [
            self._along(prompts.only(goes_to == at), child, depth + 1) for at, child in enumerate(earlier.children)
        ]
        rest = self._along(prompts.only(goes_to < 0), earlier.rest, depth + 1)
        kept = [(block, child) for block, child in zip(earlier.blocks, grown, strict=True) if child is not None]
        if not kept:
            return rest
        blocks, children = zip(*kept, strict=True)
        return replace(earlier, blocks=blocks, children=children, rest=rest)

    def _same_site(self, prompts: Excerpt, earlier: Node, depth: int) -> Node | None:
        """Keep a site where prompts hold its core; its new core is what they share now."""
        held = self._hold(prompts, earlier.core)
        mine = prompts.only(held)
        if earlier.site == UNASSIGNED or not held.any():
            return self._along(prompts, earlier.rest, depth + 1)
        group = group_of(self.corpus, mine, self.settings, by_content=earlier.by_content)
        shared = self.core(group)
        core = self.phrases(group.prompts, shared)
        if self._splits(group, has_core=len(core) >= self.settings.min_core, by_content=earlier.by_content):
            return self._split(mine, prompts.only(~held), earlier, depth)
        firm = self.phrases(group.prompts, shared[group.share[shared] >= FIRM])
        # a part of a task may be too rare in this log to show its core again
        same = replace(earlier, core=core, firm=firm if len(firm) else core) if len(core) else earlier
        number = self.number()
        self.earlier_site[number] = earlier.site
        rest = self._along(prompts.only(~self._hold(prompts, same.core)), earlier.rest, depth + 1)
        return replace(same, site=number, rest=rest)

    def _hold(self, prompts: Excerpt, core: U64) -> Bools:
        held = containment(prompts, self.corpus.hashes, (core,))[:, 0]
        return np.asarray(held >= self.settings.contained - ROUNDING, dtype=np.bool_)

    def _splits(self, group: Group, *, has_core: bool, by_content: bool) -> bool:
        """Tell whether the log splits a kept site beyond doubt."""
        blocks = find_blocks(group, self.corpus, self.settings, has_core=has_core)
        chosen = choose_alternatives(group, blocks, self.settings, has_core=has_core, by_content=by_content)
        return bool(np.count_nonzero(_units_of_sides(group, chosen) >= 2 * self.settings.k_task) > 1)

    def _split(self, mine: Excerpt, others: Excerpt, earlier: Node, depth: int) -> Node:
        """Grow the prompts of a site anew, behind a gate that only those pass that hold its core."""
        inside = self.grow(mine, depth + 1, by_content=earlier.by_content)
        rest = self._along(others, earlier.rest, depth + 1)
        return replace(earlier, site=UNASSIGNED, blocks=(earlier.core,), children=(inside,), rest=rest)


def _units_of_sides(group: Group, chosen: list[Block]) -> I64:
    """Return the units of each alternative, and of what holds none of them."""
    if not chosen:
        return np.zeros(0, dtype=np.int64)
    sides = np.stack([block.rows for block in chosen], axis=1)
    return group.units_with(np.column_stack((sides, ~sides.any(axis=1))))
