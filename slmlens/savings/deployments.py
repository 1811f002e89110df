"""Where a small model would run for a task - hosted as it is, hosted tuned, on GPUs of one's own - and its cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel
from slmlens.savings.levers import WITHOUT_PEOPLE
from slmlens.savings.montecarlo import Setting, draw_price, draw_volume
from slmlens.savings.serving import HOURS_A_MONTH, Serving, about, size, size_least
from slmlens.savings.throughput import token_factors
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD

_NUSD_PER_TOKEN = NUSD_PER_USD / 1_000_000
_Z90 = 1.2816
_SPREAD_BOUNDS = (0.15, 0.8)
_SEVERAL_LISTINGS = 2
_MATTERS_WITHIN = 3
"""Self-hosting that would lose at so many times what is at stake is not sized by replay."""


@dataclass(frozen=True)
class Deployment:
    """A way to run one small model for one task.

    :param name: A word of ``DEPLOYMENTS``.
    :param call_nusd: Central marginal cost of a call, in nano-USD.
    :param drawn: Its draws.
    :param month_usd: Central fixed cost a month, such as that of GPUs; 0.0 where a host bills by use.
    :param month_drawn: Its draws, or the same number for all of them.
    :param note: What the cost rests on.
    :param once_usd: Work that it takes once, such as servers to set up.
    :param work_usd: Work that it takes a month.
    :param fixed_call_nusd: The fixed cost a call: at the log's volume; without a month, at a usual utilisation.
    """

    name: str
    call_nusd: float
    drawn: np.ndarray
    month_usd: float
    month_drawn: np.ndarray | float
    note: str
    once_usd: float = 0.0
    work_usd: float = 0.0
    fixed_call_nusd: float = 0.0


def deployments(model: SmallModel, mode: str, volume: Volume, setting: Setting) -> list[Deployment]:
    """Return the ways to run a small model for a task, hosted first; none without token counts.

    Hosted, where somebody lists a price; self-hosted, where a listed GPU holds the model at the wanted pace.

    :param mode: ``swap`` (as it is) or ``tuned``.
    """
    hosted = _hosted(model, mode, volume, setting)
    own = _self_hosted(model, volume, setting, rival=None if hosted is None else hosted.call_nusd)
    return [found for found in (hosted, own) if found is not None]


def slm_call_nusd(model: SmallModel, volume: Volume, assumptions: Assumptions) -> float | None:
    """Return the central cost of a call of the task at a hosted small model, in nano-USD; None: no token counts."""
    if volume.input_tokens is None or volume.output_tokens is None or model.usd_in is None or model.usd_out is None:
        return None
    discount = 1 - assumptions.central("slm_cached_price")
    inside = volume.input_tokens - discount * volume.cached_tokens
    more_inside, more_outside = token_factors(model, assumptions)
    tokens = inside * more_inside * model.usd_in + volume.output_tokens * more_outside * model.usd_out
    return tokens * _NUSD_PER_TOKEN


def _hosted(model: SmallModel, mode: str, volume: Volume, setting: Setting) -> Deployment | None:
    assumptions, shared = setting.assumptions, setting.shared
    central = slm_call_nusd(model, volume, assumptions)
    if central is None:
        return None
    price = draw_price(model.name, price_spread(model, assumptions), seed=setting.seed, draws=shared.prices.size)
    drawn = central / assumptions.central("tokenizer_ratio") * shared.tokens * shared.prices * price
    note = f"median of {model.listings or 0} listed prices"
    if mode == "swap":
        return Deployment("hosted-base", central, drawn, 0.0, 0.0, note)
    central *= assumptions.central("hosted_tuned_price_factor")
    return Deployment("hosted-tuned", central, drawn * shared.tuned, 0.0, 0.0, f"{note} of the base model")


def _self_hosted(model: SmallModel, volume: Volume, setting: Setting, *, rival: float | None) -> Deployment | None:
    """Return a model on GPUs of one's own; a call costs nothing, the GPUs whatever comes.

    :param rival: Cost of a call where the model is hosted; None: nobody hosts it.
    """
    serving = _serving(model, volume, setting, rival)
    if serving is None:
        return None
    traffic: np.ndarray | float = 1.0
    if serving.replayed and volume.billed_month is not None:
        traffic = draw_volume(setting.shared, volume.task_id, volume.units, seed=setting.seed)
    return Deployment(
        name="self-hosted",
        call_nusd=0.0,
        drawn=np.zeros(setting.shared.prices.size),
        month_usd=serving.usd_month[1],
        month_drawn=serving.month_drawn(setting, traffic),
        note=serving.note + _beside(serving, rival, setting.assumptions),
        once_usd=setting.assumptions.once_usd("self_host"),
        work_usd=setting.assumptions.monthly_usd("self_host"),
        fixed_call_nusd=_fixed_call_nusd(serving, volume, setting.assumptions),
    )


def _beside(serving: Serving, rival: float | None, assumptions: Assumptions) -> str:
    """Return from how many calls a month on the GPUs and their upkeep cost less than the same model hosted."""
    if not rival:
        return "; nobody is listed as hosting it"
    calls = hosted_break_even(serving, rival, assumptions)
    thousand = f"${rival * 1000 / NUSD_PER_USD:.2g} per 1,000 calls"
    return f"; hosted, at {thousand}, the model costs less below {about(calls)} calls a month"


def hosted_break_even(serving: Serving, hosted_call_nusd: float, assumptions: Assumptions) -> float:
    """Return the calls a month above which these GPUs and their upkeep cost less than the model hosted.

    More calls than the GPUs serve take more GPUs: it is a lower bound.
    """
    month_usd = serving.usd_month[1] + assumptions.monthly_usd("self_host")
    return month_usd * NUSD_PER_USD / hosted_call_nusd


def _serving(model: SmallModel, volume: Volume, setting: Setting, rival: float | None) -> Serving | None:
    """Return the GPUs by replay where self-hosting may win; elsewhere the least, which loses already."""
    if volume.input_tokens is None or volume.output_tokens is None:
        return None
    traffic, assumptions = setting.traffic, setting.assumptions
    people_wait = None if volume.machine_only is None else volume.machine_only < WITHOUT_PEOPLE
    least = size_least(
        volume.input_tokens,
        volume.output_tokens,
        model,
        assumptions,
        people_wait=people_wait,
        timed=traffic is None or traffic.timed,
    )
    if least is None or traffic is None or not _matters(least, volume, assumptions, rival):
        return least
    arrivals = traffic.by_task.get(volume.task_id)
    return least if arrivals is None else size(arrivals, model, assumptions, seed=setting.seed)


def _matters(least: Serving, volume: Volume, assumptions: Assumptions, rival: float | None) -> bool:
    """Tell whether self-hosting might cost less than the calls do today and where the model is hosted.

    It can't where the least that serves at all, at the GPU's lowest price and never short of work, costs more.
    """
    if volume.billed_month is None or volume.call_nusd is None:
        return False
    at_stake = volume.call_nusd if rival is None else min(volume.call_nusd, rival)
    lowest = least.usd_month[0] + assumptions.monthly_usd("self_host")
    return _MATTERS_WITHIN * volume.billed_month * at_stake > lowest * NUSD_PER_USD


def _fixed_call_nusd(serving: Serving, volume: Volume, assumptions: Assumptions) -> float:
    if volume.billed_month:
        return serving.usd_month[1] * NUSD_PER_USD / volume.billed_month
    share = assumptions.central("utilisation_unknown")
    calls = serving.gpus * HOURS_A_MONTH * 3600 * share / serving.gpu_seconds_call
    return serving.usd_month[1] * NUSD_PER_USD / calls


def price_spread(model: SmallModel, assumptions: Assumptions) -> float:
    """Return the log-sd of a model's price over its listings; the cheapest of several is their 10th percentile."""
    if (model.listings or 0) < _SEVERAL_LISTINGS or not model.usd_out_min or not model.usd_out or not model.usd_in_min:
        return assumptions.central("price_spread_listings")
    ratio = ((model.usd_in or 0.0) + model.usd_out) / (model.usd_in_min + model.usd_out_min)
    low, high = _SPREAD_BOUNDS
    return min(max(math.log(ratio) / _Z90, low), high)
