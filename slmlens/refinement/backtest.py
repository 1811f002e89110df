"""Promised against seen: what slmlens says on the calls before a day, held against the calls from that day on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import polars as pl

from slmlens.refinement.periods import Periods, split_calls
from slmlens.refinement.probes_later import probes_later
from slmlens.refinement.promise import GREEN, Made, SameSettings, new_tasks_later, promise, same_tasks_later
from slmlens.refinement.tables import TasksLaterTable
from slmlens.results import Calls
from slmlens.spend.months import Month, estimate_month
from slmlens.tables import checked

SUPPORTED, WEAKER, LOST, UNKNOWN = "supported", "weaker", "lost", "unknown"
_LOST = ("unlikely", "no-signal", "gated")


@dataclass(frozen=True)
class MonthCheck:
    """The promised month beside what the later calls cost, both at the run's price day, in nano-USD.

    :param promised: The month as estimated from the earlier calls alone.
    :param low_nusd: Lower end, per 30 days, of what so many later days may cost; None: no interval was promised.
    :param high_nusd: Upper end.
    :param basis: ``window``: of all earlier calls; ``step``: of those since a clear step; None: no interval.
    :param seen_nusd: What the later calls cost, scaled to 30 days; None: too few days, or no prices.
    :param seen_days: Days of the later calls.
    :param inside: The later cost lies inside; None: one of the two is missing.
    """

    promised: Month
    low_nusd: int | None
    high_nusd: int | None
    basis: str | None
    seen_nusd: int | None
    seen_days: float
    inside: bool | None


@dataclass(frozen=True)
class SavingCheck:
    """The promised monthly saving of a plan beside the same actions valued on the later calls alone, in nano-USD.

    :param promised: ``p10``, ``p50``, ``p90`` of the whole plan; None: no month.
    :param promised_p50_sum: Sum of the middle figures of its tasks.
    :param seen_p50_sum: Sum of the middle figures of the same tasks and actions on the later calls; None: no month. A
        task without later calls counts as 0.
    """

    promised: dict[str, int] | None
    promised_p50_sum: int | None
    seen_p50_sum: int | None


@dataclass(frozen=True)
class BackTest:
    """A plan that only the earlier calls made, and what the later ones say of it.

    :param split: First UTC day of the later calls.
    :param periods: The two sides.
    :param month: Of the whole log.
    :param saving: Of the plan.
    :param tasks: ``TasksLaterTable``, by falling promised cost, new tasks last.
    :param probes: ``ProbesLaterTable``.
    :param green: Task id -> ``supported``, ``weaker``, ``lost`` or ``unknown``, of the tasks promised green.
    :param placed_share: Share of the later cost that falls to promised tasks (of the calls, where none is priced).
    :param promised_placed_share: The same of the earlier calls.
    :param said: The page in words.
    """

    split: dt.date
    periods: Periods = field(repr=False)
    month: MonthCheck
    saving: SavingCheck
    tasks: pl.DataFrame
    probes: pl.DataFrame
    green: dict[str, str]
    placed_share: float
    promised_placed_share: float
    said: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.said


def back_test(calls: Calls, split: dt.date, settings: SameSettings) -> BackTest:
    """Return what was promised before a day beside what came.

    The promise is made from the calls before the day and nothing else. Later calls are placed in its tasks by its rule,
    then judged and valued by themselves; probes are trained before the day and graded after it.

    :param calls: Priced calls of a finished run, with their texts.
    :param split: First UTC day of the later calls.
    :raises SettingError: If the log has no times, or one side would be empty.
    """
    periods = split_calls(calls, split)
    made = promise(periods.earlier, settings)
    seen = same_tasks_later(made, periods.later, settings)
    new = new_tasks_later(made, periods.later, settings)
    return BackTest(
        split=split,
        periods=periods,
        month=check_month(made.month, periods),
        saving=_saving(made, seen),
        tasks=_tasks(made, seen, new),
        probes=probes_later(made, seen, settings.seed),
        green=_green(made, seen),
        placed_share=_placed_share(seen),
        promised_placed_share=_placed_share(made),
    )


def check_month(promised: Month, periods: Periods) -> MonthCheck:
    """Return the promised month beside the later cost.

    The range for the later days is as wide as so few (or so many) days ask for. Where the level moved by a clear step
    before the day, it is that of the days since the step.
    """
    later = estimate_month(periods.later.calls, sampling_rate=periods.later.sampling_rate)
    ranged = estimate_month(
        periods.earlier.calls, sampling_rate=periods.earlier.sampling_rate, ahead=max(later.days, 1.0)
    )
    basis = "window" if ranged.low_nusd is not None else None
    if basis is None and ranged.after_step is not None:
        ranged, basis = ranged.after_step, "step"
    low, high = ranged.next_low_nusd, ranged.next_high_nusd
    seen = later.mid_nusd
    known = low is not None and high is not None and seen is not None
    inside = low <= seen <= high if known else None  # type: ignore[operator]
    return MonthCheck(promised, low, high, basis, seen, later.days, inside)


def _saving(made: Made, seen: Made) -> SavingCheck:
    total = made.plan.total
    promised = total["saving_month_nusd"]
    order = total["order"]
    tasks = _valued(made, seen).filter(pl.col("task_id").is_in(order))  # type: ignore[arg-type]
    sums = tasks.select(pl.col("saving_p50_nusd", "seen_saving_p50_nusd").fill_null(0).sum()).row(0)
    return SavingCheck(
        promised=dict(promised) if isinstance(promised, dict) else None,
        promised_p50_sum=sums[0] if made.month.mid_nusd is not None else None,
        seen_p50_sum=sums[1] if made.month.mid_nusd is not None and seen.month.mid_nusd is not None else None,
    )


def _valued(made: Made, seen: Made) -> pl.DataFrame:
    """Return ``task_id``, the promised saving, and that of the same action on the later calls."""
    chosen = made.plan.savings.filter("chosen").select(
        "task_id",
        "action",
        "deployment",
        "slm",
        saving_p10_nusd="p10_nusd",
        saving_p50_nusd="p50_nusd",
        saving_p90_nusd="p90_nusd",
    )
    same = seen.plan.savings.select("task_id", "action", "deployment", "slm", seen_saving_p50_nusd="p50_nusd")
    exact = same.unique(["task_id", "action", "deployment", "slm"], keep="first", maintain_order=True)
    return chosen.join(
        exact, on=["task_id", "action", "deployment", "slm"], how="left", nulls_equal=True, maintain_order="left"
    ).drop("action", "deployment", "slm")


def _tasks(made: Made, seen: Made, new: pl.DataFrame) -> pl.DataFrame:
    order = made.plan.total["order"]
    names = made.tasks.tasks.select("task_id", "name")
    later = _volumes(seen, "seen")
    known = (
        names.join(_volumes(made, "promised"), on="task_id", how="left")
        .join(later, on="task_id", how="left")
        .join(made.plan.actions.select("task_id", "evidence", "action"), on="task_id", how="left")
        .join(seen.plan.actions.select("task_id", seen_evidence="evidence"), on="task_id", how="left")
        .join(_valued(made, seen), on="task_id", how="left")
        .with_columns(
            pl.col("promised_calls", "seen_calls").fill_null(0),
            in_plan=pl.col("task_id").is_in(order),  # type: ignore[arg-type]
        )
        .with_columns(status=pl.when(pl.col("seen_calls") > 0).then(pl.lit("recurs")).otherwise(pl.lit("gone")))
        .sort("promised_month_nusd", "promised_calls", "task_id", descending=[True, True, False], nulls_last=True)
    )
    factor = seen.month.per_month
    came = new.select(
        "task_id",
        "name",
        status=pl.lit("new"),
        promised_calls=pl.lit(0, pl.Int64),
        seen_calls=pl.col("n_calls"),
        seen_calls_month=pl.lit(None, pl.Float64) if factor is None else pl.col("n_calls") * factor,
        seen_month_nusd=pl.lit(None, pl.Int64)
        if factor is None
        else (pl.col("runrate_nusd") * factor).round().cast(pl.Int64),
        in_plan=pl.lit(value=False),
    )
    schema = TasksLaterTable.create_empty()
    rows = pl.concat(
        [schema, known.select(schema.columns).match_to_schema(schema.schema, integer_cast="upcast"), came],
        how="diagonal_relaxed",
    )
    return checked(TasksLaterTable, rows.select(schema.columns))


def _volumes(side: Made, name: str) -> pl.DataFrame:
    """Return calls, calls a month and money a month of each task of one side."""
    factor = side.month.per_month
    counted = (
        side.tasks.assignments.drop_nulls("task_id")
        .join(side.tasks.calls.calls.select("call_id", "runrate_nusd"), on="call_id")
        .group_by("task_id")
        .agg(calls=pl.len().cast(pl.Int64), nusd=pl.col("runrate_nusd").sum(), priced=pl.col("runrate_nusd").count())
    )
    monthly = pl.lit(None, pl.Float64) if factor is None else pl.lit(factor)
    money = pl.when(pl.col("priced") > 0).then((pl.col("nusd") * monthly).round().cast(pl.Int64))
    return counted.select(
        "task_id",
        pl.col("calls").alias(f"{name}_calls"),
        (pl.col("calls") * monthly).alias(f"{name}_calls_month"),
        money.alias(f"{name}_month_nusd"),
    )


def _green(made: Made, seen: Made) -> dict[str, str]:
    later = seen.evidence()
    return {task: _support(later.get(task)) for task, word in sorted(made.evidence().items()) if word in GREEN}


def _support(later: str | None) -> str:
    """Return what the evidence of the later calls alone makes of a green task."""
    if later is None or later == "not-enough-data":
        return UNKNOWN
    if later in GREEN:
        return SUPPORTED
    return LOST if later in _LOST else WEAKER


def _placed_share(side: Made) -> float:
    rows = side.tasks.assignments.join(side.tasks.calls.calls.select("call_id", "runrate_nusd"), on="call_id")
    known = pl.col("task_id").is_not_null()
    money, priced = rows.select(
        pl.col("runrate_nusd").sum(), pl.col("runrate_nusd").filter(known).sum().alias("in")
    ).row(0)
    if money:
        return float(priced / money)
    return float(rows.select(known.mean()).item() or 0.0)
