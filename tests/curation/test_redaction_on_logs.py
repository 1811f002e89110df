"""Redaction on whole logs: nothing planted survives, and real logs are left alone."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slmlens.curation.detect import find_values
from slmlens.curation.redact import KeepText, Redaction, new_key


def squeezed(text: str) -> str:
    return re.sub(r"[\s\-]", "", text)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def planted_and_seen(traps: Path, redact: Callable[[str], str]) -> tuple[set[str], str]:
    planted = json.loads((traps / "truth.json").read_text())["personal_data"]["planted"]
    lines = (traps / "personal_data.jsonl").read_text().splitlines()
    seen = "\n".join(redact(text) for line in lines for text in strings(json.loads(line)))
    return {squeezed(value) for _, _, value in planted}, squeezed(seen)


def survivors(traps: Path, redact: Callable[[str], str]) -> set[str]:
    planted, seen = planted_and_seen(traps, redact)
    assert len(planted) > 100
    return {value for value in planted if value in seen}


def test_no_planted_value_survives(traps: Path) -> None:
    assert survivors(traps, Redaction(new_key()).text) == set()


def test_the_same_check_fails_with_redaction_off(traps: Path) -> None:
    planted, _ = planted_and_seen(traps, str)
    assert survivors(traps, KeepText(Redaction(new_key())).text) == planted


def test_real_messages_are_left_alone(shared: Path) -> None:
    """Every e-mail address, home folder and phone found in this log was read and is one; the rest would be false."""
    with gzip.open(shared / "bench" / "agents_mixed.jsonl.gz", "rt") as lines:
        records = [json.loads(line) for line in lines]
    texts = {
        text for r in records for part in (r["request"]["messages"], r["response"]["choices"]) for text in strings(part)
    }
    touched = Counter(kind for text in texts for kind in {span.kind for span in find_values(text)})
    assert len(texts) > 9_000
    wrong = sum(n for kind, n in touched.items() if kind not in {"EMAIL", "PATH", "PHONE"})
    assert wrong / len(texts) <= 0.001
    assert touched["PHONE"] <= 2
    assert touched["PATH"] <= 10
    for text in texts:
        for span in find_values(text):
            if span.kind == "EMAIL":
                assert re.fullmatch(r"[\w.+-]+@[a-z-]+\.(com|org|ai)", span.value), span.value


@pytest.mark.parametrize("kind", ["CARD", "EMAIL", "IBAN", "IP", "PHONE", "SECRET", "SSN"])
def test_each_kind_of_planted_value_gets_its_own_kind(traps: Path, kind: str) -> None:
    planted = json.loads((traps / "truth.json").read_text())["personal_data"]["planted"]
    redaction = Redaction(new_key())
    found = [redaction.text(value) for _, planted_kind, value in planted if planted_kind == kind]
    assert found
    assert all(re.fullmatch(rf"<{kind}:[A-Z2-7]{{8}}>", text) for text in found)
