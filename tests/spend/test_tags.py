"""Money by team or project adds up, whatever the tags."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import SettingError
from slmlens.spend.price import price_calls
from slmlens.spend.tags import tag_keys, tag_totals
from tests.savings.world import TODAY, assignments_frame, calls_frame

TAGS = st.lists(st.sampled_from(["team:search", "team:support", "team:", "project:x", "nightly", "team: search"]))


def totals(rows, key="team", tasks=None):
    calls = price_calls(calls_frame(rows), today=TODAY)
    return calls, tag_totals(calls, assignments_frame(calls, tasks or [None] * len(rows)), key)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(TAGS, st.sampled_from(["gpt-4o", None]), st.sampled_from(["a", "b", None])), max_size=15))
@pytest.mark.slow
def test_totals_by_tag_add_up_to_what_was_imported(drawn):
    rows = [{"tags": ["team:core"]}, *({"tags": tags, "model": model} for tags, model, _ in drawn)]
    calls, found = totals(rows, tasks=["a", *(task for *_, task in drawn)])
    for table in (found.totals, found.by_task):
        assert table["spend_nusd"].sum() == calls["spend_nusd"].sum()
        assert table["runrate_nusd"].sum() == calls["runrate_nusd"].sum()
        assert table["n_calls"].sum() == len(rows)
    values = found.totals["value"].to_list()
    assert len(values) == len(set(values))
    assert None not in values[:-1]


def test_untagged_calls_and_calls_with_two_values_have_lines_of_their_own():
    _, found = totals([{"tags": ["team:b", "team:a"]}, {"tags": ["team:a", "x"]}, {"tags": []}])
    assert sorted(found.totals["value"].drop_nulls()) == ["a", "a + b"]
    assert found.totals["value"].to_list()[-1] is None


def test_a_value_may_hold_a_colon():
    _, found = totals([{"tags": ["team:a:b"]}])
    assert found.totals["value"].to_list() == ["a:b"]


def test_a_tag_that_no_call_carries_is_refused_with_those_there_are():
    with pytest.raises(SettingError, match="Use one of: team, project"):
        totals([{"tags": ["team:a", "project:x"]}, {"tags": ["team:b"]}], key="squad")
    with pytest.raises(SettingError, match="has no tags"):
        totals([{"tags": ["nightly"]}], key="squad")


def test_the_declared_project_stands_in_where_no_call_has_a_tag_of_that_name():
    rows = [{"service": "shop"}, {"service": None}]
    assert totals(rows, key="project")[1].totals["value"].to_list() == ["shop", None]
    tagged = totals([*rows, {"tags": ["project:x"], "service": "shop"}], key="project")[1]
    assert tagged.totals["value"].to_list() == ["x", None]


def test_keys_are_listed_by_how_often_they_stand():
    assert tag_keys(calls_frame([{"tags": ["b:1", "a:1"]}, {"tags": ["a:2", "plain", ":x", "y:"]}])) == ["a", "b"]
