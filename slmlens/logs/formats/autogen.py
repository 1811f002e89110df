"""AutoGen: events of its logger (0.4 and later), and the runtime log of 0.2 and AG2 (file, or rows of its database).

Unverified: by AutoGen's sources (autogen_core.logging; autogen/logger/file_logger.py and sqlite_logger.py); no real
export was at hand. Times of the runtime log are without a zone and taken as UTC, which is what it writes.
"""

from __future__ import annotations

from slmlens.logs.autogen import calls_of, is_autogen
from slmlens.logs.formats.declaration import Format, not_held

# microsoft.github.io/autogen: user-guide/core-user-guide/framework/logging.html (EVENT_LOGGER_NAME, structured
# events); docs.ag2.ai: Runtime Logging with AutoGen (runtime_logging.start, table chat_completions).
_SWITCHES = {
    "answers": "Log whole events: `LLMCall` and `LLMStreamEnd` hold the response.",
    "tokens": 'Of streams ask for usage: `extra_create_args={"stream_options": {"include_usage": True}}`.',
    "price": "Name the vendor's model, not a deployment's alias.",
    "sessions": "Events: use teams of AgentChat: `agent_id` holds their id. Runtime log: start it per conversation.",
    "steps": "Give each agent its own `name`.",
    "times": "Events hold no time: add `timestamp` to each with a formatter of your own.",
    "tools": "Log whole events: `LLMCall` holds the tools on offer.",
    "window": "Keep the logs of two weeks or more.",
    **not_held("users", "services", "latency"),
}

FORMAT = Format(
    name="autogen",
    title="AutoGen's logs",
    recognises=is_autogen,
    whole=calls_of,
    prompt_setting="log the events themselves, one JSON object a line (`LLMCall` holds the messages)",
    verified=False,
    switches=_SWITCHES,
)
