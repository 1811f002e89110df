"""What the stage says of logs whose truth is known."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from slmlens import stages
from slmlens.errors import ContractError, SettingError
from slmlens.run import open_run
from slmlens.suitability.assess import assess
from slmlens.suitability.false_green import false_green, plant_rule
from slmlens.suitability.settings import AssessSettings
from slmlens.tables import EvidenceTable
from tests.suitability.trap_logs import frame, pair, tasks_of, trap, trap_maker

GREEN = {"likely", "shown"}
TOPICS = {"billing": ["invoice", "charge"], "refund": ["reimburse", "return"], "tech": ["crash", "login"]}


@pytest.fixture(scope="module")
def maker(shared):
    return trap_maker(shared)


def verdict_of(rows, **settings):
    return assess(tasks_of(rows), **settings).verdicts.row(0, named=True)


def tickets(n=240, *, timed=True, label=lambda topic, _rng: topic, seed=0, sessions=3):
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        topic = rng.choice(sorted(TOPICS))
        filler = " ".join(rng.choices(["hello", "please", "today", "order", "urgent", "thanks", "again"], k=4))
        prompt = f"{filler} about my {rng.choice(TOPICS[topic])} no {rng.randrange(10**5)}"
        day = 28 * i / n if timed else None
        rows.append(pair(i, prompt, {"intent": label(topic, rng)}, f"s{i // sessions}", day=day))
    return rows


@pytest.mark.parametrize("name", ["coin_flip", "coin_flip_repeats"])
def test_a_coin_flip_is_no_signal(maker, name):
    rows, _ = trap(maker, name, 0)
    found = verdict_of(rows)
    assert found["evidence"] == "no-signal"
    assert found["learnable"] is False


@pytest.mark.parametrize("name", ["planted_rule", "prompt_edited"])
def test_a_planted_rule_is_likely_for_a_tuned_model(maker, name):
    rows, _ = trap(maker, name, 0)
    found = verdict_of(rows[:600])
    assert found["evidence"] == "likely"
    assert found["grade"] == "C"
    assert found["tuned"]["p_parity"] >= 0.8
    assert found["null_p"] <= 0.01


def test_a_planted_format_is_found_by_rules_that_reformat_and_not_by_lookup(maker):
    rows, _ = trap(maker, "planted_format", 0)
    verdicts = assess(tasks_of(rows[:500]))
    assert verdicts.verdicts.item(0, "evidence") in GREEN
    note = verdicts.evidence.filter(pl.col("source") == "program").item(0, "note")
    assert "as yyyy-mm-dd" in note
    assert "digits only" in note
    assert "looked up" not in note


def test_a_constant_does_not_pass_a_step_with_a_rare_class(maker):
    rows, truth = trap(maker, "rare_label", 0)
    found = verdict_of(rows)
    assert found["constant"] == pytest.approx(truth["constant_agreement"])
    assert found["evidence"] not in GREEN
    assert found["program_lo90"] is None
    assert found["rare_class"] == "block"
    assert found["rare_n"] >= 10


def test_the_incumbents_self_agreement_is_found(maker):
    rows, truth = trap(maker, "self_disagreement", 0)
    found = verdict_of(rows)
    signals = {entry["name"]: entry["value"] for entry in found["signals"]}
    assert found["ceiling_lo90"] <= truth["pairwise_agreement"] <= found["ceiling_hi90"]
    assert signals["ceiling_mode_lo90"] <= truth["mode_agreement"] <= signals["ceiling_mode_hi90"]
    assert found["a_needed"] < 0.70


def test_wordings_that_differ_in_a_number_only_do_not_count_as_learned(maker):
    rows, _ = trap(maker, "near_duplicates", 0)
    found = verdict_of(rows)
    assert found["evidence"] == "open"
    assert found["learnable"] is False


def test_five_templates_have_no_green_task_and_two_constants(maker):
    rows, truth = trap(maker, "five_templates", 0, 2_000)
    found = assess(tasks_of(rows, lambda i, _row: truth["gold"][i])).verdicts
    by_task = {row["task_id"]: row for row in found.iter_rows(named=True)}
    assert not GREEN & set(found.get_column("evidence"))
    assert not any(row["learnable"] for row in by_task.values())
    assert {task for task, row in by_task.items() if (row["program_lo90"] or 0) >= 0.99} == {"sql", "summarise"}
    assert by_task["route"]["evidence"] == "no-signal"


def test_hostile_text_and_personal_data_are_judged_like_any_other(maker):
    for name in ("hostile_text", "personal_data"):
        rows, _ = trap(maker, name, 0)
        assert assess(tasks_of(rows)).verdicts.height == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coin_flip", "coin_flip_repeats", "planted_rule"])
def test_the_words_hold_over_many_seeds(maker, name):
    words = [verdict_of(trap(maker, name, seed)[0])["evidence"] for seed in range(100, 102)]
    wanted = "likely" if name == "planted_rule" else "no-signal"
    assert words.count(wanted) == len(words)


def test_row_order_and_the_hash_key_do_not_matter():
    rows = tickets(120)
    shuffled = rows[:]
    random.Random(5).shuffle(shuffled)
    for one, other in ((tasks_of(rows), tasks_of(shuffled)), (tasks_of(rows, key="a"), tasks_of(rows, key="b"))):
        left, right = assess(one), assess(other)
        assert_frame_equal(left.verdicts, right.verdicts)
        assert_frame_equal(left.evidence, right.evidence)


def test_without_times_neither_row_order_nor_the_hash_key_matters():
    rows = tickets(120, timed=False)
    left, right = assess(tasks_of(rows, key="a")), assess(tasks_of(rows[::-1], key="b"))
    assert_frame_equal(left.verdicts, right.verdicts)


def test_without_times_the_split_says_so_and_nothing_is_green():
    found = verdict_of(tickets(timed=False))
    assert not found["time_ordered"]
    assert found["evidence"] == "open"
    assert any("not a time split" in reason for reason in found["reasons"])
    assert verdict_of(tickets())["evidence"] == "likely"


def test_noise_in_the_labels_keeps_a_rule_from_green_unless_repeats_explain_it():
    def noisy(topic, rng):
        return topic if rng.random() < 0.8 else rng.choice(sorted(TOPICS))

    found = verdict_of(tickets(600, label=noisy))
    assert found["learnable"]
    assert found["evidence"] == "open"


def test_few_calls_or_units_are_not_judged():
    assert verdict_of(tickets(20))["evidence"] == "not-enough-data"
    one_session = tickets(60, sessions=60)
    assert verdict_of(one_session)["evidence"] == "not-enough-data"


def test_failed_calls_are_counted_and_not_learned_from():
    rows = tickets(60)
    for row in rows[:7]:
        row["status"] = "truncated"
    found = verdict_of(rows)
    assert found["n_ok"] == 53
    assert found["failures"] == [{"status": "truncated", "n": 7}]


def test_a_task_of_which_every_call_failed_still_has_a_verdict():
    rows = tickets(40)
    for row in rows:
        row["status"] = "error"
    found = verdict_of(rows)
    assert (found["n_ok"], found["evidence"], found["tuned"]) == (0, "not-enough-data", None)


def test_a_prompt_larger_than_any_window_is_gated():
    rows = tickets(60)
    for row in rows:
        row["response"]["usage"]["prompt_tokens"] = 230_000
    found = verdict_of(rows)
    assert found["evidence"] == "gated"
    assert "230,000 tokens" in found["gate"]


def test_prompts_with_images_are_gated():
    rows = tickets(60)
    for row in rows:
        row["request"]["messages"][1]["content"] += "\n[image]"
    assert "images" in verdict_of(rows)["gate"]


def test_a_constant_answer_is_code_and_not_a_candidate():
    rows = [pair(i, f"order {i} of client {i % 7}", "OK", f"s{i}", day=i / 20) for i in range(320)]
    found = verdict_of(rows)
    assert found["program_lo90"] >= 0.99
    assert found["evidence"] == "open"
    assert "plain code" in found["reasons"][0]


def graded(agreement, n, mode="swap"):
    def probe(tasks):
        row = {"task_id": "task", "mode": mode, "slm": "Granite", "source": "pilot", "n": n, "n_units": n}
        row |= {"agreement": agreement, "note": "graded by hand"}
        assert tasks.tasks.height == 1
        return frame(EvidenceTable, [row])

    return probe


def test_a_pilot_decides_where_there_is_one():
    rows = tickets(sessions=1)
    good = verdict_of(rows, probes=[graded(1.0, 240)])
    assert (good["evidence"], good["grade"], good["swap"]["slm"]) == ("shown", "A", "Granite")
    few = verdict_of(rows, probes=[graded(1.0, 30)])
    assert (few["evidence"], few["grade"]) == ("likely", "B")
    bad = verdict_of(rows, probes=[graded(0.5, 240), graded(0.5, 240, "tuned")])
    assert (bad["evidence"], bad["grade"]) == ("unlikely", "A")


def test_a_model_that_failed_as_it_is_does_not_speak_for_a_tuned_one():
    found = verdict_of(tickets(sessions=1), probes=[graded(0.5, 240)])
    assert found["swap"]["p_parity"] < 0.01
    assert (found["evidence"], found["grade"]) == ("likely", "C")
    assert any("Graded, Granite as it is gave an acceptable answer in 50%" in reason for reason in found["reasons"])


def test_of_several_graded_models_each_has_its_own_chance_of_parity_and_the_bound_is_split():
    rows = tickets(sessions=1)

    def named(slm, agreement):
        def probe(tasks):
            return graded(agreement, 120)(tasks).with_columns(slm=pl.lit(slm))

        return probe

    alone = assess(tasks_of(rows), probes=[named("One", 1.0)])
    three = assess(tasks_of(rows), probes=[named("One", 1.0), named("Two", 0.9), named("Three", 0.5)])
    chances = dict(three.evidence.filter(pl.col("source") == "pilot").select("slm", "p_parity").iter_rows())
    assert chances["One"] > 0.95 > chances["Two"] > chances["Three"]
    assert alone.verdicts.item(0, "evidence") == "shown"
    assert three.verdicts.item(0, "swap")["slm"] == "One"
    bounds = [reason for v in (alone, three) for reason in v.verdicts.item(0, "reasons") if "One as it is" in reason]
    assert "at least 96%, where parity asks for 95%" in bounds[0]
    assert "split over 3 models" in bounds[1]


def test_a_probe_that_returns_something_else_is_our_defect():
    with pytest.raises(ContractError):
        assess(tasks_of(tickets(40)), probes=[lambda _tasks: pl.DataFrame({"x": [1]})])


def test_what_few_sessions_share_is_not_shown():
    rows = tickets(300, label=lambda topic, _rng: topic)
    for i, row in enumerate(rows):
        if i in {9, 99, 199, 280}:
            row["response"]["choices"][0]["message"]["content"] = '{"intent": "Ms Kowalska"}'
            row["request"]["messages"][1]["content"] = "the rare one about Kowalska"
    found = assess(tasks_of(rows))
    assert found.verdicts.item(0, "rare_class") is not None
    assert "owalska" not in str(found.verdicts.rows()) + str(found.evidence.rows())


def test_every_threshold_is_an_assumption_with_a_source_and_a_date():
    assumptions = assess(tasks_of(tickets(40)), settings=AssessSettings(parity=0.9)).assumptions
    named = dict(assumptions.select("name", "value").iter_rows())
    assert named["assess.parity"] == "0.9"
    assert named["prior.swap_dated.log_output_tokens"].startswith("-0.")
    assert all(assumptions.get_column("source"))
    assert all(dt.date.fromisoformat(day) for day in assumptions.get_column("date"))


@pytest.mark.parametrize("bad", [{"parity": 1.2}, {"alpha": 0}, {"min_calls": 0}])
def test_settings_outside_their_range_are_refused(bad):
    with pytest.raises(SettingError):
        AssessSettings(**bad)


def test_a_learnable_log_is_no_longer_learnable_once_its_answers_are_shuffled():
    rows = tickets(180, sessions=2)
    found = false_green(tasks_of(rows), shuffles=4)
    assert (found["rate"], found["pairs"], found["tasks_without_probe"]) == (0.0, 4, 0)
    assert (found["planted"], found["planted_missed"]) == (1, 0), "a rule in the words of its prompts is found"
    assert 0.4 < found["hi95"] < 0.6, "Wilson: none of four"


def test_a_planted_rule_is_a_function_of_the_words_alone():
    slots = [row["request"]["messages"][1]["content"] for row in tickets(200)]
    planted = [answer.fields["answer"] for answer in plant_rule(slots)]
    again = [answer.fields["answer"] for answer in plant_rule(slots[::-1])][::-1]
    assert planted == again
    assert min(planted.count(name) for name in set(planted)) >= 20
    assert len(set(planted)) == 3
    assert plant_rule(["the same text"] * 50) is None


def test_the_false_green_rate_is_measured_where_it_is_asked_for_and_kept_in_the_run(tmp_path):
    tasks = tasks_of(tickets(90))
    assert assess(tasks).false_green is None
    run = open_run(tmp_path / "run")
    stages.assess(tasks, run=run, shuffles=2)
    kept = stages.assess(tasks, run=open_run(tmp_path / "run"))
    assert kept.false_green["shuffles"] == 2
    assert kept.false_green["pairs"] == 2
    assert set(run.manifest["probe_seconds"]) == {"task"}


def test_a_log_without_tasks_has_no_verdicts():
    tasks = tasks_of([])
    verdicts = assess(tasks)
    assert (verdicts.verdicts.height, verdicts.evidence.height) == (0, 0)
    assert false_green(tasks)["rate"] is None


def test_after_a_prompt_edit_only_answers_to_the_present_prompt_count():
    """Before the edit the answers are chance, after it they follow the ticket; the task is learnable as it is now."""
    tosses = random.Random(5)
    early = tickets(480, label=lambda _topic, _rng: tosses.choice(sorted(TOPICS)))[:240]
    tasks = tasks_of(early + tickets(480, seed=0)[240:])
    edited_on = tasks.calls.calls.sort("started_at").item(240, "started_at")
    edited = replace(tasks, tasks=tasks.tasks.with_columns(edited_on=pl.lit(edited_on)))
    found = [assess(t) for t in (tasks, edited)]
    students = [v.evidence.filter(source="student").get_column("agreement").min() for v in found]
    before, after = (v.verdicts.row(0, named=True) for v in found)
    assert (before["n_ok"], after["n_ok"]) == (480, 240)
    assert students[1] > 0.95 > students[0]
    assert after["learnable"]
    assert after["reasons"][-1].startswith(f"The prompt was edited on {edited_on.date()}")
    assert not any("edited" in reason for reason in before["reasons"])


@pytest.mark.slow
def test_a_model_that_was_graded_well_overrules_a_classifier_that_saw_no_signal(maker):
    rows, _ = trap(maker, "coin_flip", 0)
    assert verdict_of(rows)["evidence"] == "no-signal"
    assert verdict_of(rows, probes=[graded(1.0, 120)])["evidence"] == "shown"
    repeats, _ = trap(maker, "coin_flip_repeats", 0)
    assert verdict_of(repeats, probes=[graded(0.4, 120)])["evidence"] == "no-signal"


def test_in_a_loop_answers_to_logged_prompts_reach_grade_b_at_most():
    tasks = tasks_of(tickets(sessions=1))
    looped = replace(tasks, tasks=tasks.tasks.with_columns(steps_per_session=pl.lit(6.0)))
    found = assess(looped, probes=[graded(1.0, 240)]).verdicts.row(0, named=True)
    assert (found["evidence"], found["grade"]) == ("likely", "B")
    said = " ".join(found["reasons"])
    assert "It runs 6.0 times a session" in said
    assert "grade B at most" in said


def test_the_rare_class_of_a_graded_model_is_the_one_that_counts():
    def probe(tasks):
        return graded(0.99, 240)(tasks).with_columns(rare_n=pl.lit(4), rare_recall=pl.lit(None, dtype=pl.Float64))

    found = verdict_of(tickets(sessions=1), probes=[probe])
    assert (found["rare_n"], found["rare_recall"]) == (4, None)
    assert "Granite" in found["rare_class"]
    assert any("is not measured (n = 4)" in reason for reason in found["reasons"])


def test_tools_that_act_and_instructions_on_health_are_left_to_a_person_and_gate_nothing():
    tasks = tasks_of(tickets(sessions=1))
    text = "You read the symptoms of a patient and name the dosage."
    calls = tasks.calls.calls.with_columns(tool_calls=pl.lit([{"name": "send_refund", "arguments": "{}"}]))
    acting = replace(
        tasks,
        tasks=tasks.tasks.with_columns(skeleton=pl.lit(text)),
        calls=replace(tasks.calls, calls=calls),
    )
    found = assess(acting).verdicts.row(0, named=True)
    assert found["gate"] is None
    assert found["evidence"] != "gated"
    said = " ".join(found["reasons"])
    assert found["hold"] == "its calls act and its instructions or tools speak of health"
    assert f"{found['hold'][1:]}: only a person may decide to move it" in said
    plain = assess(tasks).verdicts.row(0, named=True)
    assert plain["hold"] is None
    assert "a person" not in " ".join(plain["reasons"])


def test_both_intervals_of_agreement_are_nested_around_the_median():
    for mode in ("swap", "tuned"):
        found = verdict_of(tickets(sessions=1), probes=[graded(0.9, 60, mode)])[mode]
        assert found["a_lo90"] <= found["a_lo80"] <= found["a_p50"] <= found["a_hi80"] <= found["a_hi90"]
