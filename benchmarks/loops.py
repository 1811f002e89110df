"""Measure what probes say of tool loops whose truth is known: learned from the last turn, hidden, or drawn by chance.

    python -m benchmarks.loops [--seeds 80]

Each log has 100 sessions of three steps; a step calls one of four tools. ``last``: the tool that the last result calls
for; ``first``: the one that the first result called for, which the probes don't see at the third step; ``chance``: any;
``sticky``: any, but the same for a whole session.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import slmlens as sl
from tests.suitability.test_turns import TOOLS, loop
from tests.suitability.trap_logs import tasks_of

TRUTHS = ("last", "first", "chance", "sticky")


class Truth:
    """Says the next tool from what the tools have said in a session."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.rng, self.held = name, random.Random(seed), TOOLS[0]

    def __call__(self, said: Sequence[str]) -> str:
        if self.name in {"last", "first"}:
            return said[-1] if self.name == "last" else said[0]
        if self.name == "chance" or len(said) == 1:
            self.held = self.rng.choice(TOOLS)
        return self.held


def judged(case: tuple[str, int]) -> tuple[str, bool | None, str]:
    name, seed = case
    rows = loop(Truth(name, seed), sessions=100, seed=seed)
    verdict = sl.assess(tasks_of(rows)).verdicts.row(0, named=True)
    return name, verdict["learnable"], verdict["evidence"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=80)
    seeds = parser.parse_args().seeds
    with ProcessPoolExecutor(2) as pool:
        found = Counter(pool.map(judged, [(name, seed) for name in TRUTHS for seed in range(seeds)], chunksize=10))
    print("| truth | learnable | word | logs |\n|---|---|---|---|")
    for (name, learnable, word), logs in sorted(found.items(), key=str):
        print(f"| {name} | {learnable} | {word} | {logs} of {seeds} |")


if __name__ == "__main__":
    main()
