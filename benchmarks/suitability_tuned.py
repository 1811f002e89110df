"""How far the prior of a tuned model can be trusted: by kind of answer and by size, tasks and small models left out.

``python benchmarks/suitability.py SHARED`` prints it. LoRA Land is one source of 24 tasks in four kinds and ten bases
of four families; of these only Gemma has two sizes. What size is worth comes from series of models that differ in
nothing else, and is judged on the series left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit

from benchmarks.fit_priors import (
    EXTRACTION,
    KINDS,
    STRONG_7B,
    TUNED_BENCHMARKS,
    TUNED_SERIES,
    slope_interval,
    tuned_left_out,
    tuned_size_slopes,
)
from benchmarks.scorers import Held
from benchmarks.scores import Said, auc, brier, say
from slmlens.suitability.priors import TUNED_REFERENCE_B, tuned_prior, widened

Floats = NDArray[np.float64]
Slopes = Mapping[str, float]

PARITY = 0.95
SMALL_B = 3.0
DRAWS = 2_000
TABLE = "| {} | MAE | bias, 2-3B | bias, 7-8B | coverage | width | AUC 0.95 of GPT-4 | Brier |\n|" + " --- |" * 8


def kinds_of_several_tasks() -> dict[str, str]:
    """Return task -> kind, for the kinds of LoRA Land that have more than one task."""
    kinds = {**KINDS, "json": EXTRACTION}
    return {task: kind for kind, tasks in kinds.items() if len(tasks) > 1 for task in tasks}


def bases_left_out(lora: pl.DataFrame, slope_of: Callable[[str], tuple[float, float]]) -> pl.DataFrame:
    """Return each tuned base's score beside its prior by the other strong bases on the other tasks of the kind.

    :param slope_of: Base -> slope by size and doubt about it, from data that do not hold the base's family.
    :return: base_model, params_b, task, score, gpt4, mean, kappa.
    """
    kind_of = kinds_of_several_tasks()
    rows = lora.filter(pl.col("task").is_in(list(kind_of))).with_columns(kind=pl.col("task").replace_strict(kind_of))
    weight = tuned_prior("label", 1.0).kappa
    found = []
    for base, params_b, task, kind, score, gpt4 in rows.select(
        "base_model", "params_b", "task", "kind", "fine_tuned", "gpt4_zero_shot"
    ).iter_rows():
        others = pl.col("base_model").is_in([name for name in STRONG_7B if name != base])
        known = rows.filter(others & (pl.col("kind") == kind) & (pl.col("task") != task)).get_column("fine_tuned")
        slope, doubt = slope_of(base)
        smaller = np.log(min(params_b, TUNED_REFERENCE_B) / TUNED_REFERENCE_B)
        mean = float(expit(logit(float(str(known.mean()))) + slope * smaller))
        found.append((base, params_b, task, score, gpt4, mean, widened(mean, weight, doubt * smaller)))
    return pl.DataFrame(found, ["base_model", "params_b", "task", "score", "gpt4", "mean", "kappa"], orient="row")


def without_family(slopes: Slopes) -> Callable[[str], tuple[float, float]]:
    """Return the slope by size from the series that are not of a base's family."""

    def slope_of(base: str) -> tuple[float, float]:
        kept = [slope for name, slope in slopes.items() if not base.startswith(name.lower())]
        mean, _, _, doubt = slope_interval(kept)
        return mean, doubt

    return slope_of


def words_of(found: pl.DataFrame) -> Said:
    """Return what priors say of left-out scores, parity being 0.95 of GPT-4's."""
    held = Held(found.get_column("mean").to_numpy(), found.get_column("kappa").to_numpy())
    return say(held, found.get_column("score").to_numpy(), found.get_column("gpt4").to_numpy())


def score_line(name: str, found: pl.DataFrame) -> str:
    """Return a line of ``TABLE``."""
    words, one = words_of(found), np.ones(len(found))
    off = (found.get_column("mean") - found.get_column("score")).to_numpy()
    small = found.get_column("params_b").to_numpy() < SMALL_B
    bias = [f"{off[part].mean():+.3f}" if part.any() else "" for part in (small, ~small)]
    cells = [
        f"{np.abs(off).mean():.3f}",
        *bias,
        f"{words.covered.mean():.3f}",
        f"{np.mean(words.hi - words.lo):.2f}",
        f"{auc(words.p[PARITY], words.truth[PARITY], one):.2f}",
        f"{brier(words.p[PARITY], words.truth[PARITY], one):.3f}",
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


def difference_by_task(one: pl.DataFrame, other: pl.DataFrame, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Return the paired differences in error and Brier, each with a 90 % interval over resampled tasks."""
    rng = np.random.default_rng(seed)
    losses = []
    for found in (one, other):
        words = words_of(found)
        error = (found.get_column("mean") - found.get_column("score")).abs().to_numpy()
        losses.append({"MAE": error, "Brier": (words.p[PARITY] - words.truth[PARITY]) ** 2})
    found = {}
    for name in losses[0]:
        gap = one.select("task", gap=pl.Series(losses[0][name] - losses[1][name]))
        by_task = gap.group_by("task", maintain_order=True).agg(pl.col("gap").mean()).get_column("gap").to_numpy()
        drawn = rng.choice(by_task, (DRAWS, len(by_task))).mean(axis=1)
        found[name] = (float(by_task.mean()), *map(float, np.quantile(drawn, [0.05, 0.95])))
    return found


def series_left_out(lora: pl.DataFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """Return each smaller model's score beside that of its series' largest, moved by the other series' slope, or not.

    :return: series, benchmark, params_b, score, plain (the largest's score), moved.
    """
    slopes, rows = tuned_size_slopes(lora, catalogue), []
    for series, benchmark, points in _series_scores(lora, catalogue):
        largest, best = points[-1]
        others = [slope for name, slope in slopes.items() if name != series]
        for params_b, score in points[:-1]:
            shift = float(np.mean(others)) * np.log(params_b / largest)
            moved = float(expit(logit(np.clip(best, 0.01, 0.99)) + shift))
            rows.append((series, benchmark, params_b, score, best, moved))
    return pl.DataFrame(rows, ["series", "benchmark", "params_b", "score", "plain", "moved"], orient="row")


def _series_scores(lora: pl.DataFrame, catalogue: pl.DataFrame) -> list[tuple[str, str, list[tuple[float, float]]]]:
    """Return series, benchmark and its (size, score), the smallest first."""
    tasks = {task for own in KINDS.values() for task in own}
    gemma = lora.filter(pl.col("base_model").str.starts_with("gemma") & pl.col("task").is_in(tasks))
    instruct = pl.col("base_model").str.ends_with("instruct")
    found = [
        ("Gemma", task, gemma.filter((pl.col("task") == task) & own).sort("params_b").select("params_b", "fine_tuned"))
        for task in sorted(tasks)
        for own in (instruct, ~instruct)
    ]
    for pattern in TUNED_SERIES:
        own = catalogue.filter(pl.col("model").str.contains(pattern)).sort("params_b")
        name = pattern.strip("^").replace("\\", "")
        found += [(name, one, own.select("params_b", pl.col(one).cast(pl.Float64) / 100)) for one in TUNED_BENCHMARKS]
    return [(series, benchmark, list(frame.iter_rows())) for series, benchmark, frame in found]


def print_kinds(lora: pl.DataFrame) -> None:
    """Print how the tuned prior does on LoRA Land's tasks, one left out: by kind of answer, and without it."""
    found = tuned_left_out(lora).with_columns(params_b=TUNED_REFERENCE_B, kappa=tuned_prior("label", 1.0).kappa)
    print("\n" + TABLE.format("one task left out, strong 7B bases"))
    for name, column in (("by kind of answer", "own_kind"), ("one mean for all", "all_kinds")):
        print(score_line(name, found.with_columns(mean=pl.col(column))))
    n_tasks, share = found.get_column("task").n_unique(), (found["score"] >= PARITY * found["gpt4"]).mean()
    print(f"\n{len(found)} scores of {n_tasks} tasks; parity in {share:.0%}")


def print_sizes(lora: pl.DataFrame, catalogue: pl.DataFrame) -> None:
    """Print how it does on a base model and a task left out, by size and not; and on series left out."""
    slopes = tuned_size_slopes(lora, catalogue)
    mean, lo, hi, _ = slope_interval(list(slopes.values()))
    each = ", ".join(f"{name} {slope:+.2f}" for name, slope in slopes.items())
    print(f"\nslope of the logit per ln(size): {each}; mean {mean:+.2f} ({lo:+.2f} to {hi:+.2f})")
    by_size, plain = bases_left_out(lora, without_family(slopes)), bases_left_out(lora, lambda _base: (0.0, 0.0))
    print("\n" + TABLE.format("one base model and one task left out, all ten bases"))
    print(score_line("by kind and size (default)", by_size))
    print(score_line("by kind", plain))
    for name, (value, low, high) in difference_by_task(by_size, plain).items():
        print(f"\nsize: {name} {value:+.3f} ({low:+.3f} to {high:+.3f} over tasks)")
    print("\n| series left out | scores | MAE, moved by the others' slope | MAE, as its largest | bias, moved | bias |")
    print("|" + " --- |" * 6)
    for (series,), own in series_left_out(lora, catalogue).group_by("series", maintain_order=True):
        off = {way: (own[way] - own["score"]).to_numpy() for way in ("moved", "plain")}
        errors = [f"{np.abs(off[way]).mean():.3f}" for way in off] + [f"{off[way].mean():+.3f}" for way in off]
        print(f"| {series} | {len(own)} | " + " | ".join(errors) + " |")
