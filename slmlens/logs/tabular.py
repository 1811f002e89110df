"""Rows of CSV and Parquet files as records, a batch at a time; JSON in a cell is read, an empty cell is left out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmlens.logs.decode import UnreadableError, decode_text, digest, encode
from slmlens.logs.inflate import SkippedFileError
from slmlens.logs.limits import Limits
from slmlens.logs.records import PEEKED_RECORDS, Item

if TYPE_CHECKING:
    import polars as pl

CSV_ENDINGS = (".csv", ".tsv")

_BATCH = 500
_TEXTS = frozenset({"prompt", "completion", "answer", "text", "output_text", "response_text", "question", "content"})
"""Columns whose cells are texts even where they look like JSON."""


def parquet_items(
    path: Path | None, stream: io.BufferedReader[Any], limits: Limits
) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, by which a format is recognised, and all records of a Parquet file.

    :param path: The file, where it lies on the disk as it is; None: it is read from the stream, whole.
    :param stream: Its bytes.
    :param limits: How large a file may be that is read whole.
    :raises SkippedFileError: If it is damaged, or too large to be read whole.
    """
    import polars as pl

    source = path or io.BytesIO(_whole(stream, limits))
    try:
        lazy = pl.scan_parquet(source)
        rows = int(lazy.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError):
        raise SkippedFileError("the parquet file is damaged") from None
    slices = (lazy.slice(start, _BATCH).collect() for start in range(0, rows, _BATCH))
    return _peeked(_items(slices))


def csv_items(stream: io.BufferedReader[Any], limits: Limits, *, tabs: bool) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records, by which a format is recognised, and all records of a CSV file with a header.

    :param stream: Its bytes; read whole.
    :param limits: How large the file may be.
    :param tabs: Cells are set apart by tabs.
    :raises SkippedFileError: If it is no CSV, or too large.
    """
    import polars as pl

    raw = _whole(stream, limits)
    try:
        frame = pl.read_csv(
            raw, separator="\t" if tabs else ",", infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True
        )
    except (pl.exceptions.PolarsError, OSError):
        raise SkippedFileError("it is no CSV with a header line that can be read") from None
    return _peeked(_items(frame.iter_slices(_BATCH)))


def _whole(stream: io.BufferedReader[Any], limits: Limits) -> bytes:
    raw = stream.read(limits.table + 1)
    if len(raw) > limits.table:
        raise SkippedFileError(f"a table of more than {limits.table >> 20} MB; save it as JSON lines or plain Parquet")
    return raw


def _peeked(items: Iterator[Item]) -> tuple[list[Item], Iterator[Item]]:
    head = list(islice(items, PEEKED_RECORDS))
    return head, chain(head, items)


def _items(batches: Iterator[pl.DataFrame]) -> Iterator[Item]:
    line = 0
    for batch in batches:
        for row in batch.iter_rows(named=True):
            line += 1
            yield _item(
                line, {key: _cell(key, value) for key, value in row.items() if value is not None and value != ""}
            )


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


def _item(line: int, value: dict[str, object]) -> Item:
    try:
        raw = encode(value)
    except UnreadableError as cause:
        return Item(line, None, b"", None, str(cause))
    return Item(line, None, digest(raw), value)
