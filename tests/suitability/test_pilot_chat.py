"""A pilot's prompt as a request that a strict server of the chat completions API takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import slmlens as sl
from slmlens.suitability.pilot_chat import ChatRequest, chat_request
from slmlens.suitability.pilot_prompts import pilot_prompts

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

names = st.sampled_from(["search", "web.search", "web/search", "web_search", "a:" + "b" * 80, "a:" + "b" * 81])
calls = st.builds(lambda name, value: f"{name}({json.dumps({'q': value})})", names, st.text(max_size=5))
texts = st.one_of(
    st.text(max_size=20),
    st.lists(calls, max_size=3).map("\n".join),
    st.builds(lambda a, b: f"{a}\n{b}", st.text(), calls),
)
messages = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "user", "assistant", "assistant", "tool", "tool", "critic"]),
        texts,
    ),
    max_size=12,
)
tools = st.lists(names, unique=True, max_size=4).map(
    lambda listed: [{"type": "function", "function": {"name": name, "parameters": {}}} for name in listed]
)


def strict(request: ChatRequest) -> None:
    """Refuse what the API refuses: results without a call of theirs, calls without a result, names, roles, contents."""
    waiting: list[str] = []
    seen: set[str] = set()
    for message in request.messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            assert isinstance(message["content"], str)
            continue
        assert not waiting, "a call has no result"
        assert message["role"] in {"system", "user", "assistant"}
        made = message.get("tool_calls")
        assert isinstance(message["content"], str) or (message["content"] is None and made)
        assert made is None or (message["role"] == "assistant" and made)
        for call in made or ():
            assert call["type"] == "function"
            assert call["id"] not in seen
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            assert NAME.fullmatch(call["function"]["name"])
            seen.add(call["id"])
            waiting.append(call["id"])
    assert not waiting
    offered = [tool["function"]["name"] for tool in request.tools]
    assert len(set(offered)) == len(offered)
    assert all(NAME.fullmatch(name) for name in offered)
    assert all(_has_items(tool["function"].get("parameters", {})) for tool in request.tools)


def _has_items(schema: dict[str, Any]) -> bool:
    return all("items" in part for part in schema.get("properties", {}).values() if part.get("type") == "array")


def said(request: ChatRequest) -> list[str]:
    """All that is said, with calls as the log writes them."""
    lines = []
    for message in request.messages:
        if message["content"]:
            lines.append(message["content"])
        for call in message.get("tool_calls", ()):
            inner = call["function"]
            lines.append(f"{request.as_logged(inner['name'])}({inner['arguments']})")
    return sorted("\n".join(lines).split("\n"))


@given(messages, tools)
def test_a_strict_server_takes_every_history_and_nothing_of_it_is_lost(
    history: list[dict[str, str]], offered: list[dict[str, Any]]
) -> None:
    request = chat_request({"id": "x", "messages": history, "tools": offered})
    strict(request)
    whole = sorted("\n".join(m["content"] for m in history if m["content"]).split("\n"))
    assert [line for line in said(request) if line] == [line for line in whole if line]


def test_results_belong_to_the_calls_before_them_in_their_order() -> None:
    history = [
        {"role": "user", "content": "where is my parcel?"},
        {"role": "assistant", "content": 'I look.\nfind({"no": 1})\nask.shop({"no": 2})'},
        {"role": "tool", "content": "in Graz"},
        {"role": "tool", "content": "sent"},
        {"role": "tool", "content": "one too many"},
        {"role": "assistant", "content": 'find({"no": 3})'},
    ]
    tool = {"type": "function", "function": {"name": "ask.shop", "parameters": {}}}
    request = chat_request({"messages": history, "tools": [tool]})
    _, call, first, second, third, last = request.messages
    assert call["content"] == "I look."
    assert [one["function"]["name"] for one in call["tool_calls"]] == ["find", "ask_shop"]
    ids = [one["id"] for one in call["tool_calls"]]
    assert [first["tool_call_id"], second["tool_call_id"]] == ids
    assert (first["content"], second["content"]) == ("in Graz", "sent")
    assert third == {"role": "user", "content": "one too many"}
    assert last == {"role": "assistant", "content": 'find({"no": 3})'}
    assert request.tools[0]["function"]["name"] == "ask_shop"
    assert request.as_logged("ask_shop") == "ask.shop"


def test_names_that_would_fall_together_stay_apart() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("web.search", "web_search", "web/search")]
    request = chat_request({"messages": [], "tools": tools})
    sent = [tool["function"]["name"] for tool in request.tools]
    assert [request.as_logged(name) for name in sent] == ["web.search", "web_search", "web/search"]
    assert len(set(sent)) == 3


@pytest.mark.slow
def test_prompts_of_real_agents_are_taken_by_a_strict_server(shared: Path) -> None:
    calls = sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz")
    ids = {call_id: call_id for call_id in calls.calls.drop_nulls("message_ids").get_column("call_id")}
    tasks = sl.Tasks(calls, *(calls.calls.clear() for _ in range(3)))
    with_results = 0
    for prompt in pilot_prompts(tasks, ids):
        request = chat_request(prompt)
        strict(request)
        with_results += any(message["role"] == "tool" for message in request.messages)
    assert with_results > 300
