"""Simple rules from a prompt to one field of the answer: a constant, a copied span, joined spans, a choice, a table."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import normalise
from slmlens.suitability.comparators import Field
from slmlens.suitability.spans import MAX_CHARS

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

WORTH_TRYING = 0.5
"""A span is a rule only if it is right on this share of the training calls."""
CONSTANT = "always the same"
CONSTANT_FROM = 0.999
"""A field is called constant from this share of the training calls."""
JOIN_BELOW = 0.98
"""Spans are joined only where no single one is right this often."""
NAMED_VALUES = 50
"""Most answers that are looked for by name in the prompt."""
NAMED_COST, TABLE_COST = 0.05, 0.1
"""Share of a simpler rule's errors that a rule which lists answers must mend on the calls it is fitted to, where it can
learn chance by heart (judgement)."""
LIST_WORDS = 12
"""Most words of a decision list."""
WRONG_COUNTS = 10.0
"""Right calls that one wrong call outweighs when a word is taken into a decision list (judgement)."""
_FILLED_CANDIDATES = 8
_JOIN_SAMPLE = 60
_SHORTEST_PART = 2
_MIN_WORD_CALLS = 3
_MAX_WORDS = 1_500
_WORD = re.compile(r"[^\W\d]{2,}")
_JOINTS = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class Rule:
    """One fitted rule.

    :param words: What it does, in words without values of the log.
    :param codes: Code of the value that it gives for every row.
    :param cost: Share of a simpler rule's errors on the training calls that it must mend to be taken instead.
    """

    words: str
    codes: Ints
    cost: float = 0.0


@dataclass(frozen=True)
class Material:
    """What rules are made of, with every value as a code of one vocabulary so that comparing is arithmetic.

    :param texts: Candidate spans: name -> span of each row, as from :func:`slmlens.suitability.spans.candidate_spans`.
    :param prompts: Text of each prompt's last message.
    :param slots: Slot text of each prompt: what the words of a table come from.
    :param vocabulary: Text -> code.
    """

    texts: dict[str, list[str]]
    prompts: list[str]
    slots: list[str]
    vocabulary: dict[str, int] = field(default_factory=dict)
    _places: dict[str, Ints] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """Names of the candidate spans."""
        return list(self.texts)

    @cached_property
    def spans(self) -> Ints:
        """Codes of the candidate spans, (candidates x rows)."""
        return np.array([self.code(values) for values in self.texts.values()]).reshape(-1, len(self.prompts))

    @cached_property
    def presence(self) -> Floats:
        """Indicator of the recurring words of the slots, (rows x words)."""
        return word_presence(self.slots)

    def code(self, values: list[str]) -> Ints:
        """Return codes of texts, new ones added to the vocabulary."""
        known = self.vocabulary
        return np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)

    def places(self, values: list[str]) -> Ints:
        """Return where each value stands first in each prompt, as words of its own (rows x values; -1: nowhere)."""
        for value in values:
            if value not in self._places:
                sought = _spaced(value)
                self._places[value] = np.array([_place(sought, prompt) for prompt in self._plain], dtype=np.int64)
        return np.stack([self._places[value] for value in values], axis=1)

    @cached_property
    def _plain(self) -> list[str]:
        return [_spaced(normalise(text[:MAX_CHARS])) for text in self.prompts]


def word_presence(texts: list[str]) -> Floats:
    """Return which recurring words each text has, (texts x words), commonest first; numbers are no words here."""
    words = [set(_WORD.findall(normalise(text))) for text in texts]
    seen = Counter(word for found in words for word in found)
    kept = sorted((word for word, n in seen.items() if n >= _MIN_WORD_CALLS), key=lambda word: (-seen[word], word))
    column = {word: i for i, word in enumerate(kept[:_MAX_WORDS])}
    presence = np.zeros((len(words), len(column)), dtype=np.float32)
    for row, found in enumerate(words):
        presence[row, [column[word] for word in found if word in column]] = 1
    return presence


def _spaced(text: str) -> str:
    return _JOINTS.sub(" ", text).strip()


def tabular(one: Field) -> bool:
    """Return whether the field's values are few and recurring, so that they can be listed."""
    return one.classes and one.n_distinct > 1


def fit_rule(one: Field, target: Ints, train: Ints, material: Material) -> Rule:
    """Return the rule that serves the training rows best; of equally good ones the simplest.

    In this order: constant, span, span or the commonest answer where there is none, joined spans, the answer that the
    prompt names, a table from one span, a decision list of words, a table from words.

    :param target: Code of each row's value in the material's vocabulary.
    :param train: Rows to fit to.
    """
    best = _constant(one, target, train)
    score = _score(best, target, train)
    if score >= CONSTANT_FROM:
        return best
    span = _span(target, train, material)
    options = [span] if span is not None and _score(span, target, train) > WORTH_TRYING else []
    if max(score, *(_score(option, target, train) for option in options), 0.0) < JOIN_BELOW:
        options += [rule for rule in (_joined(one, train, material),) if rule is not None]
        if tabular(one):
            options += _listed(one, target, train, material)
    for option in options:
        found = _score(option, target, train)
        if found - score > option.cost * (1 - score):
            best, score = option, found
    return best


def _score(rule: Rule, target: Ints, train: Ints) -> float:
    return float((rule.codes[train] == target[train]).mean())


def _constant(one: Field, target: Ints, train: Ints) -> Rule:
    counts = Counter(one.values[row] for row in train.tolist())
    modal = min(counts, key=lambda value: (-counts[value], value))
    row = next(row for row in train.tolist() if one.values[row] == modal)
    return Rule(CONSTANT, np.full(len(target), target[row]))


def _span(target: Ints, train: Ints, material: Material) -> Rule | None:
    """Copy a span; where the prompt has none, give what is commonest there."""
    if not material.names:
        return None
    right = (material.spans[:, train] == target[train]).mean(axis=1)
    order = np.argsort(-right, kind="stable")[:_FILLED_CANDIDATES]
    best = Rule(f"copied: {material.names[order[0]]}", material.spans[order[0]])
    absent = material.vocabulary.get("", -1)
    for pick in order.tolist():
        codes = material.spans[pick]
        holes = train[codes[train] == absent]
        if len(holes) and right[pick] > 0:
            values, counts = np.unique(target[holes], return_counts=True)
            filled = np.where(codes == absent, values[counts.argmax()], codes)
            rule = Rule(f"copied: {material.names[pick]}; where there is none, always the same", filled)
            if _score(rule, target, train) > _score(best, target, train):
                best = rule
    return best


def _joined(one: Field, train: Ints, material: Material) -> Rule | None:
    """Build the value of one or two spans and fixed text around and between them."""
    rows = [row for row in train.tolist() if len(one.values[row]) >= _SHORTEST_PART]
    rows = rows[:: max(len(rows) // _JOIN_SAMPLE, 1)]
    if len(rows) < _MIN_WORD_CALLS:
        return None
    rests = [("", one.values[row]) for row in rows]
    names: list[str] = []
    for _ in range(2):
        name, rests = _longest_part(rows, rests, material)
        if name is None:
            break
        names.append(name)
        fixed = Counter(rests).most_common(1)[0]
        if fixed[1] >= WORTH_TRYING * len(rows):
            return _filled(names, fixed[0], material)
    return None


def _longest_part(
    rows: list[int], rests: list[tuple[str, str]], material: Material
) -> tuple[str | None, list[tuple[str, str]]]:
    """Find the span that makes up most of what is left of the value; what it leaves is marked by a hole in the text."""
    best, best_length = None, 0.0
    for name in material.names:
        spans = material.texts[name]
        found = [
            len(span) if (span := spans[row]) and span in rest[1] else 0 for row, rest in zip(rows, rests, strict=True)
        ]
        share = sum(map(bool, found)) / len(rows)
        length = sum(found) / len(rows)
        if share > WORTH_TRYING and length > best_length + 1e-9:
            best, best_length = name, length
    if best is None:
        return None, rests
    return best, [_split(rest, material.texts[best][row]) for row, rest in zip(rows, rests, strict=True)]


def _split(rest: tuple[str, str], span: str) -> tuple[str, str]:
    before, cut, after = rest[1].partition(span) if span else (rest[1], "", "")
    return (rest[0] + before + ("\0" if cut else ""), after)


def _filled(names: list[str], pieces: tuple[str, str], material: Material) -> Rule:
    parts = (pieces[0] + pieces[1]).split("\0")
    columns = [material.texts[name] for name in names]
    values = []
    for spans in zip(*columns, strict=True):
        whole = all(spans) and len(parts) == len(spans) + 1
        pairs = zip(parts, (*spans, ""), strict=True) if whole else ()
        values.append("".join(piece + span for piece, span in pairs))
    known = material.vocabulary
    codes = np.array([known.get(value, -1) if value else -1 for value in values], dtype=np.int64)
    return Rule(f"made of: {' and '.join(names)}, with fixed text", codes)


def _listed(one: Field, target: Ints, train: Ints, material: Material) -> list[Rule]:
    rules = []
    if one.n_distinct <= NAMED_VALUES:
        rules += _named_rules(one, target, train, material)
    table = _span_table(target, train, material)
    if table is not None:
        rules.append(table)
    values, code = np.unique(target[train], return_inverse=True)
    classes, seen = np.eye(len(values), dtype=np.float32)[code.reshape(-1)], material.presence[train]
    by_word = seen.T @ classes
    table = _word_table(values, classes, by_word, material.presence)
    return [*rules, _word_list(values, classes, seen, by_word, material.presence), table]


def _place(value: str, prompt: str) -> int:
    """Where the value stands in the prompt as a word of its own; -1: nowhere."""
    at = prompt.find(value) if len(value) >= _SHORTEST_PART else -1
    while at >= 0:
        end = at + len(value)
        if (at == 0 or not prompt[at - 1].isalnum()) and (end == len(prompt) or not prompt[end].isalnum()):
            return at
        at = prompt.find(value, at + 1)
    return -1


def _named_rules(one: Field, target: Ints, train: Ints, material: Material) -> list[Rule]:
    """Give the known answer that the prompt names, the first or the last of them; else the commonest."""
    known = sorted({one.values[row] for row in train.tolist()})
    codes, places = material.code(known), material.places(known)
    some = (places >= 0).any(axis=1)
    values, counts = np.unique(target[train], return_counts=True)
    other = values[counts.argmax()]
    first = np.where(places >= 0, places, MAX_CHARS + 1).argmin(axis=1)
    last = places.argmax(axis=1)
    return [
        Rule("the first of the known answers that the prompt names", np.where(some, codes[first], other), NAMED_COST),
        Rule("the last of the known answers that the prompt names", np.where(some, codes[last], other), NAMED_COST),
    ]


def _span_table(target: Ints, train: Ints, material: Material) -> Rule | None:
    """Fit a table from one span to answers; a span seen once supports nothing."""
    values, of_row = np.unique(target[train], return_inverse=True)
    best, best_score, width = None, 0.0, len(values)
    for pick, spans in enumerate(material.spans):
        keys, key_of = np.unique(spans[train], return_inverse=True)
        if len(keys) == 1 or len(keys) > len(train) / _MIN_WORD_CALLS:
            continue
        counts = np.bincount(key_of * width + of_row, minlength=len(keys) * width).reshape(len(keys), width)
        score = float(np.maximum(counts.max(axis=1) - 1, 0).sum()) / len(train)
        if score > best_score:
            best, best_score = (pick, keys, values[counts.argmax(axis=1)]), score
    if best is None:
        return None
    pick, keys, answers = best
    place = np.minimum(np.searchsorted(keys, material.spans[pick]), len(keys) - 1)
    modal = values[np.bincount(of_row).argmax()]
    codes = np.where(keys[place] == material.spans[pick], answers[place], modal)
    return Rule(f"looked up from: {material.names[pick]}", codes, TABLE_COST)


def _word_table(values: Ints, classes: Floats, by_word: Floats, presence: Floats) -> Rule:
    """Fit a table from words to answers: the purest word of the prompt decides; without one, the commonest answer.

    :param values: The answers.
    :param classes: Which of them each training row has, (training rows x answers).
    :param by_word: Training calls with each word, by answer, (words x answers).
    :param presence: Words of all rows, (rows x words).
    """
    # one pseudo-call against each word: a word seen twice must not outrank one seen fifty times
    purity = np.maximum(by_word.max(axis=1, initial=0) - 1, 0) / np.maximum(by_word.sum(axis=1), 1)
    codes = np.full(len(presence), values[classes.sum(axis=0).argmax()])
    if len(purity):
        ranked = presence * purity
        decided = ranked.max(axis=1) > 0
        codes[decided] = values[by_word.argmax(axis=1)][ranked.argmax(axis=1)[decided]]
    return Rule("looked up from one word of the prompt", codes, TABLE_COST)


def _word_list(values: Ints, classes: Floats, seen: Floats, by_word: Floats, presence: Floats) -> Rule:
    """Fit a decision list (Rivest 1987): if the prompt has this word, then that answer, else the next word.

    At the end stands the commonest answer of what is left. Each word is the one that settles most of the calls left,
    net of those it gets wrong at ``WRONG_COUNTS`` each.

    :param seen: Words of the training rows, (training rows x words); the others as in :func:`_word_table`.
    """
    codes, left, by_word = (
        np.full(len(presence), -1, dtype=np.int64),
        np.ones(len(seen), dtype=np.bool_),
        by_word.copy(),
    )
    for _ in range(LIST_WORDS):
        net = (1 + WRONG_COUNTS) * by_word.max(axis=1, initial=0) - WRONG_COUNTS * by_word.sum(axis=1)
        if not len(net) or net.max() < _MIN_WORD_CALLS:
            break
        word = int(net.argmax())
        codes[(codes < 0) & (presence[:, word] > 0)] = values[int(by_word[word].argmax())]
        settled = left & (seen[:, word] > 0)
        by_word -= seen[settled].T @ classes[settled]
        left &= ~settled
    rest = classes[left] if left.any() else classes
    other = values[rest.sum(axis=0).argmax()]
    return Rule("decided by a few words of the prompt", np.where(codes < 0, other, codes), TABLE_COST)
