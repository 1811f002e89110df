"""The map's coordinates: vectors of points laid out in two dimensions, once; other cuts and decisions only recolour it.

UMAP keeps near what is near, and nothing else: directions, the empty space between islands and their sizes mean
nothing. Few points, or a machine without umap-learn, get the two main axes of a principal component analysis instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
import polars as pl

from slmlens.tasks.encoders import Vectors
from slmlens.tasks.vectors import MAP, PointVectors, Store

Floats = npt.NDArray[np.float64]

FEWEST = 15
"""Points that UMAP needs: as many as it takes for a neighbourhood by default."""

_DIMENSIONS = 15
_NEIGHBOURS = 15
_EPOCHS = 200  # UMAP's own number for large sets; begun at the main axes, small ones need no more
_SPREAD = 10.0
_CLOSEST = 0.5  # marks are told apart on a screen; 0.1, UMAP's own, makes blots of islands
_WORDS = {
    "umap": "",
    "few": f"Fewer than {FEWEST} points: the two main axes of their vectors are drawn (PCA), not a UMAP.",
    "no umap": "umap-learn is not installed: the two main axes of the vectors are drawn (PCA), on which tasks overlap. "
    "Install it (pip install umap-learn) and open the map again.",
}


@dataclass(frozen=True)
class Projection:
    """Points on the map.

    :param points: ``point_id``, ``x``, ``y``, sorted by ``point_id``.
    :param method: ``umap``, ``few`` or ``no umap`` (both: PCA).
    """

    points: pl.DataFrame
    method: str

    @property
    def said(self) -> str:
        """Why it is not a UMAP, and what to do; empty where it is one."""
        return _WORDS[self.method]


def project(vectors: PointVectors, *, seed: int = 0, store: Store | None = None) -> Projection:
    """Return the points in two dimensions, from the run's folder where they were laid out before.

    The same points give the same map, whatever order the log was in.

    :param seed: Seed of UMAP.
    :param store: The run that keeps the coordinates, unless it keeps no texts.
    """
    method = "few" if vectors.points.height < FEWEST else "umap" if find_spec("umap") else "no umap"
    mark = _mark(vectors, method, seed)
    if store is not None and (store.manifest.get(MAP) or {}).get("mark") == mark:
        known = stored_projection(store)
        if known is not None:
            return known
    placed = _umap(vectors.matrix, seed) if method == "umap" else principal(vectors.matrix, 2)
    ids = vectors.points.select("point_id")
    found = Projection(ids.with_columns(x=pl.Series(placed[:, 0]), y=pl.Series(placed[:, 1])), method)
    if store is not None and store.manifest.get("text_kept"):
        store.write_frame(MAP, found.points)
        store.note(**{MAP: {"mark": mark, "method": method}})
    return found


def stored_projection(store: Store) -> Projection | None:
    """Return the map that a run keeps; None where there is none."""
    fact = store.manifest.get(MAP) or {}
    try:
        return Projection(store.read_frame(MAP), fact["method"])
    except (OSError, KeyError, pl.exceptions.PolarsError):
        return None


def principal(vectors: Vectors, dimensions: int) -> Floats:
    """Return the coordinates on the main axes, each with the sign that makes its largest loading positive.

    :returns: ``dimensions`` columns; zeros where the vectors have fewer.
    """
    found = np.zeros((len(vectors), dimensions))
    if len(vectors) < 2:  # noqa: PLR2004 - one point is where it is
        return found
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, np.argsort(-values)[:dimensions]]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    found[:, : axes.shape[1]] = centred @ axes
    return found


def _umap(vectors: Vectors, seed: int) -> Floats:
    """Lay out by UMAP, begun at the main axes, so that what is far apart stays so as far as it can."""
    from umap import UMAP

    reduced = principal(vectors, _DIMENSIONS)
    begun = reduced[:, :2] - reduced[:, :2].min(axis=0)
    begun = _SPREAD * begun / max(float(begun.max()), 1e-12)
    near = min(_NEIGHBOURS, len(vectors) - 1)
    fitted = UMAP(
        n_neighbors=near, min_dist=_CLOSEST, init=begun, n_epochs=_EPOCHS, random_state=seed, n_jobs=1
    ).fit_transform(reduced)
    placed: Floats = np.asarray(fitted, dtype=np.float64)
    return placed


def _mark(vectors: PointVectors, method: str, seed: int) -> str:
    digest = hashlib.blake2b(f"{method}\x1f{seed}".encode(), digest_size=16)
    for row in vectors.points.iter_rows():
        digest.update("\x1f".join(row).encode())
    return digest.hexdigest()
