"""What half-samples of sessions say of a task: near one where it is real, near its share where it is chance."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import slmlens as sl
from slmlens.tasks.corpus import Corpus
from slmlens.tasks.discover import DiscoverySettings
from slmlens.tasks.discover import discover_tasks as discover
from slmlens.tasks.growing import grow
from slmlens.tasks.halves import grow_halves, thinned
from slmlens.tasks.prompts import Prompts, prompts_of
from slmlens.tasks.shingles import I64
from slmlens.tasks.sites import find_sites
from slmlens.tasks.stability import measure_stability
from slmlens.tasks.tallies import merged_stability, no_tallies
from tests.tasks.shop import STEPS, shop
from tests.tasks.world import Record, log, pair, tasks_of

SETTINGS = DiscoverySettings().skeleton


def fitted(folder: Path, rows: list[Record]) -> tuple[Prompts, Corpus, pl.DataFrame]:
    calls = sl.read_logs(log(folder, rows))
    prompts = prompts_of(calls)
    grown = grow(calls, prompts, SETTINGS)
    return prompts, grown.corpus, find_sites(calls, prompts, grown.trees, grown.places, k_task=SETTINGS.k_task)[1]


def one_step(n: int) -> list[Record]:
    return [row for row in shop(tuple(STEPS)[:1], sessions=n) if row["session_id"] != "odd"]


def stability(prompts: Prompts, corpus: Corpus, placed: pl.DataFrame) -> list[float]:
    sites = placed.get_column("site").drop_nulls().unique().sort()
    names = pl.DataFrame({"site": sites, "task_id": sites.cast(pl.String)})
    return (
        measure_stability(grow_halves(prompts, corpus, placed, SETTINGS))
        .by_task(names)
        .get_column("stability")
        .to_list()
    )


def test_steps_that_are_there_stay_together(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, shop()).tasks
    assert tasks.height == len(STEPS)
    assert tasks.get_column("stability").min() > 0.99


def test_a_random_division_of_one_step_has_the_stability_of_chance(tmp_path: Path) -> None:
    prompts, corpus, placed = fitted(tmp_path, one_step(80))
    rng = random.Random(3)
    side = {unit: rng.randrange(2) for unit in sorted(placed.get_column("unit_id"))}
    divided = placed.with_columns(site=pl.col("unit_id").replace_strict(side, return_dtype=pl.Int64))
    assert stability(prompts, corpus, placed) == pytest.approx([1.0], abs=0.01)
    assert stability(prompts, corpus, divided) == pytest.approx([0.5, 0.5], abs=0.1)


def test_a_merge_by_a_person_has_the_stability_of_one_task_measured_as_such(tmp_path: Path) -> None:
    prompts, corpus, placed = fitted(tmp_path, [*one_step(60), *shop(tuple(STEPS)[1:3], sessions=50)])
    rng = random.Random(3)
    first = placed.get_column("site").drop_nulls()[0]
    side = {unit: 100 + rng.randrange(2) for unit in sorted(placed.get_column("unit_id"))}
    by_chance = pl.col("unit_id").replace_strict(side, return_dtype=pl.Int64)
    divided = placed.with_columns(site=pl.when(pl.col("site") == first).then(by_chance).otherwise("site"))
    sites = divided.get_column("site").drop_nulls().unique().sort()
    apart = pl.DataFrame({"site": sites, "task_id": sites.cast(pl.String)})
    found = measure_stability(grow_halves(prompts, corpus, divided, SETTINGS, fits=4), task_of_site=apart)
    tallies, alone = found.pairs_by_task(apart), dict(found.by_task(apart).select("task_id", "stability").rows())
    assert merged_stability(tallies, ["100", "101"]) == pytest.approx(1.0, abs=0.01)
    for task, own in alone.items():
        assert merged_stability(tallies, [task]) == pytest.approx(own)
    for one, other in combinations(alone, 2):
        joined = apart.with_columns(pl.col("task_id").replace({one: other}))
        as_one = measure_stability(
            grow_halves(prompts, corpus, divided, SETTINGS, fits=4), task_of_site=joined
        ).by_task(joined)
        measured = as_one.filter(pl.col("task_id") == other).item(0, "stability")
        assert merged_stability(tallies, [one, other]) == pytest.approx(measured)


def test_a_merge_with_a_task_that_was_not_measured_is_not_measured() -> None:
    tallies = pl.DataFrame({"task_id": ["a"], "other": ["a"], "pairs": [90.0], "together": [81.0]})
    assert merged_stability(tallies, ["a"]) == pytest.approx(0.9)
    assert merged_stability(tallies, ["a", "rare"]) is None
    assert merged_stability(no_tallies(), ["a"]) is None


def test_two_steps_taken_for_one_have_half_the_stability(tmp_path: Path) -> None:
    prompts, corpus, placed = fitted(tmp_path, shop(tuple(STEPS)[:2], sessions=60))
    as_one = placed.with_columns(site=pl.when(pl.col("site").is_not_null()).then(0))
    assert stability(prompts, corpus, as_one) == pytest.approx([0.5], abs=0.1)


def test_texts_that_share_nothing_are_no_task_and_have_no_stability(tmp_path: Path) -> None:
    rng = random.Random(1)
    noise = [
        pair(i, "", " ".join("".join(rng.choices("bcdfghjklm", k=7)) for _ in range(30)), session=f"s{i}")
        for i in range(60)
    ]
    found = tasks_of(tmp_path, noise)
    assert found.tasks.height == 0
    assert found.task_set.agreement is None


def test_a_task_of_fewer_than_six_units_is_not_measured(tmp_path: Path) -> None:
    rows = [*shop(tuple(STEPS)[:2]), *shop(tuple(STEPS)[2:3], sessions=5)[:5]]
    for i, row in enumerate(rows):
        row["response"]["id"] = f"chatcmpl-{i:05d}"
    tasks = tasks_of(tmp_path, rows).tasks.sort("n_units")
    assert tasks.item(0, "n_units") == 5
    assert tasks.item(0, "stability") is None
    assert tasks.get_column("stability").null_count() == 1


def test_stability_depends_on_the_prompts_not_on_rows_or_keys(tmp_path: Path) -> None:
    rows = shop()
    one = tasks_of(tmp_path, rows)
    random.Random(4).shuffle(rows)
    other = tasks_of(tmp_path, rows)  # another key of hashes, too
    assert one.tasks.get_column("stability").equals(other.tasks.get_column("stability"))
    assert one.task_set.agreement == other.task_set.agreement


def test_the_rule_of_half_the_sessions_places_the_other_half(tmp_path: Path) -> None:
    agreement = tasks_of(tmp_path, shop(sessions=60)).task_set.agreement
    assert agreement.same > 0.95
    assert agreement.ami > 0.95
    assert agreement.fits == 5


def test_stability_can_be_left_out(tmp_path: Path) -> None:
    calls = sl.read_logs(log(tmp_path, shop()))
    assert discover(calls, settings=DiscoverySettings(fits=0)).tasks.get_column("stability").null_count() == len(STEPS)


def test_thinning_keeps_every_signal_and_at_most_so_many_shingles_of_it(tmp_path: Path) -> None:
    _, corpus, _ = fitted(tmp_path, shop())
    thin = thinned(corpus, 3)
    columns = np.asarray(corpus.matrix.todense()).T

    def signals(kept: I64) -> Counter[tuple[bytes, int]]:
        return Counter((columns[one].tobytes(), int(corpus.part[one])) for one in kept.tolist())

    whole = signals(np.arange(len(columns)))
    assert max(whole.values()) > 3
    assert signals(thin.columns) == {key: min(n, 3) for key, n in whole.items()}


@pytest.mark.parametrize("name", ["five_templates", "rare_and_batch", "prompt_edited"])
def test_planted_tasks_are_stable(traps: Path, name: str) -> None:
    tasks = sl.discover_tasks(sl.read_logs(traps / f"{name}.jsonl")).tasks
    assert tasks.get_column("stability").min() > 0.98
