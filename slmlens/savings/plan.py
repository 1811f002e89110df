"""What to do with each task, in which order, and what it is worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.errors import SettingError
from slmlens.results import Plan, Verdicts
from slmlens.savings.alternatives import smaller_model_assumption, smaller_model_costs
from slmlens.savings.assumptions import Assumptions, Overrides, load_assumptions
from slmlens.savings.candidates import candidates_of, graded_as_is
from slmlens.savings.catalogue import read_catalogue
from slmlens.savings.ladder import Rung, ladder
from slmlens.savings.levers import Lever, task_levers
from slmlens.savings.montecarlo import draw_shared, percentiles, quantile
from slmlens.savings.options import Option, Setting, savings_row, task_options
from slmlens.savings.pilot_plan import pilot_rows, pilot_table
from slmlens.savings.volumes import Volume, billed, task_volumes
from slmlens.savings.wording import flips, money_reasons
from slmlens.spend.ledger import build_ledger
from slmlens.spend.months import Month, estimate_month
from slmlens.suitability.decide import MIGRATE_FROM, OPEN_FROM, Decision, decide
from slmlens.tables import NUSD_PER_USD, ActionsTable, AssumptionsTable, SavingsTable, checked

_READY = ("code", "cache", "migrate-swap", "migrate-tune")
_MIN_GRADED_OF_CLASS = 10
_MIN_DRAWS = 100
_SOME = 0.01
"""Share of a task's calls from which what they do counts for the whole task."""


@dataclass(frozen=True)
class _Valued:
    """A task with its options and what was decided; ``overruled``: the action that a person replaced."""

    volume: Volume
    verdict: Mapping[str, object]
    options: Sequence[Option]
    chosen: Option
    decision: Decision
    candidates: list[dict[str, object]]
    overruled: str | None


def plan(
    verdicts: Verdicts,
    *,
    overrides: Overrides | None = None,
    seed: int = 0,
    draws: int = 4000,
    today: dt.date | None = None,
    excluded: Collection[str] = (),
) -> Plan:
    """Return what to do with each task and what it is worth.

    Savings are unconditional joint draws that count only where parity holds, a month at the run-rate, after monthly
    people cost. Without times or prices the month figures are null, and the saving per 1,000 calls and the break-even
    stand in. Calls a seat plan paid save nothing. ``total`` holds, in nano-USD: ``saving_month_nusd`` (p10, p50, p90 of
    the sum of the tasks in ``order``; None: no month), ``sum_of_p50_nusd``, ``one_off_nusd``, ``order`` (tasks whose
    action has a positive expected value, highest first), ``coverage_nusd`` (spend by ready, pilot, keep, unassigned,
    excluded, adding up to what was imported) and ``month`` (the estimate for the whole log). An action that a person
    asked for is followed where it is one of the task's options.

    :param verdicts: Verdicts over priced calls.
    :param overrides: Assumptions by name, or the path of a YAML file of them.
    :param seed: Seed of the draws; the same log and seed give the same plan, in any row order.
    :param draws: Simulated futures, at least 100.
    :param today: Day of the prices of alternatives; default: today.
    :param excluded: Ids of further tasks or calls to set aside, beside those that people's decisions name.
    :raises SettingError: If an assumption or the number of draws is not allowed.
    """
    if draws < _MIN_DRAWS:
        raise SettingError(f"{draws} draws are too few", where="draws", next_step=f"take {_MIN_DRAWS} or more")
    assumptions = load_assumptions(overrides)
    tasks = verdicts.tasks
    month = estimate_month(tasks.calls.calls, sampling_rate=tasks.calls.sampling_rate)
    volumes = task_volumes(tasks, month)
    setting = Setting(assumptions, draw_shared(assumptions, month, seed=seed, draws=draws), seed)
    smaller = _smaller_savings(verdicts, today)
    levers = task_levers(tasks, volumes, assumptions, per_month=month.per_month, today=today)
    rows = {str(row["task_id"]): row for row in verdicts.verdicts.sort("task_id").iter_rows(named=True)}
    aside, asked, graded = tasks.set_aside | set(excluded), tasks.asked, graded_as_is(verdicts.evidence)
    valued = [
        _value_task(volumes[task_id], row, smaller.get(task_id), setting, asked.get(task_id), graded.get(task_id, {}))
        for task_id, row in rows.items()
    ]
    return Plan(
        verdicts=verdicts,
        savings=_savings(valued, assumptions),
        actions=_actions(valued, levers, assumptions, month),
        assumptions=_assumptions(verdicts, assumptions),
        total=_total(valued, verdicts, month, aside),
        pilots=pilot_table(
            [
                row
                for task in valued
                if task.decision.action not in _READY and task.volume.task_id not in aside
                for row in pilot_rows(task.volume, task.verdict, task.options, assumptions)
            ]
        ),
    )


def _smaller_savings(verdicts: Verdicts, today: dt.date | None) -> dict[str, tuple[str, float]]:
    """Return, by task, the vendor's smaller model (the commonest) and the mean saving a billed call in nano-USD."""
    tasks = verdicts.tasks
    calls = tasks.calls.calls.filter(billed())
    costs = smaller_model_costs(calls, today=today)
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


def _value_task(
    volume: Volume,
    verdict: Mapping[str, object],
    smaller: tuple[str, float] | None,
    setting: Setting,
    asked: str | None,
    graded: Mapping[str, float],
) -> _Valued:
    accepted, candidates = candidates_of(volume, verdict, graded, setting.assumptions)
    options = task_options(volume, verdict, accepted, smaller, setting)
    by_action = {option.action: option for option in options}
    decision = _decide(volume, verdict, by_action, setting.assumptions, slm_fits=bool(accepted))
    overruled = None
    if asked is not None and asked != decision.action and asked in by_action:
        overruled, decision = decision.action, Decision(asked, mode=by_action[asked].mode)
    return _Valued(volume, verdict, options, by_action[decision.action], decision, candidates, overruled)


def _decide(
    volume: Volume,
    verdict: Mapping[str, object],
    options: Mapping[str, Option],
    assumptions: Assumptions,
    *,
    slm_fits: bool,
) -> Decision:
    evidence, gate = str(verdict["evidence"]), verdict["gate"]
    parity = {mode: _parity(verdict[mode]) for mode in ("swap", "tuned")}
    migrate, pilot = (
        {"swap": options.get(f"{verb}-swap"), "tuned": options.get(f"{verb}-tune")} for verb in ("migrate", "pilot")
    )
    return decide(
        gate=str(gate) if gate is not None else None,
        enough=evidence != "not-enough-data",
        no_signal=evidence == "no-signal",
        program_lo90=_number(verdict["program_lo90"]) if "code" in options else None,
        cacheable=_cacheable(verdict, options, assumptions),
        evidence=evidence,
        grade=str(verdict["grade"]),
        p_parity_swap=parity["swap"],
        p_parity_tuned=parity["tuned"],
        p_npv_swap=_chance(migrate["swap"]),
        p_npv_tuned=_chance(migrate["tuned"]),
        npv_p90_swap_positive=_may_pay(pilot["swap"], volume),
        npv_p90_tuned_positive=_may_pay(pilot["tuned"], volume),
        slm_fits=slm_fits,
        rare_class_unmeasured=_rare_unmeasured(verdict),
        cheaper_llm_better=_cheaper_is_better(options, parity, volume),
    )


def _cacheable(verdict: Mapping[str, object], options: Mapping[str, Option], assumptions: Assumptions) -> bool:
    enough = (_number(verdict["repeat_share"]) or 0.0) >= assumptions.central("cache_min_share")
    acts = _signal(verdict, "side_effect_share")
    harmless = verdict["output_kind"] != "tool_call" if acts is None else acts < _SOME
    return enough and harmless and "cache" in options


def _chance(option: Option | None) -> float | None:
    """Return P(NPV > 0); None: no month or no price."""
    return None if option is None or option.worth is None else float((option.worth.npv > 0).mean())


def _may_pay(option: Option | None, volume: Volume) -> bool:
    if option is None:
        return False
    if option.worth is not None:
        return quantile(np.sort(option.worth.npv), 0.9) > 0
    return volume.billed_month is None and (option.saved_nusd or 0) > 0


def _cheaper_is_better(options: Mapping[str, Option], parity: Mapping[str, float | None], volume: Volume) -> bool:
    """Tell whether a pilot of the vendor's smaller model passes a pilot's tests and beats those of small models."""
    cheaper = options.get("pilot-cheaper-llm")
    if cheaper is None or cheaper.expected_npv is None or (parity["swap"] or 0.0) < OPEN_FROM:
        return False
    rivals = [
        option.expected_npv
        for mode, action in (("swap", "pilot-swap"), ("tuned", "pilot-tune"))
        if (option := options.get(action)) is not None
        and option.expected_npv is not None
        and (parity[mode] or 0.0) >= OPEN_FROM
    ]
    return _may_pay(cheaper, volume) and cheaper.expected_npv > max([0.0, *rivals])


def _savings(valued: Sequence[_Valued], assumptions: Assumptions) -> pl.DataFrame:
    rows = [
        savings_row(option, task.volume, assumptions, chosen=option is task.chosen)
        for task in valued
        for option in task.options
    ]
    return checked(SavingsTable, pl.DataFrame(rows, SavingsTable.create_empty().schema))


def _actions(
    valued: Sequence[_Valued], levers: Mapping[str, list[Lever]], assumptions: Assumptions, month: Month
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
            "candidates": task.candidates,
            "flips": flips(task.volume, task.verdict, task.options, assumptions, task.decision),
            "reasons": _reasons(task, month),
        }
        for task in valued
    ]
    return checked(ActionsTable, pl.DataFrame(rows, ActionsTable.create_empty().schema))


def _ladder(task: _Valued, levers: Mapping[str, list[Lever]], assumptions: Assumptions) -> list[Rung]:
    options = {option.action: option for option in task.options}
    cacheable = _cacheable(task.verdict, options, assumptions)
    found = levers.get(task.volume.task_id, [])
    return ladder(task.volume, task.verdict, options, found, assumptions, cacheable=cacheable)


def _reasons(task: _Valued, month: Month) -> list[str]:
    reasons = task.verdict["reasons"]
    said = [str(reason) for reason in reasons] if isinstance(reasons, list) else []
    if task.decision == Decision("keep", "gate") and task.verdict["gate"] is None:
        said.append("no small model of the catalogue fits: see why each was rejected")
    if task.overruled is not None:
        said.insert(0, f"a person decided on {task.decision.action}; the evidence alone said {task.overruled}")
    if task.verdict["evidence"] == "shown" and task.decision.action.startswith(("pilot", "keep")):
        said.append(_why_not_moved(task))
    return said + money_reasons(task.volume, task.chosen, month_reason=month.reason)


def _why_not_moved(task: _Valued) -> str:
    """Return why a task stays although a small model is shown to hold it."""
    if _rare_unmeasured(task.verdict):
        return "a small model is shown, but moving waits until a rare answer class has 10 graded calls"
    chances = [_chance(option) for option in task.options if option.action.startswith("migrate")]
    known = [chance for chance in chances if chance is not None]
    if not known:
        return "a small model is shown, but without a month the chance that moving pays can't be stated"
    return (
        f"a small model is shown, but the chance that moving pays is {max(known):.0%}, and {MIGRATE_FROM:.0%} is asked"
    )


def _rare_unmeasured(verdict: Mapping[str, object]) -> bool:
    return verdict["rare_class"] is not None and (_number(verdict["rare_n"]) or 0) < _MIN_GRADED_OF_CLASS


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


def _total(valued: Sequence[_Valued], verdicts: Verdicts, month: Month, excluded: Collection[str]) -> dict[str, object]:
    aside = set(excluded)
    paying = [
        task
        for task in valued
        if task.decision.action != "keep" and _expected(task) > 0 and task.volume.task_id not in aside
    ]
    paying.sort(key=lambda task: (-_expected(task), task.volume.task_id))
    draws = [task.chosen.worth.monthly for task in paying if task.chosen.worth is not None]
    saving: dict[str, int] | None = None
    if month.mid_nusd is not None:
        sums = percentiles(np.sum(draws, axis=0)) if draws else (0, 0, 0)
        saving = dict(zip(("p10", "p50", "p90"), sums, strict=True))
    return {
        "saving_month_nusd": saving,
        "sum_of_p50_nusd": sum(percentiles(drawn)[1] for drawn in draws),
        "one_off_nusd": sum(round(task.chosen.one_off_usd * NUSD_PER_USD) for task in paying),
        "order": [task.volume.task_id for task in paying],
        "coverage_nusd": _coverage(valued, verdicts, excluded),
        "month": month,
    }


def _expected(task: _Valued) -> float:
    """Return the expected NPV; where no month is known, what the log's own calls would have saved."""
    expected = task.chosen.expected_npv
    return (task.chosen.saved_nusd or 0.0) * task.volume.billed_calls if expected is None else expected


def _coverage(valued: Sequence[_Valued], verdicts: Verdicts, excluded: Collection[str]) -> dict[str, int]:
    tasks = verdicts.tasks
    ledger = build_ledger(tasks.calls.calls, tasks.assignments, excluded=excluded)
    kind = {task.volume.task_id: _kind(task.decision.action) for task in valued}
    coverage = {
        "ready": 0,
        "pilot": 0,
        "keep": 0,
        "unassigned": ledger.unassigned_nusd,
        "excluded": ledger.excluded_nusd,
    }
    spend = ledger.by_task.filter(pl.col("task_id").is_not_null() & ~pl.col("excluded"))
    for task_id, nusd in spend.select("task_id", pl.col("spend_nusd").fill_null(0)).iter_rows():
        coverage[kind[task_id]] += nusd
    return coverage | {"unassigned": ledger.unassigned_nusd, "excluded": ledger.excluded_nusd}


def _kind(action: str) -> str:
    if action in _READY:
        return "ready"
    return "keep" if action == "keep" else "pilot"


def _parity(mode: object) -> float | None:
    return _number(mode["p_parity"]) if isinstance(mode, dict) else None


def _signal(verdict: Mapping[str, object], name: str) -> float | None:
    signals = verdict["signals"]
    found = [entry["value"] for entry in signals if entry["name"] == name] if isinstance(signals, list) else []
    return _number(found[0]) if found else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
