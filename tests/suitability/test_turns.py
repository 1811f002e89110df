"""Steps of a tool loop: what the last turn tells can be learned, and what probes can't see is no proof of nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

import slmlens as sl
from slmlens.tasks.slots import slot_texts, turns_left_out
from tests.suitability.trap_logs import Row, pair, tasks_of

TOOLS = ("fetch", "route", "park", "ask")
SAYS = {"fetch": "crate is missing", "route": "address confirmed", "park": "hall is full", "ask": "no reply came"}
NAMES = [f"{a}{b}" for a in ("kazo", "lumi", "peta", "rodo", "mira", "sota") for b in ("ne", "ri", "sa", "tu", "vo")]


def loop(tool_of: Callable[[Sequence[str]], str], *, sessions: int = 120, steps: int = 3, seed: int = 3) -> list[Row]:
    """Sessions of a tool loop in which ``tool_of`` says the next tool from all that the tools have said."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for session in range(sessions):
        said: list[str] = []
        turns: list[dict[str, object]] = []
        for step in range(1, steps + 1):
            said.append(rng.choice(TOOLS))
            turns += [
                {"role": "assistant", "content": "I look."},
                {
                    "role": "tool",
                    "content": f"{SAYS[said[-1]]} at {rng.choice(NAMES)} {rng.choice(NAMES)}",
                    "tool_call_id": "t",
                },
            ]
            name = tool_of(said)
            row = pair(len(rows), f"Ship for {rng.choice(NAMES)}.", "", f"s{session}", day=session + step / 99)
            row["request"]["messages"] += turns
            calls = [{"function": {"name": name, "arguments": json.dumps({})}}]
            row["response"]["choices"][0]["message"] = {"content": None, "tool_calls": calls}
            rows.append(row)
    return rows


def test_a_tool_that_the_last_result_calls_for_is_learned() -> None:
    verdict = sl.assess(tasks_of(loop(lambda said: said[-1]))).verdicts.row(0, named=True)
    assert verdict["learnable"]
    assert verdict["evidence"] != "no-signal"


def test_an_answer_that_hangs_on_an_earlier_turn_is_not_called_noise() -> None:
    verdict = sl.assess(tasks_of(loop(lambda said: said[0]))).verdicts.row(0, named=True)
    assert verdict["evidence"] == "open"
    assert any("sees a part of the prompt only" in reason for reason in verdict["reasons"])


def test_an_answer_that_hangs_on_the_middle_of_a_long_text_is_not_called_noise() -> None:
    rng = random.Random(4)
    rows = []
    for i in range(200):
        words = rng.choices(NAMES, k=600)
        answer = "billing" if sum(word.startswith("ka") for word in words[200:400]) % 2 else "refund"
        rows.append(pair(i, " ".join(words), answer, f"s{i}", day=i))
    verdict = sl.assess(tasks_of(rows)).verdicts.row(0, named=True)
    assert (verdict["learnable"], verdict["evidence"]) == (False, "open")


def test_a_tool_drawn_by_chance_in_a_short_loop_is_still_called_noise() -> None:
    rng = random.Random(5)
    verdict = sl.assess(tasks_of(loop(lambda _: rng.choice(TOOLS), sessions=400, steps=1))).verdicts.row(0, named=True)
    assert verdict["evidence"] == "no-signal"


def test_slots_show_the_last_turn_and_count_those_left_out() -> None:
    tasks = tasks_of(loop(lambda said: said[-1], sessions=20))
    ids = tasks.calls.calls.get_column("call_id").sort()
    shown = dict(slot_texts(tasks, ids, last_turn=True).rows())
    left = dict(turns_left_out(tasks, ids).rows())
    plain = dict(slot_texts(tasks, ids).rows())
    for at, (row, call_id) in enumerate(zip(loop(lambda said: said[-1], sessions=20), ids, strict=True)):
        turns = [message["content"] for message in row["request"]["messages"][2:] if message["role"] == "tool"]
        last = turns[-1]
        assert shown[call_id].endswith(last)
        assert last not in plain[call_id]
        assert left[call_id] == len(turns) - 1 == at % 3
