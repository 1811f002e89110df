"""Span attributes of the tracers' dialects as a request, an answer and the fields around them.

Read: OpenTelemetry's ``gen_ai.*`` (messages in attributes or events), OpenLLMetry's numbered ``gen_ai.prompt.N``,
OpenInference's ``llm.*``, Vercel AI SDK's ``ai.*``, Google ADK, LangSmith's and Langfuse's own. The dialects' keys
don't collide, so one table by field serves them all; the first key that is present wins.
"""

from __future__ import annotations

from collections.abc import Mapping

from slmlens.logs.dialects import answer_body, request_body, with_echoed
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import chosen, decoded, message, tool_list
from slmlens.logs.spans import AGENT, LLM, OTHER, TOOL, Values, first, put
from slmlens.logs.units import count
from slmlens.logs.usage import usage_of_counts

Attributes = Mapping[str, object]

_VALUES: dict[str, tuple[tuple[str, str], ...]] = {
    "model": tuple((key, "model") for key in (
        "gen_ai.response.model", "llm.response.model_name", "llm.model_name", "ai.response.model",
    )),
    "requested": tuple((key, "requested_model") for key in (
        "gen_ai.request.model", "llm.request.model_name", "ai.model.id", "langfuse.observation.model.name",
        "langsmith.metadata.ls_model_name",
    )),
    "provider": tuple((key, "provider") for key in (
        "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider",
    )),
    "url": tuple((key, "url") for key in ("server.address", "gen_ai.openai.api_base", "url.full", "http.url")),
    "session": tuple((key, "session_id") for key in (
        "gen_ai.conversation.id", "session.id", "langfuse.session.id", "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id", "traceloop.association.properties.conversation_id",
        "traceloop.association.properties.chat_id", "ai.telemetry.metadata.sessionId", "langsmith.trace.session_id",
        "gcp.vertex.agent.session_id",
    )),
    "user": tuple((key, "user_id") for key in (
        "user.id", "enduser.id", "langfuse.user.id", "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId", "gcp.vertex.agent.user_id",
    )),
    "ttft": (
        ("gen_ai.response.time_to_first_chunk", "ttft_s"), ("gen_ai.server.time_to_first_token", "ttft_s"),
        ("ai.response.msToFirstChunk", "ttft_ms"),
    ),
    "cost": (("llm.cost.total", "cost_usd"), ("gen_ai.usage.cost", "cost_usd")),
}  # fmt: skip

_STEPS = (
    "gen_ai.prompt.name", "langfuse.observation.prompt.name", "langgraph.node",
    "traceloop.association.properties.langgraph_node",
    "langfuse.observation.metadata.langgraph_node", "graph.node.id", "gen_ai.agent.name", "agent.name", "agent_name",
    "ai.telemetry.functionId", "resource.name", "traceloop.entity.name", "gen_ai.workflow.name",
    "traceloop.workflow.name",
)  # fmt: skip
"""Attributes in which an application declares a step, the most particular first."""

_ROLES: tuple[tuple[str, dict[str, str]], ...] = (
    ("openinference.span.kind", {"llm": LLM, "agent": AGENT, "chain": AGENT, "tool": TOOL}),
    ("langfuse.observation.type", {"generation": LLM, "agent": AGENT, "chain": AGENT, "tool": TOOL}),
    ("gen_ai.operation.name", {
        **dict.fromkeys(("chat", "text_completion", "generate_content", "completion", "responses"), LLM),
        **dict.fromkeys(("invoke_agent", "create_agent", "invoke_workflow", "chain", "agent"), AGENT),
        "execute_tool": TOOL,
    }),
    ("llm.request.type", {"chat": LLM, "completion": LLM}),
    ("traceloop.span.kind", {"workflow": AGENT, "task": AGENT, "agent": AGENT, "tool": TOOL}),
    ("langsmith.span.kind", {"llm": LLM, "chain": AGENT, "tool": TOOL}),
)  # fmt: skip
"""Attributes that say what a span is, in the order in which they are believed, and what their words mean."""

_RAW_REQUEST = frozenset({"messages", "input", "contents"})
_HIDDEN = "__REDACTED__"  # what OpenInference writes where its content is switched off

_PROMPTS = (
    "ai.prompt.messages", "ai.prompt", "gcp.vertex.agent.llm_request", "langfuse.observation.input", "events",
    "all_messages_events", "gen_ai.prompt", "llm.prompts", "input.value", "traceloop.entity.input",
)  # fmt: skip
_ANSWERS = (
    "gcp.vertex.agent.llm_response", "langfuse.observation.output", "gen_ai.completion", "output.value",
    "traceloop.entity.output",
)  # fmt: skip
"""Attributes that hold a whole input or output, the most particular first."""

_TOKENS: dict[str, tuple[str, ...]] = {
    "prompt_tokens": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens",
        "ai.usage.promptTokens", "llm.usage.prompt_tokens",
    ),
    "completion_tokens": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens",
    ),
    "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
}  # fmt: skip
_CACHED = (
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens", "gen_ai.usage.details.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens", "gen_ai.usage.input_tokens.cached",
)  # fmt: skip
_WRITTEN = (
    "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_write_tokens", "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)  # fmt: skip
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens", "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens",
)  # fmt: skip


def role_of_span(attributes: Attributes, name: str = "") -> str:
    """Return what a span is: ``llm``, ``agent``, ``tool`` or ``other``.

    :param attributes: Its attributes.
    :param name: Its name.
    """
    for key, roles in _ROLES:
        word = string(attributes.get(key))
        if word:
            return roles.get(word.lower(), OTHER)
    operation = string(attributes.get("ai.operationId")) or ""
    if operation.startswith("ai."):
        called = "generate" in operation or operation.startswith("ai.stream")
        return LLM if called else TOOL if operation == "ai.toolCall" else OTHER
    asked = "gen_ai.request.model" in attributes or "gcp.vertex.agent.llm_request" in attributes
    return LLM if asked and "embed" not in name.lower() else OTHER


def fields_of(attributes: Attributes) -> Values:
    """Return what the attributes say around a call: model, provider, session, user, tokens, cost.

    :param attributes: The attributes of a span.
    """
    values: Values = {}
    for field_name, keys in _VALUES.items():
        for key, alias in keys:
            put(values, field_name, alias, attributes.get(key))
    parameters = decoded(attributes.get("llm.invocation_parameters"))
    if isinstance(parameters, dict):
        put(
            values,
            "requested",
            "requested_model",
            string(parameters.get("model")) or string(parameters.get("model_name")),
        )
    put(values, "usage", "usage", _usage(attributes))
    return values


def declared_step(attributes: Attributes) -> str | None:
    """Return the step that the application declared on a span, or None.

    :param attributes: Its attributes.
    """
    return string(first(attributes, _STEPS))


def read_request(attributes: Attributes) -> Body | None:
    """Return what was asked, or None if the content was not captured.

    :param attributes: The attributes of a span.
    """
    body = with_echoed(_asked(attributes), decoded(attributes.get("output.value")))
    tools = _tools(attributes)
    if tools and not (body or {}).get("tools"):
        body = {**(body or {}), "tools": tools}
    if body is None:
        return None
    parameters = decoded(attributes.get("llm.invocation_parameters"))
    beside = parameters if isinstance(parameters, dict) else {}
    if attributes.get("gen_ai.output.type") == "json":
        beside = {"response_format": {"type": "json_object"}, **beside}
    return {**{key: beside[key] for key in ("response_format", "text") if key in beside}, **body}


def read_response(attributes: Attributes) -> object:
    """Return what was answered, in a shape that ``read_answer`` takes; None if the content was not captured.

    :param attributes: The attributes of a span.
    """
    body = _answered(attributes)
    known = {
        "id": first(attributes, ("gen_ai.response.id", "ai.response.id")) or _provider_response_id(attributes),
        "service_tier": first(attributes, ("openai.response.service_tier", "gen_ai.openai.response.service_tier")),
    }
    known = {key: value for key, value in known.items() if value}
    if isinstance(body, dict):
        finish = finish_of(attributes)
        choices = body.get("choices")
        if finish and isinstance(choices, list) and choices and not choices[0].get("finish_reason"):
            choices[0]["finish_reason"] = finish
        return {**known, **body}
    return {"choices": [], **known} if known else None


def nested(attributes: Attributes, prefix: str) -> list[Body]:
    """Return the objects that numbered keys stand for: ``PREFIX.0.role`` and ``PREFIX.10.content`` by number.

    :param attributes: The attributes of a span.
    :param prefix: What stands before the number, without the full stop.
    """
    start = prefix + "."
    found: dict[int, Body] = {}
    for key, value in attributes.items():
        if not key.startswith(start):
            continue
        number, _, path = key[len(start) :].partition(".")
        if number.isdigit() and len(number) < 9:  # noqa: PLR2004 - longer ones are no indices
            _place(found.setdefault(int(number), {}), path.split("."), value)
    return [found[number] for number in sorted(found)]


def _place(target: Body, path: list[str], value: object) -> None:
    for part in path[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target[path[-1]] = value


def _numbered(value: object) -> list[object]:
    """Return the values of ``{"0": a, "1": b}`` by number."""
    if not isinstance(value, dict):
        return value if isinstance(value, list) else []
    return [value[key] for key in sorted(value, key=lambda one: int(one) if one.isdigit() else 0)]


def _asked(attributes: Attributes) -> Body | None:
    listed = attributes.get("gen_ai.input.messages")
    if listed:
        return _with_instructions(request_body(listed), attributes.get("gen_ai.system_instructions"))
    raw = decoded(attributes.get("input.value"))
    if isinstance(raw, dict) and _RAW_REQUEST & raw.keys() and ("model" in raw or "contents" in raw):
        return request_body(raw) if "input" not in raw or "messages" in raw else raw
    numbered = [_openllmetry(one) for one in nested(attributes, "gen_ai.prompt")]
    numbered = numbered or [_openinference(one) for one in nested(attributes, "llm.input_messages")]
    if numbered:
        return {"messages": numbered}
    shown = (attributes.get(key) for key in _PROMPTS)
    return next((request_body(value) for value in shown if value and value != _HIDDEN), None)


def _with_instructions(body: Body | None, instructions: object) -> Body | None:
    parts = decoded(instructions)
    if not parts:
        return body
    listed = (body or {}).get("messages")
    head = message({"role": "system", "parts": parts if isinstance(parts, list) else [parts]})
    return {**(body or {}), "messages": [head, *(listed if isinstance(listed, list) else [])]}


def _answered(attributes: Attributes) -> object:
    if attributes.get("gen_ai.output.messages"):
        return answer_body(attributes["gen_ai.output.messages"])
    raw = decoded(attributes.get("output.value"))
    if isinstance(raw, dict) and (isinstance(raw.get("choices"), list) or raw.get("object") == "response"):
        return raw
    numbered = [_openllmetry(one) for one in nested(attributes, "gen_ai.completion")]
    numbered = numbered or [_openinference(one) for one in nested(attributes, "llm.output_messages")]
    if numbered:
        return chosen(numbered[0], numbered[0].get("finish_reason"))
    return _answered_otherwise(attributes)


def _answered_otherwise(attributes: Attributes) -> object:
    calls, said = attributes.get("ai.response.toolCalls"), attributes.get("ai.response.text")
    said = attributes.get("ai.response.object") if said is None else said
    if calls or said is not None:
        return answer_body({"text": said, "toolCalls": decoded(calls) or []})
    events = decoded(first(attributes, ("events", "all_messages_events")))
    last = events[-1] if isinstance(events, list) and events else None
    if isinstance(last, dict) and last.get("event.name") == "gen_ai.choice":
        return answer_body(last)
    shown = (attributes.get(key) for key in _ANSWERS)
    return next((answer_body(value) for value in shown if value and value != _HIDDEN), None)


def _openllmetry(one: Body) -> Body:
    calls = [{"function": call} for call in _numbered(one.get("tool_calls"))]
    made = message({**one, "tool_calls": None})
    return {**made, "tool_calls": calls} if calls else made


def _openinference(one: Body) -> Body:
    said = one.get("message")
    if not isinstance(said, dict):
        return message(one)
    calls = [call.get("tool_call", call) for call in _numbered(said.get("tool_calls")) if isinstance(call, dict)]
    parts = [part.get("message_content", part) for part in _numbered(said.get("contents")) if isinstance(part, dict)]
    made = message({**said, "content": said.get("content") or parts or None, "tool_calls": None})
    return {**made, "tool_calls": calls} if calls else made


def _tools(attributes: Attributes) -> list[object]:
    tools = tool_list(first(attributes, ("gen_ai.tool.definitions", "ai.prompt.tools", "tools")))
    tools = tools or list(nested(attributes, "llm.request.functions"))
    if tools:
        return tools
    declared = [one.get("tool") for one in nested(attributes, "llm.tools")]
    return [tool for one in declared if isinstance(one, dict) for tool in tool_list([one.get("json_schema")])]


def finish_of(attributes: Attributes) -> object:
    """Return why the answer ended, as logged; None if that is not said.

    :param attributes: The attributes of a span.
    """
    reasons = decoded(attributes.get("gen_ai.response.finish_reasons"))
    if isinstance(reasons, list):
        return reasons[0] if reasons else None
    return reasons or first(attributes, ("ai.response.finishReason", "llm.finish_reason"))


def _provider_response_id(attributes: Attributes) -> str | None:
    """Return the id that Vercel's SDK keeps under the provider's name."""
    told = decoded(attributes.get("ai.response.providerMetadata"))
    for one in told.values() if isinstance(told, dict) else ():
        if isinstance(one, dict) and string(one.get("responseId")):
            return string(one["responseId"])
    return None


def _details(details: object) -> Body | None:
    """Return usage out of what Langfuse's SDK was given: a provider's own usage, or counts by Langfuse's names."""
    if not isinstance(details, dict):
        return None
    if "prompt_tokens" in details:
        return details
    counts = {key.lower(): number for key, value in details.items() if (number := count(value)) is not None}
    return usage_of_counts(counts)


def _usage(attributes: Attributes) -> Body | None:
    usage: Body = {}
    for key, names in _TOKENS.items():
        value = first(attributes, names)
        if value is not None:
            usage[key] = value
    if not usage:
        return _details(decoded(attributes.get("langfuse.observation.usage_details")))
    cached, written = first(attributes, _CACHED), first(attributes, _WRITTEN)
    usage["prompt_tokens_details"] = {"cached_tokens": cached, "cache_write_tokens": written}
    usage["completion_tokens_details"] = {"reasoning_tokens": first(attributes, _REASONING)}
    return usage
