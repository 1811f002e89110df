"""Formats whose records make sense together only: the records of a file are kept until it ends, then its calls made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from slmlens.logs.decode import UnreadableError, encode
from slmlens.logs.draft import Collected, Draft, Place
from slmlens.logs.exchange import NotACallError
from slmlens.logs.formats.declaration import Format
from slmlens.logs.normalise import Normaliser

Record = Mapping[str, object]
Whole = Callable[[list[Record]], Iterable[tuple[int, Record]]]


class WholeFileReader:
    """Collects the records of each file, and reads the calls among them at its end.

    :param form: The format.
    :param calls_of: Yields, of a file's records, the position of each that holds a call, and the call.
    :param normaliser: Stores messages and reads usage.
    """

    def __init__(self, form: Format, calls_of: Whole, normaliser: Normaliser) -> None:
        self._form = form
        self._calls_of = calls_of
        self._normaliser = normaliser
        self._kept: list[tuple[Record, Place]] = []
        self._calls: list[Draft] = []
        self._other: list[int] = []

    def add(self, record: Record, place: Place) -> int:
        """Keep one record; whether it is a call is known at the end of its file.

        :param record: The record.
        :param place: Where it stands.
        :raises UnreadableError: If it is nested too deeply.
        """
        encode(record)
        self._kept.append((record, place))
        return 0

    def end_file(self, number: int) -> None:
        """Read the calls of a file.

        :param number: The number of the file.
        """
        held = dict(self._calls_of([record for record, _ in self._kept]))
        for position, (_, place) in enumerate(self._kept):
            draft = self._read(held[position], place) if position in held else None
            if draft is None:
                self._other.append(number)
            else:
                self._calls.append(draft)
        self._kept = []

    def finish(self) -> Collected:
        """Return the calls, and the files of the records that are none."""
        return Collected(self._calls, other=self._other)

    def _read(self, call: Record, place: Place) -> Draft | None:
        try:
            return self._normaliser.call(call, self._form, place)
        except (NotACallError, UnreadableError):
            return None
