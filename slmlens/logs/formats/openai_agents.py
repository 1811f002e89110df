"""Traces of the OpenAI Agents SDK: rows ``trace`` and ``trace.span``, and the ingest body ``{data: [...]}``.

A ``generation`` span holds its content; a ``response`` span holds only the response's id, unless a processor of the
application writes the content beside it.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.openai_agents import is_agents_row, read_row

# openai.github.io/openai-agents-python/tracing/ (group_id links traces of a conversation; workflow_name;
# generation_span() stores inputs and outputs; RunConfig.trace_include_sensitive_data turns them off; on by
# default); openai.github.io/openai-agents-python/config/ (OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA); response
# spans export response_id and usage only.
_SWITCHES = {
    "prompts": (
        "Response spans export only an id: write `span_data.input` and `span_data.response` with a trace processor "
        "of your own (`add_trace_processor`), or use the chat completions model. Leave "
        "`trace_include_sensitive_data` on (`OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA=1`)."
    ),
    "answers": "As for prompts: `span_data.response` of response spans, `output` of generation spans.",
    "tokens": "Ask streams for usage: `ModelSettings(include_usage=True)`.",
    "model": "Export `span_data.response` whole: it names the model.",
    "price": "Name the vendor's model in `Agent(model=...)`, not an alias.",
    "sessions": "Set `RunConfig(group_id=...)`, or `trace(..., group_id=...)`, to the conversation's id.",
    "users": 'Set `RunConfig(trace_metadata={"user_id": ...})`.',
    "steps": "Give each `Agent` its own `name`.",
    "services": "Set `RunConfig(workflow_name=...)`.",
    "tools": "Export `span_data.response` whole: it holds the tools on offer.",
    "window": "Keep the exported spans for two weeks or more, and name all of the files.",
}

FORMAT = Format(
    name="openai_agents",
    title="traces of the OpenAI Agents SDK",
    recognises=is_agents_row,
    prompt_setting=(
        "add a trace processor that writes span_data.response and span_data.input (the export of a response span holds "
        "its id only)"
    ),
    parts=lambda row: iter((row,)),
    span=read_row,
    switches=_SWITCHES,
)
