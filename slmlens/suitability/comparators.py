"""When two answers of a task count as the same: one comparator, shared by ceiling, probes and pilots."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import NO_TOOL, TOOL, WHOLE, Answer
from slmlens.suitability.bags import Bags, bag_words

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REQUIRED_SHARE = 0.99
"""A JSON key counts when at least this share of the incumbent's answers has it."""
FREE_TEXT_WORDS = 5
FREE_TEXT_DISTINCT = 0.5
"""A field is free text when its mean length exceeds the one and its share of distinct values the other."""
SAME_TEXT_F1 = 0.8
"""Token F1 from which two free texts count as the same (a weak comparator)."""
MIN_CLASS_UNITS = 3
CLASS_COVERAGE = 0.90
MAX_CLASSES = 200
"""Values are classes when those shared by MIN_CLASS_UNITS units cover CLASS_COVERAGE of the calls."""
LABEL_WORDS = 12
TOOL_CALL_SHARE = 0.2
"""A task whose answers call tools this often is one of tool calls, its answers in words being one of the choices."""
_MISSING = "\x00"
_CANDIDATES = 5


@dataclass(frozen=True)
class Field:
    """One part of a task's answers.

    :param name: Key path, ``TOOL``, or ``WHOLE``.
    :param values: Canonical text of each answer; a missing key has a value of its own.
    :param codes: The values as integers; equal code = equal text.
    :param free: Compared by token F1, not by equality.
    :param classes: The values are few and recurring, so a student can learn them.
    :param bags: Words of each distinct value by its code, for a free field only.
    """

    name: str
    values: list[str]
    codes: Ints
    free: bool
    classes: bool
    bags: Bags | None = None

    @property
    def n_distinct(self) -> int:
        """Number of distinct values."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0


@dataclass(frozen=True)
class TaskAnswers:
    """The usable answers of one task under its comparator.

    :param kind: Output kind of the task, from ``tables.OUTPUT_KINDS``.
    :param answers: The parsed answers.
    :param fields: The fields that count.
    :param exact: Code of each answer over all fields that are not free text.
    :param weak: The comparator is a proxy: free text, or program text that wasn't parsed.
    :param units: Code of the recurrence unit of each answer.
    """

    kind: str
    answers: list[Answer]
    fields: tuple[Field, ...]
    exact: Ints
    weak: bool
    units: Ints

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def free_fields(self) -> tuple[Field, ...]:
        """Fields compared by token F1."""
        return tuple(field for field in self.fields if field.free)

    def equal(self, left: Ints, right: Ints) -> Bools:
        """Return whether answers ``left[i]`` and ``right[i]`` count as the same."""
        same = self.exact[left] == self.exact[right]
        for field in self.fields:
            if field.bags is not None:
                rows = np.flatnonzero(same & (field.codes[left] != field.codes[right]))
                same[rows] = field.bags.f1(field.codes[left[rows]], field.codes[right[rows]]) >= SAME_TEXT_F1
        return np.asarray(same, dtype=np.bool_)

    def constant(self) -> tuple[float, int]:
        """Return the agreement b of the best constant answer, and the row of that answer.

        Free text: the best of the commonest answers, so b is a lower estimate there.
        """
        joint = self.joint_codes()
        everyone = np.arange(len(self))
        if not self.free_fields:
            row = int(np.flatnonzero(joint == np.bincount(joint).argmax())[0])
            return float((joint == joint[row]).mean()), row
        codes, first, counts = np.unique(joint, return_index=True, return_counts=True)
        top = np.lexsort((codes, -counts))[:_CANDIDATES]
        scored = [(float(self.equal(np.full(len(self), first[i]), everyone).mean()), -int(first[i])) for i in top]
        share, row = max(scored)
        return share, -row

    def joint_codes(self) -> Ints:
        """Return one code per answer over all counted fields; equal code = equal text in every field."""
        return encode_rows([field.codes for field in self.fields])


def encode(values: list[str]) -> Ints:
    """Return integer codes of texts, by sorted order so that row order doesn't matter."""
    rank = {value: code for code, value in enumerate(sorted(set(values)))}
    return np.array([rank[value] for value in values], dtype=np.int64)


def encode_rows(columns: list[Ints]) -> Ints:
    """Return one code per row of several code columns."""
    joint = columns[0]
    for column in columns[1:]:
        joint = np.unique(joint * (int(column.max()) + 1) + column, return_inverse=True)[1].astype(np.int64).reshape(-1)
    return joint


def compare_task(answers: list[Answer], units: Ints) -> TaskAnswers:
    """Return the comparator of a task, fitted on the incumbent's usable answers.

    :param answers: Parsed answers, at least one.
    :param units: Recurrence unit code of each answer.
    """
    kinds = Counter(answer.kind for answer in answers)
    kind = max(sorted(kinds), key=lambda name: kinds[name])
    if kinds["tool_call"] >= TOOL_CALL_SHARE * len(answers):
        kind = "tool_call"
    fields = tuple(_field(name, answers, units) for name in _counted(answers, kind))
    if kind == "text" and _is_label(fields[0]):
        kind = "label"
    joint = [field.codes for field in fields if not field.free]
    exact = encode_rows(joint) if joint else np.zeros(len(answers), dtype=np.int64)
    free = any(field.free for field in fields)
    weak = free or (kind in {"text", "code"} and not fields[0].classes)
    return TaskAnswers(kind, answers, fields, exact, weak, units)


def _counted(answers: list[Answer], kind: str) -> list[str]:
    """Name the fields that count: required JSON keys; every argument of tool calls, and words beside them; else all."""
    n = len(answers)
    if kind == "tool_call":
        return sorted({name for answer in answers if answer.kind in {kind, "text"} for name in answer.fields})
    if kind != "json":
        return [WHOLE]
    seen = Counter(name for answer in answers if answer.kind == "json" for name in answer.fields)
    of_kind = sum(answer.kind == "json" for answer in answers)
    required = sorted(name for name, k in seen.items() if k >= REQUIRED_SHARE * of_kind)
    return required or ([WHOLE] if n else [])


def _field(name: str, answers: list[Answer], units: Ints) -> Field:
    values = [_value(answer, name) for answer in answers]
    codes = encode(values)
    present = [value for value in values if not value.startswith(_MISSING)]
    long = sum(len(value.split()) for value in present) > FREE_TEXT_WORDS * len(present)
    free = long and len(set(present)) > FREE_TEXT_DISTINCT * len(present)
    bags = bag_words(sorted(set(values))) if free else None
    return Field(name, values, codes, free, not free and has_classes(codes, units), bags)


def _value(answer: Answer, name: str) -> str:
    """Return the field's text. An answer of another form never equals one that has the field."""
    if name in answer.fields:
        return answer.fields[name]
    if name == TOOL:
        return _MISSING + NO_TOOL
    if name == WHOLE:
        return _MISSING + ("" if answer.kind == "tool_call" else answer.canonical)
    return _MISSING + ("" if answer.kind in {"json", "tool_call", "text"} else answer.canonical)


def has_classes(codes: Ints, units: Ints) -> bool:
    """Return whether the values are few and recur across units, so that a student could learn them."""
    if not len(codes):
        return False
    width = int(units.max()) + 1
    pairs = np.unique(codes * width + units)
    shared = np.bincount(pairs // width, minlength=int(codes.max()) + 1) >= MIN_CLASS_UNITS
    return bool(shared[codes].mean() >= CLASS_COVERAGE and shared.sum() <= MAX_CLASSES)


def _is_label(field: Field) -> bool:
    return field.classes and float(np.median([len(value.split()) for value in set(field.values)])) <= LABEL_WORDS
