"""The elements of a JSON array cut out of a stream, so that an array of any size is read in little memory."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import numpy as np

_QUOTE, _OPEN, _CLOSE, _COMMA = 1, 2, 3, 4
_KINDS = np.zeros(256, np.uint8)
_KINDS[list(b'"{}[],')] = (_QUOTE, _OPEN, _CLOSE, _OPEN, _CLOSE, _COMMA)
_STEPS = np.array([0, 0, 1, -1, 0], np.int64)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_LISTS_OBJECTS = re.compile(rb"\s*:\s*\[(?=\s*\{)")
_IS_KEY = re.compile(rb"\s*:")


class ArrayCutter:
    """Cuts blocks of bytes, which begin behind an array's opening bracket, at the commas between its elements.

    :param largest: Bytes of an element beyond which only its first ones are kept.
    """

    def __init__(self, largest: int) -> None:
        self.ended = False
        self.rest = b""  # what stood behind the array's end in the last block
        self._largest = largest
        self._held = b""  # backslashes at the end of a block: what they escape stands in the next one
        self._in_text = 0
        self._depth = 0
        self._element = bytearray()
        self._size = 0

    def feed(self, block: bytes) -> Iterator[tuple[bytearray, int]]:
        """Yield the elements that end in a block and how many bytes each has; of one that is too large, its start.

        :param block: The next bytes.
        """
        block = self._held + block
        scanned = block.rstrip(b"\\")
        self._held = block[len(scanned) :]
        commas, end = self._cuts(scanned)
        begin = 0
        for comma in commas:
            self._add(scanned[begin:comma])
            yield self._taken()
            begin = comma + 1
        self._add(scanned[begin:end])
        if end is not None:
            self.ended, self.rest = True, block[end + 1 :]

    def last(self) -> tuple[bytearray, int]:
        """Return the element at the array's end, or where the stream broke off; blank where there is none."""
        self._add(b"" if self.ended else self._held)
        return self._taken()

    def _cuts(self, block: bytes) -> tuple[list[int], int | None]:
        """Return where the elements end that end in a block, and where the array ends, None if it goes on."""
        plain = block.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        kinds = _KINDS[np.frombuffer(plain, np.uint8)]
        where = np.flatnonzero(kinds)
        kinds = kinds[where]
        quotes = np.cumsum(kinds == _QUOTE) + self._in_text
        outside = quotes % 2 == 0
        depth = np.cumsum(_STEPS[kinds] * outside) + self._depth
        commas = where[(kinds == _COMMA) & outside & (depth == 0)]
        ends = where[depth < 0]
        if where.size:
            self._in_text, self._depth = int(quotes[-1]) % 2, int(depth[-1])
        if not ends.size:
            return commas.tolist(), None
        return commas[commas < ends[0]].tolist(), int(ends[0])

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._largest:
            self._element += piece
        elif not self._element:
            self._element += piece[: self._largest]

    def _taken(self) -> tuple[bytearray, int]:
        taken = self._element, self._size
        self._element, self._size = bytearray(), 0
        return taken


def array_within(start: bytes | bytearray, wrappers: Collection[str], others: Collection[str]) -> int | None:
    """Return where, in the start of an object, its array of records begins, behind the bracket; None if there is none.

    :param start: The start of the document.
    :param wrappers: Keys that such an array may have.
    :param others: Keys of an object that is a record itself.
    """
    depth = 0
    for token in _TOKEN.finditer(start):
        sign = token.group()
        if sign in b"{[":
            depth += 1
        elif sign in b"}]":
            depth -= 1
        elif depth == 1:
            key = sign[1:-1].decode("utf-8", "replace")
            if key in others and _IS_KEY.match(start, token.end()):
                return None
            if key in wrappers and (found := _LISTS_OBJECTS.match(start, token.end())):
                return found.end()
    return None
