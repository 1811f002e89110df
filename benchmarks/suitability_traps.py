"""Run the suitability stage on logs whose truth is known, over many seeds, and print what it said.

    python -m benchmarks.suitability_traps MAKE_TRAPS_FOLDER [--seeds 100] [--traps coin_flip,planted_rule]

MAKE_TRAPS_FOLDER holds bench/make_traps.py. The second table needs no such file: rules with label noise, and logs
without any signal, made here.
"""

from __future__ import annotations

import argparse
import collections
import random
import time
from pathlib import Path

import polars as pl

from slmlens.suitability.assess import assess
from tests.suitability.trap_logs import pair, tasks_of, trap, trap_maker

TRAPS = (
    "coin_flip",
    "coin_flip_repeats",
    "planted_rule",
    "planted_format",
    "rare_label",
    "self_disagreement",
    "near_duplicates",
)
TRUE_PAIR, TRUE_MODE = 0.66, 0.80
WORDS = [f"w{i}" for i in range(60)]


def run_trap(folder: Path, name: str, seeds: int) -> dict[str, object]:
    maker = trap_maker(folder)
    words: collections.Counter[str] = collections.Counter()
    pair_holds = mode_holds = code = 0
    began = time.perf_counter()
    for seed in range(seeds):
        rows, _ = trap(maker, name, seed)
        row = assess(tasks_of(rows)).verdicts.row(0, named=True)
        words[row["evidence"]] += 1
        code += (row["program_lo90"] or 0) >= 0.99
        signals = {entry["name"]: entry["value"] for entry in row["signals"]}
        pair_holds += (row["ceiling_lo90"] or 0) <= TRUE_PAIR <= (row["ceiling_hi90"] or 0)
        mode_holds += (signals["ceiling_mode_lo90"] or 0) <= TRUE_MODE <= (signals["ceiling_mode_hi90"] or 0)
    return {
        "trap": name,
        "seeds": seeds,
        "words": dict(words),
        "green": words["likely"] + words["shown"],
        "code": code,
        "pair holds 0.66": pair_holds,
        "mode holds 0.80": mode_holds,
        "s/seed": round((time.perf_counter() - began) / seeds, 2),
    }


def rule_log(seed: int, calls: int, classes: int, noise: float) -> list[dict[str, object]]:
    """One word of the prompt decides the answer; a share ``noise`` of the answers is another class."""
    rng = random.Random(seed)
    keys = ["alpha", "beta", "gamma", "delta", "epsilon"][:classes]
    rows = []
    for i in range(calls):
        key = rng.randrange(classes)
        words = [*rng.sample(WORDS, 7), keys[key]]
        rng.shuffle(words)
        label = key if rng.random() >= noise else rng.choice([k for k in range(classes) if k != key])
        rows.append(pair(i, " ".join(words), {"label": f"class {label}"}, f"s{i // 3}", day=28 * i / calls))
    return rows


def null_log(seed: int, tasks: int, sessions: int, per_session: int) -> list[dict[str, object]]:
    """Prompts and answers both stick to their session, and have nothing to do with each other."""
    rng = random.Random(seed)
    rows = []
    for task in range(tasks):
        for session in range(sessions):
            topic, usual = rng.sample(WORDS, 6), rng.randrange(3)
            for j in range(per_session):
                label = usual if rng.random() < 0.9 else rng.randrange(3)
                prompt = " ".join([*topic, *rng.sample(WORDS, 2), str(rng.randrange(10**6))])
                day = (session + j / per_session) * 28 / sessions
                answer, name = {"label": label}, f"{task}-{session}"
                rows.append(pair(len(rows), prompt, answer, name, system=f"Task {task}.", day=day))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--traps", default=",".join(TRAPS))
    chosen = parser.parse_args()
    for name in filter(None, chosen.traps.split(",")):
        print(run_trap(chosen.folder, name, chosen.seeds), flush=True)
    few = max(chosen.seeds // 10, 3)
    for noise in (0.0, 0.1, 0.2, 0.35):
        words: collections.Counter[str] = collections.Counter()
        seen = []
        for seed in range(few):
            verdicts = assess(tasks_of(rule_log(seed, 900, 3, noise)))
            words[verdicts.verdicts.item(0, "evidence")] += 1
            seen.append(verdicts.evidence.filter(pl.col("source") == "student").item(0, "agreement"))
        agreed = f"student {min(seen):.3f} to {max(seen):.3f}, truth {1 - noise:.2f}"
        print(f"rule, noise {noise}: {dict(words)}, {agreed}", flush=True)
    words = collections.Counter()
    for seed in range(few):
        tasks = tasks_of(null_log(seed, 20, 30, 8), task_of=lambda _, row: row["request"]["messages"][0]["content"])
        words.update(assess(tasks).verdicts.get_column("evidence").to_list())
    print(f"no signal, answers stick to their session, {20 * few} tasks: {dict(words)}")


if __name__ == "__main__":
    main()
