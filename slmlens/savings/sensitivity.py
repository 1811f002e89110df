"""What the plan's value hangs on: the model behind the tornado, and the facts that could be learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.cash_flows import Flows, spent_once, worth
from slmlens.savings.montecarlo import Setting, Shared, draw_volume
from slmlens.savings.options import Option, best_by_action
from slmlens.savings.tornado import Bar, Model, Swing, tornado
from slmlens.savings.totals import OWN_WORK, shared_rollout
from slmlens.savings.value_of_information import Fact, Worth, evppi, learnable, ranked, yes_no_worth
from slmlens.savings.valuing import Valued
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD

_YEAR = 12
_PARITY = "parity:"
_SELF_HOSTED = "self-hosted"
_SURE = 0.9
"""Chance from which P10 of a yes or no is yes."""
_FAR = 20.0
"""Times its central value beyond which no flip of an input is looked for."""
_TINY = 1e-9


@dataclass(frozen=True)
class _Stake:
    """A task that the plan acts on.

    :param flows: Of its chosen option, in joint draws.
    """

    volume: Volume
    option: Option
    flows: Flows

    @cached_property
    def parity(self) -> float:
        """Chance that it goes ahead."""
        return float(np.mean(self.flows.holds))

    @property
    def uncertain(self) -> bool:
        """It goes ahead in some futures only."""
        return 0 < self.parity < 1


def plan_tornado(acting: Sequence[Valued], setting: Setting) -> list[Bar]:
    """Return the inputs that move the plan's NPV most, and where each turns the answer; empty without a month.

    NPV is that of one future in which every input is at its central value (an assumption's most likely one, and the
    chance of parity as it is): not the mean over futures, which the plan states.

    :param acting: The tasks that the plan acts on.
    """
    stakes = _stakes(acting)
    return tornado(_model(stakes, setting), _swings(stakes, setting)) if stakes else []


def plan_facts(
    acting: Sequence[Valued], valued: Sequence[Valued], pilots: pl.DataFrame, setting: Setting
) -> list[Fact]:
    """Return the facts that are worth learning before anything is done, the highest net worth first.

    :param acting: The tasks that the plan acts on.
    :param valued: All tasks.
    :param pilots: ``PilotPlanTable``.
    """
    stakes, assumptions = _stakes(acting), setting.assumptions
    planned = pilots.sort("rank").unique("task_id", keep="first").rows_by_key("task_id", named=True, unique=True)
    found = [_pilot_fact(task, planned[task.volume.task_id]) for task in valued if task.volume.task_id in planned]
    facts = [fact for fact in found if fact is not None]
    npv = _alternatives(valued)
    if npv.size:
        day = assumptions.once_usd("ask") * NUSD_PER_USD
        shared = setting.shared
        month = float(sum(stake.option.worth.monthly.mean() for stake in stakes if stake.option.worth is not None))
        facts += [
            learnable("volume", "read 30 more days of log", evppi(npv, shared.volume), max(month, 0.0)),
            learnable("prices", "ask hosts of small models for an offer", evppi(npv, shared.prices), day),
            learnable("people", "have the work estimated", evppi(npv, shared.people), _estimate_nusd(assumptions)),
        ]
    if stakes and not any(stake.volume.commitments for stake in stakes):
        facts.append(_commitment_fact(stakes, setting))
    return ranked(facts)


def _stakes(acting: Sequence[Valued]) -> list[_Stake]:
    return [_Stake(task.volume, task.chosen, task.chosen.flows) for task in acting if task.chosen.flows is not None]


def _estimate_nusd(assumptions: Assumptions) -> float:
    return assumptions.once_usd("estimate") * NUSD_PER_USD


def _model(stakes: Sequence[_Stake], setting: Setting) -> Model:
    def npv(values: Mapping[str, np.ndarray]) -> np.ndarray:
        shared, futures = _futures(setting.shared, values), values["volume"].size
        flows = [_central_flows(stake, values, setting.assumptions) for stake in stakes]
        works = [
            np.broadcast_to(spent_once(shared, each), futures)
            for each, stake in zip(flows, stakes, strict=True)
            if stake.option.action not in OWN_WORK
        ]
        alone = np.sum([np.broadcast_to(worth(shared, each).npv, futures) for each in flows], axis=0)
        total: np.ndarray = alone + shared_rollout(works, values["later_rollout_share"])
        return total

    return npv


def _futures(shared: Shared, values: Mapping[str, np.ndarray]) -> Shared:
    """Return one future a value; only what :func:`worth` reads of them."""
    decline = values["price_decline_year"]
    months = np.arange(1, shared.discount.size + 1)[:, None] / _YEAR
    falling = shared.discount[:, None] * np.maximum(1 - decline, 0.0)[None, :] ** months
    return replace(shared, people=values["people_cost_factor"], decline=decline, falling=falling)


def _central_flows(stake: _Stake, values: Mapping[str, np.ndarray], assumptions: Assumptions) -> Flows:
    option, flows = stake.option, stake.flows
    calls = (stake.volume.billed_month or 0.0) * values["volume"]
    price = values["small_model_prices"] * values["tokenizer_ratio"] / assumptions.central("tokenizer_ratio")
    if option.mode == "tuned" and option.deployment != _SELF_HOSTED:
        price = price * values["hosted_tuned_price_factor"] / assumptions.central("hosted_tuned_price_factor")
    saved = (option.saved_nusd or 0.0) + (option.call_nusd or 0.0) * (1 - price)
    return replace(
        flows,
        saving=calls * saved,
        loss=calls * option.wrong_nusd * values["wrong_answers"],
        holds=values.get(_PARITY + stake.volume.task_id, stake.parity),
        fixed=option.fixed_usd * NUSD_PER_USD * values["machines"],
    )


def _swings(stakes: Sequence[_Stake], setting: Setting) -> list[Swing]:
    shared, assumptions = setting.shared, setting.assumptions

    def factor(name: str, unit: str, drawn: np.ndarray, most: float, central: float = 1.0) -> Swing:
        low, high = np.quantile(drawn, [0.1, 0.9])
        return Swing(name, unit, min(float(low), central), central, max(float(high), central), 0.0, most)

    def assumed(name: str, unit: str, drawn: np.ndarray, most: float) -> Swing:
        return factor(name, unit, drawn, most, assumptions.central(name))

    chances = [
        Swing(
            _PARITY + stake.volume.task_id,
            "chance to hold parity",
            low=0.0 if stake.parity < _SURE else stake.parity,
            central=stake.parity,
            high=1.0 if stake.parity > 1 - _SURE else stake.parity,
            least=0.0,
            most=1.0,
        )
        for stake in stakes
        if stake.uncertain
    ]
    return [
        factor("volume", "times the log's volume", shared.volume, _FAR),
        factor("small_model_prices", "times today's prices of small models", _prices(stakes, setting), _FAR),
        assumed("hosted_tuned_price_factor", "times the base model's price", shared.tuned, _FAR),
        assumed("tokenizer_ratio", "times the incumbent's tokens", shared.tokens, 3.0),
        assumed("people_cost_factor", "times all people cost", shared.people, _FAR),
        assumed("price_decline_year", "share a year", shared.decline, 1.0),
        assumed("later_rollout_share", "of the first task's work", shared.later_rollout, 1.0),
        factor("wrong_answers", "times the central cost of wrong answers", _losses(stakes, setting), _FAR * 10),
        factor("machines", "times the central cost of GPUs", _machines(stakes, setting), _FAR),
        *chances,
    ]


def _prices(stakes: Sequence[_Stake], setting: Setting) -> np.ndarray:
    """Return draws of the price of small models over its central value, weighted by what the plan would pay there."""
    shared, assumptions = setting.shared, setting.assumptions
    drawn, central = np.zeros(shared.prices.size), 0.0
    for stake in stakes:
        option, volume = stake.option, stake.volume
        if not option.call_nusd or not volume.billed_month or volume.call_nusd is None:
            continue
        factor = draw_volume(shared, volume.task_id, volume.units, seed=setting.seed)
        paid = volume.billed_month * volume.call_nusd - stake.flows.saving / np.maximum(factor, _TINY)
        paid = paid * assumptions.central("tokenizer_ratio") / shared.tokens
        if option.mode == "tuned" and option.deployment != _SELF_HOSTED:
            paid = paid * assumptions.central("hosted_tuned_price_factor") / shared.tuned
        drawn += paid
        central += volume.billed_month * option.call_nusd
    return drawn / central if central > 0 else np.ones(1)


def _losses(stakes: Sequence[_Stake], setting: Setting) -> np.ndarray:
    """Return draws of the cost of wrong answers over its central value, in futures where some task goes ahead."""
    drawn, central = np.zeros(setting.shared.volume.size), np.zeros(setting.shared.volume.size)
    for stake in stakes:
        drawn += stake.flows.holds * stake.flows.loss / np.maximum(setting.shared.volume, _TINY)
        central += stake.flows.holds * (stake.volume.billed_month or 0.0) * stake.option.wrong_nusd
    there = central > 0
    return drawn[there] / central[there] if there.any() else np.ones(1)


def _machines(stakes: Sequence[_Stake], setting: Setting) -> np.ndarray:
    central = sum(stake.option.fixed_usd for stake in stakes) * NUSD_PER_USD
    drawn = np.zeros(setting.shared.volume.size)
    for stake in stakes:
        drawn += stake.flows.fixed
    return drawn / central if central > 0 else np.ones(1)


def _alternatives(valued: Sequence[Valued]) -> np.ndarray:
    """Return draws of the NPV of what could be done with each task: the plan's action, or the best not taken for money.

    One row a draw, one column a task.
    """
    columns = []
    for task in valued:
        option = task.chosen
        if task.decision.action == "keep":
            if task.decision.keep_because != "money":
                continue
            option = max(task.options, key=lambda one: (one.expected_npv or 0.0) if one.action != "keep" else -np.inf)
        if option.worth is not None and option.action != "keep":
            columns.append(option.worth.npv)
    return np.stack(columns, axis=1) if columns else np.empty((0, 0))


def _pilot_fact(task: Valued, pilot: Mapping[str, object]) -> Fact | None:
    """Return what it is worth to know whether a task holds parity, before it is moved at all."""
    verb = "swap" if pilot["mode"] == "swap" else "tune"
    option = best_by_action(task.options).get(f"migrate-{verb}")
    if option is None or option.worth is None or option.flows is None:
        return None
    known = evppi(option.worth.npv, np.asarray(option.flows.holds))
    how = f"pilot {option.slm} on {pilot['calls']:,} calls of"
    return learnable(_PARITY + task.volume.task_id, how, known, float(str(pilot["cost_nusd"])))


def _commitment_fact(stakes: Sequence[_Stake], setting: Setting) -> Fact:
    """Return what it is worth to know whether the spend is prepaid: then the plan's work would save nothing."""
    assumptions = setting.assumptions
    free = sum(float(stake.option.worth.npv.mean()) for stake in stakes if stake.option.worth is not None)
    wasted = -sum(float(spent_once(setting.shared, stake.flows).mean()) for stake in stakes)
    value = yes_no_worth(free, wasted, assumptions.central("unasked_commitment_chance"))
    cost = assumptions.once_usd("ask") * NUSD_PER_USD
    return learnable("commitments", "ask finance which spend is prepaid, and until when", Worth(value, 0.0), cost)
