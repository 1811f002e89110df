"""Whether a task's answers can be learned: its best probe against the constant answer and the null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slmlens.suitability.intervals import Share
from slmlens.suitability.probes import Probed
from slmlens.suitability.settings import AssessSettings


@dataclass(frozen=True)
class Anchor:
    """The agreement that a probe reached on the whole answer: a lower anchor of what a tuned model can reach.

    :param share: The agreement, on the lower of two splits.
    :param by_program: A program of simple rules reached it; else students did.
    """

    share: Share
    by_program: bool


def anchor_of(probed: Probed | None, constant: float | None, settings: AssessSettings) -> Anchor | None:
    """Return the better of students and program on the whole answer; None: no probe gives one.

    :param probed: The task's probes; None: none ran.
    :param constant: Agreement of the best constant answer; 1: there is one answer only, and nothing to learn.
    """
    if probed is None or constant is None or constant >= 1:
        return None
    found = [] if probed.whole is None else [Anchor(probed.whole, by_program=False)]
    if probed.program is not None and _beats(probed.program.lower, probed, constant, settings):
        found.append(Anchor(probed.program.lower, by_program=True))
    return max(found, key=lambda anchor: (anchor.share.lo90, not anchor.by_program), default=None)


def is_learnable(
    anchor: Anchor | None,
    probed: Probed | None,
    constant: float | None,
    adjusted: Mapping[str, float],
    settings: AssessSettings,
) -> bool | None:
    """Return whether the anchor beats chance and every constant; None: no probe applies.

    A student needs a permutation p-value of ``alpha`` at most, after Holm over the log; student and program need a
    lower bound above the constant plus ``margin``.

    :param adjusted: Field -> p-value of its student after Holm.
    """
    if anchor is None or probed is None:
        return False if adjusted else None
    significant = anchor.by_program or min(adjusted.values(), default=1.0) <= settings.alpha
    return significant and _beats(anchor.share, probed, constant or 0.0, settings)


def _beats(share: Share, probed: Probed, constant: float, settings: AssessSettings) -> bool:
    """Also the constant on the calls that the students were graded on, which may be another one."""
    return share.lo90 > max(constant, probed.constant or 0.0) + settings.margin
