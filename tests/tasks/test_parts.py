"""The parts that discovery is made of."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import slmlens as sl
from slmlens.tasks.corpus import salted
from slmlens.tasks.edits import SiteTimes, prompt_edits
from slmlens.tasks.forms import form_of
from slmlens.tasks.holes import mark, skeleton_text, words_of
from slmlens.tasks.shingles import WIDTH, shingle
from slmlens.tasks.slots import slot_texts
from tests.tasks.world import pair, tasks_of

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@given(st.lists(st.text(max_size=80), max_size=8))
@pytest.mark.slow
def test_no_shingle_crosses_from_one_text_into_the_next(texts: list[str]) -> None:
    row, hashes = shingle(pl.Series(texts, dtype=pl.String))
    for i, text in enumerate(texts):
        assert np.array_equal(hashes[row == i], shingle(pl.Series([text]))[1])


@given(st.text(st.characters(exclude_categories=["Cn", "Co", "Cs"], max_codepoint=0xFFFF), max_size=200))
def test_each_word_has_a_window_and_a_place_in_the_text(text: str) -> None:
    (found,) = words_of([text])
    assert len(found.windows) == len(found.words) == len(found.spans)
    if text.lower() == text.casefold() and len(text.lower()) == len(text):
        for word, (start, end) in zip(found.literals, found.spans, strict=True):
            assert found.text[start:end].strip("<>").lower() == word


def test_digits_and_placeholders_are_masked() -> None:
    row, hashes = shingle(pl.Series(["order 123 of <EMAIL:AB23CD45>", "order 9.87 of <EMAIL:ZZ22YY33>"]))
    assert np.array_equal(hashes[row == 0], hashes[row == 1])


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"b": 1, "a": 2}', "JSON: a, b"),
        ('```json\n{"a": 2}\n```', "JSON: a"),
        ("[1, 2]", "list"),
        ("```sql\nSELECT 1\n```", "code"),
        ("42", "number"),
        ("billing", "short text"),
        ("Dear customer, thank you for your letter of last week.", "text"),
        ("  ", "no answer"),
        ("{broken", "short text"),
    ],
)
def test_the_form_of_an_answer_is_its_kind_and_keys_never_its_value(text: str, form: str) -> None:
    assert form_of(text) == form


def skeleton(template: str, values: list[str]) -> str:
    texts = words_of([template.format(v) for v in values])
    shared = set.intersection(*(set(salted(t.windows, 0).tolist()) for t in texts))
    core = np.array(sorted(shared), dtype=np.uint64)
    marked = [mark(t, core, 0) for t in texts]
    return skeleton_text(marked[0], marked[1:], k_show=5)


def test_a_hole_tells_how_long_its_texts_are() -> None:
    values = ["one", "one two", "one two three four", "six seven", "a b c", "x", "y z"]
    assert skeleton("Read this text carefully now: {} and then stop right here at once.", values) == (
        "Read this text carefully now: <text, 1-4 words> and then stop right here at once."
    )


def test_a_hole_with_few_values_tells_how_many() -> None:
    assert "<one of 2 values>" in skeleton(
        "Translate the letter below into {} and keep its tone friendly.", ["German", "French"] * 6
    )


def at(day: float) -> dt.datetime:
    return START + dt.timedelta(days=day)


def site(number: int, first: float, last: float, words: str, units: int = 20) -> SiteTimes:
    times = [at(first + (last - first) * i / (units - 1)) for i in range(units)]
    return SiteTimes(number, "", times, frozenset(f"{number}-{i}" for i in range(units)), words.split())


OLD = "you are the returns agent read the ticket and answer with the intent"
NEW = "you are the returns agent of september read the whole ticket and answer with the intent only"


def test_a_prompt_that_takes_over_from_a_like_one_is_its_edit() -> None:
    assert prompt_edits([site(1, 0, 13, OLD), site(2, 14, 28, NEW)]) == [(1, 2, at(14))]


def test_two_prompts_in_use_at_once_are_no_edit() -> None:
    assert prompt_edits([site(1, 0, 20, OLD), site(2, 14, 28, NEW)]) == []


def test_an_unlike_prompt_that_appears_later_is_no_edit() -> None:
    other = "translate the product sheet into plain english without changing its numbers"
    assert prompt_edits([site(1, 0, 13, OLD), site(2, 14, 28, other)]) == []


def test_four_sessions_are_too_few_to_see_an_edit() -> None:
    assert prompt_edits([site(1, 0, 13, OLD, 4), site(2, 14, 28, NEW, 4)]) == []


def test_slot_text_is_the_prompt_without_its_skeleton_but_with_its_numbers(tmp_path: Path) -> None:
    system = "Classify the ticket of our customer as billing or refund."
    names = [f"{a}{b}" for a in ("kazo", "lumi", "peta", "rodo") for b in ("ne", "ri", "sa", "tu", "vo")]
    tasks = tasks_of(tmp_path, [pair(i, system, f"{n} owes {i} euros", session=f"s{i}") for i, n in enumerate(names)])
    slots = dict(slot_texts(tasks, tasks.calls.calls.get_column("call_id")).rows())
    assert len(slots) == len(names)
    for i, name in enumerate(names):
        assert name in slots[f"chatcmpl-{i:05d}"]
        assert str(i) in slots[f"chatcmpl-{i:05d}"].split()
        assert "classify" not in slots[f"chatcmpl-{i:05d}"]


def test_width_is_what_the_padding_assumes() -> None:
    assert WIDTH % 2 == 1
    assert isinstance(sl.__version__, str)
