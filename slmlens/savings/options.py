"""The options of one task - keep, code, cache, a small model as it is or tuned, the vendor's smaller one - in money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.cash_flows import Flows, Worth, after_work, running
from slmlens.savings.catalogue import SmallModel, nearest, small_models
from slmlens.savings.deployments import Deployment, deployments
from slmlens.savings.montecarlo import Setting, draw_agreement, draw_ranks, draw_volume
from slmlens.savings.tuning import retraining_month_usd, tuning_once_usd
from slmlens.savings.volumes import Volume
from slmlens.savings.wrong_answers import Loss, wrong_answer_loss
from slmlens.suitability.decide import PROGRAM_FROM
from slmlens.suitability.judge import ANY_MODEL
from slmlens.suitability.larger import params_b_of
from slmlens.tables import MODES, NUSD_PER_USD

_EQUAL_FROM = 0.99


@dataclass(frozen=True)
class Option:
    """An option and its money.

    :param worth: Draws; None: no month or no price.
    :param one_off_usd: Work if it goes ahead, pilot included: people, and GPU time of a fine-tune.
    :param monthly_usd: Work a month, and what runs whether or not a call comes, such as GPUs.
    :param saved_nusd: Central saving a call of the task, before work and wrong answers; None: no price.
    :param wrong_nusd: What wrong answers beyond the present model's cost a call, where parity holds.
    :param fixed_usd: Of ``monthly_usd``, what runs whether or not a call comes.
    :param fixed_call_nusd: That cost a call, at the log's volume.
    :param call_nusd: Central cost of a call beside it; None: no small model is called.
    :param rests_on: What the cost of running the model rests on.
    :param open_share: Share of the horizon's calls that no commitment covers.
    :param flows: What ``worth`` is made of; None where that is None, and for what saves nothing.
    """

    action: str
    deployment: str
    mode: str | None
    slm: str | None
    worth: Worth | None
    one_off_usd: float
    monthly_usd: float
    saved_nusd: float | None
    wrong_nusd: float = 0.0
    fixed_usd: float = 0.0
    fixed_call_nusd: float = 0.0
    call_nusd: float | None = None
    rests_on: str | None = None
    open_share: float = 1.0
    flows: Flows | None = None

    @property
    def net_nusd(self) -> float | None:
        """Central saving a call after the cost of wrong answers, over the horizon's calls that no commitment covers."""
        return None if self.saved_nusd is None else (self.saved_nusd - self.wrong_nusd) * self.open_share

    @property
    def expected_npv(self) -> float | None:
        """Mean net present value in nano-USD, or None where there is no month or no price."""
        return None if self.worth is None else float(self.worth.npv.mean())


@dataclass(frozen=True)
class _Move:
    """Where the calls would go.

    :param saved: Draws of the saving a call of the task, in nano-USD.
    :param central: Its central value.
    :param loss: What wrong answers cost a call; None: the answers stay the present model's.
    :param once_usd: Work beside people's, once, such as the GPU time of a fine-tune.
    :param month_usd: The same a month, such as that of retrains.
    :param fixed_usd: What runs whether or not a call comes, a month, such as GPUs.
    :param fixed_drawn: Its draws.
    :param where: The deployment; None: no small model is called.
    """

    what: str
    deployment: str
    mode: str | None
    slm: str | None
    saved: np.ndarray | float
    central: float
    holds: np.ndarray | float = 1.0
    loss: Loss | None = None
    once_usd: float = 0.0
    month_usd: float = 0.0
    fixed_usd: float = 0.0
    fixed_drawn: np.ndarray | float = 0.0
    where: Deployment | None = None


@dataclass(frozen=True)
class _Quality:
    """Draws of whether a mode holds parity, and what its wrong answers cost a call."""

    holds: np.ndarray
    loss: Loss


@dataclass(frozen=True)
class _Case:
    """A task and its draws, which all its options share.

    :param calls: Draws of the billed calls a month; None: no month or no price.
    :param ranks: Ranks at which A is drawn.
    :param open_share: Share of the calls that no commitment covers, by month; None: no commitment.
    """

    volume: Volume
    verdict: Mapping[str, object]
    setting: Setting
    calls: np.ndarray | None
    ranks: np.ndarray
    open_share: np.ndarray | None

    def quality(self, mode: str) -> _Quality | None:
        """Return what is believed of a mode, or None where it has no posterior."""
        found = self.verdict[mode]
        if not isinstance(found, dict):
            return None
        drawn = draw_agreement(self.ranks, found["quantiles"])
        holds = np.where(drawn >= float(str(self.verdict["a_needed"])), 1.0, 0.0)
        shared, assumptions = self.setting.shared, self.setting.assumptions
        return _Quality(
            holds, wrong_answer_loss(drawn, found["quantiles"], self.verdict, self.volume, shared, assumptions)
        )


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
    case = _case(volume, verdict, setting)
    options = [_keep(case)]
    if verdict["gate"] is not None:
        return options
    program, equal = verdict["program_lo90"], verdict["repeats_equal"]
    if isinstance(program, float) and program >= PROGRAM_FROM:
        options.append(_without_model("code", 1.0, case))
    repeats = float(str(verdict["repeat_share"]))
    if repeats > 0 and isinstance(equal, float) and equal >= _EQUAL_FROM:
        options.append(_without_model("cache", repeats, case))
    qualities = {mode: case.quality(mode) for mode in MODES}
    for mode, quality in qualities.items():
        slm = serving_model(verdict[mode], accepted, setting.assumptions)
        if quality is not None and slm is not None:
            options += _to_slm(mode, slm, quality, case)
    as_is = qualities["swap"]
    if smaller_saving is not None and as_is is not None:
        options.append(_to_smaller(smaller_saving, as_is, case))
    return options


def serving_model(parity: object, accepted: Sequence[SmallModel], assumptions: Assumptions) -> SmallModel | None:
    """Return the model whose price counts: the one the evidence names; else a hosted one of its size, rather larger.

    A model that is not listed, such as a folder of one's own, has the size its name tells, else the reference size.

    :param parity: ``swap`` or ``tuned`` of a verdict, or None.
    """
    named = parity.get("slm") if isinstance(parity, dict) else None
    for model in accepted:
        if model.name == named:
            return model
    known = [model for model in small_models() if model.name == named]
    told = None if named is None or named.startswith(ANY_MODEL) else params_b_of(named)
    size = known[0].active_b if known else told or assumptions.central("reference_params_b")
    on_offer = [model for model in accepted if model.hosted] or list(accepted)
    return nearest([model for model in on_offer if model.active_b >= 0.95 * size], size) or nearest(on_offer, size)


def break_even_calls(option: Option, horizon_months: float) -> float | None:
    """Return the calls a month that repay an option's work over the horizon; None: never, or no price.

    ``(one-off / months + monthly) / (saving a call - wrong answers a call)``; calls that a commitment covers until it
    ends save nothing until then.
    """
    net = option.net_nusd
    if net is None or net <= 0:
        return None
    fixed = option.one_off_usd / horizon_months + option.monthly_usd
    return fixed * NUSD_PER_USD / net


def _rank(option: Option) -> float:
    expected = option.expected_npv
    return (option.saved_nusd or 0.0) - option.fixed_call_nusd if expected is None else expected


def _case(volume: Volume, verdict: Mapping[str, object], setting: Setting) -> _Case:
    priced = volume.call_nusd is not None or volume.seat_only
    calls = None
    if volume.billed_month is not None and priced:
        calls = volume.billed_month * draw_volume(setting.shared, volume.task_id, volume.units, seed=setting.seed)
    correlation = setting.assumptions.central("parity_correlation")
    ranks = draw_ranks(setting.shared, volume.task_id, seed=setting.seed, correlation=correlation)
    return _Case(volume, verdict, setting, calls, ranks, volume.open_share(setting.shared.discount.size))


def _keep(case: _Case) -> Option:
    worth = None if case.calls is None else Worth(np.zeros_like(case.calls), np.zeros_like(case.calls))
    return Option("keep", "none", None, None, worth, 0.0, 0.0, 0.0)


def _without_model(action: str, share: float, case: _Case) -> Option:
    saved = share * (case.volume.call_nusd or 0.0)
    return _option(action, _Move(action, "none", None, None, saved, saved), case, pilot=False)


def _to_slm(mode: str, slm: SmallModel, quality: _Quality, case: _Case) -> list[Option]:
    verb = "swap" if mode == "swap" else "tune"
    options = []
    for deployment in deployments(slm, mode, case.volume, case.setting):
        move = _to_deployment(verb, deployment, mode, slm, quality, case)
        options += _options(move, case, [(f"migrate-{verb}", False), (f"pilot-{verb}", True)])
    return options


def _to_deployment(
    verb: str, deployment: Deployment, mode: str, slm: SmallModel, quality: _Quality, case: _Case
) -> _Move:
    now, assumptions = case.volume.call_nusd or 0.0, case.setting.assumptions
    tuned = mode == "tuned"
    return _Move(
        what=verb,
        deployment=deployment.name,
        mode=mode,
        slm=slm.name,
        saved=now - deployment.drawn,
        central=now - deployment.call_nusd,
        holds=quality.holds,
        loss=quality.loss,
        once_usd=deployment.once_usd + (tuning_once_usd(slm, case.volume, assumptions) if tuned else 0.0),
        month_usd=deployment.work_usd + (retraining_month_usd(slm, case.volume, assumptions) if tuned else 0.0),
        fixed_usd=deployment.month_usd,
        fixed_drawn=deployment.month_drawn,
        where=deployment,
    )


def _to_smaller(smaller_saving: tuple[str, float], quality: _Quality, case: _Case) -> Option:
    name, saved = smaller_saving
    trust = case.setting.assumptions.central("cheaper_llm_parity")
    move = _Move("cheaper_llm", "none", None, name, saved, saved, trust * quality.holds, quality.loss)
    return _option("pilot-cheaper-llm", move, case, pilot=True)


def _option(action: str, move: _Move, case: _Case, *, pilot: bool) -> Option:
    return _options(move, case, [(action, pilot)])[0]


def _options(move: _Move, case: _Case, actions: Sequence[tuple[str, bool]]) -> list[Option]:
    """Return an option of a move for each (action, whether a pilot comes first)."""
    assumptions, shared = case.setting.assumptions, case.setting.shared
    once = assumptions.once_usd(move.what) + move.once_usd
    monthly = assumptions.monthly_usd(move.what) + move.month_usd
    moved = _flows(move, case, once=once, monthly=monthly)
    runs = None if moved is None else running(shared, moved)
    options = []
    for action, pilot in actions:
        before = assumptions.once_usd("pilot") if pilot else 0.0
        flows = moved
        if moved is not None and not pilot:
            # Without a pilot the work is spent before anyone knows whether parity holds.
            flows = replace(moved, before_usd=once, once_usd=0.0)
        elif moved is not None:
            flows = replace(moved, before_usd=before)
        worth = _keep(case).worth if flows is None or runs is None else after_work(shared, flows, runs)
        options.append(_as_option(action, move, case, worth, flows, one_off=before + once, monthly=monthly))
    return options


def _as_option(
    action: str, move: _Move, case: _Case, worth: Worth | None, flows: Flows | None, *, one_off: float, monthly: float
) -> Option:
    return Option(
        action=action,
        deployment=move.deployment,
        mode=move.mode,
        slm=move.slm,
        worth=worth,
        one_off_usd=one_off,
        monthly_usd=monthly + move.fixed_usd,
        saved_nusd=_central(move, case.volume),
        wrong_nusd=0.0 if move.loss is None or case.volume.seat_only else move.loss.central,
        fixed_usd=move.fixed_usd,
        fixed_call_nusd=0.0 if move.where is None or case.volume.seat_only else move.where.fixed_call_nusd,
        call_nusd=None if move.where is None else move.where.call_nusd,
        rests_on=None if move.where is None else move.where.note,
        open_share=1.0 if case.open_share is None else float(case.open_share.mean()),
        flows=flows,
    )


def _flows(move: _Move, case: _Case, *, once: float, monthly: float) -> Flows | None:
    """Return the flows of a move after a pilot; None: no month, no price, or a seat plan pays all of it."""
    if case.calls is None or case.volume.seat_only:
        return None
    return Flows(
        saving=case.calls * move.saved,
        loss=0.0 if move.loss is None else case.calls * move.loss.drawn,
        holds=move.holds,
        before_usd=0.0,
        once_usd=once,
        monthly_usd=monthly,
        fixed=move.fixed_drawn * NUSD_PER_USD,
        open_share=case.open_share,
    )


def _central(move: _Move, volume: Volume) -> float | None:
    if volume.seat_only:
        return 0.0
    return None if volume.call_nusd is None else move.central
