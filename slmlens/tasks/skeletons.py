"""Call sites from skeletons: a tree of alternatives, fitted on the recurring phrases of prompts.

Each inner node tells its children apart by one set of alternative blocks; each leaf is a call site, known by the core
its prompts share. The rule that assigns a call looks at the prompt only, and is the same for the calls the tree was
fitted on and for later ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.tasks.blocks import Floats, SkeletonSettings, choose_alternatives, find_blocks, group_of
from slmlens.tasks.corpus import Corpus, Sparse
from slmlens.tasks.shingles import I64, U64

UNASSIGNED = -1
MAX_DEPTH = 40
FIRM = 0.98
"""Share of a group's weight that holds a phrase an identity may rest on."""


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
    grower = Grower(corpus, settings)
    return [grower.fit(rows) for rows in partitions]


def sites_of(node: Node) -> list[Node]:
    """Return the call sites at or below a node, in the order of their numbers."""
    below = [s for child in (*node.children, *([node.rest] if node.rest else [])) for s in sites_of(child)]
    return ([node] if node.site != UNASSIGNED else []) + below


def assign(
    node: Node, matrix: Sparse, hashes: U64, contained: float = SkeletonSettings.contained
) -> tuple[I64, Floats]:
    """Assign prompts to call sites by their text alone.

    :param matrix: prompts x columns, whose column hashes are ``hashes`` (sorted).
    :returns: The site of each row (UNASSIGNED where none fits) and the share of the site's core that the row holds.
    """
    site = np.full(matrix.shape[0], UNASSIGNED, dtype=np.int64)
    strength = np.zeros(matrix.shape[0])
    _descend(node, matrix, hashes, contained, np.arange(matrix.shape[0]), site, strength)
    return site, strength


def _descend(node: Node, matrix: Sparse, hashes: U64, contained: float, rows: I64, site: I64, strength: Floats) -> None:
    if not len(rows):
        return
    if node.children:
        goes_to = route(matrix[rows], hashes, node.blocks, contained)
        for at, child in enumerate(node.children):
            _descend(child, matrix, hashes, contained, rows[goes_to == at], site, strength)
        left = rows[goes_to < 0]
    else:
        held = containment(matrix[rows], hashes, (node.core,))[:, 0]
        fits = held >= contained
        if node.site != UNASSIGNED:
            site[rows[fits]] = node.site
            strength[rows[fits]] = held[fits]
        left = rows[~fits]
    if node.rest is not None:
        _descend(node.rest, matrix, hashes, contained, left, site, strength)


def route(matrix: Sparse, hashes: U64, blocks: tuple[U64, ...], contained: float) -> I64:
    """Return for each row the block it holds most of, or -1 where it holds less than the contained share of any."""
    held = containment(matrix, hashes, blocks)
    return np.where(held.max(axis=1) >= contained, held.argmax(axis=1), -1)


def containment(matrix: Sparse, hashes: U64, wanted: Sequence[U64]) -> Floats:
    """Return rows x sets: the share of each wanted set that each row holds; 0 for an empty set."""
    from scipy import sparse

    place = np.concatenate([np.searchsorted(hashes, one) for one in wanted])
    flat = np.concatenate(list(wanted))
    of = np.repeat(np.arange(len(wanted)), [len(one) for one in wanted])
    known = place < len(hashes)
    known[known] = hashes[place[known]] == flat[known]
    share = 1.0 / np.array([max(len(one), 1) for one in wanted], dtype=np.float64)
    indicator = sparse.csr_matrix((share[of[known]], (place[known], of[known])), shape=(len(hashes), len(wanted)))
    held: Floats = np.asarray((matrix @ indicator).todense())
    return held


class Grower:
    """Grows trees; numbers their sites."""

    def __init__(self, corpus: Corpus, settings: SkeletonSettings) -> None:
        self.corpus = corpus
        self.settings = settings
        self.sites = 0

    def fit(self, rows: I64) -> Node:
        """Return the tree of some rows of the corpus."""
        return self.remainder(rows, depth=0, by_content=False) or self.nothing()

    def nothing(self) -> Node:
        """Return a tree that assigns no prompt."""
        empty = np.zeros(0, dtype=np.uint64)
        return Node(UNASSIGNED, empty, empty, by_content=False)

    def number(self) -> int:
        """Return the number of a further site."""
        self.sites += 1
        return self.sites - 1

    def grow(self, rows: I64, depth: int, *, by_content: bool) -> Node:
        """Return the tree of a group: its alternatives, or the call site that it is."""
        group = group_of(self.corpus, rows, self.settings, by_content=by_content)
        core = group.recurs & (group.share >= self.settings.core_share)
        has_core = int(core.sum()) >= self.settings.min_core
        blocks = find_blocks(group, self.corpus, self.settings, has_core=has_core) if depth < MAX_DEPTH else []
        chosen = choose_alternatives(group, blocks, self.settings, has_core=has_core, by_content=by_content)
        hashes = self.corpus.hashes[core]
        firm = self.corpus.hashes[core & (group.share >= FIRM)]
        if not chosen:
            return self.make_site(rows, hashes, firm, depth, by_content=by_content)
        blocks_hashes = tuple(self.corpus.hashes[b.columns] for b in chosen)
        goes_to = route(group.matrix, self.corpus.hashes, blocks_hashes, self.settings.contained)
        kept = [at for at in range(len(chosen)) if (goes_to == at).any()]
        children = tuple(self.grow(rows[goes_to == at], depth + 1, by_content=by_content) for at in kept)
        rest = self.rest_of(rows[goes_to < 0], len(rows), depth, by_content=by_content)
        return Node(UNASSIGNED, hashes, firm, by_content, tuple(blocks_hashes[at] for at in kept), children, rest)

    def make_site(self, rows: I64, core: U64, firm: U64, depth: int, *, by_content: bool) -> Node:
        """Make the rows that hold the core a call site, and look at the others on their own."""
        if not len(core):
            rest = self.rest_of(rows, len(rows), depth, by_content=by_content)
            return rest or self.nothing()
        number = self.number()
        held = containment(self.corpus.matrix[rows], self.corpus.hashes, (core,))[:, 0]
        rest = self.rest_of(rows[held < self.settings.contained], len(rows), depth, by_content=by_content)
        return Node(number, core, firm if len(firm) else core, by_content, rest=rest)

    def rest_of(self, rows: I64, of: int, depth: int, *, by_content: bool) -> Node | None:
        """Fit the rows that a node left over: by sessions if enough hold them, else by distinct contents."""
        if not len(rows) or depth >= MAX_DEPTH:
            return None
        if len(rows) < of:
            return self.remainder(rows, depth + 1, by_content=by_content)
        return None if by_content else self._by_content(rows, depth + 1)

    def remainder(self, rows: I64, depth: int, *, by_content: bool) -> Node | None:
        """Grow rows by sessions if enough hold them, else by distinct contents; None where neither recurs."""
        if not by_content and self._n_units(rows) >= self.settings.k_task:
            return self.grow(rows, depth, by_content=False)
        return self._by_content(rows, depth)

    def _by_content(self, rows: I64, depth: int) -> Node | None:
        if len(np.unique(self.corpus.content[rows])) < self.settings.k_task:
            return None
        return self.grow(rows, depth, by_content=True)

    def _n_units(self, rows: I64) -> int:
        mine = np.zeros(self.corpus.matrix.shape[0], dtype=bool)
        mine[rows] = True
        return len(np.unique(self.corpus.pairs[mine[self.corpus.pairs[:, 1]], 0]))
