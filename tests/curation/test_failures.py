"""Which answers are not learned from although they came back: refused, asked for again, or corrected."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from slmlens.curation import failures as f
from slmlens.curation.failures import mark_failures
from slmlens.curation.human_facing import SAID_SO, mark_human_facing
from slmlens.errors import SettingError
from slmlens.stages import assess, discover_tasks, read_logs
from tests.curation.test_human_facing import log

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
ASK = [("user", "Sort this ticket: my invoice is wrong")]


def call(answer: str | None, second: float | None = 0, *, session: str | None = "s", **more: Any) -> dict[str, Any]:
    when = None if second is None else NOON + dt.timedelta(seconds=second)
    own = {"prompt": ASK, "answer": answer, "session_id": session, "started_at": when, "prompt_key": "p"}
    return own | {"status": "ok" if answer is not None else "error"} | more


def reasons(*rows: dict[str, Any]) -> list[str | None]:
    return mark_failures(log(*rows)).calls.get_column("corrected_reason").to_list()


def test_an_answer_thrown_away_for_another_is_retried_and_the_last_is_not() -> None:
    marked = mark_failures(log(call("billing?", 0), call("refund?", 5), call("billing", 9))).calls
    assert marked.get_column("corrected").to_list() == ["retried", "retried", None]
    assert marked.get_column("corrected_reason").to_list() == [f.SENT_AGAIN, f.SENT_AGAIN, None]


@pytest.mark.parametrize(
    "rows",
    [
        (call("a", 0, session="s1"), call("b", 5, session="s2")),  # the ceiling's material
        (call("a", 0), call("a", 5)),  # it corrected nothing
        (call("a", 0), call("b", 600)),  # long after
        (call("a", 0), call("b", 0)),  # at the same moment: several answers were asked for
        (call("a", 0, latency_ms=9_000.0), call("b", 3, latency_ms=9_000.0)),  # before the first came back
        (call("a", 0), call("use of a", 2, prompt_key="q"), call("b", 5)),  # a loop, with other work between
        (call("a", None), call("b", None)),  # without times nobody knows which came last
        (call("a", 0, session=None), call("b", 5, session=None)),
        tuple(call(str(n), 5 * n) for n in range(12)),  # asks again on purpose
    ],
    ids=["sessions", "equal", "late", "at once", "parallel", "loop", "untimed", "no session", "sampling"],
)
def test_repeats_that_are_no_retries_stay_unmarked(rows: tuple[dict[str, Any], ...]) -> None:
    assert reasons(*rows) == [None] * len(rows)


def test_an_answer_that_the_conversation_went_on_with_was_not_thrown_away() -> None:
    used = call("thanks", 9, prompt=[*ASK, ("assistant", "a"), ("user", "ok")], prompt_key="q")
    assert reasons(call("a", 0), call("b", 5), used)[0] is None


def test_an_answer_whose_place_another_took_is_retried_however_late() -> None:
    went_on = call("thanks", 950, prompt=[*ASK, ("assistant", "b"), ("user", "ok")], prompt_key="q")
    assert reasons(call("a", 0), call("b", 900), went_on) == [f.REPLACED, None, None]


def test_a_failed_call_that_was_sent_again_is_retried() -> None:
    assert reasons(call(None, 0), call("a", 3)) == [f.FAILED_AND_SENT_AGAIN, None]
    assert reasons(call(None, None), call("a", 3)) == [f.FAILED_AND_SENT_AGAIN, None]
    assert reasons(call(None, 0, session=None), call("a", 3, session=None)) == [f.FAILED_AND_SENT_AGAIN, None]
    assert reasons(call(None, 0, session=None), call("a", 60, session=None)) == [None, None]


def followed(answer: str, by: tuple[str, str], *, calls: tuple[Any, Any] = ([], []), **more: Any) -> str | None:
    then = [*ASK, ("assistant", answer), by]
    first = call(answer, 0, tool_calls=calls[0], **more)
    return reasons(first, call("done", 9, prompt=then, prompt_key="q", tool_calls=calls[1], **more))[0]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("1 validation error: value is not a list. Fix the errors and try again.", f.UNREADABLE),
        ("Invalid JSON: expected a value at line 1", f.UNREADABLE),
        ("Could not parse your reply. Send one object.", f.UNREADABLE),
        ("Observation: I don't understand your input.", f.UNREADABLE),
        ("Your last response was not formatted correctly.", f.UNREADABLE),
        ("Use a city of the list.\n\nFix the errors and try again.", f.ASKED_TO_FIX),
        ("Your answer is wrong. You have 2 tries left.", f.SAID_WRONG),
        ("No, that's not what I asked for", f.SAID_WRONG),
        ("Das stimmt nicht, es war Montag.", f.SAID_WRONG),
        ("C'est faux, recommencez.", f.SAID_WRONG),
        ("Eso no es correcto", f.SAID_WRONG),
        ("Thanks! My invoice is wrong too, can you look at it?", None),
        ("I made a mistake while booking, can you cancel?", None),
        ("No, thank you.", None),
        ("What does 'invalid JSON' mean?", None),
    ],
)
def test_what_the_next_message_says_first_decides(message: str, reason: str | None) -> None:
    assert followed("billing", ("user", message)) == reason


def test_a_system_message_and_a_message_far_from_the_answer_do_not_count() -> None:
    assert followed("billing", ("system", "Invalid JSON is refused.")) is None
    later = [*ASK, ("assistant", "a"), ("user", "ok"), ("assistant", "b"), ("user", "Invalid JSON.")]
    rows = (call("a", 0), call("b", 5, prompt=later[:3], prompt_key="q"), call("c", 9, prompt=later, prompt_key="r"))
    assert reasons(*rows) == [None, f.UNREADABLE, None]


def test_a_tool_error_counts_only_where_the_same_tool_is_called_with_other_arguments() -> None:
    def use(name: str, day: int) -> list[dict[str, str]]:
        return [{"name": name, "arguments": f'{{"day":{day}}}'}]

    error = ("tool", "Error: no such day")
    assert followed("book(9)", error, calls=(use("book", 9), use("book", 8))) == f.TOOL_REFUSED
    assert followed("book(9)", error, calls=(use("book", 9), use("book", 9))) is None
    assert followed("book(9)", error, calls=(use("book", 9), use("ask", 9))) is None
    assert followed("book(9)", ("tool", "booked without error"), calls=(use("book", 9), use("book", 8))) is None


def test_an_error_raised_by_the_code_of_the_answer_counts() -> None:
    trace = ("user", "Observation:\nTraceback (most recent call last):\n  ...\nTypeError: no")
    assert followed("<execute>1 + 'a'</execute>", trace) == f.CODE_FAILED
    assert followed("Please run it.", trace) is None


def test_without_a_session_the_later_prompt_must_begin_with_the_earlier_one() -> None:
    assert followed("billing", ("user", "Invalid JSON."), session=None) == f.UNREADABLE
    other = [("user", "another"), ("assistant", "billing"), ("user", "Invalid JSON.")]
    rows = (call("billing", 0, session=None), call("x", 5, session=None, prompt=other, prompt_key="q"))
    assert reasons(*rows) == [None, None]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("I'm sorry, but I can't assist with that request.", "refusal"),
        ("I\u2019m sorry, but I cannot help you with that. If you have other questions, feel free to ask.", "refusal"),
        ("I'm sorry, but travel insurance cannot be added after booking.", "ok"),
        ("I'm sorry to hear that. I can't cancel it, since the fare is basic.", "ok"),
        ("The parcel can't be found.", "ok"),
    ],
)
def test_a_refusal_is_an_answer_that_says_nothing_else(answer: str, status: str) -> None:
    assert mark_failures(log(call(answer))).calls.get_column("status").to_list() == [status]


def test_rows_in_any_order_get_the_same_marks() -> None:
    rows = log(call("x", 0), call("y", 5), call(None, 20), call("z", 24), call("q", 0, session="t"))
    marks = mark_failures(rows).calls.select("call_id", "corrected_reason").sort("call_id")
    shuffled = type(rows)(rows.calls.sample(fraction=1, shuffle=True, seed=4), *[rows.messages] * 4)
    assert mark_failures(shuffled).calls.select("call_id", "corrected_reason").sort("call_id").equals(marks)


def test_the_marks_on_real_logs(shared: Path) -> None:
    """Counts as looked at by eye: MINT's own checker says wrong, its interpreter raises, tau-bench's tools refuse."""
    marked = read_logs(shared / "bench" / "agents_mixed.jsonl.gz").calls
    words = marked.get_column("corrected_reason").drop_nulls().value_counts().rows()
    assert dict(words) == {f.SAID_WRONG: 150, f.CODE_FAILED: 137, f.TOOL_REFUSED: 13, f.UNREADABLE: 11}
    assert marked.filter(pl.col("corrected") == "retried").is_empty()


def test_who_reads_an_answer_can_be_overruled_by_step_or_service(tmp_path: Path) -> None:
    rows = log(call("a", step="triage", service="shop"), call("b", step="chat", service="shop"), call("c"))
    told = tmp_path / "readers.yaml"
    told.write_text("triage: false\nshop: true\n")
    for overrides in ({"triage": False, "shop": True}, told):
        marked = mark_human_facing(rows, overrides).calls.select("human_facing", "human_facing_reason")
        assert marked.rows()[:2] == [(False, SAID_SO), (True, SAID_SO)]
        assert marked.row(2) != (None, SAID_SO)


@pytest.mark.parametrize("text", ["triage: maybe", "- triage", "a: [", ""])
def test_overrides_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "readers.yaml"
    if text:
        path.write_text(text)
    with pytest.raises(SettingError, match=r"readers\.yaml"):
        mark_human_facing(log(call("a")), path)


def test_corrected_answers_are_counted_as_failures_and_left_out_of_what_is_learned_from(tmp_path: Path) -> None:
    """12 sessions: a first answer thrown away, a second kept, then one that the next prompt calls malformed."""
    system = {"role": "system", "content": "You sort the tickets of a shop into billing, refund and other, as JSON."}
    lines = []

    def logged(session: str, at: float, messages: list[dict[str, str]], answer: str) -> None:
        lines.append(
            {
                "session_id": session,
                "timestamp": (NOON + dt.timedelta(seconds=at)).isoformat(),
                "request": {"model": "gpt-4o", "messages": [system, *messages]},
                "response": {
                    "id": f"r{len(lines)}",
                    "choices": [{"message": {"role": "assistant", "content": answer}}],
                },
            }
        )

    for n in range(12):
        ask = [{"role": "user", "content": f"Ticket {n * 37}: the invoice came twice"}]
        logged(f"s{n}", n * 3600, ask, '{"kind": "other"}')
        logged(f"s{n}", n * 3600 + 4, ask, '{"kind": "billing"}')
        more = [{"role": "user", "content": f"Ticket {n * 41}: the card was charged twice"}]
        logged(f"s{n}", n * 3600 + 60, more, "billing")
        told = [*more, {"role": "assistant", "content": "billing"}, {"role": "user", "content": "Invalid JSON."}]
        logged(f"s{n}", n * 3600 + 66, told, '{"kind": "billing"}')
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    verdicts = assess(discover_tasks(read_logs(path))).verdicts
    failed = verdicts.get_column("failures").explode().struct.unnest().drop_nulls().group_by("status").agg(pl.sum("n"))
    assert dict(failed.rows()) == {"retried": 12, "repaired": 12}
    assert verdicts.get_column("n_ok").sum() == 24
