"""JSON as it is found in logs: tolerant where no meaning is lost, and a plain refusal where there is."""

from __future__ import annotations

import json
import math
import re
from hashlib import blake2b

import orjson

SHAPE_CHARS = 80
"""Length at which the shape of a refused record is cut."""

LARGEST_VALUE = 512 << 20
"""Bytes that the values of one record or document may take in memory, by :func:`_estimated`. A text-heavy export takes
little more than its size; ``[{},{},`` takes 85 times its own."""

_WEIGHED_FROM = 1 << 20
_COMMA, _OBJECT, _ARRAY = 60, 200, 64  # bytes that CPython 3.11 takes for a short text or float, a small dict, a list
_INT64, _UINT64 = -(2**63), 2**64

_LETTER = re.compile(r"[^\W\d_]")
_DIGIT = re.compile(r"\d")


class UnreadableError(ValueError):
    """A record that can't be read. Its message is a constant clause and never holds text of the record."""


class TooLargeError(UnreadableError):
    """A record or document that takes more memory than is spent on one."""


def decode(raw: bytes | bytearray) -> object:
    """Return the JSON value of one line or document.

    NaN and Infinity (which Python writes) become null, integers beyond 64 bits become floats, lone surrogates and bytes
    that are no UTF-8 become U+FFFD. Of a key that stands twice, the last value counts.

    :param raw: The bytes, without a line end.
    :raises TooLargeError: If it holds so many values that they would take over :data:`LARGEST_VALUE` in memory.
    :raises UnreadableError: If the bytes are no JSON, or are nested beyond what a log needs.
    """
    if len(raw) > _WEIGHED_FROM and _estimated(raw) > LARGEST_VALUE:
        message = f"it holds so many values that they would take over {LARGEST_VALUE >> 20} MB"
        raise TooLargeError(message)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as cause:
        if "depth limit" in str(cause):
            message = "nested too deeply"
            raise UnreadableError(message) from None
    return _decode_leniently(raw)


def decode_text(text: str) -> object:
    """Return the JSON value that a string holds, or the string itself if it holds none.

    :param text: A string that may be JSON (logs keep JSON inside strings up to three levels deep).
    """
    if text[:1] not in "{[" or not text:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def encode(value: object) -> bytes:
    """Return the value as compact JSON, keys in their logged order.

    :param value: A decoded JSON value.
    :raises UnreadableError: If it is nested too deeply.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        message = "nested too deeply"
        raise UnreadableError(message) from None


def encode_sorted(value: object) -> str:
    """Return the value as compact JSON with sorted keys, so that equal values are equal texts.

    :param value: A decoded JSON value.
    :raises UnreadableError: If it is nested too deeply.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        message = "nested too deeply"
        raise UnreadableError(message) from None


def digest(raw: bytes | bytearray) -> bytes:
    """Return a 16-byte hash. It is unkeyed, so it stays in memory and is never written.

    :param raw: What to hash.
    """
    return blake2b(raw, digest_size=16).digest()


def shape(raw: bytes | bytearray) -> str:
    """Return the shape of a refused record: letters as ``a``, digits as ``9``, cut at 80 characters; never its text.

    :param raw: The record as logged.
    """
    head = raw[: SHAPE_CHARS * 4].decode("utf-8", "replace").strip()[:SHAPE_CHARS]
    return _DIGIT.sub("9", _LETTER.sub("a", head))


def _estimated(raw: bytes | bytearray) -> int:
    """Return the bytes that a document's values take in memory, from above: signs inside texts count as well."""
    signs = raw.count(b",") * _COMMA + raw.count(b"{") * _OBJECT + raw.count(b"[") * _ARRAY
    return signs + len(raw)


def _decode_leniently(raw: bytes | bytearray) -> object:
    text = raw.decode("utf-8", "replace").lstrip("\ufeff")
    try:
        return _mended(json.loads(text, parse_constant=lambda _: None, strict=False))
    except RecursionError:
        message = "nested too deeply"
        raise UnreadableError(message) from None
    except ValueError:
        message = "not valid JSON"
        raise UnreadableError(message) from None


def _mended(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_mended(element) for element in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(element) for key, element in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not _INT64 <= value < _UINT64:
        return _as_float(value)
    return value


def _as_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None
