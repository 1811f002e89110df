"""A log of more prompts than trees are grown on: a sample stands for it, and every call still has its place."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

import slmlens as sl
from slmlens.tasks.discover import DiscoverySettings, discover_tasks
from slmlens.tasks.prompts import Prompts, prompts_of
from slmlens.tasks.sampling import sample_of
from slmlens.tasks.taskset import assign_calls
from tests.tasks.shop import NOUNS, STEPS, shop
from tests.tasks.world import Record, log, pair

RARE = "Write the weekly note on stock for the warehouse, one line an article, with the date of the next delivery."
BARE = DiscoverySettings(fits=0)


def bound(most: int, **others: int) -> DiscoverySettings:
    return DiscoverySettings(fits=others.get("fits", 0), most_prompts=most)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> sl.Calls:
    rows = shop(sessions=60)
    rows += [
        pair(8000 + s, RARE, f"week {NOUNS[s]} and {NOUNS[s + 1]}", session=f"rare{s}", step=None) for s in range(4)
    ]
    return sl.read_logs(log(tmp_path_factory.mktemp("bounded"), rows))


def labels(tasks: sl.Tasks) -> dict[str, str | None]:
    return dict(tasks.assignments.select("call_id", "task_id").rows())


def test_a_bound_that_the_log_does_not_reach_changes_nothing(calls: sl.Calls) -> None:
    prompts = prompts_of(calls)
    sample = sample_of(prompts, calls.messages, most=prompts.variants.height)
    assert sample.whole
    assert sample.prompts is prompts
    assert (sample.weight == 1).all()
    whole = discover_tasks(calls, settings=DiscoverySettings(fits=4))
    same = discover_tasks(calls, settings=bound(prompts.variants.height, fits=4))
    assert same.tasks.equals(whole.tasks)
    assert same.assignments.equals(whole.assignments)


@pytest.mark.parametrize("most", [1, 7, 30, 60, 120])
def test_every_call_is_counted_once_whatever_the_bound(calls: sl.Calls, most: int) -> None:
    tasks = discover_tasks(calls, settings=bound(most))
    assert tasks.assignments.get_column("call_id").to_list() == calls.calls.get_column("call_id").to_list()
    unassigned = tasks.assignments.get_column("task_id").null_count()
    assert tasks.tasks.get_column("n_calls").sum() + unassigned == calls.calls.height
    assert tasks.items.get_column("n_calls").sum() + unassigned == calls.calls.height


def test_a_third_of_the_prompts_finds_every_step_a_rare_one_too(calls: sl.Calls) -> None:
    whole, found = (labels(discover_tasks(calls, settings=one)) for one in (BARE, bound(80)))
    assert len(set(whole.values())) == len(STEPS) + 2
    assert found == whole


def test_a_sample_too_small_for_every_step_is_followed_by_others(calls: sl.Calls) -> None:
    prompts = prompts_of(calls)
    first = sample_of(prompts, calls.messages, most=12)
    assert first.prompts.variants.height <= 12
    tasks = discover_tasks(calls, settings=bound(12))
    assert tasks.tasks.height > 2


@trying(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), most=st.sampled_from([20, 60, 120]))
def test_the_order_of_rows_does_not_matter(calls: sl.Calls, seed: int, most: int) -> None:
    shuffled = replace(
        calls,
        calls=calls.calls.sample(fraction=1, shuffle=True, seed=seed),
        messages=calls.messages.sample(fraction=1, shuffle=True, seed=seed + 1),
    )
    one, other = (discover_tasks(log, settings=bound(most, fits=4)) for log in (calls, shuffled))
    assert other.tasks.equals(one.tasks)
    assert labels(other) == labels(one)


def test_the_draw_does_not_know_how_sessions_are_called(calls: sl.Calls) -> None:
    """Session ids are hashed with a key of the run."""
    renamed = replace(calls, calls=calls.calls.with_columns(pl.col("session_id").str.reverse()))
    drawn = [sample_of(prompts_of(log), log.messages, most=60).variants for log in (calls, renamed)]
    assert (drawn[0] == drawn[1]).all()


def made(seed: int, n: int, rare: int) -> tuple[Prompts, pl.DataFrame, npt.NDArray[np.bool_]]:
    """Return prompts of n sessions with one call each, their messages, and which of them hold the rare system prompt.

    What the users say begins with one of few words, so that their texts have rarer kinds than the system prompts.
    """
    rng = random.Random(seed)
    is_rare = np.array([s < rare for s in range(n)])
    said = [f"{rng.choice(NOUNS)} {rng.choice(NOUNS)} {rng.getrandbits(40):x}" for _ in range(n)]
    texts = [*said, STEPS["triage"], STEPS["summary"]]
    messages = pl.DataFrame({"message_id": [f"m{i}" for i in range(n + 2)], "text": texts})
    variants = pl.DataFrame(
        {
            "partition": "",
            "system": [[f"m{n + int(one)}"] for one in is_rare],
            "tools": [list[str]()] * n,
            "first": [f"m{i}" for i in range(n)],
            "last": pl.Series([None] * n, dtype=pl.String),
            "key": said,
        },
        schema_overrides={"tools": pl.List(pl.String)},
    )
    calls = pl.DataFrame({"unit": np.arange(n), "variant": np.arange(n), "unit_id": [str(i) for i in range(n)]})
    return Prompts(variants, calls), messages, is_rare


@trying(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(30, 300), share=st.floats(0.05, 0.95))
def test_the_sample_is_bounded_and_in_order(seed: int, n: int, share: float) -> None:
    prompts, messages, _ = made(seed, n, rare=n // 10)
    most = int(share * n)
    sample = sample_of(prompts, messages, most=most)
    assert 0.7 * most - 3 <= len(sample.variants) <= max(most, 1)
    assert sample.variants.tolist() == sorted(set(sample.variants.tolist()))
    assert sample.prompts.variants.get_column("key").to_list() == prompts.variants["key"][sample.variants].to_list()
    assert (sample.weight >= 1).all()


@pytest.mark.slow
def test_what_was_drawn_says_how_much_there_is_of_each_kind() -> None:
    """One session in twenty holds the rare prompt: the sample holds more of it, and weighs them as what they are."""
    drawn, shares, sizes = [], [], []
    for seed in range(30):
        prompts, messages, is_rare = made(seed, 1000, rare=50)
        sample = sample_of(prompts, messages, most=200)
        mine = is_rare[sample.variants]
        drawn.append(mine.mean())
        shares.append(sample.weight[mine].sum() / sample.weight.sum())
        sizes.append(sample.weight.sum())
    assert np.mean(drawn) > 0.09
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)
    assert np.mean(sizes) == pytest.approx(1000, rel=0.05)


def test_a_session_that_goes_on_and_on_does_not_fill_the_sample(tmp_path: Path) -> None:
    rows: list[Record] = shop(sessions=40)
    rows += [
        pair(5000 + i, STEPS["refund"], f"endless {NOUNS[i % 8]} {'abcdefgh'[i // 40]}y{i}", session="endless")
        for i in range(300)
    ]
    calls = sl.read_logs(log(tmp_path, rows))
    sample = sample_of(prompts_of(calls), calls.messages, most=100)
    per_session = sample.prompts.calls.group_by("unit_id").len()
    assert per_session.get_column("len").max() <= 5
    tasks = discover_tasks(calls, settings=bound(100))
    placed = labels(tasks)
    assert len({placed[f"chatcmpl-{5000 + i:05d}"] for i in range(300)} - {None}) == 1


def test_the_saved_rule_of_a_sampled_log_places_the_calls_as_the_run_did(calls: sl.Calls) -> None:
    tasks = discover_tasks(calls, settings=bound(60))
    again = assign_calls(tasks.task_set, calls)
    assert again.select("call_id", "task_id").equals(tasks.assignments.select("call_id", "task_id"))


def test_stability_is_measured_on_the_sessions_that_were_drawn_evenly(calls: sl.Calls) -> None:
    stability = discover_tasks(calls, settings=bound(150, fits=20)).tasks.get_column("stability").drop_nulls()
    assert len(stability)
    assert stability.min() > 0.95


def test_a_run_that_follows_another_keeps_its_tasks_under_a_bound(calls: sl.Calls) -> None:
    first = discover_tasks(calls, settings=bound(80))
    again = discover_tasks(calls, settings=bound(80), earlier=first.task_set)
    assert labels(again) == labels(first)
