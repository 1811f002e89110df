"""A user's own rules hide what only they know of; a file that can't be used is refused with what, where and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import slmlens as sl
from slmlens.cli import app
from slmlens.curation.counts import placeholder_counts
from slmlens.curation.redact import make_redaction
from slmlens.curation.rules import Rule, load_rules
from slmlens.curation.spans import PLACEHOLDER
from slmlens.errors import SettingError

GOOD = r"""
rules:
  - name: CUSTOMER_NO
    pattern: 'C-[0-9]{6}'
  - name: BADGE
    pattern: '(?i)\bno\.? (?P<value>[0-9]{4})\b'
    after: [badge, Ausweis]
  - name: LOYALTY
    pattern: '\b[0-9]{10}\b'
    check: luhn
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("raw", "hidden"),
    [
        ("order of C-123456 today", "order of <CUSTOMER_NO> today"),
        ("C-123456 and ann@shop.org", "<CUSTOMER_NO> and <EMAIL>"),
        ("her badge is no. 4711", "her badge is no. <BADGE>"),
        ("room no. 4711", "room no. 4711"),
        ("loyalty 1234567897", "loyalty <LOYALTY>"),
        ("loyalty 1234567890", "loyalty 1234567890"),
    ],
)
def test_a_rule_hides_what_it_describes_and_nothing_else(tmp_path: Path, raw: str, hidden: str) -> None:
    redaction = make_redaction(rules=written(tmp_path, GOOD))
    once = redaction.text(raw)
    assert PLACEHOLDER.sub(r"<\1>", once) == hidden
    assert redaction.text(once) == once


BAD = [
    ("rules: [", "this is not YAML"),
    ("just text", "one list named rules"),
    ("rules: []", "one list named rules"),
    ("rules: [{name: X_Y}]", "rule 1: The rule needs a name and a pattern"),
    ("rules: [{name: Lower, pattern: a}]", "'Lower' can't stand in a placeholder"),
    ("rules: [{name: X_1, pattern: a}]", "can't stand in a placeholder"),
    ("rules: [{name: X_Y, pattern: '('}]", "no regular expression"),
    ("rules: [{name: X_Y, pattern: 'a*'}]", "matches nothing at all"),
    ("rules: [{name: X_Y, pattern: a, before: b}]", "before is no field"),
    ("rules: [{name: X_Y, pattern: a, check: crc}]", "no check 'crc'"),
    ("rules: [{name: X_Y, pattern: a, after: 7}]", "a list of words"),
    ("rules: [{name: X_Y, pattern: 7}]", "must be a text"),
    ("rules: [{name: GOOD, pattern: a}, {name: X_Y, pattern: '(a|aa)+$'}]", "rule 2: .*needs longer than"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_file_is_refused_with_what_where_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingError, match=f"(?i){said}") as refused:
        load_rules(written(tmp_path, text))
    assert refused.value.where.startswith("rules.yaml")
    assert refused.value.next_step
    assert str(tmp_path) not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="can't be read"):
        load_rules(tmp_path / "absent.yaml")


def test_a_pattern_that_hangs_on_a_text_stops_the_run_instead_of_letting_the_text_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import regex

    monkeypatch.setattr("slmlens.curation.rules._TEXT_SECONDS", 0.05)
    rule = Rule("SLOW", regex.compile(r"(x|xx)+$"))
    with pytest.raises(SettingError, match="SLOW needs longer"):
        rule("x" * 5_000 + "!")


def test_the_command_line_takes_the_file_and_the_counts_name_the_rule(small_log: Path, tmp_path: Path) -> None:
    rules = written(tmp_path, "rules: [{name: ORDER_WORD, pattern: '(?i)order'}]")
    calls = sl.read_logs(small_log, settings=sl.Settings(rules=rules))
    assert placeholder_counts(calls.messages)["ORDER_WORD"] > 0
    assert not any(re.search("order", text, re.IGNORECASE) for text in calls.messages["text"] if "ORDER_W" not in text)
    refused = CliRunner().invoke(
        app, ["run", str(small_log), "--out", str(tmp_path / "run"), "--rules", str(tmp_path / "none.yaml")]
    )
    assert isinstance(refused.exception, SettingError)
    assert not (tmp_path / "run").exists()
