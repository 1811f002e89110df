"""The table of every assumption: grouped by subject, nothing lost, what a person set first and open."""

from __future__ import annotations

import copy
import re
from collections import Counter
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.reporting.assumption_groups import OTHER, SET_BY_USER, assumption_groups
from slmlens.reporting.html import render_html
from slmlens.reporting.text import without_scheme
from slmlens.reporting.view import AUDIENCES, build_view
from slmlens.savings.assumptions import load_assumptions
from tests.reporting.factory import scenario
from tests.reporting.page import Page

FIELDS = ("name", "value", "unit", "source", "date", "kind")


def summary_with(overrides=None):
    made = copy.deepcopy(scenario("product"))
    made["assumptions"] = [*made["assumptions"], *load_assumptions(overrides).table().to_dicts()]
    return made


def written_rows(html: str) -> Counter:
    """Each row of the section as (name, value and unit, kind, source, date)."""
    section = html.partition('aria-labelledby="h-assumptions"')[2].partition("</section>")[0]
    body = [row for row in re.findall(r"<tr.*?</tr>", section) if "data-label" in row]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body]
    return Counter(
        tuple(unescape(re.sub("<.*?>", "", cell)).replace("\N{NO-BREAK SPACE}", " ") for cell in row) for row in cells
    )


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_assumption_appears_once_with_value_unit_source_date_and_kind(audience):
    summary = summary_with({"engineer_day_usd": 650, "gpu_l4_usd_hour": 0.4})
    expected = Counter(
        (each["name"], f"{each['value']} {each['unit']}", each["kind"], without_scheme(each["source"]), each["date"])
        for each in summary["assumptions"]
    )
    assert written_rows(render_html(summary, audience=audience)) == expected
    assert set(expected.values()) == {1}


@given(st.lists(st.tuples(st.text(max_size=20), st.booleans()), max_size=30, unique_by=lambda pair: pair[0]))
def test_no_name_is_lost_or_shown_twice_whatever_it_is(names):
    entries = [
        dict.fromkeys(FIELDS, "x") | {"name": name, "source": "set by the user" if mine else "y"}
        for name, mine in names
    ]
    for audience in AUDIENCES:
        groups = assumption_groups(entries, audience)
        assert Counter(row["name"] for group in groups for row in group["rows"]) == Counter(name for name, _ in names)
        assert all(group["count"] == len(group["rows"]) > 0 for group in groups)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_what_a_person_set_stands_first_and_open_and_all_else_is_closed(audience):
    groups = build_view(summary_with({"budget_weeks": 3, "adapter_gb": 0.3}), audience)["assumptions"]
    assert groups[0]["title"] == SET_BY_USER
    assert {row["name"] for row in groups[0]["rows"]} == {"budget_weeks", "adapter_gb"}
    assert [group["open"] for group in groups] == [True] + [False] * (len(groups) - 1)


def test_where_nobody_set_any_only_finance_finds_the_first_subject_open():
    for audience in AUDIENCES:
        groups = build_view(summary_with(), audience)["assumptions"]
        assert groups[0]["title"] == "Money and people"
        assert [group["open"] for group in groups] == [audience == "finance"] + [False] * (len(groups) - 1)


def test_an_assumption_of_the_product_has_a_subject():
    groups = assumption_groups(load_assumptions().table().to_dicts(), "finance")
    assert OTHER not in {group["title"] for group in groups}, "name it in slmlens/reporting/assumption_groups.py"


def test_each_group_says_its_count_and_names_its_table():
    html = render_html(summary_with({"budget_weeks": 3}), audience="finance")
    page = Page(html)
    assert f"{SET_BY_USER} (1)" in page.text
    named = {attrs.get("aria-labelledby") for attrs in page.all("table")}
    labels = {attrs["id"] for attrs in page.all("summary") if attrs.get("id")}
    assert labels
    assert labels <= named


def test_the_six_that_move_the_headline_stay_on_the_first_page():
    view = build_view(summary_with(), "leadership")
    assert len(view["key_assumptions"]) == 6
    assert view["key_assumptions"][0]["name"] == "A day of an engineer"
