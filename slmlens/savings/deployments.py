"""Where a small model would run for a task - hosted as it is, hosted tuned - and what a call costs there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel
from slmlens.savings.montecarlo import Setting, draw_price
from slmlens.savings.volumes import Volume
from slmlens.tables import NUSD_PER_USD

_NUSD_PER_TOKEN = NUSD_PER_USD / 1_000_000
_Z90 = 1.2816
_SPREAD_BOUNDS = (0.15, 0.8)
_SEVERAL_LISTINGS = 2


@dataclass(frozen=True)
class Deployment:
    """A way to run one small model for one task.

    :param name: A word of ``DEPLOYMENTS``.
    :param call_nusd: Central marginal cost of a call, in nano-USD.
    :param drawn: Its draws.
    :param month_usd: Central fixed cost a month, such as that of GPUs; 0.0 where a host bills by use.
    :param month_drawn: Its draws, or the same number for all of them.
    :param note: What the cost rests on.
    """

    name: str
    call_nusd: float
    drawn: np.ndarray
    month_usd: float
    month_drawn: np.ndarray | float
    note: str


def deployments(model: SmallModel, mode: str, volume: Volume, setting: Setting) -> list[Deployment]:
    """Return the ways to run a small model for a task; none without token counts or any price.

    :param mode: ``swap`` (as it is) or ``tuned``.
    """
    hosted = _hosted(model, mode, volume, setting)
    return [hosted] if hosted is not None else []


def slm_call_nusd(model: SmallModel, volume: Volume, assumptions: Assumptions) -> float | None:
    """Return the central cost of a call of the task at a hosted small model, in nano-USD; None: no token counts."""
    if volume.input_tokens is None or volume.output_tokens is None or model.usd_in is None or model.usd_out is None:
        return None
    discount = 1 - assumptions.central("slm_cached_price")
    inside = volume.input_tokens - discount * volume.cached_tokens
    thinking = assumptions.central("thinking_output_factor") if model.thinking == "always" else 1.0
    outside = volume.output_tokens * assumptions.central("slm_output_factor") * thinking
    tokens = inside * model.usd_in + outside * model.usd_out
    return tokens * _NUSD_PER_TOKEN * assumptions.central("tokenizer_ratio")


def _hosted(model: SmallModel, mode: str, volume: Volume, setting: Setting) -> Deployment | None:
    assumptions, shared = setting.assumptions, setting.shared
    central = slm_call_nusd(model, volume, assumptions)
    if central is None:
        return None
    price = draw_price(model.name, _spread(model, assumptions), seed=setting.seed, draws=shared.prices.size)
    drawn = central / assumptions.central("tokenizer_ratio") * shared.tokens * shared.prices * price
    note = f"median of {model.listings or 0} listed prices"
    if mode == "swap":
        return Deployment("hosted-base", central, drawn, 0.0, 0.0, note)
    central *= assumptions.central("hosted_tuned_price_factor")
    return Deployment("hosted-tuned", central, drawn * shared.tuned, 0.0, 0.0, f"{note} of the base model")


def _spread(model: SmallModel, assumptions: Assumptions) -> float:
    """Return the log-sd of a model's price over its listings; the cheapest of several is their 10th percentile."""
    if (model.listings or 0) < _SEVERAL_LISTINGS or not model.usd_out_min or not model.usd_out or not model.usd_in_min:
        return assumptions.central("price_spread_listings")
    ratio = ((model.usd_in or 0.0) + model.usd_out) / (model.usd_in_min + model.usd_out_min)
    return float(np.clip(math.log(ratio) / _Z90, *_SPREAD_BOUNDS))
