"""The sentence a reader takes away, chosen by what the log can carry: a range where there is one, never a point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slmlens.reporting.money import usd, usd_about, usd_month, usd_range
from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import counted, joined, percent, shorten
from slmlens.spend.months import MONTH_DAYS

_NAME_LIMIT = 80
_KEPT_FOR = {
    "money": ("would not repay the work", "would not repay the work"),
    "quality": ("fails on quality", "fail on quality"),
    "gate": ("may not be moved", "may not be moved"),
    "unknown": ("has too little data to judge", "have too little data to judge"),
}


@dataclass(frozen=True)
class Prospect:
    """A task and what it would take for it to pay.

    :param name: Its name.
    :param break_even_calls_month: Calls a month from which it pays; None: never.
    :param calls_month: Calls a month the log shows; None: no month can be stated.
    """

    name: str
    break_even_calls_month: float | None
    calls_month: float | None


@dataclass(frozen=True)
class Outlook:
    """What the headline is chosen from.

    :param has_prompts: False: the log holds no prompt at all.
    :param spend_usd: Priced spend of the log; None: nothing could be priced.
    :param days: Days of the calendar window; None: the log has no times.
    :param month: ``low``, ``mid``, ``high`` in US dollars: the run-rate a month; None: not stated.
    :param month_reason: Why there is no month, as a sentence.
    :param saving: ``p10``, ``p50``, ``p90`` in US dollars a month of the whole plan; None: not stated.
    :param per_1000_usd: Saving per 1,000 calls of each task to act on, where known.
    :param break_even: Break-even calls a month of each task to act on, where it has one.
    :param kept: Number of kept tasks by reason (``quality``, ``money``, ``gate``, ``unknown``).
    :param nearest: The kept task that is nearest to paying, if any has a break-even.
    :param seat_share: Share of the spend that a seat plan covers, in 0..1.
    :param prepaid_share: Share of the spend that a commitment has prepaid, in 0..1.
    """

    n_calls: int
    n_tasks: int
    n_ready: int
    n_pilot: int
    has_prompts: bool = True
    spend_usd: float | None = None
    days: float | None = None
    month: Mapping[str, float | None] | None = None
    month_reason: str | None = None
    saving: Mapping[str, float] | None = None
    per_1000_usd: Sequence[float] = ()
    break_even: Sequence[float] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    nearest: Prospect | None = None
    seat_share: float = 0.0
    prepaid_share: float = 0.0


def headline(outlook: Outlook) -> str:
    """Return the headline; it says *potential*, because a log can show no other saving."""
    if not outlook.has_prompts:
        return _without_prompts(outlook)
    if outlook.n_tasks == 0:
        return _without_tasks(outlook)
    if outlook.n_ready + outlook.n_pilot == 0:
        return _nothing_pays(outlook)
    if outlook.saving is None:
        return _per_call(outlook)
    return _saving(outlook, outlook.saving)


def _saving(outlook: Outlook, saving: Mapping[str, float]) -> str:
    seat = "At list prices, " if outlook.seat_share > 0 else ""
    acting = outlook.n_ready + outlook.n_pilot
    share = ""
    middle = outlook.month["mid"] if outlook.month else None
    if middle and 0 <= saving["p10"] <= saving["p90"] <= middle:
        low, high = (100 * saving[end] / middle for end in ("p10", "p90"))
        share = f", {low:.0f} to {high:.0f} % of the {usd_about(middle, 3)} a month these calls cost"
    verb = "carries" if acting == 1 else "carry"
    worth = f"{verb} a potential saving of {usd_range(saving)}"
    if saving["p10"] < 0:
        worth = f"could bring anything from {usd_range(saving).replace('a saving', 'a potential saving')}"
    return (
        f"{seat}{acting} of {counted(outlook.n_tasks, 'task')} {worth}{share}: {_readiness(outlook)}.{_seat(outlook)}"
    )


def _per_call(outlook: Outlook) -> str:
    acting = outlook.n_ready + outlook.n_pilot
    where = f"{acting} of {counted(outlook.n_tasks, 'task')}"
    if not outlook.per_1000_usd:
        verb = "is worth a closer look" if acting == 1 else "are worth a closer look"
        return f"{where} {verb} ({_readiness(outlook)}), but no saving is stated. {_why(outlook)}{_seat(outlook)}"
    verb = "carries" if acting == 1 else "carry"
    rate = _span([usd_about(value) for value in sorted(outlook.per_1000_usd)], single="up to {}")
    pays = ""
    if outlook.break_even:
        calls = _span([_calls(value) for value in sorted(outlook.break_even)], single="about {}")
        pays = (
            f" and breaks even at {calls} calls a month" if acting == 1 else f" and break even at {calls} calls a month"
        )
    return (
        f"{where} {verb} a potential saving of {rate} per 1,000 calls moved (before people cost){pays}: "
        f"{_readiness(outlook)}. {_why(outlook)}{_seat(outlook)}"
    )


def _nothing_pays(outlook: Outlook) -> str:
    kept = [
        f"{n:,} {_KEPT_FOR[reason][n != 1]}"
        for reason, n in sorted(outlook.kept.items(), key=lambda pair: (-pair[1], pair[0]))
        if n and reason in _KEPT_FOR
    ]
    why = f" Of {counted(outlook.n_tasks, 'task')}, {joined(kept)}." if kept else ""
    if outlook.n_tasks == 1 and kept:
        why = f" The one task {kept[0].removeprefix('1 ')}."
    cost = f" These calls cost {usd_month(outlook.month)} a month." if outlook.month else ""
    return f"No task in this log pays for a migration.{cost}{why}{_what_it_takes(outlook)}{_seat(outlook)}"


def _what_it_takes(outlook: Outlook) -> str:
    near = outlook.nearest
    if near is None or near.break_even_calls_month is None:
        return ""
    seen = "" if near.calls_month is None else f"; the log shows about {_calls(near.calls_month)}"
    name = shorten(near.name, _NAME_LIMIT)
    return (
        f" The nearest, “{name}”, would break even at about {_calls(near.break_even_calls_month)} calls a month{seen}."
    )


def _without_tasks(outlook: Outlook) -> str:
    spent = "" if outlook.spend_usd is None else f" and the {usd(outlook.spend_usd)} they cost"
    return (
        "No step in this log recurs in enough sessions to be called a task: "
        f"all {counted(outlook.n_calls, 'call')}{spent} stay unassigned, and no saving is claimed. "
        "A longer log would show whether steps recur."
    )


def _without_prompts(outlook: Outlook) -> str:
    over = "" if outlook.days is None else f" over {counted(round(outlook.days), 'day')}"
    spent = "none of them could be priced" if outlook.spend_usd is None else f"{usd(outlook.spend_usd)}{over}"
    month = f"; {usd_month(outlook.month)} a month at today's prices" if outlook.month else ""
    return (
        "This log holds no prompts, so it shows what was spent and not which tasks could move to a small model: "
        f"{counted(outlook.n_calls, 'call')}, {spent}{month}. To find the tasks, switch on prompt logging and "
        f"run again.{_seat(outlook)}"
    )


def _readiness(outlook: Outlook) -> str:
    if outlook.n_ready and outlook.n_pilot:
        verb = "needs" if outlook.n_pilot == 1 else "need"
        return f"{outlook.n_ready} ready to move, {outlook.n_pilot} {verb} a pilot first"
    if outlook.n_ready:
        return f"{'all' if outlook.n_ready > 1 else 'it is'} ready to move"
    return "each needs a pilot first" if outlook.n_pilot > 1 else "it needs a pilot first"


def _why(outlook: Outlook) -> str:
    """Return the sentence that says why there is no monthly saving."""
    if outlook.spend_usd is None:
        return "None of the calls could be priced; --assume-model NAME prices calls whose model is not named."
    if outlook.month is None:
        return outlook.month_reason or "No month can be stated."
    return "What these tasks would save a month could not be worked out."


def _seat(outlook: Outlook) -> str:
    if outlook.seat_share <= 0:
        return _prepaid(outlook.prepaid_share)
    whole = outlook.seat_share >= 1
    some = "These calls were" if whole else f"{100 * outlook.seat_share:.0f} % of this spend was"
    theirs = "the figures" if whole else "its figures"
    return (
        f" {some} paid by a seat plan: {theirs} are list-price equivalents, and nothing is saved there until the plan "
        "changes."
        f"{_prepaid(outlook.prepaid_share)}"
    )


def _prepaid(share: float) -> str:
    if share <= 0:
        return ""
    return (
        f" {percent(share)} of this spend is prepaid by a commitment: a list-price equivalent, and nothing is saved "
        "there until it ends."
    )


def _span(ordered: Sequence[str], single: str) -> str:
    if ordered[0] == ordered[-1]:
        return single.format(ordered[0])
    return f"{ordered[0]} to {ordered[-1]}"


def _calls(value: float) -> str:
    return f"{float(f'{value:.1e}'):,.0f}"


def outlook(
    summary: Mapping[str, Any], *, has_prompts: bool, seat_share: float = 0.0, prepaid_share: float = 0.0
) -> Outlook:
    """Return what the headline needs to know, read from a summary whose headline is still empty.

    :param summary: As :func:`slmlens.reporting.summary.summarise` returns it.
    """
    tasks: list[Mapping[str, Any]] = summary["tasks"]
    acting = [task for task in tasks if bucket(task, summary) != "keep"]
    pilot = sum(bucket(task, summary) == "pilot" for task in acting)
    by_money = [t for t in tasks if t["action"] != "keep" or t["keep_because"]]  # the others a person keeps
    kept = [task["keep_because"] or "money" for task in by_money if bucket(task, summary) == "keep"]
    month, window = summary["ledger"]["month_usd"], summary["window"]
    return Outlook(
        n_calls=summary["rows"]["calls"],
        n_tasks=len(tasks),
        n_ready=len(acting) - pilot,
        n_pilot=pilot,
        has_prompts=has_prompts,
        spend_usd=summary["ledger"]["imported_usd"],
        days=window["days"],
        month=month,
        month_reason=summary["ledger"]["month_reason"],
        saving=summary["plan"]["saving_month_usd"],
        per_1000_usd=_known(acting, "saving_per_1000_calls_usd"),
        break_even=_known(acting, "break_even_calls_month"),
        kept=Counter(kept),
        nearest=_nearest(summary),
        seat_share=seat_share,
        prepaid_share=prepaid_share,
    )


def calls_a_month(task: Mapping[str, Any], summary: Mapping[str, Any]) -> float | None:
    """Return the calls of a task in 30 days at the log's pace; None where the log can't carry a month."""
    window = summary["window"]
    if summary["ledger"]["month_usd"] is None or not window["days"]:
        return None
    return float(task["n_calls"] / window["days"] * MONTH_DAYS / window["sampling_rate"])


def _known(tasks: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [task[name] for task in tasks if task[name] is not None]


def _nearest(summary: Mapping[str, Any]) -> Prospect | None:
    def distance(task: Mapping[str, Any]) -> tuple[float, str]:
        return task["break_even_calls_month"] / (calls_a_month(task, summary) or task["n_calls"] or 1), task["task_id"]

    best = min(waiting_for_volume(summary), key=distance, default=None)
    return (
        None if best is None else Prospect(best["name"], best["break_even_calls_month"], calls_a_month(best, summary))
    )


def waiting_for_volume(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tasks that nothing but volume keeps: their break-even is known and they don't reach it."""
    kept = [task for task in summary["tasks"] if bucket(task, summary) == "keep"]
    dear = [task for task in kept if task["keep_because"] == "money" or task["action"] != "keep"]
    return [task for task in dear if task["break_even_calls_month"] is not None]
