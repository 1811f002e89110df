"""An export of an invented tool that no reader knows: one record a conversation, one call a turn."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slmlens.sample.choose import Paths

CONVERSATIONS = 40
_START = datetime(2026, 10, 5, 8, tzinfo=UTC)
_ASKED = ("Which queue does ticket {n} belong to?", "Is ticket {n} urgent, yes or no?", "Sum ticket {n} up in a line.")
_SAID = (("billing", "delivery", "returns"), ("yes", "no"), ("A parcel is late.", "A refund is asked for."))


def write_unread(path: Path) -> int:
    """Write the export and return how many calls it holds.

    :param path: The file to write.
    """
    records = [_conversation(number) for number in range(CONVERSATIONS)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return sum(1 + number % len(_ASKED) for number in range(CONVERSATIONS))


def logs_or_unread(logs: Paths | None) -> Paths:
    """Return logs, or the export where there are none, in a folder for temporary files.

    :param logs: Files or folders, or None.
    """
    if logs is not None:
        return logs
    path = Path(tempfile.mkdtemp(prefix="slmlens-")) / "conversations.jsonl"
    write_unread(path)
    return path


def _conversation(number: int) -> dict[str, object]:
    turns = [_turn(number, place) for place in range(1 + number % len(_ASKED))]
    return {"conversation": f"c-{number:03}", "app": "ticket-desk", "meta": {"model": "gpt-4o-mini"}, "turns": turns}


def _turn(number: int, place: int) -> dict[str, object]:
    said = _SAID[place][number % len(_SAID[place])]
    return {
        "question": _ASKED[place].format(n=4700 + number),
        "answer": said,
        "requested_at": (_START + timedelta(hours=number * 9, seconds=place * 4)).isoformat(),
        "duration": 0.6 + 0.1 * place,
        "tokens_in": 40 + number % 7,
        "tokens_out": len(said.split()),
    }
