"""What a report says of the whole plan: the tornado, what to learn, what fits, and four measures side by side."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from slmlens.reporting.html import render_html
from slmlens.reporting.plan_view import plan_view
from slmlens.reporting.routing_view import routing_lines
from slmlens.reporting.summary import summary_schema
from tests.reporting.factory import scenario


@pytest.fixture
def summary():
    made = copy.deepcopy(scenario("product"))
    first, second = (task["task_id"] for task in made["tasks"][:2])
    made["plan"] |= {
        "tornado": [
            {"input": "people_cost_factor", "unit": "x", "low": 0.8, "central": 1.0, "high": 1.6, "flip": 3.9}
            | {"npv_low_usd": 9000.0, "npv_high_usd": -1200.0},
            {"input": f"parity:{first}", "unit": "x", "low": 0.0, "central": 0.62, "high": 1.0, "flip": None}
            | {"npv_low_usd": 100.0, "npv_high_usd": 7000.0},
        ],
        "facts": [
            {"fact": "commitments", "how": "ask finance", "worth_usd": 900.0, "cost_usd": 200.0},
            {"fact": f"parity:{first}", "how": "pilot it", "worth_usd": 800.0, "cost_usd": 400.0},
        ],
        "portfolio": {
            "budget_weeks": 2.0,
            "weeks": 1.4,
            "tasks": [first],
            "npv_usd": {"p10": 1000.0, "p50": 5000.0, "p90": 9000.0},
            "p_npv_positive": 0.93,
            "gap": 0.0,
            "left_out": [{"task_id": second, "reason": "with it the plan takes 3.1 engineer-weeks"}],
        },
    }
    jsonschema.validate(made, summary_schema())
    return made


def page_of(summary, audience):
    return render_html(summary, audience=audience).replace("\N{NO-BREAK SPACE}", " ")


def test_finance_reads_what_the_plan_hangs_on_and_leadership_does_not(summary):
    page = page_of(summary, "finance")
    assert "What the plan hangs on" in page
    assert "Work of people" in page
    assert "3.9 times" in page
    assert "fails or holds (62 % chance)" in page
    assert "no value within reason" in page
    assert "What the plan hangs on" not in page_of(summary, "leadership")


def test_the_set_that_fits_stands_with_its_range_and_what_is_left_out(summary):
    page = page_of(summary, "finance")
    assert "1 task, 1.4 engineer-weeks of the 2 there are: worth $1,000 to $9,000 (middle $5,000) over" in page
    assert "93 % chance to pay" in page
    assert "with it the plan takes 3.1 engineer-weeks" in page


def test_what_to_find_out_is_said_with_its_worth_and_its_cost(summary):
    facts = plan_view(summary)["facts"]
    assert facts[0] == "Ask finance: worth $900 at most, for about $200."
    assert facts[1].endswith("”: worth $800 at most, for about $400.")


def test_the_four_shares_stand_side_by_side_and_dollars_are_those_of_the_coverage(summary):
    shares = {part["part"]: part for part in summary["plan"]["shares"]}
    coverage = summary["plan"]["coverage"]
    total = sum(coverage.values())
    for name, part in shares.items():
        assert part["usd_share"] == pytest.approx(coverage[f"{name}_usd"] / total, abs=1e-4)
    for measure in ("call_share", "token_share", "usd_share", "latency_share"):
        assert sum(part[measure] for part in shares.values()) == pytest.approx(1, abs=1e-5)
    assert sum(part["calls"] for part in shares.values()) == summary["rows"]["calls"]
    assert "they don't compare with shares of dollars" in page_of(summary, "finance").replace("&#39;", "'")


def test_an_older_summary_without_these_still_makes_a_report(summary):
    for key in ("tornado", "facts", "portfolio", "shares"):
        del summary["plan"][key]
    assert plan_view(summary) is None
    assert "What the plan hangs on" not in page_of(summary, "finance")


def test_a_card_sets_a_router_and_a_cascade_beside_moving_all(summary):
    split = {"share": 0.8, "saving_month_usd": 90.0, "saving_low_usd": 50.0, "saving_high_usd": 99.0}
    split |= {"breaks_even_at": 0.1, "paid_twice_usd": 3.0, "cache_loss_usd": 0.0, "latency_factor": 0.7}
    summary["tasks"][0]["routing"] = [split | {"way": way} for way in ("router", "cascade")]
    jsonschema.validate(summary, summary_schema())
    page = page_of(summary, "engineering")
    told = "about $90 ($50 to $99) a month; pays from 10 % of the calls; losses: paid twice $3; latency 0.7 times"
    assert f"<b>A cascade</b>, 80 % of the calls: {told} the present one" in page


def test_a_cascade_that_never_saves_says_so():
    row = {"way": "cascade", "share": 0.8, "saving_month_usd": -5.0, "saving_low_usd": -9.0, "saving_high_usd": -1.0}
    row |= {"breaks_even_at": None, "paid_twice_usd": 3.0, "cache_loss_usd": 0.0, "latency_factor": 0.7}
    assert routing_lines({"routing": [row]})[0]["pays"] == "at no share"
