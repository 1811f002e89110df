"""The probes of one task: students and programs on its answers, beside the constant answer and the null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.answers import TOOL, WHOLE
from slmlens.suitability.comparators import TaskAnswers, has_classes
from slmlens.suitability.features import gram_matrix
from slmlens.suitability.intervals import Share, clustered_share
from slmlens.suitability.program import ProgramResult, run_program
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.splits import earlier_units, group_folds, leak_groups
from slmlens.suitability.student import Fitted, StudentResult, fit_prompts, run_student

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_FIELDS = 20
"""Most fields of one task that get a student of their own."""
RULE_SERVES = 0.5
"""A field without a student is predicted by its rule only where the rule is right this often on later calls."""


@dataclass(frozen=True)
class Prepared:
    """One task as a probe sees it: a sample of its calls in time order.

    :param answers: Answers under the task's comparator.
    :param texts: Last message of each prompt.
    :param slots: Slot text of each prompt.
    :param folds: Fold of each row in the group split.
    :param n_groups: Number of leak groups.
    :param fitted: Solvers of the student; None where no field has classes to learn.
    """

    answers: TaskAnswers
    texts: list[str]
    slots: list[str]
    folds: Ints
    n_groups: int
    fitted: Fitted | None


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
    """

    students: dict[str, StudentResult]
    program: ProgramResult | None
    whole: Share | None
    constant: float | None
    covered: bool
    n_groups: int


def prepare(answers: TaskAnswers, texts: list[str], slots: list[str], settings: AssessSettings, seed: int) -> Prepared:
    """Return the task with its splits and solvers.

    :param answers: Sampled answers, in time order.
    :param texts: Last message of each prompt.
    :param slots: Slot text of each prompt.
    """
    groups = leak_groups(slots)
    folds = group_folds(slots, groups, seed)
    early = earlier_units(answers.units, settings.train_share)
    learnable = bool(early.any() and not early.all() and _targets(answers))
    fitted = fit_prompts(gram_matrix(slots), early, folds) if learnable else None
    return Prepared(answers, texts, slots, folds, int(groups.max()) + 1, fitted)


def _targets(answers: TaskAnswers) -> dict[str, Ints]:
    """Codes that a student can learn: the whole answer where it has classes, else the fields that have them."""
    joint = answers.joint_codes()
    if not answers.free_fields and joint.max() > 0 and has_classes(joint, answers.units):
        return {WHOLE: joint}
    fields = [field for field in answers.fields if field.classes and field.n_distinct > 1]
    if answers.kind == "tool_call":
        fields = [field for field in fields if field.name == TOOL]
    return {field.name: field.codes for field in fields[:MAX_FIELDS]}


def run_probes(prepared: Prepared, settings: AssessSettings, seed: int) -> Probed:
    """Return what students and programs show of a prepared task."""
    answers = prepared.answers
    students: dict[str, StudentResult] = {}
    if prepared.fitted is not None:
        for name, codes in _targets(answers).items():
            students[name] = run_student(
                prepared.fitted,
                codes,
                answers.units,
                draws=settings.draws,
                visible_gain=settings.visible_gain,
                seed=seed,
            )
    # no rule gives free text or code exactly, and a proxy of agreement is no ground for replacing a model by code
    unfit = answers.weak or len(np.unique(answers.units)) < settings.min_units
    program = None if unfit else run_program(answers, prepared.texts, prepared.slots, prepared.folds)
    varying = {field.name for field in answers.fields if field.n_distinct > 1}
    covered = bool(students) and (WHOLE in students or varying <= set(students))
    whole, constant = _whole_answer(prepared, students, program)
    return Probed(students, program, whole, constant, covered, prepared.n_groups)


def _whole_answer(
    prepared: Prepared, students: dict[str, StudentResult], program: ProgramResult | None
) -> tuple[Share | None, float | None]:
    """Agreement on the whole answer: a student for each field that has one, a rule for the others."""
    if prepared.fitted is None or not students:
        return None, None
    if WHOLE in students:
        return students[WHOLE].lower, students[WHOLE].constant
    answers, test = prepared.answers, np.flatnonzero(~prepared.fitted.early)
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
    time = clustered_share(by_time.astype(float), answers.units[test])
    group_share = clustered_share(by_group.astype(float), answers.units) if prepared.folds.any() else time
    joint = answers.joint_codes()
    modal = int(np.bincount(joint[prepared.fitted.early]).argmax())
    lower = min(time, group_share, key=lambda share: (share.value, share.lo90))
    return lower, float((joint[test] == modal).mean())
