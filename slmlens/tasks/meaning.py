"""A call site's kinds of work by the meaning of what its prompts work on: proposed, never applied unasked.

What a call works on is its slot text and, in a loop, the message that it answers. These texts are encoded, reduced to
15 dimensions and clustered. A split is *kept* only if each part recurs, and if it comes back: sessions are halved, each
half is clustered on its own, and the rule learned from one half (nearest centre, the prompt only) must give the other
half the parts it finds itself.

Topics of one kind of work pass that test too (tickets on invoices and on parcels), and nothing in the prompt tells them
from kinds of work. So a split is shown beside its unsplit site, with how far the forms of the answers differ between
its parts: for a look, a merge with other sites, or a router. It does not change the tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from slmlens.results import Tasks
from slmlens.tasks.encoders import Encoder, VectorCache, Vectors, default_encoder, static_is_installed
from slmlens.tasks.forms import answer_forms
from slmlens.tasks.shingles import I64, PLACEHOLDER
from slmlens.tasks.slots import slot_texts

Floats = npt.NDArray[np.float64]
PARTS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "task_id": pl.String,
    "part": pl.Int64,
    "words": pl.List(pl.String()),
    "n_calls": pl.Int64,
    "n_units": pl.Int64,
    "reproduced": pl.Float64,
    "forms_differ": pl.Float64,
}


@dataclass(frozen=True)
class MeaningSettings:
    """How splits by meaning are looked for.

    :param k_task: Recurrence units that each part needs.
    :param k_show: Units that must hold a word before it names a part.
    :param min_units: Units a task needs to be looked at.
    :param most: Texts that are clustered; others are placed by the rule.
    :param dimensions: Dimensions the vectors are reduced to.
    :param smallest: Share of the texts that the smallest part holds.
    :param halves: Times the sessions are halved.
    :param reproduced: Adjusted mutual information (median over the halves) from which a split is kept.
    """

    k_task: int = 3
    k_show: int = 5
    min_units: int = 20
    most: int = 2_000
    dimensions: int = 15
    smallest: float = 0.05
    halves: int = 10
    reproduced: float = 0.8


@dataclass(frozen=True)
class MeaningSplits:
    """Splits by meaning.

    :param parts: One row a part of a task whose split was kept: ``task_id``, ``part``, ``words`` that its texts hold
        more often than its siblings', ``n_calls``, ``n_units``, ``reproduced`` (AMI on held-out sessions) and
        ``forms_differ`` (largest total variation between the answer forms of two parts, 0 to 1).
    :param assignments: ``call_id``, ``task_id``, ``part`` of every call of these tasks.
    :param looked_at: ``task_id``, ``n_texts``, ``reproduced`` (null: no clusters) of every task that was large enough.
    """

    parts: pl.DataFrame
    assignments: pl.DataFrame
    looked_at: pl.DataFrame


def meaning_splits(
    tasks: Tasks,
    *,
    task_ids: Collection[str] | None = None,
    encoder: Encoder | None = None,
    settings: MeaningSettings | None = None,
    cache: VectorCache | None = None,
) -> MeaningSplits:
    """Look for kinds of work inside each task.

    :param task_ids: Tasks to look into; None: all.
    :param encoder: By default the static word vectors if installed, else TF-IDF fitted on each task's texts.
    :param cache: Vectors found earlier; a text is encoded once.
    """
    settings, cache = settings or MeaningSettings(), cache or VectorCache()
    chosen = encoder or (default_encoder([]) if static_is_installed() else None)
    texts = worked_on(tasks, task_ids)
    parts, placed, looked = [], [], []
    for (task_id,), rows in texts.group_by("task_id", maintain_order=True):
        if rows.get_column("unit_id").n_unique() < settings.min_units:
            continue
        distinct = rows.select("text").unique().sort("text").get_column("text").to_list()
        try:
            vectors = cache.encode(chosen or default_encoder(distinct), distinct)
        except ValueError:
            continue
        found = split_of(rows, distinct, vectors, settings)
        reproduced = None if found is None else found[1]
        looked.append({"task_id": str(task_id), "n_texts": len(distinct), "reproduced": reproduced})
        if found is not None and found[1] >= settings.reproduced:
            labelled = rows.with_columns(part=pl.Series(found[0], dtype=pl.Int64))
            parts.append(_described(labelled, found[1], settings))
            placed.append(labelled.select("call_id", "task_id", "part"))
    empty = pl.DataFrame(schema={"call_id": pl.String, "task_id": pl.String, "part": pl.Int64})
    return MeaningSplits(
        pl.concat([pl.DataFrame(schema=PARTS_SCHEMA), *parts]),
        pl.concat([empty, *placed]),
        pl.DataFrame(looked, schema={"task_id": pl.String, "n_texts": pl.Int64, "reproduced": pl.Float64}),
    )


def worked_on(tasks: Tasks, task_ids: Collection[str] | None = None) -> pl.DataFrame:
    """Return ``call_id, task_id, unit_id, text, form`` of the calls in tasks: the message answered, else slot text.

    :param task_ids: Tasks whose calls are wanted; None: all.
    """
    wanted = pl.col("task_id").is_not_null() if task_ids is None else pl.col("task_id").is_in(list(task_ids))
    assigned = tasks.assignments.filter(wanted).select("call_id", "task_id", "unit_id").sort("task_id", "call_id")
    last = tasks.calls.calls.select("call_id", message_id=pl.col("message_ids").list.last()).join(
        tasks.calls.messages.filter(~pl.col("role").is_in(["system", "developer", "user"])).select(
            "message_id", answered=pl.col("text").str.replace_all(PLACEHOLDER, "<$1>")
        ),
        on="message_id",
        how="left",
    )
    return (
        assigned.join(slot_texts(tasks, assigned.get_column("call_id")), on="call_id", maintain_order="left")
        .join(last.select("call_id", "answered"), on="call_id", how="left", maintain_order="left")
        .join(answer_forms(tasks.calls), on="call_id", how="left", maintain_order="left")
        .select("call_id", "task_id", "unit_id", pl.coalesce("answered", "slot_text").alias("text"), "form")
    )


def split_of(
    rows: pl.DataFrame, distinct: Sequence[str], vectors: Vectors, settings: MeaningSettings
) -> tuple[I64, float] | None:
    """Return the part of each row and how well halves reproduce it, or None where there are no two parts.

    :param rows: ``unit_id``, ``text``.
    :param distinct: The distinct texts, sorted.
    :param vectors: One row a distinct text.
    """
    at = np.searchsorted(np.array(distinct, dtype=object), np.array(rows.get_column("text").to_list(), dtype=object))
    units = _by_content(rows.get_column("unit_id"), at)
    pairs = np.unique(np.stack([units, at], axis=1), axis=0)
    rng = np.random.default_rng(0)
    if len(pairs) > settings.most:
        pairs = pairs[np.sort(rng.choice(len(pairs), settings.most, replace=False))]
    points = _reduced(vectors, settings.dimensions)
    centres = _centres(points[pairs[:, 1]], settings)
    if centres is None:
        return None
    label = _nearest(points, centres)[at]
    found = np.unique(label)
    if len(found) < 2 or min(len(np.unique(units[label == one])) for one in found) < settings.k_task:  # noqa: PLR2004 - one part is no split
        return None
    scores = [_reproduced(points, pairs, rng, settings) for _ in range(settings.halves)]
    return label, float(np.median(scores))


def _by_content(unit_ids: pl.Series, at: I64) -> I64:
    """Return a number for each unit, in the order of their texts: ids change with the key of a run, texts do not."""
    rows = pl.DataFrame({"unit": unit_ids, "at": at})
    order = (
        rows.group_by("unit")
        .agg(pl.col("at").sort())
        .with_columns(key=pl.col("at").cast(pl.List(pl.String)).list.join(" "))
    )
    numbered = order.sort("key", "unit").select("unit", code=pl.int_range(pl.len(), dtype=pl.Int64))
    return rows.join(numbered, on="unit", how="left", maintain_order="left").get_column("code").to_numpy()


def _reproduced(points: Floats, pairs: I64, rng: np.random.Generator, settings: MeaningSettings) -> float:
    """Cluster two halves of the sessions; return how well the rule of one gives the other its own parts."""
    from sklearn.metrics import adjusted_mutual_info_score

    names = np.unique(pairs[:, 0])
    first = np.isin(pairs[:, 0], rng.permutation(names)[: len(names) // 2])
    halves = [points[pairs[mask, 1]] for mask in (first, ~first)]
    rule, own = (_centres(half, settings) for half in halves)
    if rule is None or own is None:
        return 0.0
    return float(adjusted_mutual_info_score(_nearest(halves[1], rule), _nearest(halves[1], own)))


def _reduced(vectors: Vectors, dimensions: int) -> Floats:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    covariance = centred.T @ centred
    values, axes = np.linalg.eigh(covariance)
    reduced: Floats = centred @ axes[:, np.argsort(-values)[:dimensions]]
    return reduced


def _centres(points: Floats, settings: MeaningSettings) -> Floats | None:
    """Return the centres of the density clusters, or None where there are fewer than two."""
    from hdbscan import HDBSCAN

    size = max(5, int(settings.smallest * len(points)))
    if len(points) < 2 * size:
        return None
    fitted: Any = HDBSCAN(min_cluster_size=size, min_samples=5).fit(points)
    found = [points[fitted.labels_ == one].mean(axis=0) for one in range(int(fitted.labels_.max()) + 1)]
    return np.stack(found) if len(found) > 1 else None


def _nearest(points: Floats, centres: Floats) -> I64:
    distance = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)[None, :]
    nearest: I64 = distance.argmin(axis=1).astype(np.int64)
    return nearest


def _described(rows: pl.DataFrame, reproduced: float, settings: MeaningSettings) -> pl.DataFrame:
    counted = rows.group_by("task_id", "part").agg(n_calls=pl.len(), n_units=pl.col("unit_id").n_unique()).sort("part")
    return counted.cast({"n_calls": pl.Int64, "n_units": pl.Int64}).select(
        "task_id",
        "part",
        pl.Series("words", _words(rows, settings.k_show), dtype=pl.List(pl.String)),
        "n_calls",
        "n_units",
        pl.lit(reproduced).alias("reproduced"),
        pl.lit(_forms_differ(rows)).alias("forms_differ"),
    )


def _words(rows: pl.DataFrame, k_show: int, most: int = 5) -> list[list[str]]:
    """Return, for each part in order, the words that most tell it from the others and that ``k_show`` units share."""
    spoken = (
        rows.select("part", "unit_id", word=pl.col("text").str.to_lowercase().str.extract_all(r"\p{L}[\p{L}'_]{2,}"))
        .explode("word")
        .drop_nulls()
        .unique()
    )
    size = rows.group_by("part").agg(units=pl.col("unit_id").n_unique())
    held = spoken.group_by("part", "word").agg(n=pl.col("unit_id").n_unique()).join(size, on="part")
    share = held.with_columns(share=pl.col("n") / pl.col("units")).with_columns(
        lead=pl.col("share") - (pl.col("share").sum().over("word") - pl.col("share")) / max(size.height - 1, 1)
    )
    best = share.filter((pl.col("n") >= k_show) & (pl.col("lead") > 0)).sort(["lead", "word"], descending=[True, False])
    named = {part: words[:most] for part, words in best.group_by("part", maintain_order=True).agg("word").rows()}
    return [named.get(part, []) for part in sorted(size.get_column("part").to_list())]


def _forms_differ(rows: pl.DataFrame) -> float:
    table = rows.group_by("part", "form").len().with_columns(share=pl.col("len") / pl.col("len").sum().over("part"))
    wide = table.pivot("part", index="form", values="share").fill_null(0).drop("form").to_numpy()
    return max(float(np.abs(a - b).sum() / 2) for a in wide.T for b in wide.T)
