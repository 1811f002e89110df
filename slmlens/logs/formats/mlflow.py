"""MLflow's traces: JSON documents of one trace, rows of ``search_traces``, and the artifact ``traces.json``.

Times are nanoseconds. A trace's own token counts add up over its spans and are not read.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.mlflow import is_mlflow, parts, read_row

# mlflow.org/docs/latest/genai/tracing: quickstart (autolog), track-users-sessions (mlflow.trace.user, .session),
# token-usage-cost, search-traces, data-model/traces.
_SWITCHES = {
    "prompts": "Use an autologger (`mlflow.openai.autolog()`), or `span.set_inputs(...)`; masking hides them.",
    "answers": "As for prompts: `span.set_outputs(...)`.",
    "tokens": "Use an autologger of MLflow 3, or set the span attribute `mlflow.chat.tokenUsage`.",
    "model": "Use an autologger, or pass `model` among the span's inputs.",
    "price": "Name the vendor's model, not an endpoint of your own.",
    "sessions": "`mlflow.update_current_trace(metadata={'mlflow.trace.session': ...})`.",
    "users": "`mlflow.update_current_trace(metadata={'mlflow.trace.user': ...})`.",
    "steps": "Name the spans above a call: `@mlflow.trace(name=...)`.",
    "services": "Nothing to set: an experiment is known by its number only.",
    "tools": "Use an autologger, or set `mlflow.chat.tools`.",
    "window": "Search two weeks of traces or more.",
}

FORMAT = Format(
    name="mlflow",
    title="MLflow traces",
    recognises=is_mlflow,
    prompt_setting="log spans with their inputs (an autologger does)",
    parts=parts,
    span=read_row,
    switches=_SWITCHES,
)
