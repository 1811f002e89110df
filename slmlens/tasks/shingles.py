"""Five-word shingles of messages, hashed stably: the alphabet in which skeletons are written.

A shingle is a window of :data:`WIDTH` consecutive words, case folded, digits masked to ``0`` and redaction placeholders
to their kind. Chinese and Japanese characters count as words of their own. Each message is shingled on its own, so no
shingle crosses from one message into the next, and its ends are padded, so that a text of two words has shingles too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

WIDTH = 5
"""Words a shingle; 5 is the width the design measured (mean AMI 0.73 on ChatDev and MINT)."""

MAX_WORDS = 3_000
"""Words of a message that are looked at: two thirds from its head, one third from its tail."""

WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}_'\u2019]+|[0-9]+(?:[.,:/][0-9]+)*"
PLACEHOLDER = r"<([A-Z_]+):[A-Z2-7]+>"

_PADS = 2
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Shingled:
    """Distinct shingle hashes of each message, in compressed rows.

    :param row_of: Message id to row.
    :param starts: ``starts[i]:starts[i + 1]`` is the slice of row ``i``.
    :param hashes: Shingle hashes, sorted and distinct inside a row.
    """

    row_of: dict[str, int]
    starts: npt.NDArray[np.int64]
    hashes: U64

    def of(self, message_id: str) -> U64:
        """Return the shingles of one message."""
        row = self.row_of[message_id]
        return self.hashes[self.starts[row] : self.starts[row + 1]]


def stable_hash(word: str) -> int:
    """Return 64 bits of BLAKE2b: the same on every machine and in every version."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def word_lists(text: pl.Series) -> pl.Series:
    """Return the case-folded words of each text, numbers whole and placeholders as their kind; null counts as empty.

    Of a text longer than :data:`MAX_WORDS` the head and the tail are kept.
    """
    words = pl.col("text").fill_null("").str.replace_all(PLACEHOLDER, " $1 ").str.to_lowercase().str.extract_all(WORD)
    head_and_tail = pl.concat_list(words.list.head(MAX_WORDS * 2 // 3), words.list.tail(MAX_WORDS // 3))
    chosen = pl.when(words.list.len() > MAX_WORDS).then(head_and_tail).otherwise(words)
    return text.to_frame("text").select(chosen.alias("words")).get_column("words")


def shingle(messages: pl.DataFrame) -> Shingled:
    """Shingle the messages.

    :param messages: Columns ``message_id`` and ``text`` (null counts as empty).
    """
    words = word_lists(messages.get_column("text"))
    lengths = words.list.len().to_numpy().astype(np.int64)
    rows, hashes = windows(word_codes(words.explode(keep_nulls=False, empty_as_null=False)), lengths)
    return _distinct_rows(messages.get_column("message_id").to_list(), rows, hashes)


def word_codes(words: pl.Series) -> U64:
    """Return the stable hash of every word, all numbers being one word."""
    vocabulary = words.unique()
    table = pl.DataFrame(
        {
            "word": vocabulary,
            "code": np.array(
                [stable_hash("0" if w[0].isdigit() else w) for w in vocabulary.to_list()], dtype=np.uint64
            ),
        },
        schema={"word": pl.String, "code": pl.UInt64},
    )
    return (
        words.to_frame("word").join(table, on="word", how="left", maintain_order="left").get_column("code").to_numpy()
    )


def window_hashes(codes: U64) -> U64:
    """Return the hash of every window of the padded word codes of one text, in order; none for an empty text."""
    return windows(codes, np.array([len(codes)], dtype=np.int64))[1]


def windows(codes: U64, lengths: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], U64]:
    """Hash every window of every padded row, in order.

    A row of n words has n windows; window i is centred on word i.

    :returns: Parallel arrays (row, hash).
    """
    padded_lengths = np.where(lengths > 0, lengths + 2 * _PADS, 0)
    total = int(padded_lengths.sum())
    starts = np.concatenate(([0], np.cumsum(padded_lengths)))[:-1]
    padded = np.full(total, np.uint64(1), dtype=np.uint64)
    word_rows = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(codes)) - np.repeat(np.concatenate(([0], np.cumsum(lengths)))[:-1], lengths)
    padded[starts[word_rows] + _PADS + within] = codes
    counts = np.maximum(padded_lengths - WIDTH + 1, 0)
    rows = np.repeat(np.arange(len(lengths)), counts)
    offsets = np.arange(int(counts.sum())) - np.repeat(np.concatenate(([0], np.cumsum(counts)))[:-1], counts)
    first = starts[rows] + offsets
    hashed = np.zeros(len(first), dtype=np.uint64)
    for step in range(WIDTH):
        hashed = (hashed ^ padded[first + step]) * _MULTIPLIER
        hashed ^= hashed >> np.uint64(29)
    return rows, hashed


def _distinct_rows(ids: list[str], rows: npt.NDArray[np.int64], hashes: U64) -> Shingled:
    order = np.lexsort((hashes, rows))
    rows, hashes = rows[order], hashes[order]
    keep = np.ones(len(rows), dtype=bool)
    keep[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    rows, hashes = rows[keep], hashes[keep]
    starts = np.searchsorted(rows, np.arange(len(ids) + 1)).astype(np.int64)
    return Shingled({message_id: i for i, message_id in enumerate(ids)}, starts, hashes)
