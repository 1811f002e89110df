"""How fast a small model runs on a GPU: from the throughput measured nearest to it, scaled by its size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel
from slmlens.savings.gpus import Gpu

_BYTES_A_PARAMETER = 2
_TRIANGLE_SD = 1 / math.sqrt(24)
"""Standard deviation of a symmetric triangular distribution over its width."""


@dataclass(frozen=True)
class Rates:
    """A small model on one GPU at the wanted time per output token.

    :param prefill: Input tokens a second, of the whole GPU.
    :param decode: Output tokens a second, of the whole GPU.
    :param tpot_s: Seconds an output token takes.
    :param spread: Log-sd of both rates.
    """

    prefill: float
    decode: float
    tpot_s: float
    spread: float

    def service_seconds(self, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Return how long each call holds a slot: the prompt at the GPU's full rate, then a token at a time."""
        return inside / self.prefill + outside * self.tpot_s

    def gpu_seconds(self, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
        """Return each call's share of the time of a GPU with no slot empty."""
        return inside / self.prefill + outside / self.decode


def rates_of(model: SmallModel, gpu: Gpu, assumptions: Assumptions) -> Rates | None:
    """Return a model's rates on a GPU, or None where it can't reach ``time_per_output_token_ms``.

    The GPU's anchor row says how many calls a second it served, with how much input and output; ``prefill_over_decode``
    splits that in two rates. They go with 1 / active parameters to a power. A row measured at a slower pace than wanted
    is lowered: with n calls in the batch a token takes t0 + n x s, so that the throughput n / t goes with 1 - t0 / t,
    where t0, the time of a lone call, is the time to read the weights once.
    """
    ratio = assumptions.central("prefill_over_decode")
    served = gpu.output_tok_s / gpu.output_tokens
    scale, spread = _by_size(model.active_b / gpu.params_b, assumptions)
    decode = served * (gpu.input_tokens / ratio + gpu.output_tokens) * scale
    wanted = assumptions.central("time_per_output_token_ms") / 1000
    weights_gb = _BYTES_A_PARAMETER * model.active_b
    alone = weights_gb / (gpu.bandwidth_gb_s * assumptions.central("bandwidth_efficiency"))
    if alone >= wanted:
        return None
    measured = gpu.tpot_s / scale
    pace = min(1.0, (1 - alone / wanted) / (1 - alone / measured)) if alone < measured else 1.0
    spread = math.hypot(assumptions.central("throughput_spread"), spread)
    return Rates(prefill=ratio * decode, decode=decode * pace, tpot_s=wanted, spread=spread)


def token_factors(model: SmallModel, assumptions: Assumptions) -> tuple[float, float]:
    """Return a model's input and its output tokens over the incumbent's; one that always thinks writes more."""
    thinking = assumptions.central("thinking_output_factor") if model.thinking == "always" else 1.0
    ratio = assumptions.central("tokenizer_ratio")
    return ratio, ratio * assumptions.central("slm_output_factor") * thinking


def _by_size(times_larger: float, assumptions: Assumptions) -> tuple[float, float]:
    """Return the factor on throughput of a model so many times larger, and the log-sd of that factor."""
    name = "throughput_exponent_smaller" if times_larger < 1 else "throughput_exponent_larger"
    low, likely, high = assumptions.triangle(name)
    return times_larger**-likely, abs(math.log(times_larger)) * (high - low) * _TRIANGLE_SD
