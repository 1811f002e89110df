"""Records of all files become drafts of calls, or rejects with a reason; a large log is read in shares."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from slmlens.errors import InputError
from slmlens.logs.collectors import Collector, collector_of
from slmlens.logs.decode import UnreadableError, digest, encode, shape
from slmlens.logs.draft import Draft, Place
from slmlens.logs.exchange import NotACallError
from slmlens.logs.formats import FORMATS, detect
from slmlens.logs.formats.declaration import Format
from slmlens.logs.mapping import guess_mapping, in_words
from slmlens.logs.messages import StoredMessages
from slmlens.logs.normalise import Normaliser
from slmlens.logs.sources import Item, Opened, SkippedFileError, Source, open_source

_PROGRESS_EVERY = 500
_KEYS_SHOWN = 12
_FIELD_NAME = re.compile(r"[\w.$-]{1,40}")  # another key may be a prompt, which no message may show

Progress = Callable[[int, int], None]
Reject = tuple[int, int, int | None, str, str]


@dataclass(frozen=True)
class Share:
    """The part of an input that one process reads.

    :param number: Which one it is; the first also has all files that are not dealt out.
    :param of: How many there are.
    :param dealt: Numbers of the files whose lines are dealt out, a block after the other.
    :param block: Lines of a block.
    """

    number: int = 0
    of: int = 1
    dealt: frozenset[int] = frozenset()
    block: int = 1

    def has(self, file: int) -> bool:
        """Return whether any line of a file may be in the share."""
        return self.number == 0 or file in self.dealt

    def holds(self, file: int, line: int) -> bool:
        """Return whether a line is in the share; each line of each file is in exactly one."""
        return line // self.block % self.of == self.number if file in self.dealt else self.number == 0


WHOLE = Share()


@dataclass
class Tally:
    """What became of the records of one file."""

    format: str | None = None
    records: int = 0
    calls: int = 0
    duplicates: int = 0
    rejects: int = 0
    other: int = 0
    parents: int = 0


@dataclass(frozen=True)
class Part:
    """What was read of one share, as it goes from one process to another: redacted, and no raw text in it."""

    drafts: list[Draft]
    messages: StoredMessages
    rejects: list[Reject]
    tallies: list[Tally]


@dataclass
class Reading:
    """One run over the input, or over a share of it."""

    sources: list[Source]
    normaliser: Normaliser
    formats: tuple[Format, ...]
    chosen: Format | None
    strict: bool
    progress: Progress | None
    drafts: list[Draft] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    collectors: dict[str, Collector] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    bytes_before: int = 0
    share: Share = WHOLE

    def __post_init__(self) -> None:
        self.bytes_total = sum(source.stored for source in self.sources)

    def read(self) -> None:
        """Read all files, as far as they are in the share."""
        for number in range(len(self.sources)):
            self.tallies.append(Tally())
            if self.share.has(number):
                self._read_file(number)

    def part(self) -> Part:
        """Return what was read, for the process that reads the first share."""
        return Part(self.drafts, self.normaliser.messages.stored(), self.rejects, self.tallies)

    def join(self, other: Part) -> None:
        """Take over what was read of another share; all is as if one had read it."""
        numbers = self.normaliser.messages.take_over(other.messages)
        for draft in other.drafts:
            draft.prompt = None if draft.prompt is None else [numbers[one] for one in draft.prompt]
            draft.answer = None if draft.answer is None else numbers[draft.answer]
        self.drafts = sorted([*self.drafts, *other.drafts], key=_stands)
        self.rejects = sorted([*self.rejects, *other.rejects], key=lambda reject: reject[:2])
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.records += theirs.records
            mine.rejects += theirs.rejects
            mine.other += theirs.other

    def _read_file(self, number: int) -> None:
        source, tally = self.sources[number], self.tallies[number]
        try:
            opened = open_source(source)
        except SkippedFileError as cause:
            self._skip(source, str(cause))
            return
        try:
            form = self.chosen or detect(
                [item.value for item in opened.head if isinstance(item.value, dict)], self.formats
            )
            if form is None:
                self._skip(source, self._unknown(opened))
                return
            tally.format = form.name
            self._read_records(number, form, opened, tally)
        finally:
            opened.close()
            self.bytes_before += source.stored

    def _read_records(self, number: int, form: Format, opened: Opened, tally: Tally) -> None:
        collector = self._collector(form)
        if collector is not None and self.share.number:
            return  # its calls are known only to who sees all records
        for item in opened.items:
            if collector is None and not self.share.holds(number, item.line):
                continue
            if self.progress and tally.records % _PROGRESS_EVERY == 0:
                self.progress(self.bytes_before + opened.position(), self.bytes_total)
            if item.refused is not None:
                tally.records += 1
                self._reject(number, item, item.refused, tally)
            elif form.parts is None or not isinstance(item.value, dict):
                place = Place(number, item.line, item.digest)
                self._count(number, item, self._take(item.value, place, form, collector), tally)
            else:
                self._read_parts(number, item, form, collector, tally)
        if collector is not None:
            collector.end_file(number)
        if self.progress:
            self.progress(self.bytes_before + self.sources[number].stored, self.bytes_total)

    def _read_parts(self, number: int, item: Item, form: Format, collector: Collector | None, tally: Tally) -> None:
        """Read a record that holds several spans, rows or turns; each counts as a record of its own."""
        assert form.parts is not None, "only formats of several parts come here"
        assert isinstance(item.value, dict), "only objects come here"
        before = tally.records
        try:
            for count, part in enumerate(form.parts(item.value)):
                place = Place(number, item.line, digest(item.digest + count.to_bytes(8, "big")), count)
                self._count(number, item._replace(value=part), self._take(part, place, form, collector), tally)
        except UnreadableError as cause:
            self._count(number, item, (0, str(cause)), tally)
        if tally.records == before:
            self._count(number, item, (1, None), tally)

    def _count(self, number: int, item: Item, taken: tuple[int, str | None], tally: Tally) -> None:
        other, reason = taken
        tally.records += 1
        tally.other += other
        if reason is not None:
            self._reject(number, item, reason, tally)

    def _take(self, record: object, place: Place, form: Format, collector: Collector | None) -> tuple[int, str | None]:
        """Read one record; return 1 if it is no call at all, and the reason if it can't be read."""
        if not isinstance(record, dict):
            return 0, "the record is no JSON object"
        try:
            if collector is not None:
                return collector.add(record, place), None
            self.drafts.append(self.normaliser.call(record, form, place))
        except NotACallError as cause:
            return (0, cause.reason) if cause.rejected else (1, None)
        except UnreadableError as cause:
            return 0, str(cause)
        return 0, None

    def _collector(self, form: Format) -> Collector | None:
        if form.name not in self.collectors:
            made = collector_of(form, self.normaliser, [source.name for source in self.sources])
            if made is None:
                return None
            self.collectors[form.name] = made
        return self.collectors[form.name]

    def _reject(self, number: int, item: Item, reason: str, tally: Tally) -> None:
        tally.rejects += 1
        if self.strict:
            raise InputError(
                f"this record can't be read: {reason}",
                where=f"{self.sources[number].name}, line {item.line}",
                next_step="mend or remove it, or leave strict mode to count it as a reject",
            )
        self.rejects.append((number, item.line, item.offset, reason, item.shape or _shape_of(item.value)))

    def _skip(self, source: Source, reason: str) -> None:
        if source.named:
            known = ", ".join(f"{form.name} ({form.title})" for form in FORMATS)
            raise InputError(
                f"this file can't be read as a log: {reason}", where=source.name, next_step=f"formats read: {known}"
            )
        self.skipped.append((source.name, reason))

    def _unknown(self, opened: Opened) -> str:
        first = next((item.value for item in opened.head if isinstance(item.value, dict)), None)
        if first is None:
            return "none of its first records is a JSON object"
        named = [key for key in first if _FIELD_NAME.fullmatch(key)]
        if not named:
            return "its records have texts for keys, which no known format has"
        more = ", ..." if len(first) > len(named[:_KEYS_SHOWN]) else ""
        said = f"no known format has records with the keys {', '.join(named[:_KEYS_SHOWN])}{more}"
        tried = guess_mapping(first)
        return f"{said}; if these are calls, try --map '{in_words(tried)}'" if tried else said


@contextmanager
def no_cycle_collection() -> Iterator[None]:
    """Pause the search for reference cycles: there are none, and looking through every call read costs a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _stands(draft: Draft) -> tuple[int, int, int]:
    return draft.place.file, draft.place.line, draft.place.part


def _shape_of(value: object) -> str:
    try:
        return shape(encode(value))
    except UnreadableError:
        return ""
