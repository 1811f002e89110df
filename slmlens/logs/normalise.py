"""One call of a record, brought into the house's terms: the single normaliser behind every declared format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slmlens.logs.answer_bodies import is_answer_body, read_answer
from slmlens.logs.content import Plain
from slmlens.logs.decode import decode_text, digest, encode
from slmlens.logs.draft import Draft, Place
from slmlens.logs.envelope import Found, declared_name, envelope_fields, identifier, tag_texts
from slmlens.logs.exchange import Answer, Body, NotACallError, Request
from slmlens.logs.formats.declaration import Format
from slmlens.logs.messages import MessageStore
from slmlens.logs.names import Names
from slmlens.logs.pairs import find_pair
from slmlens.logs.providers import provider_of
from slmlens.logs.redactor import Redactor
from slmlens.logs.request_bodies import read_request, tool_names
from slmlens.logs.units import count, milliseconds, nano_usd, utc_microseconds
from slmlens.logs.usage import Usage, read_usage

_HTTP_FINE, _HTTP_ERROR = 200, 400
_CLEAR_ID_CHARS = 16  # from here on an id is taken to be unique in itself (a UUID has 32 hex digits)


@dataclass(slots=True)
class Exchange:
    """A call as logged, before it is read.

    ``request`` and ``response`` are bodies; ``status`` is HTTP's; ``fields`` and ``tags`` stood around them; ``kind``
    names the instrumentation; ``traced`` marks a span, which is a call even where neither tokens nor texts were kept.
    """

    request: Body | None
    response: object
    status: int | None
    fields: dict[str, Found]
    tags: list[str]
    kind: str
    traced: bool = False


class Normaliser:
    """Turns records into drafts of calls.

    :param redactor: What redacts and pseudonymises.
    :param keep_text: False keeps no message text.
    """

    def __init__(self, redactor: Redactor, *, keep_text: bool = True) -> None:
        self.redactor = redactor
        self.names = Names(redactor)
        self.messages = MessageStore(redactor, keep_text=keep_text)
        self._tools: dict[bytes, tuple[list[str], int]] = {}

    def call(self, record: Mapping[str, object], form: Format, place: Place) -> Draft:
        """Return the call that a record holds.

        :param record: The record as logged.
        :param form: Its format.
        :param place: Where it stands.
        :raises NotACallError: If it holds no call, or one that can't be read.
        :raises UnreadableError: If it is nested too deeply.
        """
        pair = find_pair(record, form)
        if pair is None:
            raise NotACallError("no request and answer were found in the record", rejected=True)
        fields, tags = envelope_fields(record, pair.request)
        kind = identifier(record.get("span_kind") or record.get("kind") or record.get("scope")) or ""
        return self.draft(Exchange(pair.request, pair.response, pair.status, fields, tags, kind), form, place)

    def draft(self, exchange: Exchange, form: Format, place: Place) -> Draft:
        """Return the call that a request, an answer and the fields around them make.

        :param exchange: What was logged of the call.
        :param form: Its format.
        :param place: Where it stands.
        :raises NotACallError: If it holds no call, or one that can't be read.
        :raises UnreadableError: If it is nested too deeply.
        """
        fields = exchange.fields
        status = exchange.status if exchange.status is not None else _http_status(fields)
        answer = read_answer(_failed_body(exchange.response, status))
        request = read_request(exchange.request, _text(fields, "url"))
        if answer.pending:
            raise NotACallError("a poll of a call that was still running", rejected=False)
        draft = Draft(place, form.name, form.billing)
        self._read_identity(draft, fields, request, answer, form)
        _read_times(draft, fields, answer)
        self.read_prompt(draft, request)
        self.read_answer(draft, answer)
        _read_usage(draft, fields, answer)
        fine = status is not None and _HTTP_FINE <= status < _HTTP_ERROR
        used = exchange.traced or fine or bool(draft.input_tokens or draft.output_tokens)
        draft.status = call_status(answer, request, failed=_has_failed(status, fields, answer), used=used)
        if draft.status == "error":
            draft.answer, draft.tool_calls = None, []
        draft.tags = [str(self.names.text(tag)) for tag in [*_tags(fields), *exchange.tags]]
        draft.kind = exchange.kind
        return draft

    def owner(
        self, kind: str, fields: dict[str, Found], otherwise: str | None = None, service: str | None = None
    ) -> str | None:
        """Return the keyed hash of a session's or a user's id, or None if none is told.

        A short session id ("12") is unique inside its service only, so it is hashed with the service's name.

        :param kind: ``session`` or ``user``.
        :param fields: The fields around the call.
        :param otherwise: The id where the fields have none.
        :param service: The service where the fields have none.
        """
        raw = _id(fields, kind) or otherwise
        service = _name(fields, "service") or service
        if kind == "session" and raw and service and len(raw) < _CLEAR_ID_CHARS:
            raw = f"{service}\0{raw}"
        return self.names.hashed(kind, raw)

    def read_prompt(self, draft: Draft, request: Request) -> None:
        """Store the prompt's messages and what the request offered and asked for.

        :param draft: Where the numbers go.
        :param request: What was asked.
        """
        if request.prompt is not None:
            numbers: list[int] = []
            for message in request.prompt:
                numbers.extend(self.messages.intern(message))
            draft.prompt = numbers
        offered = encode(request.tools) if request.tools else b""
        key = digest(offered)
        if key not in self._tools:
            names = [str(self.names.text(name)) for name in tool_names(request.tools)]
            self._tools[key] = (names, len(offered))
        draft.tool_names, draft.tool_bytes = self._tools[key]
        draft.response_schema = self.names.text(request.schema_name)
        self.read_keys(draft, key + (request.schema_name or "").encode())

    def read_keys(self, draft: Draft, beside: bytes) -> None:
        """Set the keyed hash of the prompt and the unkeyed one that stays in memory.

        The latter covers the messages only: two instrumentations of one call tell its tools and model differently.

        :param draft: A draft whose prompt is set.
        :param beside: What was asked beside the messages (tools, schema).
        """
        digests = self.messages.digests
        asked = b"".join([digests[number] for number in draft.prompt or ()])
        if draft.prompt is not None:
            draft.prompt_key = self.redactor.fingerprint(asked + beside)
        draft.request_hash = digest(asked)

    def read_answer(self, draft: Draft, answer: Answer) -> None:
        """Store the answer as an assistant message, tool calls included.

        :param draft: Where the numbers go.
        :param answer: What came back.
        """
        if answer.text is not None or answer.calls:
            draft.answer = self.messages.add(Plain("assistant", answer.text or "", answer.calls))
        draft.tool_calls = self.messages.redacted_calls(answer.calls)
        draft.finish_reason = self.names.text(answer.finish)

    def _read_identity(
        self, draft: Draft, fields: dict[str, Found], request: Request, answer: Answer, form: Format
    ) -> None:
        names = self.names
        service = _name(fields, "service") or form.service
        model = answer.model or _text(fields, "model")
        requested = request.model or _text(fields, "requested") or _text(fields, "model")
        draft.own_id = names.response_id(answer.response_id)
        draft.previous_id = names.response_id(request.previous_id)
        draft.session = self.owner("session", fields, request.conversation, form.service)
        draft.user = self.owner("user", fields)
        draft.trace = names.hashed("trace", _id(fields, "trace"))
        draft.parent = draft.previous_id or names.hashed("span", _id(fields, "parent"))
        draft.step = names.text(_name(fields, "step"))
        draft.service = names.text(service)
        draft.model = names.text(model or requested)
        draft.model_requested = names.text(requested)
        said = _text(fields, "provider") or answer.provider
        draft.provider = form.provider or provider_of(said, _text(fields, "url"), model or requested)
        tier = answer.tier or request.tier
        draft.batch = tier == "batch" or (fields["batch"].value is True if "batch" in fields else False)


def call_status(answer: Answer, request: Request, *, failed: bool, used: bool) -> str:
    """Return what became of a call, in one of ``slmlens.tables.STATUSES``.

    :param answer: What came back.
    :param request: What was asked.
    :param failed: True where the log says that the call failed.
    :param used: True where tokens were logged: then a missing answer was left out of the log, not of the world.
    """
    silent = answer.text is None and not answer.calls
    broken_json = request.wants_json and not answer.calls and not is_json(answer.text or "")
    verdicts = (
        ("error", failed),
        ("refusal", answer.refused or answer.finish == "content_filter"),
        ("truncated", answer.finish == "length" or answer.cut),
        ("error", silent and (answer.captured or not used)),
        ("ok", silent),  # a log that leaves content out
        ("malformed", broken_json or not all(call.well_formed for call in answer.calls)),
    )
    return next((status for status, holds in verdicts if holds), "ok")


def is_json(text: str) -> bool:
    """Tell whether an answer that was to be JSON parses as an object or an array.

    :param text: The answer as logged.
    """
    return not isinstance(decode_text(text.strip()), str)


def _has_failed(status: int | None, fields: dict[str, Found], answer: Answer) -> bool:
    if answer.failed or (status is not None and status >= _HTTP_ERROR):
        return True
    said = bool(answer.text) or bool(answer.calls)
    return "error" in fields and fields["error"].value is not False and not said


def _failed_body(response: object, status: int | None) -> object:
    """Return the body of a failed request, whatever the provider, as one that says so."""
    if status is None or status < _HTTP_ERROR or not isinstance(response, dict) or is_answer_body(response):
        return response
    return {"error": True, **response}


def _http_status(fields: dict[str, Found]) -> int | None:
    if "status" not in fields:
        return None
    value = fields["status"].value
    if isinstance(value, str) and value.lower() in ("error", "failure", "failed"):
        return _HTTP_ERROR
    return count(value)


def _read_times(draft: Draft, fields: dict[str, Found], answer: Answer) -> None:
    started = utc_microseconds(fields["started"].value) if "started" in fields else None
    ended = utc_microseconds(fields["ended"].value) if "ended" in fields else None
    draft.started_us = started if started is not None else utc_microseconds(answer.created)
    if "latency" in fields:
        draft.latency_ms = milliseconds(fields["latency"].value, _unit(fields["latency"].alias))
    elif started is not None and ended is not None and ended >= started:
        draft.latency_ms = (ended - started) / 1_000
    elif answer.completed is not None:
        created, completed = utc_microseconds(answer.created), utc_microseconds(answer.completed)
        if created is not None and completed is not None and completed >= created:
            draft.latency_ms = (completed - created) / 1_000
    elif answer.latency_ms is not None:
        draft.latency_ms = milliseconds(answer.latency_ms, "ms")
    if "ttft" in fields:
        draft.ttft_ms = milliseconds(fields["ttft"].value, _unit(fields["ttft"].alias))


def _unit(alias: str) -> str:
    ends = {"ms": "ms", "s": "s", "seconds": "s", "sec": "s", "ns": "ns", "nano": "ns"}
    return ends.get(alias.rsplit("_", 1)[-1], "bare")


def _read_usage(draft: Draft, fields: dict[str, Found], answer: Answer) -> None:
    usage = read_usage(answer.usage)
    if usage.input_tokens is None and usage.output_tokens is None and "usage" in fields:
        value = fields["usage"].value
        usage = read_usage(value) if isinstance(value, dict) else usage
    if usage.input_tokens is None and usage.output_tokens is None:
        names = ("prompt_tokens", "completion_tokens", "cached_tokens")
        usage = read_usage({name: fields[name].value for name in names if name in fields})
    if not usage.input_tokens and not usage.output_tokens and draft.answer is not None:
        usage = Usage(logged_nusd=usage.logged_nusd)  # zeros beside an answer mean "not counted"
    draft.input_tokens, draft.cached_tokens, draft.cache_write_tokens = usage[:3]
    draft.output_tokens, draft.reasoning_tokens = usage[3:5]
    cost = fields.get("cost")
    said = nano_usd(_amount(cost.value), 100 if cost.alias == "cost_cents" else 1) if cost else None
    draft.logged_nusd = said if said is not None else usage.logged_nusd


def _amount(value: object) -> object:
    if isinstance(value, dict):
        return next((value[key] for key in ("total", "total_cost", "usd") if key in value), None)
    return value


def _tags(fields: dict[str, Found]) -> list[str]:
    return tag_texts(fields["tags"].value) if "tags" in fields else []


def _id(fields: dict[str, Found], field: str) -> str | None:
    return identifier(fields[field].value) if field in fields else None


def _name(fields: dict[str, Found], field: str) -> str | None:
    return declared_name(fields[field].value) if field in fields else None


def _text(fields: dict[str, Found], field: str) -> str | None:
    value = fields[field].value if field in fields else None
    return value if isinstance(value, str) else None
