"""Why a task can't take a small model, by criterion, and what would change that.

The criteria are those of arXiv 2506.02153, section 6, step S4: capability (what it reads, tools, window), licence and
deployment footprint; what is known of its quality on the task is no criterion but its chance of parity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel

CRITERIA = ("licence", "size", "modality", "tools", "window", "footprint")
"""In the order in which they are looked at."""
_KIB_IN_GB = 1e9 / 1024
_AT_LEAST = 0.1


@dataclass(frozen=True)
class Needs:
    """What a task asks of a model.

    :param p99_tokens: 99th percentile of input plus output tokens; None: no token counts.
    :param tools: It calls tools.
    :param modalities: What its prompts hold beside text.
    """

    p99_tokens: float | None
    tools: bool
    modalities: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rejection:
    """Why a model is ruled out for a task.

    :param criterion: One of ``CRITERIA``.
    :param why: The reason, with its figures.
    :param change: What would change it.
    """

    criterion: str
    why: str
    change: str

    def __str__(self) -> str:
        return f"{self.why} ({self.change})"


def rejection(model: SmallModel, needs: Needs, assumptions: Assumptions) -> Rejection | None:
    """Return the first criterion that a model fails for a task, or None where the task can take it.

    Every limit is an assumption: ``licence_gate``, ``largest_params_b``, ``window_headroom``, ``tokenizer_ratio``,
    ``memory_gb``, ``memory_calls``, ``weight_bytes_per_param``, ``gpu_memory_share`` and ``kv_kib_per_token``.
    """
    return next(_rejections(model, needs, assumptions), None)


def weights_gb(model: SmallModel, assumptions: Assumptions) -> float:
    """Return the memory that a model's weights take, in GB of 10^9 bytes: parameters times bytes a parameter."""
    return model.params_b * assumptions.central("weight_bytes_per_param")


def cache_gb(model: SmallModel, tokens: float, assumptions: Assumptions) -> float:
    """Return the memory that so many tokens take in the cache of keys and values, in GB of 10^9 bytes.

    2 x layers x key-value heads x head dimension x 2 bytes a token, from the model's own layout; where that is not
    known, the assumption ``kv_kib_per_token``.
    """
    kib = model.kv_kib if model.kv_kib is not None else assumptions.central("kv_kib_per_token")
    return tokens * kib / _KIB_IN_GB


def window_needed(needs: Needs, assumptions: Assumptions) -> float | None:
    """Return the window a task asks for, in the small model's tokens; None: the log has no token counts."""
    if needs.p99_tokens is None:
        return None
    return needs.p99_tokens * assumptions.central("window_headroom") * assumptions.central("tokenizer_ratio")


def remark(model: SmallModel, needs: Needs) -> str:
    """Return what to know about an accepted model."""
    where = "self-hosted only: nobody is listed as hosting it"
    if model.hosted:
        where = f"${model.usd_in:g}/${model.usd_out:g} a million tokens in/out, hosted"
    notes = [f"{round(model.params_b, 1):g}B, {where}"]
    if needs.p99_tokens is None:
        notes.append("window not checked: no token counts")
    if needs.tools and model.tools == "prompt":
        notes.append("tools only by prompting")
    if model.thinking == "always":
        notes.append("thinks before every answer, which is priced in")
    if model.commercial_use == "terms":
        notes.append(f"under the conditions of {model.licence}")
    doubtful = sorted(_decisive(needs) - model.verified)
    if doubtful:
        notes.append(f"unconfirmed: {', '.join(doubtful)}")
    return "; ".join(notes)


def _decisive(needs: Needs) -> set[str]:
    """Return the facts of a model that its acceptance rests on."""
    return {"licence", *(["context"] if needs.p99_tokens is not None else []), *(["tools"] if needs.tools else [])}


def _rejections(model: SmallModel, needs: Needs, assumptions: Assumptions) -> Iterator[Rejection]:
    if model.commercial_use == "no" and assumptions.central("licence_gate"):
        why = f"licence {model.licence} forbids commercial use"
        yield Rejection("licence", why, "a licence from its maker, then licence_gate: 0")
    largest = assumptions.central("largest_params_b")
    if model.params_b > largest:
        why = f"{round(model.params_b, 1):g}B parameters, {largest:g}B are looked at"
        yield Rejection("size", why, f"largest_params_b: {round(model.params_b + _AT_LEAST / 2, 1):g}")
    missing = sorted(needs.modalities - set(model.modalities.split("+")))
    if missing:
        yield Rejection("modality", f"reads no {', '.join(missing)}", "prompts with text only")
    if needs.tools and model.tools == "no":
        yield Rejection("tools", "calls no tools", "a step that answers in JSON instead of a tool call")
    yield from _too_small_a_window(model, needs, assumptions)
    yield from _too_large(model, needs, assumptions)


def _too_small_a_window(model: SmallModel, needs: Needs, assumptions: Assumptions) -> Iterator[Rejection]:
    wanted = window_needed(needs, assumptions)
    if wanted is None:
        return
    if model.context_window is None:
        yield Rejection("window", "context window unknown", "a source for its window")
    elif model.context_window < wanted:
        why = f"context window of {model.context_window:,} tokens, {wanted:,.0f} needed"
        fits = model.context_window / wanted * (needs.p99_tokens or 0.0)
        yield Rejection("window", why, f"99 % of prompts with answers within {fits:,.0f} tokens")


def _too_large(model: SmallModel, needs: Needs, assumptions: Assumptions) -> Iterator[Rejection]:
    limit = assumptions.central("memory_gb") * assumptions.central("gpu_memory_share")
    if not limit:
        return
    tokens = (needs.p99_tokens or 0.0) * assumptions.central("tokenizer_ratio") * assumptions.central("memory_calls")
    weights, cached = weights_gb(model, assumptions), cache_gb(model, tokens, assumptions)
    if weights + cached > limit:
        why = f"weights of {weights:.1f} GB and a cache of {cached:.1f} GB, {limit:.1f} GB usable"
        total = (weights + cached) / assumptions.central("gpu_memory_share")
        yield Rejection("footprint", why, f"memory_gb: {total + _AT_LEAST / 2:.1f}, or fewer weight_bytes_per_param")
