"""OpenHands' events: a trajectory file, the lines of an evaluation's output. Prompts are rebuilt."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, not_held
from slmlens.logs.openhands import calls_of, is_openhands, parts

# docs.openhands.dev: trajectories; evaluation output.jsonl; LLM completions logging (log_completions).
_SWITCHES = {
    "prompts": "Set `log_completions = true` in the model's configuration; its files are read too.",
    "tokens": "Export from a version that writes `tool_call_metadata.model_response`.",
    "model": "As for tokens.",
    "price": "As for tokens.",
    "tools": "Set `log_completions = true`.",
    "window": "Keep the trajectories of two weeks or more.",
    **not_held("users", "latency"),
}


FORMAT = Format(
    name="openhands",
    title="OpenHands trajectories",
    recognises=is_openhands,
    parts=parts,
    whole=calls_of,
    prompt_setting="keep the messages before each action; `log_completions` writes whole prompts",
    switches=_SWITCHES,
)
