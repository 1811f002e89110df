"""The report's plain language: what each word of the contract means, what to do next, what could go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import counted, shorten

Json = Mapping[str, Any]

EVIDENCE = {
    "shown": ("Shown", "graded calls of this small model meet the target, with a lower bound that needs no prior"),
    "likely": ("Likely", "at least an 80 % chance of parity, on evidence short of a full pilot"),
    "open": ("Open", "the log can't tell; a pilot would"),
    "unlikely": ("Unlikely", "less than a 20 % chance of parity"),
    "no-signal": ("No signal", "the answers can't be told from chance or from a constant"),
    "not-enough-data": ("Too little data", "too few calls or sessions to judge"),
    "gated": ("Gated", "a rule or a limit keeps the task where it is"),
}
"""Evidence word: (label, meaning)."""

ACTION = {
    "code": ("Replace with code", "a plain rule gives the same answers on later sessions"),
    "cache": ("Cache repeats", "the same prompt comes back and gets the same answer"),
    "pilot-cheaper-llm": ("Pilot a cheaper LLM", "try the vendor's own smaller model"),
    "pilot-swap": ("Pilot a small model", "try a small model as it is"),
    "pilot-tune": ("Pilot a tuned model", "try a small model trained on this task"),
    "migrate-swap": ("Move to a small model", "a small model does the task as it is"),
    "migrate-tune": ("Move to a tuned model", "a small model trained on this task does it"),
    "keep": ("Keep", "leave the task where it is"),
}
"""Action: (label, meaning)."""

_KEPT = {
    "quality": "the answers would likely suffer",
    "money": "the work would cost more than it saves",
    "gate": "a rule or a limit forbids it",
    "unknown": "there is too little data to judge",
}
_NOT_NOW = {
    "code": "plain code would do, but would not repay the work at this volume",
    "cache": "a cache would do, but would not repay the work at this volume",
}
_KEPT_FOR_QUALITY = {
    "open": "parity is too unlikely for a pilot to pay",
    "no-signal": "its answers can't be told from chance",
}

GRADE = {
    "A": "50 or more graded calls of this small model on this task",
    "B": "10 to 49 graded calls, or session outcomes",
    "C": "cheap students trained on this log, and what other tasks taught",
    "D": "what other tasks taught; nothing was graded on this one",
}
"""Evidence grade: what it rests on."""

OUTPUT = {
    "label": "one of a few labels",
    "json": "JSON",
    "tool_call": "a tool call",
    "number": "a number",
    "list": "a list",
    "code": "code",
    "text": "free text",
    "empty": "nothing",
}
"""Kind of answer, in words."""

COVERAGE = {
    "ready": ("Ready", "can move now: evidence shown, or plain code or a cache does it"),
    "pilot": ("Pilot first", "may pay; a short graded trial decides"),
    "keep": ("Keep", "stays on the present model, with the reason stated"),
    "unassigned": ("Unassigned", "calls that recur too rarely to be a task"),
    "excluded": ("Excluded", "set aside by a person"),
}
"""Part of the coverage bar: (label, meaning)."""

KEY_ASSUMPTIONS = {
    "engineer_day_usd": "A day of an engineer",
    "people_cost_factor": "People's time",
    "horizon_months": "Horizon",
    "price_decline_year": "Prices fall by",
    "assess.parity": "Parity",
    "parity_correlation": "Tasks fail together",
    "swap_days": "A swap takes",
    "tune_days": "A fine-tune takes",
    "slm_catalogue": "Small models looked at",
}
"""Assumptions that move the headline most, most first: name in the table, and name for a reader."""

GENERAL_METHOD = (
    (
        "A task is a step that recurs: the same call site doing the same kind of work in several sessions. It is found "
        "from what prompts share across sessions; answers never decide it."
    ),
    (
        "Evidence asks how often a small model's answer would be as acceptable as the present model's on the task's "
        "next calls. The present model's agreement with itself is the ceiling, the best constant answer is the floor, "
        "and a task passes only if it is near the one and well above the other."
    ),
    (
        "Probes train on earlier sessions and are graded on later ones. A task whose answers look as learnable after "
        "they were shuffled among sessions counts as no signal."
    ),
    (
        "Every call is priced on its own, from a dated offline price list. Spend is at the price of the day; the "
        "run-rate, which savings are counted on, is at today's."
    ),
    (
        "Savings are joint draws over prices, volume, quality and people's time, and count only where parity holds. "
        "They are potential: a log can't show a saving that was realized."
    ),
    "A month is 30 days.",
)
"""How every run works, in sentences."""

GENERAL_LIMITS = (
    "Agreement with the present model is not correctness: where it is wrong, a small model that agrees is wrong too.",
    "The evidence is about the traffic in this log. New products, prompts or users are outside it.",
    "Redaction catches the kinds of values it lists; what it does not cover is listed with it.",
)
"""What no run can say, in sentences."""

_NAME_LIMIT = 70
_LARGE_SHARE = 0.05


def mode_of(action: str) -> str | None:
    """Return ``swap`` or ``tuned`` for an action that puts a small model to work, else None."""
    return {"swap": "swap", "tune": "tuned"}.get(action.rsplit("-", 1)[-1]) if "-" in action else None


def parity_of(task: Json) -> Json | None:
    """Return the parity estimate that the task's action rests on; for a kept task, the better of the two.

    Of two that are about as good, one for a model that was graded comes first.
    None where no small model is involved (code, cache) or nothing was estimated.
    """
    if task["action"] in {"code", "cache"}:
        return None
    parity = task["parity"]
    mode = mode_of(task["action"])
    if mode is not None:
        estimate: Json | None = parity[mode]
        return estimate
    known = [parity[name] for name in ("swap", "tuned") if parity[name] is not None]
    return max(known, key=lambda entry: (round(entry["p_parity"], 1), not _any_model(entry)), default=None)


def _any_model(estimate: Json) -> bool:
    return str(estimate["slm"]).startswith("any of ")


def kept_because(task: Json) -> str:
    """Return why a task that the plan does not act on is kept, as a clause."""
    if task["action"] != "keep":
        return _NOT_NOW.get(task["action"], _KEPT["money"])
    if task["keep_because"] == "quality" and task["evidence"] in _KEPT_FOR_QUALITY:
        return _KEPT_FOR_QUALITY[task["evidence"]]
    return _KEPT.get(task["keep_because"], "")


def slm_words(estimate: Json | None) -> str:
    """Return the small model that an estimate is for, as words that follow ``with``."""
    if estimate is None:
        return "a small model"
    slm: str = estimate["slm"]
    return slm.replace("any of", "any small model of", 1) if _any_model(estimate) else slm


def next_step(task: Json) -> str:
    """Return what to do about a task, as an instruction."""
    name = f"“{shorten(task['name'], _NAME_LIMIT)}”"
    slm = slm_words(parity_of(task))
    calls = task["pilot_calls"]
    trial = f"on {counted(calls, 'graded call')}" if calls else "on graded calls"
    tuned = " trained on this task's own calls" if mode_of(task["action"]) == "tuned" else ""
    if task.get("hold") and task["evidence"] == "shown" and task["action"] in {"pilot-swap", "pilot-tune"}:
        return f"Decide whether {name} may move to {slm}: {task['hold']}. An override of the action moves it."
    return {
        "code": f"Replace {name} with plain code, and send what the rule does not cover to the present model.",
        "cache": f"Put an exact cache in front of {name}.",
        "pilot-cheaper-llm": f"Pilot {name} {trial} with the vendor's own smaller model.",
        "pilot-swap": f"Pilot {name} {trial} with {slm}.",
        "pilot-tune": f"Pilot {name} {trial} with {slm}{tuned}.",
        "migrate-swap": f"Route {name} to {slm}, with the present model as fallback.",
        "migrate-tune": f"Train {slm} for {name} and route to it, with the present model as fallback.",
        "keep": f"Keep {name} where it is.",
    }[task["action"]]


def settles(task: Json) -> str | None:
    """Return what would settle an undecided task, or None where nothing is open."""
    if task["evidence"] not in {"open", "likely"}:
        return None
    if task["pilot_calls"]:
        return f"A pilot of about {counted(task['pilot_calls'], 'graded call')} would settle it."
    return "A pilot would settle it; how long a one can't be said from this log."


def session_agreement(task: Json) -> float | None:
    """Return A to the power of the steps in a session: how often a whole session would go as before.

    None where hardly any session has several steps of the task, or nothing is estimated.
    """
    from slmlens.suitability.judge import LOOP_STEPS

    estimate, steps = parity_of(task), task["steps_per_session"]
    if estimate is None or steps is None or steps <= LOOP_STEPS:
        return None
    return float(estimate["a_p50"] ** steps)


def risks(summary: Json) -> list[str]:
    """Return what could make the headline wrong, gravest first; percentages are of the run-rate spend of all tasks."""
    tasks: Sequence[Json] = summary["tasks"]
    acting = [task for task in tasks if bucket(task, summary) != "keep"]
    found = [*_evidence_risks(acting), *_loop_risks(acting), *_window_risks(summary), *_money_risks(summary)]
    if acting and not any(task["ceiling"] for task in acting):
        found.append(
            "No task to act on holds repeated prompts, so the present model is taken to agree with itself every time. "
            "If it does not, a small model is judged too strictly."
        )
    if acting and summary["false_green"] is None:
        found.append("How often shuffled answers would have passed as learnable was not measured on this log.")
    return found


def _evidence_risks(acting: Sequence[Json]) -> list[str]:
    weakest = [task for task in acting if task["grade"] == "D"]
    found = []
    if weakest:
        verb = "rests" if len(weakest) == 1 else "rest"
        part = f"{len(weakest)} of" if len(weakest) < len(acting) else "All" if len(acting) > 1 else "The"
        found.append(
            f"{part} {counted(len(acting), 'task')} to act on {verb} on grade D evidence: experience with "
            "other tasks, nothing graded on them. A pilot comes first."
        )
    seen = sum(task["human_facing"] is True for task in acting)
    if seen:
        verb = "is" if seen == 1 else "are"
        found.append(
            f"{counted(seen, 'task')} to act on {verb} read by people; agreement with the present model says little "
            "about tone."
        )
    return found


def _loop_risks(acting: Sequence[Json]) -> list[str]:
    loops = [(agreement, task) for task in acting if (agreement := session_agreement(task)) is not None]
    if not loops:
        return []
    agreement, task = min(loops, key=lambda pair: (pair[0], pair[1]["task_id"]))
    name = shorten(task["name"], _NAME_LIMIT)
    sentence = (
        f"Errors compound in loops: “{name}” runs {task['steps_per_session']:.1f} times a session, so about "
        f"{100 * agreement:.0f} % of sessions would go through without a differing answer."
    )
    return [sentence]


def _window_risks(summary: Json) -> list[str]:
    ledger, window = summary["ledger"], summary["window"]
    found = []
    if ledger["month_usd"] is None or ledger["month_usd"]["low"] is None:
        reason = (ledger["month_reason"] or "the log is too short").removeprefix("No interval: ")
        found.append(f"The month has no interval: {reason}")
    if window["sampling_rate"] < 1:
        found.append(
            f"The log is declared a {100 * window['sampling_rate']:g} % sample. Monthly figures are scaled up by that "
            "rate; if the rate is wrong, so are they."
        )
    return found


def _money_risks(summary: Json) -> list[str]:
    ledger, rows = summary["ledger"], summary["rows"]
    found = []
    if ledger["unpriced_calls"]:
        found.append(f"{counted(ledger['unpriced_calls'], 'call')} could not be priced and are in no sum.")
    if (ledger["estimated_token_share"] or 0) >= _LARGE_SHARE:
        found.append(f"{100 * ledger['estimated_token_share']:.0f} % of the tokens are estimated from text lengths.")
    if rows["rejects"] and rows["rejects"] >= _LARGE_SHARE * rows["records"]:
        found.append(f"{counted(rows['rejects'], 'record')} of {rows['records']:,} could not be read.")
    return found
