"""Stability: what becomes of each task when the trees are grown again on half of the recurrence units.

For each half-sample of units (sessions, traces, or slot contents where a task recurs by content) new trees are grown
(:mod:`slmlens.tasks.halves`) and the sampled prompts are assigned by them. A task's **stability** is taken over the
pairs of units that the log or the half-sample puts together and of which at least one is the task's: the share that
both put together (subsampling without replacement: Politis, Romano and Wolf 1999; the pairs are those of a clusterwise
Jaccard coefficient: Hennig 2007). So it falls when half of the log would split the task, and when it would merge it
with another: a random division of one step into two has a stability of one half, not of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from slmlens.tasks.agreement import mean_agreement
from slmlens.tasks.halves import HalfTrees, Uses
from slmlens.tasks.shingles import I64
from slmlens.tasks.skeletons import UNASSIGNED
from slmlens.tasks.taskset import RuleAgreement


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


def measure_stability(halves: HalfTrees, *, task_of_site: pl.DataFrame | None = None) -> Stability:
    """Compare the trees of half-samples with those of the whole log.

    :param halves: Of :func:`slmlens.tasks.halves.grow_halves`.
    :param task_of_site: ``site, task_id``: sites of one task (an edited prompt) are no strangers to each other; None:
        each site is a task.
    """
    if not halves.labels:
        return Stability(_summed([]), None, _strange_summed([]))
    families = _families(halves.sites, task_of_site)
    tallied = [
        _tally(sampled, labels[sampled.variant], families, halves.k_task)
        for sampled, labels in zip(halves.samples, halves.labels, strict=True)
    ]
    sites, strange = zip(*tallied, strict=True)
    return Stability(_summed(list(sites)), mean_agreement(halves.agreements), _strange_summed(list(strange)))


def _families(sites: list[int], task_of_site: pl.DataFrame | None) -> pl.DataFrame:
    """Return ``site, family``: sites of one task share a family."""
    own = pl.DataFrame({"site": sites}, schema={"site": pl.Int64})
    if task_of_site is None:
        return own.with_columns(family=pl.col("site").cast(pl.String))
    return own.join(task_of_site, on="site", how="left").select(
        "site", family=pl.coalesce("task_id", pl.col("site").cast(pl.String))
    )


def _tally(uses: Uses, label: I64, families: pl.DataFrame, k_task: int) -> tuple[pl.DataFrame, pl.DataFrame]:
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
