"""What a small model's wrong answers cost: only those beyond the present model's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.montecarlo import Shared
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD

_MINUTES_PER_HOUR = 60


@dataclass(frozen=True)
class Loss:
    """What wrong answers cost a call that is moved, in nano-USD.

    :param drawn: Draws.
    :param central: Mean over what is believed of A where parity holds; where none does, at the A that it asks for.
    """

    drawn: np.ndarray
    central: float


def excess_wrong(agreement: np.ndarray | float, ceiling: float) -> np.ndarray:
    """Return the share of calls that a small model answers wrongly and the present one does not: ``(C - A) / sqrt(C)``.

    The quality loss of moving calls is usually put at ``calls x (1 - A) x cost of a wrong answer``. That charges the
    small model with the present one's errors too. Let the present model be right in a share p of the calls and the
    small one in s, independently, and let two wrong answers seldom be the same. Then two answers of the present model
    agree in ``C = p^2``, the small model's and the present one's in ``A = p s``, and the excess is
    ``p - s = (C - A) / sqrt(C)``; none where A reaches C. Where no repeated prompt measured C it is taken as 1, and
    every disagreement is an excess. Errors that the present model always makes are not seen: agreeing with them is
    counted as right.

    :param agreement: A, the share of calls whose answers agree with the present model's.
    :param ceiling: C, the share in which two answers of the present model agree.
    """
    return np.maximum(ceiling - np.asarray(agreement, dtype=float), 0.0) / math.sqrt(max(ceiling, 1e-9))


def wrong_answer_loss(
    agreement: np.ndarray,
    quantiles: Sequence[float],
    verdict: Mapping[str, object],
    volume: Volume,
    shared: Shared,
    assumptions: Assumptions,
) -> Loss:
    """Return what wrong answers cost a call that is moved.

    Each costs a retry at the present model and, where somebody has to handle it, minutes of a person. Where agreement
    on free text is judged by a proxy, only a part of the disagreements are wrong (``weak_wrong_share``).

    :param agreement: Draws of A.
    :param quantiles: Of A at equal steps from 0 to 1.
    :param verdict: A row of ``VerdictsTable``.
    """
    ceiling = verdict["ceiling_pair"]
    c_pair = float(ceiling) if isinstance(ceiling, int | float) else 1.0
    weak = bool(verdict["weak_comparator"])
    wrong = excess_wrong(agreement, c_pair) * (shared.weak_wrong if weak else 1.0)
    reached = [a for a in quantiles if a >= float(str(verdict["a_needed"]))] or [float(str(verdict["a_needed"]))]
    usual = float(excess_wrong(np.array(reached), c_pair).mean()) * (
        assumptions.mean("weak_wrong_share") if weak else 1
    )
    return Loss(wrong * _cost_drawn(volume, shared, assumptions), usual * wrong_answer_nusd(volume, assumptions))


def wrong_answer_nusd(volume: Volume, assumptions: Assumptions) -> float:
    """Return the mean cost of one wrong answer of a task, in nano-USD."""
    handled = float(
        _blend(volume, assumptions.mean("wrong_handled_share_human"), assumptions.mean("wrong_handled_share_machine"))
    )
    return _retry(volume, assumptions) + handled * assumptions.mean("wrong_answer_minutes") * _minute(assumptions)


def _cost_drawn(volume: Volume, shared: Shared, assumptions: Assumptions) -> np.ndarray:
    handled = _blend(volume, shared.handled_human, shared.handled_machine)
    cost: np.ndarray = _retry(volume, assumptions) + handled * shared.wrong_minutes * _minute(assumptions)
    return cost


def _retry(volume: Volume, assumptions: Assumptions) -> float:
    return assumptions.central("wrong_retries") * (volume.call_nusd or 0.0)


def _blend(volume: Volume, human: np.ndarray | float, machine: np.ndarray | float) -> np.ndarray | float:
    """Weigh what holds where a person reads the answers and where none does; not known counts as read."""
    unread = volume.machine_only or 0.0
    return (1 - unread) * human + unread * machine


def _minute(assumptions: Assumptions) -> float:
    return assumptions.central("person_hour_usd") / _MINUTES_PER_HOUR * NUSD_PER_USD
