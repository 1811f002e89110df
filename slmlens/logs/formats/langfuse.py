"""Langfuse: a trace downloaded from the screen, batch and blob exports of observations and traces, and the API's pages.

The same schema in camel and snake case. Times are ISO texts in UTC, latencies seconds, costs USD. Cached tokens stand
beside ``input``.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.langfuse import is_langfuse, parts, read_row

# langfuse.com/docs/api-and-data-platform/features/observations-api (`fields` picks groups, io is one); .../blob-
# storage-export-fields (enriched observations carry session_id, user_id, trace_name; legacy do not; field groups
# are selectable); langfuse.com/docs/sessions (propagate_attributes(session_id=...), US-ASCII, < 200 chars; SDK v3
# before it: update_current_trace(session_id=...)); LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED, capture_input,
# capture_output; langfuse.com/docs/model-usage-and-cost (usage_details); promptName;
# langfuse.com/docs/observability/features/sessions, .../token-and-cost-tracking.
_SWITCHES = {
    "prompts": (
        "Export with inputs and outputs: API v2 `fields=core,basic,time,io,model,usage,prompt,trace_context`, or the "
        "blob storage export with the field group `io`. In the app: "
        "`LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED=true`."
    ),
    "answers": "As for prompts: the export's `output`; in the app, leave `capture_output` on and let streams end.",
    "tokens": "Set `usage_details={...}` on each generation; of OpenAI streams, ask for `include_usage`.",
    "cached_tokens": "Give `usage_details` the key `input_cached_tokens` (the OpenAI wrapper does).",
    "reasoning_tokens": "Give `usage_details` the key `output_reasoning_tokens` (the OpenAI wrapper does).",
    "model": "Set `model=` on each generation; API v2: `fields` with `model`.",
    "price": "Set `model=` to the vendor's own name, not an alias of your own.",
    "sessions": (
        "Set `propagate_attributes(session_id=...)` around a conversation (SDK v3: "
        "`update_current_trace(session_id=...)`), and export traces beside observations, or enriched observations."
    ),
    "users": "Set `propagate_attributes(user_id=...)`, and export traces beside observations.",
    "steps": "Name each generation (`name=`), or link its prompt (`prompt=`, exported as `promptName`).",
    "services": "Set `OTEL_SERVICE_NAME`; it is kept in the metadata.",
    "times": "API v2: `fields` with `time`.",
    "tools": "Pass the request's `tools` in the generation's input or metadata; the OpenAI wrapper does.",
    "window": "Widen the export's time range to two weeks or more.",
}

FORMAT = Format(
    name="langfuse",
    title="Langfuse observations and traces",
    recognises=is_langfuse,
    prompt_setting="export with input and output (the list of observations on the screen leaves them out)",
    parts=parts,
    span=read_row,
    switches=_SWITCHES,
)
