"""Run the suitability stage on logs whose truth is known, over many seeds, and print what it said.

    python -m benchmarks.suitability_traps MAKE_TRAPS_FOLDER [--seeds 100] [--traps coin_flip,planted_rule]
    python -m benchmarks.suitability_traps --null 400
    python -m benchmarks.suitability_traps --false-green LOG [LOG ...]

MAKE_TRAPS_FOLDER holds bench/make_traps.py. The second table needs no such file: rules with label noise, and logs
without any signal, made here. ``--null`` counts small p-values of the permutation null where there is no signal, for
sessions of several shapes; ``--false-green`` pools the false-green rate over whole logs.
"""

from __future__ import annotations

import argparse
import collections
import random
import time
from pathlib import Path

import numpy as np
import polars as pl

from slmlens.stages import discover_tasks, read_logs
from slmlens.suitability.assess import assess
from slmlens.suitability.false_green import false_green
from slmlens.suitability.intervals import wilson
from slmlens.suitability.student import permutation_null
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
    pair_holds = mode_holds = code = rare = lookup = 0
    began = time.perf_counter()
    for seed in range(seeds):
        rows, _ = trap(maker, name, seed)
        verdicts = assess(tasks_of(rows))
        row = verdicts.verdicts.row(0, named=True)
        lookup += any("looked up" in note for note in verdicts.evidence.get_column("note"))
        words[row["evidence"]] += 1
        code += (row["program_lo90"] or 0) >= 0.99
        rare += row["rare_recall"] is not None
        signals = {entry["name"]: entry["value"] for entry in row["signals"]}
        pair_holds += (row["ceiling_lo90"] or 0) <= TRUE_PAIR <= (row["ceiling_hi90"] or 0)
        mode_holds += (signals["ceiling_mode_lo90"] or 0) <= TRUE_MODE <= (signals["ceiling_mode_hi90"] or 0)
    return {
        "trap": name,
        "seeds": seeds,
        "words": dict(words),
        "green": words["likely"] + words["shown"],
        "code": code,
        "by lookup": lookup,
        "rare class with its recall": rare,
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


SESSIONS = {
    "of one length": [8] * 25,
    "two long, fifty short": [60, 40, *[2] * 50],
    "geometric": None,
}


def null_calibration(logs: int) -> None:
    """Answers that stick to their session and have nothing to do with the prompts: p-values must be uniform."""
    for name, fixed in SESSIONS.items():
        for share in (1 / 3, 0.05):
            rng = np.random.default_rng(0)
            found = []
            for i in range(logs):
                sizes = np.array(fixed) if fixed else rng.geometric(0.2, 40)
                units = np.repeat(np.arange(len(sizes)), sizes)
                drawn = (rng.random((2, len(sizes))) < share).astype(np.int64)
                found.append(permutation_null(drawn[0][units], drawn[1][units], units, 499, i)[0])
            shares = {level: round(float(np.mean(np.array(found) <= level)), 4) for level in (0.1, 0.05, 0.01, 0.001)}
            print(f"sessions {name}, class of {share:.0%}, {logs} logs: share of p below {shares}", flush=True)


def pooled_false_green(logs: list[Path]) -> None:
    """False-green rate and missed planted rules, pooled over whole logs."""
    total: collections.Counter[str] = collections.Counter()
    for log in logs:
        began = time.process_time()
        found = false_green(discover_tasks(read_logs(log)))
        counts = {name: found[name] for name in ("greens", "pairs", "planted_missed", "planted")}
        total.update(counts)
        print(f"{log.name}: {counts}, {found['tasks']} tasks, {time.process_time() - began:.0f} s", flush=True)
    for hits, n in (("greens", "pairs"), ("planted_missed", "planted")):
        lo, hi = wilson(total[hits], total[n])
        print(f"pooled {hits}: {total[hits]} of {total[n]}, 95 % interval {lo:.4f} to {hi:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--null", type=int, default=0)
    parser.add_argument("--false-green", type=Path, nargs="+", default=[])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--traps", default=",".join(TRAPS))
    chosen = parser.parse_args()
    if chosen.null:
        null_calibration(chosen.null)
    if chosen.false_green:
        pooled_false_green(chosen.false_green)
    if chosen.folder:
        run_traps(chosen)


def run_traps(chosen: argparse.Namespace) -> None:
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
