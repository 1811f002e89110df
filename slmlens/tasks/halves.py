"""Trees grown again on random halves of the recurrence units, on all cores, while other work is done.

The corpus is built once. Shingles that the same prompts hold in the same part are one signal, so of each such set at
most :data:`KEPT` stay: about as many as any rule of the trees can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import zip_longest
from threading import Thread

import numpy as np
import polars as pl

from slmlens.tasks.agreement import rule_agreement
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.corpus import Corpus
from slmlens.tasks.excerpts import Excerpt, excerpt_of
from slmlens.tasks.growing import Grown
from slmlens.tasks.incidence import Bools
from slmlens.tasks.prompts import PARTS, Prompts, declared
from slmlens.tasks.shingles import I64
from slmlens.tasks.skeletons import UNASSIGNED, assign_excerpt, grown
from slmlens.tasks.taskset import RuleAgreement

FITS = 20
"""Half-samples; the contract asks for 20 or more."""

RULE_FITS = 5
"""Of these, half-samples whose trees also assign the other half, for the agreement of the prompt-only rule."""

KEPT = 50
"""Shingles kept of those that the same prompts hold: a block's length counts up to 100, a system shingle twice."""

BLOCKS = 300
"""Blocks compared at one level; more change nothing measurable and cost a tenth of the time."""

MOST_PROMPTS = 2_500
"""Prompts of a half-sample; of a larger log fewer units are drawn, and rarer tasks can't be measured."""

PARALLEL_FROM = 20_000
"""Prompts of all half-samples from which starting a process a core costs less than it saves."""

WAKE_FROM = 4_000
"""Calls from which a log may hold so many prompts."""

_LEAST_UNITS = 2
"""A task is measured if a half-sample may be expected to hold ``k_task`` of its units."""


@dataclass(frozen=True)
class Uses:
    """Who used which prompt: one row a (recurrence unit, prompt).

    :param unit: Code of the recurrence unit.
    :param group: Unit code of the corpus: session or trace.
    :param variant: Row of the corpus.
    :param site: Its call site in the whole log; UNASSIGNED.
    :param calls: Calls behind the row.
    """

    unit: I64
    group: I64
    variant: I64
    site: I64
    calls: I64

    def only(self, mask: Bools) -> Uses:
        """Return some of the rows."""
        return Uses(self.unit[mask], self.group[mask], self.variant[mask], self.site[mask], self.calls[mask])


@dataclass(frozen=True)
class HalfTrees:
    """Where the trees of half-samples place the prompts.

    :param sites: Call sites with enough units to be looked for in a half.
    :param samples: For each half-sample, the uses of those sites by its units.
    :param labels: For each, the site of each prompt of the corpus in its trees; empty: there are too few units.
    :param agreements: Of the prompt-only rule of some of the trees with the whole log, on what they were not grown on.
    :param k_task: Units that make a task.
    """

    sites: list[int]
    samples: Sequence[Uses]
    labels: Sequence[I64]
    agreements: Sequence[RuleAgreement | None]
    k_task: int


def waking_workers(n_calls: int) -> Thread | None:
    """Start the processes that :func:`measure_stability` will want while other work is done; None for a small log.

    :param n_calls: Calls of the log.
    :returns: The thread that waits for them, to be joined before they are used.
    """
    if n_calls < WAKE_FROM:
        return None
    from joblib import Parallel, cpu_count, delayed

    waiting = Thread(target=lambda: Parallel(n_jobs=-1)(delayed(_awake)() for _ in range(cpu_count())), daemon=True)
    waiting.start()
    return waiting


def _awake() -> None:
    """Load in a worker what growing and comparing trees needs."""
    from scipy import sparse  # noqa: F401 - loading it is the purpose
    from sklearn import metrics  # noqa: F401


def growing_halves(
    grown: Grown,
    fitted: pl.DataFrame,
    settings: SkeletonSettings,
    *,
    fits: int,
    seed: int,
    workers: Thread | None,
) -> Future[HalfTrees]:
    """Begin :func:`grow_halves` while other work is done; of a sampled log, on the sessions that were drawn evenly.

    :param fitted: Every call's place.
    :param workers: Of :func:`waking_workers`.
    """
    sample, corpus = grown.sample, replace(grown.corpus, weight=np.ones_like(grown.corpus.weight))

    def grow() -> HalfTrees:
        if workers is not None:
            workers.join()
        return grow_halves(sample.prompts, corpus, sample.evenly(fitted), settings, fits=fits, seed=seed)

    with_one = ThreadPoolExecutor(max_workers=1, thread_name_prefix="halves")
    growing = with_one.submit(grow)
    with_one.shutdown(wait=False)
    return growing


def grow_halves(
    prompts: Prompts,
    corpus: Corpus,
    fitted: pl.DataFrame,
    settings: SkeletonSettings,
    *,
    fits: int = FITS,
    seed: int = 0,
) -> HalfTrees:
    """Grow the trees again on half-samples of the recurrence units.

    The half-samples depend on the seed and on the prompts, never on row order or hashed names.

    :param fitted: Rows of ``prompts.calls`` with ``unit_id`` (recurrence unit) and ``site`` as the trees of the whole
        log place them.
    :param fits: Half-samples.
    """
    uses = _uses(fitted)
    n_units = int(uses.unit.max()) + 1 if len(uses.unit) else 0
    drawn = min(n_units // 2, round(n_units * MOST_PROMPTS / max(len(uses.unit), 1)))
    enough = _with_units(uses, settings.k_task * n_units / max(drawn, 1))
    if not enough or not fits:
        return HalfTrees(enough, [], [], [], settings.k_task)
    bounded = replace(settings, max_blocks=min(settings.max_blocks, BLOCKS))
    places = prompts.variants.get_column("partition").to_list()
    inside = _halves(n_units, drawn, fits, seed)
    samples = [uses.only(held[uses.unit] & np.isin(uses.site, enough)) for held in inside]
    judged = [(uses, held[uses.unit]) for held in inside[:RULE_FITS]]
    labels, agreements = _half_fits(thinned(corpus), corpus, samples, judged, places, bounded)
    return HalfTrees(enough, samples, labels, agreements, settings.k_task)


def _halves(n_units: int, drawn: int, fits: int, seed: int) -> list[Bools]:
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(fits):
        inside = np.zeros(n_units, dtype=bool)
        inside[rng.permutation(n_units)[:drawn]] = True
        halves.append(inside)
    return halves


def _half_fits(
    prompts: Excerpt,
    corpus: Corpus,
    samples: Sequence[Uses],
    judged: Sequence[tuple[Uses, Bools]],
    places: list[str],
    settings: SkeletonSettings,
) -> tuple[list[I64], list[RuleAgreement | None]]:
    """Return what :func:`_half_fit` gives for each sample, on all cores where the log is large enough to repay them."""
    from joblib import Parallel, delayed

    facts = replace(corpus, matrix=None)
    many = sum(len(sampled.variant) for sampled in samples) >= PARALLEL_FROM
    fit = delayed(_half_fit)
    tasks = (fit(prompts, facts, one, by, places, settings) for one, by in zip_longest(samples, judged))
    labels, agreements = zip(*Parallel(n_jobs=-1 if many else 1)(tasks), strict=True)
    return list(labels), list(agreements)


def thinned(corpus: Corpus, most: int = KEPT) -> Excerpt:
    """Return all prompts with at most so many shingles of each set that the same prompts hold in the same part."""
    whole = excerpt_of(corpus.matrix)
    whole = whole.joined(np.ones(whole.matrix.n_columns, dtype=bool))
    return whole.with_columns(_rank_within(whole.strand * len(PARTS) + corpus.part[whole.columns]) < most)


def _rank_within(of: I64) -> I64:
    """Return the place of each element among those of its group."""
    order = np.argsort(of, kind="stable")
    sizes = np.bincount(of)
    rank = np.empty(len(of), dtype=np.int64)
    rank[order] = np.arange(len(of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank


def _uses(fitted: pl.DataFrame) -> Uses:
    rows = (
        fitted.drop_nulls("variant")
        .with_columns(site=pl.col("site").fill_null(UNASSIGNED))
        .group_by("unit_id", "unit", "variant", "site")
        .agg(calls=pl.len())
    )
    # units in the order of their prompts: their names are hashed with a key of the run
    prompts = pl.col("variant").sort().cast(pl.String).str.join(" ")
    order = rows.group_by("unit_id").agg(prompts=prompts).sort("prompts", "unit_id").with_row_index("code")
    coded = rows.join(order, on="unit_id").sort("code", "variant", "unit", "site")
    columns = (
        coded.get_column(name).to_numpy().astype(np.int64) for name in ("code", "unit", "variant", "site", "calls")
    )
    return Uses(*columns)


def _half_fit(
    prompts: Excerpt,
    corpus: Corpus,
    uses: Uses,
    judged: tuple[Uses, Bools] | None,
    places: list[str],
    settings: SkeletonSettings,
) -> tuple[I64, RuleAgreement | None]:
    """Return the site of each prompt of the corpus in new trees, and how far these agree with the whole log's.

    The site is -1 for none, and outside the sample if agreement is not asked for. A declared step whose prompts have no
    skeleton is a site of its own, below -1.

    :param prompts: All prompts of the corpus.
    :param judged: The whole log's uses, and which of them are the sample's units'; None: agreement is not asked for.
    """
    rows = np.unique(uses.variant)
    codes = {name: at for at, name in enumerate(dict.fromkeys(places))}
    place = np.array([codes[name] for name in places], dtype=np.int64)
    mine = [np.flatnonzero(place[rows] == code) for code in codes.values()]
    held = {code: local for code, local in zip(codes.values(), mine, strict=True) if len(local)}
    sample = prompts.only(rows)
    sample = sample.joined(sample.matrix.holders() >= settings.k_task)
    labels = np.full(len(places), UNASSIGNED, dtype=np.int64)
    users = replace(corpus, pairs=np.unique(np.stack([uses.group, uses.variant], axis=1), axis=0))
    trees, labels[rows] = grown(users, sample, list(held.values()), settings)
    if judged is not None:
        for code, tree in zip(held, trees, strict=True):
            at = np.flatnonzero(place == code)
            labels[at] = assign_excerpt(tree, prompts.only(at), corpus.hashes, settings.contained)[0]
    for name, code in codes.items():
        if declared(name)[1] is not None:
            labels[(place == code) & (labels == UNASSIGNED)] = -2 - code
    if judged is None:
        return labels, None
    whole, inside = judged
    return labels, rule_agreement(whole.site, labels[whole.variant], whole.calls, inside)


def _with_units(uses: Uses, least: float) -> list[int]:
    """Return the sites that at least so many units use."""
    counted = pl.DataFrame({"site": uses.site, "unit": uses.unit}).group_by("site").agg(pl.col("unit").n_unique())
    kept = counted.filter((pl.col("site") != UNASSIGNED) & (pl.col("unit") >= least))
    return kept.get_column("site").sort().to_list()
