"""Memories of smolagents (``memory.get_full_steps()`` as JSON): a step that asked a model is a call."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.trajectories import smolagents_calls

# huggingface.co/docs/smolagents/tutorials/memory: get_full_steps, model_input_messages, token_usage, timing.
_SWITCHES = {
    "tokens": "Use a model class that counts them (`token_usage`).",
    "model": "Add `--assume-model NAME`: the memory names no model.",
    "price": "Add `--assume-model NAME`.",
    "window": "Keep the memories of two weeks or more.",
    **not_held("users", "tools"),
}


def _recognises(record: Record) -> bool:
    return "step_number" in record and bool({"model_input_messages", "model_output"} & record.keys())


FORMAT = Format(
    name="smolagents",
    title="smolagents memories",
    recognises=_recognises,
    parts=smolagents_calls,
    verified=False,
    prompt_setting="dump `memory.get_full_steps()`, which holds `model_input_messages`",
    switches=_SWITCHES,
)
