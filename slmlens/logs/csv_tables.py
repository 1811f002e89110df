"""Rows of CSV files as records, one after the other; a row that can't be read costs only itself."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from slmlens.logs.decode import shape
from slmlens.logs.inflate import SkippedFileError
from slmlens.logs.limits import Limits
from slmlens.logs.lines import Line, Lines, megabytes
from slmlens.logs.records import Item, in_runs, peeked
from slmlens.logs.tabular import row_item

ENDINGS = (".csv", ".tsv")

_READ_AGAIN = 20  # rows without an end behind which what they took is read again: each may be as long as a line may be


def csv_items(
    stream: io.BufferedReader[Any], limits: Limits, consumed: Callable[[], int] | None = None, *, tabs: bool = False
) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, by which a format is recognised, and all records of a CSV file with a header.

    Blank rows are no records, empty cells are left out, and a record's line is the one at which its row begins. Bad
    rows are refused: quotes that don't match, or more cells than the header has. Behind a quote that never ends, rows
    are read again from the next line that has all cells.

    :param stream: Its bytes.
    :param limits: How large a row and the whole may be.
    :param consumed: Returns how many compressed bytes were read so far; None if the file is not compressed.
    :param tabs: Cells are set apart by tabs.
    :raises SkippedFileError: If it is no CSV.
    """
    lines = Lines(stream, limits, consumed, blank=True)
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter="\t" if tabs else ",", strict=True)
    try:
        names = _names(_next_row(reader, limits)) if feed.begin() is not None else []
    except (csv.Error, _OpenRowError):
        names = []
    if not names:
        raise SkippedFileError("it is no CSV with a header line that can be read")
    return peeked(in_runs(_items(feed, reader, names, limits), limits.refused), lines, limits)


class _OpenRowError(Exception):
    """A row that goes on where its lines end."""


class _Feed:
    """Hands a CSV reader its lines, and keeps those of the row at hand."""

    def __init__(self, lines: Lines) -> None:
        self._lines = iter(lines)
        self._largest = lines.largest
        self._waiting: deque[Line] = deque()
        self._row: list[Line] = []
        self._size = 0

    def begin(self) -> Line | None:
        """Return the line at which the next row begins; None at the end of the file."""
        self._row, self._size = [], 0
        while (line := self._take()) is not None:
            if line.refused is not None or not line.raw.isspace():
                self._waiting.appendleft(line)
                return line
        return None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._take()
        if line is None:
            raise _OpenRowError
        if line.refused is not None or self._size + line.size > self._largest:
            self._waiting.appendleft(line)
            raise _OpenRowError
        self._row.append(line)
        self._size += line.size
        return line.raw.decode("utf-8", "replace")

    def skip(self) -> None:
        """Leave out the line that comes next."""
        self._take()

    def again(self) -> bool:
        """Hand out once more what the row took behind its first line; return whether that is anything."""
        self._waiting.extendleft(reversed(self._row[1:]))
        return len(self._row) > 1

    def _take(self) -> Line | None:
        return self._waiting.popleft() if self._waiting else next(self._lines, None)


def _items(feed: _Feed, reader: Iterator[list[str]], names: list[str], limits: Limits) -> Iterator[Item]:
    open_rows, lost = 0, False
    while (line := feed.begin()) is not None:
        reason = line.refused
        if reason is not None:
            feed.skip()
        else:
            try:
                cells = _next_row(reader, limits)
            except _OpenRowError:
                open_rows += 1
                reason = f"a quoted cell that does not end within {megabytes(limits.line)} of the file"
                lost |= open_rows <= _READ_AGAIN and feed.again()
            except csv.Error:
                reason = "not a valid row of CSV"
                lost |= feed.again()
        if reason is not None:
            yield Item(line.number, None, b"", None, reason, shape(line.raw.strip()))
            continue
        if lost and len(cells) != len(names):
            continue
        lost = False
        if any(cells[len(names) :]):
            yield Item(line.number, None, b"", None, "more cells than the header has", shape(line.raw.strip()))
        else:
            yield row_item(line.number, zip(names, cells, strict=False))


def _next_row(reader: Iterator[list[str]], limits: Limits) -> list[str]:
    """Return the next row; cells may be as long as a line, where Python's own bound is 128 KB."""
    before = csv.field_size_limit(limits.line)
    try:
        return next(reader)
    finally:
        csv.field_size_limit(before)


def _names(header: list[str]) -> list[str]:
    """Return the names of the columns; one that stands twice gets a number."""
    seen: dict[str, int] = {}
    names = []
    for name in header:
        times = seen[name] = seen.get(name, -1) + 1
        names.append(f"{name}_duplicated_{times - 1}" if times else name)
    return names
