"""SWE-agent's trajectories (``.traj``) and demonstrations: a document a run, without times."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.trajectories import listed, swe_agent_calls

# swe-agent.com/latest/usage/trajectories: history, trajectory, info.model_stats, replay_config.
_SWITCHES = {
    "tokens": "Nothing to set: the file holds no token counts of single calls.",
    "model": "Keep `replay_config`, which names the model, or add `--assume-model NAME`.",
    "price": "Add `--assume-model NAME`.",
    **not_held("users", "times", "latency", "tools", "window"),
}


def _recognises(record: Record) -> bool:
    history = listed(record.get("history"))
    told = "trajectory" in record or "info" in record or any("message_type" in one for one in history[:3])
    return told and any("role" in one and "agent" in one for one in history[:5])


FORMAT = Format(
    name="swe_agent",
    title="SWE-agent trajectories",
    recognises=_recognises,
    parts=swe_agent_calls,
    prompt_setting="keep the history",
    switches=_SWITCHES,
)
