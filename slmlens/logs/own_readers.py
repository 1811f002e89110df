"""A log format of the user's own: a Python file that declares it, read beside the formats that come with slmlens.

Such a file imports ``Format``, ``at`` and ``call`` from here and ends with ``FORMAT = Format(...)``. Naming it runs it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from slmlens.errors import SettingError, SlmlensError
from slmlens.logs.decode import UnreadableError
from slmlens.logs.exchange import NotACallError
from slmlens.logs.formats import FORMATS
from slmlens.logs.formats.declaration import Format, Record
from slmlens.logs.mapping import at, call
from slmlens.logs.spans import Span

__all__ = ["Format", "Record", "at", "call", "load_reader"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_STANDS = "write a file that ends with FORMAT = Format(name=..., title=..., recognises=..., parts=...)"


def load_reader(given: str | Path) -> Format:
    """Run a user's file and return the format that it declares.

    What its functions raise becomes a reject that names the line of the file, or a sentence where the whole log is
    concerned.

    :param given: The file.
    :raises SettingError: If it is no Python file, fails, declares no ``FORMAT``, or one of a taken name.
    """
    path = Path(given)
    form = getattr(_run(path), "FORMAT", None)
    if not isinstance(form, Format):
        raise SettingError("the file declares no FORMAT", where=path.name, next_step=_STANDS)
    if not _NAME.fullmatch(form.name) or form.name in {"mapped", *(known.name for known in FORMATS)}:
        raise SettingError(
            f"a format of your own can't be named {form.name[:40]!r}",
            where=path.name,
            next_step="take small letters, digits and underscores, and no name of a known format",
        )
    return _guarded(form, path)


def reader_text(given: str | Path) -> str:
    """Return the text of a user's file.

    :param given: The file.
    :raises SettingError: If it can't be read, or is no Python file by its name.
    """
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise SettingError("the file can't be read", where=path.name, next_step=_STANDS) from cause
    if path.suffix != ".py":
        raise SettingError("a format of your own is declared in a Python file", where=path.name, next_step=_STANDS)
    return text


def _run(path: Path) -> ModuleType:
    module = ModuleType(f"slmlens_reader_{path.stem}")
    try:
        exec(compile(reader_text(path), path.absolute(), "exec"), module.__dict__)  # noqa: S102 - the user named it to be run
    except SlmlensError:
        raise
    except Exception as cause:
        raise SettingError(f"the file fails: {_fault(cause, path)}", where=path.name, next_step="mend it") from cause
    return module


def _guarded(form: Format, path: Path) -> Format:
    """Return the format with functions that tell where they failed."""
    known_by, parts_of, span_of, calls_of = form.recognises, form.parts, form.span, form.whole

    def recognises(record: Record) -> bool:
        with _stops_the_reading(path):
            return known_by(record)

    def parts(record: Record) -> Iterator[Record]:
        with _refuses_the_record(path):
            yield from parts_of(record) if parts_of else ()

    def span(record: Record) -> Span:
        assert span_of is not None, "only formats of spans come here"
        with _refuses_the_record(path):
            return span_of(record)

    def whole(records: list[Record]) -> list[tuple[int, Record]]:
        with _stops_the_reading(path):
            return list(calls_of(records)) if calls_of else []

    return replace(
        form,
        recognises=recognises,
        parts=parts if parts_of else None,
        span=span if span_of else None,
        whole=whole if calls_of else None,
    )


@contextmanager
def _refuses_the_record(path: Path) -> Iterator[None]:
    """Turn what a user's function raises on one record into a reject."""
    try:
        yield
    except (SlmlensError, UnreadableError, NotACallError):
        raise
    except Exception as cause:
        message = f"your reader fails on it: {_fault(cause, path)}"
        raise UnreadableError(message) from cause


@contextmanager
def _stops_the_reading(path: Path) -> Iterator[None]:
    """Turn what a user's function raises into a sentence, where it is about more than one record."""
    try:
        yield
    except SlmlensError:
        raise
    except Exception as cause:
        raise SettingError(
            f"your reader fails: {_fault(cause, path)}",
            where=path.name,
            next_step="mend it; record.get(key) is None where record[key] fails",
        ) from cause


def _fault(cause: Exception, path: Path) -> str:
    """Return what was raised and where, without its text: that may be a text of the log."""
    if isinstance(cause, SyntaxError):
        return f"line {cause.lineno} is no Python"
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame.lineno for frame in frames if Path(frame.filename).absolute() == path.absolute()]
    return f"{type(cause).__name__}, line {own[-1]}" if own else type(cause).__name__
