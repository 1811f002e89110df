"""Agent trajectories in ATIF, v1.0 to v1.8, as Harbor and its converters write them: a document a run."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.trajectories import atif_calls

# harborframework.com/docs/trajectory-format: metrics, tool_definitions, is_copied_context, subagent_trajectories.
_SWITCHES = {
    "tokens": "Write `metrics` on each step.",
    "cached_tokens": "Write `metrics.cached_tokens`.",
    "model": "Write `agent.model_name`, or `model_name` on each step.",
    "price": "Name the model with its vendor, as in `openai/gpt-4o`.",
    "sessions": "Write `session_id`.",
    "times": "Write `timestamp` on each step.",
    "tools": "Write `agent.tool_definitions`.",
    "window": "Name the trajectories of two weeks or more.",
    **not_held("users", "latency"),
}


def _recognises(record: Record) -> bool:
    return str(record.get("schema_version", "")).startswith("ATIF-") and isinstance(record.get("steps"), list)


FORMAT = Format(
    name="atif",
    title="agent trajectories (ATIF)",
    recognises=_recognises,
    parts=atif_calls,
    prompt_setting="write every step, with its message",
    switches=_SWITCHES,
)
