"""A pilot asks a fair sample, counts what it should, and says nothing between its looks."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from slmlens.errors import InputError
from slmlens.savings.pilot_plan import chance_shown
from slmlens.suitability.answers import Answer
from slmlens.suitability.intervals import Share
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import grade_answers, observed_task, progress_of, weighted_agreement
from slmlens.suitability.pilot_answers import check_ids, read_answers
from slmlens.suitability.pilot_prompts import pilot_prompts
from slmlens.suitability.pilot_sample import draw_pilot, inclusion, rare_unreached, sessions_of
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.recorded import recorded_evidence
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.splits import earlier_units
from tests.suitability.test_assess import tickets
from tests.suitability.trap_logs import labelled_task, tasks_of

DEFAULTS = AssessSettings()


def observed(sizes: list[int], label=lambda _rng: "a", seed: int = 0) -> Observed:
    """A task of sessions with so many calls each, in time order."""
    rng = random.Random(seed)
    return labelled_task(sizes, [label(rng) for _ in range(sum(sizes))])


def drawn(of: Observed, seed: int = 0) -> pl.DataFrame:
    sample = draw_pilot(of, DEFAULTS, seed, task_calls=len(of))
    assert sample is not None
    return sample


def graded(sample: pl.DataFrame, n: int, good=lambda _call: True, mode: str = "swap", slm: str = "One") -> pl.DataFrame:
    calls = sample.sort("position").head(n).get_column("call_id")
    rows = [{"call_id": c, "slm": slm, "mode": mode, "acceptable": good(c), "why": "x"} for c in calls]
    return pl.DataFrame(rows)


@given(st.lists(st.integers(1, 9), min_size=30, max_size=300), st.integers(0, 5))
@example([1] * 21 + [4] + [1] * 8, 0)
@settings(max_examples=40)
def test_a_sample_is_a_look_long_with_one_call_a_session_and_leads_back_to_the_traffic(sizes, seed):
    of = observed(sizes, lambda rng: rng.choice("aaaaaaabbbbc"), seed)
    sample = drawn(of, seed)
    assert sample.height == max(look for look in LOOKS if look <= len(sizes))
    session = dict(zip(of.call_ids, sessions_of(of).tolist(), strict=True))
    asked = [session[call] for call in sample.get_column("call_id")]
    assert len(set(asked)) == len(asked)
    assert sample.get_column("position").to_list() == list(range(1, sample.height + 1))
    pool = sum(sizes) if sample.height == len(sizes) else sample.get_column("weight").sum()
    assert sample.get_column("weight").sum() == pytest.approx(pool)
    assert (sample.get_column("weight") > 0).all()


def test_the_weighted_agreement_is_right_on_average_where_long_sessions_and_rare_answers_are_harder():
    """A model is right on 95 % of the calls of short sessions, 60 % of long ones', 20 % of a rare class."""
    rng = random.Random(3)
    sizes = [rng.choice([1, 1, 2, 3, 12]) for _ in range(1200)]
    of = observed(sizes, lambda r: r.choices("abc", [60, 37, 3])[0], 1)
    size, codes = np.bincount(of.sessions)[of.sessions], np.array([answer.fields[""] for answer in of.answers])
    chance = np.where(codes == "c", 0.2, np.where(size > 6, 0.6, 0.95))
    right = np.random.default_rng(0).random(len(of)) < chance
    truth = right[~earlier_units(of.units, DEFAULTS.train_share)].mean()
    by_call = dict(zip(of.call_ids, right.tolist(), strict=True))
    shares: dict[int, list[Share]] = {60: [], 240: []}
    for seed in range(40):
        sample = drawn(of, seed)
        for look, found in shares.items():
            rows = sample.filter(pl.col("position") <= look)
            found.append(weighted_agreement(sample, rows.join(graded(sample, look, by_call.__getitem__), on="call_id")))
    for found in shares.values():
        values = [share.value for share in found]
        assert abs(np.mean(values) - truth) < 3 * np.std(values) / len(values) ** 0.5 + 0.002
        assert np.mean([share.lo90 <= truth <= share.hi90 for share in found]) >= 0.85
    assert all(share.n_eff <= share.n for found in shares.values() for share in found)


def test_every_look_is_a_stratified_sample_and_rare_answers_are_asked_for():
    of = observed([1] * 2000, lambda rng: rng.choices(["a", "b", "rare"], [70, 26, 4])[0])
    sample = drawn(of)
    shares = dict(sample.group_by("stratum").agg(pl.len() / sample.height).iter_rows())
    for look in LOOKS:
        at_look = sample.filter(pl.col("position") <= look).group_by("stratum").agg(pl.len() / look)
        found = dict(at_look.iter_rows())
        assert found.keys() == shares.keys()
        assert max(abs(found[one] - shares[one]) for one in shares) < 2 / look
    assert sample.filter(pl.col("class_share") < 0.05).height >= 10


@given(st.lists(st.integers(1, 50), min_size=2, max_size=60), st.data())
def test_chances_to_be_drawn_are_proportional_up_to_one_and_add_up(sizes, data):
    take = data.draw(st.integers(1, len(sizes)))
    chance = inclusion(np.array(sizes), take)
    assert chance.sum() == pytest.approx(take)
    assert ((chance > 0) & (chance <= 1)).all()
    free = chance < 1
    assert np.ptp((chance / sizes)[free]) < 1e-9 if free.any() else True


def test_row_order_and_the_key_do_not_change_what_is_asked():
    rows = tickets(150, sessions=1)
    shuffled = rows[:]
    random.Random(1).shuffle(shuffled)
    one, other, third = (
        observed_task(t, "task") for t in (tasks_of(rows), tasks_of(shuffled), tasks_of(rows, key="b"))
    )
    assert_frame_equal(drawn(one), drawn(other))
    assert_frame_equal(drawn(one), drawn(third))


def test_fewer_than_thirty_sessions_are_no_pilot():
    assert draw_pilot(observed([9] * 29), DEFAULTS, 0, task_calls=261) is None


def test_nothing_is_said_between_looks():
    sample = drawn(observed([1] * 300))
    for n, look, following in (
        (1, None, 30),
        (29, None, 30),
        (30, 30, 60),
        (59, 30, 60),
        (200, 120, 240),
        (240, 240, None),
    ):
        (found,) = progress_of(sample, graded(sample, n), DEFAULTS)
        assert (found.reached, found.look, found.next_look) == (n, look, following)
        assert (found.share is None) == (look is None)
        assert found.share is None or found.share.n == look


def test_a_prompt_passed_over_counts_as_wrong_until_it_is_answered():
    sample = drawn(observed([1] * 300))
    some = graded(sample, 60).filter(pl.int_range(pl.len()) % 4 != 0)
    (found,) = progress_of(sample, some, DEFAULTS)
    assert (found.missing, found.look) == (15, 60)
    assert found.share.value == pytest.approx(0.75, abs=0.02)
    assert found.wrong == (("no answer", 15),)
    (whole,) = progress_of(sample, graded(sample, 60), DEFAULTS)
    assert (whole.missing, whole.share.value) == (0, 1.0)


def test_for_a_tuned_model_only_later_sessions_count():
    sample = drawn(observed([1] * 300))
    later = sample.drop_nulls("later_position")
    assert 80 <= later.height <= 100
    (found,) = progress_of(sample, graded(sample, 240, mode="tuned"), DEFAULTS)
    assert (found.asked, found.look) == (later.height, 60)


def test_a_place_of_a_forgotten_session_still_counts_for_the_look():
    sample = drawn(observed([1] * 300))
    grades = graded(sample, 60)
    left = sample.filter(pl.col("position") != 7)
    (found,) = progress_of(left, grades.filter(pl.col("call_id").is_in(left.get_column("call_id").implode())), DEFAULTS)
    assert (found.look, found.share.n, found.missing) == (60, 59, 0)


def test_a_rare_class_has_its_own_recall_once_ten_are_graded():
    of = observed([1] * 2000, lambda rng: rng.choices(["a", "b", "rare"], [70, 26, 4])[0])
    sample = drawn(of)
    rare = set(sample.filter(pl.col("class_share") < 0.05).get_column("call_id"))
    grades = graded(sample, 240, lambda call: call not in rare)
    (early,) = progress_of(sample, grades.filter(pl.int_range(pl.len()) < 30), DEFAULTS)
    (late,) = progress_of(sample, grades, DEFAULTS)
    assert early.rare[0] is None
    assert late.rare == (0.0, len(rare))
    assert late.share.value > 0.9


def test_grades_are_those_of_the_shared_comparator():
    of = observed_task(tasks_of(tickets(60, sessions=1)), "task")
    same = dict(zip(of.call_ids, of.answers, strict=True))
    assert grade_answers(of, same, slm="One", mode="swap").get_column("acceptable").all()
    banana = dict.fromkeys(of.call_ids, Answer("json", {"intent": "banana"}))
    assert not grade_answers(of, banana, slm="One", mode="swap").get_column("acceptable").any()
    silent = grade_answers(of, dict.fromkeys(of.call_ids), slm="One", mode="swap")
    assert silent.get_column("why").unique().to_list() == ["no answer"]


def test_the_incumbents_answer_is_not_in_a_prompt_and_tools_are_put_together_from_the_log():
    tasks = tasks_of(tickets(40, sessions=1))
    calls = tasks.calls.calls.with_columns(
        tool_names_offered=pl.lit(["refund"]),
        tool_calls=pl.lit([{"name": "refund", "arguments": '{"order": "x", "amount": 3.5}'}]),
    )
    tasks = replace(tasks, calls=replace(tasks.calls, calls=calls))
    (record,) = pilot_prompts(tasks, {calls.item(0, "call_id"): "p-1"})
    assert [message["role"] for message in record["messages"]] == ["system", "user"]
    assert "intent" not in json.dumps(record)
    (tool,) = record["tools"]
    assert tool["function"]["parameters"]["properties"] == {"amount": {"type": "number"}, "order": {"type": "string"}}


@pytest.mark.parametrize(
    ("line", "kind", "fields"),
    [
        ({"id": "p", "answer": '{"intent": "Refund"}'}, "json", {"intent": "refund"}),
        ({"id": "p", "answer": {"intent": "refund"}}, "json", {"intent": "refund"}),
        ({"id": "p", "content": "yes"}, "text", {"": "yes"}),
        (
            {"id": "p", "tool_calls": [{"name": "pay", "arguments": {"amount": 3}}]},
            "tool_call",
            {"(tool)": "pay", "pay.amount": "3"},
        ),
        (
            {
                "id": "batch_req_1",
                "custom_id": "p",
                "error": None,
                "response": {
                    "status_code": 200,
                    "body": {"choices": [{"message": {"role": "assistant", "content": "yes"}}]},
                },
            },
            "text",
            {"": "yes"},
        ),
    ],
)  # fmt: skip
def test_answers_are_read_in_the_forms_that_servers_write(tmp_path, line, kind, fields):
    place = tmp_path / "a.jsonl"
    place.write_text(json.dumps(line) + "\n\n", encoding="utf-8")
    (answer,) = read_answers(place).values()
    assert answer is not None
    assert (answer.kind, answer.fields) == (kind, fields)


@pytest.mark.parametrize(
    "line",
    [
        {"custom_id": "p", "response": None, "error": {"code": "expired"}},
        {"custom_id": "p", "response": {"status_code": 500, "body": {"error": {"message": "x"}}}, "error": None},
        {"id": "p", "answer": None},
    ],
)
def test_a_model_that_failed_to_answer_gave_no_answer(tmp_path, line):
    place = tmp_path / "a.jsonl"
    place.write_text(json.dumps(line), encoding="utf-8")
    assert read_answers(place) == {"p": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no answers"),
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ('{"answer": "x"}', "no id"),
        ('{"id": "p"}', "no answer on this line"),
        ('{"id": "p", "tool_calls": "x"}', "no list of objects"),
        ('{"id": "p", "answer": "x"}\n{"id": "p", "answer": "y"}', "was answered before, on line 1"),
    ],
)
def test_a_bad_file_of_answers_is_told_with_its_line(tmp_path, text, said):
    place = tmp_path / "a.jsonl"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_answers(place)


def test_answers_to_other_prompts_are_refused_with_the_likely_reason():
    asked = ["t-1-aa", "t-1-bb"]
    for ids, said in ((["t-1-cc"], "another run"), (["x"], "another task"), (["t-1-aa", "y"], "take them out")):
        with pytest.raises(InputError, match="(?i)" + said):
            check_ids(ids, asked, where="a.jsonl")
    check_ids(asked[:1], asked, where="a.jsonl")


def test_a_pilot_rarely_shows_a_model_that_is_too_weak_and_mostly_one_that_is_good():
    """Parity asks for 0.95 of a ceiling of 1; a pilot that goes on to 240 calls."""
    weak, at, good = (chance_shown([a] * 101, 0.95, LOOKS) for a in (0.90, 0.95, 0.99))
    assert weak[-1] <= 0.05
    assert at[-1] <= 0.05
    assert good[-1] >= 0.80
    assert all(one == sorted(one) for one in (weak, at, good))


def test_a_rare_answer_that_no_call_to_ask_gave_is_told():
    of = labelled_task([1] * 200, ["a"] * 120 + ["b"] * 72 + ["c"] * 8)
    everywhere = np.arange(200)
    assert not rare_unreached(of, everywhere, DEFAULTS)
    assert rare_unreached(of, np.where(everywhere < 192, everywhere, -1), DEFAULTS)
    assert not rare_unreached(of, np.where(everywhere < 193, everywhere, -1), DEFAULTS)


def test_recorded_answers_that_miss_a_rare_class_leave_its_recall_unmeasured():
    of = labelled_task([1] * 200, ["a"] * 120 + ["b"] * 72 + ["c"] * 8)
    sample = drawn(of)
    table = sample.join(graded(sample, sample.height), on="call_id").with_columns(covered=0.96, rare_unreached=True)
    (row,) = recorded_evidence("t", table, DEFAULTS).to_dicts()
    assert (row["rare_n"], row["rare_recall"], row["covered"]) == (0, None, 0.96)
    (known,) = recorded_evidence("t", table.with_columns(rare_unreached=False), DEFAULTS).to_dicts()
    assert known["rare_n"] > 0
