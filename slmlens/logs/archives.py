"""The files inside a zip archive, as sources of their own. Nothing is unpacked to disk, so a name can lead nowhere."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
from typing import Any, NamedTuple

from slmlens.logs.inflate import BUFFER, DAMAGED
from slmlens.logs.limits import Limits
from slmlens.logs.remote import File, opened, size_of

MAGIC = b"PK\x03\x04"
"""How a zip archive begins."""

_ZSTD = 93  # APPNOTE 6.3.7; zipfile knows it from Python 3.14 on
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, _ZSTD)
_ENCRYPTED = 0x1
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, length of the name, length of the extra field
_SEPARATORS = re.compile(r"[/\\]+")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_BROKEN_INDEX = (*DAMAGED, ValueError, NotImplementedError, IndexError, OverflowError, struct.error)


class Member(NamedTuple):
    """A file inside an archive.

    ``parts`` are the parts of its name, without ``..``; of an absolute name, only the last one. ``refused`` is why it
    is not read.
    """

    parts: tuple[str, ...]
    info: zipfile.ZipInfo
    refused: str | None


def archive_members(path: File, limits: Limits) -> list[Member] | str:
    """Return the files of an archive in its order, hidden files left out; or the reason for which none can be read.

    :param path: The archive.
    :param limits: How many files it may hold, and how far they may inflate together.
    """
    try:
        with opened(path) as stream, zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
    except _BROKEN_INDEX:
        return "the zip archive is damaged"
    if len(infos) > limits.members:
        return f"the zip archive holds more than {limits.members:,} files; unpack it first"
    allowed = limits.inflated(size_of(path))
    members: list[Member] = []
    for info in infos:
        parts = _safe_parts(info.filename)
        if info.is_dir() or not parts or any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        refused = _why_refused(info)
        if refused is None:
            allowed -= info.file_size
            refused = "the archive inflates far more than logs do; unpack it first" if allowed < 0 else None
        members.append(Member(parts, info, refused))
    return members or "the zip archive is empty"


def open_member(raw: io.BufferedReader[Any], info: zipfile.ZipInfo) -> io.BufferedReader[Any]:
    """Return the decompressed bytes of a file in an archive, checked against their checksum at the end.

    Those that zstd compressed are returned as they are stored.

    :param raw: The open archive.
    :param info: The file's entry in the archive's index.
    :raises zipfile.BadZipFile: If the entry leads to no file.
    """
    raw.seek(info.header_offset)
    head = raw.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(MAGIC):
        raise zipfile.BadZipFile
    _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
    raw.seek(name_length + extra_length, io.SEEK_CUR)
    if info.compress_type == _ZSTD:
        return io.BufferedReader(_Section(raw, info.compress_size), BUFFER)  # `inflated` knows it by its start
    member = zipfile.ZipExtFile(raw, "r", info)
    return io.BufferedReader(member, BUFFER)


class _Section(io.RawIOBase):
    """So many bytes of an open file, from where it stands."""

    def __init__(self, raw: io.BufferedReader[Any], size: int) -> None:
        super().__init__()
        self._raw = raw
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - whatever holds bytes
        piece = self._raw.read(min(len(buffer), self._left))
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)


def _safe_parts(name: str) -> tuple[str, ...]:
    parts = tuple(part for part in _SEPARATORS.split(name) if part not in ("", ".", ".."))
    return parts[-1:] if _ABSOLUTE.match(name) else parts


def _why_refused(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted; unpack the archive with its password first"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link, not a file"
    if info.compress_type not in _READ:
        return f"its compression (zip method {info.compress_type}) is not read; unpack the archive first"
    if info.filename.lower().endswith(".zip"):
        return "an archive inside an archive is not read; unpack it first"
    return None
