"""When two answers of a task count as the same: one comparator, shared by ceiling, probes and pilots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import MARK, NO_TOOL, TOOL, WHOLE, Answer
from slmlens.suitability.bags import Bags, bag_words, token_f1
from slmlens.suitability.disagreement import PROSE, why_not
from slmlens.suitability.program_text import PARSED

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
SAME, ALIKE = "the same", "alike by token F1"
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
    :param weak: The comparator is a proxy: free text, or program text in a language that isn't parsed.
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


@dataclass(frozen=True)
class Grade:
    """Whether a candidate's answer counts as the reference's.

    :param agrees: It does.
    :param why: ``SAME``, ``ALIKE`` (by token F1 in a free text), or what is wrong, in a few words without values.
    """

    agrees: bool
    why: str


@dataclass(frozen=True)
class Comparator:
    """Grades any model's answer to a task against the incumbent's, by the rule of ``TaskAnswers.equal``.

    :param kind: Output kind of the task, from ``tables.OUTPUT_KINDS``.
    :param names: The fields that count.
    :param free: Those of them that are compared by token F1.
    :param weak: The comparator is a proxy: an agreement under it is no proof.
    :param prose: The incumbent too puts words around its JSON or program, so a candidate may.
    """

    kind: str
    names: tuple[str, ...]
    free: frozenset[str]
    weak: bool
    prose: bool

    def grade(self, reference: Answer, candidate: Answer) -> Grade:
        """Return whether the candidate agrees with the reference, and why (not)."""
        if candidate.prose and not self.prose:
            return Grade(agrees=False, why=PROSE)
        names = self.names
        if self.kind == "tool_call":
            names = (*names, *sorted((set(reference.fields) | set(candidate.fields)) - set(names)))
        form = "text" if self.kind == "label" else self.kind
        wanted, given = values_of(reference, form, names), values_of(candidate, form, names)
        pairs = [(name, one, other) for name, one, other in zip(names, wanted, given, strict=True) if one != other]
        differing = [name for name, one, other in pairs if not (name in self.free and _alike(one, other))]
        if differing:
            return Grade(agrees=False, why=why_not(reference, candidate, differing))
        return Grade(agrees=True, why=ALIKE if pairs else SAME)


def comparator_of(answers: TaskAnswers) -> Comparator:
    """Return the comparator that was fitted to the incumbent's answers of a task."""
    return Comparator(
        kind=answers.kind,
        names=tuple(field.name for field in answers.fields),
        free=frozenset(field.name for field in answers.free_fields),
        weak=answers.weak,
        prose=any(answer.prose for answer in answers.answers),
    )


def _alike(one: str, other: str) -> bool:
    return not one.startswith(MARK) and not other.startswith(MARK) and token_f1(one, other) >= SAME_TEXT_F1


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
    """Return the answers of a task under the comparator fitted to them: the incumbent's usable ones.

    :param answers: Parsed answers, at least one.
    :param units: Recurrence unit code of each answer.
    """
    kinds = Counter(answer.kind for answer in answers)
    kind = max(sorted(kinds), key=lambda name: kinds[name])
    if kinds["tool_call"] >= TOOL_CALL_SHARE * len(answers):
        kind = "tool_call"
    names = _counted(answers, kind)
    columns = zip(*(values_of(answer, kind, names) for answer in answers), strict=True)
    fields = tuple(
        _field(name, list(values), units, exact=kind == "code") for name, values in zip(names, columns, strict=True)
    )
    if kind == "text" and _is_label(fields[0]):
        kind = "label"
    joint = [field.codes for field in fields if not field.free]
    exact = encode_rows(joint) if joint else np.zeros(len(answers), dtype=np.int64)
    unparsed = kind == "code" and not all(answer.parsed for answer in answers)
    weak = any(field.free for field in fields) or ((kind == "text" or unparsed) and not fields[0].classes)
    return TaskAnswers(kind, answers, fields, exact, weak, units)


def _counted(answers: list[Answer], kind: str) -> list[str]:
    """Name the fields that count: required JSON keys; every argument of tool calls, and words beside them; else all."""
    if kind == "tool_call":
        return sorted({name for answer in answers if answer.kind in {kind, "text"} for name in answer.fields})
    if kind != "json":
        return [WHOLE]
    seen = Counter(name for answer in answers if answer.kind == "json" for name in answer.fields)
    of_kind = sum(answer.kind == "json" for answer in answers)
    return sorted(name for name, k in seen.items() if k >= REQUIRED_SHARE * of_kind) or [WHOLE]


def _field(name: str, values: list[str], units: Ints, *, exact: bool) -> Field:
    codes = encode(values)
    present = [value for value in values if not value.startswith(MARK)]
    long = sum(map(_wordiness, present)) > FREE_TEXT_WORDS * len(present)
    free = not exact and long and len(set(present)) > FREE_TEXT_DISTINCT * len(present)
    bags = bag_words(["" if value.startswith(MARK) else value for value in sorted(set(values))]) if free else None
    return Field(name, values, codes, free, not free and has_classes(codes, units), bags)


def _wordiness(value: str) -> float:
    """Words of a text; of a list, words an item, for a long list of short items is no free text."""
    if value.startswith(PARSED):
        return 1.0
    items = 1 + (value.count('", "') + value.count(": ") if value[:1] in {"[", "{"} else value.count("\n- "))
    return len(value.split()) / items


def values_of(answer: Answer, kind: str, names: Sequence[str]) -> list[str]:
    """Return the answer's value of each field that counts; what it lacks has a value that no text equals.

    :param answer: An answer of any form. One of another form than the task's equals only its own like.
    :param kind: Output kind of the task.
    :param names: The fields that count.
    """
    own_form = answer.kind == kind or (kind == "tool_call" and answer.kind == "text")
    comparable = own_form and any(name in answer.fields for name in names)
    lacking = MARK if comparable else MARK + answer.canonical
    values = [answer.fields.get(name, lacking) for name in names]
    if kind == "tool_call" and TOOL in names and TOOL not in answer.fields:
        values[list(names).index(TOOL)] = MARK + NO_TOOL
    return values


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
