"""Redaction on whole logs: nothing planted survives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from slmlens.curation.redact import KeepText, Redaction, new_key
from tests.curation.real_texts import strings


def squeezed(text: str) -> str:
    return re.sub(r"[\s\-]", "", text)


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


@pytest.mark.parametrize("kind", ["CARD", "EMAIL", "IBAN", "IP", "PHONE", "SECRET", "SSN"])
def test_each_kind_of_planted_value_gets_its_own_kind(traps: Path, kind: str) -> None:
    planted = json.loads((traps / "truth.json").read_text())["personal_data"]["planted"]
    redaction = Redaction(new_key())
    found = [redaction.text(value) for _, planted_kind, value in planted if planted_kind == kind]
    assert found
    assert all(re.fullmatch(rf"<{kind}:[A-Z2-7]{{8}}>", text) for text in found)
