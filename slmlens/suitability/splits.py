"""Splits that don't leak: earlier sessions against later ones, and groups of near-equal prompts kept on one side."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FOLDS = 5


def stable_hash(text: str, salt: str) -> int:
    """Return a 64-bit hash of a text that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(f"{salt}\x00{text}".encode(), digest_size=8).digest(), "big")


def earlier_units(units: Ints, share: float) -> NDArray[np.bool_]:
    """Return whether each row belongs to the earlier units that hold about ``share`` of the rows.

    Whole units go to one side, and both sides get at least one. Rows must be sorted by the order of their units'
    beginnings, so the first row of a unit says where it stands.

    :param units: Unit code of each row.
    """
    _, first, inverse, counts = np.unique(units, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    before = np.empty(len(order))
    before[order] = np.cumsum(counts[order]) - counts[order]
    early = before < share * len(units)
    if early.all() and len(early) > 1:
        early[order[-1]] = False
    return np.asarray(early[inverse.reshape(-1)], dtype=np.bool_)


def leak_groups(texts: list[str]) -> Ints:
    """Return a group code per text: equal after masking numbers, case and space.

    Two prompts of one group differ in nothing that a test of generalisation should count.
    """
    masked = (
        pl.Series(texts, dtype=pl.String).str.to_lowercase().str.replace_all(r"\d+", "0").str.replace_all(r"\s+", " ")
    )
    return masked.str.strip_chars().rank("dense").to_numpy().astype(np.int64) - 1


def group_folds(texts: list[str], groups: Ints, seed: int) -> Ints:
    """Return the fold (0 .. FOLDS - 1) of each row: whole groups, spread by a hash of their smallest text.

    Groups are dealt out by size, so that one large group doesn't make an empty fold elsewhere.
    """
    n = int(groups.max()) + 1
    example = [""] * n
    for text, group in zip(texts, groups.tolist(), strict=True):
        if not example[group] or text < example[group]:
            example[group] = text
    sizes = np.bincount(groups, minlength=n)
    order = sorted(range(n), key=lambda g: (-sizes[g], stable_hash(example[g], f"fold{seed}")))
    load, fold_of = [0] * FOLDS, np.empty(n, dtype=np.int64)
    for group in order:
        lightest = min(range(FOLDS), key=lambda fold: (load[fold], fold))
        fold_of[group] = lightest
        load[lightest] += int(sizes[group])
    return np.asarray(fold_of[groups], dtype=np.int64)
