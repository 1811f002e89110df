"""Read exported logs of any supported format into calls and distinct messages, redacted before anything is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from slmlens.errors import ContractError, InputError, SettingError
from slmlens.logs.draft import Draft
from slmlens.logs.formats import FORMATS
from slmlens.logs.formats.declaration import Format
from slmlens.logs.frames import calls_frame, messages_frame
from slmlens.logs.identity import chain_sessions, settle_ids
from slmlens.logs.mapping import load_mapping, mapped_format
from slmlens.logs.normalise import Normaliser
from slmlens.logs.own_readers import load_reader
from slmlens.logs.reading import Progress, Reading, no_cycle_collection
from slmlens.logs.redactor import Redactor
from slmlens.logs.shares import Order, read_shares, shares_of
from slmlens.logs.sources import find_sources, identical_files
from slmlens.results import Calls
from slmlens.tables import FilesTable, RejectsTable, checked

_UNVERIFIED = "no real export was at hand to try it on, so compare a few calls with what the tool shows"


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
    processes: int | None = None,
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
    :param processes: Most processes that read a large log of a format whose records are whole calls; None: as many as
        there are processors, four at most.
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
    alone = strict or mapping is not None or reader is not None
    mine, *others = shares_of(sources, 1 if alone else processes)
    reading = Reading(sources, Normaliser(redactor, keep_text=keep_text), formats, chosen, strict, progress, share=mine)
    read_shares(reading, [Order(tuple(sources), redactor, keep_text, format, share) for share in others])
    with no_cycle_collection():
        return _result(reading, sampling_rate)


def _result(reading: Reading, sampling_rate: float) -> Calls:
    duplicates: list[tuple[str, Draft]] = []
    drafts = reading.drafts
    copies = identical_files(reading.sources)
    repeated: list[tuple[Draft, Draft]] = []
    for collector in reading.collectors.values():
        collected = collector.finish()
        drafts = drafts + collected.calls
        repeated += collected.copies
        reading.notes += collected.notes
        for number in collected.parents:
            reading.tallies[number].parents += 1
        for number in collected.other:
            reading.tallies[number].other += 1
    chain_sessions(drafts, reading.normaliser.names)
    calls, duplicates = settle_ids(drafts, reading.normaliser.messages, copies)
    ids = {id(draft): call_id for call_id, draft in [*calls, *duplicates]}
    duplicates = duplicates + [(ids[id(original)], copy) for original, copy in repeated]
    for _, draft in calls:
        reading.tallies[draft.place.file].calls += 1
    for _, draft in duplicates:
        reading.tallies[draft.place.file].duplicates += 1
    if not calls:
        raise _nothing_read(reading)
    names = [source.name for source in reading.sources]
    frame = calls_frame(calls, reading.normaliser.messages, names)
    return Calls(
        calls=frame,
        messages=messages_frame(frame, reading.normaliser.messages),
        rejects=_rejects_frame(reading, names),
        files=_files_frame(reading, names),
        duplicates=_duplicates_frame(duplicates, names),
        sampling_rate=sampling_rate,
        notes=(*_notes(reading, frame), *reading.notes),
    )


def _nothing_read(reading: Reading) -> InputError:
    records = sum(tally.records for tally in reading.tallies)
    reasons = Counter(reason for _, _, _, reason, _ in reading.rejects).most_common(2)
    if reasons:
        said = "; ".join(f"{reason} ({count:,})" for reason, count in reasons)
        return InputError(
            f"none of the {records:,} records could be read as a call: {said}",
            where=_where(reading),
            next_step="check that this is an export of LLM calls, or name its format",
        )
    if records:
        return InputError(
            f"the {records:,} records hold no LLM call",
            where=_where(reading),
            next_step="name an export that holds calls, not only other spans or user lines",
        )
    said = "; ".join(f"{name}: {reason}" for name, reason in reading.skipped[:3])
    known = ", ".join(form.title for form in FORMATS)
    return InputError(f"the folder holds no log that can be read ({said})", next_step=f"formats read: {known}")


def _where(reading: Reading) -> str:
    read = [source.name for source, tally in zip(reading.sources, reading.tallies, strict=True) if tally.records]
    return read[0] if len(read) == 1 else f"{len(read)} files"


def _notes(reading: Reading, calls: pl.DataFrame) -> list[str]:
    notes = []
    bare = calls.filter(pl.col("message_ids").is_null() & (pl.col("status") != "error"))
    mapped = [] if reading.chosen is None or reading.chosen in reading.formats else [reading.chosen]
    for form in (*reading.formats, *mapped):
        count, total = (frame.filter(pl.col("format") == form.name).height for frame in (bare, calls))
        if total and not form.verified:
            notes.append(f"{total:,} calls ({form.title}) were read by the layout that is documented: {_UNVERIFIED}.")
        if count:
            notes.append(
                f"{count:,} of {total:,} calls ({form.title}) hold no prompt, so no tasks can be found in them: "
                f"{form.prompt_setting}."
            )
    if reading.rejects:
        reasons = Counter(reason for _, _, _, reason, _ in reading.rejects).most_common(3)
        said = "; ".join(f"{reason} ({count:,})" for reason, count in reasons)
        notes.append(f"{len(reading.rejects):,} records could not be read: {said}.")
    if reading.skipped:
        shown = "; ".join(f"{name}: {reason}" for name, reason in reading.skipped[:5])
        more = f"; and {len(reading.skipped) - 5:,} more" if len(reading.skipped) > 5 else ""  # noqa: PLR2004 - as shown
        what = (
            "1 file of the folder was"
            if len(reading.skipped) == 1
            else f"{len(reading.skipped):,} files of the folder were"
        )
        notes.append(f"{what} skipped: {shown}{more}.")
    return notes


def _rejects_frame(reading: Reading, names: Sequence[str]) -> pl.DataFrame:
    rows = [(names[number], *rest) for number, *rest in reading.rejects]
    schema = {"file": pl.String, "line": pl.Int64, "offset": pl.Int64, "reason": pl.String, "shape": pl.String}
    return checked(RejectsTable, pl.DataFrame(rows, schema=schema, orient="row").sort("file", "line"))


def _files_frame(reading: Reading, names: Sequence[str]) -> pl.DataFrame:
    tallies = reading.tallies
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


def _chosen(name: str | None, formats: Sequence[Format]) -> Format | None:
    if name is None:
        return None
    found = next((form for form in formats if form.name == name), None)
    if found is None:
        raise SettingError(
            f"there is no format named {name!r}", next_step=f"name one of: {', '.join(form.name for form in formats)}"
        )
    return found


def _duplicates_frame(duplicates: Sequence[tuple[str, Draft]], names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "call_id": pl.Series([call_id for call_id, _ in duplicates], dtype=pl.String),
            "file": pl.Series([names[draft.place.file] for _, draft in duplicates], dtype=pl.String),
            "line": pl.Series([draft.place.line for _, draft in duplicates], dtype=pl.Int64),
        }
    ).sort("call_id", "file", "line")
