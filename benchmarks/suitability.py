"""Validate priors, posterior and pilots on recorded outcomes, against simpler scorers.

    python benchmarks/suitability.py SHARED [--draws 400] [--resamples 1000] [--svg docs/reliability.svg]
    python benchmarks/suitability.py SHARED --apply FOLDER

SHARED/outcomes holds the outcomes (Parquet). Prints markdown: scorers with one family, one small model or one source
left out; paired differences with 90 % intervals over resampled families; reliability; coverage after a pilot; pilots of
recorded outcomes and of simulated models. With ``--apply`` the shipped file of priors is judged as it stands on the
outcomes in FOLDER, which may hold families that no fit has seen. Nothing is fitted then.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.outcomes import read_outcomes, rho_interval, units_of
from benchmarks.pilots import FAR, PARITY, coverage_after, recorded_pilots, shown_share
from benchmarks.scorers import DATED, OUTPUT_LENGTH, SCORERS, TWO_SIGNALS, Held, Scorer, predict_held_out
from benchmarks.scores import (
    PARITIES,
    Said,
    auc,
    brier,
    calibration,
    difference,
    ece,
    family_draws,
    interval,
    regret,
    reliability_svg,
    say,
    say_base_rate,
)
from benchmarks.suitability_tuned import print_kinds, print_sizes
from slmlens.suitability.priors import swap_prior

Groups = NDArray[np.str_]

GROUPINGS = {"family": "family", "small model": "slm", "source": "source"}
PAIRS = (
    (DATED, TWO_SIGNALS),
    (DATED, OUTPUT_LENGTH),
    (TWO_SIGNALS, OUTPUT_LENGTH),
    ("+ task type", DATED),
    ("+ incumbent's level", DATED),
    ("+ track record", DATED),
)
PILOTS = (5, 10, 20, 50)
SIMULATED = ((0.90, 1.0, None), (0.9499, 1.0, None), (0.97, 1.0, None), (0.99, 1.0, None))
WITH_REPEATS = tuple((ratio, 0.9, repeats) for repeats in (10, 100, 1_000) for ratio in (0.90, 0.9499, 0.99))


def said_by(scorer: Scorer, units: pl.DataFrame, groups: Groups) -> Said:
    """Return what a scorer says of each unit, fitted without the unit's group."""
    held = predict_held_out(scorer, units, groups)
    return say(held, units.get_column("small").to_numpy(), units.get_column("large").to_numpy())


def shipped(units: pl.DataFrame, *, dated: bool) -> Held:
    """Return the priors of the shipped file for each unit."""
    columns = units.select("output_tokens", "params_b", "tool_tuned", "released").iter_rows()
    priors = [swap_prior(o, p, tool_tuned=t, released=r if dated else None) for o, p, t, r in columns]
    return Held(np.array([prior.mean for prior in priors]), np.array([prior.kappa for prior in priors]))


def all_suitable(said: Said) -> Said:
    """Return the scorer that calls everything suitable."""
    one = np.ones(len(said.actual))
    return Said(dict.fromkeys(PARITIES, one), said.truth, one, one, said.actual)


def score_row(name: str, said: Said, base: Said, draws: list[NDArray[np.float64]]) -> str:
    """Return a line of the table of scorers."""
    one = np.ones(len(said.actual))
    cells = [name]
    for x in PARITIES:
        lo, hi = interval(said, x, draws)
        skill = 1 - brier(said.p[x], said.truth[x], one) / brier(base.p[x], base.truth[x], one)
        cells += [f"{auc(said.p[x], said.truth[x], one):.3f} ({lo:.2f} to {hi:.2f})", f"{skill:+.3f}"]
    cells += [
        f"{brier(said.p[PARITY], said.truth[PARITY], one):.4f}",
        f"{ece(said.p[PARITY], said.truth[PARITY]):.3f}",
        f"{said.covered.mean():.3f}",
        f"{np.mean(said.hi - said.lo):.2f}",
        f"{regret(said.p[PARITY], said.truth[PARITY]):.3f}",
    ]
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| scorer | AUC 0.95 (90 % over families) | Brier skill 0.95 | AUC 0.90 | Brier skill 0.90 | Brier 0.95 | ECE 0.95 "
    "| 90 % coverage | width | regret |\n|" + " --- |" * 10
)


def print_scorers(units: pl.DataFrame, grouping: str, n_draws: int) -> dict[str, Said]:
    """Print the table of scorers with one group left out at a time; return what each said."""
    groups = units.get_column(GROUPINGS[grouping]).to_numpy().astype(str)
    draws = family_draws(units.get_column("family").to_numpy().astype(str), n_draws, 0)
    said = {scorer.name: said_by(scorer, units, groups) for scorer in SCORERS}
    base = say_base_rate(said[DATED].truth, groups, said[DATED])
    print(f"\n{HEADER}")
    print(score_row("all suitable", all_suitable(said[DATED]), base, draws))
    for name, words in said.items():
        print(score_row(name, words, base, draws))
    return said


def print_differences(said: dict[str, Said], units: pl.DataFrame, n_draws: int) -> None:
    """Print paired differences between scorers, with intervals over resampled families."""
    draws = family_draws(units.get_column("family").to_numpy().astype(str), n_draws, 1)
    print("\n| difference | AUC 0.95 | Brier 0.95 | AUC 0.90 | Brier 0.90 |\n|" + " --- |" * 5)
    for one, other in PAIRS:
        cells = []
        for x in PARITIES:
            found = difference(said[one], said[other], x, draws)
            cells += [f"{v:+.3f} ({lo:+.3f} to {hi:+.3f})" for v, lo, hi in found.values()]
        print(f"| {one} - {other} | " + " | ".join(cells) + " |")


def print_reliability(said: Said, svg: Path | None) -> None:
    """Print said against seen in tenths, and write the plot."""
    lines = {f"rho >= {x}": calibration(said.p[x], said.truth[x]) for x in PARITIES}
    print("\n| P(rho >= 0.95) said | seen | units |\n| --- | --- | --- |")
    for p, seen, n in lines[f"rho >= {PARITIES[0]}"]:
        print(f"| {p:.2f} | {seen:.2f} | {n} |")
    if svg is not None:
        svg.write_text(reliability_svg(lines), encoding="utf-8")
        print(f"\nplot: {svg}")


def print_truth(units: pl.DataFrame, seed: int = 0) -> None:
    """Print what the outcomes hold, and how sure their rho is."""
    rng = np.random.default_rng(seed)
    ends = [
        rho_interval(np.array(s), np.array(m), rng) for s, m in units.select("slm_passed", "llm_passed").iter_rows()
    ]
    lo, hi = np.array(ends).T
    settled = (lo >= PARITY) | (hi < PARITY)
    rho = units.get_column("rho").to_numpy()
    count = {name: units.get_column(name).n_unique() for name in ("family", "slm", "incumbent", "source")}
    print(
        f"\n{len(units)} units: {count['family']} families, {count['slm']} small models, {count['incumbent']} "
        f"incumbents of {count['source']} suites; "
        f"rho >= 0.95 in {np.mean(rho >= PARITY):.0%}; the paired 90 % interval of rho leaves 0.95 outside in "
        f"{settled.mean():.0%}, its median width is {np.median(hi - lo):.2f}"
    )


def print_after_pilot(units: pl.DataFrame) -> None:
    """Print coverage and width of the interval of A after a pilot of a few calls, priors without the unit's family."""
    scorer = next(s for s in SCORERS if s.name == DATED)
    held = predict_held_out(scorer, units, units.get_column("family").to_numpy().astype(str))
    print("\n| pilot calls | coverage of the 90 % interval of A | width |\n| --- | --- | --- |")
    for calls in PILOTS:
        covered, width = coverage_after(held.mean, held.kappa, units.get_column("small").to_numpy(), calls)
        print(f"| {calls} | {covered:.3f} | {width:.2f} |")


def print_recorded(units: pl.DataFrame, resamples: int) -> None:
    """Print pilots of MINT's recorded outcomes."""
    found = recorded_pilots(units, resamples, 0)
    if found.is_empty():
        return
    far = (pl.col("rho") - PARITY).abs() > FAR
    print(
        "\n| units | settled by | least right | right in >= 90 % | most wrong | settled | coverage |\n|" + " --- |" * 7
    )
    for words, own in ((f"farther than {FAR} from 0.95", found.filter(far)), (f"within {FAR}", found.filter(~far))):
        for rule, suffix in (("words (0.2, 0.8)", ""), ("80 % interval", "80")):
            right, wrong = own.get_column(f"right{suffix}"), own.get_column(f"wrong{suffix}")
            print(
                f"| {len(own)} {words} | {rule} | {right.min():.0%} | {(right >= 0.9).sum()} | {wrong.max():.1%} "
                f"| {(right + wrong).mean():.0%} | {own.get_column('covered').mean():.3f} |"
            )
    print("\n| category | small model | rho | right | wrong | right, 80 % | wrong, 80 % |\n|" + " --- |" * 7)
    for row in found.sort("right").head(12).iter_rows():
        print(f"| {row[0]} | {row[1]} | {row[2]:.2f} | {row[3]:.0%} | {row[4]:.1%} | {row[5]:.0%} | {row[6]:.1%} |")


def print_simulated() -> None:
    """Print how often simulated models end as "shown"."""
    print("\n| true A / C | C | repeats that C is known from | models | shown |\n|" + " --- |" * 5)
    for ratio, ceiling, repeats in (*SIMULATED, *WITH_REPEATS):
        for series in (1, 3) if repeats is None else (1,):
            share = shown_share(ratio, ceiling=ceiling, repeats=repeats, series=series)
            known = "not measured" if repeats is None else str(repeats)
            print(f"| {ratio:g} | {ceiling:g} | {known} | {series} | {share:.3f} |")


def apply_shipped(folder: Path, n_draws: int) -> None:
    """Print how the shipped file does on outcomes, as it stands."""
    units = units_of(read_outcomes(folder))
    print("\n## The shipped priors on these outcomes, nothing fitted")
    print_truth(units)
    draws = family_draws(units.get_column("family").to_numpy().astype(str), n_draws, 0)
    small, large = units.get_column("small").to_numpy(), units.get_column("large").to_numpy()
    said = {
        name: say(shipped(units, dated=dated), small, large) for name, dated in ((DATED, True), (TWO_SIGNALS, False))
    }
    base = say_base_rate(said[DATED].truth, units.get_column("family").to_numpy().astype(str), said[DATED])
    print(f"\n{HEADER}")
    for name, words in said.items():
        print(score_row(name, words, base, draws))
    print_reliability(said[DATED], None)


def section(title: str, body: Callable[[], None]) -> None:
    """Print a section."""
    print(f"\n## {title}", flush=True)
    body()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--apply", type=Path)
    chosen = parser.parse_args()
    if chosen.apply is not None:
        apply_shipped(chosen.apply, chosen.draws)
        return
    units = units_of(read_outcomes(chosen.shared / "outcomes"))
    print_truth(units)
    for grouping in GROUPINGS:
        print(f"\n## One {grouping} left out", flush=True)
        said = print_scorers(units, grouping, chosen.draws)
        print_differences(said, units, chosen.draws)
        if grouping == "family":
            print_reliability(said[DATED], chosen.svg)
    strongest = units.filter(pl.col("rank") == 0)
    section("One family left out, strongest incumbents only", lambda: _strongest(strongest, chosen.draws))
    section("After a pilot, one family left out", lambda: print_after_pilot(strongest))
    section("Recorded outcomes of MINT as pilots of 40 calls", lambda: print_recorded(units, chosen.resamples))
    lora = pl.read_csv(chosen.shared / "reference" / "lora_land_310.csv")
    catalogue = pl.read_csv(chosen.shared / "reference" / "slm_catalog.csv", infer_schema_length=None)
    section("Tuned, LoRA Land, one task left out", lambda: print_kinds(lora))
    section("Tuned, one small model left out", lambda: print_sizes(lora, catalogue))
    section("Simulated pilots, looks at 30, 60, 120 and 240", print_simulated)


def _strongest(units: pl.DataFrame, n_draws: int) -> None:
    print_truth(units)
    print_differences(print_scorers(units, "family", n_draws), units, n_draws)


if __name__ == "__main__":
    main()
