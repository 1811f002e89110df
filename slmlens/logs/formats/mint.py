"""Trajectories of MINT's agents: a conversation a line, without times."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record, not_held
from slmlens.logs.framework_messages import object_of
from slmlens.logs.trajectories import listed, mint_calls

# github.com/xingyaoww/mint-bench, data/outputs/*/results.jsonl: {state: {history, ...}, task}.
_SWITCHES = {
    "model": "Write `model` beside `state`, or add `--assume-model NAME`: the results name no model.",
    "price": "Add `--assume-model NAME`.",
    "tokens": "Nothing to set: the file counts the tokens of a whole run only.",
    **not_held("users", "steps", "times", "latency", "tools", "window"),
}


def _recognises(record: Record) -> bool:
    history = listed(object_of(record.get("state")).get("history"))
    return isinstance(record.get("task"), dict) and any(one.get("role") == "assistant" for one in history)


FORMAT = Format(
    name="mint",
    title="MINT trajectories",
    recognises=_recognises,
    parts=mint_calls,
    prompt_setting="keep the history of each run",
    switches=_SWITCHES,
)
