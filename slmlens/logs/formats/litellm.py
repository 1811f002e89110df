"""LiteLLM: the standard logging payload (S3, GCS, Azure, any logger) and rows of the spend table or ``/spend/logs``.

Times are epoch seconds, or texts without a zone that are UTC; costs are USD. Of streams the model is as asked for.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.litellm import is_litellm, parts

# docs.litellm.ai: proxy/logging_spec (StandardLoggingPayload), proxy/ui_logs (store_prompts_in_spend_logs),
# proxy/logging (turn_off_message_logging, litellm_session_id), proxy/request_tags, proxy/users (end users),
# proxy/virtual_keys.
_SWITCHES = {
    "prompts": (
        "Spend table: `general_settings: store_prompts_in_spend_logs: true`. Loggers: leave "
        "`turn_off_message_logging` off."
    ),
    "answers": "As for prompts.",
    "tokens": "LiteLLM counts them by itself; pass-through routes need the provider's `usage`.",
    "model": "Log the payload whole: `model` is what was called, `model_group` what was asked for.",
    "price": "Name the vendor's model in `litellm_params: model`, with its provider.",
    "sessions": "Send `litellm_session_id`, or the header `x-litellm-session-id`, with each call of a conversation.",
    "users": "Send `user` with each call: it becomes `end_user`.",
    "traces": "Send `litellm_trace_id` in the metadata.",
    "steps": 'Send `metadata: {"step": ...}` with each call; tags go to `request_tags`.',
    "services": "Give each application its own key, with a `key_alias`.",
    "tools": "Log the payload whole: tools stand in `model_parameters`.",
    "window": "Export two weeks or more.",
}

FORMAT = Format(
    name="litellm",
    title="LiteLLM's log records",
    recognises=is_litellm,
    prompt_setting="set `store_prompts_in_spend_logs: true`, and leave `turn_off_message_logging` off",
    parts=parts,
    switches=_SWITCHES,
)
