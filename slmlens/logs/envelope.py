"""The fields that stand around a request and its answer, by name and wherever they sit: ids, steps, times, cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

Level = Mapping[str, object]

FIELDS: dict[str, tuple[str, ...]] = {
    "session": (
        "session_id", "session", "conversation_id", "conversation", "thread_id", "chat_id", "dialogue_id", "dialog_id",
        "gen_ai_conversation_id", "helicone_session_id", "litellm_session_id", "session_uuid", "session_key",
    ),
    "trace": ("trace_id", "trace", "run_id", "workflow_run_id", "execution_id", "correlation_id", "litellm_trace_id"),
    "parent": ("parent_id", "parent_span_id", "parent_run_id", "parent_observation_id"),
    "user": ("user_id", "end_user_id", "end_user", "enduser_id", "user", "customer_id", "safety_identifier"),
    "step": (
        "step_name", "step", "node_name", "node", "langgraph_node", "prompt_name", "prompt_id", "prompt_slug",
        "template_name", "template_id", "workload_id", "workload", "task_name", "task", "span_name", "generation_name",
        "call_name", "operation_name", "operation", "agent_name", "agent", "agent_role", "gen_ai_agent_name", "phase",
    ),
    "service": (
        "service_name", "service", "project_name", "project", "project_id", "application_name", "application",
        "app_name", "app", "app_id", "product", "client_id",
    ),
    "started": (
        "start_time", "started_at", "request_start_time", "request_time", "request_timestamp", "requested_at",
        "request_created_at", "start_time_unix_nano", "timestamp", "ts", "time", "created_at", "datetime", "date_time",
        "date", "event_time", "logged_at", "_timestamp", "created",
    ),
    "ended": (
        "end_time", "ended_at", "completed_at", "finished_at", "response_created_at", "response_timestamp",
        "end_time_unix_nano",
    ),
    "latency": (
        "latency_ms", "duration_ms", "elapsed_ms", "delay_ms", "response_time_ms", "total_time_ms", "execution_time_ms",
        "latency_s", "latency_seconds", "latency_sec", "duration_s", "duration_seconds", "duration_sec", "elapsed_s",
        "elapsed_seconds", "latency_ns", "duration_ns", "latency", "duration", "elapsed", "elapsed_time",
        "response_time",
    ),
    "ttft": (
        "ttft_ms", "time_to_first_token_ms", "first_token_ms", "ttft_s", "ttft_seconds", "time_to_first_token_s",
        "ttft", "time_to_first_token",
    ),
    "cost": (
        "cost_usd", "response_cost", "total_cost_usd", "total_cost", "cost_in_usd", "price_usd", "spend_usd", "cost",
        "spend", "cost_cents",
    ),
    "provider": ("provider", "custom_llm_provider", "llm_provider", "provider_name", "model_provider", "vendor"),
    "url": ("url", "uri", "request_url", "endpoint", "base_url", "api_base", "provider_host", "host"),
    "status": ("status_code", "http_status", "http_status_code", "response_status_code", "response_status", "status"),
    "error": ("error", "error_message", "exception", "error_str", "error_type"),
    "model": ("response_model", "model", "model_name", "model_id"),
    "requested": ("request_model", "model_requested", "requested_model", "model_group", "deployment"),
    "tags": ("tags", "labels", "request_tags"),
    "batch": ("batch", "is_batch"),
    "prompt_tokens": (
        "prompt_tokens", "input_tokens", "tokens_in", "tokens_prompt", "num_input_tokens", "n_prompt_tokens",
    ),
    "completion_tokens": (
        "completion_tokens", "output_tokens", "tokens_out", "tokens_completion", "num_output_tokens",
        "n_completion_tokens",
    ),
    "cached_tokens": ("cached_tokens", "tokens_cached", "cached_input_tokens"),
    "usage": ("usage", "token_usage"),
}  # fmt: skip
"""Names of a field in snake case, the most telling first; ``sessionId`` and ``session.id`` count as ``session_id``."""

COST_TAGS = (
    "team", "team_id", "cost_center", "department", "tenant", "tenant_id", "organization", "org", "business_unit",
    "environment", "env",
)  # fmt: skip
"""Cost-allocation keys: kept as tags ``key:value``."""

REQUEST_FIELDS = frozenset({"session", "trace", "user", "step", "service", "tags"})
"""What may be read from inside a request body, whose other keys are settings of the call."""

BODY_KEYS = frozenset({
    "request", "response", "request_body", "response_body", "req", "resp", "response_stream", "stream", "chunks",
    "messages", "input", "output", "choices", "tools", "functions", "usage", "prompt", "completion", "content",
    "contents", "body", "headers", "request_headers", "response_headers", "result", "answer", "generation", "text",
    "kwargs", "params", "system", "instructions", "system_instruction", "response_format", "token_usage",
})  # fmt: skip
"""Keys that hold a call's bodies; no envelope field is looked for inside them."""

_GENERIC_STEPS = frozenset({
    "chat", "completion", "completions", "chat_completion", "chat_completions", "chat.completion", "chat.completions",
    "generate", "generation", "llm", "openai", "anthropic", "messages", "responses", "create", "call", "none", "null",
})  # fmt: skip

_RANKS = {alias: (field, rank) for field, aliases in FIELDS.items() for rank, alias in enumerate(aliases)}
_DEPTH = 4
_LARGEST_LEVEL = 200
_NAME_CHARS = 80
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")


class Found(NamedTuple):
    """An envelope field: its value, and the alias (in snake case) that it stood under."""

    value: object
    alias: str


def envelope_fields(record: Level, request: Level | None = None) -> tuple[dict[str, Found], list[str]]:
    """Return the envelope fields of a record, and its cost-allocation tags as ``key:value``.

    The most telling name wins, then the shallowest level. Bodies are not searched, except for the few fields that
    belong to the caller (``user``, ``metadata``) in a request.

    :param record: The record as logged.
    :param request: The request body within it, or None.
    """
    best: dict[str, tuple[tuple[int, int], Found]] = {}
    tags: list[str] = []
    for level, depth, plan in _levels(record, 0):
        _take_fields(best, level, depth, plan.fields)
        tags += [f"{alias}:{level[key]}" for key, alias in plan.tags if isinstance(level[key], (str, int))]
    if request is not None and request is not record:
        for level, depth, plan in _levels(request, _DEPTH):
            _take_fields(best, level, depth, plan.callers)
    return {field: found for field, (_, found) in best.items()}, tags


@lru_cache(maxsize=8192)
def snake(key: str) -> str:
    """Return a key in snake case: ``sessionId``, ``session-id`` and ``session.id`` become ``session_id``.

    :param key: The key as logged.
    """
    return _SEPARATORS.sub("_", _CAMEL.sub("_", key)).lower()


def identifier(value: object) -> str | None:
    """Return an id as text: of a string, a number, or an object with an ``id``, ``name`` or ``key``.

    :param value: The value as logged.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in ("id", "name", "key") if isinstance(value.get(key), (str, int))), None)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None


def declared_name(value: object) -> str | None:
    """Return a declared name (of a step, an agent, a service), or None if the value is no name.

    Numbers are counters, texts of several lines or over 80 characters are prompts, and words such as ``chat`` name
    nothing. A path is cut to its last part.

    :param value: The value as logged.
    """
    name = identifier(value)
    if name is None or isinstance(value, int) or len(name) > _NAME_CHARS or "\n" in name:
        return None
    if name.lower() in _GENERIC_STEPS or _is_number(name):
        return None
    return file_name(name) if name.startswith(("/", "~")) or name[1:3] == ":\\" else name


def file_name(path: str) -> str:
    """Return the last part of a path of either kind, so that no absolute path is kept.

    :param path: The path as logged.
    """
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1] or path


def tag_texts(value: object) -> list[str]:
    """Return tags as texts: a list of words, a text of words set apart by commas, or ``key:value`` of an object.

    :param value: The value as logged.
    """
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    if isinstance(value, dict):
        return [f"{key}:{one}" for key, one in value.items() if isinstance(one, (str, int, float))]
    if isinstance(value, list):
        return [str(one) for one in value if isinstance(one, (str, int, float)) and str(one)]
    return []


class _Hit(NamedTuple):
    key: str
    alias: str
    field: str
    rank: int


class _Plan(NamedTuple):
    """What to look at in a level with certain keys; records of one log share a few sets of keys."""

    fields: tuple[_Hit, ...]
    callers: tuple[_Hit, ...]  # the fields that may be read from inside a request
    tags: tuple[tuple[str, str], ...]
    inner: tuple[str, ...]  # keys that may hold a further level


@lru_cache(maxsize=4096)
def _plan(keys: tuple[str, ...]) -> _Plan:
    aliases = [(key, snake(key)) for key in keys]
    hits = tuple(_Hit(key, alias, *_RANKS[alias]) for key, alias in aliases if alias in _RANKS)
    return _Plan(
        fields=hits,
        callers=tuple(hit for hit in hits if hit.field in REQUEST_FIELDS),
        tags=tuple((key, alias) for key, alias in aliases if alias in COST_TAGS),
        inner=tuple(key for key, alias in aliases if alias not in BODY_KEYS),
    )


def _levels(record: Level, depth: int) -> Iterator[tuple[Level, int, _Plan]]:
    pending: list[tuple[Level, int]] = [(record, 0)]
    for level, below in pending:  # grows while it is walked: shallow levels first
        if len(level) > _LARGEST_LEVEL:
            continue
        plan = _plan(tuple(level))
        yield level, depth + below, plan
        if below + 1 < _DEPTH:
            inner = (level[key] for key in plan.inner)
            pending += [(value, below + 1) for value in inner if isinstance(value, dict) and value]


def _take_fields(
    best: dict[str, tuple[tuple[int, int], Found]], level: Level, depth: int, hits: tuple[_Hit, ...]
) -> None:
    for hit in hits:
        value, place = level[hit.key], (hit.rank, depth)
        known = best.get(hit.field)
        if _is_blank(value) or (known is not None and known[0] <= place) or not _fits(hit.field, value):
            continue
        best[hit.field] = (place, Found(value, hit.alias))


def _is_blank(value: object) -> bool:
    return value is None or (not value and not isinstance(value, (int, float)))


def _fits(field: str, value: object) -> bool:
    if field in ("step", "service"):
        return declared_name(value) is not None
    if field in ("session", "trace", "parent", "user"):
        return identifier(value) is not None
    if field in ("model", "requested", "provider", "url"):
        return isinstance(value, str)
    if field == "usage":
        return isinstance(value, dict)
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
