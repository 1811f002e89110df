"""Calls of the sample before they become export lines: the steps, their models, what they cost and how they fail."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

Message = dict[str, Any]

BYTES_PER_TOKEN = 4.2
"""The fixed ratio by which the sample counts tokens; it holds no real tokeniser."""
MESSAGE_TOKENS = 4
CACHE_FROM, CACHE_STEP = 1_024, 128
"""Prompts are cached from 1,024 tokens on, in steps of 128 (OpenAI, Prompt caching)."""
_UNCACHED = ("gpt-4-turbo", "gpt-4o-2024-05-13")
_CACHE_HITS = 0.7
_RETRY_PROMPT = "That was not a valid JSON object. Send the object again and nothing else."
_REFUSAL = "I'm sorry, but I can't help with that."
_ERRORS = (
    (429, "rate_limit_exceeded", "Rate limit reached for requests. Please try again in 2s."),
    (500, "server_error", "The server had an error while processing your request."),
    (504, "timeout", "The request timed out."),
)


@dataclass(frozen=True)
class Step:
    """A step of an agent.

    :param service: ``support-desk`` or ``ops-assistant``.
    :param agent: Which agent takes it.
    :param team: Who pays.
    :param model: The model that is asked.
    :param served: The model that answers.
    :param provider: ``openai`` or ``azure``.
    :param thinking: Median reasoning tokens; 0 for a model that doesn't reason.
    :param kind: Kind of its answers: label, json, tool_call, text, code.
    :param learnable: Whether the answers follow from the prompts, as planted.
    :param expected: What an honest report says of it, in the contract's words, before any pilot.
    :param failures: Share of calls that end as ``malformed``, ``refusal`` or ``truncated``.
    """

    service: str
    agent: str
    team: str
    model: str
    served: str
    kind: str
    learnable: str
    expected: str
    provider: str = "openai"
    thinking: int = 0
    failures: Mapping[str, float] = field(default_factory=dict)


SUPPORT, OPS = "support-desk", "ops-assistant"
_CARE, _SHOP, _LOGISTICS = "customer-care", "web-shop", "logistics"
_TURBO = ("gpt-4-turbo", "gpt-4-turbo-2024-04-09")
_GPT4O = ("gpt-4o", "gpt-4o-2024-08-06")
_GPT4O_MAY = ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13")
_GPT41 = ("gpt-4.1", "gpt-4.1-2025-04-14")
_MINI41 = ("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14")
_NANO41 = ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14")
_MINI4O = ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")

STEPS: dict[str, Step] = {
    "detect_language": Step(SUPPORT, "triage", _CARE, *_NANO41, "label", "yes", "keep: money (a nano-class incumbent)"),
    "route_intent": Step(SUPPORT, "triage", _CARE, *_TURBO, "label", "yes, from words; 2 % label noise", "pilot"),
    "score_priority": Step(SUPPORT, "triage", _CARE, *_TURBO, "label", "no: by chance", "keep: quality (no signal)"),
    "moderate_review": Step(
        SUPPORT, "community", _SHOP, *_GPT4O, "label", "yes; 2 % are the rare class", "keep: money",
        provider="azure", failures={"refusal": 0.006},
    ),
    "extract_case_facts": Step(
        SUPPORT, "archivist", _CARE, *_TURBO, "json", "yes, copied spans", "pilot, and worth a fine-tune",
        failures={"malformed": 0.025},
    ),
    "choose_action": Step(SUPPORT, "resolver", _CARE, *_GPT4O, "tool_call", "the tool yes, its queries no", "open"),
    "fill_return_form": Step(SUPPORT, "resolver", _CARE, *_GPT41, "tool_call", "yes, copied spans", "keep: money"),
    "draft_reply": Step(
        SUPPORT, "writer", _CARE, *_GPT41, "text", "open-ended, read by people", "open until a pilot",
        failures={"refusal": 0.005, "truncated": 0.005},
    ),
    "summarise_case": Step(
        SUPPORT, "archivist", _CARE, *_MINI4O, "text", "weakly comparable", "keep: money", failures={"truncated": 0.02}
    ),
    "settle_dispute": Step(
        SUPPORT, "claims", _CARE, "o3", "o3-2025-04-16", "text", "no: long reasoning", "keep: not enough data",
        thinking=2_600, failures={"truncated": 0.05},
    ),
    "faq_answer": Step(OPS, "widget", _SHOP, *_GPT4O_MAY, "text", "exact repeats", "cache"),
    "normalise_manifest_line": Step(OPS, "dock", _LOGISTICS, *_TURBO, "json", "a function of the prompt", "code"),
    "sql_analyst": Step(OPS, "analyst", _LOGISTICS, *_GPT41, "code", "partly", "open", failures={"truncated": 0.004}),
    "plan_replenishment": Step(
        OPS, "planner", _LOGISTICS, "gpt-5", "gpt-5-2025-08-07", "text", "no: long reasoning", "keep: quality",
        thinking=2_400, failures={"truncated": 0.03},
    ),
    "tag_catalogue": Step(OPS, "catalogue", _SHOP, *_MINI41, "json", "yes, from words", "keep: money (nightly batch)"),
}  # fmt: skip
"""The planted tasks."""


@dataclass(frozen=True)
class Call:
    """One call. ``answer`` is text, or None where ``tool`` (name, arguments) is called or the call failed."""

    task: str
    session: str
    user: str | None
    at: dt.datetime
    messages: Sequence[Message]
    answer: str | None = None
    tool: tuple[str, Mapping[str, Any]] | None = None
    offered: tuple[str, ...] = ()
    json_mode: bool = False
    outcome: str = "ok"
    error: tuple[int, str, str] | None = None
    thinking: int = 0
    planted: tuple[tuple[str, str], ...] = ()

    @property
    def step(self) -> Step:
        """The step it is a call of."""
        return STEPS[self.task]


def compact(value: object) -> str:
    """Return JSON as models write it."""
    return json.dumps(value, ensure_ascii=False)


def tokens_of(text: str) -> int:
    """Return tokens by the fixed ratio."""
    return -int(-len(text.encode()) // BYTES_PER_TOKEN) if text else 0


def prompt_tokens(call: Call, tools: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return all input tokens, and those of the part that earlier calls share: all but the last message."""
    each = [tokens_of(compact(message)) + MESSAGE_TOKENS for message in call.messages]
    declared = tokens_of(compact(tools)) if tools else 0
    return declared + sum(each), declared + sum(each[:-1])


def cached_tokens(rng: Random, call: Call, shared: int) -> int:
    """Return how many input tokens were served from the vendor's prompt cache."""
    if call.step.model in _UNCACHED or shared < CACHE_FROM or rng.random() > _CACHE_HITS:
        return 0
    return shared // CACHE_STEP * CACHE_STEP


def with_failures(rng: Random, calls: Sequence[Call], error_rate: float = 0.012) -> list[Call]:
    """Return the calls with what goes wrong: errors and their retries, refusals, cut answers, broken JSON."""
    done: list[Call] = []
    for call in calls:
        if rng.random() < error_rate:
            at = call.at - dt.timedelta(seconds=rng.randrange(3, 20))
            done.append(replace(call, at=at, answer=None, tool=None, outcome="error", error=rng.choice(_ERRORS)))
        done += _ended(rng, call)
    return done


def _ended(rng: Random, call: Call) -> list[Call]:
    draw = rng.random()
    outcome = "ok"
    for name, share in call.step.failures.items():
        if draw < share:
            outcome = name
            break
        draw -= share
    answer = call.answer or ""
    if outcome == "refusal":
        return [replace(call, answer=_REFUSAL, outcome=outcome)]
    if outcome == "truncated":
        return [replace(call, answer=answer[: int(len(answer) * rng.uniform(0.4, 0.9))], outcome=outcome)]
    if outcome == "malformed":
        cut = answer[: int(len(answer) * rng.uniform(0.5, 0.9))]
        broken = rng.choice((cut, answer[1:], answer.replace(": ", " ", 1)))
        retry = [*call.messages, {"role": "assistant", "content": broken}, {"role": "user", "content": _RETRY_PROMPT}]
        later = call.at + dt.timedelta(seconds=rng.randrange(3, 9))
        return [replace(call, answer=broken, outcome=outcome), replace(call, messages=retry, at=later)]
    return [call]
