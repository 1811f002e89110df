"""Which tasks a model is tuned on as evidence, and the sentence with which the others are refused."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import slmlens as sl
from slmlens.results import Tasks
from slmlens.specialists.choice import ChoiceSettings, choose_tasks
from slmlens.specialists.evidence import constant_on, probe_evidence
from slmlens.specialists.forms import examples
from slmlens.specialists.records import Dataset, dataset_of
from slmlens.tables import EvidenceTable, checked
from tests.suitability.trap_logs import frame, pair, tasks_of, trap, trap_maker

COLOURS = ["red", "green", "blue", "black"]
THINGS = ["boat", "house", "tree", "lamp", "chair", "stone", "glass", "paper"]


def wordy(i: int, rng: random.Random) -> str:
    return " ".join(rng.choices(THINGS, k=6)) + f" in {COLOURS[i % 4]} number {i}"


def reversed_names(n: int = 240) -> Tasks:
    """Names turned round: nothing for a table or a rule of words, and everything for a model."""
    rng = random.Random(3)
    rows = []
    for i in range(n):
        first, last = ("".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(2))
        rows.append(pair(i, f"Name: {first} {last} of {i}.", f"{last} {first}", f"s{i}", day=i / 10))
    return tasks_of(rows)


@pytest.fixture(scope="module")
def names() -> Tasks:
    return reversed_names()


def test_a_coin_flip_is_refused_before_any_training(shared: Path) -> None:
    rows, _ = trap(trap_maker(shared), "coin_flip", 0)
    (one,) = choose_tasks(tasks_of(rows))
    assert one.dataset is None
    assert one.refused.startswith("There is nothing to learn: ")


def test_with_the_verdicts_at_hand_the_same_is_refused_without_measuring_again(shared: Path) -> None:
    rows, _ = trap(trap_maker(shared), "coin_flip", 0)
    tasks = tasks_of(rows)
    (one,) = choose_tasks(tasks, verdicts=sl.assess(tasks))
    assert one.dataset is None
    assert one.refused.startswith("There is nothing to learn: a classifier")
    assert one.refused.endswith(".")
    assert not one.refused.endswith("..")


def test_a_refused_task_is_probed_when_forced_and_the_reason_stays(shared: Path) -> None:
    rows, _ = trap(trap_maker(shared), "coin_flip", 0)
    (one,) = choose_tasks(tasks_of(rows), force=True)
    assert one.refused is not None
    assert one.dataset.n_units("test") > 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: "Done.", "All its answers are the same"),
        (lambda i: "red" if i % 4 == 0 else "other", "A program of simple rules"),
        (lambda i: " ".join(f"{word} {i}" for word in THINGS * 20), "too long"),
    ],
)
def test_what_needs_no_model_and_what_is_too_long_is_refused(answer, said: str) -> None:
    rng = random.Random(1)
    rows = [pair(i, wordy(i, rng), answer(i), f"s{i}", day=i / 10) for i in range(1_000)]
    (one,) = choose_tasks(tasks_of(rows))
    assert one.dataset is None
    assert said in one.refused


def test_too_few_calls_and_prompts_that_are_all_alike_are_refused() -> None:
    rng = random.Random(2)
    few = tasks_of([pair(i, wordy(i, rng), f"{i} {i}", f"s{i}", day=i) for i in range(60)])
    assert "a tuned model needs 60 and 30" in choose_tasks(few)[0].refused
    alike = tasks_of([pair(i, f"add one to {i}", f"{i + 1}", f"s{i}", day=i) for i in range(300)])
    assert choose_tasks(alike)[0].refused.startswith("All its prompts are nearly the same")


def test_a_task_that_only_a_model_can_do_is_chosen(names: Tasks) -> None:
    (one,) = choose_tasks(names)
    assert one.refused is None
    assert one.dataset.n_units("train") >= 60


def test_the_tasks_that_cost_most_come_first_and_no_more_than_asked_for() -> None:
    rows = []
    for at, task in enumerate(["small", "large", "middle"]):
        for i in range(200):
            row = pair(
                1000 * at + i,
                f"{task} {random.Random(1000 * at + i).getrandbits(80):x}",
                f"{i:x} go",
                f"{task}{i}",
                day=i,
            )
            rows.append((task, row))
    tasks = tasks_of([row for _, row in rows], lambda i, _: rows[i][0])
    calls = tasks.calls.calls.join(tasks.assignments.select("call_id", "task_id"), on="call_id")
    price = pl.col("task_id").replace_strict({"small": 1, "middle": 2, "large": 3}, return_dtype=pl.Int64)
    priced = replace(tasks, calls=replace(tasks.calls, calls=calls.with_columns(spend_nusd=price).drop("task_id")))
    found = choose_tasks(priced, choice=ChoiceSettings(most_tasks=2))
    assert [one.task_id for one in found if one.dataset] == ["large", "middle"]
    assert [round(one.weight, 3) for one in found] == [0.5, 0.333]
    assert [one.task_id for one in choose_tasks(priced, only=["small"])] == ["small"]


def evidence(dataset: Dataset, texts: dict[str, str]) -> dict:
    row = probe_evidence(dataset, texts, slm="tiny", mode="tuned", note="as tuned")
    checked(EvidenceTable, frame(EvidenceTable, [row]))
    return row


def test_right_answers_are_evidence_and_answers_that_ignore_the_prompt_are_not(names: Tasks) -> None:
    dataset = dataset_of(names, "task")
    wanted = {one.call_id: one.completion for one in examples(dataset, "test")}
    right = evidence(dataset, wanted)
    assert right["agreement"] == 1.0
    assert right["lo90"] > 0.9
    assert right["n_eff"] == right["n"] == right["n_units"] == len(wanted)
    assert right["null_p"] <= 0.001
    assert right["constant"] == 0.0
    calls = list(wanted)
    moved = evidence(dataset, {call: wanted[calls[at - 1]] for at, call in enumerate(calls)})
    assert moved["agreement"] == 0.0
    assert moved["null_p"] > 0.5


def test_chance_agreement_is_rarely_called_more_than_chance() -> None:
    """Answers of four colours, guessed: over many guesses the null's p-value is small as often as it says."""
    rng = random.Random(4)
    rows = [pair(i, wordy(i, rng), rng.choice(COLOURS), f"s{i // 2}", day=i / 10) for i in range(400)]
    dataset = dataset_of(tasks_of(rows), "task")
    calls = [one.call_id for one in examples(dataset, "test", most=40)]
    found = [evidence(dataset, {call: rng.choice(COLOURS) for call in calls})["null_p"] for _ in range(25)]
    assert np.mean(np.array(found) <= 0.05) <= 0.2
    assert np.mean(np.array(found) <= 0.5) >= 0.25
    assert 0.1 <= constant_on(dataset, calls) <= 0.45


def test_a_unit_of_many_calls_counts_by_its_calls_and_is_no_more_certain_for_it() -> None:
    """Fifty later sessions of one call that are answered wrong, and one of fifty whose asked call is right."""
    rng = random.Random(5)
    sessions = [f"s{i}" for i in range(150)] + ["long"] * 50
    rows = [pair(i, wordy(i, rng), COLOURS[i % 4], session, day=i) for i, session in enumerate(sessions)]
    dataset = dataset_of(tasks_of(rows), "task")
    asked = examples(dataset, "test", most=dataset.n_units("test"))
    unit = dict(dataset.frame.select("call_id", "unit").iter_rows())
    last = max(unit.values())
    row = evidence(dataset, {one.call_id: one.completion if unit[one.call_id] == last else "no" for one in asked})
    calls = dataset.frame.filter(pl.col("unit").is_in([unit[one.call_id] for one in asked]))
    assert row["agreement"] == pytest.approx((calls.get_column("unit") == last).mean())
    assert row["n_eff"] < 5
    assert row["lo90"] < 0.2


def test_the_recall_of_a_rare_answer_is_that_of_the_probed_model() -> None:
    rng = random.Random(6)
    rows = [pair(i, wordy(i, rng), "stop" if i % 25 == 0 else "go", f"s{i}", day=i / 20) for i in range(1_000)]
    dataset = dataset_of(tasks_of(rows), "task")
    asked = [one.call_id for one in examples(dataset, "test")]
    row = evidence(dataset, dict.fromkeys(asked, "go"))
    assert row["rare_recall"] == 0.0
    assert row["rare_n"] >= 10
    few = evidence(dataset, dict.fromkeys(asked[:40], "go"))
    assert few["rare_recall"] is None
    assert few["rare_n"] < 10


def test_only_the_test_side_is_evidence(names: Tasks) -> None:
    dataset = dataset_of(names, "task")
    trained = examples(dataset, "train")[0]
    with pytest.raises(ValueError, match="test side"):
        evidence(dataset, {trained.call_id: trained.completion})
    with pytest.raises(ValueError, match="at least one"):
        evidence(dataset, {})
