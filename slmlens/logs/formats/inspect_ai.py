"""Inspect's logs: ``.eval`` files (zip archives, a member a sample) and ``.json`` documents of any age."""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, not_held
from slmlens.logs.inspect_ai import is_inspect, parts

# inspect.aisi.org.uk/eval-logs.html: EvalLog, ModelEvent, attachments; span names of solvers and agents.
_SWITCHES = {
    "prompts": "Leave `--log-samples` on: a header alone holds no call.",
    "tokens": "Use a provider of Inspect that reports usage.",
    "model": "Keep the header of the log beside its samples.",
    "price": "Name the model as `provider/model`.",
    "steps": "Name solvers and agents; set `model_roles`.",
    "services": "Name the task.",
    "tools": "Keep the model events whole.",
    "window": "Keep the logs of two weeks or more.",
    **not_held("users"),
}


FORMAT = Format(
    name="inspect_ai",
    title="Inspect logs",
    recognises=is_inspect,
    parts=parts,
    prompt_setting="keep the samples and their events (`--log-samples`)",
    switches=_SWITCHES,
)
