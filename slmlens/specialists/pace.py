"""The pace of a LoRA run: a small batch is timed, and steps, batch and validation looks are set to fit the seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from slmlens.specialists.base_models import Loaded
from slmlens.specialists.chat import Tokens
from slmlens.specialists.sft import LEAST_STEPS, Recipe

AIMED_STEPS = 2 * LEAST_STEPS
"""Steps that a run should have before it learns from as many examples a step as the recipe says."""
LEAST_BATCH = 1
CHECK_SHARE = 0.15
"""Most of a run's seconds that all looks at the validation block may take."""
LEAST_CHECKED = 6
FORWARD_SHARE = 0.6
"""A forward pass, beside a step forwards and back: 0.4 to 0.7 measured on two cores, weights frozen."""
TRL_FACTOR = 1.25
"""A step of TRL beside the timed one: 1.3 measured where half of the tokens are answers (it computes their
log-probabilities in chunks, twice, and their entropy), about 1 where answers are labels."""

_KEPT_STEPS = 0.9
_TIMED_TOKENS = 200
_TIMED_PASSES = 2


@dataclass(frozen=True)
class Pace:
    """What fits the seconds of a run.

    :param batch: Examples a step.
    :param steps: Steps.
    :param every: Steps between two looks at the validation block.
    :param checked: Validation examples of a look.
    :param bounded: The time allows fewer steps than the epochs would take.
    """

    batch: int
    steps: int
    every: int
    checked: int
    bounded: bool


def pace_of(recipe: Recipe, train: list[Tokens], validation: list[Tokens], a_token: float, left: float) -> Pace:
    """Return the pace at which a run ends in time; it has ``LEAST_STEPS`` at least, whatever the time says.

    :param a_token: Seconds of a training token.
    :param left: Seconds that are left for steps and looks.
    """
    an_example = a_token * sum(map(len, train)) / len(train)
    a_check = FORWARD_SHARE * a_token * sum(map(len, validation)) / max(len(validation), 1)
    affordable = int(CHECK_SHARE * left / max(a_check, 1e-9))  # examples, over all looks
    looks = _between(1, affordable // LEAST_CHECKED, recipe.checks)
    checked = _between(LEAST_CHECKED, affordable // looks, len(validation))
    left -= looks * checked * a_check
    batch = _between(LEAST_BATCH, int(left / (AIMED_STEPS * an_example)), recipe.batch)
    whole = max(int(recipe.epochs * len(train) / batch), 1)
    affordable = int(left / (batch * an_example))
    steps = max(min(whole, affordable), min(whole, LEAST_STEPS))
    every = steps // _even_looks(steps, looks)
    return Pace(batch, steps - steps % every, every, checked, affordable < whole)  # the last look is at the end


def _even_looks(steps: int, most: int) -> int:
    """Return the most looks, at equal distances, that cost few of the steps, and none of the least ones."""
    kept = max(_KEPT_STEPS * steps, min(steps, LEAST_STEPS))
    return next(looks for looks in range(min(most, steps), 0, -1) if steps - steps % looks >= kept)


def _between(least: int, value: int, most: int) -> int:
    return min(max(value, least), most)


def seconds_a_token(loaded: Loaded, train: list[Tokens]) -> float:
    """Return the seconds of a training token, with as many threads as torch had, or with one if that is faster.

    Where others keep the cores busy threads wait for each other: on 2 such cores a step took 3 s with one thread, and 4
    to 34 s with two. The number of threads is left at the faster one.
    """
    import torch

    by_length = sorted(train, key=len)
    middle = len(by_length) // 2
    batch = by_length[middle : middle + max(_TIMED_TOKENS // len(by_length[middle]), 1)]
    seconds: dict[int, float] = {}
    for threads in dict.fromkeys((torch.get_num_threads(), 1)):
        torch.set_num_threads(threads)
        seconds[threads] = min(_one_step(loaded, batch) for _ in range(1 if seconds else _TIMED_PASSES))
    best = min(seconds, key=lambda threads: seconds[threads])
    torch.set_num_threads(best)
    return TRL_FACTOR * seconds[best] / sum(map(len, batch))


def _one_step(loaded: Loaded, batch: list[Tokens]) -> float:
    """Return the seconds of a step forwards and back."""
    import torch

    began = time.monotonic()
    width = max(map(len, batch))
    pad = int(loaded.tokenizer.pad_token_id)
    ids = [[*[pad] * (width - len(one)), *one.prompt, *one.completion] for one in batch]
    loaded.model.train()
    # TRL too computes the logits of the completions only
    keep = max(len(one.completion) for one in batch)
    logits = loaded.model(input_ids=torch.tensor(ids, device=loaded.model.device), logits_to_keep=keep).logits
    logits.float().logsumexp(-1).mean().backward()
    loaded.model.zero_grad(set_to_none=True)
    return time.monotonic() - began
