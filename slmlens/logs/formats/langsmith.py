"""LangSmith's runs: the API's and the SDK's rows, webhooks, bulk exports, LangChain's own tracer, ingest batches.

Times are ISO texts in UTC (epoch milliseconds from JavaScript). Cached tokens lie inside ``input_tokens``. The column
``session_id`` is the id of the *project*; a conversation stands in ``extra.metadata``.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.langsmith import is_langsmith, parts, read_row

# docs.langchain.com/langsmith: run (span) data format; threads (metadata session_id, thread_id or conversation_id);
# log-llm-trace (ls_provider, ls_model_name, usage_metadata); mask-inputs-outputs (LANGSMITH_HIDE_INPUTS, ..._OUTPUTS);
# data-export (bulk export to Parquet).
_SWITCHES = {
    "prompts": "Leave `LANGSMITH_HIDE_INPUTS` unset, and export runs with `inputs` (large ones lie in S3: fetch them).",
    "answers": "Leave `LANGSMITH_HIDE_OUTPUTS` unset, and export runs with `outputs`.",
    "tokens": "Return `usage_metadata` from traced functions; of OpenAI streams ask for `stream_usage=True`.",
    "cached_tokens": "Give `usage_metadata` its `input_token_details.cache_read`.",
    "reasoning_tokens": "Give `usage_metadata` its `output_token_details.reasoning`.",
    "model": "Set the metadata `ls_model_name` and `ls_provider` on runs of your own.",
    "price": "Set `ls_model_name` to the vendor's own name, and `ls_provider`.",
    "sessions": "Set the metadata `thread_id` (or `session_id`, `conversation_id`) to the conversation's id.",
    "users": "Set the metadata `user_id`.",
    "steps": "Name the nodes of the graph, or the traced functions (`@traceable(name=...)`).",
    "services": "Export with `session_name`, the name of the project.",
    "tools": "Export `extra` whole: the tools on offer stand in `extra.invocation_params`.",
    "window": "Widen the export's time range to two weeks or more.",
}

FORMAT = Format(
    name="langsmith",
    title="LangSmith runs",
    recognises=is_langsmith,
    prompt_setting="export runs with their `inputs`, and leave LANGSMITH_HIDE_INPUTS unset",
    parts=parts,
    span=read_row,
    switches=_SWITCHES,
)
