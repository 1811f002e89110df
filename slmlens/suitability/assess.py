"""S4: is there a small language model that could take this task? The evidence, task by task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from slmlens.results import Tasks, Verdicts
from slmlens.suitability.ceiling import Ceiling, measure_ceiling
from slmlens.suitability.comparators import TaskAnswers, compare_task
from slmlens.suitability.false_green import false_green
from slmlens.suitability.gates import Tool, hold_of
from slmlens.suitability.judge import NOT_NAMED, Judged, Seen, judge
from slmlens.suitability.observe import Observed, observe
from slmlens.suitability.posterior import Graded, calls_to_settle
from slmlens.suitability.priors import prior_assumptions
from slmlens.suitability.probes import Probed, prepare, run_probes
from slmlens.suitability.rare import RareClass, rare_class
from slmlens.suitability.reasons import reasons_of
from slmlens.suitability.records import evidence_rows, graded_rows, verdict_row
from slmlens.suitability.settings import AssessSettings, assumption_rows
from slmlens.suitability.signals import called_tools, failure_census, task_signals
from slmlens.suitability.student import holm
from slmlens.tables import EvidenceTable, VerdictsTable, checked

Probe = Callable[[Tasks], pl.DataFrame]
"""A further probe: takes the tasks, returns ``EvidenceTable`` rows (source ``pilot`` or ``slm_probe``)."""

GRADED_SOURCES = ("pilot", "slm_probe")
_SETTLED = {"gated", "no-signal", "not-enough-data", "shown"}


@dataclass(frozen=True)
class Measured:
    """One task after its own measurements, before what is shared by the log (Holm).

    :param task_id: The task.
    :param n_units: Recurrence units of its usable calls.
    :param time_ordered: These calls have times, so that later ones can be told.
    :param whole_share: Share of the sampled calls whose prompt the probes see whole, as far as it varies.
    :param answers: Their answers under the task's comparator.
    :param sampled: The part of them that the probes looked at.
    :param constant: Agreement of the best constant answer.
    :param ceiling: Self-agreement of the incumbent.
    :param probed: Probes; None: too few calls or units.
    """

    task_id: str
    n_units: int
    time_ordered: bool
    whole_share: float
    answers: TaskAnswers
    sampled: TaskAnswers
    constant: float
    ceiling: Ceiling
    probed: Probed | None


def assess(
    tasks: Tasks, *, probes: Sequence[Probe] | None = None, settings: AssessSettings | None = None, seed: int = 0
) -> Verdicts:
    """Return, for each task, what the log says about a small model in its place: before any money.

    Signals, priors, self-agreement of the incumbent, a text classifier and a program of simple rules on later sessions,
    each beside the constant answer and a permutation null; then P(parity) for a small model as it is (``swap``) and
    for one tuned on the task (``tuned``). The row order of the inputs doesn't matter.

    :param tasks: The tasks of a log.
    :param probes: Further probes, such as a pilot or a small model run on later calls.
    :param settings: Thresholds; None: the defaults.
    :param seed: Seed of sampling, permutations and bootstrap.
    :raises ContractError: If a further probe returns a table that is no ``EvidenceTable``.
    """
    settings = settings or AssessSettings()
    extra = _run_extra(probes or (), tasks)
    measured = {m.task_id: m for m in (measure_task(o, settings, seed) for o in observe(tasks))}
    adjusted = _adjust(measured)
    failures = failure_census(tasks).rows_by_key("task_id", named=True)
    graded = graded_by_task(extra)
    found = tasks.tasks.select("task_id", "steps_per_session", "n_subjects", "edited_on", "skeleton")
    facts = found.rows_by_key("task_id", named=True, unique=True)
    tools = _tools_by_task(called_tools(tasks, settings.show_units))
    verdicts, evidence = [], []
    for signals in task_signals(tasks).sort("task_id").iter_rows(named=True):
        task_id = signals.pop("task_id")
        one, of = measured.get(task_id), facts[task_id]
        steps = of["steps_per_session"]
        seen = seen_of(task_id, one, adjusted.get(task_id, {}), signals, steps, graded.get(task_id, {}))
        judged = judge(seen, settings)
        hold = hold_of(signals, of["skeleton"], tools.get(task_id, []))
        rare = _graded_rare(judged, extra, task_id) or _probed_rare(one, settings)
        subjects, edited = of["n_subjects"], of["edited_on"]
        reasons = reasons_of(seen, judged, rare, settings, n_subjects=subjects, edited_on=edited, hold=hold)
        verdicts.append(
            verdict_row(
                seen,
                judged,
                rare,
                failures=failures.get(task_id, []),
                reasons=reasons,
                pilot_calls=_pilot_calls(judged, settings),
                hold=hold,
            )
        )
        evidence += [*evidence_rows(seen, judged), *graded_rows(extra, seen, judged)]
    return Verdicts(
        tasks=tasks,
        verdicts=checked(VerdictsTable, _frame(VerdictsTable, verdicts).sort("task_id")),
        evidence=checked(EvidenceTable, _frame(EvidenceTable, evidence)),
        false_green=false_green(tasks, settings=settings, seed=seed) if settings.shuffles else None,
        assumptions=assumption_rows(settings, seed, prior_assumptions()),
        probe_seconds={task_id: round(one.probed.seconds, 3) for task_id, one in measured.items() if one.probed},
    )


def _run_extra(probes: Sequence[Probe], tasks: Tasks) -> pl.DataFrame:
    found = [checked(EvidenceTable, probe(tasks)) for probe in probes]
    empty = _frame(EvidenceTable, [])
    return pl.concat([empty, *found]).sort("task_id", "mode", "source", "slm", nulls_last=True)


def _tools_by_task(called: pl.DataFrame) -> dict[str, list[Tool]]:
    found: dict[str, list[Tool]] = {}
    for row in called.iter_rows(named=True):
        found.setdefault(row["task_id"], []).append(Tool(row["name"], row["share"], row["acts"], row["shown"]))
    return found


def _frame(schema: type[VerdictsTable | EvidenceTable], rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in schema.columns().items()})


def measure_task(observed: Observed, settings: AssessSettings, seed: int) -> Measured:
    """Return what one task shows by itself: constant answer, ceiling, probes."""
    answers = compare_task(observed.answers, observed.units)
    constant, _ = answers.constant()
    ceiling = measure_ceiling(answers, observed.prompts, observed.sessions, seed)
    rows = observed.sample(settings.probe_calls, seed)
    sampled = answers
    if len(rows) < len(answers):
        sampled = compare_task([observed.answers[i] for i in rows], observed.units[rows])
    enough = len(observed) >= settings.min_calls and observed.n_units >= settings.min_units
    probed = None
    if enough:
        texts, slots = [observed.texts[i] for i in rows], [observed.slots[i] for i in rows]
        probed = run_probes(prepare(sampled, texts, slots, settings, seed), settings, seed)
    return Measured(
        task_id=observed.task_id,
        n_units=observed.n_units,
        time_ordered=observed.time_ordered,
        whole_share=float(observed.whole[rows].mean()),
        answers=answers,
        sampled=sampled,
        constant=constant,
        ceiling=ceiling,
        probed=probed,
    )


def _adjust(measured: dict[str, Measured]) -> dict[str, dict[str, float]]:
    """Holm over all students of the log: task -> field -> adjusted p-value."""
    tests = [
        (task_id, name, student.null_p)
        for task_id, one in sorted(measured.items())
        if one.probed is not None
        for name, student in sorted(one.probed.students.items())
    ]
    adjusted: dict[str, dict[str, float]] = {}
    for (task_id, name, _), p in zip(tests, holm([p for _, _, p in tests]), strict=True):
        adjusted.setdefault(task_id, {})[name] = p
    return adjusted


def seen_of(
    task_id: str,
    one: Measured | None,
    adjusted: dict[str, float],
    signals: dict[str, float | None],
    steps: float | None,
    graded: dict[str, list[Graded]],
) -> Seen:
    """Return all that a verdict rests on.

    :param one: The task's own measurements; None: no call of it has a usable answer.
    :param adjusted: Field -> p-value of its student after Holm over the whole log.
    :param signals: Row of ``task_signals``.
    :param steps: Steps a session; None: no sessions.
    :param graded: Mode -> graded answers of small models.
    """
    return Seen(
        task_id=task_id,
        answers=one.answers if one else None,
        constant=one.constant if one else None,
        ceiling=one.ceiling if one else None,
        probed=one.probed if one else None,
        adjusted=adjusted,
        signals=signals,
        n_units=one.n_units if one else 0,
        steps=steps,
        time_ordered=one.time_ordered if one else True,
        whole_share=one.whole_share if one else 1.0,
        graded=graded,
    )


def graded_by_task(extra: pl.DataFrame) -> dict[str, dict[str, list[Graded]]]:
    """Graded answers of named models, by task and mode; without ``n_eff`` a call a unit counts as independent."""
    rows = extra.filter(
        pl.col("source").is_in(GRADED_SOURCES) & pl.col("agreement").is_not_null() & (pl.col("n") > 0)
    ).with_columns(
        n_eff=pl.coalesce("n_eff", pl.min_horizontal("n", "n_units").cast(pl.Float64)),
        series=pl.struct("mode", "slm").n_unique().over("task_id"),
    )
    graded: dict[str, dict[str, list[Graded]]] = {}
    for row in rows.iter_rows(named=True):
        covered = 1.0 if row["covered"] is None else row["covered"]
        found = Graded(row["slm"] or NOT_NAMED, row["n_eff"], row["agreement"], row["series"], covered)
        graded.setdefault(row["task_id"], {}).setdefault(row["mode"], []).append(found)
    return graded


def _probed_rare(one: Measured | None, settings: AssessSettings) -> RareClass | None:
    return rare_class(one.sampled, one.probed, settings) if one is not None and one.probed is not None else None


def _graded_rare(judged: Judged, extra: pl.DataFrame, task_id: str) -> RareClass | None:
    """Return the rare class as the pilot of the model that the verdict is for has graded it; None: it has none."""
    own = (pl.col("task_id") == task_id) & (pl.col("mode") == judged.mode) & (pl.col("slm") == judged.chosen.slm)
    rows = extra.filter(own & pl.col("rare_n").is_not_null())
    if rows.is_empty():
        return None
    return RareClass(f"a rare answer, as graded for {judged.chosen.slm}", *rows.select("rare_recall", "rare_n").row(0))


def _pilot_calls(judged: Judged, settings: AssessSettings) -> int | None:
    if judged.evidence in _SETTLED:
        return None
    return calls_to_settle(judged.chosen.posterior, judged.target.point, settings.pilot_cap)
