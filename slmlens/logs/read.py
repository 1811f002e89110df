"""Read exported logs of any supported format into calls and distinct messages, redacted before anything is kept."""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from slmlens.errors import ContractError, InputError, SettingError
from slmlens.logs.collectors import Collector, collector_of
from slmlens.logs.decode import UnreadableError, digest, encode, shape
from slmlens.logs.draft import Draft, Place
from slmlens.logs.exchange import NotACallError
from slmlens.logs.formats import FORMATS, detect
from slmlens.logs.formats.declaration import Format
from slmlens.logs.frames import calls_frame, messages_frame
from slmlens.logs.identity import chain_sessions, settle_ids
from slmlens.logs.mapping import guess_mapping, in_words, load_mapping, mapped_format
from slmlens.logs.normalise import Normaliser
from slmlens.logs.own_readers import load_reader
from slmlens.logs.redactor import Redactor
from slmlens.logs.sources import Item, Opened, SkippedFileError, Source, find_sources, identical_files, open_source
from slmlens.results import Calls
from slmlens.tables import FilesTable, RejectsTable, checked

_PROGRESS_EVERY = 500
_KEYS_SHOWN = 12
_UNVERIFIED = "no real export was at hand to try it on, so compare a few calls with what the tool shows"
_FIELD_NAME = re.compile(r"[\w.$-]{1,40}")  # another key may be a prompt, which no message may show

Progress = Callable[[int, int], None]


def read_calls(
    paths: Sequence[str | Path],
    *,
    redactor: Redactor,
    format: str | None = None,  # noqa: A002 - the word users type
    mapping: str | Path | Mapping[str, str] | None = None,
    reader: str | Path | None = None,
    strict: bool = False,
    sampling_rate: float = 1.0,
    keep_text: bool = True,
    progress: Progress | None = None,
) -> Calls:
    """Read exported logs.

    Formats are recognised file by file, and a folder may mix them. A file that is recognised by no format is skipped
    with a note if it was found in a folder, and is an error if it was named. A record that can't be read becomes a row
    of ``rejects``. The tables don't depend on the order of files or lines, except for where each call stood.

    :param paths: Files and folders, or addresses of objects and prefixes in a store (``s3://bucket/logs``).
    :param redactor: Takes personal data out of every text, and hashes ids, before anything is kept.
    :param format: Name of the format, for all files; None recognises it.
    :param mapping: Where a row of no known format has its prompt, answer and the rest
        (:func:`slmlens.logs.mapping.load_mapping`), for all files; None: formats are recognised.
    :param reader: A Python file that declares a format of the user's own (:mod:`slmlens.logs.own_readers`), recognised
        beside the others and before them.
    :param strict: True raises on the first record that can't be read.
    :param sampling_rate: Share of the traffic that the log holds, in (0, 1].
    :param keep_text: False stores neither message texts nor tool arguments (both stay redacted in ids only).
    :param progress: Called now and then with the bytes read so far and the bytes in all.
    :returns: Calls with null spend columns, distinct messages, rejects, files, duplicates and notes.
    :raises InputError: If the input can't be read as a whole: a missing path, an empty, binary or unknown file, no
        call in any file, or (strict) a record that can't be read.
    :raises SettingError: If ``format``, ``mapping``, ``reader`` or ``sampling_rate`` is not allowed.
    """
    if not 0 < sampling_rate <= 1:
        raise SettingError(
            f"the sampling rate is {sampling_rate}",
            next_step="give the share of the traffic that the log holds, above 0 and at most 1",
        )
    formats = FORMATS if reader is None else (load_reader(reader), *FORMATS)
    chosen = _chosen(format, formats) if mapping is None else mapped_format(load_mapping(mapping))
    sources = find_sources([paths] if isinstance(paths, (str, Path)) else paths)
    reading = _Reading(sources, Normaliser(redactor, keep_text=keep_text), formats, chosen, strict, progress)
    with _no_cycle_collection():
        for number in range(len(sources)):
            reading.read_file(number)
        return reading.result(sampling_rate)


@dataclass
class _Tally:
    """What became of the records of one file."""

    format: str | None = None
    records: int = 0
    calls: int = 0
    duplicates: int = 0
    rejects: int = 0
    other: int = 0
    parents: int = 0


@dataclass
class _Reading:
    """One run over the input."""

    sources: list[Source]
    normaliser: Normaliser
    formats: tuple[Format, ...]
    chosen: Format | None
    strict: bool
    progress: Progress | None
    drafts: list[Draft] = field(default_factory=list)
    tallies: list[_Tally] = field(default_factory=list)
    rejects: list[tuple[int, int, int | None, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    collectors: dict[str, Collector] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    bytes_before: int = 0

    def __post_init__(self) -> None:
        self.bytes_total = sum(source.stored for source in self.sources)

    def read_file(self, number: int) -> None:
        source = self.sources[number]
        tally = _Tally()
        self.tallies.append(tally)
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

    def result(self, sampling_rate: float) -> Calls:
        duplicates: list[tuple[str, Draft]] = []
        drafts = self.drafts
        copies = identical_files(self.sources)
        repeated: list[tuple[Draft, Draft]] = []
        for collector in self.collectors.values():
            collected = collector.finish()
            drafts = drafts + collected.calls
            repeated += collected.copies
            self.notes += collected.notes
            for number in collected.parents:
                self.tallies[number].parents += 1
            for number in collected.other:
                self.tallies[number].other += 1
        chain_sessions(drafts, self.normaliser.names)
        calls, duplicates = settle_ids(drafts, self.normaliser.messages, copies)
        ids = {id(draft): call_id for call_id, draft in [*calls, *duplicates]}
        duplicates = duplicates + [(ids[id(original)], copy) for original, copy in repeated]
        for _, draft in calls:
            self.tallies[draft.place.file].calls += 1
        for _, draft in duplicates:
            self.tallies[draft.place.file].duplicates += 1
        if not calls:
            raise self._nothing_read()
        names = [source.name for source in self.sources]
        frame = calls_frame(calls, self.normaliser.messages, names)
        return Calls(
            calls=frame,
            messages=messages_frame(frame, self.normaliser.messages),
            rejects=self._rejects_frame(names),
            files=self._files_frame(names),
            duplicates=_duplicates_frame(duplicates, names),
            sampling_rate=sampling_rate,
            notes=(*self._notes(frame), *self.notes),
        )

    def _read_records(self, number: int, form: Format, opened: Opened, tally: _Tally) -> None:
        collector = self._collector(form)
        for item in opened.items:
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

    def _read_parts(self, number: int, item: Item, form: Format, collector: Collector | None, tally: _Tally) -> None:
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

    def _count(self, number: int, item: Item, taken: tuple[int, str | None], tally: _Tally) -> None:
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

    def _reject(self, number: int, item: Item, reason: str, tally: _Tally) -> None:
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

    def _nothing_read(self) -> InputError:
        records = sum(tally.records for tally in self.tallies)
        reasons = Counter(reason for _, _, _, reason, _ in self.rejects).most_common(2)
        if reasons:
            said = "; ".join(f"{reason} ({count:,})" for reason, count in reasons)
            return InputError(
                f"none of the {records:,} records could be read as a call: {said}",
                where=self._where(),
                next_step="check that this is an export of LLM calls, or name its format",
            )
        if records:
            return InputError(
                f"the {records:,} records hold no LLM call",
                where=self._where(),
                next_step="name an export that holds calls, not only other spans or user lines",
            )
        said = "; ".join(f"{name}: {reason}" for name, reason in self.skipped[:3])
        known = ", ".join(form.title for form in FORMATS)
        return InputError(f"the folder holds no log that can be read ({said})", next_step=f"formats read: {known}")

    def _where(self) -> str:
        read = [source.name for source, tally in zip(self.sources, self.tallies, strict=True) if tally.records]
        return read[0] if len(read) == 1 else f"{len(read)} files"

    def _notes(self, calls: pl.DataFrame) -> list[str]:
        notes = []
        bare = calls.filter(pl.col("message_ids").is_null() & (pl.col("status") != "error"))
        mapped = [] if self.chosen is None or self.chosen in self.formats else [self.chosen]
        for form in (*self.formats, *mapped):
            count, total = (frame.filter(pl.col("format") == form.name).height for frame in (bare, calls))
            if total and not form.verified:
                notes.append(
                    f"{total:,} calls ({form.title}) were read by the layout that is documented: {_UNVERIFIED}."
                )
            if count:
                notes.append(
                    f"{count:,} of {total:,} calls ({form.title}) hold no prompt, so no tasks can be found in them: "
                    f"{form.prompt_setting}."
                )
        if self.rejects:
            reasons = Counter(reason for _, _, _, reason, _ in self.rejects).most_common(3)
            said = "; ".join(f"{reason} ({count:,})" for reason, count in reasons)
            notes.append(f"{len(self.rejects):,} records could not be read: {said}.")
        if self.skipped:
            shown = "; ".join(f"{name}: {reason}" for name, reason in self.skipped[:5])
            more = f"; and {len(self.skipped) - 5:,} more" if len(self.skipped) > 5 else ""  # noqa: PLR2004 - as shown
            what = (
                "1 file of the folder was"
                if len(self.skipped) == 1
                else f"{len(self.skipped):,} files of the folder were"
            )
            notes.append(f"{what} skipped: {shown}{more}.")
        return notes

    def _rejects_frame(self, names: Sequence[str]) -> pl.DataFrame:
        rows = [(names[number], *rest) for number, *rest in self.rejects]
        schema = {"file": pl.String, "line": pl.Int64, "offset": pl.Int64, "reason": pl.String, "shape": pl.String}
        return checked(RejectsTable, pl.DataFrame(rows, schema=schema, orient="row").sort("file", "line"))

    def _files_frame(self, names: Sequence[str]) -> pl.DataFrame:
        tallies = self.tallies
        for name, tally in zip(names, tallies, strict=True):
            found = tally.calls + tally.parents + tally.duplicates + tally.rejects + tally.other
            if found != tally.records:
                raise ContractError(
                    f"{tally.records:,} records went in and {found:,} came out",
                    where=name,
                    next_step="please report this",
                )
        frame = pl.DataFrame(
            {
                "file": list(names),
                "format": pl.Series([tally.format for tally in tallies], dtype=pl.String),
                "records": [tally.records for tally in tallies],
                "calls": [tally.calls for tally in tallies],
                "parents": [tally.parents for tally in tallies],
                "duplicates": [tally.duplicates for tally in tallies],
                "rejects": [tally.rejects for tally in tallies],
                "other": [tally.other for tally in tallies],
            }
        )
        return checked(FilesTable, frame.sort("file"))


@contextmanager
def _no_cycle_collection() -> Iterator[None]:
    """Pause the search for reference cycles: there are none, and looking through every call read costs a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _chosen(name: str | None, formats: Sequence[Format]) -> Format | None:
    if name is None:
        return None
    found = next((form for form in formats if form.name == name), None)
    if found is None:
        raise SettingError(
            f"there is no format named {name!r}", next_step=f"name one of: {', '.join(form.name for form in formats)}"
        )
    return found


def _shape_of(value: object) -> str:
    try:
        return shape(encode(value))
    except UnreadableError:
        return ""


def _duplicates_frame(duplicates: Sequence[tuple[str, Draft]], names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "call_id": pl.Series([call_id for call_id, _ in duplicates], dtype=pl.String),
            "file": pl.Series([names[draft.place.file] for _, draft in duplicates], dtype=pl.String),
            "line": pl.Series([draft.place.line for _, draft in duplicates], dtype=pl.Int64),
        }
    ).sort("call_id", "file", "line")
