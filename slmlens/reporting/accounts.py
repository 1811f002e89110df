"""The money part of the summary: ledger, month and coverage in rounded dollars that add up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from slmlens.errors import ContractError
from slmlens.reporting.money import apportion, cents, dollars, money_unit, rounded, usd_about, usd_month
from slmlens.reporting.task_records import bucket_of
from slmlens.spend.ledger import Ledger
from slmlens.spend.months import Month

BUCKETS = ("ready", "pilot", "keep")
COVERAGE = (*BUCKETS, "unassigned", "excluded")


@dataclass(frozen=True)
class Accounts:
    """Rounded money of one run.

    :param ledger: The summary's ``ledger`` without its month.
    :param coverage: Run-rate spend by what to do (``COVERAGE``, each name ending in ``_usd``); None: nothing priced.
    :param task_spend_usd: In the order of the task rows; None where no call of the task is priced.
    :param task_runrate_usd: Likewise, at today's prices.
    """

    ledger: dict[str, Any]
    coverage: dict[str, float] | None
    task_spend_usd: Sequence[float | None]
    task_runrate_usd: Sequence[float | None]


def settle(ledger: Ledger, rows: pl.DataFrame, order: Collection[str]) -> Accounts:
    """Round the money of a run once, from the total down, so that every sum on show is the sum of its lines.

    :param rows: Of :func:`slmlens.reporting.task_records.task_rows`.
    :param order: Ids of the tasks that the plan acts on.
    :raises ContractError: If the tasks cost another sum than the ledger says.
    """
    spend = rows.get_column("spend_nusd")
    if int(spend.sum()) != ledger.tasks_nusd:
        raise ContractError(
            f"the tasks' calls cost {int(spend.sum()):,} nano-USD and the ledger says {ledger.tasks_nusd:,}",
            where="the summary",
            next_step="please report this; the run folder was left as it is",
        )
    unit = money_unit(ledger.imported_nusd)
    placed = apportion([ledger.tasks_nusd, ledger.unassigned_nusd, ledger.excluded_nusd], unit)
    shown_spend = apportion(spend.fill_null(0).to_list(), unit, placed[0])
    tasks = rows.select("task_id", "action").iter_rows()
    buckets = [bucket_of(action, in_plan=task_id in order) for task_id, action in tasks]
    runrate = rows.get_column("runrate_nusd").fill_null(0).to_list()
    covered = _coverage(ledger, buckets, runrate, unit)
    return Accounts(
        ledger=_lines(ledger, placed, unit),
        coverage=None if ledger.priced_calls == 0 else {f"{k}_usd": dollars(v, unit) for k, v in covered.items()},
        task_spend_usd=_known(spend, shown_spend, unit),
        task_runrate_usd=_known(rows.get_column("runrate_nusd"), _within(buckets, runrate, covered, unit), unit),
    )


def month_record(month: Month) -> dict[str, Any]:
    """Return ``month_usd`` (low, mid, high; low and high null without an interval) and ``month_reason``."""
    if month.mid_nusd is None:
        return {"month_usd": None, "month_reason": month.reason}
    low, mid, high, next_low, next_high = (
        cents(nusd)
        for nusd in (month.low_nusd, month.mid_nusd, month.high_nusd, month.next_low_nusd, month.next_high_nusd)
    )
    ahead = ""
    if next_low is not None and next_high is not None:
        ahead = f" The next 30 days may well cost anything from {usd_about(next_low, 3)} to {usd_about(next_high, 3)}."
    reason = month.reason + ahead + since_step_words(month)
    return {"month_usd": {"low": low, "mid": mid, "high": high}, "month_reason": reason}


def since_step_words(month: Month) -> str:
    """Return what a month costs at the rate since a clear step, as a sentence; empty where there is none."""
    after, shift = month.after_step, month.shift
    if after is None or shift is None:
        return ""
    names = {"low": after.low_nusd, "mid": after.mid_nusd, "high": after.high_nusd}
    worth = usd_month({name: cents(nusd) for name, nusd in names.items()})
    return (
        f" At the rate since {shift.day.isoformat()} a month costs {worth}; savings here rest on the whole window. "
        "For savings at that rate, analyse the log from that day on."
    )


def _coverage(ledger: Ledger, buckets: Sequence[str], runrate: Sequence[int], unit: int) -> dict[str, int]:
    parts = dict.fromkeys(BUCKETS, 0)
    for bucket, nusd in zip(buckets, runrate, strict=True):
        parts[bucket] += nusd
    excluded = int(ledger.by_task.filter("excluded").get_column("runrate_nusd").sum())
    amounts = [*parts.values(), ledger.runrate_nusd - sum(parts.values()) - excluded, excluded]
    return dict(zip(COVERAGE, apportion(amounts, unit), strict=True))


def _within(buckets: Sequence[str], runrate: Sequence[int], covered: dict[str, int], unit: int) -> list[int]:
    shown = [0] * len(runrate)
    for bucket in BUCKETS:
        places = [at for at, name in enumerate(buckets) if name == bucket]
        units = apportion([runrate[at] for at in places], unit, covered[bucket])
        for at, value in zip(places, units, strict=True):
            shown[at] = value
    return shown


def _lines(ledger: Ledger, placed: Sequence[int], unit: int) -> dict[str, Any]:
    names = ("imported_usd", "tasks_usd", "unassigned_usd", "excluded_usd")
    units = (sum(placed), *placed)
    logged = ledger.logged.logged_nusd
    share = ledger.estimated_token_share
    priced = ledger.priced_calls > 0
    return {
        **{name: dollars(value, unit) if priced else None for name, value in zip(names, units, strict=True)},
        "unpriced_calls": ledger.unpriced_calls,
        "unpriced_tokens": ledger.unpriced_tokens,
        "logged_usd": None if logged is None else dollars(rounded(logged, unit), unit),
        "logged_difference_reason": ledger.logged.reason or None,
        "estimated_token_share": None if share is None else round(share, 4),
    }


def _known(exact: pl.Series, units: Sequence[int], unit: int) -> list[float | None]:
    return [None if nusd is None else dollars(value, unit) for nusd, value in zip(exact, units, strict=True)]
