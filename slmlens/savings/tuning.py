"""What a fine-tune costs in GPU time: little beside the people's, and shown all the same."""

from __future__ import annotations

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel
from slmlens.savings.volumes import Volume

_SECONDS_PER_HOUR = 3600
_FLOPS_PER_PARAM_TOKEN = 4
"""LoRA: forward 2, backward through the activations 2; the weights themselves get no gradient (a full fine-tune: 6)."""


def training_usd(model: SmallModel, volume: Volume, assumptions: Assumptions) -> float:
    """Return the GPU cost of one LoRA training, in USD; 0 where the log has no token counts.

    ``GPU hours = 4 x active parameters x tokens / (peak x share of it that is reached) / 3600``, with
    ``tokens = examples x mean tokens x epochs``; at most as many examples as the log holds calls of the task.
    """
    if volume.input_tokens is None or volume.output_tokens is None:
        return 0.0
    examples = min(assumptions.central("tune_examples"), volume.calls)
    tokens = (volume.input_tokens + volume.output_tokens) * assumptions.central("tokenizer_ratio")
    trained = examples * tokens * assumptions.central("tune_epochs")
    flops = _FLOPS_PER_PARAM_TOKEN * model.active_b * 1e9 * trained
    reached = assumptions.central("train_peak_tflops") * 1e12 * assumptions.central("train_peak_share")
    return flops / reached / _SECONDS_PER_HOUR * assumptions.central("train_gpu_hour_usd")


def tuning_once_usd(model: SmallModel, volume: Volume, assumptions: Assumptions) -> float:
    """Return the GPU cost of the first fine-tune, with the runs that look for its settings."""
    return assumptions.central("tune_runs") * training_usd(model, volume, assumptions)


def retraining_month_usd(model: SmallModel, volume: Volume, assumptions: Assumptions) -> float:
    """Return the GPU cost of the retrains, spread over the months."""
    return assumptions.central("retrains_year") / 12 * training_usd(model, volume, assumptions)
