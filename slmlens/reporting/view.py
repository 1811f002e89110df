"""What a rendering shows, from the summary alone: the same numbers as words, in the order an audience reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from slmlens.errors import SettingError
from slmlens.reporting.assumption_groups import assumption_groups
from slmlens.reporting.card import about, action_label, card, evidence_badge, name_of, saving_cell
from slmlens.reporting.headline import calls_a_month, waiting_for_volume
from slmlens.reporting.money import places_for, usd, usd_about, usd_month, usd_range, whole_percents
from slmlens.reporting.pilots import pilot_lines
from slmlens.reporting.plain_words import COVERAGE, EVIDENCE, GENERAL_LIMITS, GRADE, KEY_ASSUMPTIONS, next_step, risks
from slmlens.reporting.plan_view import plan_view
from slmlens.reporting.spend_view import invoice_view, source_lines, tag_view
from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import counted, percent, shorten

AUDIENCES = ("leadership", "finance", "engineering")

_SECTIONS = {
    "leadership": ("tasks", "cards", "ledger", "spend", "assumptions", "privacy", "method"),
    "finance": ("ledger", "spend", "plan", "assumptions", "tasks", "cards", "privacy", "method"),
    "engineering": ("tasks", "pilots", "cards", "ledger", "spend", "plan", "assumptions", "privacy", "method"),
}
_CARDS = {"leadership": 6, "finance": 6, "engineering": 40}
_TOP_TASKS = 5
_WORTH_A_STEP_USD = 10.0
_LARGE_TASKS = 25
_FIRST_STEPS = 6
_FIRST_ASSUMPTIONS = 6
_EXEMPLARS = 3
_EXEMPLAR_CHARS = 600
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Json = Mapping[str, Any]


def build_view(summary: Json, audience: str, exemplars: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Return the display values of a report.

    :param summary: Of :func:`slmlens.reporting.summary.summarise`.
    :param audience: One of ``AUDIENCES``.
    :param exemplars: Redacted prompts to show, by task id; None: none, which is the default for a reason.
    :raises SettingError: If the audience is unknown.
    """
    if audience not in AUDIENCES:
        raise SettingError(
            f"the audience {audience!r} is unknown", where="audience", next_step=f"choose one of {', '.join(AUDIENCES)}"
        )
    tasks = summary["tasks"]
    has_tasks = bool(tasks)
    pilots = pilot_lines(summary)
    whole = plan_view(summary)
    there = {"tasks": has_tasks, "cards": has_tasks, "pilots": bool(pilots), "plan": whole is not None}
    sections = [name for name in _SECTIONS[audience] if there.get(name, True)]
    chosen = _card_order(summary)[: _CARDS[audience]]
    rows = _task_rows(summary)
    return {
        "audience": audience,
        "sections": sections,
        "window": window_words(summary["window"]),
        "scope": _scope(summary),
        "headline": summary["plan"]["headline"],
        "figures": _figures(summary),
        "coverage": _coverage(summary),
        "top": rows[:_TOP_TASKS],
        "steps": _steps(summary),
        "risks": risks(summary),
        "notes": [] if has_tasks else _particular(summary["limits"]),
        "key_assumptions": _key_assumptions(summary["assumptions"]) if has_tasks else [],
        "tasks": rows[:_LARGE_TASKS],
        "small_tasks": rows[_LARGE_TASKS:],
        "small_share": percent(sum(task["spend_share"] or 0.0 for task in tasks[_LARGE_TASKS:])),
        "monthly": any(task["saving_month_usd"] for task in tasks),
        "has_month": summary["ledger"]["month_usd"] is not None,
        "sample": summary["window"]["sampling_rate"] < 1,
        "cards": [card(task, summary, _exemplars(exemplars, task)) for task in chosen],
        "cards_left": len(tasks) - len(chosen),
        "pilots": pilots,
        "plan": whole,
        "ledger": _ledger(summary),
        "tags": tag_view(summary),
        "invoice": invoice_view(summary),
        "assumptions": assumption_groups(summary["assumptions"], audience),
        "privacy": _privacy(summary["redaction"], exemplars),
        "decisions": summary["decisions"],
        "false_green": _false_green(summary["false_green"]),
        "method": summary["method"],
        "limits": summary["limits"] if has_tasks else [line for line in summary["limits"] if line in GENERAL_LIMITS],
        "words": _words(tasks),
        "sum_note": _sum_note(summary["plan"]),
    }


def window_words(window: Json) -> str:
    """Return the calendar window in words: ``1 Oct to 31 Oct 2026``."""
    if window["start"] is None:
        return "no dates in the log"
    start, end = (datetime.fromisoformat(window[name]) for name in ("start", "end"))
    first = f"{start.day} {_MONTHS[start.month - 1]}"
    first = first if start.year == end.year else f"{first} {start.year}"
    last = f"{end.day} {_MONTHS[end.month - 1]} {end.year}"
    return last if start.date() == end.date() else f"{first} to {last}"


def _scope(summary: Json) -> str:
    rows, window = summary["rows"], summary["window"]
    parts = [counted(rows["calls"], "call"), counted(len(rows["files"]), "file")]
    if window["sampling_rate"] < 1:
        parts.append(f"declared a {100 * window['sampling_rate']:g} % sample")
    return " · ".join(parts)


def _figures(summary: Json) -> list[dict[str, str]]:
    plan, ledger, tasks = summary["plan"], summary["ledger"], summary["tasks"]
    figures = []
    pays = any(bucket(task, summary) != "keep" for task in tasks)
    if plan["saving_month_usd"] is not None and not pays:
        figures.append(_figure("Potential saving a month", "none", "nothing pays at this volume"))
    elif plan["saving_month_usd"] is not None:
        figures.append(
            _figure("Potential saving a month", usd_range(plan["saving_month_usd"], per=""), "over all tasks to act on")
        )
    if ledger["month_usd"] is not None:
        figures.append(_figure("These calls cost a month", usd_month(ledger["month_usd"]), "at today's prices"))
    elif ledger["imported_usd"] is not None:
        figures.append(
            _figure(
                "Spend in this log", usd(ledger["imported_usd"]), ledger["month_reason"] or "no month can be stated"
            )
        )
    if plan["one_off_usd"]:
        figures.append(
            _figure("One-off work", f"about {usd_about(plan['one_off_usd'])}", "people and training, before any saving")
        )
    if tasks:
        buckets = [bucket(task, summary) for task in tasks]
        split = " · ".join(
            f"{buckets.count(name)} {word}"
            for name, word in (("ready", "ready"), ("pilot", "to pilot"), ("keep", "to keep"))
        )
        figures.append(_figure("Tasks found", f"{len(tasks):,}", split))
    return figures


def _figure(label: str, value: str, note: str) -> dict[str, str]:
    head, bracket, rest = value.partition(" (")
    return {"label": label, "value": head, "note": f"{rest.rstrip(')')}; {note}" if bracket else note}


def _coverage(summary: Json) -> list[dict[str, Any]]:
    coverage = summary["plan"]["coverage"]
    if coverage is None or not summary["tasks"]:
        return []
    values = {name: coverage[f"{name}_usd"] for name in COVERAGE}
    total, places = sum(values.values()), places_for(list(values.values()))
    if total <= 0:
        return []
    percents = dict(zip(values, whole_percents(list(values.values())), strict=True))
    parts, start = [], 0.0
    for name, (label, meaning) in COVERAGE.items():
        width = round(1000 * values[name] / total, 2)
        parts.append(
            {
                "name": name,
                "label": label,
                "meaning": meaning,
                "usd": usd(values[name], places),
                "percent": percents[name],
                "x": round(start, 2),
                "width": width,
            }
        )
        start += width
    return parts


def _task_rows(summary: Json) -> list[dict[str, Any]]:
    tasks = summary["tasks"]
    places = places_for([task["runrate_usd"] for task in tasks if task["runrate_usd"] is not None])
    ends = [
        value
        for task in tasks
        if bucket(task, summary) != "keep" and task["saving_month_usd"]
        for value in task["saving_month_usd"].values()
    ]
    scale = (min([0.0, *ends]), max([0.0, *ends]))
    return [_task_row(task, summary, places, scale) for task in tasks]


def _task_row(task: Json, summary: Json, places: int, scale: tuple[float, float]) -> dict[str, Any]:
    monthly = calls_a_month(task, summary)
    return {
        "name": name_of(task),
        "place": " · ".join(dict.fromkeys([task["application"], *task["step_names"][:2]])),
        "calls": f"{task['n_calls']:,}",
        "calls_month": None if monthly is None else about(monthly),
        "runrate": "not priced" if task["runrate_usd"] is None else usd(task["runrate_usd"], places),
        "share": percent(task["spend_share"]),
        "bucket": bucket(task, summary),
        "action": action_label(task, summary),
        "evidence": evidence_badge(task),
        "saving": saving_cell(task, summary),
        "bar": _range_bar(task["saving_month_usd"], scale) if bucket(task, summary) != "keep" else None,
    }


def _range_bar(interval: Json | None, scale: tuple[float, float]) -> dict[str, float] | None:
    """Return the places of a saving's ends on a line 100 wide that all tasks share, zero marked."""
    low, high = scale
    if interval is None or high <= low:
        return None
    zero, start, middle, end = (round(100 * (value - low) / (high - low), 1) for value in (0.0, *interval.values()))
    return {"zero": zero, "start": start, "middle": middle, "width": max(0.8, round(end - start, 1))}


def _steps(summary: Json) -> list[str]:
    by_id = {task["task_id"]: task for task in summary["tasks"]}
    steps = [next_step(by_id[task_id]) for task_id in summary["plan"]["order"] if task_id in by_id]
    if summary["tasks"] and not steps:
        return _steps_when_nothing_pays(summary)
    hidden = len(steps) - _FIRST_STEPS
    return [
        *steps[:_FIRST_STEPS],
        *([f"Then the {counted(hidden, 'further task')} marked in the table."] if hidden > 0 else []),
    ]


def _steps_when_nothing_pays(summary: Json) -> list[str]:
    steps = ["Keep every task on its present model for now."]
    levers = [
        (lever["saving_month_usd"] or 0.0, task["name"], lever["name"])
        for task in summary["tasks"]
        for lever in task["levers"]
    ]
    worth, name, lever = max(levers, default=(0.0, "", ""))
    if worth >= _WORTH_A_STEP_USD:
        steps.append(f"Try {lever} on “{shorten(name, 70)}”: about {usd_about(worth)} a month, without another model.")
    if waiting_for_volume(summary):
        steps.append("Run this again when volume grows: each task's break-even is on its card.")
    return steps


def _key_assumptions(assumptions: Sequence[Json]) -> list[dict[str, str]]:
    """Return the assumptions that move the headline most, under names a reader knows; the rest stand in their table."""
    by_name = {entry["name"]: entry for entry in assumptions}
    known = [name for name in KEY_ASSUMPTIONS if name in by_name]
    names = [*known, *(name for name in by_name if name not in known)][:_FIRST_ASSUMPTIONS]
    return [{**by_name[name], "name": KEY_ASSUMPTIONS.get(name, name)} for name in names]


def _card_order(summary: Json) -> list[Json]:
    by_id = {task["task_id"]: task for task in summary["tasks"]}
    first = [task_id for task_id in summary["plan"]["order"] if task_id in by_id]
    return [by_id[task_id] for task_id in dict.fromkeys([*first, *by_id])]


def _particular(limits: Sequence[str]) -> list[str]:
    return [line for line in limits if line not in GENERAL_LIMITS]


def _exemplars(exemplars: Mapping[str, Sequence[str]] | None, task: Json) -> list[str]:
    return [text[:_EXEMPLAR_CHARS] for text in (exemplars or {}).get(task["task_id"], ())[:_EXEMPLARS]]


def _ledger(summary: Json) -> dict[str, Any]:
    ledger, rows, window = summary["ledger"], summary["rows"], summary["window"]
    names = {
        "imported_usd": "Imported",
        "tasks_usd": "In tasks",
        "unassigned_usd": "Unassigned",
        "excluded_usd": "Excluded by a person",
    }
    lines: list[dict[str, Any]] = []
    if ledger["imported_usd"] is not None:
        money = [ledger[name] for name in names]
        percents = ["100 %", *whole_percents(money[1:])]
        lines = [
            {"label": label, "usd": usd(value, places_for(money)), "percent": share, "total": label == "Imported"}
            for label, value, share in zip(names.values(), money, percents, strict=True)
        ]
    return {
        "lines": lines,
        "files": rows["files"],
        "rows": rows,
        "month": None if ledger["month_usd"] is None else usd_month(ledger["month_usd"]),
        "month_reason": ledger["month_reason"],
        "days": window["days"],
        "active_days": window["active_days"],
        "sample": window["sampling_rate"] < 1,
        "unpriced": None
        if not ledger["unpriced_calls"]
        else f"{counted(ledger['unpriced_calls'], 'call')} with {ledger['unpriced_tokens']:,} tokens",
        "estimated": percent(ledger["estimated_token_share"]),
        "logged": None if ledger["logged_usd"] is None else usd(ledger["logged_usd"]),
        "logged_reason": ledger["logged_difference_reason"],
        "sources": source_lines(ledger),
    }


def _privacy(redaction: Json, exemplars: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    counts = sorted(redaction["counts"].items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        **redaction,
        "counts": [(kind, f"{n:,}") for kind, n in counts],
        "recall": _recall(redaction.get("recall")),
        "exemplars": bool(exemplars),
    }


def _recall(record: Json | None) -> str | None:
    """Return the sentence on the recall of redaction, or None where nobody measured it."""
    if record is None:
        return None
    kinds = ", ".join(
        f"{row['kind']} {100 * row['recall']:.1f} % ({100 * row['lo90']:.1f} to {100 * row['hi90']:.1f})"
        for row in record["kinds"]
    )
    return f"Recall on synthetic forms: {kinds}; 90 % intervals, measured on {record['measured_on']} in these prompts."


def _false_green(record: Json | None) -> str:
    """Say how far the probes fooled themselves on this log: on shuffled answers, and on a planted rule."""
    if record is None:
        return (
            "How often a task would look learnable after its answers were shuffled was not measured on this log; "
            "slmlens run --false-green measures it."
        )
    if record["rate"] is None:
        found = "No task has a probe, so there is nothing to shuffle."
    else:
        found = (
            f"After the answers were shuffled among sessions, {100 * record['rate']:.1f} % of {record['pairs']:,} "
            f"checks still found a task learnable (95 % interval {100 * record['lo95']:.0f} to "
            f"{100 * record['hi95']:.0f} %; {counted(record['tasks'], 'task')}, "
            f"{counted(record['shuffles'], 'shuffle')}; {record['tasks_without_probe']:,} without a probe)."
        )
    if not record["planted"]:
        return found
    return (
        f"{found} A rule planted in the prompts of {counted(record['planted'], 'task')} was missed in "
        f"{record['planted_missed']:,} ({100 * record['missed_rate']:.0f} %)."
    )


def _words(tasks: Sequence[Json]) -> dict[str, list[tuple[str, str, str]]]:
    evidence, grades = {task["evidence"] for task in tasks}, {task["grade"] for task in tasks}
    return {
        "evidence": [(word, *EVIDENCE[word]) for word in EVIDENCE if word in evidence],
        "grades": [(grade, grade, GRADE[grade]) for grade in GRADE if grade in grades],
    }


def _sum_note(plan: Json) -> str | None:
    if plan["saving_month_usd"] is None or plan["sum_of_task_p50_usd"] is None:
        return None
    whole, parts = usd_about(plan["saving_month_usd"]["p50"]), usd_about(plan["sum_of_task_p50_usd"])
    return (
        f"Middle of the plan as a whole: {whole} a month. Sum of its tasks' middles: {parts} a month. The two need not "
        "agree: the tasks share prices, people and one set-up, and the plan is drawn as a whole."
    )
