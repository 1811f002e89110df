"""The catalogue says of every figure where it is from, and by name why a task can't take a model."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.catalogue import LISTED_AS, PRICED, Listing, priced, refreshed
from slmlens.errors import SettingError
from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.catalogue import (
    CELLS,
    VERIFICATIONS,
    model_named,
    nearest,
    read_catalogue,
    read_figures,
    small_models,
)
from slmlens.savings.criteria import CRITERIA, Needs, cache_gb, rejection, remark, weights_gb
from slmlens.savings.deployments import slm_call_nusd
from slmlens.savings.volumes import Volume

DAY = r"^\d{4}-\d{2}-\d{2}$"
KNOWN = load_assumptions()


def test_every_model_says_where_its_facts_are_from_when_and_what_is_confirmed():
    table = read_catalogue()
    assert table.height >= 70
    assert table.get_column("model").is_unique().all()
    assert (
        table.select(pl.col("org", "licence", "source", "params_b", "active_b").null_count().sum()).sum_horizontal()[0]
        == 0
    )
    assert table.get_column("date").str.contains(DAY).all()
    marks = table.get_column("verified").drop_nulls().str.split("+").explode()
    assert set(marks) <= set(CELLS)
    for verified, disputed in table.select("verified", "disputed").drop_nulls().iter_rows():
        assert not {mark.split(" ")[0] for mark in disputed.split("; ")} & set(verified.split("+"))


def test_an_empty_cell_stays_empty_and_a_price_has_a_source_and_a_day():
    table = read_catalogue()
    assert not (table.select(PRICED) == 0).sum().sum_horizontal()[0]
    hosted, alone = table.filter(pl.col("usd_in_median").is_not_null()), table.filter(pl.col("usd_in_median").is_null())
    assert hosted.height
    assert alone.height
    assert (
        hosted.select(pl.col("usd_out_median", "listings", "price_source", "price_date").null_count()).sum_horizontal()[
            0
        ]
        == 0
    )
    assert hosted.get_column("price_date").str.contains(DAY).all()
    assert alone.select(pl.col(*PRICED, "price_source", "price_date").is_not_null().sum()).sum_horizontal()[0] == 0


def test_the_words_of_the_catalogue_are_the_declared_ones():
    table = read_catalogue()
    words = {
        "size_class": {"small", "border"},
        "commercial_use": {"yes", "terms", "no"},
        "tools": {"native", "prompt", "no"},
        "thinking": {"no", "optional", "always"},
        "tool_tuned": {"yes", "no"},
    }
    for column, allowed in words.items():
        assert set(table.get_column(column)) <= allowed, column
    assert set(table.filter(size_class="border").get_column("model")) == {"gemma-3-12b-it", "phi-4", "gpt-oss-20b"}
    assert (table.filter(size_class="small").get_column("params_b") < 10).all()


def test_every_figure_names_its_harness_source_day_and_who_stands_behind_it():
    figures = read_figures()
    assert figures.height >= 300
    key = ["model", "benchmark", "harness", "mode"]
    assert figures.select(pl.struct(key).is_duplicated().any()).item() is False
    assert figures.select(pl.exclude("trap").null_count()).sum_horizontal()[0] == 0
    assert figures.get_column("date").str.contains(DAY).all()
    assert figures.get_column("value").is_between(0, 100).all()
    assert set(figures.get_column("verification")) == set(VERIFICATIONS)
    assert set(figures.get_column("model")) <= set(read_catalogue().get_column("model"))


def test_a_figure_of_a_thinking_model_is_never_said_to_be_without_thinking():
    figures = read_figures().join(read_catalogue().select("model", can="thinking"), on="model")
    assert set(figures.filter(can="always").get_column("thinking")) == {"yes"}
    assert set(figures.filter(can="no").get_column("thinking")) == {"no"}
    thought = figures.filter(pl.col("thinking") == "yes")
    assert thought.height
    assert thought.get_column("trap").str.contains("thinking").all()


@pytest.mark.parametrize(
    ("model", "needs", "criterion", "reason"),
    [
        ("Llama-xLAM-2-8b-fc-r", Needs(1000, tools=False), "licence", "forbids commercial use"),
        ("gpt-oss-20b", Needs(1000, tools=False), "size", "largest_params_b: 21"),
        ("Qwen3-8B", Needs(30_000, tools=False), "window", "37,500 needed"),
        ("Qwen3-8B", Needs(26_000, tools=False), None, ""),
        ("Qwen3-8B", Needs(None, tools=True), None, ""),
        ("Qwen3-8B", Needs(1000, tools=False, modalities=frozenset({"image"})), "modality", "reads no image"),
        ("ToolACE-2-8B", Needs(1000, tools=True), "window", "context window unknown"),
        ("DeepSeek-R1-Distill-Qwen-7B", Needs(1000, tools=True), "tools", "calls no tools"),
        ("Qwen3.5-4B", Needs(1000, tools=True), None, ""),
    ],
)
def test_a_model_is_rejected_by_name_with_the_reason(model, needs, criterion, reason):
    found = rejection(model_named(model), needs, load_assumptions({"tokenizer_ratio": 1.0}))
    assert (found and found.criterion) == criterion
    assert reason in str(found)


@given(
    p99=st.one_of(st.none(), st.floats(1, 1e6)),
    tools=st.booleans(),
    image=st.booleans(),
    memory=st.sampled_from([0, 4, 16, 80]),
)
def test_a_rejection_names_a_known_criterion_and_what_would_change_it(p99, tools, image, memory):
    needs = Needs(p99, tools, frozenset({"image"}) if image else frozenset())
    known = load_assumptions({"memory_gb": memory})
    for model in small_models():
        found = rejection(model, needs, known)
        assert found is None or (found.criterion in CRITERIA and found.why and found.change)


def test_every_accepted_model_has_a_price_or_is_said_to_be_self_hosted_only():
    needs = Needs(1000, tools=False)
    accepted = [model for model in small_models() if rejection(model, needs, KNOWN) is None]
    assert sum(model.hosted for model in accepted) > 20
    for model in accepted:
        assert ("self-hosted only" in remark(model, needs)) != model.hosted


def test_each_limit_is_an_assumption_and_lifting_it_accepts_the_model():
    needs = Needs(1000, tools=True)
    non_commercial, border = model_named("Ministral-8B-Instruct-2410"), model_named("gpt-oss-20b")
    assert rejection(non_commercial, needs, load_assumptions({"licence_gate": 0})) is None
    assert rejection(border, needs, load_assumptions({"largest_params_b": 21})) is None
    needs = Needs(26_500, tools=False)
    assert rejection(model_named("Qwen3-8B"), needs, KNOWN).criterion == "window"
    assert rejection(model_named("Qwen3-8B"), needs, load_assumptions({"window_headroom": 1.0})) is None


def test_weights_and_cache_have_to_fit_the_memory_given():
    model, needs = model_named("Llama-3.1-8B-Instruct"), Needs(8000, tools=False)
    assert weights_gb(model, KNOWN) == pytest.approx(16.06)
    assert cache_gb(model, 8000, KNOWN) == pytest.approx(8000 * 128 * 1024 / 1e9)
    found = rejection(model, needs, load_assumptions({"memory_gb": 16}))
    assert found.criterion == "footprint"
    enough = float(found.change.split("memory_gb: ")[1].split(",")[0])
    assert rejection(model, needs, load_assumptions({"memory_gb": enough})) is None
    assert rejection(model, needs, load_assumptions({"memory_gb": enough - 0.2})) is not None
    assert rejection(model, needs, load_assumptions({"memory_gb": 16, "weight_bytes_per_param": 0.6})) is None
    crowded = load_assumptions({"memory_gb": enough, "memory_calls": 8})
    assert rejection(model, needs, crowded).criterion == "footprint"


def test_a_remark_says_what_of_an_acceptance_is_unconfirmed():
    needs = Needs(1000, tools=False)
    assert "unconfirmed" not in remark(model_named("Llama-3.1-8B-Instruct"), needs)
    assert "unconfirmed: licence" in remark(model_named("Qwen3-8B"), needs)


def test_the_model_of_a_size_is_one_whose_licence_and_price_are_clear():
    hosted = [model for model in small_models() if model.hosted]
    assert nearest(hosted, 8.0).name == "Qwen3-8B"
    assert nearest([], 8.0) is None


def test_a_model_that_always_thinks_costs_the_tokens_it_thinks():
    volume = Volume(
        task_id="t",
        calls=1,
        units=1,
        billed_calls=1,
        priced_calls=1,
        spend_nusd=1,
        call_nusd=1.0,
        input_tokens=100.0,
        cached_tokens=0.0,
        output_tokens=10.0,
        p99_tokens=110.0,
        tools=False,
        machine_only=None,
        billed_month=None,
        model=None,
        steps_per_session=None,
    )
    thinks = model_named("DeepSeek-R1-Distill-Llama-8B")
    plain = slm_call_nusd(replace(thinks, thinking="no"), volume, KNOWN)
    more = slm_call_nusd(thinks, volume, KNOWN) - plain
    factor = KNOWN.central("thinking_output_factor") - 1
    assert more == pytest.approx(10 * factor * thinks.usd_out * 1000 * KNOWN.central("tokenizer_ratio"))


def test_a_misspelt_model_is_answered_with_the_nearest():
    assert model_named("qwen3-8b").name == "Qwen3-8B"
    with pytest.raises(SettingError) as caught:
        model_named("Qwen3-8")
    assert "'Qwen3-8B'" in caught.value.next_step


def test_the_snapshot_of_prices_is_what_the_installed_list_says_or_is_said_to_be_older():
    import datetime as dt
    from importlib.metadata import version

    from benchmarks.catalogue import listings_of

    at = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
    for row in read_catalogue().filter(price_source=f"genai-prices {version('genai-prices')}").iter_rows(named=True):
        found = priced(listings_of(LISTED_AS[row["model"]], at))
        assert {name: float(value) for name, value in found.items()} == {name: row[name] for name in PRICED}, row[
            "model"
        ]


def test_a_listing_that_went_away_takes_its_price_with_it_and_one_of_another_list_stays():
    row = {
        **dict.fromkeys(PRICED, "1"),
        "model": "m",
        "price_source": "genai-prices 0.1",
        "price_date": "2026-01-01",
        "verified": "price+tools",
    }
    gone = refreshed(row, [], "2026-11-28")
    assert {gone[name] for name in PRICED} == {""}
    assert (gone["verified"], gone["price_source"]) == ("tools", "")
    other = {**row, "price_source": "another list"}
    assert refreshed(other, [], "2026-11-28") == {**other, "verified": "tools"}
    fresh = refreshed(row, [Listing("a", 1.0, 2.0), Listing("b", 3.0, 4.0)], "2026-11-28")
    assert [fresh[name] for name in PRICED] == ["2", "3", "1", "2", "2"]
    assert fresh["verified"] == "price+tools"
