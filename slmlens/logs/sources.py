"""The files of an input: found, opened, decompressed, and cut into records."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

from slmlens.errors import InputError
from slmlens.logs.decode import UnreadableError, decode, digest, encode, shape

PEEKED_RECORDS = 20
"""Records by which the format of a file is recognised."""

_PEEKED_LINES = 400  # how far those records are looked for behind lines that are no JSON

_WRAPPERS = ("data", "loglines", "records", "logs", "runs", "calls", "entries", "items", "rows", "results")
_RECORD_KEYS = frozenset({"request", "response", "messages", "choices", "message"})
_BUFFER = 1 << 20
_PEEK = 1 << 13
_NOTEBOOK = ".ipynb"
_MANIFEST, _RUN_MARK = "manifest.json", b'"serial_version"'  # of a run folder, see slmlens.run
_MAGIC = (
    (b"PK\x03\x04", "a zip archive is not read yet; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file is not read yet; decompress it first"),
    (b"PAR1", "a parquet file is not read yet; export it as JSON lines"),
    (b"BZh", "a bzip2 file is not read; decompress it first"),
    (b"\xfd7zXZ", "an xz file is not read; decompress it first"),
    (b"SQLite format 3", "a database is not read; export it as JSON lines"),
    (b"\xff\xfe", "UTF-16 text is not read; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text is not read; save it as UTF-8"),
)


@dataclass(frozen=True)
class Source:
    """One input file.

    :param name: Its name relative to what the user named; unique in the input and never an absolute path.
    :param path: Where it is.
    :param named: True if the user named the file, False if it was found in a folder.
    """

    name: str
    path: Path
    named: bool


class Item(NamedTuple):
    """One record of a file: its value, or the reason for which it can't be read."""

    line: int  # from 1; of a JSON array, the element
    offset: int | None  # bytes from the start of the decompressed file; None inside a document
    digest: bytes  # of its bytes, kept in memory only
    value: object
    refused: str | None = None
    shape: str = ""


class SkippedFileError(Exception):
    """The file is not one that can be read. Its message is the reason, a clause without text of the file."""


@dataclass
class Opened:
    """An open source: its first records for recognition, all of its records, and how many bytes were read."""

    head: list[Item]
    items: Iterator[Item]
    position: Callable[[], int]
    close: Callable[[], None]


def find_sources(paths: Sequence[str | Path]) -> list[Source]:
    """Return the files that the user's paths stand for, sorted by name; folders are walked, hidden files left out.

    :param paths: Files and folders.
    :raises InputError: If no path is given, one doesn't exist, or a folder holds no file.
    """
    if not paths:
        raise InputError("no log was named", next_step="name a file or a folder of exported logs")
    found: dict[Path, tuple[str, bool]] = {}
    for given in paths:
        path = Path(given).expanduser()
        label = path.name or "the folder"
        if not path.exists():
            raise InputError("this path does not exist", where=label, next_step="check the spelling")
        if path.is_dir():
            files = list(walk(path))
            if not files:
                raise InputError(
                    "the folder holds no files",
                    where=label,
                    next_step="name a folder with exported logs (.jsonl, .json, .gz)",
                )
            for one in files:
                found.setdefault(one.resolve(), (_relative_name(one, path), False))
        else:
            found[path.resolve()] = (path.name, True)
    return _with_unique_names(found)


def open_source(source: Source) -> Opened:
    """Open a file and read as far as its format can be recognised.

    Records are the lines of JSON lines, the elements of a JSON array (or of an object such as ``{data: []}``), or a
    single JSON object. Blank lines are no records.

    :param source: The file.
    :raises SkippedFileError: If it is empty, binary, of a kind that is not read, or no JSON.
    """
    try:
        raw = source.path.open("rb", buffering=_BUFFER)
    except OSError as cause:
        raise SkippedFileError(f"it can't be opened ({os.strerror(cause.errno or 0)})") from None
    try:
        items = _items(_decompressed(raw))
        head = _peeked(items)
    except (OSError, EOFError, zlib.error):
        raw.close()
        raise SkippedFileError("the compressed file is damaged at its start") from None
    except SkippedFileError:
        raw.close()
        raise
    return Opened(head, chain(head, items), raw.tell, raw.close)


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that may be logs: no hidden ones, no notebooks, nothing that a run of ours wrote."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _is_run(Path(parent) / name))
        for name in sorted(files):
            if not name.startswith(".") and not name.endswith(_NOTEBOOK):
                yield Path(parent) / name


def _is_run(folder: Path) -> bool:
    try:
        with (folder / _MANIFEST).open("rb") as stream:
            return _RUN_MARK in stream.read(_PEEK)
    except OSError:
        return False


def identical_files(sources: Sequence[Source]) -> dict[int, int]:
    """Return which files are byte for byte copies of an earlier one: number of the copy -> number of the original.

    :param sources: The files in their order.
    """
    by_size: dict[int, list[int]] = {}
    for number, source in enumerate(sources):
        by_size.setdefault(source.path.stat().st_size, []).append(number)
    copies: dict[int, int] = {}
    for size, numbers in by_size.items():
        firsts: dict[bytes, int] = {}
        for number in numbers if len(numbers) > 1 and size else []:
            first = firsts.setdefault(_file_digest(sources[number].path), number)
            if first != number:
                copies[number] = first
    return copies


def _relative_name(path: Path, folder: Path) -> str:
    return "/".join(_without_encoded_path(part) for part in path.relative_to(folder).parts)


def _without_encoded_path(part: str) -> str:
    """Keep the last part of a folder that Claude Code named after an absolute path (``-home-ana-shop``)."""
    is_path = (part.startswith("-") and part.count("-") > 1) or part[1:3] == "--"
    return part.rsplit("-", 1)[-1] or "project" if is_path else part


def _with_unique_names(found: dict[Path, tuple[str, bool]]) -> list[Source]:
    taken: dict[str, int] = {}
    sources = []
    for path in sorted(found, key=lambda one: (found[one][0], one)):
        name, named = found[path]
        taken[name] = taken.get(name, 0) + 1
        unique = name if taken[name] == 1 else f"{name}#{taken[name]}"
        sources.append(Source(unique, path, named))
    return sources


def _file_digest(path: Path) -> bytes:
    state = blake2b(digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(_BUFFER):
            state.update(block)
    return state.digest()


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    start = raw.read(_PEEK)
    raw.seek(0)
    stream = raw
    if start.startswith(b"\x1f\x8b"):
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw, mode="rb"), _BUFFER)
        start = stream.peek(_PEEK)[:_PEEK]
    if not start.strip():
        raise SkippedFileError("it is empty")
    for magic, reason in _MAGIC:
        if start.startswith(magic):
            raise SkippedFileError(reason)
    if b"\x00" in start:
        raise SkippedFileError("it is a binary file")
    return stream


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    for number, line in enumerate(stream, start=1):
        bare = line.strip()
        if number == 1:
            bare = bare.removeprefix(b"\xef\xbb\xbf")
        if bare:
            yield number, offset, bare
        offset += len(line)


def _items(stream: IO[bytes]) -> Iterator[Item]:
    lines = _lines(stream)
    first, second = next(lines, None), next(lines, None)
    if first is None:
        return
    alone = second is None
    begun = list(filter(None, (first, second)))
    opens = first[2][:1] in (b"[", b"{") and (alone or first[2][-1:] in (b"[", b"{", b","))
    if opens and (alone or _is_unreadable(first[2])):
        whole = b"\n".join([*(line for _, _, line in begun), *([] if alone else [stream.read()])])
        elements = _elements(whole)
        if elements is not None:
            yield from elements
            return
        lines = _lines(io.BytesIO(whole))
        begun = []
    yield from _line_items(chain(begun, lines))


def _line_items(lines: Iterator[tuple[int, int, bytes]]) -> Iterator[Item]:
    number, offset = 0, 0
    try:
        for number, offset, line in lines:
            try:
                value = decode(line)
            except UnreadableError as cause:
                yield Item(number, offset, b"", None, str(cause), shape(line))
                continue
            yield Item(number, offset, digest(line), value)
    except (OSError, EOFError, zlib.error):
        yield Item(number + 1, offset, b"", None, "the compressed file breaks off here")


def _elements(whole: bytes) -> Iterator[Item] | None:
    try:
        value = decode(whole)
    except UnreadableError:
        return None
    wrapped = value if isinstance(value, list) else _wrapped(value)
    listed = [value] if wrapped is None else wrapped
    return (_element(number, element) for number, element in enumerate(listed, start=1))


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


def _is_unreadable(line: bytes) -> bool:
    try:
        decode(line)
    except UnreadableError:
        return True
    return False


def _peeked(items: Iterator[Item]) -> list[Item]:
    head: list[Item] = []
    found = 0
    while found < PEEKED_RECORDS and len(head) < _PEEKED_LINES:
        item = next(items, None)
        if item is None:
            break
        head.append(item)
        found += isinstance(item.value, dict)
    return head
