"""Splits by meaning: shown where parts come back in held-out sessions, and never applied to the tasks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.tasks.encoders import VectorCache, Vectors, static_encoder, tfidf_encoder
from slmlens.tasks.meaning import MeaningSettings, meaning_splits, split_of
from tests.tasks.world import answer, pair, tasks_of

SYSTEM = "You are the assistant of the back office. Do what the message asks and answer in plain words."
WORK = {
    "sums": "integral fraction equation triangle polynomial remainder digit divisor matrix angle".split(),  # noqa: SIM905
    "letters": "dear sincerely customer apology parcel voucher delay thanks greeting courier".split(),  # noqa: SIM905
    "code": "function loop variable compile exception module import class pointer syntax".split(),  # noqa: SIM905
}
FAST = MeaningSettings(halves=4)


def said(rng: random.Random, words: Sequence[str]) -> str:
    return " ".join(rng.choices(words, k=14))


def test_three_kinds_of_work_behind_one_prompt_are_shown_and_the_task_stays_one(tmp_path: Path) -> None:
    rng = random.Random(1)
    rows, kinds = [], []
    for i in range(180):
        kinds.append(rng.choice(sorted(WORK)))
        rows.append(pair(i, SYSTEM, said(rng, WORK[kinds[i]]), session=f"s{i}"))
        if kinds[i] == "code":
            answer(rows[i], '{"code": 1}')
    tasks = tasks_of(tmp_path, rows)
    found = meaning_splits(tasks, encoder=tfidf_encoder([" ".join(w) for w in WORK.values()]), settings=FAST)
    assert tasks.tasks.height == 1
    part = dict(found.assignments.select("call_id", "part").rows())
    pairs = {(kinds[i], part[f"chatcmpl-{i:05d}"]) for i in range(180)}
    assert len(pairs) == len({k for k, _ in pairs}) == len({p for _, p in pairs}) == 3
    assert found.parts.get_column("n_calls").sum() == 180
    assert found.parts.get_column("forms_differ").unique().to_list() == [1.0]
    words = found.parts.get_column("words").explode().to_list()
    assert set(words) <= {w for known in WORK.values() for w in known}


def test_one_kind_of_work_is_not_split(tmp_path: Path) -> None:
    rng = random.Random(2)
    rows = [
        pair(i, SYSTEM, said(rng, [w for words in WORK.values() for w in words]), session=f"s{i}") for i in range(120)
    ]
    assert meaning_splits(tasks_of(tmp_path, rows), settings=FAST).parts.height == 0


@pytest.mark.slow
def test_texts_without_structure_are_hardly_ever_split() -> None:
    kept = 0
    for seed in range(40):
        rng = random.Random(seed)
        words = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(60)]
        texts = [said(rng, words) for _ in range(60)]
        distinct = sorted(set(texts))
        rows = pl.DataFrame({"unit_id": [f"s{i}" for i in range(60)], "text": texts})
        found = split_of(rows, distinct, tfidf_encoder(distinct).encode(distinct), FAST)
        kept += found is not None and found[1] >= FAST.reproduced
    assert kept <= 2


def test_calls_of_few_sessions_are_not_looked_at(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = [pair(i, SYSTEM, said(rng, WORK["code"]), session=f"s{i % 10}") for i in range(60)]
    assert meaning_splits(tasks_of(tmp_path, rows), settings=FAST).looked_at.height == 0


class Counting:
    """An encoder that remembers what it was asked."""

    name = "counting"
    dimension = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return np.array([[len(t), 1.0] for t in texts], dtype=np.float32).reshape(-1, 2)


@given(st.lists(st.lists(st.text(max_size=20), max_size=6), max_size=4))
def test_a_text_is_encoded_once_and_keeps_its_vector(batches: list[list[str]]) -> None:
    cache, encoder = VectorCache(), Counting()
    for batch in batches:
        assert cache.encode(encoder, batch).tolist() == [[len(t), 1.0] for t in batch]
    assert sorted(encoder.asked) == sorted({t for batch in batches for t in batch})


def test_tfidf_vectors_have_length_one_and_the_stated_width() -> None:
    encoder = tfidf_encoder(["red green blue", "green blue", "stone water", "water fire stone"])
    vectors = encoder.encode(["red green", "unknown words", "stone"])
    assert vectors.shape == (3, encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1], abs=1e-6)


def test_static_vectors_bring_synonyms_together() -> None:
    encoder = static_encoder()
    if encoder is None:
        pytest.skip("the static vectors are not installed")
    bill, invoice, code = encoder.encode(["my invoice is wrong", "the bill has an error", "a sorting function"])
    assert bill @ invoice > bill @ code
    assert encoder.dimension == len(bill)
