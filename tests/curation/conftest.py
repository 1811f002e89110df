"""A log of a few calls, for tests that need one and care little which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty calls of two steps, by twenty sessions."""
    file = tmp_path_factory.mktemp("small") / "calls.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for at in range(40):
            prompt = ("Sort this order into a queue: {}", "Write a short reply to the order {}")[at % 2]
            messages = [
                {"role": "system", "content": "You help the staff of a shop with its orders."},
                {"role": "user", "content": prompt.format(f"two chairs and {at} lamps, please by Friday")},
            ]
            answer = {"role": "assistant", "content": ("furniture", "Thank you, it is on its way.")[at % 2]}
            record = {
                "request": {"model": "gpt-4o-mini", "messages": messages},
                "response": {
                    "id": f"r{at}",
                    "model": "gpt-4o-mini",
                    "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 60, "completion_tokens": 8},
                },
                "session_id": f"s{at // 2}",
                "timestamp": f"2026-09-{at // 2 + 1:02d}T10:00:{at % 2:02d}Z",
            }
            lines.write(json.dumps(record) + "\n")
    return file
