"""A site that one session makes or unmakes is a version of the prompt that it mostly repeats, or stands on its own."""

from __future__ import annotations

import random
from pathlib import Path

from tests.tasks.world import Record, pair, tasks_of

PROMPT = (
    "You are the planner of a repair shop and choose the next tool. Read the ticket, think about what is known of the "
    "machine, and name exactly one tool. You must not invent tools. The tools on offer are: search the manual, order "
    "a part, book a mechanic, call the customer. Answer as a JSON object with the name of the tool and a reason."
)
RARE = PROMPT.replace(
    "search the manual, order a part, book a mechanic, call the customer",
    "search the manual, look into the store, order a part at the wholesaler, ask the foreman, book a mechanic, write "
    "a letter to the customer, close the ticket",
)
OTHER = (
    "Please summarise the shift in five sentences for the owner of the shop, who was away. Mention every machine that "
    "left the shop today and every part that did not arrive, and end with what you would do first tomorrow morning."
)


def shop(sessions: int, rare: str, rare_sessions: int) -> list[Record]:
    rng = random.Random(5)
    rows: list[Record] = []
    for s in range(sessions):
        for system, times in ((PROMPT, 3), (rare, 3 * (s < rare_sessions)), (OTHER, 1)):
            rows += [pair(len(rows) + i, system, f"ticket {rng.getrandbits(40):x}", f"s{s}") for i in range(times)]
    return rows


def test_a_version_seen_in_three_sessions_is_the_task_it_is_a_version_of(tmp_path: Path) -> None:
    assert tasks_of(tmp_path, shop(12, RARE, 3)).tasks.height == 2


def test_a_version_seen_in_more_is_a_task(tmp_path: Path) -> None:
    assert tasks_of(tmp_path, shop(12, RARE, 8)).tasks.height == 3


def test_a_rare_step_of_its_own_is_a_task(tmp_path: Path) -> None:
    rare = "Translate the letter of the supplier into English, keep all part numbers, and mark what you are unsure of."
    assert tasks_of(tmp_path, shop(12, rare, 3)).tasks.height == 3


def test_a_short_log_in_which_every_step_is_rare_keeps_them_all(tmp_path: Path) -> None:
    assert tasks_of(tmp_path, shop(4, RARE, 4)).tasks.height == 3
