"""Takes one session, or every text, out of the tables of a run; pure: frames in, frames out, the same when repeated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from slmlens.tables import CallsTable, FilesTable, MessagesTable, checked

if TYPE_CHECKING:
    from slmlens.results import Calls

Hash = Callable[[str, str], str]
"""Kind and raw id to the keyed hash that stands for it in the tables."""


def matching_sessions(
    known: Collection[str], services: Iterable[str], asked: str, hashed: Hash | None
) -> dict[str, str | None]:
    """Return the sessions that an id may mean: the hash in the table, and the service it was joined with (or None).

    :param known: Keyed hashes of sessions.
    :param services: Services of the calls; the readers join a short id with the service it belongs to.
    :param asked: A keyed hash, or the id as the log has it.
    :param hashed: Hashes as the readers did; None: the key is not known, so only a hash can match.
    """
    if asked in known or hashed is None:
        return {asked: None} if asked in known else {}
    candidates = {hashed("session", asked): None} | {hashed("session", f"{name}\0{asked}"): name for name in services}
    return {found: name for found, name in candidates.items() if found in known}


def without_session(calls: Calls, session: str) -> Calls:
    """Return the calls without those of a session, the messages that only it used, and its share of every count.

    Duplicates of its calls go with them, so each file's records are its calls, parents, duplicates, rejects and others
    as before. Rejects stay: they name no session and hold shapes only.

    :param calls: The calls of a run.
    :param session: The keyed hash of the session.
    """
    gone = calls.calls.filter(pl.col("session_id") == session)
    left = calls.calls.filter(pl.col("session_id").ne_missing(session))
    parents = pl.col("parent_id")
    left = left.with_columns(parent_id=pl.when(~parents.is_in(gone.get_column("call_id").implode())).then(parents))
    duplicates = calls.duplicates.join(left.select("call_id"), on="call_id", how="semi")
    return replace(
        calls,
        calls=checked(CallsTable, left),
        messages=used_messages(calls.messages, left),
        files=_recounted(calls.files, left, duplicates),
        duplicates=duplicates,
    )


def without_texts(calls: Calls) -> Calls:
    """Return the calls as ``--no-text`` stores them: no message text, no tool arguments."""
    no_arguments = pl.col("tool_calls").list.eval(
        pl.struct(pl.element().struct.field("name"), pl.lit("").alias("arguments"))
    )
    return replace(
        calls,
        calls=calls.calls.with_columns(no_arguments),
        messages=calls.messages.with_columns(text=pl.lit(None, dtype=pl.String)),
    )


def used_messages(messages: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Return the messages that calls still refer to, and by how many of them."""
    used = pl.concat(
        [
            calls.select("call_id", message_id=pl.col("message_ids")).drop_nulls().explode("message_id"),
            calls.select("call_id", message_id=pl.col("answer_id")),
        ]
    )
    counts = used.drop_nulls().unique().group_by("message_id").agg(n_calls=pl.len().cast(pl.Int64))
    kept = messages.drop("n_calls").join(counts, on="message_id", maintain_order="left")
    return checked(MessagesTable, kept)


def _recounted(files: pl.DataFrame, calls: pl.DataFrame, duplicates: pl.DataFrame) -> pl.DataFrame:
    """Return the files with calls and duplicates counted again, and the records that these add up to."""
    called = calls.group_by(file="source_file").agg(calls=pl.len().cast(pl.Int64))
    repeated = duplicates.group_by("file").agg(duplicates=pl.len().cast(pl.Int64))
    parts = ("calls", "parents", "duplicates", "rejects", "other")
    counted = (
        files.drop("calls", "duplicates", "records")
        .join(called, on="file", how="left", maintain_order="left")
        .join(repeated, on="file", how="left", maintain_order="left")
        .with_columns(pl.col("calls", "duplicates").fill_null(0))
    )
    return checked(FilesTable, counted.with_columns(records=pl.sum_horizontal(*parts)))
