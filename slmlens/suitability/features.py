"""Hashed TF-IDF of short texts in numpy: words 1-2 and characters 2-4, as a dense, unit-length matrix.

scikit-learn's vectorisers do the same at a tenth of the speed (one Python call a document), and importing them costs
more than all the probes of a log.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH = 8_192
"""Hash buckets."""
MAX_BYTES = 1_600
"""Longest text looked at: its first and last halves."""
_SEPARATOR = 0x0A
_CHAR_ORDERS = (2, 3, 4)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)
_BUCKET_SHIFT = np.uint64(64 - 13)

Bytes = NDArray[np.uint8]
Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]


def gram_matrix(texts: list[str]) -> NDArray[np.float64]:
    """Return the cosine similarities of the texts' TF-IDF vectors, shape (n, n).

    :param texts: Texts; an empty one is similar to nothing but itself.
    """
    distinct, index = np.unique(np.array(texts, dtype=object), return_inverse=True)
    counts = _counts([str(text) for text in distinct])
    presence = np.bincount(index, minlength=len(distinct)).astype(np.float32) @ (counts > 0)
    np.log1p(counts, out=counts)
    counts *= np.log((1 + len(texts)) / (1 + presence)).astype(np.float32) + 1
    norms = np.linalg.norm(counts, axis=1, keepdims=True)
    counts /= np.maximum(norms, 1e-12)
    gram = counts @ counts.T
    return gram[np.ix_(index, index)].astype(np.float64)


def _counts(texts: list[str]) -> NDArray[np.float32]:
    """Bucket counts of every text, shape (n, WIDTH)."""
    parts = [_clip(text.lower().replace("\n", " ").encode()) for text in texts]
    data = np.frombuffer(b"\n".join(parts) + b"\n", dtype=np.uint8)
    row_of = np.repeat(np.arange(len(parts)), [len(part) + 1 for part in parts])
    found = _features(data, row_of)
    cells = np.concatenate([rows * WIDTH + (hashes >> _BUCKET_SHIFT).astype(np.int64) for rows, hashes in found])
    return np.bincount(cells, minlength=len(parts) * WIDTH).astype(np.float32).reshape(len(parts), WIDTH)


def _clip(data: bytes) -> bytes:
    return data if len(data) <= MAX_BYTES else data[: MAX_BYTES // 2] + b" " + data[-MAX_BYTES // 2 :]


def _features(data: Bytes, row_of: Ints) -> list[tuple[Ints, Hashes]]:
    """Rows and hashes of every n-gram; none crosses from one text into the next."""
    values = data.astype(np.uint64) + np.uint64(1)
    found: list[tuple[Ints, Hashes]] = []
    for order in _CHAR_ORDERS:
        if len(data) < order:
            continue
        hashes = np.full(len(data) - order + 1, np.uint64(order), dtype=np.uint64)
        for offset in range(order):
            hashes = hashes * _BASE + values[offset : len(data) - order + 1 + offset]
        inside = row_of[: len(hashes)] == row_of[order - 1 :]
        inside &= data[order - 1 :] != _SEPARATOR
        found.append((row_of[: len(hashes)][inside], _mixed(hashes[inside])))
    rows, hashes = _words(data, values, row_of)
    found.append((rows, _mixed(hashes)))
    pair = rows[:-1] == rows[1:]
    found.append((rows[:-1][pair], _mixed(hashes[:-1][pair] * _BASE + hashes[1:][pair] + np.uint64(7))))
    return found


def _words(data: Bytes, values: Hashes, row_of: Ints) -> tuple[Ints, Hashes]:
    """Row and polynomial hash of each word, from prefix sums; arithmetic is modulo 2**64 throughout."""
    letter = _word_bytes()[data]
    edges = np.diff(np.concatenate([[0], letter.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    powers = np.full(len(data), _BASE, dtype=np.uint64)
    powers[:1] = 1
    powers = np.multiply.accumulate(powers)
    inverse = np.full(len(data), np.uint64(pow(int(_BASE), -1, 2**64)), dtype=np.uint64)
    inverse[:1] = 1
    inverse = np.multiply.accumulate(inverse)
    prefix = np.concatenate([np.zeros(1, dtype=np.uint64), np.add.accumulate(values * powers)])
    return row_of[starts], (prefix[ends] - prefix[starts]) * inverse[starts] + np.uint64(11)


def _word_bytes() -> NDArray[np.bool_]:
    """Letters, digits, underscore and every byte of a non-ASCII character."""
    table = np.zeros(256, dtype=np.bool_)
    for byte in range(256):
        table[byte] = byte >= 0x80 or chr(byte).isalnum() or byte == ord("_")  # noqa: PLR2004 - start of UTF-8 multibyte
    return table


def _mixed(hashes: Hashes) -> Hashes:
    """Spread the high bits, which pick the bucket."""
    return (hashes ^ (hashes >> _SHIFT)) * _MIX
