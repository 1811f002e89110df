"""Objects in a store (``s3://``, ``gs://``, ``az://``) as files that are streamed, through fsspec."""

from __future__ import annotations

import hashlib
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from slmlens.errors import InputError, MissingExtraError, SettingError

_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs",
    "memory": "fsspec", "file": "fsspec",
}  # fmt: skip
_ADDRESS = re.compile(r"([A-Za-z][\w+.-]+)://(.*)", re.DOTALL)
_SECRETS = re.compile(r"^[^/]*@|\?.*", re.DOTALL)
_WILDCARD = re.compile(r"[*?\[]")
_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"), ("botocore.exceptions", "ClientError"), ("aiohttp", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"), ("gcsfs.retry", "HttpError"),
    ("azure.core.exceptions", "AzureError"),
)  # fmt: skip
"""What the stores' packages raise beside :class:`OSError`."""
_NO_ACCESS = re.compile("[Cc]redential|Auth|Forbidden|Denied|Token|Signature|AccessKey")
_BLOCK, _BLOCKS = 4 << 20, 16  # bytes of a request, and requests kept: the columns of a table are read side by side


@dataclass(frozen=True)
class RemoteFile:
    """An object in a store.

    :param key: Its bucket and path.
    :param size: Its bytes.
    :param mark: The store's mark of its content (ETag, MD5); empty where the store gives none.
    """

    key: str
    size: int
    mark: str
    store: Any = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.key).suffix

    def open(self) -> io.RawIOBase:
        """Return its bytes, which are fetched as they are read.

        :raises InputError: If it can't be reached; so do the methods of what is returned.
        """
        with _as_sentences(self.name):
            return _Stream(
                self.store.open(
                    self.key, "rb", block_size=_BLOCK, cache_type="blockcache", cache_options={"maxblocks": _BLOCKS}
                ),
                self.name,
            )


class _Stream(io.RawIOBase):
    """An object's bytes; a store that fails says so in a sentence."""

    def __init__(self, file: Any, name: str) -> None:  # noqa: ANN401 - fsspec is not typed
        super().__init__()
        self._file = file
        self._name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - whatever holds bytes
        with _as_sentences(self._name):
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()
        super().close()


File = Path | RemoteFile
"""A file on the disk or an object in a store."""


def opened(file: File, buffer: int = io.DEFAULT_BUFFER_SIZE) -> io.BufferedReader[Any]:
    """Return the bytes of a file as they are stored.

    :param file: The file.
    :param buffer: Bytes read at a time.
    :raises OSError: If a file on the disk can't be opened.
    :raises InputError: If an object can't be reached.
    """
    return io.BufferedReader(file.open("rb", buffering=0) if isinstance(file, Path) else file.open(), buffer)


def size_of(file: File) -> int:
    """Return the bytes that a file has as it is stored.

    :param file: The file.
    """
    return file.stat().st_size if isinstance(file, Path) else file.size


def mark_of(file: File) -> str:
    """Return what differs where the content does: the store's own mark, else a hash of the bytes.

    :param file: The file.
    :raises OSError: If a file on the disk can't be read.
    :raises InputError: If an object can't be read.
    """
    if isinstance(file, RemoteFile) and file.mark:
        return file.mark
    with opened(file) as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def is_address(given: str | Path) -> bool:
    """Tell an address in a store from a path.

    :param given: What the user named.
    """
    return isinstance(given, str) and _ADDRESS.fullmatch(given) is not None


def remote_files(address: str) -> tuple[str, list[tuple[tuple[str, ...], RemoteFile]]]:
    """Return what an address is called, and the objects that it stands for, with the parts of their names below it.

    The parts are empty if the address names a single object. A prefix stands for all objects below it, ``*`` and ``**``
    for any part of a name; hidden objects are left out.

    :param address: ``s3://bucket/prefix``.
    :raises InputError: If there is no such object, or the store can't be reached or refuses access.
    :raises MissingExtraError: If the package for this store is not installed.
    :raises SettingError: If it is no store that is read.
    """
    scheme, path = _split(address)
    label = PurePosixPath(_SECRETS.sub("", path)).name or scheme
    with _as_sentences(label):
        store = _store(scheme)
        store.invalidate_cache()
        root = str(store._strip_protocol(address)).rstrip("/")  # noqa: SLF001 - fsspec's way to a key
        wild = _WILDCARD.search(path)
        if wild:
            base = root[: _WILDCARD.search(root).start()].rpartition("/")[0]  # type: ignore[union-attr]
            found = store.glob(root, detail=True)
        else:
            base, info = root, store.info(root)
            if info["type"] == "file":
                return label, [((), _file(root, info, store))]
            found = store.find(root, detail=True)
    files = []
    for key, info in sorted(found.items()):
        parts = PurePosixPath(key[len(base) :].strip("/")).parts
        if info["type"] == "file" and parts and not key.endswith("/") and not any(p.startswith(".") for p in parts):
            files.append((parts, _file(key, info, store)))
    if not files:
        raise InputError("there are no objects at this address", where=label, next_step="check the address")
    return label, files


def _split(address: str) -> tuple[str, str]:
    match = _ADDRESS.fullmatch(address)
    assert match is not None, "only addresses come here"
    scheme = match.group(1).lower()
    if scheme not in _PACKAGES:
        raise SettingError(
            f"addresses that begin with {scheme}:// are not read",
            next_step="name s3://, gs:// or az://, or a file on the disk",
        )
    return scheme, match.group(2)


def _store(scheme: str) -> Any:  # noqa: ANN401 - fsspec is not typed
    try:
        import fsspec

        return fsspec.filesystem(scheme)
    except ImportError:
        raise MissingExtraError(
            f"addresses that begin with {scheme}:// need the package {_PACKAGES[scheme]}, which is not installed",
            next_step=f"pip install {_PACKAGES[scheme]}, or slmlens[remote] for all stores",
        ) from None


def _file(key: str, info: dict[str, Any], store: Any) -> RemoteFile:  # noqa: ANN401 - fsspec is not typed
    marks = (info.get(name) for name in ("ETag", "etag", "md5Hash", "content_md5"))
    return RemoteFile(key, int(info["size"] or 0), str(next(filter(None, marks), "")).strip('"'), store)


@contextmanager
def _as_sentences(label: str) -> Iterator[None]:
    """Say what a store's error means; its own text may hold a host or a key."""
    try:
        yield
    except FileNotFoundError:
        raise InputError("there is no such bucket or object", where=label, next_step="check the address") from None
    except _raised_by_stores() as cause:
        refused = isinstance(cause, PermissionError) or _NO_ACCESS.search(f"{type(cause).__name__} {cause}")
        said = (
            ("the store refuses access", "check your credentials, and your rights to list and to read")
            if refused
            else ("the store can't be reached", "check the network, and the endpoint if you set one")
        )
        raise InputError(f"{said[0]} ({type(cause).__name__})", where=label, next_step=said[1]) from None


def _raised_by_stores() -> tuple[type[Exception], ...]:
    loaded = [getattr(sys.modules[module], name) for module, name in _ERRORS if module in sys.modules]
    return (OSError, ValueError, *loaded)
