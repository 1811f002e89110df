"""Vectors of items: what the prompts of an item say, the same under every cut of the log, and kept by the run.

An item is a content of a prompt (its system messages and its first message) with a form of answer, inside a task. Its
vector leaves the task out: the calls of one content and form are a *point*, and the items that are the same point in
different tasks share a row. So another cut, a merge or a decision that is replayed needs no new vector.

A point's vector is the sum over three parts of the prompt (system messages, first message, last message) of the mean
vector of the distinct texts there, at length one. Numbers and words count as the encoder has it; redacted values are
reduced to their kind.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from slmlens.results import Calls
from slmlens.tasks.encoders import MAX_CHARACTERS, Encoder, VectorCache, Vectors, default_encoder, unit_rows
from slmlens.tasks.forms import answer_forms
from slmlens.tasks.prompts import prompt_parts, prompts_of
from slmlens.tasks.shingles import PLACEHOLDER, stable_hash

MATRIX = "vectors"
"""``vectors.npy``: the vectors, and ``vectors.parquet``: ``point_id``, ``print`` of each row."""

FACT = "vectors"
"""Where the manifest keeps the encoder of the vectors and a hash of them."""

MAP = "map"
"""``map.parquet``: where the points lie on the map; and in the manifest, how it was made, and of what."""

MOST_POINTS = 10_000
"""Points that get a vector, those with the most calls first. The panel's map is meant for as many."""

MOST_TEXTS = 8
"""Distinct texts of a part that a point's vector is taken over."""


class Store(Protocol):
    """What of a run the vectors need (:class:`slmlens.run.Run` is one)."""

    manifest: dict[str, Any]

    def path(self, name: str) -> Path:
        """Return the place of a file of the run."""

    def note(self, **facts: object) -> None:
        """Keep facts in the manifest."""

    def write_frame(self, name: str, frame: pl.DataFrame) -> None:
        """Write a table, whole or not at all."""

    def read_frame(self, name: str) -> pl.DataFrame:
        """Read a table."""

    def write_array(self, name: str, array: npt.NDArray[Any]) -> None:
        """Write an array, whole or not at all."""


@dataclass(frozen=True)
class PointVectors:
    """Vectors of the points of a log.

    :param points: ``point_id``, ``print`` (hash of the encoder's name and of the texts), one row a row of the matrix,
        sorted by ``point_id``.
    :param matrix: One row a point, of length one.
    :param encoder: Name of the encoder.
    :param left_out: Points beyond ``MOST_POINTS``.
    """

    points: pl.DataFrame
    matrix: Vectors
    encoder: str
    left_out: int = 0


def points_of(calls: Calls) -> pl.DataFrame:
    """Return ``call_id, point_id, form`` of every call.

    ``point_id`` is what ``item_id`` (``i-TASK-CONTENT-FORM``) ends with: hashes of the content and of the form.
    """
    placed = prompts_of(calls).calls.select("call_id", content=pl.coalesce("content_id", "unit_id"))
    rows = placed.join(answer_forms(calls), on="call_id", how="left", maintain_order="left")
    contents = {one: str(stable_hash(one)) for one in rows.get_column("content").unique()}
    forms = {one: f"{stable_hash(one):016x}" for one in rows.get_column("form").unique()}
    return rows.select(
        "call_id",
        pl.concat_str(
            pl.col("content").replace_strict(contents, return_dtype=pl.String, default=None),
            pl.col("form").replace_strict(forms, return_dtype=pl.String, default=None),
            separator="-",
        ).alias("point_id"),
        "form",
    )


def point_vectors(
    calls: Calls,
    *,
    points: pl.DataFrame | None = None,
    encoder: Encoder | None = None,
    cache: VectorCache | None = None,
    store: Store | None = None,
    most: int = MOST_POINTS,
) -> PointVectors:
    """Return the vectors of the points of a log; a point whose texts were encoded before costs nothing.

    :param points: Of :func:`points_of`, if known.
    :param encoder: By default the static word vectors where installed, else TF-IDF fitted on the texts.
    :param cache: Vectors of texts that were found earlier in this session.
    :param store: The run that keeps the vectors, unless it keeps no texts; ``items.vector_row`` there is filled.
    :param most: Points that get a vector.
    :raises ValueError: If TF-IDF finds fewer than three texts that hold a word.
    """
    points = points_of(calls) if points is None else points
    chosen = _heaviest(points, most)
    texts = _texts_of(calls, points.join(chosen, on="point_id", how="semi"))
    distinct = texts.select("text").unique().sort("text").get_column("text").to_list()
    used = encoder or default_encoder(distinct)
    prints = _prints(texts, used.name)
    left_out = points.get_column("point_id").n_unique() - chosen.height
    keeps = store if store is not None and store.manifest.get("text_kept") else None
    known = None if keeps is None else stored_vectors(keeps)
    found = PointVectors(prints, _matrix(texts, prints, used, cache or VectorCache(), known), used.name, left_out)
    if keeps is not None:
        if known is None or not known.points.equals(found.points):
            _store(keeps, found)
        fill_vector_rows(keeps, found.points)
    return found


def stored_vectors(store: Store) -> PointVectors | None:
    """Return the vectors that a run keeps; None where there are none, or they are not whole."""
    try:
        matrix = np.load(store.path(f"{MATRIX}.npy"), allow_pickle=False)
        points = store.read_frame(MATRIX)
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
    fact = store.manifest.get(FACT) or {}
    if fact.get("hash") != _digest(points, matrix):
        return None
    return PointVectors(points, matrix, fact["encoder"])


def fill_vector_rows(store: Store, points: pl.DataFrame) -> None:
    """Write into a run's ``items`` which row of ``vectors.npy`` is whose; null: none."""
    if not store.path("items.parquet").is_file():
        return
    try:
        items = store.read_frame("items")
    except pl.exceptions.PolarsError:  # its stage makes it again
        return
    filled = with_vector_rows(items, points)
    if not filled.equals(items):
        store.write_frame("items", filled)


def with_vector_rows(items: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Return ``ItemsTable`` with ``vector_row``: the row of ``points`` that the item is; null: none."""
    rows = points.select("point_id", vector_row=pl.int_range(pl.len(), dtype=pl.Int64))
    return (
        items.drop("vector_row")
        .with_columns(point_id=pl.col("item_id").str.extract(r"-(\d+-[0-9a-f]{16})$"))
        .join(rows, on="point_id", how="left", maintain_order="left")
        .drop("point_id")
        .select(items.columns)
    )


def drop_vectors(store: Store) -> None:
    """Take the vectors and the map out of a run, as its texts are: they tell what a text is about."""
    for name in (f"{MATRIX}.npy", f"{MATRIX}.parquet", f"{MAP}.parquet"):
        store.path(name).unlink(missing_ok=True)
    fill_vector_rows(store, pl.DataFrame(schema={"point_id": pl.String}))
    if FACT in store.manifest:
        store.note(**{FACT: None, MAP: None})


def _heaviest(points: pl.DataFrame, most: int) -> pl.DataFrame:
    counted = points.group_by("point_id").len()
    return counted.sort("len", "point_id", descending=[True, False]).head(most).select("point_id").sort("point_id")


def _texts_of(calls: Calls, points: pl.DataFrame) -> pl.DataFrame:
    """Return ``point_id, part, text, mark``: the distinct texts of each part, at most ``MOST_TEXTS``, sorted."""
    parts = prompt_parts(calls.calls.join(points, on="call_id", how="semi"), calls.messages).join(points, on="call_id")
    last = calls.calls.select("call_id", last=pl.col("message_ids").list.last())
    parts = parts.drop("last").join(last, on="call_id", how="left")
    in_others = pl.col("last").eq_missing(pl.col("first")) | pl.col("system").list.contains(pl.col("last"))
    spoken = pl.concat(
        [
            parts.select("point_id", part=pl.lit(0), message_id="system").explode("message_id"),
            parts.select("point_id", part=pl.lit(1), message_id="first"),
            parts.filter(~in_others).select("point_id", part=pl.lit(2), message_id="last"),
        ]
    )
    used = spoken.drop_nulls("message_id").unique()
    texts = calls.messages.join(used, on="message_id", how="semi").select(
        "message_id",
        text=pl.col("text").str.head(MAX_CHARACTERS).str.replace_all(PLACEHOLDER, "<$1>"),
    )
    texts = texts.filter(pl.col("text").str.strip_chars() != "")
    marks = pl.Series("mark", [_hash(text) for text in texts.get_column("text").to_list()], dtype=pl.String)
    key = ["point_id", "part", "mark"]
    rows = used.join(texts.with_columns(marks), on="message_id").drop("message_id").unique(key).sort(key)
    return rows.filter(pl.int_range(pl.len()).over("point_id", "part") < MOST_TEXTS)


def _prints(texts: pl.DataFrame, encoder: str) -> pl.DataFrame:
    """Return ``point_id, print``, sorted: what a vector depends on, hashed."""
    joined = texts.group_by("point_id").agg(
        pl.concat_str(pl.col("part").cast(pl.String), "mark").sort().str.join(" ").alias("all")
    )
    prints = [_hash(f"{encoder}\x1f{one}") for one in joined.get_column("all").to_list()]
    return joined.select("point_id", pl.Series("print", prints, dtype=pl.String)).sort("point_id")


def _matrix(
    texts: pl.DataFrame, prints: pl.DataFrame, encoder: Encoder, cache: VectorCache, known: PointVectors | None
) -> Vectors:
    """Return the vectors of the points, those that are known taken over."""
    if known is None:
        rows = prints.with_columns(at=pl.lit(None, dtype=pl.Int64))
    else:
        numbered = known.points.select("print", at=pl.int_range(pl.len(), dtype=pl.Int64)).unique("print")
        rows = prints.join(numbered, on="print", how="left", maintain_order="left")
    missing = rows.filter(pl.col("at").is_null()).select("point_id")
    fresh = _encoded(texts.join(missing, on="point_id", how="semi"), missing, encoder, cache)
    if known is None or missing.height == prints.height:
        return fresh
    matrix = np.empty((prints.height, known.matrix.shape[1]), dtype=np.float32)
    at, is_new = rows.get_column("at").fill_null(0).to_numpy(), rows.get_column("at").is_null().to_numpy()
    matrix[:] = known.matrix[at]
    if missing.height:
        matrix[is_new] = fresh
    return matrix


def _encoded(texts: pl.DataFrame, points: pl.DataFrame, encoder: Encoder, cache: VectorCache) -> Vectors:
    from scipy.sparse import csr_matrix

    if points.is_empty():
        return np.zeros((0, 0), dtype=np.float32)
    distinct = texts.select("text").unique().sort("text").with_columns(column=pl.int_range(pl.len(), dtype=pl.Int64))
    rows = (
        texts.with_columns(weight=1 / pl.len().over("point_id", "part"))
        .join(distinct, on="text")
        .join(points.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64)), on="point_id")
        .sort("row", "part", "mark")
    )
    weights = csr_matrix(
        (
            rows.get_column("weight").to_numpy(),
            (rows.get_column("row").to_numpy(), rows.get_column("column").to_numpy()),
        ),
        shape=(points.height, distinct.height),
    )
    vectors = cache.encode(encoder, distinct.get_column("text").to_list())
    return unit_rows(np.asarray(weights @ vectors.astype(np.float64)))


def _store(store: Store, found: PointVectors) -> None:
    store.write_array(MATRIX, found.matrix)
    store.write_frame(MATRIX, found.points)
    store.note(**{FACT: {"encoder": found.encoder, "hash": _digest(found.points, found.matrix)}})


def _digest(points: pl.DataFrame, matrix: Vectors) -> str:
    digest = hashlib.blake2b(np.ascontiguousarray(matrix).tobytes(), digest_size=16)
    digest.update("\n".join(points.get_column("print").to_list()).encode())
    return digest.hexdigest()


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
