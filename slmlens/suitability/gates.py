"""Gates: what forbids moving a task whatever the evidence, and what a person has to weigh, as far as a log can show.

A window that is too small and prompts with media forbid a small model of text; a licence, and a missing skill with
tools, rule out single models (``savings.catalogue``). Tools that act, and instructions that touch on people's health,
rights or safety, forbid nothing: nothing is executed in a pilot. They are said, for a wrong answer costs more there.
"""

from __future__ import annotations

import re

from slmlens.suitability.settings import AssessSettings

Signals = dict[str, float | None]

MEDIA_FROM = 0.01
"""Share of prompts with an image, audio or video from which the task needs a model that sees or hears."""
NOTE_FROM = 0.01


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


def side_effects(signals: Signals) -> bool:
    """Return whether the task calls tools whose names say that they change something."""
    return (signals["side_effect_share"] or 0) >= NOTE_FROM


_TOPICS = {
    "health": r"diagnos\w*|dosages?|dosing|prescriptions?|prescrib\w*|symptoms?|medications?|patients?|clinical\w*",
    "self-harm": r"suicid\w*|self[- ]harm\w*|overdos\w*",
    "law": r"legal(?:ly)? (?:advice|binding)|lawsuits?|litigation|attorneys?|court (?:case|order)s?",
    "credit or insurance": r"credit ?(?:worthiness|score|decision|limit)s?|loans?|mortgages?|underwrit\w*",
    "hiring": r"job applica\w*|hiring|r[eé]sum[eé]s? screening|cv screening",
    "danger to people": r"emergenc\w*|life[- ]threatening|evacuat\w*|explosiv\w*|firearms?|child abuse",
}
_TOPIC = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _TOPICS.items()}


def sensitive_topics(skeleton: str) -> list[str]:
    """Return which of the topics where a wrong answer may harm a person a task's instructions speak of.

    :param skeleton: The recurring text of the task's prompts.
    """
    return [name for name, pattern in _TOPIC.items() if pattern.search(skeleton)]
