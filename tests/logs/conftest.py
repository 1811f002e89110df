"""A plain redactor and a way to read records written on the spot."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import orjson
import pytest

from slmlens.logs.read import read_calls
from slmlens.results import Calls

EMAIL = re.compile(r"[\w.]+@[\w.]+\.[a-z]+")


class PlainRedactor:
    """Hides e-mail addresses and runs of nine digits, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def text(self, raw: str) -> str:
        self.asked.append(raw)
        hidden = raw
        if "@" in raw:
            hidden = EMAIL.sub(lambda found: f"<EMAIL:{_hash(found.group().lower())[:4]}>", raw)
        return re.sub(r"\b\d{9}\b", lambda found: f"<ID:{_hash(found.group())[:4]}>", hidden)

    def pseudonym(self, kind: str, raw: str) -> str:
        return _hash(f"{kind}\0{raw}")

    def fingerprint(self, raw: bytes) -> str:
        return blake2b(raw, digest_size=12, key=b"test").hexdigest()


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=8, key=b"test").hexdigest()


@pytest.fixture
def redactor() -> PlainRedactor:
    return PlainRedactor()


Read = Callable[..., Calls]


@pytest.fixture
def read(tmp_path: Path, redactor: PlainRedactor) -> Read:
    """Write records as JSON lines (bytes and texts as they are) and read them."""

    def reads(*records: object, name: str = "log.jsonl", **settings: object) -> Calls:
        lines = [one if isinstance(one, bytes) else orjson.dumps(one) for one in records]
        (tmp_path / name).write_bytes(b"\n".join(lines) + b"\n")
        return read_calls([tmp_path / name], redactor=redactor, **settings)

    return reads


def pair(
    user: str = "Where is my parcel?",
    answer: str | None = "On its way.",
    *,
    system: str = "You are a courier's assistant.",
    request: dict[str, object] | None = None,
    message: dict[str, object] | None = None,
    response: dict[str, object] | None = None,
    **envelope: object,
) -> dict[str, object]:
    """Return one request/response pair; keyword arguments are laid over its parts."""
    return {
        **envelope,
        "request": {
            "model": "gpt-4o",
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            **(request or {}),
        },
        "response": {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_780_000_000,
            "model": "gpt-4o-2024-08-06",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": answer, **(message or {})},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24},
            **(response or {}),
        },
    }


def only(calls: Calls) -> dict[str, object]:
    """Return the only call."""
    assert calls.calls.height == 1, calls.files.rows()
    return calls.calls.row(0, named=True)


def texts(calls: Calls) -> dict[str, tuple[str, str]]:
    """Return role and text of each stored message by id."""
    return {row["message_id"]: (row["role"], row["text"]) for row in calls.messages.iter_rows(named=True)}
