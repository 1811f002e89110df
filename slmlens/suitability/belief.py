"""What is believed of one task, to be judged again: at other thresholds, or after a pilot that nobody has run yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from slmlens.results import Verdicts
from slmlens.suitability.assess import GRADED_SOURCES, graded_by_task, measure_task, seen_of
from slmlens.suitability.decide import evidence_word
from slmlens.suitability.judge import Judged, ModeVerdict, Seen, judge
from slmlens.suitability.pilot import observed_task
from slmlens.suitability.posterior import LOOKS, Graded
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.signals import task_signals

OUTCOMES = ("shown", "likely", "open", "unlikely")
"""Evidence words that a pilot can end in, the best first."""
_SOME_MODEL = "a small model that is piloted"


@dataclass(frozen=True)
class Belief:
    """One task, measured again.

    :param seen: What was measured of it.
    :param settings: Thresholds.
    :param judged: Its verdict at these: the one that ``assess`` gave.
    """

    seen: Seen
    settings: AssessSettings
    judged: Judged

    def at(self, *, parity: float, skill: float) -> Judged:
        """Return the verdict at other thresholds. Nothing is measured anew; only the bar moves.

        :param parity: Least A / C_pair.
        :param skill: Least (A - b) / (C_pair - b).
        :raises SettingError: If one is not between 0 and 1 (exclusive).
        """
        return judge(self.seen, replace(self.settings, parity=parity, skill=skill))


@dataclass(frozen=True)
class PilotOutcome:
    """What a pilot of so many answers would do to one mode of a task.

    :param calls: Answers graded.
    :param least: Evidence word of ``OUTCOMES`` -> fewest acceptable answers that it takes to be at least that; a word
        that no number of them reaches is left out.
    :param chance: Evidence word -> its chance under the belief before the pilot; they add up to 1.
    """

    calls: int
    least: dict[str, int]
    chance: dict[str, float]


def belief_of(verdicts: Verdicts, task_id: str, settings: AssessSettings | None = None) -> Belief:
    """Return one task as ``assess`` saw it. It is measured again, which takes about a second.

    :param verdicts: Verdicts that hold the task; pilots among their evidence count.
    :param task_id: The task.
    :param settings: The thresholds that ``assess`` had; None: the defaults.
    """
    settings = settings or AssessSettings()
    tasks = verdicts.tasks
    alone = replace(tasks, tasks=tasks.tasks.filter(pl.col("task_id") == task_id))
    seed = int(verdicts.assumptions.filter(pl.col("name") == "assess.seed").item(0, "value"))
    observed = observed_task(tasks, task_id)
    measured = None if observed is None else measure_task(observed, settings, seed)
    students = measured.probed.students if measured and measured.probed else {}
    # the verdict's p-value is the smallest after Holm over the whole log, and the only one that it is judged by
    null_p = verdicts.verdicts.filter(pl.col("task_id") == task_id).item(0, "null_p")
    graded = verdicts.evidence.filter((pl.col("task_id") == task_id) & pl.col("source").is_in(GRADED_SOURCES))
    signals = task_signals(alone).drop("task_id").row(0, named=True)
    seen = seen_of(
        task_id,
        measured,
        {name: null_p for name in students if null_p is not None},
        signals,
        alone.tasks.item(0, "steps_per_session"),
        graded_by_task(graded).get(task_id, {}),
    )
    return Belief(seen, settings, judge(seen, settings))


def word_of(seen: Seen, judged: Judged, mode: ModeVerdict) -> str:
    """Return the evidence word of one mode; that of the task is the word of the better one."""
    return evidence_word(
        gate=judged.gate,
        enough=judged.enough,
        no_signal=judged.no_signal is not None,
        p_parity=mode.posterior.p_parity,
        grade=mode.grade,
        probe_applies=mode.probe_applies,
        prior_free_ok=mode.shown,
        time_ordered=seen.time_ordered,
    )


def pilot_outcomes(belief: Belief, mode: str, looks: Sequence[int] = LOOKS) -> list[PilotOutcome]:
    """Return what a pilot of one more small model would do, look by look: each number of acceptable answers is judged.

    The chances are those of the prior predictive: A as it is believed before the pilot, then binomial answers. Each
    answer counts as one independent call; strata that are weighted back to traffic make it a little less.

    :param mode: ``swap`` or ``tuned``.
    """
    others = {name: graded for name, graded in belief.seen.graded.items() if name != mode}
    known = len(belief.seen.graded.get(mode, ())) + sum(map(len, others.values()))
    before = judge(replace(belief.seen, graded=others), belief.settings)
    prior = (before.swap if mode == "swap" else before.tuned).posterior
    found = []
    for calls in looks:
        words = []
        for hits in range(calls + 1):
            graded = Graded(_SOME_MODEL, calls, hits / calls, known + 1)
            seen = replace(belief.seen, graded={**others, mode: [graded]})
            judged = judge(seen, belief.settings)
            words.append(word_of(seen, judged, judged.swap if mode == "swap" else judged.tuned))
        chance = prior.predictive(calls)
        found.append(
            PilotOutcome(
                calls,
                least=_least(words),
                chance={word: float(chance[[w == word for w in words]].sum()) for word in dict.fromkeys(words)},
            )
        )
    return found


def _least(words: Sequence[str]) -> dict[str, int]:
    """Fewest hits at which the word is reached or passed."""
    found = {}
    for at, word in enumerate(OUTCOMES):
        hits = next((hits for hits, said in enumerate(words) if said in OUTCOMES[: at + 1]), None)
        if hits is not None:
            found[word] = hits
    return found
