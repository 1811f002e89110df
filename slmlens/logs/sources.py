"""The files of an input: found in folders and archives, opened, and told apart from copies of one another."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from slmlens.errors import InputError
from slmlens.logs import csv_tables, yaml_documents
from slmlens.logs.archives import MAGIC, archive_members, open_member
from slmlens.logs.inflate import BUFFER, DAMAGED, PARQUET, SkippedFileError, inflated
from slmlens.logs.limits import LIMITS, Limits
from slmlens.logs.records import PEEKED_RECORDS, Item, read_items
from slmlens.logs.remote import File, is_address, opened, remote_files, size_of
from slmlens.logs.tabular import parquet_items

__all__ = [
    "PEEKED_RECORDS", "Item", "Opened", "SkippedFileError", "Source", "find_sources", "identical_files", "open_source",
    "walk",
]  # fmt: skip

_NOTEBOOK = ".ipynb"
_ARCHIVES = (".zip", ".eval")  # the latter are Inspect's logs
_MANIFEST, _RUN_MARK = "manifest.json", b'"serial_version"'  # of a run folder, see slmlens.run
_MANIFEST_START = 1 << 13
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]+")


@dataclass(frozen=True)
class Source:
    """One input file.

    :param name: Its name relative to what the user named; unique in the input and never an absolute path. A file in an
        archive is ``archive.zip/its/name``.
    :param path: Where it is, on the disk or in a store, or where its archive is.
    :param named: True if the user named the file, False if it was found in a folder or an archive.
    :param member: Its entry in the index of its archive; None outside archives.
    :param refused: Why it can't be read, where that was seen before it was opened.
    """

    name: str
    path: File
    named: bool
    member: zipfile.ZipInfo | None = None
    refused: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the file; in an archive, of the unpacked file as the archive declares them."""
        return self.stored if self.member is None else self.member.file_size

    @property
    def stored(self) -> int:
        """Bytes of the file, or of its archive, as it is stored."""
        return size_of(self.path)


@dataclass
class Opened:
    """An open source: its first records for recognition, all of its records, and how many bytes were read."""

    head: list[Item]
    items: Iterator[Item]
    position: Callable[[], int]
    close: Callable[[], None]


def find_sources(paths: Sequence[str | Path], limits: Limits = LIMITS) -> list[Source]:
    """Return the files that the user's paths stand for, sorted by name.

    Folders are walked, hidden files left out; a zip archive stands for the files in it.

    :param paths: Files and folders, or addresses of objects and prefixes in a store (``s3://bucket/logs``).
    :param limits: How many files an archive may hold, and how far they may inflate.
    :raises InputError: If no path is given, one doesn't exist or is no file, or a folder holds no file.
    :raises MissingExtraError: If the package for a store is not installed.
    """
    if not paths:
        raise InputError("no log was named", next_step="name a file or a folder of exported logs")
    found: dict[File, tuple[str, bool]] = {}
    for given in paths:
        for file, name, named in named_files(given):
            if named:
                found[file] = (name, named)
            else:
                found.setdefault(file, (name, named))
    sources: list[Source] = []
    for file in sorted(found, key=lambda one: (found[one][0], str(one))):
        name, named = found[file]
        sources += _in_archive(Source(name, file, named), limits) if _is_zip(file) else [Source(name, file, named)]
    return _with_unique_names(sources)


def named_files(given: str | Path) -> Iterator[tuple[File, str, bool]]:
    """Yield the files that a path or an address stands for, their names, and whether each was named itself.

    :param given: A file, a folder, or an address of an object, a prefix or several (``s3://bucket/*.jsonl``).
    :raises InputError: As :func:`find_sources`.
    """
    if isinstance(given, str) and is_address(given):
        label, files = remote_files(given)
        for parts, file in files:
            yield file, "/".join(map(_part, parts)) or _shown(label), not parts
        return
    path = Path(given).expanduser()
    label = _shown(path.name) or "the folder"
    if not _is_folder(path, label):
        yield path.resolve(), label, True
        return
    files_here = list(walk(path))
    if not files_here:
        raise InputError(
            "the folder holds no files",
            where=label,
            next_step="name a folder with exported logs (.jsonl, .json, .gz, .zst, .zip)",
        )
    for one in files_here:
        yield one.resolve(), _relative_name(one, path), False


def open_source(source: Source, limits: Limits = LIMITS) -> Opened:
    """Open a file and read as far as its format can be recognised.

    Records are the lines of JSON lines, the elements of a JSON array (or of an object such as ``{data: []}``), or a
    single JSON object; the rows of a CSV or Parquet file; the interactions of a cassette in YAML. Blank lines are no
    records.

    :param source: The file.
    :param limits: How large its lines, a document and the whole may be.
    :raises SkippedFileError: If it is empty, binary, of a kind that is not read, too large, or no JSON.
    """
    if source.refused is not None:
        raise SkippedFileError(source.refused)
    try:
        raw = opened(source.path, BUFFER)
    except OSError as cause:
        raise SkippedFileError(f"it can't be opened ({os.strerror(cause.errno or 0)})") from None
    try:
        stored: io.BufferedReader[Any] = raw if source.member is None else open_member(raw, source.member)
        start = raw.tell()
        stream, compressed = inflated(stored)
        deflated = source.member is not None and source.member.compress_type != zipfile.ZIP_STORED

        def position() -> int:
            return raw.tell() - start

        head, items = _records(source, stream, limits, position if compressed or deflated else None)
    except DAMAGED:
        raw.close()
        raise SkippedFileError("the compressed file is damaged at its start") from None
    except SkippedFileError:
        raw.close()
        raise
    return Opened(head, items, position, raw.close)


def _records(
    source: Source, stream: io.BufferedReader[Any], limits: Limits, consumed: Callable[[], int] | None
) -> tuple[list[Item], Iterator[Item]]:
    """Return the first records and all records of a file, by what kind of file it is."""
    name = source.name.lower().removesuffix(".gz").removesuffix(".zst")
    if stream.peek(len(PARQUET))[: len(PARQUET)] == PARQUET:
        plain = source.member is None and consumed is None
        at_hand = source.path if isinstance(source.path, Path) and plain else stream
        return parquet_items(at_hand, limits, seekable=plain)
    if name.endswith(csv_tables.ENDINGS):
        return csv_tables.csv_items(stream, limits, consumed, tabs=name.endswith(".tsv"))
    if name.endswith(yaml_documents.ENDINGS):
        return yaml_documents.yaml_items(stream, limits)
    return read_items(stream, limits, consumed)


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that may be logs: no hidden ones, no notebooks, nothing that a run of ours wrote."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _is_run(Path(parent) / name))
        for name in sorted(files):
            path = Path(parent) / name
            if not name.startswith(".") and not name.endswith(_NOTEBOOK) and path.is_file():  # a pipe never ends
                yield path


def _is_run(folder: Path) -> bool:
    try:
        with (folder / _MANIFEST).open("rb") as stream:
            return _RUN_MARK in stream.read(_MANIFEST_START)
    except OSError:
        return False


def identical_files(sources: Sequence[Source]) -> dict[int, int]:
    """Return which files are byte for byte copies of an earlier one: number of the copy -> number of the original.

    A file in an archive is compared as it is when unpacked.

    :param sources: The files in their order.
    """
    by_size: dict[int, list[int]] = {}
    for number, source in enumerate(sources):
        if source.refused is None:
            by_size.setdefault(source.size, []).append(number)
    copies: dict[int, int] = {}
    for size, numbers in by_size.items():
        firsts: dict[bytes, int] = {}
        for number in numbers if len(numbers) > 1 and size else []:
            content = _content_digest(sources[number])
            first = firsts.setdefault(content, number) if content else number
            if first != number:
                copies[number] = first
    return copies


def _is_folder(path: Path, label: str) -> bool:
    try:
        if path.is_dir():
            return True
        exists, is_file = path.exists(), path.is_file()
    except OSError as cause:
        raise InputError(
            f"this path can't be opened ({os.strerror(cause.errno or 0)})",
            where=label,
            next_step="check the spelling and your rights to it",
        ) from None
    if not exists:
        raise InputError("this path does not exist", where=label, next_step="check the spelling")
    if not is_file:
        raise InputError("this is a pipe or a device", where=label, next_step="save the log to a file first")
    return False


def _is_zip(path: File) -> bool:
    """Tell an archive by its ending as well: office documents and programs are zip archives, too."""
    if path.suffix.lower() not in _ARCHIVES:
        return False
    try:
        with opened(path) as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _in_archive(archive: Source, limits: Limits) -> list[Source]:
    members = archive_members(archive.path, limits)
    if isinstance(members, str):
        return [replace(archive, refused=members)]
    return [
        replace(
            archive,
            name="/".join((archive.name, *map(_part, member.parts))),
            named=False,
            member=member.info,
            refused=member.refused,
        )
        for member in members
    ]


def _relative_name(path: Path, folder: Path) -> str:
    return "/".join(_part(part) for part in path.relative_to(folder).parts)


def _part(part: str) -> str:
    """Keep the last part of a folder that Claude Code named after an absolute path (``-home-ana-shop``)."""
    is_path = (part.startswith("-") and part.count("-") > 1) or part[1:3] == "--"
    return _shown(part.rsplit("-", 1)[-1] or "project" if is_path else part)


def _shown(name: str) -> str:
    """Replace what can't be shown or stored: line ends, and bytes of a file name that are no UTF-8."""
    return _UNPRINTABLE.sub("_", name)


def _with_unique_names(sources: list[Source]) -> list[Source]:
    taken: dict[str, int] = {}
    unique = []
    for source in sources:
        taken[source.name] = number = taken.get(source.name, 0) + 1
        unique.append(source if number == 1 else replace(source, name=f"{source.name}#{number}"))
    return unique


def _content_digest(source: Source) -> bytes | None:
    """Return a hash of the file, or None if it is damaged."""
    state = blake2b(digest_size=16)
    try:
        with opened(source.path, BUFFER) as raw:
            stream: io.BufferedReader[Any] = raw if source.member is None else open_member(raw, source.member)
            while block := stream.read(BUFFER):
                state.update(block)
    except DAMAGED:
        return None
    return state.digest()
