"""Results of tau-bench (a list of runs) and tau2-bench (simulations): the agent's turns."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.trajectories import tau_calls

# github.com/sierra-research/tau-bench, tau2-bench: traj, simulations[].messages, raw_data.
_SWITCHES = {
    "model": "Add `--assume-model NAME`: the results of tau-bench name no model.",
    "price": "Add `--assume-model NAME`.",
    **not_held("tokens", "users", "times", "latency", "tools", "window"),
}


def _recognises(record: Record) -> bool:
    if isinstance(record.get("traj"), list):
        return {"task_id", "reward"} <= record.keys()
    info = record.get("info")
    return isinstance(info, dict) and "agent_info" in info and bool({"simulations", "tasks"} & record.keys())


FORMAT = Format(
    name="tau_bench",
    title="tau-bench and tau2-bench results",
    recognises=_recognises,
    parts=tau_calls,
    prompt_setting="keep the messages of each run",
    switches=_SWITCHES,
)
