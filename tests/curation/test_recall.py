"""Recall on synthetic forms is measured on the user's own prompts, and a part left over counts as missed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import slmlens as sl
from slmlens.curation.detect import find_values
from slmlens.curation.recall import ALL_FORMS, FORMS, measure_recall
from slmlens.curation.redact import Redaction
from slmlens.curation.spans import Span
from slmlens.errors import SettingError

TARGETS = {"EMAIL": 0.99, "CARD": 0.99, "IBAN": 0.99, "IP": 0.99, "NATIONAL_ID": 0.99, "SECRET": 0.99, "PHONE": 0.95}
PROSE = [
    "The committee met on 12 May. Version 2.1 of the draft was read; see https://docs.test/v2.1/intro for the text.",
    "def total(rows):\n    return sum(row['price'] * row['count'] for row in rows)  # cents\n",
    "Order 4711 left the warehouse at 10:42, its weight is 3.5 kg.",
]
REDACTION = Redaction(b"a key for the tests only")


def recall_in(texts: list[str], n: int, seed: int = 0) -> pl.DataFrame:
    return measure_recall(texts, REDACTION.text, REDACTION.find, n=n, seed=seed).totals


def test_the_targets_are_met_in_plain_prose_and_code() -> None:
    reached = dict(recall_in(PROSE, n=12).select("kind", "recall").iter_rows())
    assert {kind: r for kind, r in reached.items() if r < TARGETS.get(kind, 0.95)} == {}


@pytest.mark.slow
def test_the_targets_are_met_in_real_prompts(shared: Path) -> None:
    calls = sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz")
    measured = sl.redaction_recall(calls, n=40, seed=11)
    reached = dict(measured.totals.select("kind", "recall").iter_rows())
    assert {kind: r for kind, r in reached.items() if r < TARGETS.get(kind, 0.95)} == {}, measured.missed.to_dicts()


def test_every_kind_is_planted_in_every_form_that_fits_it() -> None:
    frame = measure_recall(PROSE, REDACTION.text, REDACTION.find, n=8, seed=0).frame
    assert set(frame["form"]) == {ALL_FORMS, *FORMS}
    of_card = frame.filter(pl.col("kind") == "CARD", pl.col("form") != ALL_FORMS)
    assert of_card["planted"].to_list() == [8] * len(FORMS)
    assert frame.filter(pl.col("kind") == "EMAIL", pl.col("form") == "spaced").is_empty()
    assert frame.select((pl.col("lo90") <= pl.col("recall")) & (pl.col("recall") <= pl.col("hi90"))).to_series().all()


def test_without_redaction_nothing_is_found() -> None:
    assert measure_recall(PROSE, str, lambda _: [], n=3, seed=0).frame["found"].sum() == 0


def test_a_value_hidden_but_for_its_last_character_is_missed() -> None:
    def short(text: str) -> list[Span]:
        return [span._replace(end=span.end - 1) for span in find_values(text)]

    measured = measure_recall(PROSE, REDACTION.text, short, n=4, seed=0).totals
    assert dict(measured.select("kind", "found").iter_rows())["CARD"] == 0


def test_a_value_that_stands_elsewhere_too_must_go_everywhere() -> None:
    def first_only(text: str) -> str:
        spans = find_values(text)
        return text[: spans[0].start] + "<X>" + text[spans[0].end :] if spans else text

    texts = ["mail zoe@shop.org and "]
    measured = measure_recall(texts, first_only, find_values, n=4, seed=0)
    assert dict(measured.totals.select("kind", "found").iter_rows())["EMAIL"] < 4 * len(FORMS)


def test_one_seed_plants_the_same_values_in_the_same_places() -> None:
    one, same, other = (measure_recall(PROSE, str, lambda _: [], n=2, seed=s).missed for s in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


def test_it_says_what_it_is_and_carries_its_intervals(sample_calls: sl.Calls) -> None:
    measured = sl.redaction_recall(sample_calls, n=2)
    assert repr(measured).startswith("Recall on synthetic forms")
    assert re.search(r"CARD \d+\.\d% \(\d+\.\d% to \d+\.\d% of 18\)", repr(measured))


def test_calls_without_text_are_refused_with_the_setting_that_keeps_it(sample_calls: sl.Calls) -> None:
    bare = sample_calls.messages.with_columns(text=pl.lit(None, dtype=pl.String))
    with pytest.raises(SettingError, match="--no-text"):
        sl.redaction_recall(replace(sample_calls, messages=bare))
    with pytest.raises(SettingError, match="1 or more"):
        sl.redaction_recall(sample_calls, n=0)


def test_a_rule_of_the_users_is_at_work_too(sample_calls: sl.Calls, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: [{name: ANY_WORD, pattern: '[a-z]{4,60}'}]")
    with_rule = sl.redaction_recall(sample_calls, n=1, rules=tmp_path / "rules.yaml")
    assert with_rule.frame["planted"].sum() > 0


def test_the_run_keeps_the_result_and_its_report_prints_it(small_log: Path, tmp_path: Path) -> None:
    run = sl.open_run(tmp_path / "run")
    made = sl.plan(sl.assess(sl.discover_tasks(sl.read_logs(small_log, run=run), run=run), run=run), run=run)
    before = sl.report(made, run=run)
    assert before["redaction"]["recall"] is None
    assert "Recall on synthetic forms" not in run.path("report.html").read_text()
    measured = sl.redaction_recall(made.tasks.calls, n=2, run=run)
    summary = sl.report(made, run=sl.open_run(tmp_path / "run"))
    assert [k["kind"] for k in summary["redaction"]["recall"]["kinds"]] == measured.totals["kind"].to_list()
    assert f"measured on {measured.measured_on}" in run.path("report.html").read_text()


@pytest.fixture(scope="module")
def sample_calls(small_log: Path) -> sl.Calls:
    return sl.read_logs(small_log)
