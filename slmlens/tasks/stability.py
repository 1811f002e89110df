"""Stability: what becomes of each task when the trees are grown again on half of the recurrence units.

For each of :data:`FITS` half-samples of units (sessions, traces, or slot contents where a task recurs by content) new
trees are grown and the sampled prompts are assigned by them. A task's **stability** is taken over the pairs of units
that the log or the half-sample puts together and of which at least one is the task's: the share that both put together
(subsampling without replacement: Politis, Romano and Wolf 1999; the pairs are those of a clusterwise Jaccard
coefficient: Hennig 2007). So it falls when half of the log would split the task, and when it would merge it with
another: a random division of one step into two has a stability of one half, not of one.

The corpus is built once. Shingles that the same prompts hold in the same part are one signal, so of each such set at
most :data:`KEPT` stay: about as many as any rule of the trees can tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Thread

import numpy as np
import polars as pl

from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.corpus import Corpus
from slmlens.tasks.excerpts import Excerpt, excerpt_of
from slmlens.tasks.incidence import Bools, Floats
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
class Stability:
    """What half-samples say of the call sites of a log.

    :param sites: ``site, pairs, kept, strangers``: summed over the half-samples, the (ordered) pairs of units of the
        site, those of them that are together in the new trees, and the pairs of a unit of the site and another site's
        that the new trees put together. Sites with too few units to be halved have no row.
    :param agreement: Of the prompt-only rule on the units it was not fitted on; None: fewer units than make two tasks.
    :param strange: ``site, other, together``: the strangers of each site by the task they are of.
    """

    sites: pl.DataFrame
    agreement: RuleAgreement | None
    strange: pl.DataFrame

    def pairs_by_task(self, task_of_site: pl.DataFrame) -> pl.DataFrame:
        """Return the sums by task, as :mod:`slmlens.tasks.tallies` keeps them.

        :param task_of_site: ``site, task_id``; the one that was measured with.
        """
        task = task_of_site.select("site", "task_id")
        own = self.sites.select("site", "pairs", together="kept").join(task, on="site").with_columns(other="task_id")
        strange = self.strange.with_columns(pairs=0.0).join(task, on="site")
        both = pl.concat([frame.select("task_id", "other", "pairs", "together") for frame in (own, strange)])
        return both.group_by("task_id", "other").agg(pl.all().sum().round(6)).sort("task_id", "other")

    def by_task(self, task_of_site: pl.DataFrame) -> pl.DataFrame:
        """Return ``task_id, stability, together`` (share of the task's own pairs that stay together).

        The versions of an edited prompt are trees of their own; their pairs are added up.

        :param task_of_site: ``site, task_id``.
        """
        summed = self.sites.join(task_of_site, on="site").group_by("task_id").agg(pl.exclude("site").sum())
        kept, pairs = pl.col("kept"), pl.col("pairs")
        return summed.select(
            "task_id",
            stability=(kept / (pairs + pl.col("strangers"))).clip(0, 1),
            together=(kept / pairs).clip(0, 1),
        ).sort("task_id")


@dataclass(frozen=True)
class _Uses:
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

    def only(self, mask: Bools) -> _Uses:
        return _Uses(self.unit[mask], self.group[mask], self.variant[mask], self.site[mask], self.calls[mask])


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
    """Load in a worker what growing a tree needs."""
    from scipy import sparse  # noqa: F401 - loading it is the purpose


def measure_stability(
    prompts: Prompts,
    corpus: Corpus,
    fitted: pl.DataFrame,
    settings: SkeletonSettings,
    *,
    task_of_site: pl.DataFrame | None = None,
    fits: int = FITS,
    seed: int = 0,
) -> Stability:
    """Grow the trees again on half-samples of the recurrence units and compare.

    The half-samples depend on the seed and on the prompts, never on row order or hashed names.

    :param fitted: Rows of ``prompts.calls`` with ``unit_id`` (recurrence unit) and ``site`` as the trees of the whole
        log place them.
    :param task_of_site: ``site, task_id``: sites of one task (an edited prompt) are no strangers to each other; None:
        each site is a task.
    :param fits: Half-samples.
    """
    uses = _uses(fitted)
    n_units = int(uses.unit.max()) + 1 if len(uses.unit) else 0
    drawn = min(n_units // 2, round(n_units * MOST_PROMPTS / max(len(uses.unit), 1)))
    enough = _with_units(uses, settings.k_task * n_units / max(drawn, 1))
    if not enough or not fits:
        return Stability(_summed([]), None, _strange_summed([]))
    bounded = replace(settings, max_blocks=min(settings.max_blocks, BLOCKS))
    places = prompts.variants.get_column("partition").to_list()
    families = _families(enough, task_of_site)
    halves = _halves(n_units, drawn, fits, seed)
    samples = [uses.only(inside[uses.unit] & np.isin(uses.site, enough)) for inside in halves]
    labelled = _half_fits(thinned(corpus), corpus, samples, places, bounded)
    tallied = [
        _tally(sampled, labels[sampled.variant], families, settings.k_task)
        for sampled, labels in zip(samples, labelled, strict=True)
    ]
    agreements = [
        _agreement(uses, labels[uses.variant], inside[uses.unit])
        for labels, inside in zip(labelled[:RULE_FITS], halves[:RULE_FITS], strict=True)
    ]
    sites, strange = zip(*tallied, strict=True)
    return Stability(_summed(list(sites)), _mean(agreements), _strange_summed(list(strange)))


def _halves(n_units: int, drawn: int, fits: int, seed: int) -> list[Bools]:
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(fits):
        inside = np.zeros(n_units, dtype=bool)
        inside[rng.permutation(n_units)[:drawn]] = True
        halves.append(inside)
    return halves


def _half_fits(
    prompts: Excerpt, corpus: Corpus, samples: list[_Uses], places: list[str], settings: SkeletonSettings
) -> list[I64]:
    """Return what :func:`_half_fit` gives for each sample, on all cores where the log is large enough to repay them."""
    from joblib import Parallel, delayed

    facts = replace(corpus, matrix=None)
    many = sum(len(sampled.variant) for sampled in samples) >= PARALLEL_FROM
    fit = delayed(_half_fit)
    tasks = (fit(prompts, facts, one, places, settings, everywhere=at < RULE_FITS) for at, one in enumerate(samples))
    return list(Parallel(n_jobs=-1 if many else 1)(tasks))


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


def _uses(fitted: pl.DataFrame) -> _Uses:
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
    return _Uses(*columns)


def _half_fit(
    prompts: Excerpt, corpus: Corpus, uses: _Uses, places: list[str], settings: SkeletonSettings, *, everywhere: bool
) -> I64:
    """Return the site of each prompt of the corpus in new trees; -1 for none, and outside the sample if not asked for.

    A declared step whose prompts have no skeleton is a site of its own, below -1.

    :param prompts: All prompts of the corpus.
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
    if everywhere:
        for code, tree in zip(held, trees, strict=True):
            at = np.flatnonzero(place == code)
            labels[at] = assign_excerpt(tree, prompts.only(at), corpus.hashes, settings.contained)[0]
    for name, code in codes.items():
        if declared(name)[1] is not None:
            labels[(place == code) & (labels == UNASSIGNED)] = -2 - code
    return labels


def _families(sites: list[int], task_of_site: pl.DataFrame | None) -> pl.DataFrame:
    """Return ``site, family``: sites of one task share a family."""
    own = pl.DataFrame({"site": sites}, schema={"site": pl.Int64})
    if task_of_site is None:
        return own.with_columns(family=pl.col("site").cast(pl.String))
    return own.join(task_of_site, on="site", how="left").select(
        "site", family=pl.coalesce("task_id", pl.col("site").cast(pl.String))
    )


def _tally(uses: _Uses, label: I64, families: pl.DataFrame, k_task: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the sums of one half-sample, and its strangers by family.

    A unit weighs 1 in each of its sites, spread over its prompts there.
    """
    rows = pl.DataFrame({"site": uses.site, "unit": uses.unit, "label": label})
    weight = rows.with_columns(w=1 / pl.len().over("site", "unit")).group_by("site", "unit", "label").agg(pl.sum("w"))
    placed = weight.filter(pl.col("label") != UNASSIGNED)
    cells = placed.group_by("site", "label").agg(total=pl.sum("w"), alone=(pl.col("w") ** 2).sum())
    cells = cells.join(families, on="site")
    total = pl.col("total")
    kept = cells.group_by("site").agg(kept=(total**2 - pl.col("alone")).sum())
    units = weight.group_by("site").agg(n=pl.col("unit").n_unique()).filter(pl.col("n") >= k_task)
    others = cells.group_by("label", other="family").agg(theirs=pl.sum("total"))
    strange = (
        cells.join(units, on="site", how="semi")
        .join(others, on="label")
        .filter(pl.col("family") != pl.col("other"))
        .group_by("site", "other")
        .agg(together=(total * pl.col("theirs")).sum())
    )
    strangers = strange.group_by("site").agg(strangers=pl.sum("together"))
    sums = units.join(kept, on="site", how="left").join(strangers, on="site", how="left")
    rows = sums.select(
        "site",
        pairs=(pl.col("n") * (pl.col("n") - 1)).cast(pl.Float64),
        kept=pl.col("kept").fill_null(0.0),
        strangers=pl.col("strangers").fill_null(0.0),
    )
    return rows, strange


def _summed(tallies: list[pl.DataFrame]) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"site": pl.Int64, **dict.fromkeys(("pairs", "kept", "strangers"), pl.Float64)})
    return pl.concat([empty, *tallies]).group_by("site").sum().sort("site")


def _strange_summed(found: list[pl.DataFrame]) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"site": pl.Int64, "other": pl.String, "together": pl.Float64})
    return pl.concat([empty, *found]).group_by("site", "other").sum().sort("site", "other")


def _with_units(uses: _Uses, least: float) -> list[int]:
    """Return the sites that at least so many units use."""
    counted = pl.DataFrame({"site": uses.site, "unit": uses.unit}).group_by("site").agg(pl.col("unit").n_unique())
    kept = counted.filter((pl.col("site") != UNASSIGNED) & (pl.col("unit") >= least))
    return kept.get_column("site").sort().to_list()


def _agreement(uses: _Uses, label: I64, inside: Bools) -> RuleAgreement | None:
    """Compare the new trees' sites with those of the whole log, on the calls that the trees were not grown on."""
    from sklearn.metrics import adjusted_mutual_info_score

    if inside.all():
        return None
    named = _matched(uses.site[inside], label[inside], uses.calls[inside].astype(np.float64))
    site, new, calls = uses.site[~inside], label[~inside], uses.calls[~inside]
    same = np.array([named.get(one, UNASSIGNED) for one in new.tolist()]) == site
    ami = adjusted_mutual_info_score(np.repeat(_alone(site), calls), np.repeat(_alone(new), calls))
    return RuleAgreement(float(ami), float(calls[same].sum() / calls.sum()), 1, int(calls.sum()))


def _alone(site: I64) -> I64:
    """Give each unassigned prompt a number of its own."""
    return np.where(site == UNASSIGNED, 1_000_000 + np.arange(len(site)), site)


def _matched(site: I64, label: I64, weight: Floats) -> dict[int, int]:
    """Match labels with sites one to one, so that they share as much weight as can be."""
    from scipy.optimize import linear_sum_assignment

    sites, of_site = np.unique(site, return_inverse=True)
    labels, of_label = np.unique(label, return_inverse=True)
    shared = np.zeros((len(labels), len(sites)))
    np.add.at(shared, (of_label.ravel(), of_site.ravel()), weight)
    shared[labels == UNASSIGNED, :] = 0
    shared[:, sites == UNASSIGNED] = 0
    rows, columns = linear_sum_assignment(-shared)
    return {int(labels[r]): int(sites[c]) for r, c in zip(rows, columns, strict=True) if shared[r, c] > 0}


def _mean(found: list[RuleAgreement | None]) -> RuleAgreement | None:
    known = [one for one in found if one is not None]
    if not known:
        return None
    return RuleAgreement(
        ami=float(np.mean([one.ami for one in known])),
        same=float(np.mean([one.same for one in known])),
        fits=len(known),
        calls=round(float(np.mean([one.calls for one in known]))),
    )
