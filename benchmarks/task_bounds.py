"""What is lost when trees are grown on a bounded sample of a log's prompts and all others are placed by the rule."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator, Mapping, Sequence

import slmlens as sl
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.prompts import prompts_of

SHARES = (2, 4, 10)
"""The bound is the log's distinct prompts divided by these."""

Labels = Mapping[str, str | None]
Score = Callable[[dict[str, str], Labels], float]
Known = Mapping[str, tuple[sl.Calls, Mapping[str, dict[str, str]]]]
COLUMNS = (
    "log",
    "distinct prompts",
    "grown on",
    "tasks",
    "unassigned",
    "AMI with the tasks of all prompts",
    "same task",
    "AMI with what is known",
    "CPU s",
)


def bounded(known: Known, score: Score) -> Iterator[Sequence[str]]:
    """Yield a row a log and bound, the first of each log being the one without a bound.

    :param known: Calls of each log, and the gold of its applications (empty: nothing is known).
    :param score: Of gold and labels.
    """
    for name, (calls, gold) in known.items():
        n_prompts = prompts_of(calls).variants.height
        whole = found_with(calls, n_prompts)
        for most in (n_prompts, *(max(n_prompts // share, 1) for share in SHARES)):
            started = cpu_seconds()
            found = found_with(calls, most)
            spent = cpu_seconds() - started
            same = sum(found[c] == task for c, task in whole.items()) / len(whole)
            yield (
                name,
                str(n_prompts),
                str(most),
                str(len(set(found.values()) - {None})),
                f"{sum(task is None for task in found.values()) / len(found):.1%}",
                f"{score({c: task or f'none {c}' for c, task in whole.items()}, found):.3f}",
                f"{same:.1%}",
                ", ".join(f"{a} {score(labels, found):.3f}" for a, labels in gold.items()),
                f"{spent:.1f}",
            )


def found_with(calls: sl.Calls, most: int) -> dict[str, str | None]:
    """Return the task of each call, the trees grown on so many distinct prompts."""
    tasks = discover_tasks(calls, settings=DiscoverySettings(fits=0, most_prompts=most))
    return dict(tasks.assignments.select("call_id", "task_id").rows())


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
