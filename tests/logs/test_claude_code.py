"""Claude Code sessions: split answers are one call, prompts are rebuilt, copies are counted once."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, only, texts

SESSION = "5f0c6b6e-8f0e-4b0e-9b5e-3d2c1b0a9f8e"


class Log:
    """Writes lines the way the tool does: each names the one before it."""

    def __init__(self, session: str = SESSION, **common: object) -> None:
        self.lines: list[dict[str, object]] = []
        self.common = {
            "sessionId": session,
            "isSidechain": False,
            "cwd": "/home/ana/shop",
            "version": "2.0.1",
            **common,
        }
        self.second = 0

    def line(self, kind: str, **fields: object) -> str:
        self.second += 1
        uuid = f"{self.common['sessionId'][:3]}-{len(self.lines)}-{self.common.get('agentId')}"
        parent = self.lines[-1]["uuid"] if self.lines else None
        stamp = f"2026-09-01T10:{self.second // 60:02d}:{self.second % 60:02d}.000Z"
        self.lines.append(
            {"type": kind, "uuid": uuid, "parentUuid": parent, "timestamp": stamp, **self.common, **fields}
        )
        return uuid

    def user(self, content: object, **fields: object) -> str:
        return self.line("user", message={"role": "user", "content": content}, **fields)

    def answer(self, own: str, *blocks: object, usage: dict[str, int] | None = None, **fields: object) -> str:
        uuid = ""
        for number, block in enumerate(blocks):
            counts = {
                "input_tokens": 4,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 10,
                "output_tokens": number + 1,
            }
            message = {
                "id": own,
                "type": "message",
                "role": "assistant",
                "model": "claude-sonnet-4-5",
                "content": [block],
                "stop_reason": None,
                "usage": usage or counts,
            }
            uuid = self.line("assistant", requestId=f"req-{own}", message=message, **fields)
        return uuid

    def bytes(self) -> bytes:
        return b"\n".join(map(orjson.dumps, self.lines)) + b"\n"


def say(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def use(tool: str, name: str = "Read", **given: object) -> dict[str, object]:
    return {"type": "tool_use", "id": tool, "name": name, "input": given}


def result(tool: str, text: str) -> list[dict[str, str]]:
    return [{"type": "tool_result", "tool_use_id": tool, "content": text}]


def read_all(tmp_path, **logs: Log):
    for name, log in logs.items():
        (tmp_path / f"{name}.jsonl").write_bytes(log.bytes())
    return read_calls([tmp_path], redactor=PlainRedactor())


def test_an_answer_split_over_lines_is_one_call_with_its_last_usage(tmp_path):
    log = Log()
    log.line("summary", summary="Earlier")
    log.user("Rename it.")
    log.answer("msg_1", {"type": "thinking", "thinking": "Hm."}, say("Reading."), use("t1", path="a.py"))
    calls = read_all(tmp_path, log=log)
    call = only(calls)
    assert (call["input_tokens"], call["cached_tokens"], call["cache_write_tokens"], call["output_tokens"]) == (
        114,
        100,
        10,
        3,
    )
    assert texts(calls)[call["answer_id"]] == ("assistant", 'Reading.\nRead({"path":"a.py"})')
    assert (call["billing"], call["provider"], call["service"], call["call_id"]) == (
        "seat",
        "anthropic",
        "claude-code",
        "msg_1",
    )
    assert call["tags"] == ["project:shop"]
    assert call["started_at"] == datetime(2026, 9, 1, 10, 0, 2, tzinfo=UTC)
    assert call["latency_ms"] == 3000
    assert calls.files.row(0)[2:] == (5, 1, 0, 0, 0, 4)


def test_prompts_are_rebuilt_and_grow(tmp_path):
    log = Log()
    log.user("Rename it.")
    log.answer("msg_1", say("Reading."), use("t1"))
    log.user(result("t1", "def f(): ..."))
    log.answer("msg_2", say("Renamed."))
    calls = read_all(tmp_path, log=log)
    stored = texts(calls)
    first, second = calls.calls.iter_rows(named=True)
    assert [stored[one] for one in first["message_ids"]] == [("user", "Rename it.")]
    assert [stored[one] for one in second["message_ids"]] == [
        ("user", "Rename it."),
        ("assistant", "Reading.\nRead({})"),
        ("tool", "def f(): ..."),
    ]
    assert second["message_ids"][1] == first["answer_id"]
    assert second["parent_id"] == first["call_id"]
    assert first["session_id"] == second["session_id"] != SESSION


def test_results_of_parallel_tools_are_in_the_next_prompt_though_they_stand_on_side_branches(tmp_path):
    log = Log()
    log.user("Compare them.")
    log.answer("msg_1", use("t1"))
    log.answer("msg_1", use("t2"))
    log.lines.append(
        {
            **log.lines[0],
            "uuid": "r1",
            "parentUuid": log.lines[1]["uuid"],
            "message": {"role": "user", "content": result("t1", "one")},
        }
    )
    log.lines.append(
        {
            **log.lines[0],
            "uuid": "r2",
            "parentUuid": log.lines[2]["uuid"],
            "message": {"role": "user", "content": result("t2", "two")},
        }
    )
    log.answer("msg_2", say("They differ."))
    calls = read_all(tmp_path, log=log)
    stored = texts(calls)
    prompt = calls.calls.filter(calls.calls["call_id"] == "msg_2")["message_ids"][0]
    assert [stored[one][1] for one in prompt] == ["Compare them.", "Read({})\nRead({})", "one", "two"]


def test_a_compacted_context_starts_anew(tmp_path):
    log = Log()
    log.user("Start.")
    log.answer("msg_1", say("Started."))
    log.line("system", subtype="compact_boundary", logicalParentUuid=log.lines[-1]["uuid"])
    log.lines[-1]["parentUuid"] = None
    log.user("Summary of what came before.", isCompactSummary=True)
    log.answer("msg_2", say("Going on."))
    calls = read_all(tmp_path, log=log)
    stored = texts(calls)
    prompt = calls.calls.filter(calls.calls["call_id"] == "msg_2")["message_ids"][0]
    assert [stored[one][1] for one in prompt] == ["Summary of what came before."]


def test_a_resumed_session_copies_lines_that_are_counted_once(tmp_path):
    first = Log()
    first.user("Rename it.")
    first.answer("msg_1", say("Reading."), use("t1"))
    resumed = Log("9a1d2c3b-0000-4000-8000-000000000000")
    resumed.lines = [{**line, "sessionId": resumed.common["sessionId"]} for line in first.lines]
    resumed.second = 600
    resumed.user(result("t1", "def f(): ..."))
    resumed.answer("msg_2", say("Renamed."))
    calls = read_all(tmp_path, b_first=first, a_resumed=resumed)
    assert calls.calls.select("call_id", "source_file").rows() == [
        ("msg_1", "b_first.jsonl"),
        ("msg_2", "a_resumed.jsonl"),
    ]
    assert calls.duplicates.rows() == [("msg_1", "a_resumed.jsonl", 2)]
    assert len(calls.calls["message_ids"][1]) == 3


def test_a_subagent_is_a_step_named_by_the_tool_call_that_started_it(tmp_path):
    log = Log()
    log.user("Find the bug.")
    log.answer("msg_1", use("t1", "Task", subagent_type="code-searcher", prompt="Search for f.", description="search"))
    side = Log(isSidechain=True, agentId="a1b2")
    side.user("Search for f.")
    side.answer("msg_2", say("In a.py."))
    loose = Log(isSidechain=True, agentId="zz")
    loose.user("Something else.")
    loose.answer("msg_3", say("Fine."))
    calls = read_all(tmp_path, log=log, agent_a1b2=side, agent_zz=loose)
    steps = dict(calls.calls.select("call_id", "step").iter_rows())
    assert steps == {"msg_1": "main agent", "msg_2": "code-searcher", "msg_3": "subagent"}
    assert calls.calls["session_id"].n_unique() == 1


def test_a_synthetic_answer_is_an_error_and_an_old_cost_is_kept(tmp_path):
    log = Log()
    log.user("Go.")
    failed = {
        "id": "x1",
        "role": "assistant",
        "model": "<synthetic>",
        "content": [say("API Error: 529")],
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    log.line("assistant", message=failed, isApiErrorMessage=True)
    log.user("Again.")
    log.answer("msg_1", say("Gone."), costUSD=0.0123)
    calls = read_all(tmp_path, log=log)
    error, fine = calls.calls.iter_rows(named=True)
    assert (error["status"], error["model"], error["answer_id"]) == ("error", None, None)
    assert (fine["status"], fine["logged_nusd"]) == ("ok", 12_300_000)


def test_an_answer_that_a_cloud_served_is_metered(tmp_path):
    log = Log()
    log.user("Go.")
    log.answer("msg_bdrk_1", say("Gone."))
    call = only(read_all(tmp_path, log=log))
    assert (call["provider"], call["billing"]) == ("aws", "metered")


def test_lines_that_name_no_parent_follow_one_another(read):
    lines = [
        {"type": "user", "timestamp": "2026-09-01T10:00:00Z", "message": {"role": "user", "content": "Add."}},
        {
            "type": "assistant",
            "timestamp": "2026-09-01T10:00:05Z",
            "message": {"role": "assistant", "content": [use("t1", "Write")]},
        },
        {
            "type": "user",
            "timestamp": "2026-09-01T10:00:06Z",
            "message": {"role": "user", "content": result("t1", "ok")},
        },
        {
            "type": "assistant",
            "timestamp": "2026-09-01T10:00:09Z",
            "message": {"role": "assistant", "content": [say("Done.")]},
        },
    ]
    calls = read({"loglines": lines}, name="export.json")
    assert [len(ids) for ids in calls.calls["message_ids"]] == [1, 3]
    assert calls.calls["latency_ms"].to_list() == [5000, 3000]
    assert calls.calls["tokens_estimated"].all()
    assert calls.calls["session_id"].n_unique() == 1


def test_a_circle_of_parents_ends(tmp_path):
    log = Log()
    log.user("Go.")
    log.answer("msg_1", say("One."))
    log.user("On.")
    log.answer("msg_2", say("Two."))
    log.lines[0]["parentUuid"] = log.lines[-1]["uuid"]
    calls = read_all(tmp_path, log=log)
    assert calls.calls.height == 2


@pytest.mark.parametrize("turns", [600])
def test_long_sessions_keep_their_whole_context(tmp_path, turns):
    log = Log()
    for turn in range(turns):
        log.user(f"Turn {turn}")
        log.answer(f"msg_{turn:04d}", say(f"Answer {turn}"))
    calls = read_all(tmp_path, log=log)
    assert calls.calls["message_ids"].list.len().max() == 2 * turns - 1
    assert calls.messages.height == 2 * turns


def test_a_copy_that_begins_in_the_middle_of_an_answer_is_still_a_copy(tmp_path):
    first = Log()
    first.user("Rename it.")
    first.answer("msg_1", say("Reading."), use("t1"))
    resumed = Log("9a1d2c3b-0000-4000-8000-000000000000")
    resumed.lines = [{**first.lines[2]}]
    resumed.second = 600
    resumed.user(result("t1", "def f(): ..."))
    resumed.answer("msg_2", say("Renamed."))
    calls = read_all(tmp_path, b_first=first, a_resumed=resumed)
    assert sorted(calls.calls["call_id"]) == ["msg_1", "msg_2"]
    assert calls.duplicates.rows() == [("msg_1", "a_resumed.jsonl", 1)]
