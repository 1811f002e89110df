"""A pilot: prompts of one task for another model, its answers graded, and what they are worth as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import polars as pl

from slmlens.results import Tasks
from slmlens.suitability.answers import Answer
from slmlens.suitability.comparators import comparator_of, compare_task
from slmlens.suitability.evidence import evidence_row
from slmlens.suitability.intervals import Share, clopper_pearson
from slmlens.suitability.observe import Observed, observe
from slmlens.suitability.pilot_sample import MOST_CLASSES
from slmlens.suitability.pilot_tables import PilotGradesTable
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.settings import AssessSettings
from slmlens.tables import EvidenceTable, checked

MAX_SLMS = 3
"""Most small models that are piloted on one task: the bound is split over them (Bonferroni)."""
NO_ANSWER = "no answer"
SWAP, TUNED = "swap", "tuned"


@dataclass(frozen=True)
class Progress:
    """How far the grading of one small model on one task has come.

    :param slm: The model.
    :param mode: ``swap`` or ``tuned``.
    :param asked: Prompts that count for this mode.
    :param reached: Place of the last answered prompt among them.
    :param missing: Prompts before it without an answer: they count as wrong.
    :param look: Calls that the verdict rests on, one of ``LOOKS``; None: the first look is not reached.
    :param next_look: Calls of the next verdict; None: there is none.
    :param share: Agreement at the look, weighted back to traffic; ``n_eff`` after Kish; None before the first look.
    :param wrong: Why answers up to the look are not acceptable, and how many, the commonest first.
    :param rare: Recall (None: too few) and graded calls of the worst rare answer class at the look; None: none is rare.
    """

    slm: str
    mode: str
    asked: int
    reached: int
    missing: int
    look: int | None
    next_look: int | None
    share: Share | None
    wrong: tuple[tuple[str, int], ...]
    rare: tuple[float | None, int] | None


def observed_task(tasks: Tasks, task_id: str) -> Observed | None:
    """Return the usable calls of one task; None: it has none."""
    one = replace(tasks, assignments=tasks.assignments.filter(pl.col("task_id") == task_id))
    return next(iter(observe(one)), None)


def prompt_ids(tasks: Tasks, task_id: str, call_ids: pl.Series) -> dict[str, str]:
    """Return the id under which each call's prompt is exported, by call: the same for the same redacted prompt only.

    Placeholders differ from run to run, so that answers to the export of another run are told by their ids.
    """
    wanted = tasks.calls.calls.filter(pl.col("call_id").is_in(call_ids.implode())).select("call_id", "message_ids")
    return {
        call_id: f"{task_id}-{blake2b(repr((call_id, messages)).encode(), digest_size=6).hexdigest()}"
        for call_id, messages in wanted.iter_rows()
    }


def grade_answers(observed: Observed, answers: Mapping[str, Answer | None], *, slm: str, mode: str) -> pl.DataFrame:
    """Return ``PilotGradesTable``: whether each answer is acceptable against the incumbent's on the same call.

    :param observed: The task's usable calls; the comparator is fitted on them.
    :param answers: Answers of the model by call; None: it failed to answer.
    """
    comparator = comparator_of(compare_task(observed.answers, observed.units))
    reference = dict(zip(observed.call_ids, observed.answers, strict=True))
    rows = []
    for call_id, answer in answers.items():
        if call_id not in reference:
            continue  # its answer is no longer one to compare with
        grade = comparator.grade(reference[call_id], answer) if answer is not None else None
        why = NO_ANSWER if grade is None else grade.why
        rows.append(
            {"call_id": call_id, "slm": slm, "mode": mode, "acceptable": grade is not None and grade.agrees, "why": why}
        )
    frame = pl.DataFrame(rows, schema=PilotGradesTable.create_empty().schema)
    return checked(PilotGradesTable, frame.sort("call_id"))


def progress_of(sample: pl.DataFrame, grades: pl.DataFrame, settings: AssessSettings) -> list[Progress]:
    """Return how far each small model has come, by name and mode.

    Only looks at 30, 60, 120 and 240 calls give a figure: between them nothing is told but how many are graded. A
    prompt that was passed over counts as wrong, or a model would be judged on what it likes to answer.

    :param sample: ``PilotSampleTable`` of the task.
    :param grades: ``PilotGradesTable`` of the task.
    """
    series = grades.select("slm", "mode").unique().sort("slm", "mode").iter_rows()
    return [_progress(sample, grades, slm, mode, settings) for slm, mode in series]


def _progress(sample: pl.DataFrame, grades: pl.DataFrame, slm: str, mode: str, settings: AssessSettings) -> Progress:
    own = grades.filter((pl.col("slm") == slm) & (pl.col("mode") == mode)).select("call_id", "acceptable", "why")
    # Only later sessions count for a model that may have been tuned on the earlier ones.
    place = "later_position" if mode == TUNED else "position"
    counted = sample.drop_nulls(place).sort(place).with_columns(place=pl.col(place)).join(own, on="call_id", how="left")
    answered = counted.drop_nulls("acceptable")
    asked, reached = _last(counted), _last(answered)
    look = max((one for one in LOOKS if one <= reached), default=None)
    following = next((one for one in LOOKS if reached < one <= asked), None)
    missing = int(counted.filter(pl.col("place") <= reached).get_column("acceptable").null_count())
    graded = None if look is None else counted.filter(pl.col("place") <= look)
    return Progress(
        slm=slm,
        mode=mode,
        asked=asked,
        reached=reached,
        missing=missing,
        look=look,
        next_look=following,
        share=None if graded is None else weighted_agreement(sample, graded),
        wrong=() if graded is None else _why_wrong(graded),
        rare=None if graded is None else _rare(sample, graded, settings),
    )


def _why_wrong(graded: pl.DataFrame) -> tuple[tuple[str, int], ...]:
    wrong = graded.filter(~pl.col("acceptable").fill_null(value=False)).get_column("why").fill_null(NO_ANSWER)
    counts = wrong.rename("why").value_counts().sort("count", "why", descending=[True, False])
    return tuple((why, int(n)) for why, n in counts.iter_rows())


def _last(frame: pl.DataFrame) -> int:
    last = frame.get_column("place").max()
    return last if isinstance(last, int) else 0


def weighted_agreement(sample: pl.DataFrame, graded: pl.DataFrame) -> Share:
    """Return the agreement of graded calls, each stratum weighted back to its share of the traffic.

    The exact limits (90 %) take the effective sample size of Kish (1965), (sum w)^2 / sum w^2, as Korn and Graubard
    (1998) do.

    :param sample: The whole sample, whose weights say how much traffic each stratum is.
    :param graded: The graded part, with ``acceptable`` (null: wrong).
    """
    traffic = sample.group_by("stratum").agg(pl.col("weight").sum().alias("traffic"))
    weighted = graded.join(traffic, on="stratum", how="left", maintain_order="left").with_columns(
        share=pl.col("weight") / pl.col("weight").sum().over("stratum") * pl.col("traffic")
    )
    weight = weighted.get_column("share").to_numpy()
    hits = weighted.get_column("acceptable").fill_null(value=False).cast(pl.Float64).to_numpy()
    value = float(np.clip((weight * hits).sum() / weight.sum(), 0.0, 1.0))
    if hits.all() or not hits.any():
        value = float(hits[0])
    n_eff = float(weight.sum() ** 2 / (weight**2).sum())
    lo90, hi90 = clopper_pearson(value * n_eff, n_eff)
    return Share(
        value, min(lo90, value), max(hi90, value), graded.height, graded.get_column("session").n_unique(), n_eff
    )


def _rare(sample: pl.DataFrame, graded: pl.DataFrame, settings: AssessSettings) -> tuple[float | None, int] | None:
    """Return the worst rare class, as ``rare.rare_class`` orders them: not measured first, then the lowest recall."""
    if sample.get_column("answer_class").n_unique() > MOST_CLASSES:
        return None
    rare = sample.filter(pl.col("class_share") < settings.rare_share).select("answer_class").unique()
    if rare.is_empty():
        return None
    of_class = rare.join(graded, on="answer_class", how="left", maintain_order="left")
    found = of_class.group_by("answer_class").agg(
        n=pl.col("call_id").count(), recall=pl.col("acceptable").fill_null(value=False).mean()
    )
    rows = [
        (recall if n >= settings.rare_graded else None, n)
        for n, recall in found.sort("answer_class").select("n", "recall").iter_rows()
    ]
    return min(rows, key=lambda row: (row[0] is not None, row[0] or 0.0, -row[1]))


def pilot_evidence(task_id: str, found: list[Progress]) -> pl.DataFrame:
    """Return ``EvidenceTable`` rows (source ``pilot``) of the small models that have reached a look."""
    rows = [_row(task_id, one, one.share) for one in found if one.share is not None]
    return checked(EvidenceTable, pl.DataFrame(rows, schema=EvidenceTable.create_empty().schema))


def _row(task_id: str, one: Progress, share: Share) -> dict[str, object]:
    wrong = f"; {one.missing:,} passed over count as wrong" if one.missing else ""
    note = f"graded at the look of {one.look}, one call a session, strata weighted back to traffic{wrong}"
    row = evidence_row(task_id, one.mode, "pilot", share, note, slm=one.slm, n_eff=share.n_eff)
    return row | ({"rare_recall": one.rare[0], "rare_n": one.rare[1]} if one.rare else {})
