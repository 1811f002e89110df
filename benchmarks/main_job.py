"""Measure the main job: on six thousand real calls, on logs with known truth over several seeds, and on the sample.

    python benchmarks/main_job.py SHARED [--seeds 5]

SHARED is the folder of real logs and trap generator that lies beside a developer's checkout. Prints one markdown table.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
PLANTED = {
    "five_templates": 5,
    "rare_and_batch": 14,
    "sparse_calendar": 2,
    "prompt_edited": 1,
}
Row = tuple[str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    print("| what | asked | measured |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for rows in (
            real_log(asked.shared, Path(folder)),
            traps(asked.shared, Path(folder), asked.seeds),
            sample(Path(folder)),
            imports(),
        ):
            for what, target, measured in rows:
                print(f"| {what} | {target} | {measured} |", flush=True)


def real_log(shared: Path, folder: Path) -> Iterator[Row]:
    """Run the command line in a process of its own on the mixed real log."""
    out = folder / "mixed"
    seconds, peak = run(shared / "bench" / "agents_mixed.jsonl.gz", out)
    with (shared / "bench" / "agents_mixed.gold.csv").open() as handle:
        gold = [r for r in csv.DictReader(handle) if r["gold_task"]]
    scores = {
        a: ami(out, {r["call_id"]: r["gold_task"] for r in gold if r["application"] == a}) for a in ("chatdev", "mint")
    }
    assignments = pl.read_parquet(out / "assignments.parquet")
    stages = json.loads((out / "manifest.json").read_text())["stages"]
    yield (
        "6,189 real calls: AMI of chatdev and mint, mean",
        ">= 0.70",
        f"{sum(scores.values()) / 2:.3f} ({scores['chatdev']:.3f}, {scores['mint']:.3f})",
    )
    yield "6,189 real calls: tasks", "15 to 150", str(pl.read_parquet(out / "tasks.parquet").height)
    yield (
        "6,189 real calls: calls unassigned",
        "<= 7 %",
        f"{assignments['task_id'].null_count() / assignments.height:.1%}",
    )
    parts = ", ".join(f"{name} {stage['seconds']:.1f}" for name, stage in stages.items())
    yield "6,189 real calls: cold process", "<= 15 s, <= 700 MB", f"{seconds:.1f} s ({parts}), {peak} MB"


def traps(shared: Path, folder: Path, seeds: int) -> Iterator[Row]:
    """Find the tasks of generated logs, and judge the three that must or must not be green."""
    found: dict[str, list[int]] = {name: [] for name in (*PLANTED, "five_templates at 20,000 calls")}
    share: list[float] = []
    words: dict[str, list[str]] = {"coin_flip": [], "coin_flip_repeats": [], "planted_rule": []}
    months: list[bool] = []
    for seed in range(1, seeds + 1):
        for size in ("2000", "20000"):
            made = folder / f"traps-{seed}-{size}"
            subprocess.run(
                [sys.executable, shared / "bench" / "make_traps.py", made, "--seed", str(seed), "--five", size],
                check=True,
            )
            names = ["five_templates"] if size == "20000" else [*PLANTED, *words]
            for name in names:
                out = made / f"run-{name}"
                run(made / f"{name}.jsonl", out)
                summary = json.loads((out / "summary.json").read_text())
                if name in words:
                    words[name] += [t["evidence"] for t in summary["tasks"]]
                    continue
                found[name if size == "2000" else "five_templates at 20,000 calls"].append(len(summary["tasks"]))
                share.append(summary["ledger"]["tasks_usd"] / summary["ledger"]["imported_usd"])
                if name == "sparse_calendar":
                    truth = json.loads((made / "truth.json").read_text())[name]["month_usd"]
                    month = summary["ledger"]["month_usd"]
                    months.append(abs(month["mid"] / truth - 1) <= 0.05 and month["low"] <= truth <= month["high"])
    for name, counts in found.items():
        yield f"{name}: tasks", str(PLANTED.get(name, 5)), spread(counts)
    yield "those logs: share of the spend in tasks", ">= 99 %", f"{min(share):.2%} at least"
    yield "sparse_calendar: month within 5 % and inside its interval", "always", f"{sum(months)} of {len(months)}"
    yield "coin_flip, coin_flip_repeats: green", "never", f"{green(words['coin_flip'] + words['coin_flip_repeats'])}"
    yield "planted_rule: green", "always", f"{green(words['planted_rule'])}"


def sample(folder: Path) -> Iterator[Row]:
    """Find the tasks of the project's own sample."""
    from slmlens.sample import write_sample

    truth = write_sample(folder / "sample")
    seconds, peak = run(truth.logs, folder / "sample-run", "--sampling-rate", str(truth.sampling_rate))
    with (folder / "sample" / "truth.csv").open() as handle:
        gold = {r["call_id"]: r["task"] for r in csv.DictReader(handle) if r["call_id"]}
    yield "the sample: AMI", ">= 0.90", f"{ami(folder / 'sample-run', gold):.3f}"
    yield "the sample: cold process", "", f"{seconds:.1f} s, {peak} MB"


def imports() -> Iterator[Row]:
    """Time a fresh process that imports the package, beside one that does not."""

    def seconds(code: str) -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.monotonic() - started

    bare = min(seconds("pass") for _ in range(5))
    yield "import slmlens", "<= 0.3 s", f"{min(seconds('import slmlens') for _ in range(5)) - bare:.2f} s"


def run(log: Path, out: Path, *options: str) -> tuple[float, int]:
    """Return wall seconds and peak memory in MB of one cold run."""
    started = time.monotonic()
    job = subprocess.Popen(
        [sys.executable, "-m", "slmlens.cli", "run", str(log), "--out", str(out), *options], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(job.pid, 0)
    if status:
        message = f"the run on {log.name} failed"
        raise SystemExit(message)
    return time.monotonic() - started, usage.ru_maxrss // 1024


def ami(out: Path, gold: dict[str, str]) -> float:
    """Adjusted mutual information with the gold tasks; an unassigned call is a task of its own."""
    from sklearn.metrics import adjusted_mutual_info_score

    rows = pl.read_parquet(out / "assignments.parquet").select("call_id", "task_id").rows()
    found = {call: task or f"none {call}" for call, task in rows}
    calls = sorted(gold.keys() & found.keys())
    return float(adjusted_mutual_info_score([gold[c] for c in calls], [found[c] for c in calls]))


def spread(counts: list[int]) -> str:
    return (
        f"{min(counts)} to {max(counts)} over {len(counts)} seeds"
        if min(counts) < max(counts)
        else f"{counts[0]} in each of {len(counts)} seeds"
    )


def green(words: list[str]) -> str:
    return f"{sum(w in ('shown', 'likely') for w in words)} of {len(words)}"


if __name__ == "__main__":
    main()
