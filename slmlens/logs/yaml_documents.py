"""YAML documents, such as VCR cassettes, as records; references within a document are not followed without end."""

from __future__ import annotations

import datetime as dt
import io
import zlib
from collections.abc import Iterator
from typing import Any

from slmlens.logs.decode import UnreadableError, digest, encode
from slmlens.logs.inflate import SkippedFileError
from slmlens.logs.limits import Limits
from slmlens.logs.records import PEEKED_RECORDS, Item

ENDINGS = (".yaml", ".yml")

_GZIP = b"\x1f\x8b"
_DEEPEST = 100


def yaml_items(stream: io.BufferedReader[Any], limits: Limits) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, by which a format is recognised, and all records of a YAML document.

    The interactions of a cassette are records, as are the elements of a list; any other object is one.

    :param stream: The decompressed bytes.
    :param limits: How large a document may be.
    :raises SkippedFileError: If the document is too large, no YAML, or holds more than it has bytes.
    """
    raw = stream.read(limits.document + 1)
    if len(raw) > limits.document:
        raise SkippedFileError(f"a YAML document of more than {limits.document >> 20} MB")
    value = _plain(_loaded(raw), [len(raw)], limits.document)
    inner = value.get("interactions") if isinstance(value, dict) else value
    records = inner if isinstance(inner, list) else [value]
    items = [_item(number, record) for number, record in enumerate(records, start=1)]
    return items[:PEEKED_RECORDS], iter(items)


def _loaded(raw: bytes) -> object:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(raw, Loader=loader)  # noqa: S506 - a safe loader, the fast one where there is one
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        raise SkippedFileError("it is neither JSON nor YAML") from None


def _plain(value: object, left: list[int], largest: int, depth: int = 0) -> object:
    """Return the value with nothing but what JSON has; ``left`` counts down what the document may still hold."""
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise SkippedFileError("the YAML document repeats itself by reference, or is nested too deeply")
    if isinstance(value, dict):
        return {str(key): _plain(one, left, largest, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, set, tuple)):
        return [_plain(one, left, largest, depth + 1) for one in value]
    if isinstance(value, bytes):
        return _text(value, largest)
    return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else value


def _text(raw: bytes, largest: int) -> str:
    """Return recorded bytes as a text, decompressed; what can't be is left out."""
    if raw.startswith(_GZIP):
        try:
            raw = zlib.decompressobj(31).decompress(raw, largest)
        except zlib.error:
            return ""
    return raw.decode("utf-8", "replace")


def _item(number: int, value: object) -> Item:
    try:
        raw = encode(value)
    except UnreadableError as cause:
        return Item(number, None, b"", None, str(cause))
    return Item(number, None, digest(raw), value)
