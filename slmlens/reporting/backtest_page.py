"""A back-test in words and as a record: what was promised before a day, and what came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from slmlens.refinement.backtest import LOST, SUPPORTED, UNKNOWN, WEAKER, BackTest, MonthCheck
from slmlens.reporting.check_page import aligned, fact
from slmlens.reporting.money import cents, usd_about, usd_range
from slmlens.reporting.text import counted, joined, percent, shorten, visible
from slmlens.spend.months import MIN_DAYS, MIN_INTERVAL_DAYS

SCHEMA = "slmlens/backtest@1"
TASKS_SHOWN = 12

_NAME_CHARS = 34
_FAR = 2.0
"""A volume that came in at over twice, or under half, of what was promised is told by name."""

_SUPPORT = {
    SUPPORTED: "is green again by the later calls alone",
    WEAKER: "is only open by the later calls alone",
    LOST: "is no longer green: the later calls speak against it",
    UNKNOWN: "has too few later calls to say",
}
_LIMITS = (
    "No one migrated anything: this tests the log's figures, not a small model. What a small model answers, and what "
    "people's work costs, shows only in a pilot and after a move. Decisions of people are not replayed, for they were "
    "made with the whole log in view."
)


def back_test_page(test: BackTest) -> str:
    """Return the page: plain text, at most 100 columns wide."""
    parts = [_sides(test), _month(test.month), _tasks(test), _evidence(test), _savings(test), [fact("limits", _LIMITS)]]
    return visible("\n\n".join("\n".join(part) for part in parts if part))


def back_test_record(test: BackTest) -> dict[str, Any]:
    """Return the back-test as JSON: money in US dollars, null unknown."""
    month, saving = test.month, test.saving
    return {
        "schema": SCHEMA,
        "split": test.split.isoformat(),
        "earlier": _side_record(test.periods.earlier.calls, month.promised.days),
        "later": _side_record(test.periods.later.calls, month.seen_days),
        "untimed_calls": test.periods.untimed,
        "sessions_across": test.periods.across,
        "promise": {
            "month_usd": {
                "low": cents(month.promised.low_nusd),
                "mid": cents(month.promised.mid_nusd),
                "high": cents(month.promised.high_nusd),
            },
            "month_reason": month.promised.reason,
            "saving_month_usd": None
            if saving.promised is None
            else {name: cents(value) for name, value in saving.promised.items()},
            "sum_of_task_p50_usd": cents(saving.promised_p50_sum),
            "placed_share": round(test.promised_placed_share, 4),
        },
        "seen": {
            "month_usd": cents(month.seen_nusd),
            "range_for_these_days_usd": {"low": cents(month.low_nusd), "high": cents(month.high_nusd)},
            "range_rests_on": month.basis,
            "inside": month.inside,
            "sum_of_task_p50_usd": cents(saving.seen_p50_sum),
            "placed_share": round(test.placed_share, 4),
        },
        "tasks": [_dollars(row) for row in test.tasks.iter_rows(named=True)],
        "probes": test.probes.to_dicts(),
        "green": test.green,
        "said": test.said,
    }


def _side_record(calls: pl.DataFrame, days: float) -> dict[str, Any]:
    first, last = calls.select(pl.col("started_at").min(), pl.col("started_at").max().alias("last")).row(0)
    return {"calls": calls.height, "days": round(days, 2), "start": first.isoformat(), "end": last.isoformat()}


def _dollars(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.replace("_nusd", "_usd"): cents(value) if name.endswith("_nusd") else value for name, value in row.items()
    }


def _sides(test: BackTest) -> list[str]:
    earlier, later = test.periods.earlier.calls.height, test.periods.later.calls.height
    first = (
        f"Back-test at {test.split.isoformat()}: what the {test.month.promised.days:.0f} days before it promise "
        f"({counted(earlier, 'call')}),"
    )
    lines = [first, f"against the {test.month.seen_days:.0f} days from it on ({counted(later, 'call')})."]
    if test.periods.untimed:
        lines.append(f"{counted(test.periods.untimed, 'call')} without a time are on neither side.")
    if test.periods.across:
        lines.append(f"{counted(test.periods.across, 'session')} with calls on both sides are cut in two.")
    return lines


def _month(month: MonthCheck) -> list[str]:
    if month.promised.mid_nusd is None:
        return [fact("month", f"None was promised. {month.promised.reason}")]
    lines = [fact("month promised", _promised_month(month))]
    if month.seen_days < MIN_DAYS:
        words = (
            f"{month.seen_days:.1f} days are too few to hold it against; take a day with {MIN_DAYS} or more after it."
        )
    elif month.seen_nusd is None:
        words = "No later call has a price."
    else:
        words = f"{_about(month.seen_nusd)} a month at the same prices{_verdict(month)}"
    return [*lines, fact("month seen", words)]


def _promised_month(month: MonthCheck) -> str:
    promised = month.promised
    assert promised.mid_nusd is not None
    if promised.low_nusd is not None and promised.high_nusd is not None:
        return (
            f"{_about(promised.mid_nusd)}, 90 % interval {_about(promised.low_nusd)} to {_about(promised.high_nusd)}; "
            f"as a rate over the {month.seen_days:.0f} days that followed, {_range(month)}."
        )
    since = ""
    if month.basis == "step" and promised.after_step is not None and promised.shift is not None:
        since = f" Since the step of {promised.shift.day.isoformat()}: {_range(month)} for the days that followed."
    return f"{_about(promised.mid_nusd)}, without an interval. {promised.reason}{since}"


def _range(month: MonthCheck) -> str:
    assert month.low_nusd is not None
    assert month.high_nusd is not None
    return f"{_about(month.low_nusd)} to {_about(month.high_nusd)}"


def _verdict(month: MonthCheck) -> str:
    assert month.promised.mid_nusd is not None
    assert month.seen_nusd is not None
    times = month.seen_nusd / month.promised.mid_nusd if month.promised.mid_nusd else 0.0
    if month.inside is None:
        return f", {times:.2f} times the promised middle; no range was promised."
    if month.inside:
        return ": inside the promised range."
    side = "above" if month.seen_nusd > (month.high_nusd or 0) else "below"
    return f": {side} the promised range, {times:.2f} times its middle."


def _tasks(test: BackTest) -> list[str]:
    tasks = test.tasks
    status = dict(tasks.group_by("status").len().iter_rows())
    known = status.get("recurs", 0) + status.get("gone", 0)
    if not known:
        return [fact("tasks", "None was found before the day: too few calls recur there.")]
    words = (
        f"{status.get('recurs', 0)} of {counted(known, 'promised task')} recur, {status.get('gone', 0)} are gone, "
        f"{status.get('new', 0)} are new. The promised tasks hold {percent(test.placed_share)} of the later cost "
        f"({percent(test.promised_placed_share)} of the earlier)."
    )
    shown = tasks.head(TASKS_SHOWN)
    monthly = tasks.get_column("promised_calls_month").count() > 0
    lines = [fact("tasks", words), "", *_task_table(shown, monthly=monthly)]
    if tasks.height > shown.height:
        lines.append(f"  and {counted(tasks.height - shown.height, 'more task')} in backtest.json")
    far = _far(tasks)
    return [*lines, *([""] if far else []), *far]


def _task_table(tasks: pl.DataFrame, *, monthly: bool) -> list[str]:
    unit, suffix = ("a month", "_month") if monthly else ("in all", "")
    rows = [["  promised → seen", f"calls {unit}", "cost a month", "evidence → by later calls alone"]]
    rows += [
        [
            f"  {shorten(row['name'], _NAME_CHARS)}",
            _pair(*(_number(row[f"{side}_calls{suffix}"]) for side in ("promised", "seen"))),
            _pair(*(_about(row[f"{side}_month_nusd"]) for side in ("promised", "seen"))),
            row["status"]
            if row["status"] != "recurs"
            else _pair(row["evidence"] or "", row["seen_evidence"] or "", same="stays"),
        ]
        for row in tasks.iter_rows(named=True)
    ]
    return aligned(rows, left=1, texts=[0, 3])


def _pair(promised: str, seen: str, *, same: str | None = None) -> str:
    if same is not None and promised == seen:
        return f"{promised}, {same}"
    return f"{promised or '-'} → {seen or '-'}" if promised or seen else ""


def _far(tasks: pl.DataFrame) -> list[str]:
    recurring = tasks.filter((pl.col("status") == "recurs") & pl.col("promised_calls_month").is_not_null())
    ratio = pl.col("seen_calls_month") / pl.col("promised_calls_month")
    far = recurring.with_columns(ratio=ratio).filter((pl.col("ratio") > _FAR) | (pl.col("ratio") < 1 / _FAR))
    if recurring.is_empty():
        return []
    if far.is_empty():
        return [fact("volumes", "Every recurring task came within half to twice its promised calls.")]
    names = [
        f"“{shorten(name, _NAME_CHARS)}” ({times:.1f} times)"
        for name, times in far.head(4).select("name", "ratio").iter_rows()
    ]
    more = f" and {far.height - len(names)} more" if far.height > len(names) else ""
    words = f"{far.height} of {recurring.height} came at over twice or under half of it: {joined(names)}{more}."
    return [fact("volumes", words)]


def _evidence(test: BackTest) -> list[str]:
    measured = test.probes.filter(pl.col("held").is_not_null())
    if measured.is_empty():
        lines = [fact("agreement", "No probe of the promise could be graded on later calls.")]
    else:
        held = int(measured.get_column("held").sum())
        lines = [
            fact(
                "agreement",
                f"{held} of {counted(measured.height, 'promised agreement')} of classifiers and rules hold where these "
                "are trained before the day and graded after it (the later figure reaches the promised range)."
                + _fallen(test, measured),
            )
        ]
    if not test.green:
        return [*lines, fact("green", "No task was promised as shown or likely.")]
    names = dict(test.tasks.select("task_id", "name").iter_rows())
    told = [
        f"“{shorten(names[task], _NAME_CHARS)}” {_SUPPORT[word]}{_best_probe(test, task)}"
        for task, word in sorted(test.green.items(), key=_worst)
    ]
    fewer = ""
    if WEAKER in test.green.values():
        fewer = " Later calls alone are fewer, which by itself weakens evidence: trust the agreements more."
    return [*lines, fact("green", f"{counted(len(told), 'task')} promised: {'; '.join(told)}.{fewer}")]


def _best_probe(test: BackTest, task_id: str) -> str:
    """Return the highest promised agreement that was graded, in brackets; empty where none was."""
    rows = test.probes.filter((pl.col("task_id") == task_id) & pl.col("seen").is_not_null())
    if rows.is_empty():
        return ""
    best = rows.sort("promised", "source", "what", descending=[True, False, False]).row(0, named=True)
    figures = f"{percent(best['promised'])} promised, {percent(best['seen'])} seen"
    return f" ({best['source']} on {best['what']}: {figures})"


def _worst(entry: tuple[str, str]) -> tuple[int, str]:
    return (LOST, WEAKER, UNKNOWN, SUPPORTED).index(entry[1]), entry[0]


def _fallen(test: BackTest, measured: pl.DataFrame) -> str:
    names = dict(test.tasks.select("task_id", "name").iter_rows())
    rows = measured.filter(~pl.col("held")).sort("promised", "task_id", descending=[True, False]).head(3)
    told = [
        f"“{shorten(names[task], _NAME_CHARS)}” ({source} on {what}: {percent(one)} promised, {percent(two)} seen)"
        for task, source, what, one, two in rows.select("task_id", "source", "what", "promised", "seen").iter_rows()
    ]
    return f" Not: {joined(told)}." if told else ""


def _savings(test: BackTest) -> list[str]:
    saving = test.saving
    if saving.promised is None:
        return [fact("saving", "No month was promised, so there is no saving a month to hold it to.")]
    promised = usd_range({name: cents(value) or 0.0 for name, value in saving.promised.items()})
    count = int(test.tasks.get_column("in_plan").sum())
    if not count:
        return [fact("saving", "The promise acts on no task, so there is no saving to hold it to.")]
    sums = f"their middle figures add up to {_about(saving.promised_p50_sum)}"
    words = f"{counted(count, 'task')} promised {promised}; {sums}."
    if saving.seen_p50_sum is None:
        return [fact("saving", f"{words} The later days carry no month to value them by.")]
    return [
        fact(
            "saving",
            f"{words} The same actions valued on the later calls alone, with what these say of parity, add up to "
            f"{_about(saving.seen_p50_sum)}: still potential, for nothing was moved.",
        ),
        *_short(test),
    ]


def _short(test: BackTest) -> list[str]:
    if test.month.seen_days >= MIN_INTERVAL_DAYS:
        return []
    words = (
        f"{test.month.seen_days:.0f} later days are one week or two: their own evidence is thin, and may only be that."
    )
    return [fact("", words)]


def _about(nusd: int | None) -> str:
    value = cents(nusd)
    return "" if value is None else usd_about(value, 3)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
