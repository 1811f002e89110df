"""What a graded small model says of larger ones: where it did well, they are expected to; where it did not, nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from slmlens.suitability.intervals import clopper_pearson
from slmlens.suitability.posterior import Floor, Graded, prior_free_bound
from slmlens.suitability.settings import AssessSettings

LARGER = 2.0
"""A model is larger than another from twice its parameters on (judgement)."""
LEAST_GRADED = 10
"""Fewest independent calls from which a graded model says anything of larger ones: those of grade B."""
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) ?([bm])(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class LargerAnchor:
    """Where larger models are expected at or above, by judgement.

    :param slm: The graded model.
    :param agreement: Share of its answers that was acceptable.
    :param floor: The expectation.
    :param from_b: Billions of parameters from which a model is larger.
    """

    slm: str
    agreement: float
    floor: Floor
    from_b: float


def params_b_of(name: str) -> float | None:
    """Return the billions of parameters that a model's name tells (``-135M-``, ``:8b``); None: it tells none."""
    found = _SIZE.search(name)
    return None if found is None else float(found[1]) / (1 if found[2] in "bB" else 1_000)


def is_smaller(graded: Graded, settings: AssessSettings) -> bool:
    """Return whether a graded model is known to be smaller than the size that verdicts on any model are for."""
    size = params_b_of(graded.slm)
    return size is not None and size * LARGER <= settings.slm_params_b


def larger_anchor(
    graded: Sequence[Graded], constant: float | None, needed: float, settings: AssessSettings
) -> LargerAnchor | None:
    """Return what the best of the graded tuned models says of larger ones tuned alike; None: none says anything.

    The floor is the lower end of its 90 % interval less ``larger_delta``, as sure as ``larger_sd``. It speaks only if
    it beats the constant answer with the bound that uses no prior, and if the floor is within reach of parity: that a
    larger model does *better* is no judgement of ours. In LoRA Land (arXiv 2405.00732, table 12: 30 tasks, three models
    of 2.5-2.7B against seven of 6.7-8.5B) a larger model reached 0.95 in 97 % of 91 pairs where the smaller one had,
    and in none of 161 where that had reached 0.80 to 0.90; it fell more than 0.05 short of it in 11 % of all 630.

    :param graded: Graded tuned models whose size is known to be smaller.
    :param constant: Agreement of the best constant answer.
    :param needed: The least A that parity asks.
    """
    found = []
    for one in graded:
        size = params_b_of(one.slm)
        beats = prior_free_bound(one) > (constant or 0.0) + settings.margin
        low = one.covered * clopper_pearson(one.agreement * one.n_eff, one.n_eff)[0]
        floor = Floor(low - settings.larger_delta, settings.larger_sd)
        in_reach = floor.at + floor.spread >= needed
        if size is not None and one.n_eff >= LEAST_GRADED and beats and in_reach:
            found.append(LargerAnchor(one.slm, one.agreement, floor, LARGER * size))
    return max(found, key=lambda anchor: (anchor.floor.at, anchor.slm), default=None)


def higher(one: Floor | None, other: Floor | None) -> Floor | None:
    """Return the floor that says more; one of them may be missing."""
    floors = [floor for floor in (one, other) if floor is not None]
    return max(floors, key=lambda floor: (floor.at - floor.spread, floor.at), default=None)
