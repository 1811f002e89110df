"""What a report says of pilots, loops and the ladder before any model."""

from __future__ import annotations

import copy

import jsonschema
import pytest

from slmlens.reporting.html import render_html
from slmlens.reporting.summary import summary_schema
from tests.reporting.factory import scenario


def with_pilots(*values: float | None) -> dict[str, object]:
    summary = copy.deepcopy(scenario("product"))
    summary["plan"]["pilots"] = [
        {
            "task_id": summary["tasks"][at]["task_id"],
            "mode": ("swap", "tuned")[at % 2],
            "slm": f"Model-{at}B",
            "calls": 120,
            "p_shown": 0.42,
            "worth_if_shown_usd": None if value is None else 9000.0,
            "cost_usd": 400.5,
            "value_usd": value,
            "in_loop": at == 1,
        }
        for at, value in enumerate(values)
    ]
    return summary


def test_engineers_read_which_pilot_comes_first_and_none_that_costs_more_than_it_is_worth():
    summary = with_pilots(3380.0, 120.0, -400.5)
    jsonschema.validate(summary, summary_schema())
    page = render_html(summary, audience="engineering")
    assert "Which pilot first" in page
    assert page.index("Model-0B") < page.index("Model-1B")
    assert "Model-2B" not in page
    assert "In a loop answers to logged prompts reach grade B at most" in page
    assert "Which pilot first" not in render_html(summary, audience="leadership")


def test_a_pilot_whose_worth_is_not_known_is_listed_without_money():
    page = render_html(with_pilots(None), audience="engineering")
    assert "not stated" in page[page.index("Which pilot first") :]


def test_without_pilots_and_for_an_older_summary_there_is_no_such_section():
    summary = copy.deepcopy(scenario("product"))
    assert summary["plan"]["pilots"] == []
    del summary["plan"]["pilots"]
    for task in summary["tasks"]:
        del task["ladder"]
    jsonschema.validate(summary, summary_schema())
    assert "Which pilot first" not in render_html(summary, audience="engineering")


def test_a_card_of_a_looped_task_says_what_a_session_makes_of_a_step():
    page = render_html(scenario("product"), audience="engineering")
    task = next(task for task in scenario("product")["tasks"] if task["steps_per_session"] == pytest.approx(6.4))
    step = task["parity"]["swap"]["a_p50"]
    assert f"6.4 steps a session; {100 * step:.0f}" in page
    assert f"is {100 * step**6.4:.0f}" in page.replace("\N{NO-BREAK SPACE}", " ")


def test_a_card_has_the_ladder_with_what_each_rung_leaves():
    page = render_html(scenario("product"), audience="engineering").replace("\N{NO-BREAK SPACE}", " ")
    assert "Cheaper answers, each on what those before it leave" in page
    assert "<b>cache</b> does not serve: no prompt came again" in page
    model = "serves if it holds parity (55 % chance), saves about $12 a month and leaves about $30"
    assert f"<b>small model as it is</b> {model}: a pilot first" in page
    assert "<b>keep</b> is left with about $30 a month" in page
