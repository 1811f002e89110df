"""Token usage of any provider in one convention: cached tokens inside the input, reasoning inside the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from slmlens.logs.units import count, nano_usd

_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "prompt_token_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details", "completion_token_details")
_CACHED = ("cache_read_input_tokens", "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
_PLAIN = frozenset({"input", "prompt_tokens", "input_tokens", "output", "completion_tokens", "output_tokens", "total"})
_WRITTEN = ("cache_creation_input_tokens", "cache_write_input_tokens", "cache_write_tokens")


class Usage(NamedTuple):
    """Tokens of one call; None is unknown."""

    input_tokens: int | None = None  # cached included
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None  # reasoning included
    reasoning_tokens: int | None = None
    logged_nusd: int | None = None


def usage_body(
    *,
    inputs: object,
    outputs: object,
    cached: object = None,
    written: object = None,
    reasoning: object = None,
    total: object = None,
) -> dict[str, object]:
    """Return counts under the names that :func:`read_usage` reads, cached tokens inside the input.

    :param inputs: Tokens of the prompt, cached ones included.
    :param outputs: Tokens of the answer, reasoning included.
    :param total: What the log calls the total; None: it names none.
    """
    return {
        "prompt_tokens": inputs,
        "completion_tokens": outputs,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def usage_of_counts(counts: Mapping[str, int]) -> dict[str, object] | None:
    """Return usage in OpenAI's terms out of Langfuse's usage details; None if neither input nor output was counted.

    Langfuse's own total of the input is the sum of all keys that hold ``input``: cached and audio tokens stand beside
    it. Usage that an application sent may count them inside; the logged total tells.

    :param counts: The details, their keys in small letters.
    """
    base_in = counts.get("input", counts.get("prompt_tokens", counts.get("input_tokens")))
    base_out = counts.get("output", counts.get("completion_tokens", counts.get("output_tokens")))
    if not base_in and not base_out:
        return None
    beside_in = sum(number for key, number in counts.items() if "input" in key and key not in _PLAIN)
    beside_out = sum(number for key, number in counts.items() if "output" in key and key not in _PLAIN)
    inside = counts.get("total") == (base_in or 0) + (base_out or 0)
    return usage_body(
        inputs=(base_in or 0) + (0 if inside else beside_in),
        outputs=(base_out or 0) + (0 if inside else beside_out),
        cached=_largest(counts, lambda key: "cache" in key and ("read" in key or "cached" in key)),
        written=_largest(counts, lambda key: "cache" in key and ("creat" in key or "write" in key)),
        reasoning=_largest(counts, lambda key: "reasoning" in key),
        total=counts.get("total"),
    )


def _largest(counts: Mapping[str, int], wanted: Callable[[str], bool]) -> int | None:
    return max((number for key, number in counts.items() if wanted(key)), default=None)


def with_cached_inside(inputs: int | None, cached: int | None, written: int | None) -> int | None:
    """Return the whole input where a log counts cached tokens beside it (Anthropic, Bedrock).

    :param inputs: Tokens that were neither read from nor written to the cache; None: not told.
    """
    return None if inputs is None else inputs + (cached or 0) + (written or 0)


def read_usage(usage: Mapping[str, object]) -> Usage:
    """Return logged usage with its conventions normalised.

    Anthropic counts cached tokens beside ``input_tokens``; OpenAI counts them inside ``prompt_tokens`` and inside the
    ``input_tokens`` of the Responses API. Whatever the names, cached tokens that exceed the input must be beside it.
    Reasoning that exceeds the output, or that the logged total adds on top (xAI), is brought inside; so is what a total
    counts beyond input, output and cache, which is the thinking that Gemini's endpoints leave out of the output. Of
    Cohere's two counts the billed one is taken (docs.cohere.com, chat, ``usage.billed_units``).

    :param usage: The ``usage`` object of an answer or of an envelope.
    """
    if not usage:
        return Usage()
    nested, billed = usage.get("tokens"), usage.get("billed_units")
    if isinstance(billed, dict):  # Cohere bills less than what the model saw, cached tokens among it
        usage = billed
    elif isinstance(nested, dict):
        usage = {**usage, **nested}
    inputs = _details(usage, _INPUT_DETAILS)
    outputs = _details(usage, _OUTPUT_DETAILS)
    prompt, given = count(usage.get("prompt_tokens")), count(usage.get("input_tokens"))
    cached = _first(inputs, ("cached_tokens",)) if inputs else None
    beside = prompt is None and given is not None and not inputs
    cached = cached if cached is not None else _first(usage, _CACHED)
    written = _first(inputs, ("cache_write_tokens", "cache_creation_tokens"))
    written = written if written is not None else _first(usage, _WRITTEN)
    total_in = prompt if prompt is not None else given
    out = count(usage.get("completion_tokens"))
    out = out if out is not None else count(usage.get("output_tokens"))
    total, kept_apart = count(usage.get("total_tokens")), (cached or 0) + (written or 0)
    beside |= kept_apart > 0 and total == (total_in or 0) + (out or 0) + kept_apart
    if total_in is not None and (beside or (cached or 0) > total_in):
        total_in += kept_apart
    reasoning = _first(outputs, ("reasoning_tokens", "thinking_tokens"))
    unsaid = (total or 0) - (total_in or 0) - (out or 0)
    if out is not None and total_in is not None and not reasoning and unsaid > 0 and not kept_apart:
        reasoning = unsaid
    if out is not None and reasoning and _reasoning_is_beside(usage, total_in, out, reasoning):
        out += reasoning
    if out is not None and reasoning is not None:
        reasoning = min(reasoning, out)
    return Usage(total_in, cached, written, out, reasoning, _cost(usage))


def _reasoning_is_beside(usage: Mapping[str, object], total_in: int | None, out: int, reasoning: int) -> bool:
    total, plain = count(usage.get("total_tokens")), (total_in or 0) + out
    if reasoning > out:
        return total != plain  # where the total holds, the reasoning was miscounted
    return total is not None and total == plain + reasoning


def _cost(usage: Mapping[str, object]) -> int | None:
    cost = usage.get("cost", usage.get("total_cost"))
    if isinstance(cost, dict):
        cost = cost.get("total_cost", cost.get("total"))
    return nano_usd(cost)


def _details(usage: Mapping[str, object], names: tuple[str, ...]) -> Mapping[str, object]:
    for name in names:
        value = usage.get(name)
        if isinstance(value, dict):
            return value
    return {}


def _first(values: Mapping[str, object], names: tuple[str, ...]) -> int | None:
    for name in names:
        number = count(values[name]) if name in values else None
        if number is not None:
            return number
    return None
