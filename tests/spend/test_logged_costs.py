"""Our price of each real log is the cost its own tool logged, to 1 %; where it is not, the reason is worked out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

import polars as pl
import pytest

from slmlens.errors import InputError
from slmlens.logs.read import read_calls
from slmlens.spend.logged import compare_logged
from slmlens.spend.price import price_calls
from tests.conftest import SHARED
from tests.logs.conftest import PlainRedactor

pytestmark = pytest.mark.usefixtures("shared")

USD = 1_000_000_000
PARTS = ("fixtures", "logs")
LARGEST = 40_000_000
COST = re.compile(rb"cost[a-z_]{0,24}\\?\"\s*:\s*(\"?\d|\{)", re.IGNORECASE)

ANOTHER = {
    "fixtures/atif/multi_tool_trajectory.json": "made up",
    "fixtures/atif/multimodal_trajectory.json": "made up",
    "fixtures/atif/simple_trajectory.json": "made up",
    "fixtures/langfuse/autogen-2025-06-06.trace.json": "another model's price",
    "fixtures/langfuse/langgraph-python-2025-08-22.trace.json": "a price of the project's own",
    "logs/pydantic_ai_cassettes/calls.jsonl": "charges of OpenRouter",
}
"""Files whose logged costs are no price of the day of their model, and why; each reason is a test below."""


def files_with_a_cost() -> Iterator[str]:
    """Yield the files that say something of a cost, by their place under the shared folder."""
    for part in PARTS:
        for path in sorted((SHARED / part).rglob("*")) if SHARED.is_dir() else []:
            if path.is_file() and path.stat().st_size <= LARGEST and COST.search(path.read_bytes()):
                yield str(path.relative_to(SHARED))


def compared(name: str) -> pl.DataFrame:
    """Return the calls of a file that have a logged cost and a price of ours."""
    try:
        calls = read_calls([SHARED / name], redactor=PlainRedactor()).calls
    except InputError:
        pytest.skip("no log that can be read")
    both = price_calls(calls).filter(pl.col("logged_nusd").is_not_null() & pl.col("spend_nusd").is_not_null())
    if both.is_empty():
        pytest.skip("no call of it has a logged cost and a price")
    return both


def equal(logged: pl.Expr, ours: pl.Expr) -> pl.Expr:
    return (ours - logged).abs() <= pl.max_horizontal(logged.abs() * 0.01, pl.lit(1_000))


LOGGED, OURS = pl.col("logged_nusd"), pl.col("spend_nusd")
NAMES = list(files_with_a_cost())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ANOTHER])
def test_the_priced_spend_is_the_logged_cost_to_one_percent(name):
    both = compared(name)
    assert both["spend_nusd"].sum() == pytest.approx(both["logged_nusd"].sum(), rel=0.01)
    assert both.filter(~equal(LOGGED, OURS)).is_empty()
    assert compare_logged(both).agrees


def test_no_explained_file_has_gone():
    assert set(ANOTHER) <= set(NAMES)


@pytest.mark.parametrize("name", [name for name, why in ANOTHER.items() if why == "made up"])
def test_costs_of_hand_written_examples_are_no_model_s_price(name):
    from genai_prices.data_snapshot import get_snapshot

    both = compared(name)
    assert both.filter(equal(LOGGED, OURS)).is_empty()
    rows = both.select("input_tokens", "output_tokens", "logged_nusd").rows()
    for provider in get_snapshot().providers:
        for model in provider.models:
            price = model.get_prices(both["started_at"].drop_nulls().min())
            rates = [getattr(rate, "base", rate) for rate in (price.input_mtok, price.output_mtok)]
            if None in rates:
                continue
            costs = [int(1000 * (i * rates[0] + o * rates[1])) for i, o, _ in rows]
            assert any(abs(cost - row[2]) > 0.01 * row[2] for cost, row in zip(costs, rows, strict=True)), model.id


def test_one_langfuse_project_priced_gpt_4o_as_gpt_3_5():
    (row,) = compared("fixtures/langfuse/autogen-2025-06-06.trace.json").iter_rows(named=True)
    assert row["model"] == "gpt-4o"
    assert row["logged_nusd"] == row["input_tokens"] * 500 + row["output_tokens"] * 1_500


def test_another_langfuse_project_has_a_dollar_a_million_as_its_own_price():
    both = compared("fixtures/langfuse/langgraph-python-2025-08-22.trace.json")
    assert (both["logged_nusd"] == (both["input_tokens"] + both["output_tokens"]) * 1_000).all()


def openrouter() -> list[tuple[dict, dict]]:
    """Return each differing call beside its own record of the cassettes."""
    name = "logs/pydantic_ai_cassettes/calls.jsonl"
    lines = (SHARED / name).read_text(encoding="utf-8").splitlines()
    differing = compared(name).filter(~equal(LOGGED, OURS))
    return [(row, json.loads(lines[row["source_line"] - 1])) for row in differing.iter_rows(named=True)]


def usage_of(record: dict) -> dict:
    """Return what a response says of its tokens and cost; of a stream, what its last event says."""
    response = record["response"]
    if isinstance(response, dict):
        return response["usage"]
    event = [line for line in response.splitlines() if '"usage":{' in line][-1]
    last = json.loads(event.removeprefix("data: "))
    return last.get("response", last)["usage"]


def why_openrouter_charged_otherwise(row: dict, record: dict) -> str | None:
    usage = usage_of(record)
    asked = [tool.get("type", "") for tool in record["request"].get("tools") or []]
    details = usage["cost_details"]
    if usage.get("is_byok") and usage["cost"] == 0:
        own_key = round(details["upstream_inference_cost"] * USD)
        return "the user's own key" if own_key == row["spend_nusd"] else None
    if any(kind.startswith("openrouter:") for kind in asked):
        fee = row["logged_nusd"] - row["spend_nusd"]
        return "a tool's fee" if fee > 1_000_000 else None
    parts = [value for name, value in details.items() if value and name != "upstream_inference_cost"]
    host = record["response"].get("provider") if isinstance(record["response"], dict) else None
    other = host not in {"OpenAI", "Anthropic", "Google", "Amazon Bedrock"}
    return "another host's price" if other and round(sum(parts) * USD) == row["logged_nusd"] else None


def test_openrouter_charges_by_host_for_tools_and_nothing_for_ones_own_key():
    reasons = [why_openrouter_charged_otherwise(row, record) for row, record in openrouter()]
    assert None not in reasons
    assert {reason: reasons.count(reason) for reason in sorted(set(reasons))} == {
        "a tool's fee": 6,
        "another host's price": 3,
        "the user's own key": 2,
    }


def test_all_other_charges_of_openrouter_are_ours():
    both = compared("logs/pydantic_ai_cassettes/calls.jsonl")
    same = both.filter(equal(LOGGED, OURS))
    assert same.height >= 30
    assert same["spend_nusd"].sum() == pytest.approx(same["logged_nusd"].sum(), rel=0.001)


def test_the_explained_files_are_in_order():
    assert all(first < second for first, second in pairwise(ANOTHER))
