"""What was asked: request bodies of OpenAI chat, completions and Responses, of Anthropic, and of who is read alike."""

from __future__ import annotations

from slmlens.logs.exchange import Body, Request, string
from slmlens.logs.provider_bodies import openai_request

_JSON_FORMATS = ("json_object", "json_schema", "json")


def read_request(body: Body | None, url: str | None = None) -> Request:
    """Return what a request body of any provider asks.

    :param body: The body, or None if the log holds none.
    :param url: Where it was sent: some providers name the model there only.
    """
    body = openai_request(body, url)
    if body is None:
        return Request()
    wants_json, schema_name = _asked_format(body)
    return Request(
        prompt=_prompt(body),
        tools=_tools(body),
        wants_json=wants_json,
        schema_name=schema_name,
        model=string(body.get("model")) or string(body.get("model_id")),
        tier=string(body.get("service_tier")),
        previous_id=string(body.get("previous_response_id")),
        conversation=_conversation(body.get("conversation")),
    )


def tool_names(tools: list[object]) -> list[str]:
    """Return the names of the tools that a request offers, in their order; built-in tools by their type.

    :param tools: Tool declarations of any dialect.
    """
    names = []
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        inner = tool.get("function") or tool.get("custom")
        source = inner if isinstance(inner, dict) else tool
        name = string(source.get("name")) or string(tool.get("type"))
        if name:
            names.append(name)
    return names


def _prompt(body: Body) -> list[object] | None:
    messages = _messages(body.get("messages"))
    if messages is None:
        messages = _messages(body.get("input"))
    if messages is None:
        messages = _completion_prompt(body.get("prompt"))
    if messages is None:
        return None
    head = body.get("system") or body.get("instructions")
    if isinstance(head, (str, list)) and messages:
        return [{"role": "system", "content": head}, *messages]
    return messages or None


def _messages(value: object) -> list[object] | None:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return [one for one in value if isinstance(one, (dict, str))]
    return None


def _completion_prompt(value: object) -> list[object] | None:
    if isinstance(value, list) and any(isinstance(one, (list, int)) for one in value):
        return None  # token ids
    return _messages(value)


def _tools(body: Body) -> list[object]:
    for key in ("tools", "functions"):
        value = body.get(key)
        if isinstance(value, list) and value:
            return value
    return []


def _asked_format(body: Body) -> tuple[bool, str | None]:
    text, config = body.get("text"), body.get("output_config")
    for asked in (
        body.get("response_format"),
        text.get("format") if isinstance(text, dict) else None,
        config.get("format") if isinstance(config, dict) else None,
        body.get("output_format"),
    ):
        if not isinstance(asked, dict) or asked.get("type") not in _JSON_FORMATS:
            continue
        nested = asked.get("json_schema")
        schema = nested if isinstance(nested, dict) else asked
        return True, string(schema.get("name")) or _title(schema.get("schema")) or str(asked["type"])
    return False, None


def _title(schema: object) -> str | None:
    return string(schema.get("title")) if isinstance(schema, dict) else None


def _conversation(value: object) -> str | None:
    return string(value.get("id")) if isinstance(value, dict) else string(value)
