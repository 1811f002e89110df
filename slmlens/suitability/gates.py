"""Gates: what forbids moving a task whatever the evidence, as far as a log can show."""

from __future__ import annotations

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
