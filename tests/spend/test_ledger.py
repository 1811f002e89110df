"""No cent is lost, and what a tool logged may contradict us."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import ContractError
from slmlens.spend.ledger import build_ledger
from slmlens.spend.logged import compare_logged
from slmlens.spend.price import price_calls
from tests.savings.world import TODAY, assignments_frame, calls_frame

SOME_CALL = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["gpt-4o", "gpt-4.1-mini", None, "our-deployment"]),
        "input_tokens": st.one_of(st.none(), st.integers(0, 10**6)),
        "output_tokens": st.integers(0, 10**5),
        "billing": st.sampled_from(["metered", "seat"]),
        "tokens_estimated": st.booleans(),
    }
)


def ledger_of(rows, tasks=None, excluded=()):
    calls = price_calls(calls_frame(rows), today=TODAY)
    return build_ledger(calls, assignments_frame(calls, tasks or [None] * len(rows)), excluded=excluded)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(SOME_CALL, st.sampled_from(["a", "b", "c", None])), max_size=30), st.sets(st.sampled_from("abc"))
)
def test_imported_money_is_tasks_plus_unassigned_plus_excluded(pairs, excluded):
    rows, tasks = [row for row, _ in pairs], [task for _, task in pairs]
    ledger = ledger_of(rows, tasks, excluded)
    priced = price_calls(calls_frame(rows), today=TODAY)
    assert ledger.imported_nusd == priced.get_column("spend_nusd").sum()
    assert ledger.imported_nusd == ledger.tasks_nusd + ledger.unassigned_nusd + ledger.excluded_nusd
    assert ledger.imported_nusd == ledger.metered_nusd + ledger.seat_nusd
    assert ledger.priced_calls + ledger.unpriced_calls == len(rows) == ledger.by_task.get_column("n_calls").sum()
    assert ledger.unpriced.get_column("calls").sum() == ledger.unpriced_calls
    assert ledger.unpriced.get_column("tokens").sum() == ledger.unpriced_tokens
    for table in (ledger.by_task, ledger.by_model):
        assert table.get_column("spend_nusd").sum() == ledger.imported_nusd
        assert table.get_column("runrate_nusd").sum() == ledger.runrate_nusd


def test_a_single_call_can_be_set_aside_too():
    ledger = ledger_of([{}, {}, {}], ["a", "a", None], ["c000000", "c000002"])
    assert (ledger.tasks_nusd, ledger.unassigned_nusd) == (ledger.imported_nusd // 3, 0)
    assert ledger.excluded_nusd == 2 * ledger.imported_nusd // 3


def test_unpriced_calls_are_listed_with_the_reason_and_their_tokens():
    rows = [
        {"model": None},
        {"model": "our-deployment", "provider": "azure"},
        {"input_tokens": None},
        {"input_tokens": 1, "cached_tokens": 2},
        {},
    ]
    ledger = ledger_of(rows)
    why = dict(ledger.unpriced.select("why", "tokens").iter_rows())
    assert why == {
        "no model in the log": 1020,
        "no listed price": 1020,
        "no token counts": 120,
        "token counts contradict each other": 121,
    }
    assert ledger.unpriced.get_column("share").to_list() == [0.2] * 4


def test_a_task_without_a_priced_call_has_no_spend_and_not_zero():
    ledger = ledger_of([{"model": None}], ["a"])
    assert ledger.by_task.row(0, named=True)["spend_nusd"] is None


def test_the_share_of_estimated_tokens_is_over_all_known_tokens():
    assert ledger_of([{"tokens_estimated": True}, {}]).estimated_token_share == 0.5
    assert ledger_of([{"input_tokens": None, "output_tokens": None}]).estimated_token_share is None


@pytest.mark.parametrize("broken", ["missing", "twice"])
def test_assignments_that_do_not_match_the_calls_are_a_defect(broken):
    calls = price_calls(calls_frame([{}, {}]), today=TODAY)
    placed = assignments_frame(calls, ["a", None])
    placed = placed.head(1) if broken == "missing" else pl.concat([placed, placed.head(1)])
    with pytest.raises(ContractError):
        build_ledger(calls, placed)


def checked_against(logged, **facts):
    rows = [{"input_tokens": 1000 * (at + 1), "logged_nusd": value, **facts} for at, value in enumerate(logged)]
    return compare_logged(price_calls(calls_frame(rows), today=TODAY))


OURS = [1000 * (at + 1) * 2_000 + 120 * 8_000 for at in range(20)]


def test_a_log_without_costs_says_so():
    check = checked_against([None] * 3)
    assert (check.logged_nusd, check.agrees, check.calls) == (None, None, 0)
    assert "no cost" in check.reason


def test_equal_costs_agree():
    check = checked_against(OURS)
    assert check.agrees
    assert check.logged_nusd == check.computed_nusd == sum(OURS)
    assert "Every call" in check.reason


def test_a_steady_ratio_is_another_price_and_explained():
    check = checked_against([value // 2 for value in OURS])
    assert check.agrees
    assert "another price for gpt-4.1 (0.5 of ours)" in check.reason


def test_estimated_tokens_explain_a_difference():
    check = checked_against([value + 9_000_000 for value in OURS], tokens_estimated=True)
    assert check.agrees
    assert "estimated tokens (20 calls" in check.reason


def test_a_difference_without_a_pattern_fails_the_check_even_where_the_sums_agree():
    wrong = [value + (5_000_000 if at % 2 else -5_000_000 * (at > 4)) for at, value in enumerate(OURS)]
    check = checked_against(wrong)
    assert check.agrees is False
    assert "unexplained" in check.reason


def test_partly_logged_costs_are_compared_where_both_stand():
    check = checked_against([*OURS[:5], *[None] * 15])
    assert check.agrees
    assert check.reason.startswith("5 of 20 calls")
    unpriced = checked_against([7_000_000], model=None)
    assert unpriced.agrees is None
    assert "none of which could be priced" in unpriced.reason
