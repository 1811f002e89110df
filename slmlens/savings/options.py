"""The options of one task - keep, code, cache, a small model as it is or tuned, the vendor's smaller one - in money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel, nearest, small_models
from slmlens.savings.deployments import Deployment, deployments
from slmlens.savings.montecarlo import (
    Setting,
    Worth,
    draw_parity,
    draw_ranks,
    draw_volume,
    payback_months,
    percentiles,
    quantile,
    value,
)
from slmlens.savings.volumes import Volume
from slmlens.suitability.decide import PROGRAM_FROM
from slmlens.tables import NUSD_PER_USD

_EQUAL_FROM = 0.99


@dataclass(frozen=True)
class Option:
    """An option and its money.

    :param worth: Draws; None: no month or no price.
    :param one_off_usd: People cost if it goes ahead, pilot included.
    :param monthly_usd: People cost a month, and what runs whether or not a call comes, such as GPUs.
    :param saved_nusd: Central saving a call of the task, before people cost; None: no price.
    """

    action: str
    deployment: str
    mode: str | None
    slm: str | None
    worth: Worth | None
    one_off_usd: float
    monthly_usd: float
    saved_nusd: float | None

    @property
    def expected_npv(self) -> float | None:
        """Mean net present value in nano-USD, or None where there is no month or no price."""
        return None if self.worth is None else float(self.worth.npv.mean())


@dataclass(frozen=True)
class _Move:
    """Where the calls would go.

    :param saved: Draws of the saving a call of the task, in nano-USD.
    :param central: Its central value.
    :param fixed_usd: Fixed cost a month beside people, such as that of GPUs.
    :param fixed_drawn: Its draws.
    """

    what: str
    deployment: str
    mode: str | None
    slm: str | None
    saved: np.ndarray | float
    central: float
    holds: np.ndarray | float
    fixed_usd: float = 0.0
    fixed_drawn: np.ndarray | float = 0.0


@dataclass(frozen=True)
class _Case:
    """A task and its draws, which all its options share.

    :param calls: Draws of the billed calls a month; None: no month or no price.
    :param ranks: Ranks at which A is drawn.
    """

    volume: Volume
    setting: Setting
    calls: np.ndarray | None
    ranks: np.ndarray

    def parity(self, verdict: Mapping[str, object], mode: str) -> np.ndarray | None:
        """Return draws of parity, or None where the mode has no posterior."""
        found = verdict[mode]
        if not isinstance(found, dict):
            return None
        return draw_parity(self.ranks, found["quantiles"], float(str(verdict["a_needed"])))


def best_by_action(options: Sequence[Option]) -> dict[str, Option]:
    """Return by action its best deployment: of the highest expected NPV; without a month, of the highest saving."""
    best: dict[str, Option] = {}
    for option in options:
        known = best.get(option.action)
        if known is None or _rank(option) > _rank(known):
            best[option.action] = option
    return best


def task_options(
    volume: Volume,
    verdict: Mapping[str, object],
    accepted: Sequence[SmallModel],
    smaller_saving: tuple[str, float] | None,
    setting: Setting,
) -> list[Option]:
    """Return the options of a task, ``keep`` first.

    :param verdict: A row of ``VerdictsTable``.
    :param accepted: Small models of the catalogue that fit the task.
    :param smaller_saving: Name of the vendor's smaller model and mean saving a billed call in nano-USD, if any.
    """
    case = _case(volume, setting)
    options = [_keep(case)]
    if verdict["gate"] is not None:
        return options
    program, equal = verdict["program_lo90"], verdict["repeats_equal"]
    if isinstance(program, float) and program >= PROGRAM_FROM:
        options.append(_without_model("code", 1.0, case))
    repeats = float(str(verdict["repeat_share"]))
    if repeats > 0 and isinstance(equal, float) and equal >= _EQUAL_FROM:
        options.append(_without_model("cache", repeats, case))
    for mode in ("swap", "tuned"):
        slm = serving_model(verdict[mode], accepted, setting.assumptions)
        holds = case.parity(verdict, mode)
        if holds is not None and slm is not None:
            options += _to_slm(mode, slm, holds, case)
    holds = case.parity(verdict, "swap")
    if smaller_saving is not None and holds is not None:
        options.append(_to_smaller(smaller_saving, holds, case))
    return options


def serving_model(parity: object, accepted: Sequence[SmallModel], assumptions: Assumptions) -> SmallModel | None:
    """Return the model whose price counts: the one the evidence names; else one of its size, rather larger.

    :param parity: ``swap`` or ``tuned`` of a verdict, or None.
    """
    named = parity.get("slm") if isinstance(parity, dict) else None
    for model in accepted:
        if model.name == named:
            return model
    known = [model for model in small_models() if model.name == named]
    size = known[0].active_b if known else assumptions.central("reference_params_b")
    return nearest([model for model in accepted if model.active_b >= 0.95 * size], size) or nearest(accepted, size)


def break_even_calls(option: Option, horizon_months: float) -> float | None:
    """Return the calls a month that repay an option's people cost over the horizon; None: never, or no price."""
    if option.saved_nusd is None or option.saved_nusd <= 0:
        return None
    fixed = option.one_off_usd / horizon_months + option.monthly_usd
    return fixed * NUSD_PER_USD / option.saved_nusd


def savings_row(option: Option, volume: Volume, assumptions: Assumptions, *, chosen: bool) -> dict[str, object]:
    """Return the option as a row of ``SavingsTable``."""
    low, middle, high = (None, None, None) if option.worth is None else percentiles(option.worth.monthly)
    npv = None if option.worth is None else option.worth.npv
    return {
        "task_id": volume.task_id,
        "action": option.action,
        "deployment": option.deployment,
        "mode": option.mode,
        "slm": option.slm,
        "p10_nusd": low,
        "p50_nusd": middle,
        "p90_nusd": high,
        "p_npv_positive": None if npv is None else float((npv > 0).mean()),
        "npv_p90_nusd": None if npv is None else quantile(np.sort(npv), 0.9),
        "one_off_nusd": round(option.one_off_usd * NUSD_PER_USD),
        "payback_months": _payback(option, volume, assumptions),
        "saving_per_1000_calls_nusd": None if option.saved_nusd is None else round(1000 * option.saved_nusd),
        "break_even_calls_month": break_even_calls(option, assumptions.central("horizon_months")),
        "chosen": chosen,
    }


def _rank(option: Option) -> float:
    expected = option.expected_npv
    return (option.saved_nusd or 0.0) if expected is None else expected


def _payback(option: Option, volume: Volume, assumptions: Assumptions) -> float | None:
    if volume.billed_month is None or option.saved_nusd is None or option.action == "keep":
        return None
    gross = volume.billed_month * option.saved_nusd
    once, monthly = option.one_off_usd * NUSD_PER_USD, option.monthly_usd * NUSD_PER_USD
    return payback_months(gross, once, monthly, assumptions.central("price_decline_year"))


def _case(volume: Volume, setting: Setting) -> _Case:
    priced = volume.call_nusd is not None or volume.seat_only
    calls = None
    if volume.billed_month is not None and priced:
        calls = volume.billed_month * draw_volume(setting.shared, volume.task_id, volume.units, seed=setting.seed)
    correlation = setting.assumptions.central("parity_correlation")
    ranks = draw_ranks(setting.shared, volume.task_id, seed=setting.seed, correlation=correlation)
    return _Case(volume, setting, calls, ranks)


def _keep(case: _Case) -> Option:
    worth = None if case.calls is None else Worth(np.zeros_like(case.calls), np.zeros_like(case.calls))
    return Option("keep", "none", None, None, worth, 0.0, 0.0, 0.0)


def _without_model(action: str, share: float, case: _Case) -> Option:
    saved = share * (case.volume.call_nusd or 0.0)
    return _option(action, _Move(action, "none", None, None, saved, saved, 1.0), case, pilot=False)


def _to_slm(mode: str, slm: SmallModel, holds: np.ndarray, case: _Case) -> list[Option]:
    verb = "swap" if mode == "swap" else "tune"
    options = []
    for deployment in deployments(slm, mode, case.volume, case.setting):
        move = _to_deployment(verb, deployment, mode, slm, holds, case)
        options.append(_option(f"migrate-{verb}", move, case, pilot=False))
        options.append(_option(f"pilot-{verb}", move, case, pilot=True))
    return options


def _to_deployment(
    verb: str, deployment: Deployment, mode: str, slm: SmallModel, holds: np.ndarray, case: _Case
) -> _Move:
    now = case.volume.call_nusd or 0.0
    return _Move(
        what=verb,
        deployment=deployment.name,
        mode=mode,
        slm=slm.name,
        saved=now - deployment.drawn,
        central=now - deployment.call_nusd,
        holds=holds,
        fixed_usd=deployment.month_usd,
        fixed_drawn=deployment.month_drawn,
    )


def _to_smaller(smaller_saving: tuple[str, float], holds: np.ndarray, case: _Case) -> Option:
    name, saved = smaller_saving
    trust = case.setting.assumptions.central("cheaper_llm_parity")
    move = _Move("cheaper_llm", "none", None, name, saved, saved, trust * holds)
    return _option("pilot-cheaper-llm", move, case, pilot=True)


def _option(action: str, move: _Move, case: _Case, *, pilot: bool) -> Option:
    assumptions = case.setting.assumptions
    before = assumptions.once_usd("pilot") if pilot else 0.0
    once, monthly = assumptions.once_usd(move.what), assumptions.monthly_usd(move.what)
    worth = None
    if case.calls is not None and case.volume.seat_only:
        worth = _keep(case).worth
    elif case.calls is not None:
        # Without a pilot the work is spent before anyone knows whether parity holds.
        early, late = (before, once) if pilot else (once, 0.0)
        gross = case.calls * move.saved - move.fixed_drawn * NUSD_PER_USD
        worth = value(case.setting.shared, gross, move.holds, before_usd=early, once_usd=late, monthly_usd=monthly)
    return Option(
        action=action,
        deployment=move.deployment,
        mode=move.mode,
        slm=move.slm,
        worth=worth,
        one_off_usd=before + once,
        monthly_usd=monthly + move.fixed_usd,
        saved_nusd=_central(move, case.volume),
    )


def _central(move: _Move, volume: Volume) -> float | None:
    if volume.seat_only:
        return 0.0
    return None if volume.call_nusd is None else move.central
