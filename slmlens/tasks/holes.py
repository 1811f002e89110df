"""Skeletons as a person reads them: the recurring text of a call site, with typed holes where slots are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import polars as pl
import regex

from slmlens.tasks.corpus import salted
from slmlens.tasks.shingles import U64, WIDTH, among, windows, word_codes, word_lists

_PLACEHOLDER = regex.compile(r"<([A-Z_]+):[A-Z2-7]+>")
_TOKEN = regex.compile(
    r"<([A-Z_]+)>|([0-9]+(?:[.,:/][0-9]+)*)"
    r"|([\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}_'\u2019]+)"
)
MAX_TOKENS = 800
_CONTEXT = 2
_FEW = 12
_CLOSING = 3


@dataclass(frozen=True)
class Words:
    """The first MAX_TOKENS words of a text, as they are shingled.

    :param text: The text, redaction placeholders reduced to their kind.
    :param words: Case-folded words; every number is ``0``.
    :param literals: The same words, numbers as written.
    :param windows: Hash of each window of the padded words.
    """

    text: str
    words: tuple[str, ...]
    literals: tuple[str, ...]
    windows: U64

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each word in the text; found on first use, since few texts are ever shown."""
        found = [m.span() for m in islice(_TOKEN.finditer(self.text), len(self.words))]
        end = len(self.text)
        return (*found, *[(end, end)] * (len(self.words) - len(found)))


@dataclass(frozen=True)
class Marked:
    """Words of a text, and which of them a skeleton fixes."""

    source: Words
    fixed: tuple[bool, ...]

    @property
    def text(self) -> str:
        """The text."""
        return self.source.text

    @property
    def words(self) -> tuple[str, ...]:
        """Its normalised words."""
        return self.source.words

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each word in the text."""
        return self.source.spans


def words_of(texts: Sequence[str]) -> list[Words]:
    """Return the words of each text."""
    lists = word_lists(pl.Series("text", texts, dtype=pl.String)).list.head(MAX_TOKENS)
    lengths = lists.list.len().to_numpy().astype(np.int64)
    _, hashes = windows(word_codes(lists.explode(keep_nulls=False, empty_as_null=False)), lengths)
    ends = np.cumsum(lengths)
    return [
        Words(
            _PLACEHOLDER.sub(r"<\1>", text),
            tuple("0" if word[0].isdigit() else word for word in words),
            tuple(words),
            hashes[end - len(words) : end],
        )
        for text, words, end in zip(texts, lists.to_list(), ends, strict=True)
    ]


def mark(source: Words, core: U64, part: int) -> Marked:
    """Mark the words of one message that phrases of the core, which ascend, cover."""
    fixed = np.zeros(len(source.words) + WIDTH, dtype=bool)
    starts = np.flatnonzero(among(salted(source.windows, part), core))
    for shift in range(WIDTH):
        fixed[starts + shift] = True
    pads = WIDTH // 2
    return Marked(source, tuple(fixed[pads : pads + len(source.words)].tolist()))


def fixed_runs(marked: Marked) -> list[tuple[int, int]]:
    """Return the (first, last + 1) word indices of each run of fixed words."""
    edges = np.flatnonzero(np.diff(np.array([False, *marked.fixed, False]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def skeleton_text(exemplar: Marked, others: Sequence[Marked], *, k_show: int) -> str:
    """Return the exemplar with each slot replaced by a typed hole, typed by what the others hold there.

    Digits are masked in skeletons, so a number is shown only where at least ``k_show`` of the others hold the same.
    """
    kinds = _hole_kinds([exemplar, *others])
    numbers = Counter(at for marked in others for at in set(_numbers(marked)))
    pieces, end = [], 0
    for first, last in fixed_runs(exemplar):
        if first > end:
            pieces.append(kinds[_key(exemplar, end, first)])
        pieces.append(_run_text(exemplar, first, last, {at for at, n in numbers.items() if n >= k_show}))
        end = last
    if end < len(exemplar.words):
        pieces.append(kinds[_key(exemplar, end, len(exemplar.words))])
    return str(regex.sub(r"[ \t]+", " ", " ".join(pieces))).strip()


def _run_text(marked: Marked, first: int, last: int, shown_numbers: set[tuple[str, str]]) -> str:
    """Return the text of a run with its punctuation, numbers masked unless shown by enough."""
    pieces, end = [], marked.spans[first][0]
    for at in range(first, last):
        start, stop = marked.spans[at]
        pieces.append(marked.text[end:start])
        hidden = marked.words[at] == "0" and (_before(marked, at), marked.source.literals[at]) not in shown_numbers
        pieces.append("<number>" if hidden else marked.text[start:stop])
        end = stop
    following = marked.spans[last][0] if last < len(marked.spans) else len(marked.text)
    closing = marked.text[end:following].split()
    if closing and len(closing[0]) <= _CLOSING and marked.text[end : end + 1].strip():
        pieces.append(closing[0])
    return "".join(pieces)


def _numbers(marked: Marked) -> list[tuple[str, str]]:
    """Return each number with the word before it."""
    literals = marked.source.literals
    return [(_before(marked, at), literals[at]) for at, word in enumerate(marked.words) if word == "0"]


def _before(marked: Marked, at: int) -> str:
    return marked.words[at - 1] if at else ""


def _key(marked: Marked, first: int, last: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return marked.words[max(first - _CONTEXT, 0) : first], marked.words[last : last + _CONTEXT]


def _hole_kinds(texts: Sequence[Marked]) -> dict[tuple[tuple[str, ...], tuple[str, ...]], str]:
    values: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[str, ...]]] = defaultdict(list)
    for marked in texts:
        end = 0
        for first, last in [*fixed_runs(marked), (len(marked.words), len(marked.words))]:
            if first > end:
                values[_key(marked, end, first)].append(marked.words[end:first])
            end = last
    return {key: _kind(found) for key, found in values.items()}


def _kind(found: Sequence[tuple[str, ...]]) -> str:
    words = {word for value in found for word in value}
    distinct = len(set(found))
    if words == {"0"}:
        return "<number>"
    if 1 < distinct <= _FEW and len(found) >= 3 * distinct:
        return f"<one of {distinct} values>"
    shortest, longest = min(len(v) for v in found), max(len(v) for v in found)
    length = f"{shortest}" if shortest == longest else f"{shortest}-{longest}"
    return f"<text, {length} word{'s' if longest > 1 else ''}>"
