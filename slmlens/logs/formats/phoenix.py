"""Phoenix' spans: ``GET /v1/projects/{id}/spans``, ``client.get_spans`` and its tables as JSON lines.

Times are ISO texts. Attributes are OpenInference's, with dotted keys or nested; both are read. No real export was at
hand: the layout is that of the documentation, filled with spans that OpenInference's instrumentation recorded.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.phoenix import is_phoenix, read_row

# arize.com/docs/phoenix: tracing/how-to-tracing (setup-sessions, add-metadata, mask-span-attributes with
# OPENINFERENCE_HIDE_INPUTS and ..._OUTPUTS), sdk-api-reference (spans).
_SWITCHES = {
    "prompts": "Leave `OPENINFERENCE_HIDE_INPUTS` and `OPENINFERENCE_HIDE_INPUT_MESSAGES` unset.",
    "answers": "Leave `OPENINFERENCE_HIDE_OUTPUTS` and `OPENINFERENCE_HIDE_OUTPUT_MESSAGES` unset.",
    "tokens": "Use the instrumentation of the provider's client; of OpenAI streams ask for `include_usage`.",
    "model": "Use the instrumentation of the provider's client.",
    "price": "Name the vendor's model, not an alias.",
    "sessions": "Wrap a conversation in `using_session(session_id=...)`.",
    "users": "Wrap a conversation in `using_user(user_id=...)`.",
    "steps": "Name the spans above a call, or set `agent.name` or `graph.node.id`.",
    "services": "Set `service` among the metadata (`using_metadata`).",
    "tools": "Use the instrumentation of the provider's client: `llm.tools` holds them.",
    "window": "Export two weeks or more.",
}

FORMAT = Format(
    name="phoenix",
    title="Phoenix spans",
    recognises=is_phoenix,
    prompt_setting="leave OPENINFERENCE_HIDE_INPUTS unset",
    parts=lambda row: iter((row,)),
    span=read_row,
    verified=False,
    switches=_SWITCHES,
)
