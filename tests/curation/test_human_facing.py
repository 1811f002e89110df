"""Who reads an answer is judged from the trace's shape alone, and unknown where that says nothing."""

from __future__ import annotations

from typing import Any

import polars as pl

from slmlens.curation import human_facing as hf
from slmlens.curation.counts import placeholder_counts
from slmlens.curation.human_facing import mark_human_facing
from slmlens.results import Calls
from slmlens.tables import CallsTable, MessagesTable

PLAIN: dict[str, object] = {
    "source_file": "a", "format": "f", "tool_calls": [], "tool_names_offered": [], "tags": [],
    "tokens_estimated": False, "batch": False, "billing": "metered", "model_assumed": False, "status": "ok",
}  # fmt: skip


def log(*rows: dict[str, Any]) -> Calls:
    """A log of calls; each row has a prompt as (role, text) pairs, an answer, and any column of the calls table."""
    texts: dict[str, tuple[str, str]] = {}

    def message(role: str, text: str) -> str:
        texts[f"{role}:{text}"] = (role, text)
        return f"{role}:{text}"

    calls = []
    for i, row in enumerate(rows):
        own = dict(row)
        prompt = [message(role, text) for role, text in own.pop("prompt")]
        answer = own.pop("answer")
        answer_id = None if answer is None else message("assistant", answer)
        calls.append(
            {**PLAIN, "call_id": f"c{i}", "source_line": i, "message_ids": prompt, "answer_id": answer_id, **own}
        )
    empty = CallsTable.create_empty()
    frame = pl.DataFrame(calls, schema_overrides={k: v for k, v in empty.schema.items() if k in calls[0]})
    missing = [pl.lit(None, empty.schema[name]).alias(name) for name in empty.columns if name not in frame.columns]
    messages = pl.DataFrame(
        [{"message_id": k, "role": r, "text": t, "n_chars": len(t), "n_calls": 1} for k, (r, t) in texts.items()],
        schema=MessagesTable.create_empty().schema,
    )
    nothing = pl.DataFrame()
    return Calls(frame.with_columns(missing).select(empty.columns), messages, nothing, nothing, nothing)


def judged(*rows: dict[str, Any]) -> list[tuple[bool | None, str]]:
    marked = mark_human_facing(log(*rows))
    return marked.calls.select("human_facing", "human_facing_reason").rows()


ASK = [("system", "You help customers."), ("user", "Where is my parcel?")]
REPLY = "It left our warehouse this morning and should be with you tomorrow."


def test_an_answer_that_a_user_replies_to_is_read_by_a_person() -> None:
    later = [*ASK, ("assistant", REPLY), ("user", "Great, thank you!")]
    first, second = judged(
        {"session_id": "s", "prompt": ASK, "answer": REPLY},
        {"session_id": "s", "prompt": later, "answer": "You're welcome, bye!"},
    )
    assert first == (True, hf.REPLIED)
    assert second == (None, hf.SILENT)


def test_a_reply_in_another_session_says_nothing() -> None:
    later = [*ASK, ("assistant", REPLY), ("user", "Great, thank you!")]
    first, _ = judged(
        {"session_id": "s", "prompt": ASK, "answer": REPLY}, {"session_id": "t", "prompt": later, "answer": "Bye!"}
    )
    assert first == (None, hf.SILENT)


def test_json_tool_calls_and_schemas_are_read_by_code() -> None:
    tool = [{"name": "find_order", "arguments": "{}"}]
    assert judged(
        {"session_id": "a", "prompt": ASK, "answer": '```json\n{"intent": "parcel"}\n```'},
        {"session_id": "b", "prompt": ASK, "answer": "find_order({})", "tool_calls": tool},
        {"session_id": "c", "prompt": ASK, "answer": "parcel", "response_schema": "intent"},
    ) == [(False, hf.JSON), (False, hf.CALLS_TOOL), (False, hf.SCHEMA)]


def test_observations_of_an_agent_loop_are_not_taken_for_people() -> None:
    rows = []
    for i in range(15):
        answer = f"Action: run step {i} of the plan"
        later = [*ASK, ("assistant", answer), ("user", f"Observation: exit code {i}")]
        rows += [
            {"session_id": f"s{i}", "prompt": ASK, "answer": answer},
            {"session_id": f"s{i}", "prompt": later, "answer": None},
        ]
    assert set(judged(*rows)) == {(None, hf.TEMPLATED), (None, hf.NO_ANSWER)}


def test_a_short_answer_that_recurs_is_read_by_code() -> None:
    rows = [{"session_id": f"s{i}", "prompt": [*ASK, ("user", str(i))], "answer": "refund"} for i in range(20)]
    assert set(judged(*rows)) == {(False, hf.LABEL)}


def test_rows_keep_their_order_and_number() -> None:
    calls = log(*({"session_id": None, "prompt": ASK, "answer": f"answer {i}"} for i in (3, 1, 2)))
    assert mark_human_facing(calls).calls["call_id"].to_list() == calls.calls["call_id"].to_list()


def test_placeholders_are_counted_by_kind() -> None:
    texts = ["<EMAIL:AAAAAAAA> and <EMAIL:BBBBBBBB>", "<CARD:AAAAAAAA>", None, "nothing", "<EMAIL:short>"]
    assert placeholder_counts(pl.DataFrame({"text": texts})) == {"EMAIL": 2, "CARD": 1}
