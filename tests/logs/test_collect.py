"""docs/collect.md: what its lines log of an agent is what the server of its model saw."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from slmlens.logs.read import read_calls
from slmlens.results import Calls
from tests.logs.conftest import PlainRedactor, only, pair, texts
from tests.tasks.chat_server import chat_server

pytest.importorskip("openai", reason="the extra dev brings what the page asks for")
pytest.importorskip("opentelemetry.instrumentation.genai.openai", reason="the extra dev brings what the page asks for")

PAGE = Path(__file__).parents[2] / "docs" / "collect.md"
AGENT = Path(__file__).with_name("collected_agent.py")
_TICKET = re.compile(r"ticket-\d")


@dataclass
class Served:
    """One answer of the server: the ticket that was asked about, when it came and went, and what was said."""

    ticket: str
    asked: dict[str, Any]
    came: float
    said: dict[str, Any] = field(default_factory=dict)
    first: float = 0.0
    went: float = 0.0


class Model:
    """Answers the agent: two tools, then words; streams in pieces; 404 for one model, and one 500 for ticket 5."""

    def __init__(self) -> None:
        self.served: list[Served] = []

    def answer(self, body: dict[str, Any]) -> bytes | int | Iterator[bytes]:
        at = Served(_TICKET.findall(json.dumps(body))[0], body, time.time())
        self.served.append(at)
        earlier = [one for one in self.served if one.ticket == at.ticket]
        time.sleep(0.02)
        if body["model"] == "gpt-0" or (at.ticket == "ticket-5" and len(earlier) == 1):
            at.went = time.time()
            return 404 if body["model"] == "gpt-0" else 500
        at.said = self._embedding() if "embedding" in body["model"] else self._said(at, len(self.served))
        at.went = time.time()
        return self._pieces(at) if body.get("stream") else json.dumps(at.said).encode()

    def _embedding(self) -> dict[str, Any]:
        vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return {"object": "list", "model": "text-embedding-3-small", "data": [vector], "usage": usage}

    def _said(self, at: Served, number: int) -> dict[str, Any]:
        if "input" in at.asked:
            return {
                "id": f"resp_{number}", "object": "response", "created_at": int(at.came), "status": "completed",
                "model": "gpt-4.1-mini-2025-04-14", "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
                "output": [{
                    "type": "message", "id": "m", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "claims", "annotations": []}],
                }],
                "usage": {
                    "input_tokens": 90, "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30},
                    "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 92,
                },
            }  # fmt: skip
        done = not at.asked.get("tools") or at.asked["messages"][-1]["role"] == "tool"
        made = [
            {"id": f"call-{number}-{place}", "type": "function", "function": {
                "name": name, "arguments": json.dumps({"parcel": at.ticket, "näher": [place]}),
            }}
            for place, name in enumerate(("find_parcel", "open_claim"))
        ]  # fmt: skip
        spoken = {"content": f"It is in Leeds, {at.ticket}."} if done else {"content": None, "tool_calls": made}
        return {
            "id": f"chatcmpl-{number}", "object": "chat.completion", "created": int(at.came),
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{
                "index": 0, "message": {"role": "assistant", **spoken},
                "finish_reason": "stop" if done else "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 100 + number, "completion_tokens": 10 + number, "total_tokens": 110 + 2 * number,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": number},
            },
        }  # fmt: skip

    def _pieces(self, at: Served) -> Iterator[bytes]:
        chunk = {**{key: at.said[key] for key in ("id", "created", "model")}, "object": "chat.completion.chunk"}
        text = at.said["choices"][0]["message"]["content"]
        deltas = [{"role": "assistant", "content": text[:5]}, {"content": text[5:]}, {}]
        for delta in deltas:
            time.sleep(0.04)
            at.first = at.first or time.time()
            finish = None if delta else "stop"
            yield _event({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        if at.asked.get("stream_options"):
            yield _event({**chunk, "choices": [], "usage": at.said["usage"]})
        at.went = time.time()
        yield b"data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def blocks() -> list[str]:
    """The Python blocks of the page's section on OpenTelemetry."""
    section = PAGE.read_text(encoding="utf-8").split("\n## OpenTelemetry\n")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


def run_agent(folder: Path, **environment: str) -> list[Served]:
    """Run the agent under the page's own lines; return what the server of its model saw."""
    (folder / "telemetry.py").write_text("\n".join(blocks()), encoding="utf-8")
    shutil.copy(AGENT, folder)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    model = Model()
    with chat_server(model.answer) as server:
        subprocess.run(
            [sys.executable, AGENT.name, server.url],
            cwd=folder,
            check=True,
            env={**inherited, **environment},
            timeout=120,
        )
    return model.served


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Served], Calls]:
    folder = tmp_path_factory.mktemp("agent")
    served = run_agent(folder)
    return folder / "agent-logs", served, read_calls([folder / "agent-logs"], redactor=PlainRedactor())


@pytest.fixture
def pairs(ran: tuple[Path, list[Served], Calls]) -> list[tuple[Served, dict[str, Any]]]:
    """Each answer of a model that the server gave, beside the call that was read."""
    by_id = {row["call_id"]: row for row in ran[2].calls.to_dicts()}
    return [(one, by_id[one.said["id"]]) for one in ran[1] if "id" in one.said]


def test_every_answer_that_the_server_gave_is_one_call_and_nothing_else_is(ran) -> None:
    _, served, calls = ran
    answered = [one.said["id"] for one in served if "id" in one.said]
    failed = calls.calls.filter(status="error")
    assert len(answered) == 8
    assert sorted(calls.calls["call_id"]) == sorted([*answered, *failed["call_id"]])
    assert failed["model_requested"].to_list() == ["gpt-0"], "the retry that helped is no failure"
    row = calls.files.row(0, named=True)
    assert (row["format"], row["rejects"], row["duplicates"], row["parents"]) == ("otlp", 0, 0, 0)
    assert row["other"] == 6 + 1, "the page's own span, five of the agent, and the embedding"
    written = "".join(path.read_text() for path in ran[0].iterdir())
    assert all(word in written for word in ("ticket-4711", "embeddings text-embedding-3-small"))


def test_tokens_are_those_of_the_answers(pairs) -> None:
    for one, call in pairs:
        usage = one.said["usage"]
        told = usage.get("prompt_tokens_details") or usage["input_tokens_details"]
        made = usage.get("completion_tokens_details") or usage["output_tokens_details"]
        if one.asked.get("stream") and not one.asked.get("stream_options"):
            assert call["tokens_estimated"], "a stream that was not asked for its usage"
            continue
        assert not call["tokens_estimated"]
        assert call["input_tokens"] == usage.get("prompt_tokens", usage.get("input_tokens"))
        assert call["output_tokens"] == usage.get("completion_tokens", usage.get("output_tokens"))
        if not one.asked.get("stream"):  # of a stream, this instrumentation keeps the two sums only
            assert (call["cached_tokens"], call["reasoning_tokens"] or 0) == (
                told["cached_tokens"], made["reasoning_tokens"],
            )  # fmt: skip
            assert (call["cache_write_tokens"] or 0) == told.get("cache_write_tokens", 0)
        assert call["model"] == one.said["model"]


def test_tools_on_offer_and_tool_calls_are_those_that_were_sent(pairs) -> None:
    called = 0
    for one, call in pairs:
        assert call["tool_names_offered"] == [tool["function"]["name"] for tool in one.asked.get("tools", [])]
        said = one.said["choices"][0]["message"].get("tool_calls", []) if "choices" in one.said else []
        read = [(made["name"], json.loads(made["arguments"])) for made in call["tool_calls"]]
        assert read == [(made["function"]["name"], json.loads(made["function"]["arguments"])) for made in said]
        called += len(read)
    assert called == 4


def test_prompts_and_answers_are_those_that_were_sent(ran, pairs) -> None:
    stored = texts(ran[2])
    for one, call in pairs:
        if "input" in one.asked:
            sent = [("system", one.asked["instructions"]), ("user", one.asked["input"])]
            answer = one.said["output"][0]["content"][0]["text"]
        else:
            sent = [(message["role"], message.get("content")) for message in one.asked["messages"]]
            answer = one.said["choices"][0]["message"]["content"]
        read = [stored[message] for message in call["message_ids"]]
        assert [role for role, _ in read] == [role for role, _ in sent]
        assert [text for (_, text), (_, known) in zip(read, sent, strict=True) if known] == [t for _, t in sent if t]
        assert answer is None or stored[call["answer_id"]] == ("assistant", answer)


def test_sessions_users_steps_and_the_service_are_those_of_the_agent(pairs) -> None:
    tickets: dict[str, set[str]] = {}
    for one, call in pairs:
        if one.ticket != "ticket-5":  # asked outside of any span
            tickets.setdefault(one.ticket, set()).add(call["session_id"])
        assert call["service"] == "parcels"
        wanted = {"ticket-3": "route", "ticket-5": None}.get(one.ticket, "find a parcel")
        assert call["step"] == ("sum up" if one.asked.get("stream") else wanted)
        assert (call["user_id"] is not None) == bool(one.asked.get("stream"))
    assert all(len(ids) == 1 and None not in ids for ids in tickets.values())
    assert len(set.union(*tickets.values())) == len(tickets) == 3


def test_times_hold_those_of_the_server(pairs) -> None:
    for one, call in pairs:
        began = call["started_at"].timestamp()
        ended = (call["started_at"] + timedelta(milliseconds=call["latency_ms"])).timestamp()
        assert one.came - 5 < began <= one.went
        assert ended >= one.went - 0.001
        if one.ticket != "ticket-5":
            assert began <= one.came + 0.001
        if one.first:
            assert began + call["ttft_ms"] / 1000 >= one.first - 0.001
            assert call["ttft_ms"] <= call["latency_ms"]


def test_a_call_that_was_tried_again_is_one_call_over_all_attempts(ran, pairs) -> None:
    attempts = [one for one in ran[1] if one.ticket == "ticket-5"]
    call = next(call for one, call in pairs if one.ticket == "ticket-5")
    assert len(attempts) == 2
    assert call["status"] == "ok"
    assert call["started_at"].timestamp() <= attempts[0].came + 0.001
    assert call["latency_ms"] / 1000 >= attempts[1].went - attempts[0].came - 0.001


def test_the_folder_of_the_logs_is_the_owners_only(ran) -> None:
    assert ran[0].stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-\d+\.jsonl", next(ran[0].iterdir()).name)
    datetime.strptime(next(ran[0].iterdir()).name[:10], "%Y-%m-%d")  # noqa: DTZ007 - a local day


def test_without_the_setting_there_is_no_content_and_slmlens_names_the_setting(tmp_path: Path) -> None:
    run_agent(tmp_path, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="no_content")
    calls = read_calls([tmp_path / "agent-logs"], redactor=PlainRedactor())
    assert calls.calls.height == 9
    assert calls.calls["message_ids"].null_count() == 9
    assert calls.calls["input_tokens"].sum() > 0
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in " ".join(calls.notes)


def test_the_pages_other_blocks_are_python() -> None:
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(shown) == 5
    for block in shown:
        compile(block.replace("\n    ...,\n", "\n"), PAGE.name, "exec")


def test_the_line_of_a_logger_of_ones_own_is_read_with_all_that_stands_on_it(read) -> None:
    line = json.loads(re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0])
    bodies = pair()
    call = only(read({**line, "request": bodies["request"], "response": bodies["response"]}))
    assert call["started_at"].isoformat() == "2026-10-05T08:12:31+00:00"
    assert (call["latency_ms"], call["step"]) == (812, "find a parcel")
    assert call["session_id"] == PlainRedactor().pseudonym("session", "ticket-4711")
    failed = only(read({**line, "request": bodies["request"], "status": 429, "response": {"error": {"code": "limit"}}}))
    assert failed["status"] == "error"


def test_every_section_that_the_page_sends_to_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for file, anchor in re.findall(r"\]\(([\w./]*)#?([\w-]*)\)", page):
        target = PAGE.parent / file if file else PAGE
        heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
