"""Leave-one-log-out: settings of discovery chosen on the other logs, judged on the log that was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product

import numpy as np

import slmlens as sl
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.discover import DiscoverySettings, discover_tasks

Labels = Mapping[str, str]
Score = Callable[[dict[str, str], Mapping[str, str | None]], float]
Known = Mapping[str, tuple[sl.Calls, Mapping[str, dict[str, str]]]]

GRID = {"instruction": (0.025, 0.03, 0.035), "user_block": (8, 12, 16), "cover": (0.85, 0.9, 0.95)}
"""Settings that are varied together."""

SINGLE = {"core_share": (0.85, 0.95), "contained": (0.4, 0.6), "mixed": (0.4, 0.6), "system_block": (4, 8)}
"""Settings that are varied one at a time, the others as they are by default."""

CANDIDATES = [
    *(replace(SkeletonSettings(), **dict(zip(GRID, values, strict=True))) for values in product(*GRID.values())),
    *(replace(SkeletonSettings(), **{name: value}) for name, values in SINGLE.items() for value in values),
]


def leave_one_out(known: Known, score: Score) -> Iterator[Sequence[str]]:
    """Yield a row a log that is left out, then one on how the default does over all.

    Where several settings tie on the others, the one that differs least from the default is taken, and the number of
    ties is told.

    :param known: Calls of each log and the gold of its applications.
    :param score: Of gold and labels.
    """
    table = np.array([list(scored(known, one, score)) for one in CANDIDATES])
    names = [application for _, gold in known.values() for application in gold]
    distance = np.array([len(changed(one)) for one in CANDIDATES])
    usual = int(np.flatnonzero(distance == 0)[0])
    for at, name in enumerate(names):
        others = [i for i in range(len(names)) if i != at]
        means = table[:, others].mean(axis=1)
        ties = np.flatnonzero(means >= means.max() - 1e-9)
        best = int(ties[np.argmin(distance[ties])])
        own = table[:, at]
        yield name, words(CANDIDATES[best]), str(len(ties)), *(f"{x:.3f}" for x in (own[best], own[usual], own.max()))
    means = table.mean(axis=1)
    place = int((means > means[usual] + 1e-9).sum()) + 1
    best = words(CANDIDATES[int(means.argmax())])
    said = f"{means[usual]:.3f} by default, rank {place} of {len(CANDIDATES)}; best {means.max():.3f} by {best}"
    yield "none: mean over all", said, "", "", "", ""


def scored(known: Known, skeleton: SkeletonSettings, score: Score) -> Iterator[float]:
    for calls, gold in known.values():
        tasks = discover_tasks(calls, settings=DiscoverySettings(skeleton=skeleton, fits=0))
        found = dict(tasks.assignments.select("call_id", "task_id").rows())
        for labels in gold.values():
            yield score(labels, found)


def changed(skeleton: SkeletonSettings) -> dict[str, float]:
    usual = asdict(SkeletonSettings())
    return {name: value for name, value in asdict(skeleton).items() if value != usual[name]}


def words(skeleton: SkeletonSettings) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in changed(skeleton).items()) or "the default"
