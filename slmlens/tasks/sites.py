"""Call sites: which call belongs to which, by skeleton or by declared step, with prompt edits joined."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from slmlens.results import Calls
from slmlens.tasks.applications import SitePlace, applications_of
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.corpus import Corpus
from slmlens.tasks.edits import SiteTimes, prompt_edits
from slmlens.tasks.prompts import Prompts, declared
from slmlens.tasks.shingles import I64, U64
from slmlens.tasks.skeletons import Node, fit_skeletons, sites_of


@dataclass(frozen=True)
class CallSite:
    """A place in the code that calls the model, as far as the log shows it.

    :param number: A handle inside one analysis; it never leaves it.
    :param core: Hashes of the phrases its prompts share; empty where only the declared step is known.
    :param firm: Those that an identity may rest on.
    :param by_content: Its recurrence units are distinct slot contents.
    :param service: Declared service, if any.
    :param step: Declared step, if any.
    :param application: Number of its application.
    :param edited_on: When its prompt was last edited, if a hand-over was seen.
    :param earlier: Phrases of its prompt before that.
    :param was: The earlier run's task that it goes on with; None: it is new, or no run is followed.
    """

    number: int
    core: U64
    firm: U64
    by_content: bool
    service: str | None
    step: str | None
    application: int = 0
    edited_on: dt.datetime | None = None
    earlier: U64 = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    was: str | None = None


def grow_trees(prompts: Prompts, corpus: Corpus, settings: SkeletonSettings) -> dict[str, Node]:
    """Return one skeleton tree for each partition of the prompts; site numbers are unique over all of them."""
    rows = rows_of_partitions(prompts)
    return dict(zip(rows, fit_skeletons(corpus, list(rows.values()), settings), strict=True))


def find_sites(
    calls: Calls,
    prompts: Prompts,
    trees: Mapping[str, Node],
    places: pl.DataFrame,
    *,
    k_task: int,
    was: Mapping[int, str] | None = None,
) -> tuple[list[CallSite], pl.DataFrame]:
    """Return the call sites that recur, and every call's place.

    :param trees: Tree of each partition of the prompts.
    :param places: ``variant, site, strength`` of each prompt in them.
    :param was: The earlier run's task that a site goes on with, by its number; sites of one task recur together.
    :returns: Sites, and the rows of ``prompts.calls`` with ``site`` (null: unassigned) and ``strength`` beside them.
    """
    sites = _declared_sites(trees)
    placed = prompts.calls.join(places, on="variant", how="left", maintain_order="left")
    sites, placed = _with_declared_steps(sites, placed, k_task)
    placed = _with_units(sites, placed)
    recurring = _recurring(placed, k_task, was or {})
    placed = _only(placed, recurring)
    sites = [replace(s, was=(was or {}).get(s.number)) for s in sites if s.number in set(recurring.to_list())]
    return _in_applications(calls, sites, placed, k_task), placed


def _recurring(placed: pl.DataFrame, k_task: int, was: Mapping[int, str]) -> pl.Series:
    """Return the sites of which, with those that were one task with them, enough units hold calls."""
    site = pl.col("site")
    together = placed.drop_nulls("site").select(
        "site", "unit_id", task=pl.coalesce(site.replace_strict(dict(was), default=None, return_dtype=pl.String), site)
    )
    units = together.group_by("task").agg(pl.col("unit_id").n_unique(), site.unique())
    return units.filter(pl.col("unit_id") >= k_task).get_column("site").explode()


def rows_of_partitions(prompts: Prompts) -> dict[str, I64]:
    """Return the variants of each declared place."""
    partitions = (
        prompts.variants.with_row_index("variant")
        .group_by("partition", maintain_order=True)
        .agg(pl.col("variant").cast(pl.Int64))
    )
    return {name: np.array(rows, dtype=np.int64) for name, rows in partitions.rows()}


def _declared_sites(trees: Mapping[str, Node]) -> list[CallSite]:
    """Return the sites of trees with the service and step that each declares."""
    return [
        CallSite(node.site, node.core, node.firm, node.by_content, *declared(partition))
        for partition, tree in trees.items()
        for node in sites_of(tree)
    ]


def _with_declared_steps(
    sites: list[CallSite], placed: pl.DataFrame, k_task: int
) -> tuple[list[CallSite], pl.DataFrame]:
    """Give calls without a skeleton to their declared step, where enough units declare it."""
    steps = (
        placed.filter(pl.col("site").is_null() & pl.col("declared_step").is_not_null())
        .group_by("partition")
        .agg(pl.col("unit_id").n_unique().alias("units"))
        .filter(pl.col("units") >= k_task)
        .sort("partition")
        .get_column("partition")
        .to_list()
    )
    start = max((s.number for s in sites), default=-1) + 1
    empty = np.zeros(0, dtype=np.uint64)
    named = [declared(partition) for partition in steps]
    extra = [
        CallSite(start + i, empty, empty, by_content=False, service=service, step=step)
        for i, (service, step) in enumerate(named)
    ]
    numbers = pl.DataFrame(
        {"partition": steps, "step_site": [s.number for s in extra]},
        schema={"partition": pl.String, "step_site": pl.Int64},
    )
    joined = placed.join(numbers, on="partition", how="left", maintain_order="left").with_columns(
        strength=pl.when(pl.col("site").is_null() & pl.col("step_site").is_not_null())
        .then(1.0)
        .otherwise(pl.col("strength")),
        site=pl.coalesce("site", "step_site"),
    )
    return [*sites, *extra], joined.drop("step_site")


def _with_units(sites: Sequence[CallSite], placed: pl.DataFrame) -> pl.DataFrame:
    """Let the calls of a by-content site count by their slot content; ``session`` keeps the session or trace."""
    by_content = [s.number for s in sites if s.by_content]
    slot = pl.col("site").is_in(by_content)
    return placed.with_columns(
        session=pl.when(pl.col("unit_kind") != "slot").then(pl.col("unit_id")),
        unit_id=pl.when(slot).then(pl.col("content_id")).otherwise(pl.col("unit_id")),
        unit_kind=pl.when(slot).then(pl.lit("slot")).otherwise(pl.col("unit_kind")),
    )


def _only(placed: pl.DataFrame, kept: pl.Series) -> pl.DataFrame:
    return placed.with_columns(pl.when(pl.col("site").is_in(kept.implode())).then(pl.col("site", "strength")))


def _in_applications(calls: Calls, sites: Sequence[CallSite], placed: pl.DataFrame, k_task: int) -> list[CallSite]:
    source = placed.join(calls.calls.select("call_id", "source_file"), on="call_id").drop_nulls("site")
    source_of = dict(source.group_by("site").agg(pl.col("source_file").min()).rows())
    places = [SitePlace(s.number, s.service, s.core, source_of[s.number]) for s in sites]
    applications = applications_of(places, source.select("site", "session").drop_nulls(), k_task=k_task)
    return [replace(s, application=applications[s.number]) for s in sites]


def joined_edits(
    calls: Calls, sites: Sequence[CallSite], placed: pl.DataFrame, words: Mapping[int, Sequence[str]]
) -> tuple[list[CallSite], pl.DataFrame]:
    """Join each site with the one that took over from it; the newer prompt stands for both.

    :param words: The fixed words of each site's prompt, in order.
    """
    when = (
        placed.drop_nulls("site")
        .join(calls.calls.select("call_id", "started_at"), on="call_id")
        .drop_nulls("started_at")
    )
    seen = {
        n: (times, units)
        for n, times, units in when.group_by("site").agg(pl.col("started_at").sort(), pl.col("unit_id").unique()).rows()
    }
    facts = [
        SiteTimes(
            s.number, f"{s.service}\x1f{s.step}", seen[s.number][0], frozenset(seen[s.number][1]), words[s.number]
        )
        for s in sites
        if s.number in seen
    ]
    by_number = {s.number: s for s in sites}
    for old, new, on in prompt_edits(facts):
        placed = placed.with_columns(site=pl.when(pl.col("site") == old).then(pl.lit(new)).otherwise(pl.col("site")))
        earlier = np.union1d(by_number[old].core, by_number[old].earlier)
        by_number[new] = replace(by_number[new], edited_on=on, earlier=earlier)
        del by_number[old]
    return list(by_number.values()), placed
