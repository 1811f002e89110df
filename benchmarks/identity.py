"""Measure whether tasks stay the same: shuffled, with sessions missing, on a later part of the log, on half of it.

On two logs it also measures whether people's decisions hold: when sessions are missing, and in the last third.

    python benchmarks/identity.py SHARED [--seeds 10]

SHARED is the folder of real logs and trap generator that lies beside a developer's checkout. Prints one markdown table.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from decided import by_rule, decisions_on, held, in_words
from sklearn.metrics import adjusted_mutual_info_score

import slmlens as sl
from slmlens.results import Calls, Tasks
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.growing import grow
from slmlens.tasks.halves import grow_halves
from slmlens.tasks.lineage import with_earlier_ids
from slmlens.tasks.prompts import prompts_of
from slmlens.tasks.sites import find_sites
from slmlens.tasks.stability import measure_stability
from slmlens.tasks.taskset import assign_calls

TRAPS = ("five_templates", "rare_and_batch", "sparse_calendar", "prompt_edited", "coin_flip")
DECIDED = ("agents_mixed", "the sample")
BARE = DiscoverySettings(fits=0)
Row = tuple[str, str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    print("| log | what | asked | measured |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, calls, application in logs(asked.shared, Path(folder)):
            rows = [stable(name, calls), kept(name, calls, asked.seeds), later(name, calls, application)]
            if name in DECIDED:
                rows += [decided(name, calls, asked.seeds), decided_later(name, calls, application, asked.seeds)]
            for row in chain.from_iterable(rows):
                print(f"| {' | '.join(row)} |", flush=True)


def logs(shared: Path, folder: Path) -> Iterator[tuple[str, Calls, Mapping[str, str]]]:
    """Yield name, calls, and the agent each call belongs to where a log mixes several."""
    with (shared / "bench" / "agents_mixed.gold.csv").open() as handle:
        application = {row["call_id"]: row["application"] for row in csv.DictReader(handle)}
    yield "agents_mixed", sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz"), application
    from slmlens.sample import write_sample

    yield "the sample", sl.read_logs(write_sample(folder / "sample").logs), {}
    made = folder / "traps"
    subprocess.run([sys.executable, shared / "bench" / "make_traps.py", made, "--five", "2000"], check=True)
    for name in TRAPS:
        yield name, sl.read_logs(made / f"{name}.jsonl"), {}


def stable(name: str, calls: Calls) -> Iterator[Row]:
    """Measure stability and the rule's agreement, and what they cost."""
    settings = BARE.skeleton
    prompts = prompts_of(calls)
    grown = grow(calls, prompts, settings)
    sites, fitted = find_sites(calls, prompts, grown.trees, grown.places, k_task=settings.k_task)
    started = time.monotonic()
    found = measure_stability(grow_halves(prompts, grown.corpus, fitted, settings))
    wall = time.monotonic() - started
    names = pl.DataFrame({"site": [s.number for s in sites], "task_id": [str(s.number) for s in sites]})
    by_site = found.by_task(names).get_column("stability")
    spread = f"{by_site.mean():.3f}, least {by_site.min():.3f}" if len(by_site) else "none"
    yield (
        name,
        "stability of call sites: mean",
        "1 on exact tasks",
        f"{spread}; {len(by_site)} of {len(sites)} measured",
    )
    yield name, "its cost", "<= 5 s on agents_mixed", f"{wall:.1f} s"
    if found.agreement is not None:
        told = f"AMI {found.agreement.ami:.3f}, {found.agreement.same:.1%} of calls"
        yield name, "prompt-only rule of one half on the other half", "", told


def kept(name: str, calls: Calls, seeds: int) -> Iterator[Row]:
    """Shuffle the rows, and drop one session in a hundred."""
    whole = discover_tasks(calls, settings=BARE)
    shuffled = replace(calls, calls=calls.calls.sample(fraction=1, shuffle=True, seed=1))
    same = discover_tasks(shuffled, settings=BARE).tasks.equals(whole.tasks)
    yield name, "shuffled rows: tasks identical", "yes", "yes" if same else "no"
    alone, helped = [], []
    for seed in range(seeds):
        fewer = without_sessions(calls, 0.01, seed)
        alone.append(same_id(whole, discover_tasks(fewer, settings=BARE)))
        helped.append(same_id(whole, following(fewer, whole)))
    yield name, "1 % of sessions dropped: calls that keep their id", ">= 95 %", over(alone)
    yield name, "the same with --from", ">= 99 %", over(helped)


def later(name: str, calls: Calls, application: Mapping[str, str]) -> Iterator[Row]:
    """Assign the last third of the sessions to the tasks of the others; compare with the tasks of all."""
    last = last_third(calls, application)
    first = discover_tasks(replace(calls, calls=calls.calls.filter(~pl.col("call_id").is_in(last))), settings=BARE)
    late = replace(calls, calls=calls.calls.filter(pl.col("call_id").is_in(last)))
    placed = assign_calls(first.task_set, late)
    cold = with_earlier_ids(discover_tasks(calls, settings=BARE), first.task_set)
    for how, everything in (("", cold), (", found with --from", following(calls, first))):
        rows = placed.join(everything.assignments, on="call_id", suffix="_all")
        one, other = (alone_if_null(rows.get_column(c)) for c in ("task_id", "task_id_all"))
        same = (rows.get_column("task_id").fill_null("") == rows.get_column("task_id_all").fill_null("")).mean()
        what = f"last third by the tasks of the first two thirds, against those of all{how}"
        yield name, f"{what}: AMI", ">= 0.90", f"{adjusted_mutual_info_score(one, other):.3f}"
        yield name, f"{what}: same task", ">= 90 %", f"{same:.1%}"
        counts = f"{first.tasks.height} and {everything.tasks.height} on all"
        yield name, f"number of tasks{how}", "within 20 %", counts


def decided(name: str, calls: Calls, seeds: int) -> Iterator[Row]:
    """Decide on every third task of the log; replay that where one session in a hundred is missing."""
    whole = discover_tasks(calls, settings=BARE)
    alone, helped = [], []
    for seed in range(seeds):
        decisions, fewer = decisions_on(whole, seed), without_sessions(calls, 0.01, seed)
        alone.append(held(decisions, whole, discover_tasks(fewer, settings=BARE)))
        helped.append(held(decisions, whole, following(fewer, whole)))
    yield name, "1 % of sessions dropped: decisions that apply", ">= 95 %", in_words(alone)
    yield name, "the same with --from", ">= 95 %", in_words(helped)


def decided_later(name: str, calls: Calls, application: Mapping[str, str], seeds: int) -> Iterator[Row]:
    """Decide on every third task of the first two thirds; replay that on the last third, as a month follows another.

    Asked are the decisions on tasks that recur in the last third, as the earlier run's rule places its calls.
    """
    last = pl.col("call_id").is_in(last_third(calls, application))
    first = discover_tasks(replace(calls, calls=calls.calls.filter(~last)), settings=BARE)
    late = replace(calls, calls=calls.calls.filter(last))
    wanted, fresh, after = by_rule(first, late), discover_tasks(late, settings=BARE), following(late, first)
    made = [decisions_on(first, seed) for seed in range(seeds)]
    alone, helped = ([held(decisions, wanted, got) for decisions in made] for got in (fresh, after))
    yield name, "last third: decisions on the first two that apply", "", in_words(alone)
    yield name, "the same with --from", ">= 95 %", in_words(helped)


def following(calls: Calls, earlier: Tasks) -> Tasks:
    return with_earlier_ids(discover_tasks(calls, settings=BARE, earlier=earlier.task_set), earlier.task_set)


def without_sessions(calls: Calls, share: float, seed: int) -> Calls:
    units = calls.calls.select(unit=pl.coalesce("session_id", "trace_id", "call_id"), line="source_line")
    names = units.group_by("unit").agg(pl.min("line")).sort("line").get_column("unit")
    gone = names.sample(max(round(share * len(names)), 1), seed=seed).implode()
    return replace(calls, calls=calls.calls.filter(~pl.coalesce("session_id", "trace_id", "call_id").is_in(gone)))


def last_third(calls: Calls, application: Mapping[str, str]) -> list[str]:
    """Return the calls of the last third of each agent's sessions, by time where there is one, else as they stand."""
    rows = calls.calls.select(
        "call_id",
        unit=pl.coalesce("session_id", "trace_id", "call_id"),
        at=pl.col("started_at").to_physical(),
        line="source_line",
        agent=pl.col("call_id").replace_strict(dict(application), default="", return_dtype=pl.String),
    ).with_columns(pl.col("at", "line").min().over("unit"))
    order = rows.unique("unit").sort("agent", "at", "line", nulls_last=True)
    ranked = order.with_columns(rank=pl.int_range(pl.len()).over("agent") / pl.len().over("agent"))
    late = ranked.filter(pl.col("rank") >= 2 / 3).get_column("unit")
    return rows.filter(pl.col("unit").is_in(late.implode())).get_column("call_id").to_list()


def same_id(whole: Tasks, fewer: Tasks) -> float:
    joined = fewer.assignments.join(whole.assignments, on="call_id", suffix="_whole")
    return float((joined["task_id"].fill_null("") == joined["task_id_whole"].fill_null("")).mean())


def alone_if_null(tasks: pl.Series) -> list[str]:
    return [task or f"none {at}" for at, task in enumerate(tasks.to_list())]


def over(shares: list[float]) -> str:
    return f"{np.mean(shares):.2%}, least {min(shares):.2%} of {len(shares)} seeds"


if __name__ == "__main__":
    main()
