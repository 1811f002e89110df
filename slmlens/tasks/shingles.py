"""Five-word shingles of messages, hashed stably: the alphabet in which skeletons are written.

A shingle is a window of :data:`WIDTH` consecutive words, case folded, digits masked to ``0`` and redaction placeholders
to their kind. Chinese and Japanese characters count as words of their own. Each message is shingled on its own, so no
shingle crosses from one message into the next, and its ends are padded, so that a text of two words has shingles too.
"""

from __future__ import annotations

import hashlib

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
I64 = npt.NDArray[np.int64]


def stable_hash(word: str) -> int:
    """Return 64 bits of BLAKE2b: the same on every machine and in every version."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def word_lists(text: pl.Series) -> pl.Series:
    """Return the case-folded words of each text, numbers whole and placeholders as their kind; null counts as empty.

    Of a text longer than :data:`MAX_WORDS` the head and the tail are kept.
    """
    plain = pl.col("text").fill_null("").str.replace_all(PLACEHOLDER, " $1 ").str.to_lowercase()
    words = text.to_frame("text").select(words=plain.str.extract_all(WORD)).with_row_index("at")
    is_long = pl.col("words").list.len() > MAX_WORDS
    long = words.filter(is_long)
    if long.is_empty():
        return words.get_column("words")
    ends = pl.concat_list(pl.col("words").list.head(MAX_WORDS * 2 // 3), pl.col("words").list.tail(MAX_WORDS // 3))
    return pl.concat([words.filter(~is_long), long.with_columns(words=ends)]).sort("at").get_column("words")


def shingle(texts: pl.Series) -> tuple[I64, U64]:
    """Return parallel arrays (row, hash): every shingle of every text, repeats included; null counts as empty."""
    row, hashes, _ = centred_shingles(texts)
    return row, hashes


def centred_shingles(texts: pl.Series) -> tuple[I64, U64, U64]:
    """Return ``shingle(texts)`` and, parallel to it, the code of the word that each shingle is centred on."""
    words = word_lists(texts)
    lengths = words.list.len().to_numpy().astype(np.int64)
    codes = word_codes(words.explode(keep_nulls=False, empty_as_null=False))
    return *windows(codes, lengths), codes


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


def windows(codes: U64, lengths: I64) -> tuple[I64, U64]:
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


def among(hashes: U64, known: U64) -> npt.NDArray[np.bool_]:
    """Tell of each hash whether it is one of those known.

    :param known: Ascending; few hashes are looked up in many without sorting either.
    """
    if not len(known):
        return np.zeros(len(hashes), dtype=np.bool_)
    found: npt.NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes
    return found
