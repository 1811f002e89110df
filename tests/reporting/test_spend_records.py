"""The report says where prices are from, what is prepaid, what each team spends, and what an invoice differs by."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import polars as pl
import pytest

from slmlens.reporting.html import render_html
from slmlens.reporting.spend_records import invoice_record
from slmlens.reporting.summary import RunFacts, summarise, summary_schema
from slmlens.spend.invoice import reconcile
from slmlens.spend.invoice_lines import read_invoice
from slmlens.spend.ledger import build_ledger
from slmlens.spend.months import estimate_month
from slmlens.spend.price_book import open_book
from slmlens.spend.tags import tag_totals
from tests.reporting.factory import make_plan, make_summary, product, product_log

EVIL = "search\N{RIGHT-TO-LEFT OVERRIDE}<script>"


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    """A summary with a tag, an invoice, two sources of prices and a commitment."""
    plan = make_plan(product(), product_log())
    n = pl.int_range(pl.len())
    team = pl.when(n % 3 == 0).then(pl.lit(EVIL)).when(n % 3 == 1).then(pl.lit("support"))
    calls = plan.tasks.calls.calls.with_columns(
        tags=pl.when(team.is_null()).then(pl.lit([])).otherwise(pl.concat_list(pl.format("team:{}", team))),
        price_source=pl.when(pl.col("spend_nusd").is_null())
        .then(None)
        .when(n % 2 == 0)
        .then(pl.lit("your file"))
        .otherwise(pl.lit("genai-prices")),
        committed_share=pl.lit(0.25),
    )
    path = tmp_path_factory.mktemp("invoice") / "bill.csv"
    path.write_text("date,model,amount\n2026-10-03,o3,12.00\n2026-10-31,VAT,3.00\n2026-10-04,what is this,5.00\n")
    found = reconcile(read_invoice(path), calls, open_book())
    plan = replace(plan, verdicts=replace(plan.verdicts, tasks=with_calls(plan.tasks, calls)))
    assignments = plan.tasks.assignments
    facts = RunFacts(
        tags=tag_totals(calls, assignments, "team"), invoice=invoice_record(found, file="bill.csv", calls=calls.height)
    )
    ledger = build_ledger(calls, assignments, excluded=plan.tasks.set_aside)
    return summarise(plan, ledger=ledger, month=estimate_month(calls), facts=facts)


def with_calls(tasks, calls):
    return replace(tasks, calls=replace(tasks.calls, calls=calls))


def test_it_keeps_to_the_schema(told):
    jsonschema.validate(json.loads(json.dumps(told)), summary_schema())


def test_sources_tags_and_their_tasks_add_up_to_what_is_shown_as_imported(told):
    ledger = told["ledger"]
    imported = ledger["imported_usd"]
    assert sum(row["usd"] for row in ledger["price_sources"]) == pytest.approx(imported, abs=1e-9)
    values = ledger["tags"]["values"]
    assert sum(row["usd"] for row in values) == pytest.approx(imported, abs=1e-9)
    assert sum(row["calls"] for row in values) == told["rows"]["calls"]
    for row in values:
        assert sum(task["usd"] for task in row["tasks"]) == pytest.approx(row["usd"], abs=1e-9)
    assert values[-1]["value"] is None
    assert ledger["prepaid_usd"] == pytest.approx(imported / 4, abs=0.01)


def test_a_deceiving_tag_is_spelled_out(told):
    assert any("U+202E" in (row["value"] or "") for row in told["ledger"]["tags"]["values"])


def test_the_headline_says_what_is_prepaid(told):
    assert "25 % of this spend is prepaid by a commitment: a list-price equivalent" in told["plan"]["headline"]


@pytest.mark.parametrize("audience", ["leadership", "finance", "engineering"])
def test_the_page_shows_sources_tags_and_invoice(told, audience):
    page = render_html(told, audience=audience)
    for words in ("Prices are from", "your price file", "Prepaid by a commitment", "Spend by team", "untagged",
                  "The invoice", "taxes, credits and fees", "has no reason that we can show", "bill.csv"):  # fmt: skip
        assert words in page, words
    assert "<script>" not in page


def test_without_tag_and_invoice_the_page_has_no_such_section():
    plan = make_plan(product(), product_log())
    calls = plan.tasks.calls.calls
    ledger = build_ledger(calls, plan.tasks.assignments, excluded=plan.tasks.set_aside)
    told = summarise(plan, ledger=ledger, month=estimate_month(calls))
    assert told["ledger"]["tags"] is told["ledger"]["invoice"] is None
    page = render_html(told, audience="finance")
    assert "Spend by" not in page
    assert "The invoice" not in page


def test_a_summary_of_an_earlier_version_still_renders(told):
    old = json.loads(json.dumps(told))
    for name in ("price_sources", "seat_usd", "prepaid_usd", "tags", "invoice"):
        del old["ledger"][name]
    assert "Prices are from" not in render_html(old, audience="finance")


def test_what_a_seat_plan_paid_is_called_a_list_price_equivalent():
    told = make_summary(product(), product_log(seat=True))
    assert told["ledger"]["seat_usd"] == pytest.approx(told["ledger"]["imported_usd"])
    assert told["ledger"]["prepaid_usd"] == 0
    page = render_html(told, audience="finance")
    assert "Paid by a seat plan" in page
    assert "a list-price equivalent and no expense" in page
    assert "Prepaid by a commitment" not in page
