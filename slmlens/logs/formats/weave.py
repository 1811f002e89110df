"""W&B Weave: rows of ``/calls/stream_query``, of the client and of the screen's export.

Times are ISO texts. The usage in ``summary`` adds up over everything below an operation, so only leaves count. A row
whose call still ran has no answer.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.weave import is_weave, parts, read_row

# docs.wandb.ai/weave: guides/tracking/tracing (weave.attributes, op names, display_name), guides/tracking/threads
# (weave.thread), guides/tracking/costs, guides/tracking/redact-pii.
_SWITCHES = {
    "prompts": "Trace the client itself (`weave.init` before the client is made), and export rows with `inputs`.",
    "answers": "Export rows with `output`, after the calls have ended.",
    "tokens": "Export rows with `summary`; of OpenAI streams ask for `include_usage`.",
    "model": "Export rows with `inputs` and `summary`.",
    "price": "Name the vendor's model, not an alias.",
    "sessions": "Wrap a conversation in `weave.thread(...)`, or in `weave.attributes({'session_id': ...})`.",
    "users": "Set `weave.attributes({'user_id': ...})`.",
    "steps": "Decorate the agent's functions with `@weave.op`: a call takes the name of the operation above it.",
    "tools": "Pass `tools` to the client that is traced.",
    "window": "Export two weeks or more.",
}

FORMAT = Format(
    name="weave",
    title="W&B Weave calls",
    recognises=is_weave,
    prompt_setting="export calls with their `inputs`",
    parts=parts,
    span=read_row,
    switches=_SWITCHES,
)
