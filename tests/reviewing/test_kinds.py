"""Kinds of work inside a task: shown beside it, told what they are good for, and decided on only by a rule."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import polars as pl
import pytest

import slmlens as sl
from slmlens.reviewing.folds import LOOK, SPLIT_BY_RULE
from slmlens.reviewing.kinds import SAYS_IT, Kinds, kinds_grid, kinds_of, kinds_words
from slmlens.reviewing.panel import FOLDS
from slmlens.tasks.decisions import FILE, load
from slmlens.tasks.encoders import tfidf_encoder
from slmlens.tasks.meaning import MeaningSettings
from tests.reviewing.test_panel import click, tick
from tests.tasks.test_meaning import SYSTEM, WORK, said
from tests.tasks.world import Record, answer, log, pair, tasks_of

FAST = MeaningSettings(halves=4)
MARKS = {"sums": "compute", "letters": "write", "code": "implement"}


def work(sessions: int, *, marked: bool = True, forms: bool = False) -> list[Record]:
    """Three kinds of work behind one prompt; ``marked`` puts a word of its own into each, ``forms`` an own answer."""
    rng, rows = random.Random(1), []
    for i in range(sessions):
        kind = rng.choice(sorted(WORK))
        words = said(rng, WORK[kind])
        text = f"{words} {MARKS[kind]}" if marked else " ".join(words.split()[:6])
        rows.append(pair(i, SYSTEM, text, session=f"s{i}"))
        if forms:
            answer(rows[i], json.dumps({kind: 1}))
    return rows


def looked(folder: Path, rows: list[Record], settings: MeaningSettings = FAST) -> tuple[sl.Tasks, Kinds]:
    tasks = tasks_of(folder, rows)
    encoder = tfidf_encoder([" ".join(words) for words in WORK.values()])
    return tasks, kinds_of(tasks, tasks.tasks.item(0, "task_id"), encoder=encoder, settings=settings)


def test_a_word_that_says_a_part_is_offered_and_its_split_is_that_part(tmp_path: Path) -> None:
    tasks, kinds = looked(tmp_path, work(150))
    assert kinds.parts.height == 3
    assert set(MARKS.values()) <= {rule.value for rule in kinds.rules}
    best = next(rule for rule in kinds.rules if rule.value in MARKS.values())
    assert best.kind == "phrase"
    assert best.inside >= SAYS_IT
    session = sl.review(tasks, author="ana").session
    session.select(kinds.task_id)
    change = session.split(**{best.kind: best.value})
    sizes = session.tasks.tasks.filter(pl.col("task_id").is_in(change.task_ids)).get_column("n_calls").to_list()
    part = kinds.parts.filter(pl.col("part") == best.part).item(0, "n_calls")
    assert min(abs(size - part) for size in sizes) <= (1 - SAYS_IT) * part
    assert "can be decided on" in kinds_words(kinds)


def test_parts_that_nothing_says_are_shown_and_can_not_be_decided_on(tmp_path: Path) -> None:
    _, kinds = looked(tmp_path, work(150, marked=False))
    assert kinds.parts.height == 3
    assert kinds.rules == ()
    assert "none can be decided on: a decision has to hold for a later log too" in kinds_words(kinds)


def test_the_unsplit_task_stands_above_its_parts_and_they_add_up(tmp_path: Path) -> None:
    tasks, kinds = looked(tmp_path, work(120))
    frame = kinds_grid(kinds).frame
    calls = [int(n.replace(",", "")) for n in frame.get_column("calls")]
    assert frame.item(0, "part") == "the task, unsplit"
    assert calls[0] == sum(calls[1:]) == tasks.tasks.item(0, "n_calls")


def test_turns_of_a_loop_are_told_from_topics_by_the_forms_of_their_answers(tmp_path: Path) -> None:
    _, topics = looked(tmp_path, work(120))
    assert "topics or languages of one kind of work" in kinds_words(topics)
    (tmp_path / "turns").mkdir()
    _, turns = looked(tmp_path / "turns", work(120, forms=True))
    told = re.search(r"right in (\d+) % of the calls, who does not in (\d+) %", kinds_words(turns))
    assert told is not None
    assert int(told[1]) == 100 > int(told[2])
    assert "may be tried on a small model apart" in kinds_words(turns)


def test_keys_that_few_sessions_share_are_not_named(tmp_path: Path) -> None:
    rows = work(120, forms=True)
    answer(rows[0], json.dumps({"hr_case_of_kim": 1}))
    _, kinds = looked(tmp_path, rows)
    assert "hr_case" not in str(kinds.forms) + repr(kinds_grid(kinds))
    assert kinds.forms.filter(pl.col("form") == "JSON").height > 0


def test_what_does_not_come_back_is_not_shown(tmp_path: Path) -> None:
    rng = random.Random(5)
    every = [word for words in WORK.values() for word in words]
    rows = [pair(i, SYSTEM, said(rng, every), session=f"s{i}") for i in range(80)]
    _, kinds = looked(tmp_path, rows)
    assert kinds.parts.is_empty()
    assert re.search(r"no two groups|do not come back", kinds_words(kinds))
    assert repr(kinds_grid(kinds)) == "No parts to show."


def test_what_nearly_comes_back_is_for_a_look_and_not_to_be_decided_on(tmp_path: Path) -> None:
    _, kinds = looked(tmp_path, work(150), MeaningSettings(halves=4, reproduced=1.01))
    assert kinds.parts.height == 3
    assert kinds.rules == ()
    assert "for a look, no more" in kinds_words(kinds)
    assert "None of them is firm enough" in kinds_words(kinds)


def test_a_task_of_few_sessions_says_how_many_it_needs(tmp_path: Path) -> None:
    _, kinds = looked(tmp_path, work(12))
    assert "has 12 sessions; kinds of work are looked for from 20" in kinds_words(kinds)


@pytest.mark.slow
def test_in_the_panel_a_look_changes_nothing_and_a_rule_is_one_click(tmp_path: Path) -> None:
    place, run = log(tmp_path, work(120)), sl.open_run(tmp_path / "run")
    tasks = sl.discover_tasks(sl.read_logs(place, run=run), run=run)
    panel = sl.review(tasks, run=run, author="ana", raises=True)
    assert panel.kinds.look.disabled
    tick(panel, panel._rows[0].task_id)
    click(panel.kinds.look)
    assert "part 1" in panel.kinds.found.value
    assert not run.path(FILE).exists()
    assert panel.kinds.offer.layout.display == ""
    rule = next(rule for _, rule in panel.kinds.rule.options if rule.value in MARKS.values())
    panel.kinds.rule.value = rule
    click(panel.kinds.split)
    (kept,) = load(run.path(FILE))
    assert (kept.kind, kept.rule) == ("split", ("phrase", rule.value))
    assert "by meaning, which come back to" in kept.reason
    assert panel.session.figures.tasks == 2
    assert panel.kinds.offer.layout.display == "none"
    again = sl.open_run(tmp_path / "run")
    decided = sl.discover_tasks(sl.read_logs(place, run=again), run=again)
    assert decided.tasks.equals(panel.session.tasks.tasks), "it is replayed"


@pytest.mark.slow
def test_a_rule_is_not_decided_on_while_a_cut_is_only_tried(tmp_path: Path) -> None:
    panel = sl.review(tasks_of(tmp_path, work(120)), raises=True)
    panel.sliders["k_task"].value = 10
    click(panel.recut)
    tick(panel, panel._rows[0].task_id)
    click(panel.kinds.look)
    assert panel.kinds.split.disabled


@pytest.mark.parametrize("said_of", [*FOLDS, LOOK, SPLIT_BY_RULE])
def test_the_docs_name_every_fold_and_its_buttons(said_of: str) -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "review.md").read_text(encoding="utf-8")
    assert said_of in docs.replace("\n", " ")


@pytest.mark.slow
def test_the_airline_loop_is_shown_beside_its_unsplit_call_site(shared: Path) -> None:
    """``agents_mixed``: the tau-bench loop has four kinds of turns, which miss the bar of a firm split narrowly."""
    tasks = sl.discover_tasks(sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz"))
    gold = pl.read_csv(shared / "bench" / "agents_mixed.gold.csv").filter(pl.col("application") == "tau")
    rows = tasks.assignments.join(gold, on="call_id").get_column("task_id").drop_nulls()
    kinds = kinds_of(tasks, rows.mode().item(0))
    assert kinds.parts.get_column("n_calls").sum() > 2000
    assert 3 <= kinds.parts.height <= 6
    assert "turns of different kinds, as in a tool-calling loop" in kinds_words(kinds)
