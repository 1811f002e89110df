"""OTLP JSON: spans and log records as the collector's file exporter and Python's OTLP JSON exporter write them.

One export request a line, or one in a whole file. Cached tokens lie inside the input, as the conventions say; where a
logged total shows that an instrumentation counted them beside it, they are added.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format
from slmlens.logs.otlp import is_otlp, parts, read_part

# opentelemetry-python-contrib.readthedocs.io, instrumentation-genai/openai (openai-v2: OTEL_SEMCONV_STABILITY_OPT_IN=
# gen_ai_latest_experimental is needed for span_only | event_only | span_and_event; `true` on the legacy path;
# content is off by default; COMPLETION_HOOK=upload moves it out of the telemetry); pypi.org/project/opentelemetry-
# util-genai; traceloop.com/docs/openllmetry/privacy/traces (on by default, TRACELOOP_TRACE_CONTENT=false turns it
# off); traceloop.com/docs/openllmetry/tracing/association (set_association_properties, keys are free); arize-
# ai.github.io/openinference/spec/configuration/trace-config.html (OPENINFERENCE_HIDE_INPUTS also hides tool
# definitions; HIDE_INPUT_MESSAGES is independent); openinference- instrumentation on PyPI (using_session,
# using_user, using_attributes); opentelemetry.io/docs/specs/semconv/gen-ai/ (gen_ai.conversation.id,
# gen_ai.agent.name, gen_ai.tool.definitions); OTEL_SERVICE_NAME: opentelemetry.io/docs/languages/sdk-
# configuration/general/.
_SWITCHES = {
    "prompts": (
        "OpenTelemetry: `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only`; the older `openai-v2` also "
        "needs `OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental`, else `true` and the logs file too. "
        "OpenLLMetry: no `TRACELOOP_TRACE_CONTENT=false`. OpenInference: no `OPENINFERENCE_HIDE_INPUTS`, "
        "`OPENINFERENCE_HIDE_INPUT_MESSAGES`."
    ),
    "answers": (
        "As for prompts; OpenInference: no `OPENINFERENCE_HIDE_OUTPUTS`, `OPENINFERENCE_HIDE_OUTPUT_MESSAGES`. If "
        "messages are in a logs file, name it beside the traces."
    ),
    "tokens": 'Ask streams for usage: `stream_options: {"include_usage": true}`.',
    "cached_tokens": "Upgrade the instrumentation: `gen_ai.usage.cache_read.input_tokens` is recent.",
    "reasoning_tokens": "Upgrade the instrumentation: `gen_ai.usage.reasoning.output_tokens` is recent.",
    "model": "Set `gen_ai.response.model` or `gen_ai.request.model` on hand-made spans.",
    "price": "Set `gen_ai.response.model` to the vendor's name, and `gen_ai.provider.name`.",
    "sessions": (
        "Set `gen_ai.conversation.id` or `session.id` on the spans. OpenInference: `using_session(...)`; OpenLLMetry: "
        '`Traceloop.set_association_properties({"session_id": ...})`.'
    ),
    "users": (
        'Set `user.id`. OpenInference: `using_user(...)`; OpenLLMetry: `set_association_properties({"user_id": ...})`.'
    ),
    "steps": (
        "Set `gen_ai.agent.name`, or wrap each step in a named span (OpenLLMetry: `@task(name=...)`, "
        "`@agent(name=...)`)."
    ),
    "services": "Set `OTEL_SERVICE_NAME`.",
    "tools": (
        "OpenTelemetry: capture content (see prompts), which adds `gen_ai.tool.definitions` where the "
        "instrumentation has it. OpenInference: no `OPENINFERENCE_HIDE_LLM_TOOLS`, `OPENINFERENCE_HIDE_INPUTS`."
    ),
    "window": "Keep the collector's files for two weeks or more, and name all of them.",
}

FORMAT = Format(
    name="otlp",
    title="OpenTelemetry traces (OTLP JSON)",
    recognises=is_otlp,
    prompt_setting=(
        "set OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT (OpenTelemetry) or TRACELOOP_TRACE_CONTENT=true "
        "(OpenLLMetry), and export the logs beside the traces where content goes to events"
    ),
    parts=parts,
    span=read_part,
    switches=_SWITCHES,
)
