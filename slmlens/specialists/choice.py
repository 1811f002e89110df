"""Which tasks a small model is tuned on as evidence: those that matter most and that training can say something of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from slmlens.results import Tasks, Verdicts
from slmlens.specialists.records import Dataset, dataset_of
from slmlens.specialists.split import TEST, TRAIN
from slmlens.suitability.assess import measure_task, seen_of
from slmlens.suitability.decide import PROGRAM_FROM
from slmlens.suitability.gates import gate_of
from slmlens.suitability.judge import judge
from slmlens.suitability.pilot import observed_task
from slmlens.suitability.priors import CHARS_PER_TOKEN
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.signals import task_signals


@dataclass(frozen=True)
class ChoiceSettings:
    """What a task needs before a model is tuned on it. All are judgements.

    :param most_tasks: Most tasks that are chosen.
    :param least_train: Fewest calls to train on.
    :param least_test: Fewest recurrence units to test on: the first look of a pilot.
    :param most_answer_tokens: Most tokens of nine of ten answers; longer ones take longer to write than the minutes
        that a probe has.
    """

    most_tasks: int = 3
    least_train: int = 60
    least_test: int = 30
    most_answer_tokens: int = 160


@dataclass(frozen=True)
class Choice:
    """Whether one task is probed, and why not.

    :param task_id: The task.
    :param weight: What it costs, as a share of all tasks (of their calls, where nothing is priced).
    :param refused: What speaks against it, as a sentence; None: nothing.
    :param dataset: What a model is tuned on; None: the task is not probed.
    """

    task_id: str
    weight: float
    refused: str | None
    dataset: Dataset | None = None


def choose_tasks(
    tasks: Tasks,
    *,
    verdicts: Verdicts | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    choice: ChoiceSettings | None = None,
    settings: AssessSettings | None = None,
    seed: int = 0,
) -> list[Choice]:
    """Return what was decided of each task that was looked at, the one that costs most first.

    Tasks are looked at in the order of their cost until ``most_tasks`` are chosen; those after that are not listed.
    Nothing is trained to refuse a task: its calls, its cheap probes and the null say so.

    :param verdicts: What ``assess`` says of the tasks; None: each is measured here, which takes about a second.
    :param only: Tasks to look at, all of them; none named: by cost.
    :param force: Probe what is looked at whatever speaks against it, as long as there is an answer to learn from.
    :param settings: Thresholds of ``assess``.
    """
    choice, settings = choice or ChoiceSettings(), settings or AssessSettings()
    found: list[Choice] = []
    for task_id, weight in _weights(tasks):
        if only and task_id not in only:
            continue
        if not only and sum(one.dataset is not None for one in found) == choice.most_tasks:
            break
        observed = observed_task(tasks, task_id)
        dataset = None if observed is None else dataset_of(tasks, task_id, settings=settings, seed=seed)
        refused = _not_enough(dataset, choice, settings) or _not_worth_it(tasks, task_id, verdicts, settings, seed)
        found.append(Choice(task_id, weight, refused, dataset if force or refused is None else None))
    return found


def _weights(tasks: Tasks) -> list[tuple[str, float]]:
    """Return each task's share of the money a month, else of the spend, else of the calls; the largest first."""
    calls = tasks.assignments.drop_nulls("task_id").join(tasks.calls.calls, on="call_id").group_by("task_id")
    totals = calls.agg(pl.sum("runrate_nusd", "spend_nusd"), calls=pl.len())
    column = next((c for c in ("runrate_nusd", "spend_nusd") if (totals.get_column(c) > 0).any()), "calls")
    rows = totals.with_columns(weight=pl.col(column) / pl.col(column).sum())
    rows = rows.sort("weight", "calls", "task_id", descending=[True, True, False])
    return list(rows.select("task_id", "weight").iter_rows())


def _not_worth_it(
    tasks: Tasks, task_id: str, verdicts: Verdicts | None, settings: AssessSettings, seed: int
) -> str | None:
    """Why no training could say anything new of a task, as a sentence; None: it could."""
    if task_id in tasks.set_aside:
        return "A person set the task aside."
    known = _measured(tasks, task_id, settings, seed) if verdicts is None else _known(verdicts, task_id)
    if known.gate is not None:
        return _sentence(known.gate)
    if known.constant is not None and known.constant >= 1:
        return "All its answers are the same: plain code can give it, there is nothing to tune."
    if known.no_signal is not None:
        return f"There is nothing to learn: {known.no_signal}."
    if known.program_lo90 is not None and known.program_lo90 >= PROGRAM_FROM:
        return f"A program of simple rules gives at least {known.program_lo90:.1%} of its answers: no model is needed."
    return None


@dataclass(frozen=True)
class _Known:
    gate: str | None
    constant: float | None
    no_signal: str | None
    program_lo90: float | None


def _known(verdicts: Verdicts, task_id: str) -> _Known:
    row = verdicts.verdicts.filter(pl.col("task_id") == task_id).row(0, named=True)
    said = row["reasons"][0] if row["evidence"] == "no-signal" else None
    return _Known(
        gate=row["gate"],
        constant=row["constant"],
        no_signal=said and said[:1].lower() + said[1:].rstrip("."),
        program_lo90=row["program_lo90"],
    )


def _measured(tasks: Tasks, task_id: str, settings: AssessSettings, seed: int) -> _Known:
    """Measure one task by itself: its p-value is not adjusted for the others, so that fewer tasks are refused."""
    alone = replace(tasks, tasks=tasks.tasks.filter(pl.col("task_id") == task_id))
    signals = task_signals(alone).drop("task_id").row(0, named=True)
    observed = observed_task(tasks, task_id)
    if observed is None:
        return _Known(gate_of(signals, settings), constant=None, no_signal=None, program_lo90=None)
    one = measure_task(observed, settings, seed)
    students = one.probed.students if one.probed else {}
    adjusted = {name: student.null_p for name, student in students.items()}
    judged = judge(seen_of(task_id, one, adjusted, signals, alone.tasks.item(0, "steps_per_session"), {}), settings)
    return _Known(
        gate=judged.gate,
        constant=one.constant,
        no_signal=judged.no_signal,
        program_lo90=judged.program.lo90 if judged.program else None,
    )


def _not_enough(dataset: Dataset | None, choice: ChoiceSettings, settings: AssessSettings) -> str | None:
    """Why its calls are too few, too alike or too long to tune on, as a sentence; None: they are not."""
    if dataset is None:
        return "No call of it has an answer to learn from."
    if dataset.frame.height < settings.min_calls:
        return f"{dataset.frame.height:,} usable answers are too few to judge a task by."
    n_train, n_test = dataset.rows_on(TRAIN).height, dataset.n_units(TEST)
    if n_test == 0 and n_train > 0:
        return "All its prompts are nearly the same: what tests a tuned model would have been in its training."
    if n_train < choice.least_train or n_test < choice.least_test:
        return (
            f"{n_train:,} calls to train on and {n_test:,} later units to test on: a tuned model needs "
            f"{choice.least_train} and {choice.least_test}."
        )
    lengths = dataset.frame.get_column("completion").str.len_chars().to_numpy() / CHARS_PER_TOKEN
    long = float(np.quantile(lengths, 0.9))
    if long > choice.most_answer_tokens:
        return f"One answer in ten is longer than {long:,.0f} tokens: too long to be written in the minutes of a probe."
    return None


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:].rstrip('.')}."
