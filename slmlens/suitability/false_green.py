"""The false-green rate: how often the probes call a task learnable when its answers have been shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from slmlens.results import Tasks
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.intervals import wilson
from slmlens.suitability.observe import Observed, observe
from slmlens.suitability.probes import prepare, run_probes
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.student import holm

Ints = NDArray[np.int64]


def false_green(
    tasks: Tasks, *, shuffles: int = 20, settings: AssessSettings | None = None, seed: int = 0
) -> dict[str, object]:
    """Return the share of (task, shuffle) pairs whose probe says "learnable" though nothing can be learned.

    The answers change places among the calls of a call site by whole sessions, before the split into tasks, so that a
    task split which looked at answers would be found out. Tasks without a probe, or with one answer only, do not count.

    :param tasks: The tasks of a log.
    :param shuffles: Shuffles of the whole log.
    :param settings: Thresholds; None: the defaults.
    :param seed: Seed of the shuffles.
    :return: ``rate`` (None: no task has a probe), ``lo95``, ``hi95`` (Wilson), ``greens``, ``pairs``, ``tasks``,
        ``tasks_without_probe``, ``shuffles``.
    """
    settings = settings or AssessSettings()
    observed = [one for one in observe(tasks) if _enough(one, settings)]
    greens, pairs, probed = 0, 0, set()
    for shuffle in range(shuffles):
        shuffled = shuffle_answers(observed, seed + shuffle)
        tested = list(_test_log(shuffled, settings, seed + shuffle))
        adjusted = iter(holm([p for _, ps, _ in tested for p in ps]))
        for task_id, ps, beats in tested:
            significant = min(next(adjusted) for _ in ps) <= settings.alpha if ps else True
            greens += significant and beats
            pairs += 1
            probed.add(task_id)
    lo, hi = wilson(greens, pairs)
    return {
        "rate": greens / pairs if pairs else None,
        "lo95": lo if pairs else None,
        "hi95": hi if pairs else None,
        "greens": greens,
        "pairs": pairs,
        "tasks": len(probed),
        "tasks_without_probe": tasks.tasks.height - len(probed),
        "shuffles": shuffles,
    }


def _enough(one: Observed, settings: AssessSettings) -> bool:
    return len(one) >= settings.min_calls and one.n_units >= settings.min_units


def shuffle_answers(observed: list[Observed], seed: int) -> list[Observed]:
    """Return the tasks with the answers of each call site moved among its calls by whole sessions.

    :param observed: The tasks; those of one call site share their answers.
    """
    rng = np.random.default_rng(seed)
    moved = list(observed)
    for site in sorted({one.site for one in observed}):
        members = [i for i, one in enumerate(observed) if one.site == site]
        answers = [answer for i in members for answer in observed[i].answers]
        names = np.unique([name for i in members for name in observed[i].unit_names], return_inverse=True)[1]
        order = np.argsort(names.reshape(-1), kind="stable")
        place = np.argsort(rng.permutation(int(names.max()) + 1)[names.reshape(-1)[order]], kind="stable")
        given = np.empty(len(answers), dtype=np.int64)
        given[order] = order[place]
        start = 0
        for i in members:
            stop = start + len(observed[i])
            moved[i] = replace(observed[i], answers=[answers[row] for row in given[start:stop]])
            start = stop
    return moved


def _test_log(shuffled: list[Observed], settings: AssessSettings, seed: int) -> Iterator[tuple[str, list[float], bool]]:
    """Yield each task that has a probe: its id, the students' p-values, whether the whole answer beats constants."""
    for one in shuffled:
        rows = one.sample(settings.probe_calls, seed)
        answers = compare_task([one.answers[i] for i in rows], one.units[rows])
        constant, _ = answers.constant()
        if constant >= 1 or answers.weak:
            continue
        texts, slots = [one.texts[i] for i in rows], [one.slots[i] for i in rows]
        probed = run_probes(prepare(answers, texts, slots, settings, seed), settings, seed)
        share = probed.whole or (probed.program.lower if probed.program else None)
        if share is None:
            continue
        beats = share.lo90 > max(constant, probed.constant or 0.0) + settings.margin
        yield one.task_id, [student.null_p for student in probed.students.values()], beats
