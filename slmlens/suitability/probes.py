"""The probes of one task: students and programs on its answers, beside the constant answer and the null."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import TOOL, WHOLE
from slmlens.suitability.comparators import TaskAnswers, has_classes
from slmlens.suitability.features import gram_matrix
from slmlens.suitability.intervals import Share, clustered_share
from slmlens.suitability.program import ProgramResult, run_program
from slmlens.suitability.prompts import Prompts
from slmlens.suitability.retrieval import RetrievalResult, run_retrieval
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.student import StudentResult, run_student

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_FIELDS = 20
"""Most fields of one task that get a student of their own."""
RETRIEVAL_CALLS, RETRIEVAL_DRAWS = 100, 99
"""Calls that retrieval looks at, and permutations behind its null, in a task that no student learns."""
RULE_SERVES = 0.5
"""A field without a student is predicted by its rule only where the rule is right this often on later calls."""


@dataclass(frozen=True)
class Prepared:
    """One task as a probe sees it: a sample of its calls in time order.

    :param answers: Answers under the task's comparator.
    :param prompts: Their prompts.
    """

    answers: TaskAnswers
    prompts: Prompts


@dataclass(frozen=True)
class Probed:
    """What the probes of a task found.

    :param students: Field name -> student; the whole answer under ``WHOLE``.
    :param program: The program probe; None where the comparator is weak, or too few units for a later block.
    :param whole: Agreement of the students (with programs for the other fields) on the whole answer, on the lower of
        the two splits; None where some field has no predictor.
    :param constant: Agreement of the best constant answer on the calls behind ``whole``.
    :param covered: Every field that varies has a student.
    :param n_groups: Number of leak groups.
    :param retrieval: The nearest prompt's answer, copied; None: not asked for, one answer only, or no later session.
    :param seconds: Process time that the probes took.
    """

    students: dict[str, StudentResult]
    program: ProgramResult | None
    whole: Share | None
    constant: float | None
    covered: bool
    n_groups: int
    retrieval: RetrievalResult | None = None
    seconds: float = 0.0


def prepare(answers: TaskAnswers, texts: list[str], slots: list[str], settings: AssessSettings, seed: int) -> Prepared:
    """Return the task with its splits and solvers.

    :param answers: Sampled answers, in time order.
    :param texts: Last message of each prompt.
    :param slots: Slot text of each prompt.
    """
    return Prepared(answers, Prompts(texts, slots, answers.units, settings.train_share, seed))


def student_targets(answers: TaskAnswers) -> dict[str, Ints]:
    """Codes that a student can learn: the whole answer where it has classes, else the fields that have them."""
    joint = answers.joint_codes()
    if not answers.free_fields and joint.max() > 0 and has_classes(joint, answers.units):
        return {WHOLE: joint}
    fields = [field for field in answers.fields if field.classes and field.n_distinct > 1]
    if answers.kind == "tool_call":
        fields = [field for field in fields if field.name == TOOL]
    return {field.name: field.codes for field in fields[:MAX_FIELDS]}


def run_probes(prepared: Prepared, settings: AssessSettings, seed: int, *, retrieval: bool = True) -> Probed:
    """Return what students, programs and retrieval show of a prepared task.

    :param retrieval: False leaves retrieval out, on which no verdict rests; it looks at no answer of free text alone.
    """
    began = time.process_time()
    answers, prompts = prepared.answers, prepared.prompts
    students: dict[str, StudentResult] = {}
    for name, codes in student_targets(answers).items() if prompts.splits_in_time else ():
        students[name] = run_student(
            prompts.fitted,
            codes,
            answers.units,
            draws=settings.draws,
            visible_gain=settings.visible_gain,
            seed=seed,
        )
    # no rule gives free text or code exactly, and a proxy of agreement is no ground for replacing a model by code
    unfit = answers.weak or len(np.unique(answers.units)) < settings.min_units
    program = None if unfit else run_program(answers, prompts.material, prompts.folds)
    varying = {field.name for field in answers.fields if field.n_distinct > 1}
    covered = bool(students) and (WHOLE in students or varying <= set(students))
    whole, constant = _whole_answer(prepared, students, program)
    # a text written anew for each prompt is no answer to copy
    copyable = varying - {field.name for field in answers.free_fields}
    copied = _retrieve(prepared, settings, seed, fitted=bool(students)) if retrieval and copyable else None
    n_groups = int(prompts.groups.max()) + 1
    seconds = time.process_time() - began
    return Probed(students, program, whole, constant, covered, n_groups, copied, seconds)


def _retrieve(prepared: Prepared, settings: AssessSettings, seed: int, *, fitted: bool) -> RetrievalResult | None:
    """Copy from all rows where their similarities are known anyway, else among a part of the units."""
    answers, prompts = prepared.answers, prepared.prompts
    rows = np.arange(len(answers))
    if not fitted:
        units = answers.units[np.sort(np.unique(answers.units, return_index=True)[1])]
        step = -(-len(rows) // RETRIEVAL_CALLS)
        rows = np.flatnonzero(np.isin(answers.units, units[::step]))[:RETRIEVAL_CALLS]
    gram = prompts.gram if fitted else gram_matrix([prompts.slots[row] for row in rows])
    return run_retrieval(
        gram,
        answers,
        rows,
        prompts.folds,
        train_share=settings.train_share,
        draws=settings.draws if fitted else RETRIEVAL_DRAWS,
        seed=seed,
    )


def _whole_answer(
    prepared: Prepared, students: dict[str, StudentResult], program: ProgramResult | None
) -> tuple[Share | None, float | None]:
    """Agreement on the whole answer: a student for each field that has one, a rule for the others."""
    if not students:
        return None, None
    if WHOLE in students:
        return students[WHOLE].lower, students[WHOLE].constant
    answers, test = prepared.answers, np.flatnonzero(~prepared.prompts.early)
    by_time, by_group = np.ones(len(test), dtype=np.bool_), np.ones(len(answers), dtype=np.bool_)
    for field in answers.fields:
        if field.name in students:
            by_time &= students[field.name].hits
            by_group &= students[field.name].out_of_fold == field.codes
        elif field.n_distinct > 1:
            if program is None or program.by_field[field.name][0][test].mean() < RULE_SERVES:
                return None, None
            later, group = program.by_field[field.name]
            by_time &= later[test]
            by_group &= group
    later_share = clustered_share(by_time.astype(float), answers.units[test])
    group_share = (
        clustered_share(by_group.astype(float), answers.units) if prepared.prompts.folds.any() else later_share
    )
    joint = answers.joint_codes()
    modal = int(np.bincount(joint[prepared.prompts.early]).argmax())
    lower = min(later_share, group_share, key=lambda share: (share.value, share.lo90))
    return lower, float((joint[test] == modal).mean())
