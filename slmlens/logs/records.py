"""Bytes cut into records: lines, the elements of an array, or a whole document, none of them beyond a largest size."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from slmlens.logs.arrays import ArrayCutter, array_within
from slmlens.logs.decode import TooLargeError, UnreadableError, decode, digest, encode, shape
from slmlens.logs.inflate import SkippedFileError
from slmlens.logs.limits import Limits
from slmlens.logs.lines import BOM, BROKEN_OFF, INFLATED, PIECE, Line, Lines, megabytes, too_long

PEEKED_RECORDS = 20
"""Records by which the format of a file is recognised."""

_PEEKED_LINES = 400  # how far those records are looked for behind lines that are no JSON
_WRAPPERS = ("data", "loglines", "records", "logs", "runs", "calls", "entries", "items", "rows", "results")
_RECORD_KEYS = frozenset({"request", "response", "messages", "choices", "message"})
_START = 1 << 16
_OPENS = (b"[", b"{")


class Item(NamedTuple):
    """One record of a file: its value, or the reason for which it can't be read."""

    line: int  # from 1; of a JSON array, the element
    offset: int | None  # bytes from the start of the decompressed file; None inside a document
    digest: bytes  # of its bytes, kept in memory only
    value: object
    refused: str | None = None
    shape: str = ""


def read_items(
    stream: io.BufferedReader[Any], limits: Limits, consumed: Callable[[], int] | None = None
) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, by which a format is recognised, and all records of a stream, those included.

    Records are the lines of JSON lines, the elements of a JSON array (or of an object such as ``{data: []}``), or a
    single JSON object. Blank lines are no records. Of lines without JSON beyond ``limits.refused``, each run is one
    record.

    :param stream: The decompressed bytes.
    :param limits: How large lines, documents and the whole may be.
    :param consumed: Returns how many compressed bytes were read so far; None if the file is not compressed.
    :raises SkippedFileError: If the stream breaks off in its first line, or begins with a document that is too large.
    """
    lines = Lines(stream, limits, consumed)
    head, items = peeked(in_runs(_items(lines, limits), limits.refused), lines, limits)
    if head and head[0].refused == BROKEN_OFF:
        raise SkippedFileError("the compressed file is damaged at its start")
    if head and all(item.refused == too_long(limits.line) for item in head):
        raise SkippedFileError(f"it begins with {too_long(limits.line)}")
    return head, items


def peeked(items: Iterator[Item], lines: Lines, limits: Limits) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, as many as are needed to recognise a format, and all records.

    :param items: The records.
    :param lines: Where they come from.
    :param limits: How far the first ones are looked for.
    """
    head: list[Item] = []
    found = 0
    for item in items:
        head.append(item)
        found += isinstance(item.value, dict)
        far = found and lines.offset > limits.head
        if found == PEEKED_RECORDS or len(head) == _PEEKED_LINES or far:
            break
    return head, chain(head, items)


def in_runs(items: Iterator[Item], listed: int) -> Iterator[Item]:
    """Yield the records, but of those that are no objects, beyond the first ones, only the first of each run.

    :param items: The records.
    :param listed: How many that are no objects pass one by one.
    """
    unfit, in_run = 0, False
    for item in items:
        if isinstance(item.value, dict):
            in_run = False
            yield item
            continue
        unfit += 1
        if unfit <= listed or not in_run or item.refused in (BROKEN_OFF, INFLATED):
            yield item
        in_run = True


def _items(lines: Lines, limits: Limits) -> Iterator[Item]:
    start = lines.stream.peek(PIECE)[:_START] if isinstance(lines.stream, io.BufferedReader) else b""
    if not _may_be_document(start) or _is_lines(start):
        yield from _line_items(iter(lines))
        return
    begun = lines.begin(limits.whole)
    large = len(begun) > limits.whole and _begins_document(list(islice(Lines(io.BytesIO(begun), limits, None), 2)))
    at = _array_at(begun) if large else None
    del begun
    yield from _document_or_lines(lines, limits) if at is None else _streamed(lines, at, limits)


def _document_or_lines(lines: Lines, limits: Limits) -> Iterator[Item]:
    """Read a stream whose first line, or first two, may begin a document, which is then read at once."""
    lines.largest = limits.document
    each = iter(lines)
    begun = list(islice(each, 1))
    lines.largest = limits.line
    begun += islice(each, 1)
    if len(begun) == 1 and begun[0].size > limits.document:
        raise SkippedFileError(_document_too_large(limits))
    if not begun or not _begins_document(begun):
        yield from _line_items(chain((_within(line, limits) for line in begun), each))
        return
    first = begun[0]
    whole = lines.rest(_joined(begun), limits.document) if len(begun) > 1 else first.raw
    if len(whole) > limits.document:
        raise SkippedFileError(_document_too_large(limits))
    try:
        value = decode(whole)
    except TooLargeError as cause:
        at = _array_at(whole)
        if at is None:
            raise SkippedFileError(f"{cause}; save it as JSON lines, one record a line") from None
        yield from _streamed(Lines(io.BytesIO(whole), limits, lines.consumed), at, limits)
        return
    except UnreadableError:
        again = Lines(io.BytesIO(whole), limits, lines.consumed, first.number - 1, first.offset)
        yield from _line_items(iter(again))
        return
    del whole, begun, first
    yield from _elements(value, lines.allowed()[1])


def _array_at(start: bytes | bytearray) -> int | None:
    """Return where the elements of a document begin that is an array of records or wraps one."""
    opening = start.find(b"[")
    if not start[:opening].removeprefix(BOM).strip():
        return opening + 1
    return array_within(start, _WRAPPERS, _RECORD_KEYS)


def _streamed(lines: Lines, at: int, limits: Limits) -> Iterator[Item]:
    """Read the elements of an array one by one; what else an object around it holds is left."""
    start = lines.stream.read(at)
    cutter, number = ArrayCutter(limits.line), 0
    blocks = lines.blocks()
    for block in blocks:
        most = lines.allowed()[1]
        for raw, size in () if isinstance(block, str) else cutter.feed(block):
            number += 1
            yield _cut_element(number, raw, size, limits)
            if number > most:
                break
        if isinstance(block, str) or number > most:
            yield Item(number + 1, None, b"", None, block if isinstance(block, str) else INFLATED)
            return
        if cutter.ended:
            break
    raw, size = cutter.last()
    if raw.strip():
        number += 1
        yield _cut_element(number, raw, size, limits)
    if b"{" not in start and any(isinstance(block, str) or block.strip() for block in chain([cutter.rest], blocks)):
        yield Item(number + 1, None, b"", None, "text stands behind the end of the array")


def _cut_element(number: int, raw: bytearray, size: int, limits: Limits) -> Item:
    if size > limits.line:
        return Item(number, None, b"", None, f"an element of more than {megabytes(limits.line)}", shape(raw.strip()))
    try:
        value = decode(raw)
    except UnreadableError as cause:
        return Item(number, None, b"", None, str(cause), shape(raw.strip()))
    return _element(number, value)


def _may_be_document(start: bytes) -> bool:
    """Tell whether a stream may be one document, which may be larger than a line."""
    if not start.removeprefix(BOM).lstrip().startswith(_OPENS):
        return False
    try:
        decode(start)
    except UnreadableError as cause:
        return "deep" not in str(cause)
    return True


def _is_lines(start: bytes) -> bool:
    """Tell whether a first line is a record and another line follows, so that this is no document."""
    first, _, rest = start.removeprefix(BOM).lstrip().partition(b"\n")
    return bool(rest.strip()) and _is_readable(first.strip())


def _begins_document(begun: list[Line]) -> bool:
    """Tell whether the first lines that are not blank begin a document, and are not records of their own."""
    first = begun[0].raw.strip()
    if begun[0].refused or not first.startswith(_OPENS):
        return False
    if len(begun) == 1:
        return True
    return first.endswith((b"[", b"{", b",")) and not _is_readable(first)


def _is_readable(line: bytes | bytearray) -> bool:
    try:
        decode(line)
    except UnreadableError:
        return False
    return True


def _within(line: Line, limits: Limits) -> Line:
    """Refuse a first line that was read as if it were a document."""
    return line._replace(refused=too_long(limits.line)) if line.size > limits.line else line


def _joined(begun: list[Line]) -> bytearray:
    """Join the first two lines, with as many line ends between them as there were."""
    first, second = begun
    whole = bytearray(first.raw)
    whole += b"\n" * (second.number - first.number - 1)
    return whole + second.raw


def _line_items(lines: Iterator[Line]) -> Iterator[Item]:
    for number, offset, raw, _, refused in lines:
        line = raw.strip()
        if refused is not None:
            yield Item(number, offset, b"", None, refused, shape(line))
            continue
        try:
            value = decode(line)
        except UnreadableError as cause:
            yield Item(number, offset, b"", None, str(cause), shape(line))
            continue
        yield Item(number, offset, digest(line), value)


def _elements(value: object, most: float) -> Iterator[Item]:
    wrapped = value if isinstance(value, list) else _wrapped(value)
    for number, element in enumerate([value] if wrapped is None else wrapped, start=1):
        if number > most:
            yield Item(number, None, b"", None, INFLATED)
            return
        yield _element(number, element)


def _element(number: int, value: object) -> Item:
    try:
        raw = encode(value)
    except UnreadableError as cause:
        return Item(number, None, b"", None, str(cause))
    return Item(number, None, digest(raw), value)


def _wrapped(value: object) -> list[object] | None:
    if not isinstance(value, dict) or _RECORD_KEYS & value.keys():
        return None
    for key in _WRAPPERS:
        inner = value.get(key)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            return inner
    return None


def _document_too_large(limits: Limits) -> str:
    return f"a JSON document of more than {megabytes(limits.document)}; save it as JSON lines, one record a line"
