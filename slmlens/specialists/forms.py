"""Forms of a training example: what a small model is shown of a prompt, and the answer that it has to give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import regex

from slmlens.specialists.split import TRAIN
from slmlens.suitability.answers import Answer, parse_answer
from slmlens.suitability.candidates import parse_candidate
from slmlens.suitability.priors import CHARS_PER_TOKEN
from slmlens.suitability.splits import stable_hash

if TYPE_CHECKING:
    from slmlens.specialists.records import Dataset

SLOTS, MESSAGES = "slots", "messages"
FORMS = (SLOTS, MESSAGES)
"""``slots``: what of the prompt varies, which is all that a tuned model needs; ``messages``: the prompt itself."""
PROMPT_TOKENS = 1_024
"""Most tokens of a prompt, about: a longer one is cut in its middle."""
INSTRUCTION = "Do the task."
"""The system message before the slots, short and in place of the model's own default one of 20 tokens and more; a tuned
model learns from its examples what the task is."""
CUT = "\n[...]\n"
_HEAD_SHARE = 1 / 3
_FENCED = regex.compile(r"```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*(?:```|\Z)", regex.DOTALL)
_THOUGHT = regex.compile(r"^\s*<think>.*?</think>\s*", regex.DOTALL)
Message = dict[str, str]
Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One example, for any trainer that takes prompt and completion.

    :param call_id: The call it was.
    :param messages: The prompt, as ``{"role", "content"}``.
    :param completion: The incumbent's answer in canonical form.
    :param cut: The prompt was longer than the budget and has lost its middle.
    """

    call_id: str
    messages: tuple[Message, ...]
    completion: str
    cut: bool = False


def examples(
    dataset: Dataset,
    side: str,
    *,
    form: str = SLOTS,
    most: int | None = None,
    tokens: int = PROMPT_TOKENS,
    shots: int = 0,
    chars_per_token: float = CHARS_PER_TOKEN,
) -> list[Example]:
    """Return examples of one side, as many recurrence units as can be first.

    The first examples are the same whatever ``most`` is, so that larger training sets hold the smaller ones.

    :param side: ``train``, ``validation`` or ``test``.
    :param form: One of ``FORMS``.
    :param most: Most examples; None: all.
    :param tokens: Most tokens of a prompt, about; a longer one is cut in its middle and marked so.
    :param shots: Training examples shown before each prompt, as earlier turns: as many as fit into half the tokens.
    :param chars_per_token: Characters of a token in this task's prompts: see ``chat.chars_per_token``.
    """
    most_chars = int(tokens * chars_per_token)
    shown = _shots(dataset, form, shots, most_chars) if shots else ()
    budget = most_chars - sum(len(message["content"]) for message in shown)
    found = []
    for row in _spread(_columns(dataset, side))[:most]:
        prompt, cut = cut_middle(_prompt(row, form), budget)
        system = [message for message in prompt[:1] if message["role"] == "system"]
        found.append(Example(row["call_id"], (*system, *shown, *prompt[len(system) :]), row["completion"], cut))
    return found


def _shots(dataset: Dataset, form: str, shots: int, most_chars: int) -> tuple[Message, ...]:
    """Return training examples as earlier turns, each answer once before any comes again; without system messages."""
    room = most_chars // 2
    turns: list[Message] = []
    for row in _each_answer_first(_spread(_columns(dataset, TRAIN))):
        if len(turns) == 2 * shots:
            break
        asked = "\n".join(message["content"] for message in _prompt(row, form) if message["role"] != "system")
        if len(asked) + len(row["completion"]) <= room:
            turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": row["completion"]}]
            room -= len(asked) + len(row["completion"])
    return tuple(turns)


def _columns(dataset: Dataset, side: str) -> list[Row]:
    rows = dataset.rows_on(side).select("call_id", "unit", "messages", "slot_text", "completion")
    return rows.rows(named=True)


def _each_answer_first(rows: list[Row]) -> list[Row]:
    came: Counter[str] = Counter()
    turns = []
    for row in rows:
        turns.append(came[row["completion"]])
        came[row["completion"]] += 1
    return [row for _, row in sorted(zip(turns, rows, strict=True), key=lambda one: one[0])]


def _prompt(row: Row, form: str) -> list[Message]:
    if form == SLOTS:
        return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": row["slot_text"]}]
    return [dict(message) for message in row["messages"]]


def _spread(rows: list[Row]) -> list[Row]:
    """Order rows so that each unit comes once before any comes again, inside that by a hash of the call's texts."""
    ranked = sorted(
        (stable_hash(f"{row['slot_text']}\x00{row['completion']}", "spread"), row["call_id"], row) for row in rows
    )
    turn: dict[int, int] = {}
    placed = []
    for rank, call_id, row in ranked:
        turn[row["unit"]] = turn.get(row["unit"], -1) + 1
        placed.append((turn[row["unit"]], rank, call_id, row))
    return [row for *_, row in sorted(placed, key=lambda one: one[:3])]


def cut_middle(messages: Sequence[Message], most: int) -> tuple[list[Message], bool]:
    """Return messages with at most about ``most`` characters, and whether any were cut.

    A third is kept of the beginning, the rest of the end; messages wholly in between are dropped.
    """
    total = sum(len(message["content"]) for message in messages)
    if total <= most:
        return list(messages), False
    head = int(most * _HEAD_SHARE)
    tail_from = total - (most - head)
    kept, begins = [], 0
    for message in messages:
        text = message["content"]
        first, last = text[: max(head - begins, 0)], text[max(tail_from - begins, 0) :]
        begins += len(text)
        if len(first) + len(last) >= len(text):
            kept.append(dict(message))
        elif first or last:
            kept.append({**message, "content": f"{first}{CUT}{last}".strip()})
    return kept, True


def canonical_completion(text: str, tool_calls: Sequence[dict[str, str]] | None) -> str:
    """Return an answer as a model should write it: tool calls and JSON compact, everything else as it stands.

    JSON keeps the order of its keys and loses fence and white space; a leading block of thought is dropped. One tool
    call is ``{"name", "arguments"}``, several are a list of these; :func:`read_answer` reads them back.

    :param tool_calls: ``[{"name", "arguments"}]`` as in ``CallsTable``; arguments are JSON text.
    """
    if tool_calls:
        calls = [{"name": call["name"], "arguments": _loaded(call["arguments"])} for call in tool_calls]
        return orjson.dumps(calls[0] if len(calls) == 1 else calls).decode()
    body = _THOUGHT.sub("", text).strip()
    if parse_answer(body, None).kind not in {"json", "list"}:
        return body
    fence = _FENCED.search(body)
    for candidate in (body, fence[1] if fence else body):
        value = _loaded(candidate)
        if isinstance(value, dict | list):
            return orjson.dumps(value).decode()
    return body


def _loaded(text: str | None) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text; what is none stays text, and no arguments are an empty object."""
    try:
        return orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return text


def read_answer(text: str, *, calls_tools: bool) -> Answer:
    """Return a model's completion as an answer that the task's comparator can grade.

    :param text: What it wrote, with the placeholders of the log (``records.restored``).
    :param calls_tools: The task's answers are tool calls, so that ``{"name", "arguments"}`` is one and no JSON answer.
    """
    return parse_candidate(text, _calls_in(text) if calls_tools else None)


def _calls_in(text: str) -> list[dict[str, Any]] | None:
    value = _loaded(text.strip() or "null")
    calls = value if isinstance(value, list) else [value]
    named = bool(calls) and all(isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls)
    return calls if named else None
