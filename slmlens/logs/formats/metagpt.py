"""MetaGPT's response cache (``rsp_cache.json``): an object from each prompt to what was answered.

Its keys are made of a request by ``MockLLM`` (github.com/FoundationAgents/MetaGPT, tests/mock/mock_llm.py):
system messages, ``#SYSTEM_MSG_END#``, then messages joined by ``#MSG_SEP#``; or the messages as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator

from slmlens.logs.decode import decode_text, encode_sorted
from slmlens.logs.formats.declaration import Format, Record, not_held

_END, _BETWEEN, _AS_JSON = "#SYSTEM_MSG_END#", "#MSG_SEP#", '[{"role": '


def _recognises(record: Record) -> bool:
    return any(_END in key or _BETWEEN in key or key.startswith(_AS_JSON) for key in record)


def _entries(record: Record) -> Iterator[Record]:
    """Yield the call of each entry; arguments of a function that was to be called are the answer as JSON."""
    for key, said in record.items():
        answer = encode_sorted(said) if isinstance(said, (dict, list)) else said
        yield {"request": {"messages": _messages(key)}, "response": {"choices": [{"message": {"content": answer}}]}}


def _messages(key: str) -> list[object]:
    listed = decode_text(key) if key.startswith(_AS_JSON) else None
    if isinstance(listed, list):
        return listed
    head, told, asked = key.rpartition(_END)
    system: list[object] = [{"role": "system", "content": one} for one in head.split(_BETWEEN)] if told else []
    return [*system, *({"role": "user", "content": one} for one in asked.split(_BETWEEN))]


_SWITCHES = {
    "model": "Nothing to set: the cache names no model. Add `--assume-model NAME`.",
    "price": "Add `--assume-model NAME`.",
    **not_held("tokens", "sessions", "users", "traces", "steps", "services", "times", "latency", "tools", "window"),
}

FORMAT = Format(
    name="metagpt",
    title="MetaGPT's response cache",
    recognises=_recognises,
    prompt_setting="keep the keys whole: they are the prompts",
    parts=_entries,
    switches=_SWITCHES,
)
