"""The lines of a stream, none of them beyond a largest size, and no more of them than a compressed file may hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from slmlens.logs.inflate import BUFFER, DAMAGED, SkippedFileError
from slmlens.logs.limits import Limits

PIECE = 1 << 20
"""Bytes read at a time."""

BOM = b"\xef\xbb\xbf"
"""How UTF-8 may begin."""

BROKEN_OFF = "the compressed file breaks off here"
"""Why a record is refused at which a damaged file ends."""

INFLATED = "the file inflates far more than a log does, so the rest of it is not read; decompress it first to read it"
"""Why a record is refused at which a file is cut that inflates without end."""


class Line(NamedTuple):
    """One line; ``raw`` is only its start if it is refused for its size."""

    number: int
    offset: int
    raw: bytes | bytearray
    size: int
    refused: str | None = None


class Lines:
    """The lines of a stream, each within a largest size.

    :param stream: What is read.
    :param limits: The bounds.
    :param consumed: Returns how many compressed bytes were read so far; None if the file is not compressed.
    :param number: Lines that stand before.
    :param offset: Bytes that stand before.
    :param blank: True yields blank lines too.
    """

    def __init__(
        self,
        stream: io.BufferedIOBase,
        limits: Limits,
        consumed: Callable[[], int] | None,
        number: int = 0,
        offset: int = 0,
        *,
        blank: bool = False,
    ) -> None:
        self.stream = stream
        self.largest = limits.line
        self.consumed = consumed
        self.offset = offset
        self._limits = limits
        self._number = number
        self._blank = blank

    def __iter__(self) -> Iterator[Line]:
        readline = self.stream.readline
        most_bytes, most_lines = self.allowed()
        while True:
            number, offset = self._number + 1, self.offset
            try:
                raw: bytes | bytearray = readline(PIECE)
                size = len(raw)
                if size == PIECE and not raw.endswith(b"\n"):
                    raw, size = self._long(raw)
            except DAMAGED:
                yield Line(number, offset, b"", 0, BROKEN_OFF)
                return
            if not size:
                return
            self._number, self.offset = number, offset + size
            if self.offset > most_bytes or number > most_lines:
                most_bytes, most_lines = self.allowed()
                if self.offset > most_bytes or number > most_lines:
                    yield Line(number, offset, b"", 0, INFLATED)
                    return
            if number == 1:
                raw = raw.removeprefix(BOM)
            if size > self.largest:
                yield Line(number, offset, raw, size, too_long(self.largest))
            elif self._blank or (not raw.isspace() and raw):
                yield Line(number, offset, raw, size)

    def begin(self, most: int) -> bytearray:
        """Return the first bytes, which are left to be read again.

        :param most: How many; one more says that there are more.
        """
        begun, broken = bytearray(), None
        try:
            while len(begun) <= most and (piece := self.stream.read(min(PIECE, most + 1 - len(begun)))):
                begun += piece
        except DAMAGED as cause:
            broken = cause
        self.stream = io.BufferedReader(_Rejoined(begun, self.stream, broken), BUFFER)
        return begun

    def rest(self, begun: bytearray, most: int) -> bytearray:
        """Return what was read so far followed by all that is left.

        :param begun: What was read so far.
        :param most: Bytes after which no more is read; more than these says that there was more.
        :raises SkippedFileError: If the file breaks off.
        """
        try:
            while len(begun) <= most and (piece := self.stream.read(PIECE)):
                begun += piece
        except DAMAGED:
            raise SkippedFileError("the compressed file is damaged, so its JSON document is not whole") from None
        return begun

    def blocks(self) -> Iterator[bytes | str]:
        """Yield what is left in blocks of bytes; last, if it can't be read to its end, the reason."""
        while True:
            try:
                block = self.stream.read(PIECE)
            except DAMAGED:
                yield BROKEN_OFF
                return
            if not block:
                return
            self.offset += len(block)
            if self.offset > self.allowed()[0]:
                yield INFLATED
                return
            yield block

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
            piece = self.stream.readline(PIECE)
            size += len(piece)
            if size <= self.largest:
                whole += piece
            elif len(whole) > PIECE:
                del whole[PIECE:]
            if not piece or piece.endswith(b"\n") or self.offset + size > self.allowed()[0]:
                return whole, size


class _Rejoined(io.RawIOBase):
    """Bytes in memory, followed by the rest of a stream, or by the error that ended it."""

    def __init__(self, begun: bytearray, rest: io.BufferedIOBase, broken: Exception | None) -> None:
        super().__init__()
        self._begun: memoryview | None = memoryview(begun)
        self._rest = rest
        self._broken = broken

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - whatever holds bytes
        if self._begun:
            piece = self._begun[: len(buffer)]
            buffer[: len(piece)] = piece
            self._begun = self._begun[len(piece) :] or None
            return len(piece)
        self._begun = None
        if self._broken is not None:
            raise self._broken
        return self._rest.readinto(buffer)


def too_long(largest: int) -> str:
    """Return the reason for which a line is refused by its size.

    :param largest: The bytes that a line may have.
    """
    return f"a line of more than {megabytes(largest)}"


def megabytes(size: int) -> str:
    """Return a size in words.

    :param size: Bytes.
    """
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size} bytes"
