"""Gates: what forbids moving a task whatever the evidence, and what leaves it to a person, as far as a log can show.

A window that is too small and prompts with media forbid a small model of text; a licence, and a missing skill with
tools, rule out single models (``savings.catalogue``). Tools that act on the world, and instructions or tools that touch
on people's health, rights or safety, forbid no pilot, for nothing is executed in one; but a wrong answer costs more
there than the evidence can weigh, so only a person may decide to move such a task (the hold).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.tool_names import name_words

Signals = dict[str, float | None]

MEDIA_FROM = 0.01
"""Share of prompts with an image, audio or video from which the task needs a model that sees or hears."""
HOLD_FROM = 0.01
"""Share of a task's calls from which a tool that they call counts for the whole task (judgement)."""
_NAMED = 3


def gate_of(signals: Signals, settings: AssessSettings) -> str | None:
    """Return why the task can't go to a small language model at all, as a clause; None: no gate.

    :param signals: A row of ``task_signals``.
    """
    longest = signals["input_tokens_p99"]
    window = settings.max_context
    if longest is not None and longest * settings.window_factor > window:
        return f"prompts reach {longest:,.0f} tokens, more than a window of {window:,} holds with room to spare"
    if (signals["media_share"] or 0) >= MEDIA_FROM:
        return f"{signals['media_share']:.0%} of the prompts hold images, audio or video"
    return None


@dataclass(frozen=True)
class Tool:
    """A tool that a task's calls call.

    :param share: Share of the task's usable calls that call it.
    :param acts: It changes something outside, as far as its name tells.
    :param shown: Its name may be told.
    """

    name: str
    share: float
    acts: bool
    shown: bool


def hold_of(signals: Signals, skeleton: str, tools: Sequence[Tool]) -> str | None:
    """Return why only a person may decide to move the task, as a clause; None: nothing speaks against it.

    :param signals: A row of ``task_signals``.
    :param skeleton: The recurring text of the task's prompts.
    :param tools: The tools that its calls call, the most called first.
    """
    clauses = []
    if (signals["side_effect_share"] or 0) >= HOLD_FROM:
        names = [tool.name for tool in tools if tool.acts and tool.shown]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        clauses.append(f"its calls act ({', '.join(names[:_NAMED])}{more})" if names else "its calls act")
    topics = sensitive_topics(skeleton, [tool.name for tool in tools if tool.share >= HOLD_FROM])
    if topics:
        clauses.append(f"its instructions or tools speak of {' and '.join(topics)}")
    return " and ".join(clauses) or None


_TOPICS = {
    "health": r"medical\w*|medicines?|medications?|clinical\w*|physicians?|diagnos(?:is|es|ed|e|ing)|diseases?"
    r"|symptoms?|dosages?|dosing|prescriptions?|prescrib\w*"
    r"|patients|(?<!be )(?<!is )(?<!are )(?<!and )(?<!, )(?<!very )patient",
    "self-harm": r"suicid\w*|self[- ]harm\w*|overdos\w*",
    "law": r"legal(?:ly)? (?:advice|binding)|lawsuits?|litigation|attorneys?|court (?:case|order)s?",
    "credit or insurance": r"credit ?(?:worthiness|score|decision|limit)s?|loans?|mortgages?|underwrit\w*",
    "hiring": r"job applica\w*|hiring|r[eé]sum[eé]s? screening|cv screening",
    "danger to people": r"safety[- ]critical|emergenc\w*|life[- ]threatening|evacuat\w*|explosiv\w*|firearms?"
    r"|child abuse",
}
_TOPIC = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _TOPICS.items()}
_DISCLAIMER = re.compile(
    r"(?:\b(?:not|never|no)|n.t)\b[^.!?\n]{0,40}\b(?:legal|medical)\b[^.!?\n]{0,20}\badvice\b", re.IGNORECASE
)


def sensitive_topics(skeleton: str, tools: Sequence[str] = ()) -> list[str]:
    """Return which of the topics where a wrong answer may harm a person a task speaks of; a list of English words.

    "Never give legal advice" is no mention of the law.

    :param skeleton: The recurring text of the task's prompts.
    :param tools: Names of its tools.
    """
    said = [_DISCLAIMER.sub(" ", skeleton), *(" ".join(name_words(name)) for name in tools)]
    return [name for name, pattern in _TOPIC.items() if any(pattern.search(text) for text in said)]
