"""Answers of a model to many prompts: greedy, in batches of like length, each as long as the task's answers are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles

from slmlens.specialists.base_models import Loaded
from slmlens.specialists.chat import Message, end_of_turn, prompt_tokens

BATCH_TOKENS = 6_000
"""Tokens of a batch, padding and answers included, which bounds the memory it takes."""
BATCH = 16
"""Prompts of a batch: larger ones gain little on a processor, and wait for their longest answer."""
SPARE = 1.5
_PERCENTILE = 98
_LEAST_NEW = 8
_LEAST_SECONDS = 0.1  # transformers takes no time of zero for a limit


@dataclass(frozen=True)
class Generated:
    """Answers, and what they cost.

    :param texts: One a prompt, in the order of the prompts.
    :param cut: Prompts that did not fit the model's window and lost their middle.
    :param unfinished: Answers that were still going on at the limit, or when the time was up.
    :param seconds: Wall-clock seconds.
    :param tokens: Tokens generated.
    """

    texts: list[str]
    cut: int
    unfinished: int
    seconds: float
    tokens: int


def answer_limit(loaded: Loaded, completions: Sequence[str]) -> int:
    """Return how many tokens an answer may have: half as many again as the 98th percentile of the given ones."""
    sizes = sorted(len(ids) for ids in loaded.tokenizer(list(completions), add_special_tokens=False)["input_ids"])
    high = quantiles(sizes, n=100)[_PERCENTILE - 1] if len(sizes) > 1 else sizes[0]
    return max(int(SPARE * high) + 1, _LEAST_NEW)


def generate(
    loaded: Loaded,
    prompts: Sequence[Sequence[Message]],
    *,
    most_new: int,
    until: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Generated:
    """Return the model's most likely answer to each prompt, token by token (greedy): no seed, no sampling.

    The answer is free text: nothing holds the model to the task's labels or its JSON, since whether it keeps to them
    is part of what is asked.

    :param prompts: Messages of each prompt.
    :param most_new: Most tokens of an answer.
    :param until: Monotonic time at which answers are broken off.
    :param progress: Takes the share that is done.
    """
    began = time.monotonic()
    room = max(loaded.window - most_new, 1)
    ids = [prompt_tokens(loaded, messages) for messages in prompts]
    cut = sum(len(one) > room for one in ids)
    ids = [_middle_out(one, room) for one in ids]
    order = sorted(range(len(ids)), key=lambda at: (-len(ids[at]), at))
    stop = {end_of_turn(loaded.tokenizer), int(loaded.tokenizer.eos_token_id)}
    texts = [""] * len(ids)
    unfinished = tokens = done = 0
    while done < len(order):
        longest = len(ids[order[done]])
        size = max(min(BATCH, BATCH_TOKENS // (longest + most_new)), 1)
        batch = order[done : done + size]
        for at, answer in zip(batch, _answers(loaded, [ids[at] for at in batch], most_new, stop, until), strict=True):
            end = next((place for place, token in enumerate(answer) if token in stop), None)
            unfinished += end is None
            tokens += len(answer) if end is None else end + 1
            texts[at] = loaded.tokenizer.decode(answer[:end], skip_special_tokens=True)
        done += len(batch)
        if progress is not None:
            progress(done / len(order))
    return Generated(texts, cut, unfinished, time.monotonic() - began, tokens)


def _answers(
    loaded: Loaded, ids: list[list[int]], most_new: int, stop: set[int], until: float | None
) -> list[list[int]]:
    import torch
    from transformers import GenerationConfig

    width = max(map(len, ids))
    pad = int(loaded.tokenizer.pad_token_id)
    device = loaded.model.device
    padded = torch.tensor([[pad] * (width - len(one)) + one for one in ids], device=device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in ids], device=device)
    greedy = GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=most_new,
        max_time=None if until is None else max(until - time.monotonic(), _LEAST_SECONDS),
        eos_token_id=sorted(stop),
        pad_token_id=pad,
    )
    loaded.model.eval()
    with torch.inference_mode():
        found = loaded.model.generate(input_ids=padded, attention_mask=mask, generation_config=greedy)
    return [list(row) for row in found[:, width:].tolist()]


def _middle_out(ids: list[int], most: int) -> list[int]:
    """Cut a prompt's middle, so that instructions at its head and the question at its end stay."""
    if len(ids) <= most:
        return ids
    head = most // 3
    return [*ids[:head], *ids[len(ids) - (most - head) :]]
