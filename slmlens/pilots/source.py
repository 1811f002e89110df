"""Raw prompts of a pilot, read again from the log, in memory only: what to ask and what to grade against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from slmlens.errors import InputError
from slmlens.logs.redactor import PLACEHOLDER
from slmlens.pilots.grading import Drawn
from slmlens.results import Calls
from slmlens.settings import Settings
from slmlens.suitability.answers import parse_answer
from slmlens.suitability.observe import Observed

Message = tuple[str, str]

_VALUE = "\x00"


@dataclass(frozen=True)
class Raw:
    """The calls of a task as they were before redaction.

    :param calls: The log, unredacted.
    :param reference: What to grade against: the present model's answers as they were.
    """

    calls: Calls
    reference: Observed


def raw_of(drawn: Drawn, logs: str | Path | Sequence[str | Path]) -> Raw:
    """Read the logs of a run again without redaction; nothing of it is written.

    Calls are found by their id, and each prompt has to fit the redacted one.

    :raises InputError: If a call of the sample is not there, or its prompt is another.
    """
    from slmlens.stages import read_logs

    facts = drawn.run.manifest["settings"] if drawn.run is not None else {}
    settings = Settings(redact=False, format=facts.get("format"), mapping=facts.get("mapping"))
    source = read_logs(logs, settings=settings)
    wanted = drawn.sample.get_column("call_id").to_list()
    redacted, raw = _prompts(drawn.tasks.calls, wanted), _prompts(source, wanted)
    missing = [call_id for call_id in wanted if call_id not in raw]
    other = [call_id for call_id in wanted if call_id in raw and not _is_same(redacted[call_id], raw[call_id])]
    if missing or other:
        raise InputError(
            f"of the {len(wanted)} calls to ask {len(missing)} are not in this log and {len(other)} have another "
            "prompt there",
            where="--from-source",
            next_step="name all the logs that the run was made from, as they were",
        )
    return Raw(source, _reference(drawn.observed, source))


def _prompts(calls: Calls, wanted: Sequence[str]) -> dict[str, list[Message]]:
    rows = calls.messages.select("message_id", "role", "text").iter_rows()
    texts: dict[str, Message] = {message: (role, text or "") for message, role, text in rows}
    chosen = calls.calls.filter(pl.col("call_id").is_in(list(wanted))).select("call_id", "message_ids")
    return {call_id: [texts[one] for one in messages or ()] for call_id, messages in chosen.iter_rows()}


def _is_same(redacted: Sequence[Message], raw: Sequence[Message]) -> bool:
    return len(redacted) == len(raw) and all(
        role == other and fits(text, whole) for (role, text), (other, whole) in zip(redacted, raw, strict=True)
    )


def fits(redacted: str, raw: str) -> bool:
    """Tell whether a text is another with values put in for its placeholders."""
    first, *others = PLACEHOLDER.sub(_VALUE, redacted).split(_VALUE)
    if not others:
        return redacted == raw
    last = others.pop()
    place = len(first)
    if not raw.startswith(first) or not raw.endswith(last):
        return False
    for piece in others:
        found = raw.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return place <= len(raw) - len(last)


def _reference(observed: Observed, source: Calls) -> Observed:
    """Return the task's calls with the answers that they had before redaction."""
    texts: Mapping[str, str | None] = dict(source.messages.select("message_id", "text").iter_rows())
    listed = source.calls.filter(pl.col("call_id").is_in(observed.call_ids))
    said = {
        call_id: (texts.get(answer_id), calls)
        for call_id, answer_id, calls in listed.select("call_id", "answer_id", "tool_calls").iter_rows()
    }
    answers = [
        parse_answer(*said[call_id]) if call_id in said else answer
        for call_id, answer in zip(observed.call_ids, observed.answers, strict=True)
    ]
    return replace(observed, answers=answers)
