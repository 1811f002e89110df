"""What a prompt works on is a slot, however often it comes back; what it says to do is a step."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.tasks.world import Record, pair, tasks_of

RULES = "You answer questions of our staff from the page below. Quote the sentence that holds the answer."
TOPICS = ["river", "copper", "harvest", "glacier", "violin", "harbour", "meadow", "turbine", "castle", "engine"]
ORDERS = [
    "Please translate the whole letter into plain English and keep the tone of its author, whatever you think of it.",
    "You must list every date that is mentioned in the letter, and for each date say in a few words what happened.",
    "Please write a reply to the letter that thanks its author, and ensure that you promise nothing in your reply.",
]


def page(rng: random.Random, topic: str, length: int = 90) -> str:
    words = [f"{topic}{ending}" for ending in ("", "s", "like", "less", "ward", "hood")] + [
        "stood",
        "was",
        "old",
        "near",
    ]
    return " ".join(rng.choices(words, k=length))


def question(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklm", k=7)) + " " + " ".join(rng.choices("aeiou", k=6))


def manual(pages: int, *, per_call: bool, system: bool, calls: int = 240) -> list[Record]:
    rng = random.Random(pages)
    texts = [page(rng, topic) for topic in TOPICS[:pages]]
    rows = []
    for i in range(calls):
        text = texts[(i if per_call else i // 3) % pages]
        user = f"Page:\n{text}\n\nQuestion: {question(rng)}"
        rows.append(pair(i, RULES if system else "", user if system else f"{RULES}\n{user}", session=f"s{i // 3}"))
    return rows


@pytest.mark.parametrize("pages", [3, 5, 10])
@pytest.mark.parametrize("per_call", [True, False])
@pytest.mark.parametrize("system", [True, False])
def test_pages_that_come_back_in_many_sessions_are_slots(
    tmp_path: Path, pages: int, per_call: bool, system: bool
) -> None:
    tasks = tasks_of(tmp_path, manual(pages, per_call=per_call, system=system))
    assert tasks.tasks.height == 1
    assert tasks.assignments.get_column("task_id").null_count() == 0


def test_orders_in_a_user_message_are_steps(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = [
        pair(
            i, "You are an office assistant.", f"{ORDERS[i % 3]}\n{question(rng)} {question(rng)}", session=f"s{i // 3}"
        )
        for i in range(90)
    ]
    assert tasks_of(tmp_path, rows).tasks.height == 3


def test_an_order_that_few_sessions_give_in_some_of_their_calls_is_a_step(tmp_path: Path) -> None:
    rng = random.Random(4)
    rows = []
    for session in range(60):
        user = [question(rng) + " " + page(rng, f"x{session}{at}") for at in range(3)]
        if session % 8 == 0:
            user[1] = f"{ORDERS[1]} {user[1]}"
        rows += [pair(3 * session + at, RULES, text, session=f"s{session}") for at, text in enumerate(user)]
    sizes = sorted(tasks_of(tmp_path, rows).tasks.get_column("n_calls"))
    assert sizes == [8, 172]


def test_two_prompts_that_differ_in_a_long_example_only_are_one_task(tmp_path: Path) -> None:
    rng = random.Random(5)
    rules = " ".join(f"{order} {RULES}" for order in ORDERS) + " ".join(page(rng, topic) for topic in TOPICS[:4])
    examples = [page(rng, "amber", 45), page(rng, "pewter", 45)]
    rows = [pair(i, f"{rules} Example: {examples[i % 2]}", question(rng), session=f"s{i}") for i in range(60)]
    assert tasks_of(tmp_path, rows).tasks.height == 1
