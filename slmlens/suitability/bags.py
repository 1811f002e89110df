"""Token F1 of many texts at once: each text as a bag of word codes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import count as counter

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""A run of letters and digits; of Chinese and Japanese, which put no spaces, each character."""


@dataclass(frozen=True)
class Bags:
    """Bags of words, laid end to end.

    :param word: Code of each distinct word of each text.
    :param count: How often the text has it.
    :param starts: Where each text begins; one more entry than texts.
    :param totals: Words of each text, repeats counted.
    """

    word: Ints
    count: Ints
    starts: Ints
    totals: Ints

    def f1(self, left: Ints, right: Ints) -> Floats:
        """Return the F1 of shared words of texts ``left[i]`` and ``right[i]``; without words only a text and itself."""
        result = np.zeros(len(left))
        total = self.totals[left] + self.totals[right]
        result[(total == 0) & (left == right)] = 1.0
        scratch = np.zeros(int(self.word.max(initial=0)) + 1, dtype=np.int64)
        for one in np.unique(left):
            rows = np.flatnonzero((left == one) & (total > 0))
            mine = slice(self.starts[one], self.starts[one + 1])
            scratch[self.word[mine]] = self.count[mine]
            result[rows] = 2 * self._shared(scratch, right[rows]) / np.maximum(total[rows], 1)
            scratch[self.word[mine]] = 0
        return result

    def _shared(self, scratch: Ints, others: Ints) -> Ints:
        """Words that the text in ``scratch`` shares with each of the others."""
        sizes = self.starts[others + 1] - self.starts[others]
        place = np.repeat(self.starts[others] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        shared = np.minimum(scratch[self.word[place]], self.count[place])
        owner = np.repeat(np.arange(len(others)), sizes)
        return np.bincount(owner, shared, minlength=len(others)).astype(np.int64)


def token_f1(left: str, right: str) -> float:
    """Return the F1 of shared words of two normalised texts, as :meth:`Bags.f1` does; 1 for equal texts without words.

    The word overlap of SQuAD (Rajpurkar et al. 2016), repeats counted.
    """
    mine, theirs = Counter(_WORD.findall(left)), Counter(_WORD.findall(right))
    total = mine.total() + theirs.total()
    return 2 * (mine & theirs).total() / total if total else float(left == right)


def bag_words(texts: list[str]) -> Bags:
    """Return the bags of normalised texts."""
    vocabulary: defaultdict[str, int] = defaultdict(counter().__next__)
    word: list[int] = []
    count: list[int] = []
    starts = [0]
    for text in texts:
        found = Counter(_WORD.findall(text))
        word += map(vocabulary.__getitem__, found)
        count += found.values()
        starts.append(len(word))
    counts, begins = np.array(count, dtype=np.int64), np.array(starts, dtype=np.int64)
    totals = np.diff(np.concatenate([[0], np.cumsum(counts)])[begins])
    return Bags(np.array(word, dtype=np.int64), counts, begins, totals)
