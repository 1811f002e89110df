"""The summary: one dict of everything that a report shows. HTML, PDF, spreadsheet and JSON are renderings of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from typing import Any

import polars as pl

from slmlens.reporting.accounts import month_record, settle
from slmlens.reporting.decisions import taken_over_words, unmeasured_words
from slmlens.reporting.headline import headline, outlook
from slmlens.reporting.lineage import lineage_record, tasks_in_words
from slmlens.reporting.money import cents
from slmlens.reporting.plain_words import GENERAL_LIMITS, GENERAL_METHOD
from slmlens.reporting.plan_records import routing_records, share_records, view_records
from slmlens.reporting.spend_records import spend_record, tags_record
from slmlens.reporting.task_records import task_record, task_rows
from slmlens.reporting.text import counted, visible_tree
from slmlens.reporting.worth_records import plan_worth
from slmlens.results import Plan
from slmlens.spend.ledger import Ledger
from slmlens.spend.months import Month
from slmlens.spend.tags import TagTotals

SCHEMA = "slmlens/summary@1"

_ROW_KINDS = ("records", "calls", "parents", "duplicates", "rejects", "other")
_UNPRICED_SHOWN = 5

Json = dict[str, Any]

_REDACTION: Json = {"enabled": True, "text_kept": True, "counts": {}, "not_covered": [], "recall": None}


@dataclass(frozen=True)
class RunFacts:
    """What the run knows and no frame carries.

    :param redaction: ``enabled``, ``text_kept`` (false with ``--no-text``), ``counts`` (values replaced, by kind),
        ``not_covered`` (sentences) and ``recall`` (as ``redaction_recall`` noted it, or None). Keys left out take the
        default.
    :param decisions: One record a decision: ``id, op, what, by, at, why, status`` (a word of
        ``tables.DECISION_STATUSES``), ``next_step`` (None: nothing to do), ``from`` (the earlier run it comes from, or
        None).
    :param method: Sentences on how this run was made (version, seed, settings), put before ours.
    :param limits: Sentences on what this run can't say, put before ours.
    :param tags: Money by a cost-allocation tag; None: no tag was asked for.
    :param invoice: As :func:`slmlens.reporting.spend_records.invoice_record` returns it; None: no invoice was given.
    """

    redaction: Mapping[str, Any] = field(default_factory=dict)
    decisions: Sequence[Mapping[str, Any]] = ()
    method: Sequence[str] = ()
    limits: Sequence[str] = ()
    tags: TagTotals | None = None
    invoice: Mapping[str, Any] | None = None


def summarise(plan: Plan, *, ledger: Ledger, month: Month, facts: RunFacts | None = None) -> Json:
    """Return the summary of a run, as ``summary.schema.json`` describes it (``slmlens/summary@1``).

    Money is rounded from nano-USD by the largest remainder, so that tasks add up to their total, and tasks, unassigned
    and excluded spend to what was imported. Every string is made readable (:func:`slmlens.reporting.text.visible`).

    :param ledger: Where the money of every call went.
    :param month: The run-rate of a month, or why there is none.
    :raises ContractError: If the tasks' calls cost another sum than the ledger says.
    """
    facts = facts or RunFacts()
    rows = task_rows(plan, ledger.by_task)
    order = _order(plan, rows)
    accounts = settle(ledger, rows, order)
    money = zip(rows.iter_rows(named=True), accounts.task_spend_usd, accounts.task_runrate_usd, strict=True)
    summary: Json = {
        "schema": SCHEMA,
        "window": _window(plan, month),
        "rows": _rows(plan.tasks.calls.files),
        "ledger": {**accounts.ledger, **month_record(month), **_spend(ledger, facts)},
        "tasks": [
            task_record(row, spend_usd=spend, spend_share=_share(row["spend_nusd"], ledger), runrate_usd=runrate)
            | {"routing": routing_records(row)}
            for row, spend, runrate in money
        ],
        "plan": {
            "headline": "",
            "order": order,
            **_plan(plan, rows, order),
            **plan_worth(plan),
            "coverage": accounts.coverage,
            "pilots": _pilots(plan),
            "shares": share_records(plan, ledger, order),
            **view_records(plan),
        },
        "assumptions": plan.assumptions.sort("kind", "name", descending=[True, False]).to_dicts(),
        "false_green": plan.verdicts.false_green,
        "redaction": {**_REDACTION, **facts.redaction},
        "decisions": [dict(decision) for decision in facts.decisions],
        "lineage": lineage_record(plan.tasks),
        "method": [
            *facts.method,
            *tasks_in_words(plan.tasks),
            *taken_over_words(facts.decisions),
            *unmeasured_words(plan.tasks),
            *GENERAL_METHOD,
        ],
        "limits": [*plan.tasks.calls.notes, *facts.limits, *_unpriced(ledger), *GENERAL_LIMITS],
    }
    seat, prepaid = (nusd / max(ledger.imported_nusd, 1) for nusd in (ledger.seat_nusd, ledger.prepaid_nusd))
    said = outlook(summary, has_prompts=_has_prompts(plan), seat_share=seat, prepaid_share=prepaid)
    summary["plan"]["headline"] = headline(said)
    clean = visible_tree(summary)
    assert isinstance(clean, dict)
    return clean


def _spend(ledger: Ledger, facts: RunFacts) -> Json:
    return {**spend_record(ledger), "tags": tags_record(facts.tags, ledger), "invoice": facts.invoice}


def summary_schema() -> Json:
    """Return the JSON Schema (draft 2020-12) of the summary."""
    text = resources.files("slmlens.reporting").joinpath("summary.schema.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text)
    return schema


def _window(plan: Plan, month: Month) -> Json:
    timed = month.start is not None
    return {
        "start": None if month.start is None else _iso(month.start),
        "end": None if month.end is None else _iso(month.end),
        "days": round(month.days, 2) if timed else None,
        "active_days": month.active_days if timed else None,
        "sampling_rate": plan.tasks.calls.sampling_rate,
    }


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _rows(files: pl.DataFrame) -> Json:
    listed = files.sort("file").select("file", "format", *_ROW_KINDS)
    return {**{name: int(listed.get_column(name).sum()) for name in _ROW_KINDS}, "files": listed.to_dicts()}


def _share(nusd: int | None, ledger: Ledger) -> float | None:
    return None if nusd is None or not ledger.imported_nusd else round(nusd / ledger.imported_nusd, 6)


def _order(plan: Plan, rows: pl.DataFrame) -> list[str]:
    """Return the tasks that the plan acts on; where it names none it trusts every action."""
    acting = rows.filter(pl.col("action") != "keep").get_column("task_id").to_list()
    order: Any = plan.total.get("order")
    return acting if order is None else [task_id for task_id in order if task_id in set(acting)]


def _plan(plan: Plan, rows: pl.DataFrame, order: Sequence[str]) -> Json:
    saving = plan.total.get("saving_month_nusd")
    known = rows.filter(pl.col("task_id").is_in(order) & pl.col("p50_nusd").is_not_null())
    one_off: Any = plan.total.get("one_off_nusd")
    return {
        "one_off_usd": cents(one_off),
        "saving_month_usd": _range(saving),
        "sum_of_task_p50_usd": None if known.is_empty() else cents(int(known.get_column("p50_nusd").sum())),
    }


def _pilots(plan: Plan) -> list[Json]:
    """Return the pilots as planned, the one worth most first; estimates in US dollars."""
    return [
        {
            "task_id": row["task_id"],
            "mode": row["mode"],
            "slm": row["slm"],
            "calls": row["calls"],
            "p_shown": round(row["p_shown"], 4),
            "worth_if_shown_usd": cents(row["worth_if_shown_nusd"]),
            "cost_usd": cents(row["cost_nusd"]),
            "value_usd": cents(row["value_nusd"]),
            "in_loop": row["in_loop"],
        }
        for row in plan.pilots.sort("rank").iter_rows(named=True)
    ]


def _range(saving: Any) -> Json | None:  # noqa: ANN401  a mapping or a triple, as the plan's total carries it
    if saving is None:
        return None
    ends = [saving[end] for end in ("p10", "p50", "p90")] if isinstance(saving, Mapping) else list(saving)
    return None if None in ends else dict(zip(("p10", "p50", "p90"), map(cents, ends), strict=True))


def _has_prompts(plan: Plan) -> bool:
    return plan.tasks.calls.calls.get_column("message_ids").list.len().fill_null(0).max() not in (None, 0)


def _unpriced(ledger: Ledger) -> list[str]:
    """Return a line for each reason why calls have no price, with the models it concerns, most calls first."""
    lines = []
    for (why,), group in ledger.unpriced.group_by("why", maintain_order=True):
        models = [
            f"{row['model']}{' at ' + row['provider'] if row['provider'] else ''} ({row['calls']:,})"
            for row in group.filter(pl.col("model").is_not_null()).head(_UNPRICED_SHOWN).iter_rows(named=True)
        ]
        hidden = group.height - len(models)
        listed = f": {', '.join(models)}{f' and {hidden} more' if hidden else ''}" if models else ""
        calls, tokens = int(group.get_column("calls").sum()), int(group.get_column("tokens").sum())
        lines.append(f"{counted(calls, 'call')} with {tokens:,} tokens could not be priced, {why}{listed}.")
    return lines
