"""Bytes cut into records: lines, the elements of an array, or a whole document, none of them beyond a largest size."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from slmlens.logs.decode import TooLargeError, UnreadableError, decode, digest, encode, shape
from slmlens.logs.inflate import DAMAGED, SkippedFileError
from slmlens.logs.limits import Limits

PEEKED_RECORDS = 20
"""Records by which the format of a file is recognised."""

_PEEKED_LINES = 400  # how far those records are looked for behind lines that are no JSON
_WRAPPERS = ("data", "loglines", "records", "logs", "runs", "calls", "entries", "items", "rows", "results")
_RECORD_KEYS = frozenset({"request", "response", "messages", "choices", "message"})
_PIECE = 1 << 20
_BOM = b"\xef\xbb\xbf"
_OPENS = (b"[", b"{")
_BROKEN_OFF = "the compressed file breaks off here"
_INFLATED = "the file inflates far more than a log does, so the rest of it is not read; decompress it first to read it"


class Item(NamedTuple):
    """One record of a file: its value, or the reason for which it can't be read."""

    line: int  # from 1; of a JSON array, the element
    offset: int | None  # bytes from the start of the decompressed file; None inside a document
    digest: bytes  # of its bytes, kept in memory only
    value: object
    refused: str | None = None
    shape: str = ""


class _Line(NamedTuple):
    number: int
    offset: int
    raw: bytes | bytearray  # of a line that is too long, its start
    size: int
    refused: str | None = None


class _Lines:
    """The lines of a stream that are not blank, each within a largest size.

    :param stream: What is read.
    :param limits: The bounds.
    :param consumed: Returns how many compressed bytes were read so far; None if the file is not compressed.
    :param number: Lines that stand before.
    :param offset: Bytes that stand before.
    """

    def __init__(
        self,
        stream: io.BufferedIOBase,
        limits: Limits,
        consumed: Callable[[], int] | None,
        number: int = 0,
        offset: int = 0,
    ) -> None:
        self.stream = stream
        self.largest = limits.line
        self.consumed = consumed
        self._limits = limits
        self._number = number
        self._offset = offset

    def __iter__(self) -> Iterator[_Line]:
        readline = self.stream.readline
        most_bytes, most_lines = self.allowed()
        while True:
            number, offset = self._number + 1, self._offset
            try:
                raw: bytes | bytearray = readline(_PIECE)
                size = len(raw)
                if size == _PIECE and not raw.endswith(b"\n"):
                    raw, size = self._long(raw)
            except DAMAGED:
                yield _Line(number, offset, b"", 0, _BROKEN_OFF)
                return
            if not size:
                return
            self._number, self._offset = number, offset + size
            if self._offset > most_bytes or number > most_lines:
                most_bytes, most_lines = self.allowed()
                if self._offset > most_bytes or number > most_lines:
                    yield _Line(number, offset, b"", 0, _INFLATED)
                    return
            if number == 1:
                raw = raw.removeprefix(_BOM)
            if size > self.largest:
                yield _Line(number, offset, raw, size, too_long(self.largest))
            elif not raw.isspace() and raw:
                yield _Line(number, offset, raw, size)

    def rest(self, begun: bytearray) -> bytearray:
        """Return what was read so far followed by all that is left.

        :param begun: What was read so far.
        :raises SkippedFileError: If that is more than a document may have, or the file breaks off.
        """
        try:
            while piece := self.stream.read(_PIECE):
                begun += piece
                if len(begun) > self._limits.document:
                    raise SkippedFileError(_document_too_large(self._limits))
        except DAMAGED:
            raise SkippedFileError("the compressed file is damaged, so its JSON document is not whole") from None
        return begun

    def allowed(self) -> tuple[float, float]:
        """Return how many bytes and lines the file may have, by what was read of it so far."""
        if self.consumed is None:
            return float("inf"), float("inf")
        compressed = self.consumed()
        return self._limits.inflated(compressed), self._limits.lines(compressed)

    def _long(self, first: bytes | bytearray) -> tuple[bytearray, int]:
        """Return a line that goes on, and its size; of one that is too long the start, and a size that says so."""
        whole, size = bytearray(first), len(first)
        while True:
            piece = self.stream.readline(_PIECE)
            size += len(piece)
            if size <= self.largest:
                whole += piece
            elif len(whole) > _PIECE:
                del whole[_PIECE:]
            if not piece or piece.endswith(b"\n") or self._offset + size > self.allowed()[0]:
                return whole, size


def too_long(largest: int) -> str:
    """Return the reason for which a line is refused by its size.

    :param largest: The bytes that a line may have.
    """
    return f"a line of more than {_megabytes(largest)}"


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
    items = _in_runs(_items(_Lines(stream, limits, consumed), limits), limits.refused)
    head: list[Item] = []
    found = 0
    for item in items:
        head.append(item)
        found += isinstance(item.value, dict)
        far = found and (item.offset or 0) > limits.head
        if found == PEEKED_RECORDS or len(head) == _PEEKED_LINES or far:
            break
    if head and head[0].refused == _BROKEN_OFF:
        raise SkippedFileError("the compressed file is damaged at its start")
    if head and all(item.refused == too_long(limits.line) for item in head):
        raise SkippedFileError(f"it begins with {too_long(limits.line)}")
    return head, chain(head, items)


def _in_runs(items: Iterator[Item], listed: int) -> Iterator[Item]:
    """Let only so many records pass that are no objects; of more, only the first of each run."""
    unfit, in_run = 0, False
    for item in items:
        if isinstance(item.value, dict):
            in_run = False
            yield item
            continue
        unfit += 1
        if unfit <= listed or not in_run or item.refused in (_BROKEN_OFF, _INFLATED):
            yield item
        in_run = True


def _items(lines: _Lines, limits: Limits) -> Iterator[Item]:
    start = lines.stream.peek(_PIECE)[: 1 << 16] if isinstance(lines.stream, io.BufferedReader) else b""
    alone = _may_be_document(start)
    lines.largest = limits.document if alone else limits.line
    each = iter(lines)
    begun = list(islice(each, 1))
    lines.largest = limits.line
    begun += islice(each, 1)
    if len(begun) == 1 and alone and begun[0].size > limits.document:
        raise SkippedFileError(_document_too_large(limits))
    if not begun or not _begins_document(begun):
        yield from _line_items(chain((_within(line, limits) for line in begun), each))
        return
    first = begun[0]
    whole = lines.rest(_joined(begun)) if len(begun) > 1 else first.raw
    try:
        value = decode(whole)
    except TooLargeError as cause:
        raise SkippedFileError(f"{cause}; save it as JSON lines, one record a line") from None
    except UnreadableError:
        again = _Lines(io.BytesIO(whole), limits, lines.consumed, first.number - 1, first.offset)
        yield from _line_items(iter(again))
        return
    del whole, begun, first
    yield from _elements(value, lines.allowed()[1])


def _may_be_document(start: bytes) -> bool:
    """Tell whether a stream may be one document, which may be larger than a line."""
    if not start.removeprefix(_BOM).lstrip().startswith(_OPENS):
        return False
    try:
        decode(start)
    except UnreadableError as cause:
        return "deep" not in str(cause)
    return True


def _begins_document(begun: list[_Line]) -> bool:
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


def _within(line: _Line, limits: Limits) -> _Line:
    """Refuse a first line that was read as if it were a document."""
    return line._replace(refused=too_long(limits.line)) if line.size > limits.line else line


def _joined(begun: list[_Line]) -> bytearray:
    """Join the first two lines, with as many line ends between them as there were."""
    first, second = begun
    whole = bytearray(first.raw)
    whole += b"\n" * (second.number - first.number - 1)
    return whole + second.raw


def _line_items(lines: Iterator[_Line]) -> Iterator[Item]:
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
            yield Item(number, None, b"", None, _INFLATED)
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
    return f"a JSON document of more than {_megabytes(limits.document)}; save it as JSON lines, one record a line"


def _megabytes(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size} bytes"
