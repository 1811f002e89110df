"""Money over time: what commitments hold back, when work is repaid, and one roll-out for several tasks."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.cash_flows import PAYBACK_MONTHS, Flows, payback_draws, spent_once, worth
from slmlens.savings.montecarlo import draw_shared
from slmlens.savings.plan import plan
from slmlens.savings.totals import shared_rollout
from slmlens.spend.months import estimate_month
from slmlens.tables import NUSD_PER_USD, CallsTable
from tests.savings.world import FAULTLESS, TODAY, steady, verdicts_of

DRAWS = 500
KNOWN = load_assumptions()
SHARED = draw_shared(KNOWN, estimate_month(CallsTable.create_empty()), seed=0, draws=DRAWS)
UNIT = NUSD_PER_USD


def flows(saving=1000.0, loss=0.0, once=2000.0, monthly=100.0, holds=1.0, open_share=None):
    """Flows in USD."""
    return Flows(
        saving=np.full(DRAWS, saving * UNIT),
        loss=loss * UNIT,
        holds=holds,
        before_usd=once,
        once_usd=0.0,
        monthly_usd=monthly,
        open_share=open_share,
    )


def npv_by_hand(each, draw):
    """The sum over twelve months, written out for one draw."""
    people, total = SHARED.people[draw], -each.before_usd * SHARED.people[draw] * UNIT
    for month in range(1, 13):
        share = 1.0 if each.open_share is None else each.open_share[month - 1]
        price = (1 - SHARED.decline[draw]) ** (month / 12)
        standing = each.monthly_usd * people * UNIT if share > 0 else 0.0
        total += (share * (each.saving[draw] * price - each.loss) - standing) / 1.1 ** (month / 12)
    return total


@given(
    st.floats(0, 5000),
    st.floats(0, 2000),
    st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=12, max_size=12) | st.none(),
    st.integers(0, DRAWS - 1),
)
def test_the_npv_is_the_sum_of_its_months(saving, loss, share, draw):
    each = flows(saving=saving, loss=loss, open_share=None if share is None else np.array(share))
    assert worth(SHARED, each).npv[draw] == pytest.approx(npv_by_hand(each, draw), abs=1e3, rel=1e-9)


@given(st.floats(1, 5000), st.floats(0, 500), st.floats(1, 20_000), st.integers(0, DRAWS - 1))
@example(304.0, 304.0, 1.0, 108)  # repaid within the first month, and by the end of it no longer
def test_a_payback_is_where_the_sum_of_the_months_turns_positive(saving, monthly, once, draw):
    each = flows(saving=saving, once=once, monthly=monthly)
    found = payback_draws(SHARED, [each], spent_once(SHARED, each))[draw]
    price, people = (1 - SHARED.decline[draw]) ** (1 / 12), SHARED.people[draw]

    def total(months):
        """The sum of the months, and between two of them the curve through all the sums."""
        saved = saving * price * (1 - price**months) / (1 - price)
        return saved - (monthly * months + once) * people

    ends = total(np.arange(1, PAYBACK_MONTHS + 1))
    nothing = 0.02 * (saving + monthly)  # what a hundredth of a month can bring, twice
    if np.isfinite(found):
        assert abs(total(found)) <= nothing
        assert (ends[: int(found)] <= nothing).all(), "it was not repaid by an earlier month"
    else:
        assert ends.max() <= nothing


def test_a_share_without_parity_never_repays_what_was_spent_to_find_out():
    holds = np.where(np.arange(DRAWS) < DRAWS // 4, 1.0, 0.0)
    each = flows(holds=holds)
    found = payback_draws(SHARED, [each], spent_once(SHARED, each))
    assert np.isinf(found).mean() == pytest.approx(0.75)
    assert worth(SHARED, each).npv[holds == 0] == pytest.approx(-2000 * SHARED.people[holds == 0] * UNIT)


def test_paying_back_month_by_month_and_at_once_agree():
    each = flows()
    by_month = payback_draws(SHARED, [replace(each, open_share=np.ones(12))], spent_once(SHARED, each))
    at_once = payback_draws(SHARED, [each], spent_once(SHARED, each))
    assert ((by_month - at_once < 1) & (by_month - at_once > -0.1)).all()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.floats(0, 1))
def test_one_roll_out_costs_the_dearest_task_and_a_share_of_each_other(works, share):
    saved = shared_rollout([np.array([work]) for work in works], np.array([share]))[0]
    paid = sum(works) - saved
    assert paid == pytest.approx(max(works) + share * (sum(works) - max(works)), abs=1e-3)
    assert max(works) - 1e-3 <= paid <= sum(works) + 1e-3


def committed(share, until, n=300, **call):
    return steady(n, 30, committed_share=share, committed_until=until, **call)


def planned(rows, **more):
    verdicts = verdicts_of({"t": rows}, sampling_rate=0.0001)
    calls = verdicts.tasks.calls.calls
    given = pl.DataFrame({"call_id": calls["call_id"]}).with_columns(
        committed_share=pl.Series([row.get("committed_share") for row in rows], dtype=pl.Float64),
        committed_until=pl.Series([row.get("committed_until") for row in rows], dtype=pl.Date),
    )
    calls = calls.drop("committed_share", "committed_until").join(given, on="call_id", maintain_order="left")
    calls = calls.select(CallsTable.create_empty().columns)
    tasks = replace(verdicts.tasks, calls=replace(verdicts.tasks.calls, calls=calls))
    return plan(replace(verdicts, tasks=tasks), overrides=FAULTLESS, today=TODAY, draws=400, **more)


def option(made, action="migrate-swap"):
    hosted = made.savings.filter(pl.col("deployment") != "self-hosted")
    return hosted.row(by_predicate=pl.col("action") == action, named=True)


def test_what_is_committed_beyond_the_horizon_saves_nothing():
    made = planned(committed(1.0, TODAY + dt.timedelta(days=500)))
    for row in made.savings.iter_rows(named=True):
        assert row["p90_nusd"] <= 0
        assert row["npv_p90_nusd"] <= 0
        assert row["break_even_calls_month"] is None
    assert made.actions.item(0, "action") == "keep"
    assert all(lever["saving_month_nusd"] == 0 for lever in made.actions.item(0, "levers"))
    assert any("a commitment covers 100%" in reason for reason in made.actions.item(0, "reasons"))


@pytest.mark.slow
def test_a_commitment_holds_its_share_back_until_it_ends():
    free = option(planned(steady(300, 30)))
    half = option(planned(committed(0.5, TODAY + dt.timedelta(days=500))))
    months = [option(planned(committed(1.0, TODAY + dt.timedelta(days=30 * m - 1)))) for m in (0, 3, 6, 12)]
    assert months[0] == free
    values = [row["npv_p90_nusd"] for row in months]
    assert values == sorted(values, reverse=True)
    assert months[1]["p50_nusd"] == 0
    assert 0 < half["npv_p90_nusd"] < free["npv_p90_nusd"]
    assert half["break_even_calls_month"] == pytest.approx(2 * free["break_even_calls_month"])


def test_a_commitment_that_has_ended_changes_nothing():
    assert option(planned(committed(1.0, TODAY - dt.timedelta(days=1)))) == option(planned(steady(300, 30)))
