"""Where the request and the response sit in a record, whatever stands around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from slmlens.logs.answer_bodies import is_answer_body
from slmlens.logs.decode import decode_text
from slmlens.logs.envelope import FIELDS
from slmlens.logs.exchange import Body
from slmlens.logs.provider_bodies import openai_answer
from slmlens.logs.units import count

if TYPE_CHECKING:
    from slmlens.logs.formats.declaration import Format

_ASKS = frozenset(
    {"messages", "prompt", "input", "contents", "inputText", "chat_history", "message", "texts", "inputs"}
)
_WRAPS = ("body", "json", "parsed_body", "content")
_STATUS = ("status_code", "statusCode", "status")
_COUNTS = (FIELDS["prompt_tokens"], FIELDS["completion_tokens"])
_CARRIED = 3


class Pair(NamedTuple):
    """A call as it sits in a record."""

    request: Body | None
    response: object
    status: int | None = None  # HTTP status that stood beside a wrapped response body


def find_pair(record: Mapping[str, object], form: Format) -> Pair | None:
    """Return the request and the response that a record holds, or None if it holds no call.

    :param record: The record as logged.
    :param form: The format, which declares under which keys to look.
    """
    for level in _carried(record, form.carriers, _CARRIED):
        pair = _pair_at(level, form)
        if pair is not None:
            return pair
    return None


def unwrapped(value: object) -> tuple[object, int | None]:
    """Return a body out of its HTTP wrapping, and the status that stood beside it.

    :param value: A body, its JSON text, or an object such as ``{status_code, body}``.
    """
    status: int | None = None
    for _ in range(3):
        if isinstance(value, str):
            value = decode_text(value.strip()) if value[:200].lstrip()[:1] in ("{", "[") else value
        if not isinstance(value, dict) or is_answer_body(value) or _ASKS & value.keys() or "object" in value:
            break
        found = _status(value)
        inner = next((value[key] for key in _WRAPS if isinstance(value.get(key), (dict, str, list))), None)
        if inner is None or (found is None and not _is_http(value)):
            break
        status, value = found if found is not None else status, inner
    return value, status


def _status(level: Mapping[str, object]) -> int | None:
    found = (level.get(key) for key in _STATUS)
    return next((value for value in found if isinstance(value, int) and not isinstance(value, bool)), None)


def _is_http(value: Mapping[str, object]) -> bool:
    return any(key in value for key in ("headers", "method", "url", "uri", "parsed_body", "body"))


def _carried(record: Mapping[str, object], carriers: tuple[str, ...], depth: int) -> Iterator[Mapping[str, object]]:
    yield record
    if depth == 0:
        return
    for key in carriers:
        value = record.get(key)
        if isinstance(value, str) and value[:1] == "{":
            value = decode_text(value)
        if isinstance(value, dict) and value:
            yield from _carried(value, carriers, depth - 1)


def _pair_at(level: Mapping[str, object], form: Format) -> Pair | None:
    request = _request_at(level, form)
    if is_answer_body(dict(level)):
        own = dict(level)
        return Pair(request or (own if isinstance(own.get("messages"), list) else None), own)
    response, status = _response_at(level, form)
    if request is None and _is_flat_request(level):
        request = dict(level)
    if response is None:
        return _unanswered(level, request)
    return Pair(request, response, status) if request is not None or _is_answer(response) else None


def _is_answer(response: object) -> bool:
    """Tell whether a response speaks for itself: an answer, a stream, or an embedding (no call, but known)."""
    if isinstance(response, dict):
        known = is_answer_body(response) or "embedding" in response or "embeddings" in response
        return known or openai_answer(response) is not response
    return isinstance(response, str) and response.startswith(("data: {", "event: "))


def _request_at(level: Mapping[str, object], form: Format) -> Body | None:
    for key in form.request_at:
        value = level.get(key)
        if isinstance(value, list) and key != "input" and _is_messages(value):
            return {"messages": value}
        if isinstance(value, (dict, str)):
            body, _ = unwrapped(value)
            if isinstance(body, dict) and (_ASKS & body.keys()):
                return body
            if isinstance(body, list) and _is_messages(body):
                return {"messages": body}
    return None


def _response_at(level: Mapping[str, object], form: Format) -> tuple[object, int | None]:
    for key in form.response_at:
        value = level.get(key)
        if isinstance(value, (dict, str, list)) and value not in ({}, []):
            return unwrapped(value)
    return None, None


def _is_flat_request(level: Mapping[str, object]) -> bool:
    messages, prompt, asked = level.get("messages"), level.get("prompt"), level.get("input")
    if isinstance(messages, list) and _is_messages(messages):
        return True
    if isinstance(prompt, str) and prompt:
        return True
    return ("model" in level and isinstance(asked, str) and bool(asked)) or _is_messages(asked) or _is_messages(prompt)


def _is_messages(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "role" in value[0]


def _unanswered(level: Mapping[str, object], request: Body | None) -> Pair | None:
    usage = level.get("usage")
    counted = all(any(count(level.get(name)) is not None for name in names) for names in _COUNTS)
    used = isinstance(usage, dict) and any(isinstance(value, int) for value in usage.values())
    if (used or counted) and (request is not None or "model" in level or "model_name" in level):
        return Pair(request, None)
    status = _status(level)
    failed = bool(level.get("error")) or (status is not None and status >= 400)  # noqa: PLR2004 - HTTP's own bound
    asked = request is not None and any(key in level for key in ("response", "response_body", *_STATUS))
    return Pair(request, None, status) if request is not None and (failed or asked) else None
