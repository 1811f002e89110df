"""The program probe: whether the answer is a simple function of the prompt, so that plain code could give it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import WHOLE
from slmlens.suitability.comparators import Field, TaskAnswers
from slmlens.suitability.intervals import Share, clustered_share, lower_split
from slmlens.suitability.rules import CONSTANT, Material, fit_rule
from slmlens.suitability.splits import FOLDS, earlier_units
from slmlens.suitability.student import permutation_null

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCKS = (0.2, 0.4, 0.6, 0.8)
"""Each block of later calls is graded by a program fitted to the calls before it."""
NULL_DRAWS = 99
"""Permutations behind the program's null: it is shown, and no verdict asks for it."""


@dataclass(frozen=True)
class ProgramResult:
    """What the best program per field showed.

    :param later: Joint agreement on calls later than those the program was fitted to.
    :param group: Joint agreement on prompts of groups that the program never saw.
    :param rules: Field -> the rule fitted to all calls, in words without values of the log.
    :param constant: True when every field is a constant.
    :param by_field: Field -> whether each row was right (in its later block, in its fold); rows before the first block
        are False.
    :param null_p: P-value of ``later`` against whole-session permutations of the later answers, the rules left as they
        are.
    """

    later: Share
    group: Share
    rules: dict[str, str]
    constant: bool
    by_field: dict[str, tuple[Bools, Bools]]
    null_p: float

    @property
    def lower(self) -> Share:
        """The split with the lower agreement: the one that verdicts rest on."""
        return lower_split(self.later, self.group)


def run_program(answers: TaskAnswers, material: Material, folds: Ints) -> ProgramResult:
    """Return how often simple rules, one per field, repeat the incumbent's answers.

    See :func:`slmlens.suitability.rules.fit_rule` for the rules; those that list answers are only for fields with few,
    recurring values.

    :param answers: The task's answers, in time order; none of their fields free text, which no rule can give exactly.
    :param material: Spans and words of the prompts.
    :param folds: Fold of each row in the group split; all 0: one group, which can't be split.
    """
    later_blocks = _later_blocks(answers)
    folds_blocks = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    graded = np.concatenate([test for _, test in later_blocks])
    actual = {field.name: material.code(field.values) for field in answers.fields}
    given = {
        field.name: [_given(field, actual[field.name], blocks, material) for blocks in (later_blocks, folds_blocks)]
        for field in answers.fields
    }
    by_field = {name: (codes[0] == actual[name], codes[1] == actual[name]) for name, codes in given.items()}
    later, group = (np.logical_and.reduce([hits[split] for hits in by_field.values()]) for split in (0, 1))
    on_later = clustered_share(later[graded].astype(float), answers.units[graded])
    everyone = np.arange(len(answers))
    rules = {
        _field_words(field.name): fit_rule(field, material.code(field.values), everyone, material).words
        for field in answers.fields
    }
    return ProgramResult(
        later=on_later,
        group=clustered_share(group.astype(float), answers.units) if folds.any() else on_later,
        rules=rules,
        constant=all(rule == CONSTANT for rule in rules.values()),
        by_field=by_field,
        null_p=_null_p([codes[0] for codes in given.values()], list(actual.values()), answers.units, graded),
    )


def _null_p(given: list[Ints], actual: list[Ints], units: Ints, graded: Ints) -> float:
    """Return the p-value of the whole answer: all fields of a session change places together."""
    both = np.concatenate([np.stack(given, axis=1)[graded], np.stack(actual, axis=1)[graded]])
    codes = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    return permutation_null(codes[: len(graded)], codes[len(graded) :], units[graded], NULL_DRAWS, 0)[0]


def _field_words(name: str) -> str:
    return "the answer" if name == WHOLE else name


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


def _given(field: Field, actual: Ints, blocks: list[tuple[Ints, Ints]], material: Material) -> Ints:
    """Return the code that a rule fitted to its block's training rows gives to each row; -1: to no row of a block."""
    codes = np.full(len(field.values), -1, dtype=np.int64)
    for train, test in blocks:
        if not len(train) or not len(test):
            continue
        codes[test] = fit_rule(field, actual, train, material).codes[test]
    return codes
