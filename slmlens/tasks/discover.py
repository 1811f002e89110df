"""Discover the recurring tasks of a log: application, call site, task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from slmlens.results import Calls, Tasks
from slmlens.tables import AssignmentsTable, ItemsTable, TasksTable, checked
from slmlens.tasks.alike import joined_alike
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.describe import describe, site_texts
from slmlens.tasks.forms import answer_forms, kind_of
from slmlens.tasks.growing import grow
from slmlens.tasks.halves import FITS, growing_halves, waking_workers
from slmlens.tasks.identity import anchor_of, task_ids
from slmlens.tasks.prompts import prompts_of
from slmlens.tasks.regrow import joined_again
from slmlens.tasks.sampling import MOST_PROMPTS
from slmlens.tasks.shingles import stable_hash
from slmlens.tasks.sites import CallSite, find_sites, joined_edits
from slmlens.tasks.stability import measure_stability
from slmlens.tasks.taskset import TaskSet, final_tasks, task_set_of
from slmlens.tasks.versions import joined_versions


@dataclass(frozen=True)
class DiscoverySettings:
    """Settings of task discovery.

    :param k_task: Recurrence units that make a task.
    :param k_show: Subjects that must share a phrase before it is shown.
    :param skeleton: How skeletons are found.
    :param fits: Half-samples of sessions that stability is measured on; 0: it is not measured.
    :param seed: Seed of the half-samples.
    :param most_prompts: Distinct prompts that the trees are grown on; of a log with more a sample is drawn
        (:mod:`slmlens.tasks.sampling`), and all calls are placed by the rule.
    """

    k_task: int = 3
    k_show: int = 5
    skeleton: SkeletonSettings = field(default_factory=SkeletonSettings)
    fits: int = FITS
    seed: int = 0
    most_prompts: int = MOST_PROMPTS


def discover_tasks(calls: Calls, *, settings: DiscoverySettings | None = None, earlier: TaskSet | None = None) -> Tasks:
    """Find the steps that recur across sessions and assign every call to one of them, or to none.

    Only prompts are looked at: an answer never shapes a task, and the order of rows never matters.

    :param calls: The calls; a call without a logged prompt stays unassigned unless its step is declared.
    :param settings: The defaults are meant for any log.
    :param earlier: Task set of an earlier run, made with the same settings: its cut is kept wherever this log does not
        speak against it beyond doubt. The ids are this log's own (:func:`slmlens.tasks.lineage.with_earlier_ids`).
    :returns: ``Tasks`` with one assignment row a call, ``task_id`` null where no task fits.
    """
    settings = settings or DiscoverySettings()
    workers = waking_workers(calls.calls.height) if settings.fits else None
    prompts = prompts_of(calls, k_task=settings.k_task)
    skeleton = replace(settings.skeleton, k_task=settings.k_task)
    grown = grow(calls, prompts, skeleton, most=settings.most_prompts, earlier=earlier)
    sites, fitted = find_sites(calls, prompts, grown.trees, grown.places, k_task=settings.k_task, was=grown.was)
    halves = growing_halves(grown, fitted, skeleton, fits=settings.fits, seed=settings.seed, workers=workers)
    sites, joined = joined_again(sites, fitted, k_task=settings.k_task)
    sites, joined = joined_alike(sites, joined, grown.instructing, skeleton)
    texts = site_texts(calls, prompts, sites, joined)
    words = {n: t.fixed_words() for n, t in texts.items()}
    sites, joined = joined_versions(sites, joined, words, k_task=settings.k_task)
    sites, placed = joined_edits(calls, sites, joined, words)
    placed = _with_ids(sites, placed).join(answer_forms(calls), on="call_id", how="left", maintain_order="left")
    facts = _counted(calls, placed, settings.k_show)
    forms = dict(facts.select("site", "form").rows())
    subjects = dict(facts.select("site", "n_subjects").rows())
    described = describe(texts, sites, subjects, forms, k_show=settings.k_show)
    final = final_tasks(fitted, placed)
    found = measure_stability(halves.result(), task_of_site=final)
    stable = found.by_task(final).select("task_id", "stability")
    tasks = checked(TasksTable, _task_rows(sites, placed, facts, described).join(stable, on="task_id", how="left"))
    return Tasks(
        calls,
        checked(ItemsTable, _items(tasks, placed)),
        tasks,
        checked(AssignmentsTable, _assignments(placed)),
        task_set=task_set_of(
            tasks,
            grown.trees,
            fitted,
            placed,
            contained=skeleton.contained,
            agreement=found.agreement,
            tallies=found.pairs_by_task(final),
        ),
    )


def _with_ids(sites: Sequence[CallSite], placed: pl.DataFrame) -> pl.DataFrame:
    anchors = [anchor_of(s.firm, f"{s.service or ''}/{s.step or ''}") for s in sites]
    ids = task_ids(anchors, [np.sort(s.core).tobytes().hex() for s in sites])
    table = pl.DataFrame(
        {"site": [s.number for s in sites], "task_id": ids}, schema={"site": pl.Int64, "task_id": pl.String}
    )
    return placed.join(table, on="site", how="left", maintain_order="left")


def _counted(calls: Calls, placed: pl.DataFrame, k_show: int) -> pl.DataFrame:
    """Count each site: calls, units, subjects, calls a session, the commonest form and unit, its source file."""
    identity = calls.calls.select("call_id", "session_id", "user_id", "source_file")
    rows = placed.drop_nulls("site").join(identity, on="call_id", how="left").sort("call_id")
    sessions = pl.col("session_id").drop_nulls()
    counted = rows.group_by("site", maintain_order=True).agg(
        n_calls=pl.len(),
        n_units=pl.col("unit_id").n_unique(),
        n_users=pl.col("user_id").drop_nulls().n_unique(),
        steps_per_session=pl.when(sessions.len() > 0).then(sessions.len() / sessions.n_unique()),
        recurrence_unit=pl.col("unit_kind").mode().sort().first(),
        source=pl.col("source_file").min(),
    )
    return counted.with_columns(n_subjects=pl.when(pl.col("n_users") > 0).then("n_users").otherwise("n_units")).join(
        _shown_forms(rows, k_show), on="site"
    )


def _shown_forms(rows: pl.DataFrame, k_show: int) -> pl.DataFrame:
    """Return ``site, form``: the commonest, without the names in it where fewer than ``k_show`` subjects share it."""
    with_users = pl.col("user_id").is_not_null().any().over("site")
    subject = pl.when(with_users).then("user_id").otherwise("unit_id")
    commonest = (
        rows.with_columns(subject=subject)
        .group_by("site", "form")
        .agg(n=pl.len(), subjects=pl.col("subject").drop_nulls().n_unique())
        .sort("site", "n", "form", descending=[False, True, False])
        .unique("site", keep="first", maintain_order=True)
    )
    shown = [
        form if subjects >= k_show else kind_of(form) for form, subjects in commonest.select("form", "subjects").rows()
    ]
    return commonest.select("site").with_columns(form=pl.Series(shown, dtype=pl.String))


def _task_rows(
    sites: Sequence[CallSite], placed: pl.DataFrame, facts: pl.DataFrame, described: dict[int, tuple[str, str]]
) -> pl.DataFrame:
    names = _application_names(sites, facts)
    own = pl.DataFrame(
        [
            {
                "site": s.number,
                "name": described[s.number][0],
                "application": names[s.application],
                "step_names": [s.step] if s.step else [],
                "skeleton": described[s.number][1],
                "edited_on": s.edited_on,
                "anchor": anchor_of(s.firm, f"{s.service or ''}/{s.step or ''}"),
                "phrases": np.union1d(s.core, s.earlier).tolist(),
            }
            for s in sites
        ],
        schema_overrides={
            "edited_on": pl.Datetime("us", "UTC"),
            "step_names": pl.List(pl.String),
            "phrases": pl.List(pl.UInt64),
        },
        schema=None
        if sites
        else dict.fromkeys(
            ("site", "name", "application", "step_names", "skeleton", "edited_on", "anchor", "phrases"),
            pl.Null,
        ),
    )
    ids = placed.drop_nulls("site").select("site", "task_id").unique()
    return (
        own.cast({"site": pl.Int64})
        .join(ids, on="site")
        .join(facts, on="site")
        .with_columns(call_site=pl.col("name"))
        .sort("n_calls", "task_id", descending=[True, False])
    )


def _application_names(sites: Sequence[CallSite], facts: pl.DataFrame) -> dict[int, str]:
    """Name an application by its service, else by its file, lettered by size where a file holds several."""
    size = dict(facts.select("site", "n_calls").rows())
    source = dict(facts.select("site", "source").rows())
    total: dict[int, int] = {}
    for s in sites:
        total[s.application] = total.get(s.application, 0) + size[s.number]
    names: dict[int, str] = {}
    undeclared: dict[str, list[int]] = {}
    for s in sites:
        if s.service is not None:
            names[s.application] = s.service
        elif s.application not in undeclared.setdefault(_stem(source[s.number]), []):
            undeclared[_stem(source[s.number])].append(s.application)
    for stem, members in undeclared.items():
        ordered = sorted(set(members) - set(names), key=lambda a: (-total[a], a))
        names.update({a: stem if len(ordered) == 1 else f"{stem}, application {at}" for at, a in enumerate(ordered, 1)})
    return names


def _stem(source: str) -> str:
    return source.rsplit("/", 1)[-1].split(".", 1)[0] or source


def _items(tasks: pl.DataFrame, placed: pl.DataFrame) -> pl.DataFrame:
    rows = placed.drop_nulls("site").with_columns(content=pl.coalesce("content_id", "unit_id"))
    counted = rows.group_by("task_id", "content", "form").agg(n_calls=pl.len(), n_units=pl.col("unit_id").n_unique())
    marks = {form: f"{stable_hash(form):016x}" for form in counted.get_column("form").unique().to_list()}
    hashed = counted.with_columns(
        slot=pl.Series([stable_hash(c) for c in counted.get_column("content").to_list()], dtype=pl.UInt64),
        mark=pl.col("form").replace_strict(marks, return_dtype=pl.String),
    ).join(tasks.select("task_id", "application", "call_site"), on="task_id")
    return hashed.select(
        pl.format("i-{}-{}", pl.col("task_id"), pl.concat_str("slot", "mark", separator="-")).alias("item_id"),
        "application",
        "call_site",
        pl.col("task_id").alias("skeleton_id"),
        pl.concat_list("slot").alias("slot_sketch"),
        "form",
        "n_calls",
        "n_units",
        pl.lit(None, dtype=pl.Int64).alias("vector_row"),
    ).sort("item_id")


def _assignments(placed: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("task_id").is_not_null()
    return placed.select(
        "call_id",
        "task_id",
        pl.when(known).then(pl.col("strength").clip(0, 1)).alias("strength"),
        pl.when(known).then(pl.lit("prompt_only")).alias("rule"),
        pl.col("unit_id"),
    )
