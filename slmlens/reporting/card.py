"""One task as a reader meets it: what it is, what the evidence says, what it is worth, what would change that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from slmlens.reporting.deployment_records import deployment_lines
from slmlens.reporting.headline import calls_a_month
from slmlens.reporting.money import places_for, usd, usd_about, usd_range
from slmlens.reporting.picks import capability_words, figure_words, pick_lines, ruled_out_words
from slmlens.reporting.plain_words import (
    ACTION,
    EVIDENCE,
    GRADE,
    OUTPUT,
    kept_because,
    next_step,
    parity_of,
    session_agreement,
    settles,
    slm_words,
)
from slmlens.reporting.routing_view import routing_lines
from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import counted, ends, percent, sentence, shorten, visible, without_scheme

_NAME_CHARS = 120
_SKELETON_CHARS = 1200
_LIST_ITEMS = 8
_REASONS = 12
_LABEL_ROOM = 0.14
_HOLE = re.compile(r"<(?:number|one of \d+ values|text, \d+(?:-\d+)? words?|[A-Z_]{2,24})>")
_FAILED = {
    "error": "errors",
    "refusal": "refusals",
    "truncated": "cut off",
    "malformed": "malformed",
    "retried": "asked again",
    "repaired": "corrected afterwards",
}

Json = Mapping[str, Any]


def name_of(task: Json) -> str:
    """Return the task's name, or its id where it has none."""
    return shorten(task["name"].strip() or task["task_id"], _NAME_CHARS)


def action_label(task: Json, summary: Json) -> str:
    """Return what to do with the task in a few words; one that would not repay the work is kept, whatever it earned."""
    return ACTION["keep" if bucket(task, summary) == "keep" else task["action"]][0]


def evidence_badge(task: Json) -> dict[str, str]:
    """Return the evidence word, its label and meaning, and the grade: an icon and a word, never a colour alone."""
    label, meaning = EVIDENCE[task["evidence"]]
    return {"word": task["evidence"], "label": label, "meaning": meaning, "grade": task["grade"]}


def saving_cell(task: Json, summary: Json) -> dict[str, str]:
    """Return what a task is worth in one cell: a range a month, a rate per 1,000 calls, or ``no``."""
    if bucket(task, summary) == "keep":
        return {"value": "no", "note": kept_because(task)}
    if task["saving_month_usd"] is not None:
        head, _, rest = usd_range(task["saving_month_usd"], per="").partition(" (")
        return {"value": head, "note": rest.rstrip(")")}
    if task["saving_per_1000_calls_usd"] is not None:
        pays = task["break_even_calls_month"]
        note = "" if pays is None else f"breaks even at {about(pays)} calls a month"
        return {"value": f"up to {usd_about(task['saving_per_1000_calls_usd'])} per 1,000 calls", "note": note}
    return {"value": "not stated", "note": "no price or no time in the log"}


def card(task: Json, summary: Json, exemplars: Sequence[str] = ()) -> dict[str, Any]:
    """Return the display values of a task's card."""
    part = bucket(task, summary)
    return {
        "name": name_of(task),
        "bucket": part,
        "action": action_label(task, summary),
        "action_why": ACTION[task["action"]][1] if part == "ready" else None,
        "evidence": evidence_badge(task),
        "grade_meaning": GRADE[task["grade"]],
        "next_step": None if part == "keep" else next_step(task),
        "settles": settles(task),
        "facts": _facts(task, summary),
        "agreement": _agreement(task),
        "saving": saving_cell(task, summary),
        "money": _money(task, summary),
        "reasons": [sentence(text) for text in task["reasons"][:_REASONS]],
        "flips": [sentence(text) for text in task["flips"][:_REASONS]],
        "levers": [_lever(entry) for entry in _further_levers(task)[:_LIST_ITEMS]],
        "ladder": [_rung(rung) for rung in task.get("ladder", ())],
        "routing": routing_lines(task),
        "picks": pick_lines(task),
        "deployments": deployment_lines(task),
        "capability": capability_words(task),
        "candidates": _candidates(task),
        "candidates_left": max(0, len(task["candidates"]) - _LIST_ITEMS),
        "candidates_out": ruled_out_words(task["candidates"]),
        "failures": [f"{n:,} {_FAILED[status]}" for status, n in task["failures"].items()],
        "skeleton": skeleton(task["skeleton"]),
        "exemplars": list(exemplars),
        "task_id": task["task_id"],
    }


def skeleton(text: str) -> Markup:
    """Return a prompt skeleton as escaped text whose typed holes are marked up."""
    shown = without_scheme(visible(ends(text, _SKELETON_CHARS)))
    parts, at = [], 0
    for hole in _HOLE.finditer(shown):
        parts += [escape(shown[at : hole.start()]), Markup('<span class="hole">{}</span>').format(hole[0])]
        at = hole.end()
    return Markup("").join([*parts, escape(shown[at:])])


def about(calls: float) -> str:
    """Return a number of calls to two significant digits."""
    return f"{float(f'{calls:.1e}'):,.0f}"


def _facts(task: Json, summary: Json) -> list[tuple[str, str]]:
    monthly = calls_a_month(task, summary)
    runrates = [entry["runrate_usd"] for entry in summary["tasks"] if entry["runrate_usd"] is not None]
    reader = {True: ", read by people", False: ", read by code or a tool", None: ""}[task["human_facing"]]
    cost = "not priced"
    if task["runrate_usd"] is not None:
        cost = f"{usd(task['runrate_usd'], places_for(runrates))} at today's prices"
    facts = [
        ("Calls", f"{task['n_calls']:,} in {task['n_units']:,} {_unit_words(task)}"),
        *([] if monthly is None else [("Calls a month", f"about {about(monthly)}")]),
        ("Cost in the log", cost),
        ("Answer", f"{OUTPUT[task['output_kind']]}{reader}"),
        ("Where", " · ".join(dict.fromkeys([task["application"], *task["step_names"][:3]]))),
    ]
    if task.get("hold"):
        decided = "decided by a person" if task["action"].startswith("migrate") else "for a person to decide"
        facts.append(("Moving it", f"{decided}: {task['hold']}"))
    facts += _loop(task)
    if task["latency_p50_ms"] is not None:
        facts.append(("Median latency", f"{task['latency_p50_ms'] / 1000:.1f} s"))
    if task["stability"] is not None:
        facts.append(
            (
                "Stability",
                f"{100 * task['stability']:.0f} % of its company is the same when found on half of the sessions",
            )
        )
    return facts


def _loop(task: Json) -> list[tuple[str, str]]:
    """Return how often the task runs in a session, and what the agreement of a step makes of a whole session."""
    whole, estimate = session_agreement(task), parity_of(task)
    if whole is None or estimate is None:
        return []
    step = f"{100 * estimate['a_p50']:.0f} % a step"
    return [("In a loop", f"{task['steps_per_session']:.1f} steps a session; {step} is {100 * whole:.0f} % a session")]


def _unit_words(task: Json) -> str:
    return {"session": "sessions", "trace": "traces", "slot": "distinct contents"}[task["recurrence_unit"]]


def _agreement(task: Json) -> dict[str, Any] | None:
    from slmlens.suitability.judge import MIN_REPEATED_PROMPTS

    estimate = parity_of(task)
    if estimate is None:
        return None
    ceiling = task["ceiling"]
    words = (
        f"{sentence(slm_words(estimate))[:-1]}: {100 * estimate['a_lo90']:.0f} to {100 * estimate['a_hi90']:.0f} % of "
        f"answers acceptable (middle {100 * estimate['a_p50']:.0f} %, 90 % interval); chance of parity "
        f"{percent(estimate['p_parity'])}."
    )
    if ceiling is None:
        top = "Ceiling: no repeated prompts, so the present model is assumed to agree with itself always."
    else:
        span = "" if ceiling["lo90"] is None else f" ({100 * ceiling['lo90']:.0f} to {100 * ceiling['hi90']:.0f} %)"
        repeats = counted(ceiling["n"], "repeat")
        top = f"Ceiling: the present model agreed with itself in {100 * ceiling['pair']:.0f} %{span} of {repeats}."
    floor = (
        None
        if task["constant"] is None
        else f"Floor: the best constant answer agrees in {100 * task['constant']:.0f} %."
    )
    low, high = _x(estimate["a_lo90"]), _x(estimate["a_hi90"])
    above = ceiling["pair"] if ceiling is not None and ceiling["n"] >= MIN_REPEATED_PROMPTS else 1.0
    return {
        "words": words,
        "ceiling_words": top,
        "constant_words": floor,
        "low": low,
        "mid": _x(estimate["a_p50"]),
        "width": round(max(high - low, 1.0), 1),
        "ceiling": _x(above),
        "ceiling_anchor": _anchor(above, inward=task["constant"]),
        "constant": None if task["constant"] is None else _x(task["constant"]),
        "constant_anchor": None if task["constant"] is None else _anchor(task["constant"], inward=above),
    }


def _x(share: float) -> float:
    """Return where a share lies on the agreement strip, which is 400 wide with a margin of 10."""
    return round(10 + 380 * share, 1)


def _anchor(share: float, inward: float | None) -> str:
    """Return where a mark's label hangs, so that it neither leaves the strip nor runs into the other label."""
    crowded = inward is not None and abs(share - inward) < _LABEL_ROOM
    if crowded:
        return "start" if share >= (inward or 0.0) and share < 1 - _LABEL_ROOM else "end"
    return "end" if share > 1 - _LABEL_ROOM / 2 else "start" if share < _LABEL_ROOM / 2 else "middle"


def _money(task: Json, summary: Json) -> list[tuple[str, str]]:
    lines = []
    if bucket(task, summary) == "keep" and task["saving_month_usd"] is not None:
        lines.append(("If done anyway", usd_range(task["saving_month_usd"])))
    if task["saving_per_1000_calls_usd"] is not None:
        lines.append(("Per 1,000 calls moved", f"{usd_about(task['saving_per_1000_calls_usd'])}, before people cost"))
    if task["break_even_calls_month"] is not None:
        lines.append(("Breaks even at", f"{about(task['break_even_calls_month'])} calls a month"))
    if task["payback_months"] is not None:
        lines.append(("Payback", f"{task['payback_months']:.1f} months"))
    return lines


def _candidates(task: Json) -> list[Json]:
    """Return the first few models with their chances, and what others measured of them, in words."""
    return [
        {**entry, "chance": _chance_of(entry), "measured": figure_words(task, entry)}
        for entry in ranked(task["candidates"])[:_LIST_ITEMS]
    ]


def ranked(candidates: Sequence[Json]) -> list[Json]:
    """Return the small models looked at for a task: those it can take first, of these the likeliest."""
    return sorted(candidates, key=lambda entry: (not entry["accepted"], -max(chances_of(entry).values(), default=0)))


def chances_of(candidate: Json) -> dict[str, float]:
    """Return the chance of parity of a small model as it is and tuned on the task, by these words, where known."""
    known = {"as it is": candidate.get("p_parity"), "tuned": candidate.get("p_parity_tuned")}
    return {how: chance for how, chance in known.items() if chance is not None}


def _chance_of(candidate: Json) -> str:
    said = ", ".join(f"{percent(chance)} {how}" for how, chance in chances_of(candidate).items())
    return f"chance of parity {said}" if said else ""


def _further_levers(task: Json) -> list[Json]:
    """Return the levers that are no rung of the ladder, where they stand already."""
    rungs = {rung["name"] for rung in task.get("ladder", ())}
    return [lever for lever in task["levers"] if lever["name"] not in rungs]


def _rung(rung: Json) -> dict[str, Any]:
    return {"name": rung["name"], "said": rung_words(rung), "rests_on": rung["rests_on"]}


def rung_words(rung: Json) -> str:
    """Return whether a rung of the ladder serves, what it saves a month and what it leaves, as a phrase."""
    left, saving, chance = rung.get("remains_month_usd"), rung["saving_month_usd"], rung.get("chance")
    if rung["name"] == "keep":
        return "is left with nothing stated" if left is None else f"is left with about {usd_about(left)} a month"
    if not rung["serves"]:
        return "does not serve"
    said = "serves" if chance is None else f"serves if it holds parity ({percent(chance)} chance)"
    if saving is None:
        return said
    if saving <= 0:
        return f"{said}, but saves nothing on what is left by then"
    return f"{said}, saves about {usd_about(saving)} a month" + (
        "" if left is None else f" and leaves about {usd_about(left)}"
    )


def _lever(lever: Json) -> dict[str, str]:
    saving = lever["saving_month_usd"]
    return {
        "name": lever["name"],
        "saving": "not stated" if saving is None else f"about {usd_about(saving)} a month",
        "note": lever["note"],
    }
