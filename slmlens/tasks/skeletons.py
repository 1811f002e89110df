"""Call sites from skeletons: a tree of alternatives, fitted on the recurring phrases of prompts.

Each inner node tells its children apart by one set of alternative blocks; each leaf is a call site, known by the core
its prompts share. The rule that assigns a call looks at the prompt only, and is the same for the calls the tree was
fitted on and for later ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slmlens.tasks.blocks import Group, SkeletonSettings, choose_alternatives, find_blocks, group_of
from slmlens.tasks.corpus import Corpus, Sparse
from slmlens.tasks.excerpts import Excerpt, excerpt_of
from slmlens.tasks.incidence import Bools, Floats, set_numbers
from slmlens.tasks.shingles import I64, U64

UNASSIGNED = -1
MAX_DEPTH = 40
FIRM = 0.98
"""Share of a group's weight that holds a phrase an identity may rest on."""
ROUNDING = 1e-9
"""By less than this a sum of shares misses the share that it is."""


@dataclass(frozen=True)
class Node:
    """One node of the skeleton tree. Without children it is a call site, or, with an empty core, no site at all.

    :param site: Number of the call site, or UNASSIGNED.
    :param core: Hashes of the phrases its prompts share.
    :param firm: Those of them that at least ``FIRM`` of the weight holds: what an identity may rest on.
    :param by_content: Its units are distinct slot contents, because too few sessions hold it.
    :param blocks: Hashes that tell each child apart.
    :param children: One a block.
    :param rest: Where prompts go that hold no block (or not the core); None: unassigned.
    """

    site: int
    core: U64
    firm: U64
    by_content: bool
    blocks: tuple[U64, ...] = ()
    children: tuple[Node, ...] = ()
    rest: Node | None = None


def fit_skeletons(corpus: Corpus, partitions: list[I64], settings: SkeletonSettings) -> list[Node]:
    """Return one tree a partition (rows of the corpus that share their declared service and step)."""
    return grown(corpus, excerpt_of(corpus.matrix), partitions, settings)[0]


def grown(
    corpus: Corpus, prompts: Excerpt, partitions: list[I64], settings: SkeletonSettings
) -> tuple[list[Node], I64]:
    """Grow one tree a partition.

    :param prompts: The prompts that they are grown on.
    :param partitions: Places of prompts that share their declared service and step.
    :returns: The trees, and the site of each prompt by the rule that they were grown by; UNASSIGNED where none fits.
    """
    grower = Grower(corpus, settings)
    return [grower.fit(prompts.only(mine)) for mine in partitions], grower.site[prompts.rows]


def sites_of(node: Node) -> list[Node]:
    """Return the call sites at or below a node, in the order of their numbers."""
    below = [s for child in (*node.children, *([node.rest] if node.rest else [])) for s in sites_of(child)]
    return ([node] if node.site != UNASSIGNED else []) + below


def phrases_asked(trees: Iterable[Node]) -> U64:
    """Return the sorted hashes of every phrase that some trees ask for."""
    asked = [phrases for tree in trees for phrases in _asked(tree)]
    return np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *asked]))


def _asked(node: Node) -> Iterator[U64]:
    yield from node.blocks
    if not node.children:
        yield node.core
    for below in (*node.children, *([node.rest] if node.rest is not None else [])):
        yield from _asked(below)


def assign(
    node: Node, matrix: Sparse, hashes: U64, contained: float = SkeletonSettings.contained
) -> tuple[I64, Floats]:
    """Assign prompts to call sites by their text alone.

    :param matrix: prompts x columns, whose column hashes are ``hashes`` (sorted).
    :returns: The site of each row (UNASSIGNED where none fits) and the share of the site's core that the row holds.
    """
    return assign_excerpt(node, excerpt_of(matrix), hashes, contained)


def assign_excerpt(node: Node, prompts: Excerpt, hashes: U64, contained: float) -> tuple[I64, Floats]:
    """Assign the prompts of an excerpt as :func:`assign` does.

    :param prompts: Their strands must each be asked for as a whole or not at all, as by trees grown on these strands.
    :param hashes: Of the columns of the corpus.
    """
    site = np.full(len(prompts.rows), UNASSIGNED, dtype=np.int64)
    strength = np.zeros(len(prompts.rows))
    _descend(node, replace(prompts, rows=np.arange(len(site))), hashes, contained, site, strength)
    return site, strength


def _descend(node: Node, prompts: Excerpt, hashes: U64, contained: float, site: I64, strength: Floats) -> None:
    if not len(prompts.rows):
        return
    if node.children:
        goes_to = route(prompts, hashes, node.blocks, contained)
        for at, child in enumerate(node.children):
            _descend(child, prompts.only(goes_to == at), hashes, contained, site, strength)
        left = goes_to < 0
    else:
        held = containment(prompts, hashes, (node.core,))[:, 0]
        left = held < contained - ROUNDING
        if node.site != UNASSIGNED:
            site[prompts.rows[~left]] = node.site
            strength[prompts.rows[~left]] = held[~left]
    if node.rest is not None:
        _descend(node.rest, prompts.only(left), hashes, contained, site, strength)


def route(prompts: Excerpt, hashes: U64, blocks: Sequence[U64], contained: float) -> I64:
    """Return for each prompt the block it holds most of, or -1 where it holds less than the contained share of any."""
    return _fullest(containment(prompts, hashes, blocks), contained)


def containment(prompts: Excerpt, hashes: U64, wanted: Sequence[U64]) -> Floats:
    """Return prompts x sets: the share of each wanted set of phrases that each prompt holds; 0 of an empty set.

    :param hashes: Of the columns of the corpus.
    """
    phrases = hashes[prompts.columns]
    strands = [prompts.strand[_places(one, phrases)] for one in wanted]
    set_of = set_numbers(strands, prompts.matrix.n_columns)
    share = prompts.sizes() / np.array([max(len(one), 1) for one in wanted])[set_of]
    return prompts.matrix.sums(set_of, len(wanted), share)


def _places(wanted: U64, phrases: U64) -> I64:
    """Return where the wanted phrases stand among all, which ascend; those that are not there are left out."""
    place = np.searchsorted(phrases, wanted)
    inside = place < len(phrases)
    known: I64 = place[inside][phrases[place[inside]] == wanted[inside]]
    return known


def _fullest(held: Floats, contained: float) -> I64:
    return np.where(held.max(axis=1) >= contained - ROUNDING, held.argmax(axis=1), -1)


class Grower:
    """Grows trees; numbers their sites, and notes the site of each prompt as :func:`assign` would give it."""

    def __init__(self, corpus: Corpus, settings: SkeletonSettings, *, first_site: int = 0) -> None:
        self.corpus = corpus
        self.settings = settings
        self.sites = first_site
        self.site = np.full(len(corpus.content), UNASSIGNED, dtype=np.int64)

    def fit(self, prompts: Excerpt) -> Node:
        """Return the tree of some prompts."""
        return self.remainder(prompts, depth=0, by_content=False) or self.nothing()

    def nothing(self) -> Node:
        """Return a tree that assigns no prompt."""
        empty = np.zeros(0, dtype=np.uint64)
        return Node(UNASSIGNED, empty, empty, by_content=False)

    def number(self) -> int:
        """Return the number of a further site."""
        self.sites += 1
        return self.sites - 1

    def grow(self, prompts: Excerpt, depth: int, *, by_content: bool) -> Node:
        """Return the tree of a group: its alternatives, or the call site that it is."""
        group = group_of(self.corpus, prompts, self.settings, by_content=by_content)
        prompts = group.prompts
        core = self.core(group)
        phrases = self.phrases(prompts, core)
        has_core = len(phrases) >= self.settings.min_core
        blocks = find_blocks(group, self.corpus, self.settings, has_core=has_core) if depth < MAX_DEPTH else []
        chosen = choose_alternatives(group, blocks, self.settings, has_core=has_core, by_content=by_content)
        firm = self.phrases(prompts, core[group.share[core] >= FIRM])
        if not chosen:
            return self.make_site(prompts, core, firm, depth, by_content=by_content)
        goes_to = _fullest(self._shares(prompts, [b.strands for b in chosen]), self.settings.contained)
        kept = [at for at in range(len(chosen)) if (goes_to == at).any()]
        told_apart = tuple(self.phrases(prompts, chosen[at].strands) for at in kept)
        children = tuple(self.grow(prompts.only(goes_to == at), depth + 1, by_content=by_content) for at in kept)
        rest = self.rest_of(prompts, goes_to < 0, depth, by_content=by_content)
        return Node(UNASSIGNED, phrases, firm, by_content, told_apart, children, rest)

    def make_site(self, prompts: Excerpt, core: I64, firm: U64, depth: int, *, by_content: bool) -> Node:
        """Make the prompts that hold the core a call site, and look at the others on their own."""
        if not len(core):
            everything = np.ones(len(prompts.rows), dtype=bool)
            return self.rest_of(prompts, everything, depth, by_content=by_content) or self.nothing()
        number = self.number()
        fits = self._shares(prompts, [core])[:, 0] >= self.settings.contained - ROUNDING
        self.site[prompts.rows[fits]] = number
        phrases = self.phrases(prompts, core)
        rest = self.rest_of(prompts, ~fits, depth, by_content=by_content)
        return Node(number, phrases, firm if len(firm) else phrases, by_content, rest=rest)

    def core(self, group: Group) -> I64:
        """Return the strands that nearly all prompts of a group hold."""
        return np.flatnonzero(group.recurs & (group.share >= self.settings.core_share))

    def phrases(self, prompts: Excerpt, strands: I64) -> U64:
        """Return the hashes of some strands."""
        return self.corpus.hashes[prompts.of_strands(strands)]

    def _shares(self, prompts: Excerpt, sets: list[I64]) -> Floats:
        """Return prompts x sets of strands: the share of each that each prompt holds."""
        size = prompts.sizes()
        held = prompts.matrix.sums(set_numbers(sets, len(size)), len(sets), size)
        held /= np.array([size[one].sum() for one in sets])
        return held

    def rest_of(self, prompts: Excerpt, left: Bools, depth: int, *, by_content: bool) -> Node | None:
        """Fit the prompts that a node left over: by sessions if enough hold them, else by distinct contents."""
        if not left.any() or depth >= MAX_DEPTH:
            return None
        if not left.all():
            return self.remainder(prompts.only(left), depth + 1, by_content=by_content)
        return None if by_content else self._by_content(prompts, depth + 1)

    def remainder(self, prompts: Excerpt, depth: int, *, by_content: bool) -> Node | None:
        """Grow prompts by sessions if enough hold them, else by distinct contents; None where neither recurs."""
        if not by_content and self._n_units(prompts.rows) >= self.settings.k_task:
            return self.grow(prompts, depth, by_content=False)
        return self._by_content(prompts, depth)

    def _by_content(self, prompts: Excerpt, depth: int) -> Node | None:
        if len(np.unique(self.corpus.content[prompts.rows])) < self.settings.k_task:
            return None
        return self.grow(prompts, depth, by_content=True)

    def _n_units(self, rows: I64) -> int:
        mine = np.zeros(len(self.corpus.content), dtype=bool)
        mine[rows] = True
        return len(np.unique(self.corpus.pairs[mine[self.corpus.pairs[:, 1]], 0]))
