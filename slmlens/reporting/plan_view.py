"""What a report says of the whole plan in tables: what it hangs on, what to learn next, what fits, what it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmlens.reporting.card import name_of
from slmlens.reporting.money import usd_about, whole_percents
from slmlens.reporting.plain_words import COVERAGE
from slmlens.reporting.text import counted, percent, shorten
from slmlens.savings.shares import NOT_COMPARABLE

Json = Mapping[str, Any]

_PARITY = "parity:"
_NAME = 60
_FACTS = 3
_INPUTS = {
    "volume": "Calls a month",
    "small_model_prices": "Prices of small models",
    "hosted_tuned_price_factor": "Price of a hosted fine-tune",
    "tokenizer_ratio": "Tokens of the small model",
    "people_cost_factor": "Work of people",
    "price_decline_year": "Fall of all prices a year",
    "later_rollout_share": "Work on each later task",
    "wrong_answers": "Cost of wrong answers",
    "machines": "Cost of GPUs",
}
_SHARES = frozenset({"price_decline_year", "later_rollout_share"})
_MEASURES = ("call_share", "token_share", "usd_share", "latency_share")


def plan_view(summary: Json) -> dict[str, Any] | None:
    """Return ``tornado``, ``facts``, ``portfolio`` and ``shares`` for the page; None: nothing of them is known."""
    plan = summary["plan"]
    names = {task["task_id"]: shorten(name_of(task), _NAME) for task in summary["tasks"]}
    view = {
        "tornado": [_bar(bar, names) for bar in plan.get("tornado", ())],
        "facts": [_fact(fact, names) for fact in plan.get("facts", ())[:_FACTS]],
        "portfolio": _portfolio(plan.get("portfolio"), names),
        "shares": _shares(plan.get("shares", ())) if summary["tasks"] else [],
        "not_comparable": NOT_COMPARABLE,
    }
    return view if view["tornado"] or view["portfolio"] or view["shares"] else None


def _bar(bar: Json, names: Mapping[str, str]) -> dict[str, str]:
    kind, _, task_id = bar["input"].partition(":")
    is_parity = kind == _PARITY[:-1]
    name = f"Parity of “{names.get(task_id, task_id)}”" if is_parity else _INPUTS.get(kind, kind)
    share = is_parity or kind in _SHARES

    def said(value: float) -> str:
        return percent(value) if share else f"{value:.2g} times"

    swing = f"{said(bar['low'])} to {said(bar['high'])}"
    if is_parity and (bar["low"], bar["high"]) == (0, 1):
        swing = f"fails or holds ({percent(bar['central'])} chance)"
    return {
        "name": name,
        "swing": swing,
        "at_low": usd_about(bar["npv_low_usd"]),
        "at_high": usd_about(bar["npv_high_usd"]),
        "flip": "no value within reason" if bar["flip"] is None else said(bar["flip"]),
    }


def _fact(fact: Json, names: Mapping[str, str]) -> str:
    task_id = fact["fact"].partition(":")[2]
    how = fact["how"][:1].upper() + fact["how"][1:]
    which = f" “{names.get(task_id, task_id)}”" if task_id else ""
    return f"{how}{which}: worth {usd_about(fact['worth_usd'])} at most, for about {usd_about(fact['cost_usd'])}."


def _portfolio(found: Json | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    if not found:
        return None
    weeks = f"{found['weeks']:.1f} engineer-weeks"
    budget = "" if found["budget_weeks"] is None else f" of the {found['budget_weeks']:g} there are"
    low, middle, high = (usd_about(found["npv_usd"][end]) for end in ("p10", "p50", "p90"))
    said = f"{counted(len(found['tasks']), 'task')}, {weeks}{budget}: worth {low} to {high} (middle {middle}) over the "
    said += f"horizon after all work; {percent(found['p_npv_positive'])} chance to pay."
    if not found["tasks"]:
        said = f"No task fits the {found['budget_weeks']:g} engineer-weeks there are."
    gap = "" if not found["gap"] else f" Another set may be better, by {percent(found['gap'])} at most."
    pools = [_pool(pool, names) for pool in found.get("pools", ())]
    return {
        "said": " ".join([said + gap, *pools]),
        "tasks": [names.get(task_id, task_id) for task_id in found["tasks"]],
        "left_out": [
            f"{names.get(entry['task_id'], entry['task_id'])}: {entry['reason']}" for entry in found["left_out"]
        ],
    }


def _pool(pool: Json, names: Mapping[str, str]) -> str:
    """Return which tasks share GPUs, what that costs, and that the plan's own figures count each task alone."""
    gpus = f"one {pool['gpu']}" if pool["gpus"] == 1 else f"{pool['gpus']} {pool['gpu']} GPUs"
    said = (
        f"{_listed(pool['tasks'], names)} share {gpus} with {pool['slm']} on it: {usd_about(pool['month_usd'])} "
        f"a month, {usd_about(pool['alone_usd'])} with GPUs of their own."
    )
    if pool["not_alone"]:
        whose = "their" if len(pool["not_alone"]) > 1 else "its"
        said += f" {_listed(pool['not_alone'], names)} would not pay with GPUs of {whose} own."
    return f"{said} The headline counts each task alone."


def _listed(task_ids: Sequence[str], names: Mapping[str, str]) -> str:
    quoted = [f"“{names.get(task_id, task_id)}”" for task_id in task_ids]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _shares(parts: Sequence[Json]) -> list[dict[str, Any]]:
    columns = [_column([part[name] for part in parts]) for name in _MEASURES]
    labels = [COVERAGE.get(part["part"], (part["part"],))[0] for part in parts]
    return [{"label": label, "values": values} for label, *values in zip(labels, *columns, strict=True)]


def _column(shares: Sequence[float | None]) -> list[str]:
    known = [share for share in shares if share is not None]
    return whole_percents(known) if len(known) == len(shares) else ["not known"] * len(shares)
