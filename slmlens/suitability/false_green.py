"""How far the probes fool themselves on this log: on answers that were shuffled, and on a rule that was planted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from slmlens.results import Tasks
from slmlens.suitability.answers import Answer
from slmlens.suitability.comparators import compare_task
from slmlens.suitability.intervals import wilson
from slmlens.suitability.learnable import anchor_of, is_learnable
from slmlens.suitability.observe import Observed, observe
from slmlens.suitability.probes import Prepared, Probed, run_probes
from slmlens.suitability.prompts import Prompts
from slmlens.suitability.rules import word_presence
from slmlens.suitability.settings import SHUFFLES, AssessSettings
from slmlens.suitability.student import holm

Ints = NDArray[np.int64]

PLANTED_CLASSES = ("first", "second", "third")
"""Answers of the planted rule."""
_LEAST_SHARE = 0.1


@dataclass(frozen=True)
class _Tested:
    """One task under one set of answers."""

    task_id: str
    constant: float
    probed: Probed


def false_green(
    tasks: Tasks, *, shuffles: int | None = None, settings: AssessSettings | None = None, seed: int = 0
) -> dict[str, object]:
    """Return how often the probes call learnable what can't be learned, and miss what can.

    For the first, the answers change places among the calls of a call site by whole sessions, before the split into
    tasks, so that a task split which looked at answers would be found out; tasks without a probe, or with one answer
    only, do not count. For the second, each task's answers are replaced by a function of the words of its own prompts
    (see :func:`plant_rule`); a task whose prompts have no such words does not count.

    :param tasks: The tasks of a log.
    :param shuffles: Shuffles of the whole log; None: those of the settings, or ``SHUFFLES``.
    :param settings: Thresholds; None: the defaults.
    :param seed: Seed of the shuffles.
    :return: ``rate`` (None: no task has a probe), ``lo95``, ``hi95`` (Wilson), ``greens``, ``pairs``, ``tasks``,
        ``tasks_without_probe``, ``shuffles``; ``planted`` (tasks a rule was planted in), ``planted_missed``,
        ``missed_rate`` (None: none), ``missed_lo95``, ``missed_hi95``.
    """
    settings = settings or AssessSettings()
    shuffles = shuffles or settings.shuffles or SHUFFLES
    observed = [one for one in observe(tasks) if _enough(one, settings)]
    logs = [shuffle_answers(observed, seed + shuffle) for shuffle in range(shuffles)]
    tested: list[list[_Tested]] = [[] for _ in logs]
    planted: list[_Tested] = []
    for i, one in enumerate(observed):
        rows = one.sample(settings.probe_calls, seed)
        texts, slots = [one.texts[row] for row in rows], [one.slots[row] for row in rows]
        prompts = Prompts(texts, slots, one.units[rows], settings.train_share, seed)
        for shuffle, log in enumerate(logs):
            tested[shuffle] += _test(one.task_id, prompts, [log[i].answers[row] for row in rows], settings, seed)
        rule = plant_rule(slots)
        if rule is not None:
            planted += _test(one.task_id, prompts, rule, settings, seed)
    greens = sum(sum(_learnable(found, settings)) for found in tested)
    pairs = sum(map(len, tested))
    missed = len(planted) - sum(_learnable(planted, settings))
    probed = len({one.task_id for found in tested for one in found})
    return {
        **_rate(greens, pairs, ("rate", "lo95", "hi95")),
        "greens": greens,
        "pairs": pairs,
        "tasks": probed,
        "tasks_without_probe": tasks.tasks.height - probed,
        "shuffles": shuffles,
        **_rate(missed, len(planted), ("missed_rate", "missed_lo95", "missed_hi95")),
        "planted": len(planted),
        "planted_missed": missed,
    }


def _rate(hits: int, n: int, names: tuple[str, str, str]) -> dict[str, object]:
    lo, hi = wilson(hits, n)
    return dict(zip(names, (hits / n, lo, hi) if n else (None, None, None), strict=True))


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


def plant_rule(slots: list[str]) -> list[Answer] | None:
    """Return answers that follow from one word of each prompt; None where no two words tell enough prompts apart.

    A prompt with the first word has the first answer, else one with the second word the second, else the third. The
    words are those of the slots that make the three classes as even as they can be.

    :param slots: Slot text of each prompt.
    """
    presence = word_presence(slots) > 0
    n = len(slots)
    share = presence.mean(axis=0)
    usable = np.flatnonzero((share >= _LEAST_SHARE) & (share <= 1 - 2 * _LEAST_SHARE))
    if not len(usable):
        return None
    first = usable[np.abs(share[usable] - 1 / len(PLANTED_CLASSES)).argmin()]
    left = presence[~presence[:, first]][:, usable].sum(axis=0) / n
    second = usable[np.abs(left - 1 / len(PLANTED_CLASSES)).argmin()]
    code = np.where(presence[:, first], 0, np.where(presence[:, second], 1, 2))
    if np.bincount(code, minlength=len(PLANTED_CLASSES)).min() < _LEAST_SHARE * n:
        return None
    return [Answer("json", {"answer": PLANTED_CLASSES[one]}) for one in code.tolist()]


def _test(
    task_id: str, prompts: Prompts, answers: list[Answer], settings: AssessSettings, seed: int
) -> Iterator[_Tested]:
    """Yield the task where a probe applies to these answers."""
    compared = compare_task(answers, prompts.units)
    constant, _ = compared.constant()
    if constant >= 1 or compared.weak:
        return
    probed = run_probes(Prepared(compared, prompts), settings, seed, retrieval=False)
    if probed.students or probed.program is not None:
        yield _Tested(task_id, constant, probed)


def _learnable(log: list[_Tested], settings: AssessSettings) -> list[bool]:
    """Whether each task of one log is called learnable, by the rule of a verdict: Holm over the whole log."""
    tests = [(i, name, one.probed.students[name].null_p) for i, one in enumerate(log) for name in one.probed.students]
    adjusted: list[dict[str, float]] = [{} for _ in log]
    for (i, name, _), p in zip(tests, holm([p for _, _, p in tests]), strict=True):
        adjusted[i][name] = p
    return [
        bool(is_learnable(anchor_of(one.probed, one.constant, settings), one.probed, one.constant, ps, settings))
        for one, ps in zip(log, adjusted, strict=True)
    ]
