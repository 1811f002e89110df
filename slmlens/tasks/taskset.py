"""A saved task set: the rule that assigns calls to tasks, kept so that a later log is assigned to the same tasks.

It holds hashes of recurring phrases, task ids and task names (k-anonymous already), and no other text of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from slmlens.results import Calls
from slmlens.tables import AssignmentsTable, checked
from slmlens.tasks.corpus import variant_matrices
from slmlens.tasks.prompts import Prompts, declared, prompts_of
from slmlens.tasks.shingles import I64, U64, stable_hash
from slmlens.tasks.skeletons import UNASSIGNED, Node, assign, phrases_asked, sites_of
from slmlens.tasks.tallies import no_tallies, renamed_tallies

NAMED = ("task_id", "name", "anchor", "phrases", "n_units")
"""Columns of ``TasksTable`` that a task set keeps."""


@dataclass(frozen=True)
class RuleAgreement:
    """How far the prompt-only rule, fitted on half of the units, gives the other half's calls the same tasks.

    :param ami: Adjusted mutual information with the tasks of the whole log, averaged over the fits; an unassigned call
        is a task of its own.
    :param same: Share of those calls that get the task they have in the whole log.
    :param fits: Fits that were averaged.
    :param calls: Calls judged in one fit, on average.
    """

    ami: float
    same: float
    fits: int
    calls: int


@dataclass(frozen=True)
class TaskSet:
    """The tasks of a log and the rule that assigns calls to them by their prompts alone.

    :param tasks: ``task_id, name, anchor, phrases, n_units`` of each task.
    :param trees: Skeleton tree by the print of its declared service and step (:func:`place_print`).
    :param task_of_site: Task id by the number of a tree's site; a site that is no task is left out.
    :param declared: Task id by such a print, for declared steps whose calls share no text.
    :param contained: Share of a core or block that a prompt must hold.
    :param agreement: How well the rule holds on calls it was not fitted on; None: not measured.
    :param tallies: What half-samples say of the tasks and of each two of them (:mod:`slmlens.tasks.tallies`).
    """

    tasks: pl.DataFrame
    trees: Mapping[str, Node]
    task_of_site: Mapping[int, str]
    declared: Mapping[str, str]
    contained: float
    agreement: RuleAgreement | None = field(default=None)
    tallies: pl.DataFrame = field(default_factory=no_tallies, repr=False)

    def phrases_asked(self) -> U64:
        """Return the sorted hashes of every phrase that a tree asks for."""
        return phrases_asked(self.trees.values())

    def renamed(self, ids: Mapping[str, str]) -> TaskSet:
        """Return the same tasks under other ids; those not named keep theirs."""
        return replace(
            self,
            tasks=self.tasks.with_columns(pl.col("task_id").replace(dict(ids))),
            task_of_site={site: ids.get(task, task) for site, task in self.task_of_site.items()},
            declared={place: ids.get(task, task) for place, task in self.declared.items()},
            tallies=renamed_tallies(self.tallies, ids),
        )


def place_print(service: str | None, step: str | None) -> str:
    """Return a hash of a declared place: what a later log's service and step are recognised by."""
    name = "\x1e".join((service or "", step or ""))
    return f"{stable_hash(name):016x}"


def task_set_of(
    tasks: pl.DataFrame,
    trees: Mapping[str, Node],
    fitted: pl.DataFrame,
    placed: pl.DataFrame,
    *,
    contained: float,
    agreement: RuleAgreement | None = None,
    tallies: pl.DataFrame | None = None,
) -> TaskSet:
    """Return the task set of a discovery.

    :param tasks: ``TasksTable``.
    :param trees: Tree of each partition.
    :param fitted: ``call_id, partition, site`` as the trees and declared steps place the calls.
    :param placed: ``call_id, task_id`` after prompt edits were joined.
    """
    place_of = dict(fitted.drop_nulls("site").select("site", "partition").unique().rows())
    pairs = [(place_of[site], site, task) for site, task in final_tasks(fitted, placed).rows()]
    grown = {site.site for tree in trees.values() for site in sites_of(tree)}
    return TaskSet(
        tasks=tasks.select(NAMED).sort("task_id"),
        trees={place_print(*declared(name)): tree for name, tree in trees.items()},
        task_of_site={site: task for _, site, task in pairs if site in grown},
        declared={place_print(*declared(name)): task for name, site, task in pairs if site not in grown},
        contained=contained,
        agreement=agreement,
        tallies=no_tallies() if tallies is None else tallies,
    )


def final_tasks(fitted: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    """Return ``site, task_id``: the task that each site became, an edited prompt's versions having one.

    :param fitted: ``call_id, site`` before prompt edits were joined.
    :param placed: ``call_id, task_id`` after that.
    """
    tasks = placed.select("call_id", "task_id").drop_nulls("task_id")
    pairs = fitted.drop_nulls("site").select("call_id", "site").join(tasks, on="call_id")
    return pairs.select("site", "task_id").unique().sort("site", "task_id")


def assign_calls(task_set: TaskSet, calls: Calls) -> pl.DataFrame:
    """Assign the calls of any log to saved tasks, by their prompts alone and by the rule that found the tasks.

    A call goes to the tree of its declared service and step; where the set knows no such step, to its service's, else
    to the tree of undeclared calls. What fits no task stays unassigned.

    :returns: ``AssignmentsTable``, one row a call; ``strength`` is the share of the task's core that the prompt holds.
    """
    prompts = prompts_of(calls)
    routed = _routed(task_set, calls, prompts)
    sites = pl.concat([_EMPTY, *_placed_variants(task_set, calls, prompts, routed)])
    placed = routed.join(sites, on=["place", "variant"], how="left", maintain_order="left")
    by_step = pl.col("place").replace_strict(dict(task_set.declared), default=None, return_dtype=pl.String)
    rows = placed.with_columns(
        strength=pl.when(pl.col("task_id").is_null() & by_step.is_not_null()).then(1.0).otherwise("strength"),
        task_id=pl.coalesce("task_id", by_step),
        unit_id=pl.when(pl.col("by_content").fill_null(value=False)).then("content_id").otherwise("unit_id"),
    )
    known = pl.col("task_id").is_not_null()
    return checked(
        AssignmentsTable,
        rows.select(
            "call_id",
            "task_id",
            pl.when(known).then(pl.col("strength").clip(0, 1)).alias("strength"),
            pl.when(known).then(pl.lit("prompt_only")).alias("rule"),
            "unit_id",
        ),
    )


_EMPTY = pl.DataFrame(
    schema={
        "place": pl.String,
        "variant": pl.Int64,
        "task_id": pl.String,
        "strength": pl.Float64,
        "by_content": pl.Boolean,
    }
)


def _routed(task_set: TaskSet, calls: Calls, prompts: Prompts) -> pl.DataFrame:
    """Return ``call_id, variant, place, unit_id, content_id``; place: print of the saved partition a call goes to."""
    known = {*task_set.trees, *task_set.declared}
    named = calls.calls.select("call_id", "service", "step")
    places = named.unique(["service", "step"]).select("service", "step")
    chosen = []
    for service, step in places.rows():
        prints = [place_print(*place) for place in ((service, step), (service, None), (None, None))]
        chosen.append(next((p for p in prints if p in known), None))
    table = places.with_columns(place=pl.Series(chosen, dtype=pl.String))
    return prompts.calls.select("call_id", "variant", "unit_id", "content_id").join(
        named.join(table, on=["service", "step"], nulls_equal=True).select("call_id", "place"),
        on="call_id",
        how="left",
        maintain_order="left",
    )


def _placed_variants(task_set: TaskSet, calls: Calls, prompts: Prompts, routed: pl.DataFrame) -> list[pl.DataFrame]:
    """Return, for each tree, ``place, variant, task_id, strength, by_content`` of the prompts that go to it."""
    columns = task_set.phrases_asked()
    wanted = routed.select("place", "variant").drop_nulls().unique().sort("place", "variant")
    if not wanted.height or not len(columns):
        return []
    by_content = {s.site: s.by_content for tree in task_set.trees.values() for s in sites_of(tree)}
    found = []
    for (place,), part in wanted.group_by("place", maintain_order=True):
        mine: I64 = part.get_column("variant").to_numpy().astype(np.int64)
        tree = task_set.trees.get(str(place))
        if tree is None:
            continue
        for rows, matrix in variant_matrices(calls.messages, prompts.variants, columns, mine):
            site, strength = assign(tree, matrix, columns, task_set.contained)
            placed = {
                "place": [place] * len(rows),
                "variant": rows,
                "task_id": [task_set.task_of_site.get(int(s)) if s != UNASSIGNED else None for s in site],
                "strength": strength,
                "by_content": [by_content.get(int(s), False) for s in site],
            }
            found.append(pl.DataFrame(placed, schema=_EMPTY.schema))
    return found
