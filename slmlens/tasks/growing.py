"""The trees of a log, and the place of each prompt in them: grown on a bounded sample, all others placed by the rule.

What fits nowhere is sampled again, and the trees are grown on where it fell out of them: a step too rare for the first
sample is found when the common ones are out of the way. A step that differs from a common one in the middle of its
prompts alone may stay hidden in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from slmlens.results import Calls
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.corpus import Corpus, Sparse, build_corpus, variant_matrices
from slmlens.tasks.excerpts import Excerpt, excerpt_of
from slmlens.tasks.incidence import Floats
from slmlens.tasks.prompts import Prompts
from slmlens.tasks.regrow import grow_trees_along
from slmlens.tasks.sampling import MOST_PROMPTS, Sample, only_prompts, sample_of
from slmlens.tasks.shingles import I64, U64
from slmlens.tasks.sites import grow_trees, rows_of_partitions
from slmlens.tasks.skeletons import (
    ROUNDING,
    UNASSIGNED,
    Grower,
    Node,
    assign,
    containment,
    phrases_asked,
    route,
    sites_of,
)
from slmlens.tasks.taskset import TaskSet

ROUNDS = 3
"""Samples that are drawn, at most, of what fits nowhere."""


@dataclass(frozen=True)
class Grown:
    """The trees of a log, and its prompts in them.

    :param trees: One a partition of the prompts; site numbers are unique over all of them.
    :param was: The earlier run's task that a site goes on with, by its number.
    :param places: ``variant, site`` (null: none fits), ``strength``: one row a distinct prompt.
    :param sample: The prompts that the trees were first grown on.
    :param corpus: Their recurring phrases.
    :param instructing: Sorted hashes of the phrases that are centred on a word of instruction.
    """

    trees: dict[str, Node]
    was: dict[int, str]
    places: pl.DataFrame
    sample: Sample
    corpus: Corpus
    instructing: U64


def grow(
    calls: Calls,
    prompts: Prompts,
    settings: SkeletonSettings,
    *,
    most: int = MOST_PROMPTS,
    earlier: TaskSet | None = None,
) -> Grown:
    """Grow the trees of a log and place all its prompts.

    :param most: Distinct prompts that they are grown on.
    :param earlier: Task set of an earlier run, whose trees they are grown along.
    """
    sample = sample_of(prompts, calls.messages, most=most, k_task=settings.k_task)
    known = None if earlier is None else earlier.phrases_asked()
    corpus = _corpus_of(calls, sample, settings, known)
    trees, was = (
        (grow_trees(sample.prompts, corpus, settings), {})
        if earlier is None
        else grow_trees_along(sample.prompts, corpus, settings, earlier)
    )
    instructing = np.unique(corpus.hashes[corpus.directive])
    if sample.whole:
        site, strength = _placed(prompts, trees, settings, corpus.hashes, [(sample.variants, corpus.matrix)])
    else:
        trees, site, strength, more = _grown_on(calls, prompts, trees, settings, most)
        instructing = np.union1d(instructing, more)
    places = pl.DataFrame({"variant": np.arange(len(site)), "site": site, "strength": strength})
    known_sites = pl.when(pl.col("site") != UNASSIGNED).then(pl.col("site", "strength"))
    return Grown(trees, was, places.with_columns(known_sites), sample, corpus, instructing)


def _corpus_of(calls: Calls, sample: Sample, settings: SkeletonSettings, known: U64 | None) -> Corpus:
    corpus = build_corpus(calls, sample.prompts, k_task=settings.k_task, known=known)
    return replace(corpus, weight=sample.weight)


def _grown_on(
    calls: Calls, prompts: Prompts, trees: dict[str, Node], settings: SkeletonSettings, most: int
) -> tuple[dict[str, Node], I64, Floats, U64]:
    """Place all prompts, and grow the trees on with samples of what fits nowhere.

    :returns: The trees, site and strength of each prompt, and the further phrases with a word of instruction.
    """
    everything = np.arange(prompts.variants.height)
    site, strength = np.full(len(everything), UNASSIGNED), np.zeros(len(everything))
    instructing = np.zeros(0, dtype=np.uint64)
    left = everything
    for at in range(ROUNDS + 1):
        columns = phrases_asked(trees.values())
        matrices = variant_matrices(calls.messages, prompts.variants, columns, left)
        placed = _placed(prompts, trees, settings, columns, matrices)
        site[left], strength[left] = placed[0][left], placed[1][left]
        still = np.flatnonzero(site == UNASSIGNED)
        if at == ROUNDS or len(still) in (0, len(left)):
            break
        left = still
        sample = sample_of(only_prompts(prompts, left), calls.messages, most=most, k_task=settings.k_task)
        corpus = _corpus_of(calls, sample, settings, columns)
        trees = _extended(trees, sample, corpus, settings)
        instructing = np.union1d(instructing, corpus.hashes[corpus.directive])
    return trees, site, strength, instructing


def _placed(
    prompts: Prompts,
    trees: Mapping[str, Node],
    settings: SkeletonSettings,
    columns: U64,
    matrices: Iterable[tuple[I64, Sparse]] | Iterator[tuple[I64, Sparse]],
) -> tuple[I64, Floats]:
    """Return site and strength of each prompt; UNASSIGNED and 0 where it fits none, or is in no matrix.

    :param columns: Hashes of the columns of the matrices.
    :param matrices: Prompts, and the columns that each of them holds.
    """
    site = np.full(prompts.variants.height, UNASSIGNED)
    strength = np.zeros(len(site))
    of_partition = rows_of_partitions(prompts)
    for rows, matrix in matrices:
        for name, tree in trees.items():
            here = np.flatnonzero(np.isin(rows, of_partition[name], assume_unique=True))
            if len(here):
                mine = rows[here]
                site[mine], strength[mine] = assign(tree, matrix[here], columns, settings.contained)
    return site, strength


def _extended(trees: Mapping[str, Node], sample: Sample, corpus: Corpus, settings: SkeletonSettings) -> dict[str, Node]:
    """Return the trees, grown on where prompts fall out of them.

    :param sample: Prompts that no tree places.
    """
    first = max((s.site for tree in trees.values() for s in sites_of(tree)), default=UNASSIGNED) + 1
    grower = _Extender(corpus, settings, first_site=first)
    everything, rows = excerpt_of(corpus.matrix), rows_of_partitions(sample.prompts)
    new = {
        name: grower.extended(trees.get(name) or grower.nothing(), everything.only(mine), 0)
        for name, mine in rows.items()
    }
    return {**trees, **new}


class _Extender(Grower):
    """Grows trees on where prompts fall out of them; what they tell apart stays as it is."""

    def extended(self, node: Node, prompts: Excerpt, depth: int) -> Node:
        """Return a node that has a place for what recurs among prompts that it places nowhere."""
        if not len(prompts.rows):
            return node
        hashes, contained, children = self.corpus.hashes, self.settings.contained, node.children
        if children:
            goes_to = route(prompts, hashes, node.blocks, contained)
            below = (self.extended(child, prompts.only(goes_to == at), depth + 1) for at, child in enumerate(children))
            children, left = tuple(below), prompts.only(goes_to < 0)
        else:
            left = prompts.only(containment(prompts, hashes, (node.core,))[:, 0] < contained - ROUNDING)
        if node.rest is not None:
            return replace(node, children=children, rest=self.extended(node.rest, left, depth + 1))
        rest = self.remainder(left, depth + 1, by_content=node.by_content) if len(left.rows) else None
        return replace(node, children=children, rest=rest)
