"""Task ids from content: a hash of what stays the same when rows are shuffled or a few sessions are missing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence

import numpy as np

from slmlens.tasks.shingles import U64

ANCHOR_SIZE = 8
"""Phrases an anchor keeps: the smallest hashes of the firm core, a bottom-k sketch (Cohen and Kaplan 2007)."""


def anchor_of(firm: U64, declared: str) -> list[str]:
    """Return the anchor of a call site: its declared place and the bottom-k sketch of its firm core."""
    return [declared, *(f"{int(h):016x}" for h in np.sort(firm)[:ANCHOR_SIZE])]


def task_ids(anchors: Sequence[Sequence[str]], tie_breakers: Sequence[str]) -> list[str]:
    """Return a short id for each anchor; equal anchors are told apart in the order of their tie breakers."""
    order = sorted(range(len(anchors)), key=lambda i: (list(anchors[i]), tie_breakers[i]))
    ids = [""] * len(anchors)
    seen: dict[str, int] = {}
    for i in order:
        text = "\x1f".join(anchors[i])
        seen[text] = seen.get(text, 0) + 1
        ids[i] = _id_of(f"{text}#{seen[text]}")
    return ids


def fresh_id(task_id: str, used: Collection[str]) -> str:
    """Return the id, or, where it is in use, another one that is made of it."""
    fresh, again = task_id, 1
    while fresh in used:
        again += 1
        fresh = _id_of(f"{task_id}#{again}")
    return fresh


def _id_of(text: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=5).digest()
    return "t-" + base64.b32encode(digest).decode().lower()
