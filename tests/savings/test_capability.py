"""What others measured of small models stands beside a task as context, and changes nothing of what is said of it."""

from __future__ import annotations

import polars as pl
import pytest

from slmlens.savings import candidates as subject
from slmlens.savings.capability import (
    FAMILIES,
    GROUNDED,
    KNOWLEDGE,
    LONG_CONTEXT,
    STRICT_FORMATS,
    TOOL_CALLS,
    TOOL_LOOPS,
    capability_of,
    figures_of,
)
from slmlens.savings.catalogue import read_figures
from slmlens.savings.plan import plan
from tests.savings.world import TODAY, steady, verdicts_of


@pytest.mark.parametrize(
    ("kind", "signals", "p99", "expected"),
    [
        ("tool_call", {"turn_depth": 2.0}, 100_000, TOOL_CALLS),
        ("tool_call", {"turn_depth": 9.0}, None, TOOL_LOOPS),
        ("json", {}, 2000, STRICT_FORMATS),
        ("label", {}, None, STRICT_FORMATS),
        ("json", {}, 64_000, LONG_CONTEXT),
        ("text", {"copy_coverage": 0.8}, 2000, GROUNDED),
        ("text", {"copy_coverage": 0.1}, 2000, KNOWLEDGE),
        ("text", {}, None, KNOWLEDGE),
        ("code", {}, 2000, None),
    ],
)
def test_a_task_is_of_the_kind_its_answers_and_prompts_are(kind, signals, p99, expected):
    rows = [{"name": name, "value": value} for name, value in signals.items()]
    assert capability_of({"output_kind": kind, "signals": rows}, p99) == expected


@pytest.mark.parametrize("capability", FAMILIES, ids=lambda one: one.family)
def test_each_kind_of_work_shows_figures_of_one_harness_and_none_of_a_thinking_model(capability):
    figures = figures_of(capability)
    assert figures
    rows = read_figures().filter(benchmark=capability.benchmark, harness=capability.harness)
    assert rows.filter(pl.col("thinking") != "no").get_column("model").is_in(list(figures)).sum() == 0


def test_no_chance_pick_or_action_of_a_task_rests_on_a_benchmark(monkeypatch):
    log = {"t": steady(400, 30)}
    said = plan(verdicts_of(log), draws=200, today=TODAY).actions
    monkeypatch.setattr(subject, "figures_of", lambda _: {})
    silent = plan(verdicts_of(log), draws=200, today=TODAY).actions
    figures = said.select(pl.col("candidates").explode().struct.field("figure")).drop_nulls()
    assert figures.height > 5
    assert said.get_column("capability").struct.field("benchmark").to_list() == ["IFEval"]
    # ``figure`` is the last field of a candidate, so that all others compare as they stand
    names = [field.name for field in said.schema["candidates"].inner.fields if field.name != "figure"]
    bare = pl.col("candidates").list.eval(pl.struct([pl.element().struct.field(name) for name in names]))
    assert said.with_columns(bare).equals(silent.with_columns(bare))
