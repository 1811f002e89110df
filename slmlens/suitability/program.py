"""The program probe: whether the answer is a simple function of the prompt, so that plain code could give it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import WHOLE, normalise
from slmlens.suitability.comparators import Field, TaskAnswers
from slmlens.suitability.intervals import Share, clustered_share
from slmlens.suitability.spans import candidate_spans
from slmlens.suitability.splits import FOLDS, earlier_units

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCKS = (0.2, 0.4, 0.6, 0.8)
"""Each block of later calls is graded by a program fitted to the calls before it."""
WORTH_TRYING = 0.5
"""A span is a rule only if it is right on this share of the training calls."""
CONSTANT = "always the same"
CONSTANT_FROM = 0.999
"""A field is called constant from this share of the training calls."""
_MIN_WORD_CALLS = 3
_MAX_WORDS = 1_500
_WORD = re.compile(r"[^\W\d]{2,}")


@dataclass(frozen=True)
class ProgramResult:
    """What the best program per field showed.

    :param later: Joint agreement on calls later than those the program was fitted to.
    :param group: Joint agreement on prompts of groups that the program never saw.
    :param rules: Field -> the rule fitted to all calls, in words without values of the log.
    :param constant: True when every field is a constant.
    :param by_field: Field -> whether each row was right (in its later block, in its fold); rows before the first block
        are False.
    """

    later: Share
    group: Share
    rules: dict[str, str]
    constant: bool
    by_field: dict[str, tuple[Bools, Bools]]

    @property
    def lower(self) -> Share:
        """The split with the lower agreement: the one that verdicts rest on."""
        return min(self.later, self.group, key=lambda share: (share.value, share.lo90))


@dataclass(frozen=True)
class _Rule:
    """One fitted rule: its description, and the code of the value it gives for every row."""

    words: str
    codes: Ints


@dataclass(frozen=True)
class _Material:
    """What rules are made of, with every value as a code of one vocabulary so that comparing is arithmetic.

    :param texts: Text of each code.
    :param targets: Field name -> code of each row's value.
    :param names: Names of the candidate spans.
    :param spans: (candidates x rows) codes of the spans.
    :param presence: (rows x words) indicator of recurring words; None where no field can use a table.
    """

    texts: list[str]
    targets: dict[str, Ints]
    names: list[str]
    spans: Ints
    presence: NDArray[np.float32] | None


def run_program(answers: TaskAnswers, prompts: list[str], slots: list[str], folds: Ints) -> ProgramResult:
    """Return how often simple rules, one per field, repeat the incumbent's answers.

    A rule is a constant, a copied or reformatted span of the prompt, or a table from one word of the prompt to the
    answer (only for fields with few, recurring values).

    :param answers: The task's answers, in time order; none of their fields free text, which no rule can give exactly.
    :param prompts: Text of each prompt's last message with placeholders as they stand.
    :param slots: Slot text of each prompt: what the words of a table come from.
    :param folds: Fold of each row in the group split; all 0: one group, which can't be split.
    """
    material = _gather(answers, prompts, slots)
    later_blocks = _later_blocks(answers)
    folds_blocks = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    graded = np.zeros(len(answers), dtype=np.bool_)
    graded[np.concatenate([test for _, test in later_blocks])] = True
    by_field = {
        field.name: (_hits(field, later_blocks, material), _hits(field, folds_blocks, material))
        for field in answers.fields
    }
    later, group = (np.logical_and.reduce([hits[split] for hits in by_field.values()]) for split in (0, 1))
    on_later = clustered_share(later[graded].astype(float), answers.units[graded])
    everyone = np.arange(len(answers))
    rules = {_field_words(field.name): _fit(field, everyone, material).words for field in answers.fields}
    return ProgramResult(
        later=on_later,
        group=clustered_share(group.astype(float), answers.units) if folds.any() else on_later,
        rules=rules,
        constant=all(rule == CONSTANT for rule in rules.values()),
        by_field=by_field,
    )


def _field_words(name: str) -> str:
    return "the answer" if name == WHOLE else name


def _gather(answers: TaskAnswers, prompts: list[str], slots: list[str]) -> _Material:
    varying = [field for field in answers.fields if field.n_distinct > 1]
    columns = candidate_spans(prompts) if varying else {}
    vocabulary: dict[str, int] = {}

    def code(values: list[str]) -> list[int]:
        return [vocabulary.setdefault(value, len(vocabulary)) for value in values]

    targets = {field.name: np.array(code(field.values), dtype=np.int64) for field in answers.fields}
    spans = np.array([code(values) for values in columns.values()], dtype=np.int64).reshape(len(columns), len(prompts))
    tabular = any(_tabular(field) for field in answers.fields)
    return _Material(list(vocabulary), targets, list(columns), spans, _word_presence(slots) if tabular else None)


def _tabular(field: Field) -> bool:
    return field.classes and field.n_distinct > 1


def _later_blocks(answers: TaskAnswers) -> list[tuple[Ints, Ints]]:
    """(train rows, test rows) of each later block; whole units, none in two blocks. A constant is known at once."""
    single = all(field.n_distinct == 1 for field in answers.fields)
    edges = [earlier_units(answers.units, share) for share in (() if single else BLOCKS)]
    edges = edges or [answers.units == answers.units[0]]
    edges.append(np.ones(len(answers), dtype=np.bool_))
    blocks = []
    for before, until in pairwise(edges):
        train, test = np.flatnonzero(before), np.flatnonzero(until & ~before)
        if len(train) and len(test):
            blocks.append((train, test))
    return blocks


def _hits(field: Field, blocks: list[tuple[Ints, Ints]], material: _Material) -> Bools:
    """Whether each row's value is what a rule fitted to its block's training rows gives."""
    hits = np.zeros(len(field.values), dtype=np.bool_)
    actual = material.targets[field.name]
    for train, test in blocks:
        if not len(train) or not len(test):
            continue
        hits[test] = _fit(field, train, material).codes[test] == actual[test]
    return hits


def _fit(field: Field, train: Ints, material: _Material) -> _Rule:
    """Fit the simplest rule that serves the training rows best: constant, then span, then table."""
    target = material.targets[field.name]
    counts = Counter(target[train].tolist())
    modal = min(counts, key=lambda code: (-counts[code], material.texts[code]))
    best, score = _Rule(CONSTANT, np.full(len(target), modal)), counts[modal] / len(train)
    if score >= CONSTANT_FROM:
        return best
    if len(material.names):
        right = (material.spans[:, train] == target[train]).mean(axis=1)
        pick = int(right.argmax())
        if right[pick] > max(score, WORTH_TRYING):
            best, score = _Rule(f"copied: {material.names[pick]}", material.spans[pick]), float(right[pick])
    if material.presence is not None and _tabular(field) and score < CONSTANT_FROM:
        table = _fit_table(target, train, material.presence)
        if float((table.codes[train] == target[train]).mean()) > score:
            best = table
    return best


def _word_presence(texts: list[str]) -> NDArray[np.float32]:
    """Return the (calls x words) indicator of the words that recur; numbers are no words here."""
    words = [set(_WORD.findall(normalise(text))) for text in texts]
    seen = Counter(word for found in words for word in found)
    kept = sorted((word for word, n in seen.items() if n >= _MIN_WORD_CALLS), key=lambda word: (-seen[word], word))
    column = {word: i for i, word in enumerate(kept[:_MAX_WORDS])}
    presence = np.zeros((len(texts), len(column)), dtype=np.float32)
    for row, found in enumerate(words):
        presence[row, [column[word] for word in found if word in column]] = 1
    return presence


def _fit_table(target: Ints, train: Ints, presence: NDArray[np.float32]) -> _Rule:
    """Fit a table from words to answers: the purest word of the prompt decides; without one, the commonest answer."""
    values, code = np.unique(target[train], return_inverse=True)
    by_word = presence[train].T @ np.eye(len(values), dtype=np.float32)[code.reshape(-1)]
    # one pseudo-call against each word: a word seen twice must not outrank one seen fifty times
    purity = np.maximum(by_word.max(axis=1, initial=0) - 1, 0) / np.maximum(by_word.sum(axis=1), 1)
    codes = np.full(len(target), values[np.bincount(code.reshape(-1)).argmax()])
    if len(purity):
        ranked = presence * purity
        decided = ranked.max(axis=1) > 0
        codes[decided] = values[by_word.argmax(axis=1)][ranked.argmax(axis=1)[decided]]
    return _Rule("looked up from one word of the prompt", codes)
