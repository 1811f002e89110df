"""A task's prompts as the probes need them; nothing here depends on the answers, so shuffles of those share it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from slmlens.suitability.features import gram_matrix
from slmlens.suitability.rules import Material
from slmlens.suitability.spans import candidate_spans
from slmlens.suitability.splits import earlier_units, group_folds, leak_groups
from slmlens.suitability.student import Fitted, fit_prompts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Prompts:
    """A sample of a task's prompts in time order, and what is made of them once it is asked for.

    :param texts: Last message of each prompt, placeholders as they stand.
    :param slots: Slot text of each prompt.
    :param units: Recurrence unit of each prompt.
    :param train_share: Share of the rows, in the earlier units, that a probe is trained on.
    :param seed: Seed of the folds.
    """

    texts: list[str]
    slots: list[str]
    units: Ints
    train_share: float
    seed: int

    @cached_property
    def groups(self) -> Ints:
        """Leak group of each row."""
        return leak_groups(self.slots)

    @cached_property
    def folds(self) -> Ints:
        """Fold of each row in the group split; all 0: one group, which can't be split."""
        return group_folds(self.slots, self.groups, self.seed)

    @cached_property
    def early(self) -> Bools:
        """Rows of the earlier units."""
        return earlier_units(self.units, self.train_share)

    @property
    def splits_in_time(self) -> bool:
        """Whether there are both earlier and later rows."""
        return bool(self.early.any() and not self.early.all())

    @cached_property
    def gram(self) -> Floats:
        """Similarities of the rows, (n, n)."""
        return gram_matrix(self.slots)

    @cached_property
    def fitted(self) -> Fitted:
        """The student's ridge; needs earlier and later rows."""
        return fit_prompts(self.gram, self.early, self.folds)

    @cached_property
    def material(self) -> Material:
        """What the program probe makes rules of."""
        return Material(candidate_spans(self.texts), self.texts, self.slots)
