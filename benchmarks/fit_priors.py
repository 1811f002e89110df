"""Refit the data file of priors from recorded outcomes and published tables.

    python benchmarks/fit_priors.py SHARED [--write] [--date 2026-11-28]

SHARED is the folder that lies beside a developer's checkout: ``outcomes/*.parquet`` (MINT, BFCL 2024, ZeroEval and the
training split of LLMRouter), ``reference/lora_land_310.csv`` and ``reference/priors_bfcl_v4_subtasks.csv``. Prints the
table; ``--write`` puts it in place. Values are rounded to three decimals, so that the same data give the same file.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import t as student_t

from benchmarks.outcomes import read_outcomes, units_of
from benchmarks.scorers import (
    DATED,
    SCORERS,
    TWO_SIGNALS,
    family_weights,
    fit_kappa,
    fit_terms,
    kappa_of,
    new_source_means,
)
from slmlens.suitability.priors import TUNED_REFERENCE_B

Floats = NDArray[np.float64]
Row = dict[str, str | float | int]

TARGET = Path(__file__).resolve().parents[1] / "slmlens" / "suitability" / "priors.csv"
STRONG_7B = ("mistral-7b", "mistral-7b-instruct", "zephyr-7b-beta")
"""Bases of 7B that LoRA Land tunes without breakdowns."""
CLASSES = ("covid", "customer_support", "dbpedia", "jigsaw", "legal", "reuters", "glue_sst2", "glue_cola")
PAIRS = ("glue_qnli", "glue_mnli", "glue_mrpc", "glue_qqp", "glue_wnli", "boolq")
EXTRACTION = ("bc5cdr", "conllpp")
KINDS = {
    "label": (*CLASSES, *PAIRS),
    "json": (*EXTRACTION, *CLASSES, *PAIRS),
    "number": ("gsm8k",),
    "code": ("wikisql", "magicoder"),
    "text": ("e2e_nlg", "viggo", "webnlg", "tldr_content_gen", "tldr_headline_gen", "hellaswag_processed"),
}
"""Kind of answer -> tasks of LoRA Land, without multiple choice on world knowledge: its evidence is in no prompt."""
TEXT_SHARE = 0.30
"""Tuned free text: ROUGE is no agreement, so this is a judgement below the mean ROUGE."""
BFCL_V4 = {
    "one tool call": ("Non-Live Simple AST", "Non-Live Multiple AST", "Live Simple AST", "Live Multiple AST"),
    "parallel tool calls": ("Non-Live Parallel AST", "Non-Live Parallel Multiple AST"),
    "no tool fits": ("Irrelevance Detection",),
    "tool calls in several turns": (
        "Multi Turn Base",
        "Multi Turn Miss Func",
        "Multi Turn Miss Param",
        "Multi Turn Long Context",
    ),
    "web search": ("Web Search Acc",),
    "memory": ("Memory Acc",),
}
V4_MODELS = {"tuned": 11, "swap": 15}
"""Call-tuned small models up to 8B and generic ones up to about 15B in BFCL v4 of 2025-12-16."""
TUNED_SERIES = (r"xLAM-2", r"^Hammer2\.1")
"""Series of call-tuned models of one generation in several sizes."""
TUNED_BENCHMARKS = ("bfcl_v4_nonlive_ast", "bfcl_v4_live", "bfcl_v4_multi_turn", "bfcl_v4_irrelevance")
LORA_LAND = "LoRA Land (arXiv 2405.00732) table 12"
V4 = "BFCL v4 (2025-12-16)"
PSEUDO_ITEMS = 100
"""Items that a published score is taken to rest on, in the fit of the tuned prior's weight."""
SWAP_SCORERS = {"swap": TWO_SIGNALS, "swap_dated": DATED}
SERIES = (
    r"^Qwen2\.5-[\d.]+B-Instruct$",
    r"^Qwen3-[\d.]+B$",
    r"^Qwen3\.5-",
    r"^Llama-3\.[12]-[138]B-Instruct$",
    r"^gemma-2-",
    r"^gemma-3-",
    r"^granite-3\.1-",
    r"xLAM-2",
    r"^Hammer2\.1",
    r"^Falcon3",
    r"^SmolLM2",
    r"^DeepSeek-R1-Distill-Qwen",
)
SERIES_BENCHMARKS = (
    "ifeval_ollb",
    "mmlu_pro_ollb",
    "bbh_ollb",
    "mmlu_pro_vendor",
    "gsm8k",
    "humaneval",
    "bfcl_v4_nonlive_ast",
    "bfcl_v4_live",
    "bfcl_v4_irrelevance",
)
SERIES_SOURCE = (
    "per ln(billions of parameters): median slope of the logit of a published score inside a series of models of one "
    "generation (Open LLM Leaderboard, BFCL v4, model cards; n series times benchmarks); the outcomes hold too few "
    "sizes to say"
)
MEANINGS = {
    "intercept": "",
    "log_output_tokens": "; per ln(mean output tokens of the incumbent, reasoning text included)",
    "no_output_tokens": "; 1 where the output length is unknown and 100 tokens stand in",
    "tool_tuned": "; 1 for call-tuned small models on tool calls",
    "release_year": "; per year of release after 2024, inside released_min and released_max",
}


def row(mode: str, term: str, value: float, n: int, source: str, *, fact: bool = True) -> Row:
    """Return a row of the file."""
    kind = "fact" if fact else "judgement"
    return {"mode": mode, "term": term, "value": round(float(value), 3), "n": n, "kind": kind, "source": source}


def series_slopes(catalogue: pl.DataFrame) -> list[float]:
    """Return, for each published series of models and benchmark, the slope of the logit of its score in ln(size)."""
    slopes = []
    for pattern in SERIES:
        own = catalogue.filter(pl.col("model").str.contains(pattern))
        for benchmark in SERIES_BENCHMARKS:
            score = pl.col(benchmark).cast(pl.String).str.extract(r"^([\d.]+)").cast(pl.Float64)
            points = own.select("params_b", score=score).filter(pl.col("score").is_between(0, 100, closed="none"))
            if len(points) >= 2:
                size, share = points["params_b"].log().to_numpy(), points["score"].to_numpy() / 100
                slopes.append(float(np.polyfit(size, logit(share), 1)[0]))
    return slopes


def swap_rows(units: pl.DataFrame, catalogue: pl.DataFrame) -> list[Row]:
    """Return the terms of the swap prior, without and with the year of release, and their weights."""
    slopes = series_slopes(catalogue)
    size = {"log_params_b": round(float(np.median(slopes)), 3)}
    success, weights = units.get_column("small").to_numpy(), family_weights(units)
    by_name = {scorer.name: scorer for scorer in SCORERS}
    n_families, n_slms = units.get_column("family").n_unique(), units.get_column("slm").n_unique()
    source = f"fractional logistic over {n_families} families and {n_slms} small models, families equally weighted"
    origin = ", ".join(units.get_column("source").unique().sort())
    rows = []
    for mode, name in SWAP_SCORERS.items():
        scorer = replace(by_name[name], fixed=size)
        fit = fit_terms(scorer, scorer.design(units), success, weights)
        kappa = kappa_of(units, new_source_means(scorer, units))
        rows += [
            row(mode, term, value, len(units), f"{source} ({origin}){MEANINGS[term]}")
            for term, value in zip(fit.terms, fit.beta, strict=True)
            if term not in size
        ]
        rows.append(row(mode, "log_params_b", size["log_params_b"], len(slopes), SERIES_SOURCE))
        told = "weight as a Beta in calls: the likeliest for counts of a suite left out, as a private log is a new one"
        rows.append(row(mode, "kappa", kappa, len(units), told))
    released = units.get_column("released")
    for end, value in (("min", released.min()), ("max", released.max())):
        rows.append(row("swap_dated", f"released_{end}", value, n_slms, "small models measured: years of release"))
    return rows


def tuned_rows(lora: pl.DataFrame, v4: pl.DataFrame, catalogue: pl.DataFrame, swap_weight: float) -> list[Row]:
    """Return the means of the tuned prior by kind of answer, its slope by size and its weight.

    LoRA Land is one source, so that what its tasks say of one another says too little of another source: the weight is
    never above that of the swap prior, which has seen several.
    """
    strong = lora.filter(pl.col("base_model").is_in(STRONG_7B))
    rows = []
    for kind, tasks in KINDS.items():
        own = strong.filter(pl.col("task").is_in(tasks))
        mean, gain = own.get_column("fine_tuned").mean(), (own["fine_tuned"] - own["zero_shot"]).mean()
        told = f"{LORA_LAND}: three tuned 7B bases, {len(tasks)} tasks ({', '.join(tasks)}); {gain:+.2f} over the bases"
        if kind == "text":
            told = f"judgement below the mean ROUGE of {mean:.2f} in {told}"
        rows.append(row("tuned", kind, TEXT_SHARE if kind == "text" else mean, len(tasks), told, fact=kind != "text"))
    label = next(r["value"] for r in rows if r["term"] == "label")
    rows.append(row("tuned", "list", float(label), 0, "as label: no list-valued task was found", fact=False))
    rows.append(row("tuned", "empty", 0.5, 0, "no source", fact=False))
    one_turn = [s for kind in ("one tool call", "parallel tool calls") for s in BFCL_V4[kind]]
    for term, tasks in (("tool_call", one_turn), ("tool_call_multi_turn", BFCL_V4["tool calls in several turns"])):
        medians = v4.filter(pl.col("BFCL v4 subtask").is_in(tasks)).get_column("FT-SLM med") / 100
        told = f"{V4}: median of {V4_MODELS['tuned']} call-tuned models up to 8B, mean of {len(tasks)} subtasks"
        rows.append(row("tuned", term, medians.mean(), len(tasks), told))
    rows += tuned_size_rows(lora, catalogue)
    own = tuned_kappa(lora)
    told = f"the swap prior's weight where it is lower: {LORA_LAND} alone, tasks left out one by one, says {own:.1f}"
    rows.append(row("tuned", "kappa", min(own, swap_weight), 24, told, fact=False))
    return rows


def tuned_size_slopes(lora: pl.DataFrame, catalogue: pl.DataFrame) -> dict[str, float]:
    """Return, by series of tuned models of one generation, the mean slope of the logit of a score in ln(size).

    Two are call-tuned for BFCL. Of LoRA Land's bases only Gemma has two sizes: between other families, size and family
    can't be told apart, and two families of one size lie as far apart as 2-3B and 7B do.
    """
    tasks = {task for own in KINDS.values() for task in own}
    gemma = lora.filter(pl.col("base_model").str.starts_with("gemma") & pl.col("task").is_in(tasks))
    found = {"Gemma": [_slope(one["params_b"], one["fine_tuned"]) for one in gemma.partition_by("task")]}
    for pattern in TUNED_SERIES:
        own = catalogue.filter(pl.col("model").str.contains(pattern))
        scores = [own.select("params_b", pl.col(name).cast(pl.Float64) / 100) for name in TUNED_BENCHMARKS]
        found[pattern.strip("^").replace("\\", "")] = [_slope(*score) for score in scores]
    return {name: float(np.mean(slopes)) for name, slopes in found.items()}


def _slope(params_b: pl.Series, score: pl.Series) -> float:
    return float(np.polyfit(params_b.log().to_numpy(), logit(score.clip(0.01, 0.99).to_numpy()), 1)[0])


def slope_interval(slopes: Sequence[float]) -> tuple[float, float, float, float]:
    """Return the mean slope over series, its 90 % interval (t), and the standard deviation of that of a further one."""
    found = np.array(slopes)
    n, sd = len(found), float(found.std(ddof=1))
    half = float(student_t.ppf(0.95, n - 1)) * sd / n**0.5
    mean = float(found.mean())
    return mean, mean - half, mean + half, sd * (1 + 1 / n) ** 0.5


def tuned_size_rows(lora: pl.DataFrame, catalogue: pl.DataFrame) -> list[Row]:
    """Return what size is worth to a tuned model: slope, doubt about it, and the smallest size measured."""
    slopes = tuned_size_slopes(lora, catalogue)
    mean, lo, hi, sd = slope_interval(list(slopes.values()))
    each = ", ".join(f"{name} {slope:+.2f}" for name, slope in slopes.items())
    told = (
        f"per ln(billions of parameters / {TUNED_REFERENCE_B:g}): mean of three series of tuned models ({each}; "
        f"{LORA_LAND}, BFCL v4); 90 % interval {lo:+.2f} to {hi:+.2f}, so that an effect of size is not established"
    )
    smallest = catalogue.filter(pl.col("model").str.contains("|".join(TUNED_SERIES))).get_column("params_b").min()
    return [
        row("tuned", "log_params_b", mean, len(slopes), told),
        row("tuned", "log_params_b_sd", sd, len(slopes), "standard deviation of the slope of a further series"),
        row("tuned", "params_min", float(smallest), len(slopes), "billions of parameters of the smallest tuned model"),
    ]


def tuned_left_out(lora: pl.DataFrame) -> pl.DataFrame:
    """Return, for each task and strong 7B base, its score beside the means of the other tasks of its kind and of all.

    Kinds of one task are left out, as nothing predicts them. Columns: kind, task, score, gpt4, own_kind, all_kinds.
    """
    kinds = {**KINDS, "json": EXTRACTION}
    kind_of = {task: kind for kind, tasks in kinds.items() if len(tasks) > 1 for task in tasks}
    kept = lora.filter(pl.col("base_model").is_in(STRONG_7B) & pl.col("task").is_in(list(kind_of))).select(
        "task", kind=pl.col("task").replace_strict(kind_of), score="fine_tuned", gpt4="gpt4_zero_shot"
    )
    score = pl.col("score")
    return kept.with_columns(
        own_kind=(score.sum().over("kind") - score.sum().over("task"))
        / (pl.len().over("kind") - pl.len().over("task")),
        all_kinds=(score.sum() - score.sum().over("task")) / (pl.len() - pl.len().over("task")),
    )


def tuned_kappa(lora: pl.DataFrame) -> float:
    """Return the likeliest weight of the tuned prior: each task is predicted by the other tasks of its kind."""
    found = tuned_left_out(lora)
    n = np.full(len(found), float(PSEUDO_ITEMS))
    return fit_kappa(found["score"].to_numpy() * n, n, found["own_kind"].to_numpy(), np.ones(len(found)))


def published_rows(lora: pl.DataFrame, v4: pl.DataFrame) -> list[Row]:
    """Return the shares of small models that reach 95 % of a named incumbent, by type of task."""
    rows = []
    strong = lora.filter(pl.col("base_model").is_in(STRONG_7B))
    for kind in ("label", "json", "number", "code"):
        own = strong.filter(pl.col("task").is_in(EXTRACTION if kind == "json" else KINDS[kind]))
        for incumbent, column in (("GPT-3.5", "gpt35_zero_shot"), ("GPT-4 (2024)", "gpt4_zero_shot")):
            for mode, score in (("swap", "zero_shot"), ("tuned", "fine_tuned")):
                share = (own[score] >= 0.95 * own[column]).mean()
                rows.append(row("published", f"{kind}|{incumbent}|{mode}", share, len(own), f"{LORA_LAND}, zero-shot"))
    for kind, subtasks in BFCL_V4.items():
        own = v4.filter(pl.col("BFCL v4 subtask").is_in(subtasks))
        for incumbent, short in (("GPT-4.1", "GPT-4.1"), ("Claude Sonnet 4.5", "Sonnet")):
            for mode, who in (("swap", "gen"), ("tuned", "FT")):
                share, n = own[f"P({who}>=.95 {short})"].mean(), len(own) * V4_MODELS[mode]
                rows.append(row("published", f"{kind}|{incumbent}|{mode}", share, n, V4))
    return rows


def measured_parity_rows(units: pl.DataFrame) -> list[Row]:
    """Return, by suite and incumbent, the share of units of the outcomes with rho >= 0.95."""
    shares = units.group_by("source", "incumbent", "tool_tuned", maintain_order=True).agg(
        share=(pl.col("rho") >= 0.95).mean(), n=pl.len()
    )
    return [
        row(
            "published",
            f"{source}{' (call-tuned)' if tuned else ''}|{incumbent}|swap",
            share,
            n,
            "outcomes: share of (category, small model) units with rho >= 0.95",
        )
        for source, incumbent, tuned, share, n in shares.sort("source", "incumbent", "tool_tuned").iter_rows()
    ]


def fit_priors(shared: Path, date: str) -> pl.DataFrame:
    """Return the data file of priors."""
    units = units_of(read_outcomes(shared / "outcomes"))
    lora = pl.read_csv(shared / "reference" / "lora_land_310.csv")
    v4 = pl.read_csv(shared / "reference" / "priors_bfcl_v4_subtasks.csv")
    catalogue = pl.read_csv(shared / "reference" / "slm_catalog.csv", infer_schema_length=None)
    swap = swap_rows(units, catalogue)
    weight = next(float(r["value"]) for r in swap if (r["mode"], r["term"]) == ("swap_dated", "kappa"))
    rows = [
        *swap,
        *tuned_rows(lora, v4, catalogue, weight),
        *published_rows(lora, v4),
        *measured_parity_rows(units),
    ]
    return pl.DataFrame(rows).with_columns(date=pl.lit(date))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--date", default=dt.datetime.now(tz=dt.UTC).date().isoformat())
    chosen = parser.parse_args()
    table = fit_priors(chosen.shared, chosen.date)
    with pl.Config(tbl_rows=-1, fmt_str_lengths=40, tbl_width_chars=160):
        print(table)
    if chosen.write:
        table.write_csv(TARGET)
        print(f"written to {TARGET.relative_to(TARGET.parents[2])}")


if __name__ == "__main__":
    main()
