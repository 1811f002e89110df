"""The map's coordinates: the same for the same points, made once, and honest about how they were made."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slmlens as sl
from slmlens.tasks import projection
from slmlens.tasks.encoders import Vectors, unit_rows
from slmlens.tasks.projection import FEWEST, principal, project, stored_projection
from slmlens.tasks.vectors import PointVectors, point_vectors
from tests.tasks.shop import shop
from tests.tasks.test_vectors import Words
from tests.tasks.world import log


def vectors(matrix: Vectors) -> PointVectors:
    ids = [f"{i:04d}-{i:016x}" for i in range(len(matrix))]
    prints = [row.tobytes().hex() for row in matrix]
    return PointVectors(pl.DataFrame({"point_id": ids, "print": prints}), matrix, "made by hand")


def islands(of: int = 3, each: int = 20) -> tuple[Vectors, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = np.eye(of, 24) * 8
    kind = np.repeat(np.arange(of), each)
    return unit_rows(centres[kind] + rng.normal(size=(of * each, 24)) * 0.3), kind


@pytest.fixture
def run(tmp_path: Path) -> sl.Run:
    made = sl.open_run(tmp_path / "run")
    made.write_text("note.txt", "")
    made.note(text_kept=True)
    return made


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 2**20))
def test_the_main_axes_keep_distances_where_there_are_no_more_and_row_order_never_matters(
    rows: int, columns: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)).astype(np.float32)
    found = principal(matrix, columns)
    assert found.shape == (rows, columns)
    order = rng.permutation(rows)
    assert principal(matrix[order], columns) == pytest.approx(found[order], abs=1e-4)
    for i in range(0, rows - 1, 7):
        assert np.linalg.norm(found[i] - found[i + 1]) == pytest.approx(
            np.linalg.norm(matrix[i] - matrix[i + 1]), abs=1e-3
        )


@pytest.mark.parametrize("points", [0, 1, 2, FEWEST - 1])
def test_few_points_are_laid_out_by_their_main_axes_and_it_is_said(points: int) -> None:
    found = project(vectors(islands()[0][:points]))
    assert (found.points.height, found.method) == (points, "few")
    assert "PCA" in found.said
    assert found.points.select(pl.col("x", "y").is_finite().all()).row(0) == (True, True)


def test_without_umap_the_main_axes_are_drawn_and_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "find_spec", lambda name: None if name == "umap" else find_spec(name))
    found = project(vectors(islands()[0]))
    assert found.method == "no umap"
    assert "pip install umap-learn" in found.said


def test_what_was_laid_out_once_is_read_and_other_points_are_laid_out_anew(
    run: sl.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def laid_out(matrix: Vectors, seed: int) -> np.ndarray:
        asked.append((len(matrix), seed))
        return principal(matrix, 2) + seed

    monkeypatch.setattr(projection, "_umap", laid_out)
    some = vectors(islands()[0])
    first = project(some, store=run)
    assert project(some, store=sl.open_run(run.folder)).points.equals(first.points)
    assert asked == [(60, 0)]
    project(some, seed=1, store=run)
    project(vectors(islands()[0][:40]), seed=1, store=run)
    assert asked == [(60, 0), (60, 1), (40, 1)]
    run.path("map.parquet").write_bytes(b"broken")
    assert stored_projection(run) is None
    project(vectors(islands()[0][:40]), seed=1, store=run)
    assert len(asked) == 4


def test_a_run_that_keeps_no_texts_keeps_no_map_of_them(run: sl.Run) -> None:
    run.note(text_kept=False)
    project(vectors(islands()[0][:5]), store=run)
    assert not run.path("map.parquet").exists()


@pytest.mark.slow
def test_umap_keeps_islands_apart_and_gives_the_same_map_for_a_shuffled_log(tmp_path: Path) -> None:
    matrix, kind = islands()
    found = project(vectors(matrix))
    assert found.method == "umap"
    assert found.said == ""
    places = found.points.select("x", "y").to_numpy()
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(places)) * 1e9
    assert (kind[distance.argmin(axis=1)] == kind).all()
    rows = shop(sessions=12)
    one = project(point_vectors(sl.read_logs(log(tmp_path, rows)), encoder=Words()))
    other = project(point_vectors(sl.read_logs(log(tmp_path, rows[::-1])), encoder=Words()))
    assert one.method == "umap"
    assert one.points.equals(other.points)
