"""Readers of formats in which a record is not a whole call: calls are known only when all files were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from slmlens.logs.batches import BatchReader
from slmlens.logs.draft import Collected, Place
from slmlens.logs.formats.declaration import Format
from slmlens.logs.normalise import Normaliser
from slmlens.logs.span_reader import SpanReader
from slmlens.logs.threads import ThreadReader
from slmlens.logs.whole_files import WholeFileReader


class Collector(Protocol):
    """Takes records one by one and yields the calls at the end."""

    def add(self, record: Mapping[str, object], place: Place, /) -> int:
        """Take one record; return 1 if it is known to be no call, else 0."""

    def end_file(self, number: int, /) -> None:
        """Note that a file has ended."""

    def finish(self) -> Collected:
        """Return the calls, and what the rest of the records were."""


def collector_of(form: Format, normaliser: Normaliser, names: Sequence[str]) -> Collector | None:
    """Return a collector for a format, or None if each of its records is a whole call.

    :param form: The format.
    :param normaliser: Stores messages and reads usage.
    :param names: Names of the files by number.
    """
    if form.thread is not None:
        return ThreadReader(form, form.thread, normaliser)
    if form.span is not None:
        return SpanReader(form, form.span, normaliser)
    if form.batch is not None:
        return BatchReader(form, form.batch, normaliser, names)
    if form.whole is not None:
        return WholeFileReader(form, form.whole, normaliser)
    return None
