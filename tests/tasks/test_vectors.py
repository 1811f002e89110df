"""Vectors of items: made when asked for, encoded once, the same in any order, and gone with the texts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import slmlens as sl
from slmlens.reviewing.session import ReviewSession
from slmlens.tasks.cut import Cut
from slmlens.tasks.discover import discover_tasks
from slmlens.tasks.encoders import Vectors, default_encoder, static_is_installed
from slmlens.tasks.vectors import PointVectors, point_vectors, points_of, stored_vectors
from tests.tasks.shop import ids, shop
from tests.tasks.world import Record, answer, log, pair


class Words:
    """An encoder that hashes words into sixteen dimensions and remembers what it was asked."""

    dimension = 16

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        matrix = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                matrix[row, blake2b(word.encode(), digest_size=1).digest()[0] % self.dimension] += 1
        return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)


def finished(folder: Path, records: Sequence[Record] | None = None, **settings: object) -> tuple[sl.Run, sl.Tasks]:
    place = log(folder, records or shop(sessions=16))
    return opened(place, folder / "run", **settings)


def opened(place: Path, out: Path, **settings: object) -> tuple[sl.Run, sl.Tasks]:
    run = sl.open_run(out)
    calls = sl.read_logs(place, run=run, settings=sl.Settings(**settings))  # type: ignore[arg-type]
    return run, sl.discover_tasks(calls, run=run)


def same(one: PointVectors, other: PointVectors) -> bool:
    return one.points.equals(other.points) and np.array_equal(one.matrix, other.matrix)


def test_every_item_has_the_row_of_its_point_and_the_row_is_its_vector(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path)
    assert tasks.items.get_column("vector_row").is_null().all(), "nothing is encoded before it is asked for"
    found = point_vectors(tasks.calls, encoder=Words(), store=run)
    items = run.read_frame("items")
    assert items.drop("vector_row").equals(tasks.items.drop("vector_row"))
    stored = np.load(tmp_path / "run" / "vectors.npy", allow_pickle=False)
    assert np.array_equal(stored, found.matrix)
    assert np.linalg.norm(stored, axis=1) == pytest.approx(1, abs=1e-6)
    ends = found.points.get_column("point_id").to_list()
    for item_id, row in items.select("item_id", "vector_row").rows():
        assert item_id.endswith(f"-{ends[row]}")


def test_items_of_one_content_and_form_share_a_point_in_every_cut(tmp_path: Path) -> None:
    calls = sl.read_logs(log(tmp_path, shop(sessions=12)))
    points = set(points_of(calls).get_column("point_id"))
    for cut in (Cut(), Cut(k_task=9), Cut(user_block=4)):
        items = discover_tasks(calls, settings=cut.settings()).items
        assert {"-".join(i.split("-")[-2:]) for i in items.get_column("item_id")} <= points


def test_shuffled_rows_give_the_same_vectors_to_the_bit(tmp_path: Path) -> None:
    rows = shop(sessions=8)
    expected = point_vectors(sl.read_logs(log(tmp_path, rows)), encoder=Words())
    for seed in range(4):
        random.Random(seed).shuffle(rows)
        assert same(point_vectors(sl.read_logs(log(tmp_path, rows)), encoder=Words()), expected)


def test_another_key_of_the_redaction_gives_the_same_vectors(tmp_path: Path) -> None:
    rows = [pair(i, "Sort the mail of our desk.", f"kim{i}@example.org asks", session=f"s{i}") for i in range(6)]
    place, found = log(tmp_path, rows), []
    for secret in ("one", "two"):
        key = tmp_path / secret
        key.write_text(secret * 20)
        found.append(point_vectors(sl.read_logs(place, settings=sl.Settings(key_file=key)), encoder=Words()))
    assert same(*found)


def test_a_decision_a_recut_and_a_resumed_run_encode_nothing(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path)
    first = point_vectors(tasks.calls, encoder=Words(), store=run)
    session = ReviewSession(tasks, run, author="ana")
    session.select(ids(tasks)["triage"], ids(tasks)["summary"])
    session.merge(name="Desk")
    session.recut(discover_tasks(tasks.calls, settings=Cut(k_task=9).settings()))
    run.note(cut={"k_task": 9})
    run.reopen("tasks")
    again, decided = opened(tmp_path / "log.jsonl", tmp_path / "run")
    assert "Desk" in decided.tasks.get_column("name").to_list()
    assert again.read_frame("items").get_column("vector_row").is_null().all(), "null until they are asked for again"
    encoder = Words()
    assert same(point_vectors(decided.calls, encoder=encoder, store=again), first)
    assert encoder.asked == []
    assert again.read_frame("items").get_column("vector_row").null_count() == 0


def test_the_default_encoder_is_not_even_loaded_where_all_is_known(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path)
    first = point_vectors(tasks.calls, store=run)
    known = default_encoder(["only", "its", "name"])
    assert (first.encoder == known.name) == static_is_installed()
    assert vars(known)["made"] is None
    assert same(point_vectors(tasks.calls, store=run), first)


def test_only_what_is_new_in_a_log_is_encoded(tmp_path: Path) -> None:
    rows = shop(sessions=8)
    run, tasks = finished(tmp_path, rows)
    point_vectors(tasks.calls, encoder=Words(), store=run)
    later = [*rows, pair(7777, "", "words that nobody said before", session="new")]
    again, more = opened(log(tmp_path, later), tmp_path / "run")
    encoder = Words()
    found = point_vectors(more.calls, encoder=encoder, store=again)
    assert encoder.asked == ["words that nobody said before"]
    assert same(found, point_vectors(more.calls, encoder=Words()))


def test_another_encoder_begins_anew_and_half_a_store_is_made_again(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path)
    point_vectors(tasks.calls, encoder=Words(), store=run)
    other = Words("other words")
    point_vectors(tasks.calls, encoder=other, store=run)
    assert other.asked
    assert run.manifest["vectors"]["encoder"] == "other words"
    whole = stored_vectors(run)
    assert whole is not None
    run.write_array("vectors", whole.matrix[::-1])
    assert stored_vectors(run) is None, "rows that are not the ones that were noted are not believed"
    (tmp_path / "run" / "vectors.npy").write_bytes(b"\x93NUMPY broken")
    found = point_vectors(tasks.calls, encoder=Words("other words"), store=run)
    assert same(found, whole)
    assert stored_vectors(run) is not None


def test_the_heaviest_points_get_a_vector_and_the_others_are_counted(tmp_path: Path) -> None:
    rows = shop(["triage"], sessions=6)
    rows += [pair(500 + i, "A step that comes often.", "the same words each time", session=f"t{i}") for i in range(9)]
    calls = sl.read_logs(log(tmp_path, rows))
    points = points_of(calls)
    found = point_vectors(calls, encoder=Words(), most=3)
    assert found.points.height == 3
    assert found.left_out == points.get_column("point_id").n_unique() - 3
    heaviest = points.get_column("point_id").value_counts().sort("count").item(-1, "point_id")
    assert heaviest in found.points.get_column("point_id").to_list()


def test_answers_shape_no_vector(tmp_path: Path) -> None:
    rows = shop(["triage"], sessions=6)
    before = point_vectors(sl.read_logs(log(tmp_path, rows)), encoder=Words())
    for record in rows:
        answer(record, "yes")
    assert same(point_vectors(sl.read_logs(log(tmp_path, rows)), encoder=Words()), before), "of the same form"


def test_the_main_job_makes_no_vectors(tmp_path: Path) -> None:
    run = sl.analyse(log(tmp_path, shop(sessions=8)), out=tmp_path / "run")
    assert not {"vectors.npy", "vectors.parquet", "map.parquet"} & {p.name for p in run.folder.iterdir()}
    assert run.read_frame("items").get_column("vector_row").is_null().all()


def test_a_run_that_keeps_no_texts_keeps_no_vectors(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path, keep_text=False)
    assert point_vectors(tasks.calls, encoder=Words(), store=run).points.height > 0, "texts are still in memory"
    assert not (tmp_path / "run" / "vectors.npy").exists()
    assert run.read_frame("items").get_column("vector_row").is_null().all()


def test_vectors_go_when_the_texts_go(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path)
    point_vectors(tasks.calls, encoder=Words(), store=run)
    sl.forget(tmp_path / "run", texts=True)
    assert not (tmp_path / "run" / "vectors.npy").exists()
    assert not (tmp_path / "run" / "vectors.parquet").exists()
    again = sl.open_run(tmp_path / "run")
    assert again.read_frame("items").get_column("vector_row").is_null().all()
    assert not again.manifest["vectors"]


def test_vectors_go_when_the_same_folder_is_told_to_keep_no_texts(tmp_path: Path) -> None:
    run, tasks = finished(tmp_path)
    point_vectors(tasks.calls, encoder=Words(), store=run)
    opened(tmp_path / "log.jsonl", tmp_path / "run", keep_text=False)
    assert not (tmp_path / "run" / "vectors.npy").exists()


def test_a_forgotten_session_leaves_no_vector_and_the_others_are_as_if_it_had_never_been(tmp_path: Path) -> None:
    rows = shop(sessions=8)
    rows.append(pair(7777, "", "secret words of one session", session="gone"))
    run, tasks = finished(tmp_path, rows)
    before = point_vectors(tasks.calls, encoder=Words(), store=run)
    calls = tasks.calls.calls
    hashed = calls.filter(pl.col("call_id") == "chatcmpl-07777").item(0, "session_id")
    sl.forget(tmp_path / "run", session=hashed)
    assert not {"vectors.npy", "vectors.parquet", "map.parquet"} & {p.name for p in (tmp_path / "run").iterdir()}
    again, left = opened(tmp_path / "log.jsonl", tmp_path / "run")
    after = point_vectors(left.calls, encoder=Words(), store=again)
    (lost,) = set(before.points.get_column("point_id")) - set(after.points.get_column("point_id"))
    assert lost == points_of(tasks.calls).filter(pl.col("call_id") == "chatcmpl-07777").item(0, "point_id")
    folder = tmp_path / "without"
    folder.mkdir()
    assert same(after, point_vectors(sl.read_logs(log(folder, rows[:-1])), encoder=Words()))


def test_a_log_without_prompts_has_no_vectors(tmp_path: Path) -> None:
    rows = shop(["triage"], sessions=4)
    for record in rows:
        del record["request"]["messages"]
    found = point_vectors(sl.read_logs(log(tmp_path, rows)), encoder=Words())
    assert found.points.is_empty()
