"""When two answers count as the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.suitability.answers import Answer, parse_answer
from slmlens.suitability.bags import bag_words
from slmlens.suitability.comparators import TaskAnswers, compare_task

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def task(*answers: Answer) -> TaskAnswers:
    return compare_task(list(answers), np.arange(len(answers)))


def said(*texts: str) -> TaskAnswers:
    return task(*(parse_answer(text, None) for text in texts))


def same(answers: TaskAnswers, i: int = 0, j: int = 1) -> bool:
    return bool(answers.equal(np.array([i]), np.array([j]))[0])


def call(name: str, **arguments: object) -> dict[str, str]:
    return {"name": name, "arguments": json.dumps(arguments)}


def test_another_label_is_another_answer():
    assert not same(said('{"intent": "banana"}', '{"intent": "refund"}'))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Refund", "  refund\n"),
        ("\ufb01nance", "finance"),
        ('{"a": 1, "b": "X y"}', '{"b": "x  Y", "a": 1.0}'),
        ('{"a": 1}', '```json\n{"a": 1}\n```'),
        ("1,200.0", "1 200"),
        ("$1,200.0", "$ 1200"),
    ],
)
def test_case_space_order_and_wrapping_do_not_matter(left, right):
    assert same(said(left, right))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ('{"a": 1}', "json"),
        ("[1, 2]", "list"),
        ("- one\n- two", "list"),
        ("-3.5", "number"),
        ("```sql\nSELECT 1\n```", "code"),
        ("The order was late.", "text"),
        ('{"a": 1', "text"),
    ],
)
def test_the_kind_of_an_answer_comes_from_its_form(text, kind):
    assert parse_answer(text, None).kind == kind


def test_parallel_tool_calls_are_a_set():
    left = parse_answer(None, [call("find", q="x"), call("book", day=1)])
    right = parse_answer(None, [call("book", day=1), call("find", q="x")])
    assert same(task(left, right))


def test_tool_calls_differ_by_name_by_argument_and_by_number():
    one = parse_answer(None, [call("find", q="x")])
    for other in (call("look", q="x"), call("find", q="y"), call("find", q="x", page=2)):
        assert not same(task(one, parse_answer(None, [other])))
    assert not same(task(one, parse_answer(None, [call("find", q="x"), call("find", q="x")])))


def test_a_reply_in_words_never_equals_a_tool_call():
    assert not same(task(parse_answer(None, [call("find", q="x")]), parse_answer("I found x.", None)))


def test_a_key_that_only_some_answers_have_does_not_count():
    answers = said(*(['{"intent": "a", "note": "n1"}'] + ['{"intent": "a"}'] * 9))
    assert same(answers)
    assert [field.name for field in answers.fields] == ["intent"]


def test_free_text_fields_agree_by_token_f1_and_make_the_task_weak():
    texts = [f"the parcel number {i} was sent to the depot on the north side" for i in range(6)]
    answers = said(*(json.dumps({"intent": "late", "why": text}) for text in texts))
    assert answers.weak
    assert same(answers)
    texts[5] = "nothing of the sort at all here now"
    other = said(*(json.dumps({"intent": "late", "why": text}) for text in texts))
    assert not same(other, 0, 5)


def test_labels_are_exact_and_not_weak():
    answers = said(*["billing", "refund", "Billing"] * 5)
    assert answers.kind == "label"
    assert not answers.weak


def test_answers_of_tool_calling_tasks_keep_replies_as_a_choice():
    answers = task(*[parse_answer(None, [call("find", q="x")])] * 3, *[parse_answer("Done, thanks.", None)] * 7)
    assert answers.kind == "tool_call"
    assert next(field for field in answers.fields if field.name == "(tool)").n_distinct == 2


def test_the_best_constant_is_the_commonest_answer():
    share, row = said("a", "b", "b", "c", "b").constant()
    assert (share, row) == (0.6, 1)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), json_values, max_size=3), min_size=1, max_size=6))
def test_agreement_is_reflexive_and_symmetric(objects):
    answers = said(*(json.dumps(value) for value in objects))
    n = len(answers)
    left, right = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    matrix = answers.equal(left, right).reshape(n, n)
    assert matrix.diagonal().all()
    assert (matrix == matrix.T).all()


@given(st.text(max_size=200))
def test_any_text_can_be_parsed(text):
    assert parse_answer(text, None).kind


@given(st.lists(st.text(alphabet="ab c", max_size=12), min_size=2, max_size=6))
def test_token_f1_lies_between_none_and_all_and_is_symmetric(texts):
    bags = bag_words(texts)
    left, right = np.repeat(np.arange(len(texts)), len(texts)), np.tile(np.arange(len(texts)), len(texts))
    f1 = bags.f1(left, right).reshape(len(texts), -1)
    assert ((f1 >= 0) & (f1 <= 1)).all()
    assert np.allclose(f1, f1.T)
    assert np.allclose(f1.diagonal(), 1)
