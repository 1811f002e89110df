"""What a rendering shows, from the summary alone: the same numbers as words, in the order an audience reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from slmlens.errors import SettingError
from slmlens.reporting.card import card, evidence_badge, name_of, saving_cell
from slmlens.reporting.headline import calls_a_month
from slmlens.reporting.money import places_for, usd, usd_about, usd_range
from slmlens.reporting.plain_words import ACTION, COVERAGE, EVIDENCE, GRADE, next_step, risks
from slmlens.reporting.task_records import bucket_of
from slmlens.reporting.text import counted

AUDIENCES = ("leadership", "finance", "engineering")

_SECTIONS = {
    "leadership": ("tasks", "cards", "ledger", "assumptions", "privacy", "method"),
    "finance": ("ledger", "assumptions", "tasks", "cards", "privacy", "method"),
    "engineering": ("tasks", "cards", "ledger", "assumptions", "privacy", "method"),
}
_CARDS = {"leadership": 6, "finance": 6, "engineering": 40}
_TOP_TASKS = 5
_FIRST_STEPS = 6
_FIRST_ASSUMPTIONS = 6
_EXEMPLARS = 3
_EXEMPLAR_CHARS = 600
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

Json = Mapping[str, Any]


def build_view(summary: Json, audience: str, exemplars: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Return the display values of a report.

    :param summary: Of :func:`slmlens.reporting.summary.summarise`.
    :param audience: One of ``AUDIENCES``.
    :param exemplars: Redacted prompts to show, by task id; None: none, which is the default for a reason.
    :raises SettingError: If the audience is unknown.
    """
    if audience not in AUDIENCES:
        raise SettingError(f"the audience {audience!r} is unknown", where="audience", next_step=f"choose one of {', '.join(AUDIENCES)}")
    tasks = summary["tasks"]
    has_tasks = bool(tasks)
    sections = [name for name in _SECTIONS[audience] if has_tasks or name not in {"tasks", "cards"}]
    chosen = _card_order(summary)[: _CARDS[audience]]
    return {
        "audience": audience,
        "sections": sections,
        "window": window_words(summary["window"]),
        "scope": _scope(summary),
        "headline": summary["plan"]["headline"],
        "figures": _figures(summary),
        "coverage": _coverage(summary),
        "top": [_task_row(task, summary) for task in tasks[:_TOP_TASKS]],
        "steps": _steps(summary),
        "risks": risks(summary),
        "notes": [] if has_tasks else summary["limits"],
        "key_assumptions": _key_assumptions(summary["assumptions"]),
        "tasks": [_task_row(task, summary) for task in tasks],
        "cards": [card(task, summary, _exemplars(exemplars, task)) for task in chosen],
        "cards_left": len(tasks) - len(chosen),
        "ledger": _ledger(summary),
        "assumptions": summary["assumptions"],
        "privacy": _privacy(summary["redaction"], exemplars),
        "decisions": summary["decisions"],
        "false_green": _false_green(summary["false_green"]),
        "method": summary["method"],
        "limits": summary["limits"] if has_tasks else [],
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
    if plan["saving_month_usd"] is not None:
        figures.append(_figure("Potential saving a month", usd_range(plan["saving_month_usd"], per=""), "over all tasks to act on"))
    if ledger["month_usd"] is not None:
        figures.append(_figure("These calls cost a month", _month_words(ledger["month_usd"]), "at today's prices"))
    elif ledger["imported_usd"] is not None:
        spent = usd(ledger["imported_usd"], places_for([ledger["imported_usd"]]))
        figures.append(_figure("Spend in this log", spent, ledger["month_reason"] or "no month can be stated"))
    if plan["one_off_usd"]:
        figures.append(_figure("One-off work", usd_about(plan["one_off_usd"]), "people and training, before any saving"))
    if tasks:
        buckets = [bucket_of(task["action"]) for task in tasks]
        split = " · ".join(f"{buckets.count(name)} {word}" for name, word in (("ready", "ready"), ("pilot", "to pilot"), ("keep", "to keep")))
        figures.append(_figure("Tasks found", f"{len(tasks):,}", split))
    return figures


def _figure(label: str, value: str, note: str) -> dict[str, str]:
    head, bracket, rest = value.partition(" (")
    return {"label": label, "value": head, "note": f"{rest.rstrip(')')}; {note}" if bracket else note}


def _month_words(month: Json) -> str:
    if month["low"] is None:
        return f"about {usd_about(month['mid'])}"
    return f"{usd_about(month['low'])} to {usd_about(month['high'])} (middle {usd_about(month['mid'])})"


def _coverage(summary: Json) -> list[dict[str, Any]]:
    coverage = summary["plan"]["coverage"]
    if coverage is None or not summary["tasks"]:
        return []
    values = {name: coverage[f"{name}_usd"] for name in COVERAGE}
    total, places = sum(values.values()), places_for(list(values.values()))
    if total <= 0:
        return []
    parts, start = [], 0.0
    for name, (label, meaning) in COVERAGE.items():
        share = values[name] / total
        parts.append(
            {"name": name, "label": label, "meaning": meaning, "usd": usd(values[name], places), "percent": percent(share),
             "x": round(1000 * start, 2), "width": round(1000 * share, 2)}
        )
        start += share
    return parts


def percent(share: float | None) -> str:
    """Return a share as a percentage; a small one that is not nothing as ``< 1 %``."""
    if share is None:
        return "not known"
    if 0 < share < 0.005:  # noqa: PLR2004  it would round to 0 %
        return "< 1 %"
    return f"{100 * share:.0f} %"


def _task_row(task: Json, summary: Json) -> dict[str, Any]:
    runrates = [entry["runrate_usd"] for entry in summary["tasks"] if entry["runrate_usd"] is not None]
    monthly = calls_a_month(task, summary["window"])
    action, _ = ACTION[task["action"]]
    return {
        "name": name_of(task),
        "place": " · ".join(dict.fromkeys([task["application"], *task["step_names"][:2]])),
        "calls": f"{task['n_calls']:,}",
        "calls_month": "not known" if monthly is None else f"{monthly:,.0f}",
        "runrate": "not priced" if task["runrate_usd"] is None else usd(task["runrate_usd"], places_for(runrates)),
        "share": percent(task["spend_share"]),
        "bucket": bucket_of(task["action"]),
        "action": action,
        "evidence": evidence_badge(task),
        "saving": saving_cell(task),
    }


def _steps(summary: Json) -> list[str]:
    by_id = {task["task_id"]: task for task in summary["tasks"]}
    steps = [next_step(by_id[task_id]) for task_id in summary["plan"]["order"] if task_id in by_id]
    hidden = len(steps) - _FIRST_STEPS
    return [*steps[:_FIRST_STEPS], *([f"Then the {counted(hidden, 'further task')} marked in the table."] if hidden > 0 else [])]


def _key_assumptions(assumptions: Sequence[Json]) -> list[Json]:
    judged = [entry for entry in assumptions if entry["kind"] == "judgement"]
    facts = [entry for entry in assumptions if entry["kind"] == "fact"]
    return [*judged[: _FIRST_ASSUMPTIONS - 2], *facts[:2]]


def _card_order(summary: Json) -> list[Json]:
    by_id = {task["task_id"]: task for task in summary["tasks"]}
    first = [task_id for task_id in summary["plan"]["order"] if task_id in by_id]
    return [by_id[task_id] for task_id in dict.fromkeys([*first, *by_id])]


def _exemplars(exemplars: Mapping[str, Sequence[str]] | None, task: Json) -> list[str]:
    return [text[:_EXEMPLAR_CHARS] for text in (exemplars or {}).get(task["task_id"], ())[:_EXEMPLARS]]


def _ledger(summary: Json) -> dict[str, Any]:
    ledger, rows, window = summary["ledger"], summary["rows"], summary["window"]
    names = {"imported_usd": "Imported", "tasks_usd": "In tasks", "unassigned_usd": "Unassigned", "excluded_usd": "Excluded by a person"}
    total = ledger["imported_usd"]
    places = places_for([ledger[name] for name in names if ledger[name] is not None])
    lines = [
        {"label": label, "usd": usd(ledger[name], places), "percent": percent(ledger[name] / total if total else None), "total": name == "imported_usd"}
        for name, label in names.items()
        if ledger[name] is not None
    ]
    return {
        "lines": lines,
        "files": rows["files"],
        "rows": rows,
        "month": None if ledger["month_usd"] is None else _month_words(ledger["month_usd"]),
        "month_reason": ledger["month_reason"],
        "days": window["days"],
        "active_days": window["active_days"],
        "sample": window["sampling_rate"] < 1,
        "unpriced": None if not ledger["unpriced_calls"]
        else f"{counted(ledger['unpriced_calls'], 'call')} with {ledger['unpriced_tokens']:,} tokens",
        "estimated": percent(ledger["estimated_token_share"]),
        "logged": None if ledger["logged_usd"] is None else usd(ledger["logged_usd"], places_for([ledger["logged_usd"]])),
        "logged_reason": ledger["logged_difference_reason"],
    }


def _privacy(redaction: Json, exemplars: Mapping[str, Sequence[str]] | None) -> dict[str, Any]:
    counts = sorted(redaction["counts"].items(), key=lambda pair: (-pair[1], pair[0]))
    return {**redaction, "counts": [(kind, f"{n:,}") for kind, n in counts], "exemplars": bool(exemplars)}


def _false_green(record: Json | None) -> str:
    if record is None:
        return "The false-green rate, how often a task would look learnable after its answers were shuffled, was not measured on this log."
    rate, low, high = (record.get(name) for name in ("rate", "lo90", "hi90"))
    if rate is None:
        return str(record.get("note") or "The false-green rate could not be measured on this log.")
    span = "" if low is None or high is None else f" (90 % interval {100 * low:.0f} to {100 * high:.0f} %)"
    return f"After the answers were shuffled among sessions, {100 * rate:.1f} % of the tasks still looked learnable{span}."


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
        f"The middle of the plan as a whole is {whole} a month; the middle figures of its tasks add up to {parts}. "
        "Middles don't add: the tasks share prices, people and one set-up."
    )
