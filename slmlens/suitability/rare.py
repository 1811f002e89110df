"""Rare answer classes: the ones that a constant gets wrong and that may matter most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slmlens.suitability.answers import WHOLE
from slmlens.suitability.comparators import Field, TaskAnswers
from slmlens.suitability.probes import Probed
from slmlens.suitability.settings import AssessSettings


@dataclass(frozen=True)
class RareClass:
    """An answer class under the rare share.

    :param name: Its value, or a description where too few subjects share it.
    :param recall: Share of its graded calls that the student repeats; None: not measured.
    :param n: Graded calls.
    """

    name: str
    recall: float | None
    n: int


def rare_class(answers: TaskAnswers, probed: Probed, settings: AssessSettings) -> RareClass | None:
    """Return the rare class that weighs most against moving the task; None: no class is rare.

    A class counts when it is under ``rare_share`` of the sampled calls and at least ``min_units`` units have it. The
    worst comes first: not measured before measured, then the lowest recall, then the commonest. Recall is that of a
    student that saw no prompt of the same group, so that every call of the class is graded.
    """
    found = [
        candidate
        for name, student in sorted(probed.students.items())
        for candidate in _rare_of(name, _codes_of(name, answers), student.out_of_fold, answers, settings)
    ]
    return min(found, key=lambda c: (c.recall is not None, c.recall or 0.0, -c.n, c.name), default=None)


def _codes_of(name: str, answers: TaskAnswers) -> np.ndarray:
    if name == WHOLE:
        return answers.joint_codes()
    return next(field.codes for field in answers.fields if field.name == name)


def _rare_of(
    name: str, codes: np.ndarray, predicted: np.ndarray, answers: TaskAnswers, settings: AssessSettings
) -> list[RareClass]:
    counts = np.bincount(codes)
    found = []
    for value in np.flatnonzero((counts > 0) & (counts < settings.rare_share * len(codes))):
        rows = np.flatnonzero(codes == value)
        units = len(np.unique(answers.units[rows]))
        if units < settings.min_units:
            continue
        graded = rows[predicted[rows] >= 0]
        recall = float((predicted[graded] == value).mean()) if len(graded) >= settings.rare_graded else None
        found.append(RareClass(_name(name, int(rows[0]), units, answers, settings), recall, len(graded)))
    return found


def _name(field_name: str, row: int, units: int, answers: TaskAnswers, settings: AssessSettings) -> str:
    """Name the class by its value only where enough subjects share it (k_show)."""
    if units < settings.show_units:
        return "an answer that too few sessions share to show it"
    fields: list[Field] = [field for field in answers.fields if field_name in (WHOLE, field.name)]
    shown = [field.values[row].replace("\x00", "") for field in fields]
    return ", ".join(shown)[:80]
