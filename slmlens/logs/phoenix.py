"""Phoenix' spans with OpenInference attributes: rows of its REST API and of its tables, nested or flattened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs import attributes as dialect
from slmlens.logs.envelope import envelope_fields, tag_texts
from slmlens.logs.exchange import NotACallError, string
from slmlens.logs.framework_messages import decoded, object_of
from slmlens.logs.spans import LLM, Span, put

Record = Mapping[str, object]

_KIND = "openinference.span.kind"
_COLUMN = "attributes."
_WHOLE = ("metadata", "llm.invocation_parameters", "input.value", "output.value")
"""Attributes that stay objects: what stands in them is not an attribute of its own."""

_DEEPEST = 12


def is_phoenix(record: Record) -> bool:
    """Tell whether a record is a span of Phoenix.

    :param record: One row; a table's columns are flattened.
    """
    context = record.get("context")
    spanned = "context.span_id" in record or (isinstance(context, dict) and "span_id" in context)
    return spanned and "span_kind" in record


def read_row(row: Record) -> Span:
    """Return the span that a row stands for.

    :param row: A row of the API or of a table.
    :raises NotACallError: If it has no id.
    """
    context = object_of(row.get("context"))
    own = string(row.get("context.span_id")) or string(context.get("span_id"))
    if own is None:
        raise NotACallError("no span of Phoenix", rejected=True)
    found = _attributes(row)
    found.setdefault(_KIND, row.get("span_kind"))
    trace = string(row.get("context.trace_id")) or string(context.get("trace_id"))
    span = Span(dialect.role_of_span(found, str(row.get("name"))), trace, own, string(row.get("parent_id")))
    span.name = string(row.get("name"))
    span.scope = "phoenix"
    span.failed = str(row.get("status_code")).upper() == "ERROR"
    span.strong = dialect.declared_step(found)
    span.values = dialect.fields_of(found)
    put(span.values, "started", "start_time", row.get("start_time"))
    put(span.values, "ended", "end_time", row.get("end_time"))
    about, tags = envelope_fields({"own": object_of(decoded(found.get("metadata")))})
    for name in ("session", "user", "service"):
        if name in about:
            put(span.values, name, about[name].alias, about[name].value)
    if span.strong is None and "step" in about:
        span.strong = string(about["step"].value)
    span.tags = [*tag_texts(decoded(found.get("tag.tags"))), *tags]
    if span.role == LLM:
        span.request = dialect.read_request(found)
        span.response = None if span.failed else dialect.read_response(found)
    return span


def _attributes(row: Record) -> dict[str, object]:
    """Return the attributes with dotted keys, whether the row nests them, flattens them, or does both."""
    held = object_of(decoded(row.get("attributes")))
    columns = {key[len(_COLUMN) :]: one for key, one in row.items() if key.startswith(_COLUMN) and one is not None}
    found: dict[str, object] = {}
    for key, one in {**columns, **held}.items():
        _flatten(found, key, decoded(one) if key in _WHOLE[:2] else one, 0)
    return found


def _flatten(found: dict[str, object], path: str, value: object, depth: int) -> None:
    below = list(_below(path, value)) if depth < _DEEPEST and path not in _WHOLE else []
    if not below:
        found[path] = value
    for inner, one in below:
        if one is not None:
            _flatten(found, inner, one, depth + 1)


def _below(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield what stands below an attribute: keys, and places in a list of objects."""
    if isinstance(value, dict):
        yield from ((f"{path}.{key}", one) for key, one in value.items())
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        yield from ((f"{path}.{place}", one) for place, one in enumerate(value))
