"""Every hit on the real logs was looked at and labelled; hardly any is false, and a new one must be labelled too."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from tests.curation.real_texts import Hit, hits, is_message, real_texts

LABELS = Path(__file__).with_name("hits_on_real_logs.csv")
FALSE_PER_THOUSAND = 1.0


def labels() -> dict[Hit, str]:
    with LABELS.open(encoding="utf-8") as handle:
        return {Hit(row["kind"], row["digest"]): row["label"] for row in csv.DictReader(handle)}


def test_each_label_is_one_of_three_and_says_why_it_is_false() -> None:
    with LABELS.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["label"] for row in rows} <= {"true", "false", "synthetic-but-true-form"}
    assert all(row["note"] for row in rows if row["label"] == "false")


@pytest.mark.slow
def test_every_hit_on_the_real_logs_is_labelled_and_hardly_any_is_false(shared: Path) -> None:
    texts = real_texts(shared)
    messages = sum(map(is_message, texts))
    assert messages > 50_000
    known = labels()
    found = [hit for hit, _ in hits(texts)]
    assert [hit for hit in found if hit not in known] == []
    false = Counter(hit.kind for hit in found if known[hit] == "false")
    assert false.total() <= FALSE_PER_THOUSAND * messages / 1_000, dict(false)
    assert {hit.kind for hit in found} == {hit.kind for hit in known}, "the file labels hits that are gone"
