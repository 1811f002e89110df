"""Tune a real small model on tasks of known truth and of real logs, and print what it does on their later calls.

    python -m benchmarks.slm_probe SHARED --traps planted_rule,planted_format,coin_flip [--curve 60,120,240] [--force]
    python -m benchmarks.slm_probe SHARED --logs LOG [LOG ...] [--list] [--only TASK,TASK] [--most-tasks 3]

SHARED holds bench/make_traps.py. Each line is one way of asking: the model as it comes, with examples in the prompt,
and tuned on so many earlier calls; beside it stand the student, the best constant answer and the ceiling. ``--epochs``
with large ``--seconds`` bounds training by passes instead of time, for a machine that others use too; process time is
printed because then only it says what the work takes. ``--list`` only tells which tasks would be probed.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from slmlens.pilots.probing import probe_tasks
from slmlens.results import Tasks
from slmlens.specialists.choice import ChoiceSettings, choose_tasks
from slmlens.specialists.probe_results import TaskProbe
from slmlens.specialists.sft import Recipe
from slmlens.specialists.slm_probe import ProbeSettings
from slmlens.stages import discover_tasks, read_logs
from slmlens.suitability.assess import measure_task
from slmlens.suitability.pilot import observed_task
from slmlens.suitability.settings import AssessSettings
from tests.suitability.trap_logs import tasks_of, trap, trap_maker

TRAPS = ("planted_rule", "planted_format", "coin_flip")


def beside(tasks: Tasks, task_id: str) -> str:
    """What the cheap probes say of the same task."""
    observed = observed_task(tasks, task_id)
    assert observed is not None
    one = measure_task(observed, AssessSettings(), 0)
    student = one.probed.whole if one.probed else None
    pair = one.ceiling.pair
    return ", ".join(
        (
            f"constant {one.constant:.3f}",
            f"student {student.value:.3f} ({student.lo90:.3f} to {student.hi90:.3f})" if student else "no student",
            f"incumbent with itself {pair.value:.3f}" if pair else "ceiling assumed 1",
        )
    )


def print_probe(name: str, tasks: Tasks, found: TaskProbe) -> None:
    print(f"\n{name}, {found.task_id}: {beside(tasks, found.task_id)}")
    if found.refused:
        print(f"  refused: {found.refused}")
    for one in found.outcomes:
        null = "" if one.null_p is None else f", null p {one.null_p:.3f}"
        share = f"{one.agreement:.3f} ({one.lo90:.3f} to {one.hi90:.3f}) on {one.n} calls, {one.n_units} units"
        print(
            f"  {one.way:<9} {one.examples:>4} examples: {share}; constant {one.constant or 0:.3f}{null}; "
            f"{one.seconds:.0f} s, {one.tokens} tokens, {one.unfinished} unfinished, {one.cut} cut",
            flush=True,
        )
    if found.training:
        t = found.training
        print(
            f"  training: {t.steps} steps, {t.epochs:.1f} epochs, {t.tokens:,} tokens, {t.seconds:.0f} s, "
            f"{t.tokens_per_second:.0f} tokens/s, stopped by {t.stopped}, {t.left_out} left out, {t.cut} cut; losses "
            f"{[(step, round(loss, 4)) for step, loss in t.losses]}"
        )
    for note in found.notes:
        print(f"  {note}")


def run(name: str, tasks: Tasks, chosen: argparse.Namespace) -> None:
    recipe = Recipe(epochs=chosen.epochs, seed=chosen.seed)
    curve = tuple(int(n) for n in chosen.curve.split(",") if n)
    settings = ProbeSettings(seconds=chosen.seconds, curve=curve, recipe=recipe)
    if chosen.calls:
        settings = replace(settings, calls=chosen.calls, base_calls=chosen.base_calls)
    only = [one for one in chosen.only.split(",") if one]
    if chosen.list:
        list_tasks(tasks, only, chosen.most_tasks)
        return
    began, cpu = time.perf_counter(), time.process_time()
    probes = probe_tasks(
        tasks, chosen.base, only=only, most_tasks=chosen.most_tasks, force=chosen.force, settings=settings, say=print
    )
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    print(f"\n{name}: {wall:.0f} s, of process time {spent:.0f} s, loading the model and choosing tasks included")
    for one in probes:
        print_probe(name, tasks, one)


def list_tasks(tasks: Tasks, only: list[str], most: int) -> None:
    names = dict(tasks.tasks.select("task_id", "name").iter_rows())
    for one in choose_tasks(tasks, only=only, choice=ChoiceSettings(most_tasks=most)):
        said = one.refused
        if one.dataset is not None:
            frame = one.dataset.frame
            long = frame.select(pl.col("completion", "slot_text").str.len_chars().median())
            kind = one.dataset.comparator.kind
            said = f"yes: {kind}, characters of answer and slots {long.row(0)}, {one.dataset.notes[0]}"
        print(f"{one.task_id} {names[one.task_id]!r} {one.weight:.1%}: {said}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--traps", default="")
    parser.add_argument("--logs", type=Path, nargs="+", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--most-tasks", type=int, default=3)
    parser.add_argument("--curve", default="")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--base", default=None)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--epochs", type=float, default=Recipe.epochs)
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--base-calls", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for name in filter(None, chosen.traps.split(",")):
        rows, _ = trap(trap_maker(chosen.shared), name, 7)
        run(name, tasks_of(rows), chosen)
    for log in chosen.logs:
        run(log.name, discover_tasks(read_logs(log)), chosen)


if __name__ == "__main__":
    main()
