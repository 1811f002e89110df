"""Files as streams of bytes: gz and zst inflated while they are read, and what is no log told by its first bytes."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
import zlib
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, zstd.ZstdError)
"""What reading a damaged file may raise."""

BUFFER = 1 << 20
"""Bytes read at a time."""

PARQUET = b"PAR1"
"""How a Parquet file begins."""

_PEEK = 1 << 13
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BINARY_SHARE = 10  # one byte in so many may be NUL: a rotated log can begin with some, UTF-16 has every second one
_UNREAD = (
    (b"PK\x03\x04", "a zip archive without the ending .zip; rename it, or unpack it first, if it holds logs"),
    (b"BZh", "a bzip2 file is not read; decompress it first"),
    (b"\xfd7zXZ", "an xz file is not read; decompress it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive is not read; unpack it first"),
    (b"SQLite format 3", "a database is not read; export it as JSON lines"),
    (b"\xff\xfe", "UTF-16 text is not read; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text is not read; save it as UTF-8"),
)


class SkippedFileError(Exception):
    """The file is not one that can be read. Its message is the reason, a clause without text of the file."""


def inflated(stored: io.BufferedReader[Any]) -> tuple[io.BufferedReader[Any], bool]:
    """Return a file's bytes, decompressed where it is compressed, and whether it is.

    :param stored: The file as stored, at its start.
    :raises SkippedFileError: If it is empty, binary, or of a kind that is not read.
    :raises OSError: If it is damaged; so do the other errors of :data:`DAMAGED`.
    """
    start = stored.peek(_PEEK)[:_PEEK]
    stream: io.BufferedReader[Any] = stored
    if start.startswith(_GZIP):
        stream = io.BufferedReader(gzip.GzipFile(fileobj=stored, mode="rb"), BUFFER)
    elif start.startswith(_ZSTD):
        stream = io.BufferedReader(zstd.ZstdFile(stored, mode="rb"), BUFFER)
    compressed = stream is not stored
    if compressed:
        start = stream.peek(_PEEK)[:_PEEK]
        if start.startswith((_GZIP, _ZSTD)):
            raise SkippedFileError("it was compressed twice; decompress it once first")
    if not start.startswith(PARQUET):
        _refuse_by(start, compressed=compressed)
    return stream, compressed


def _refuse_by(start: bytes, *, compressed: bool) -> None:
    if not start.strip():
        raise SkippedFileError("it is empty")
    for magic, reason in _UNREAD:
        if start.startswith(magic):
            inside = compressed and magic == _UNREAD[0][0]
            raise SkippedFileError("a zip archive that was compressed once more; unpack it first" if inside else reason)
    text = start.lstrip(b"\0 \t\r\n\xef\xbb\xbf")
    if start.count(b"\0") * _BINARY_SHARE > len(start) or (b"\0" in start and not text.startswith((b"{", b"["))):
        raise SkippedFileError("it is a binary file")
