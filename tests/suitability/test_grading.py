"""A candidate's answer is graded against the incumbent's: what agrees, what doesn't, and why."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slmlens.suitability.answers import Answer, normalise, parse_answer
from slmlens.suitability.candidates import parse_candidate
from slmlens.suitability.comparators import ALIKE, SAME, Comparator, comparator_of, compare_task
from slmlens.suitability.disagreement import (
    BROKEN,
    NO_ANSWER,
    OTHER_FORM,
    OTHER_TOOL,
    OTHER_VALUE,
    PROSE,
    REORDERED,
    SAME_IN_OTHER_FORM,
)

words = st.text(alphabet="abcXYZäß 09-_", min_size=1, max_size=10).filter(lambda text: bool(text.strip()))
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e6, 1e6) | words
keys = st.sampled_from(["a", "b", "c.d", ""])
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
objects = st.dictionaries(keys, values, min_size=1, max_size=4)


def fitted(*answers: Answer) -> Comparator:
    return comparator_of(compare_task(list(answers), np.arange(len(answers))))


def text(body: str) -> Answer:
    return parse_answer(body, None)


def call(name: str, **arguments: object) -> dict[str, str]:
    return {"name": name, "arguments": json.dumps(arguments)}


def grade(reference: str, candidate: str, *others: str):
    return fitted(text(reference), *map(text, others)).grade(text(reference), parse_candidate(candidate))


LABELS = ("refund", "billing") * 5
SQL = "SELECT Name, count(*) AS n FROM Users u WHERE id = 10 GROUP BY 1"


class TestProperties:
    @given(st.lists(objects.map(json.dumps) | words, min_size=1, max_size=6))
    def test_grades_are_what_the_task_says_of_its_own_answers(self, bodies):
        """One rule, in two forms: answers by row, and any answer against any other."""
        answers = [text(body) for body in bodies]
        task = compare_task(answers, np.arange(len(answers)))
        rule = comparator_of(task)
        for i, one in enumerate(answers):
            for j, other in enumerate(answers):
                agrees = rule.grade(one, other).agrees
                assert agrees == task.equal(np.array([i]), np.array([j]))[0]
                assert agrees == rule.grade(other, one).agrees
            assert rule.grade(one, one).why == SAME

    @given(objects, st.randoms())
    def test_key_order_white_space_and_case_do_not_matter(self, value, rng):
        def turned(item):
            if isinstance(item, dict):
                pairs = [(key, turned(inner)) for key, inner in item.items()]
                rng.shuffle(pairs)
                return dict(pairs)
            if isinstance(item, list):
                return [turned(inner) for inner in item]
            return item.upper().replace(" ", " \n ") if isinstance(item, str) else item

        reference, candidate = json.dumps(value), json.dumps(turned(value), indent=3, ensure_ascii=False)
        assert grade(reference, candidate).agrees

    @given(objects)
    def test_json_in_a_code_fence_is_the_bare_json(self, value):
        assert grade(json.dumps(value), f"```json\n{json.dumps(value)}\n```").agrees

    @given(words, words)
    def test_another_label_never_agrees_bare_or_in_json(self, one, other):
        assume(normalise(one) != normalise(other))
        assert not fitted(*map(text, (one, other) * 5)).grade(text(one), text(other)).agrees
        found = grade(json.dumps({"intent": one}), json.dumps({"intent": other}), json.dumps({"intent": "x"}))
        assert not found.agrees

    @given(objects.map(json.dumps) | words, st.sampled_from(["", " \n", "null", "{}", "[]", "<think>hm</think>"]))
    def test_nothing_never_agrees_with_something(self, something, nothing):
        assume(normalise(something) != normalise(nothing))
        found = grade(something, nothing, something)
        assert not found.agrees

    @given(values)
    def test_null_agrees_with_null_only(self, value):
        assume(value is not None)
        assert not grade(json.dumps({"a": None}), json.dumps({"a": value})).agrees

    @given(st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.integers())
    def test_numbers_are_equal_by_value(self, one, other):
        found = grade(json.dumps({"n": one}), json.dumps({"n": other}))
        assert found.agrees == (one == other) or abs(other) > 2**53

    @given(st.lists(st.tuples(st.sampled_from("fgh"), objects), min_size=1, max_size=4), st.randoms())
    def test_parallel_tool_calls_agree_in_any_order(self, calls, rng):
        made = [{"name": name, "arguments": json.dumps(value)} for name, value in calls]
        turned = made[:]
        rng.shuffle(turned)
        one, other = parse_answer(None, made), parse_candidate(None, turned)
        assert fitted(one).grade(one, other).agrees

    @given(st.text(max_size=300))
    def test_any_candidate_can_be_graded(self, body):
        for reference in (text("refund"), text('{"a": 1}'), parse_answer(None, [call("f", x=1)])):
            assert fitted(reference).grade(reference, parse_candidate(body)).why


@pytest.mark.parametrize(
    ("reference", "candidate", "why"),
    [
        ("refund", "billing", OTHER_VALUE),
        ("refund", '{"intent": "banana"}', OTHER_FORM),
        ("refund", '{"intent": "Refund"}', SAME_IN_OTHER_FORM),
        ("refund", "**Refund.**", SAME_IN_OTHER_FORM),
        ("refund", "The intent is clearly refund.", PROSE),
        ("refund", "", NO_ANSWER),
        ('{"intent": "refund"}', "refund", SAME_IN_OTHER_FORM),
        ('{"intent": "refund"}', '{"intent": "banana"}', f"{OTHER_VALUE} of intent"),
        ('{"intent": "refund"}', '{"Intent": "refund"}', "lacks intent"),
        ('{"intent": "refund"}', '{"intent": "refund"', BROKEN),
        ('{"intent": "refund"}', "{'intent': 'refund'}", BROKEN),
        ('{"intent": "refund"}', 'Here you are: {"intent": "refund"}', PROSE),
        ('{"intent": "refund"}', 'Here you are:\n```json\n{"intent": "refund", "note": "as asked"}\n```', PROSE),
        ('["a", "b"]', '["b", "a"]', REORDERED),
        ('["a", "b"]', '["a", "b", "c"]', OTHER_VALUE),
        ("- one\n- two", "1. Two\n2. One", REORDERED),
        ("1,200", "1,201", OTHER_VALUE),
        ("$1,200", "€1,200", SAME_IN_OTHER_FORM),
        ("12", "twelve items", PROSE),
        (f"```sql\n{SQL}\n```", f"```sql\n{SQL.replace('10', '11')}\n```", OTHER_VALUE),
    ],
)
def test_a_wrong_answer_is_told_from_a_right_one_in_another_form(reference, candidate, why):
    found = grade(reference, candidate, *(LABELS if reference == "refund" else ()))
    assert (found.agrees, found.why) == (False, why)


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ("refund", "<think>maybe billing?</think>\n Refund"),
        ("refund", "maybe billing?</think>Refund"),
        ('{"intent": "refund"}', '{"intent": "refund", "confidence": 0.9}'),
        ('{"n": 1}', '{"n": 1.0}'),
        ('{"n": 1}', '{"n": "1"}'),
        ("1,200.50", "1200.5"),
        ("12 ms", "12.0ms"),
        ("- one\n- two", "1. One\n2.  Two"),
        (f"```sql\n{SQL};\n```", "select name, COUNT(*) n\nfrom users AS u -- all\nwhere id=10.0\ngroup by 1"),
        (
            json.dumps({"query": "SELECT * FROM t WHERE a = 'X' LIMIT 5"}),
            json.dumps({"query": "select *\nfrom t where a='X'\nlimit 5;"}),
        ),
        ("```python\nx = f( 1 )  # go\nprint('a')\n```", '```python\nx = f(1)\n\nprint("a")\n```'),
        ("```js\nlet x = 1; // one\n```", "```javascript\nlet x=1;\n```"),
    ],
)
def test_the_same_answer_written_otherwise_agrees(reference, candidate):
    assert grade(reference, candidate, *(LABELS if reference == "refund" else ())).agrees


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 'X'", "SELECT a FROM t WHERE b = 'x'"),
        ("SELECT a FROM t WHERE d > now() - interval '5 days'", "SELECT a FROM t WHERE d > now() - interval '6 days'"),
        ("SELECT a, b FROM t", "SELECT b, a FROM t"),
        ('SELECT "A" FROM t', 'SELECT "a" FROM t'),
        ("SELECT a FROM t LIMIT 5", "SELECT a FROM t LIMIT 50"),
        ("SELECT a FROM t WHERE id = 12345678901234567890", "SELECT a FROM t WHERE id = 12345678901234567891"),
    ],
)
def test_queries_that_differ_in_a_value_do_not_agree(one, other):
    assert not grade(one, other).agrees


def test_long_ids_that_a_float_would_round_together_differ():
    assert not grade('{"id": 9007199254740993}', '{"id": 9007199254740992}').agrees


def test_lists_of_short_items_are_not_compared_by_word_overlap():
    lists = [json.dumps(list(range(i, i + 12))) for i in range(8)]
    found = grade(lists[0], json.dumps([*range(11), 99]), *lists[1:])
    assert not found.agrees


def test_free_text_agrees_by_overlap_and_is_weak():
    texts = [f"the parcel number {i} was sent to the depot on the north side" for i in range(6)]
    rule = fitted(*map(text, texts))
    assert rule.weak
    assert rule.grade(text(texts[0]), text(texts[0].replace("north", "south"))).why == ALIKE
    assert not rule.grade(text(texts[0]), text("nothing of the sort at all here")).agrees


def test_python_and_sql_are_parsed_and_not_weak_while_other_languages_are():
    queries = [f"```sql\nSELECT a FROM t WHERE b = {i}\n```" for i in range(6)]
    scripts = [f"```bash\ncat file{i} | head\n```" for i in range(6)]
    assert not fitted(*map(text, queries)).weak
    assert fitted(*map(text, scripts)).weak


def test_where_the_incumbent_puts_words_around_its_json_a_candidate_may_too():
    said = 'As asked:\n```json\n{"intent": "refund", "why": "late"}\n```'
    bare = '{"intent": "refund", "why": "late"}'
    assert grade(said, bare).agrees
    assert grade(said, said.replace("As asked", "Of course")).agrees
    assert grade(bare, said).why == PROSE


def test_a_tool_call_is_graded_by_name_and_every_argument():
    reference = parse_answer(None, [call("find", q="x")])
    rule = fitted(reference, parse_answer(None, [call("look", q="y")]))
    for candidate, why in [
        ([call("look", q="x")], OTHER_TOOL),
        ([call("find", q="y")], f"{OTHER_VALUE} of find.q"),
        ([call("find")], "lacks find.q"),
        ([call("find", q="x", page=2)], "find.page is one too many"),
    ]:
        assert rule.grade(reference, parse_candidate(None, candidate)).why == why
    assert rule.grade(reference, parse_candidate("I found x.")).why == PROSE


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        ('<tool_call>\n{"name": "find", "arguments": {"q": "X"}}\n</tool_call>', None),
        ('[TOOL_CALLS] [{"name": "find", "arguments": {"q": "x"}}]', None),
        (None, [{"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}]),
        ("", [{"name": "find", "arguments": {"q": "x"}}]),
    ],
)
def test_tool_calls_count_in_every_form_a_server_or_a_model_gives_them(body, calls):
    reference = parse_answer(None, [call("find", q="x")])
    assert fitted(reference).grade(reference, parse_candidate(body, calls)).agrees


def test_half_a_tool_call_is_none():
    reference = parse_answer(None, [call("find", q="x")])
    broken = parse_candidate('<tool_call>{"name": "find", "arguments": {"q"</tool_call>')
    assert not fitted(reference).grade(reference, broken).agrees
