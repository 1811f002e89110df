"""What to do with each task, in which order, and what it is worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from slmlens.errors import SettingError
from slmlens.results import Plan, Verdicts
from slmlens.savings.alternatives import smaller_model_assumption, smaller_model_costs
from slmlens.savings.arrivals import Traffic
from slmlens.savings.assumptions import Assumptions, Overrides, load_assumptions
from slmlens.savings.catalogue import read_catalogue
from slmlens.savings.chances import graded_models
from slmlens.savings.ladder import Rung, ladder
from slmlens.savings.levers import Lever, task_levers
from slmlens.savings.montecarlo import Setting, draw_shared
from slmlens.savings.options import best_by_action
from slmlens.savings.pilot_plan import pilot_rows, pilot_table
from slmlens.savings.savings_rows import savings_rows
from slmlens.savings.totals import READY, plan_total
from slmlens.savings.valuing import Valued, cacheable, chance, rare_unmeasured, value_task
from slmlens.savings.views import decision_views, routing_rows
from slmlens.savings.volumes import billed, task_volumes
from slmlens.savings.wording import flips, money_reasons
from slmlens.spend.months import Month, estimate_month
from slmlens.spend.price_book import PriceBook
from slmlens.suitability.decide import MIGRATE_FROM, Decision
from slmlens.tables import ActionsTable, AssumptionsTable, SavingsTable, checked

_MIN_DRAWS = 100


def plan(
    verdicts: Verdicts,
    *,
    overrides: Overrides | None = None,
    seed: int = 0,
    draws: int = 4000,
    today: dt.date | None = None,
    book: PriceBook | None = None,
    excluded: Collection[str] = (),
) -> Plan:
    """Return what to do with each task and what it is worth.

    Savings are unconditional joint draws that count only where parity holds, a month at the run-rate, after monthly
    work and the cost of wrong answers beyond the present model's. Without times or prices the month figures are null,
    and the saving per 1,000 calls and the break-even stand in. Calls that a seat plan paid save nothing; nor do those
    under a commitment before it ends. ``total``: see :func:`slmlens.savings.totals.plan_total` and
    :func:`slmlens.savings.views.decision_views`. An action that a person asked for is followed where it is one of the
    task's options.

    :param verdicts: Verdicts over priced calls.
    :param overrides: Assumptions by name, or the path of a YAML file of them.
    :param seed: Seed of the draws; the same log and seed give the same plan, in any row order.
    :param draws: Simulated futures, at least 100.
    :param today: Day of the prices of alternatives, and from which commitments count; default: today.
    :param book: Where prices are from: the one that the calls were priced with; None: the public lists.
    :param excluded: Ids of further tasks or calls to set aside, beside those that people's decisions name.
    :raises SettingError: If an assumption or the number of draws is not allowed.
    """
    if draws < _MIN_DRAWS:
        raise SettingError(f"{draws} draws are too few", where="draws", next_step=f"take {_MIN_DRAWS} or more")
    assumptions = load_assumptions(overrides, today=today)
    tasks = verdicts.tasks
    month = estimate_month(tasks.calls.calls, sampling_rate=tasks.calls.sampling_rate)
    volumes = task_volumes(tasks, month, today=today, book=book)
    traffic = Traffic(tasks, assumptions.central("traffic_growth"))
    setting = Setting(assumptions, draw_shared(assumptions, month, seed=seed, draws=draws), seed, traffic)
    smaller = _smaller_savings(verdicts, today, book)
    levers = task_levers(tasks, volumes, assumptions, per_month=month.per_month, today=today, book=book)
    rows = {str(row["task_id"]): row for row in verdicts.verdicts.sort("task_id").iter_rows(named=True)}
    aside, asked, graded = tasks.set_aside | set(excluded), tasks.asked, graded_models(verdicts.evidence)
    valued = [
        value_task(volumes[task_id], row, smaller.get(task_id), setting, asked.get(task_id), graded.get(task_id, {}))
        for task_id, row in rows.items()
    ]
    running = [task for task in valued if task.volume.task_id not in aside]
    pilots = _pilots(running, assumptions)
    total = plan_total(valued, verdicts, month, setting.shared, aside)
    order: Any = total["order"]
    return Plan(
        verdicts=verdicts,
        savings=_savings(valued, setting),
        actions=_actions(valued, levers, assumptions, month, tasks.asked_by),
        assumptions=_assumptions(verdicts, assumptions),
        total=total | decision_views(order, running, pilots, setting),
        pilots=pilots,
    )


def _pilots(running: Sequence[Valued], assumptions: Assumptions) -> pl.DataFrame:
    waiting = [task for task in running if task.decision.action not in READY]
    rows = [row for task in waiting for row in pilot_rows(task.volume, task.verdict, task.options, assumptions)]
    return pilot_table(rows)


def _smaller_savings(verdicts: Verdicts, today: dt.date | None, book: PriceBook | None) -> dict[str, tuple[str, float]]:
    """Return, by task, the vendor's smaller model (the commonest) and the mean saving a billed call in nano-USD."""
    tasks = verdicts.tasks
    calls = tasks.calls.calls.filter(billed())
    costs = smaller_model_costs(calls, today=today, book=book)
    placed = calls.select("call_id", "runrate_nusd").join(tasks.assignments.select("call_id", "task_id"), on="call_id")
    saved = (pl.col("runrate_nusd") - pl.col("smaller_nusd")).fill_null(0).mean()
    rows = (
        placed.filter(pl.col("task_id").is_not_null())
        .join(costs, on="call_id", how="left")
        .group_by("task_id")
        .agg(pl.col("smaller").drop_nulls().mode().sort().first(), saved.alias("saved"))
        .filter(pl.col("smaller").is_not_null())
    )
    return {task_id: (smaller, value) for task_id, smaller, value in rows.iter_rows()}


def _savings(valued: Sequence[Valued], setting: Setting) -> pl.DataFrame:
    return checked(SavingsTable, pl.DataFrame(savings_rows(valued, setting), SavingsTable.create_empty().schema))


def _actions(
    valued: Sequence[Valued],
    levers: Mapping[str, list[Lever]],
    assumptions: Assumptions,
    month: Month,
    asked_by: Mapping[str, str],
) -> pl.DataFrame:
    rows = [
        {
            "task_id": task.volume.task_id,
            "evidence": task.verdict["evidence"],
            "action": task.decision.action,
            "keep_because": task.decision.keep_because,
            "mode": task.decision.mode,
            "slm": task.chosen.slm,
            "levers": levers.get(task.volume.task_id, []),
            "ladder": _ladder(task, levers, assumptions),
            "routing": routing_rows(task.volume, task.options, assumptions),
            "candidates": task.candidates,
            "capability": None if task.capability is None else asdict(task.capability),
            "picks": [asdict(one) for one in task.picks],
            "flips": flips(task.volume, task.verdict, task.options, assumptions, task.decision),
            "reasons": _reasons(task, month, asked_by.get(task.volume.task_id)),
        }
        for task in valued
    ]
    return checked(ActionsTable, pl.DataFrame(rows, ActionsTable.create_empty().schema))


def _ladder(task: Valued, levers: Mapping[str, list[Lever]], assumptions: Assumptions) -> list[Rung]:
    options = best_by_action(task.options)
    serves = cacheable(task.verdict, options, assumptions)
    found = levers.get(task.volume.task_id, [])
    return ladder(task.volume, task.verdict, options, found, assumptions, cacheable=serves)


def _reasons(task: Valued, month: Month, asked_by: str | None) -> list[str]:
    reasons = task.verdict["reasons"]
    said = [str(reason) for reason in reasons] if isinstance(reasons, list) else []
    if task.decision == Decision("keep", "gate") and task.verdict["gate"] is None:
        said.append("no small model of the catalogue fits: see why each was rejected")
    if task.overruled is not None:
        who = f"a person ({asked_by})" if asked_by else "a person"
        said.insert(0, f"{who} decided on {task.decision.action}; the evidence alone said {task.overruled}")
    if task.verdict["evidence"] == "shown" and task.decision.action.startswith(("pilot", "keep")):
        said.append(_why_not_moved(task))
    if task.verdict["weak_comparator"] and task.chosen.wrong_nusd > 0:
        said.append("of free-text answers that read differently only a part is taken to be wrong (weak_wrong_share)")
    return said + money_reasons(task.volume, task.chosen, month_reason=month.reason)


def _why_not_moved(task: Valued) -> str:
    """Return why a task stays although a small model is shown to hold it."""
    if rare_unmeasured(task.verdict):
        return "a small model is shown, but moving waits until a rare answer class has 10 graded calls"
    chances = [chance(option) for option in task.options if option.action.startswith("migrate")]
    known = [found for found in chances if found is not None]
    if not known:
        return "a small model is shown, but without a month the chance that moving pays can't be stated"
    if task.verdict["hold"] is not None and max(known) >= MIGRATE_FROM:
        return f"a small model is shown and moving would pay, but {task.verdict['hold']}: only a person may decide it"
    return (
        f"a small model is shown, but the chance that moving pays is {max(known):.0%}, and {MIGRATE_FROM:.0%} is asked"
    )


def _assumptions(verdicts: Verdicts, assumptions: Assumptions) -> pl.DataFrame:
    dates = read_catalogue().get_column("date")
    catalogue = {
        "name": "slm_catalogue",
        "value": str(dates.len()),
        "unit": "models with licence, context window, tools and hosted prices",
        "source": "slmlens/savings/slm_catalogue.csv, each row with its sources",
        "date": str(dates.max()),
        "kind": "fact",
    }
    own = pl.concat([assumptions.table(), smaller_model_assumption(), pl.DataFrame([catalogue])])
    given = verdicts.assumptions.filter(~pl.col("name").is_in(own.get_column("name").implode()))
    return checked(AssumptionsTable, pl.concat([given.select(own.columns), own]))
