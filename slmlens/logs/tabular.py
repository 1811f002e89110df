"""Rows of Parquet files as records, a batch at a time; JSON in a cell is read, an empty cell is left out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmlens.logs.decode import UnreadableError, decode_text, digest, encode
from slmlens.logs.inflate import BUFFER, SkippedFileError
from slmlens.logs.limits import Limits
from slmlens.logs.records import PEEKED_RECORDS, Item

if TYPE_CHECKING:
    import pyarrow.parquet

_BATCH_ROWS, _BATCH_BYTES = 100, 4 << 20  # a value that stands in many rows is stored once: bytes say too little
_TEXTS = frozenset({"prompt", "completion", "answer", "text", "output_text", "response_text", "question", "content"})
"""Columns whose cells are texts even where they look like JSON."""
_DAMAGED = "the parquet file is damaged"


def parquet_items(
    source: Path | io.BufferedReader[Any], limits: Limits, *, seekable: bool
) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, by which a format is recognised, and all records of a Parquet file.

    :param source: The file on the disk, or its bytes.
    :param limits: How large a file may be that is read whole.
    :param seekable: False: it lies in an archive or is compressed once more, so it is read whole.
    :raises SkippedFileError: If it is damaged, or too large to be read whole.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    given = source if isinstance(source, Path) or seekable else io.BytesIO(_whole(source, limits))
    try:
        file = pq.ParquetFile(given, buffer_size=BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError):
        raise SkippedFileError(_DAMAGED) from None
    items = _items(file)
    head = list(islice(items, PEEKED_RECORDS))
    if head and (head[0].refused or "").startswith(_DAMAGED):
        raise SkippedFileError(_DAMAGED)
    return head, chain(head, items)


def row_item(line: int, cells: Iterable[tuple[str, object]]) -> Item:
    """Return the record that a row is.

    :param line: Where it stands.
    :param cells: Names of the columns and their values.
    """
    value = {name: _cell(name, cell) for name, cell in cells if cell is not None and cell != ""}
    try:
        raw = encode(value)
    except UnreadableError as cause:
        return Item(line, None, b"", None, str(cause))
    return Item(line, None, digest(raw), value)


def _items(file: pyarrow.parquet.ParquetFile) -> Iterator[Item]:
    import polars as pl
    import pyarrow as pa

    line = 0
    try:
        for batch in file.iter_batches(batch_size=_rows_at_once(file)):
            frame = pl.from_arrow(batch)
            assert isinstance(frame, pl.DataFrame), "a batch has columns"
            for row in frame.iter_rows(named=True):
                line += 1
                yield row_item(line, row.items())
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError):
        yield Item(line + 1, None, b"", None, f"{_DAMAGED} from here on")


def _rows_at_once(file: pyarrow.parquet.ParquetFile) -> int:
    """Return how many rows take some megabytes, by the group whose rows are the largest."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(largest, 1)))


def _whole(stream: io.BufferedReader[Any], limits: Limits) -> bytes:
    raw = stream.read(limits.table + 1)
    if len(raw) > limits.table:
        raise SkippedFileError(
            f"a Parquet file of more than {limits.table >> 20} MB that is compressed once more; unpack it first"
        )
    return raw


def _cell(key: str, value: object) -> object:
    if isinstance(value, str):
        if key.lower() in _TEXTS or value[:1] not in ("{", "["):
            return value
        found = decode_text(value)
        listed = isinstance(found, list) and bool(found) and isinstance(found[0], (dict, list))
        return found if isinstance(found, dict) or listed else value
    return _plain(value)


def _plain(value: object) -> object:
    """Return a value of a nested column with nothing but what JSON has; keys without a value are left out."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
