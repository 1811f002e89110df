"""An export that no reader knows, as a notebook looks at it: what stands where, what a mapping would read, a draft."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_bytes

import polars as pl

from slmlens.errors import SlmlensError
from slmlens.logs.decode import encode, shape
from slmlens.logs.formats import detect
from slmlens.logs.formats.declaration import Record
from slmlens.logs.framework_messages import decoded
from slmlens.logs.reader_draft import calls_at, draft_reader, proposed_mapping
from slmlens.logs.sources import SkippedFileError, find_sources, open_source
from slmlens.reporting.grid import Excerpt, Grid

Paths = str | Path | Sequence[str | Path]
_MOST_ROWS = 40
_DEEPEST = 3
_SHOWN = 50


def first_look(logs: Paths) -> Grid:
    """Return the files of an export, and what each is taken for.

    :param logs: Files or folders.
    :returns: Columns ``file``, ``read as``.
    """
    rows = [{"file": name, "read as": known or "not recognised"} for name, known, _ in _seen(logs)]
    return Grid(pl.DataFrame(rows[:_MOST_ROWS]), strong="file", empty="There is no file that could be opened.")


def record_table(logs: Paths) -> Grid:
    """Return what stands where in the first record: of a file that is not recognised, if there is one.

    :param logs: Files or folders.
    :returns: Columns ``where`` (a path as a mapping takes it), ``it looks like`` (letters as ``a``, digits as ``9``: no
        text of the log), ``taken for`` (a name of the mapping that would be tried).
    """
    record = _record(logs)
    taken = {path: name for name, path in proposed_mapping(record).items()}
    rows = [
        {"where": path, "it looks like": shape(encode(value))[:_SHOWN], "taken for": taken.get(path, "")}
        for path, value in _leaves(record, "", 0)
    ]
    return Grid(pl.DataFrame(rows[:_MOST_ROWS]), strong="where", empty="There is no record.")


def mapping_to_try(logs: Paths) -> dict[str, str]:
    """Return the mapping to try on the first record; see :func:`slmlens.logs.reader_draft.proposed_mapping`.

    :param logs: Files or folders.
    """
    return proposed_mapping(_record(logs))


def mapped_look(logs: Paths, mapping: dict[str, str]) -> Grid:
    """Return how many calls a mapping reads, and how many the lists seem to hold in which calls stand.

    :param logs: Files or folders.
    :param mapping: From a name to a path; see :func:`slmlens.logs.mapping.load_mapping`.
    :returns: Columns ``what`` and ``number``; or why the mapping reads nothing.
    """
    from slmlens.curation.redact import Redaction
    from slmlens.logs.read import read_calls

    try:
        paths = [logs] if isinstance(logs, str | Path) else logs
        calls = read_calls(paths, redactor=Redaction(token_bytes(32)), mapping=mapping, keep_text=False)
    except SlmlensError as cause:
        return Grid(pl.DataFrame(), empty=str(cause))
    rows = [("records", calls.files.get_column("records").sum()), ("calls by the mapping", calls.calls.height)]
    key = calls_at(_record(logs))
    if key is not None:
        lists = [found for _, _, head in _seen(logs) for one in head if isinstance(found := one.get(key), list)]
        rows.append((f"entries of {key} in the first {len(lists)} records", sum(len(listed) for listed in lists)))
    return Grid(pl.DataFrame(rows, schema=["what", "number"], orient="row"), numbers=["number"], strong="what")


def write_draft(logs: Paths, path: str | Path) -> Path | None:
    """Write a draft of a reader, unless a file stands there, and return the reader; None if every file is recognised.

    :param logs: Files or folders.
    :param path: The Python file to write.
    """
    target = Path(path)
    if target.exists():
        return target
    if all(known for _, known, _ in _seen(logs)):
        return None
    target.write_text(draft_reader(_record(logs)), encoding="utf-8")
    return target


def reader_shown(reader: Path | None) -> Excerpt:
    """Return the text of a reader to look at.

    :param reader: The file, or None.
    """
    if reader is None:
        return Excerpt("Every file is recognised: there is nothing to add.")
    return Excerpt(reader.read_text(encoding="utf-8"))


def _seen(logs: Paths) -> Iterator[tuple[str, str | None, list[Record]]]:
    """Yield of each file that opens its name, the format it is recognised as, and its first records."""
    for source in find_sources([logs] if isinstance(logs, str | Path) else logs):
        try:
            opened = open_source(source)
        except SkippedFileError:
            continue
        try:
            head: list[Record] = [item.value for item in opened.head if isinstance(item.value, dict)]
        finally:
            opened.close()
        form = detect(head)
        yield source.name, form.title if form else None, head


def _record(logs: Paths) -> Record:
    """Return the first record of the first file that is not recognised, else of the first file."""
    seen = [(known is not None, head[0]) for _, known, head in _seen(logs) if head]
    return min(seen, key=lambda one: one[0])[1] if seen else {}


def _leaves(value: object, path: str, depth: int) -> Iterator[tuple[str, object]]:
    inner = decoded(value)
    inner = dict(enumerate(inner[:1])) if isinstance(inner, list) else inner
    if not isinstance(inner, dict) or not inner or depth > _DEEPEST:
        yield path, value
        return
    for key, one in inner.items():
        yield from _leaves(one, f"{path}.{key}" if path else str(key), depth + 1)
