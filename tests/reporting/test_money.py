"""Rounded money adds up, and is written one way."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.errors import ContractError
from slmlens.reporting.accounts import COVERAGE, settle
from slmlens.reporting.money import (
    apportion,
    dollars,
    money_unit,
    places_for,
    rounded,
    usd,
    usd_about,
    usd_month,
    usd_range,
    whole_percents,
)
from slmlens.spend.ledger import Ledger
from slmlens.spend.logged import LoggedCheck
from slmlens.tables import ACTIONS

NUSD = st.integers(0, 10**15)
UNITS = st.sampled_from([10**7, 10**5, 10**3])


@given(st.lists(NUSD), UNITS)
def test_apportioned_parts_add_up_to_the_rounded_total_and_move_by_less_than_a_unit(parts, unit):
    shown = apportion(parts, unit)
    assert sum(shown) == rounded(sum(parts), unit)
    assert all(abs(units * unit - part) < unit for units, part in zip(shown, parts, strict=True))


@given(st.lists(NUSD, min_size=1), st.lists(NUSD, min_size=1), UNITS)
def test_a_part_that_was_rounded_can_be_divided_again(first, second, unit):
    outer = apportion([sum(first), sum(second)], unit)
    assert [sum(apportion(first, unit, outer[0])), sum(apportion(second, unit, outer[1]))] == outer


@given(st.lists(NUSD, unique=True), UNITS, st.randoms())
def test_the_order_of_the_parts_does_not_change_their_shares(parts, unit, random):
    mixed = parts[:]
    random.shuffle(mixed)
    by_value = dict(zip(mixed, apportion(mixed, unit), strict=True))
    remainders = [part % unit for part in parts]
    if len(set(remainders)) == len(remainders):
        assert [by_value[part] for part in parts] == apportion(parts, unit)


@given(NUSD)
def test_a_total_of_a_cent_or_more_never_reads_as_nothing(nusd):
    unit = money_unit(nusd)
    assert nusd < 500 or rounded(nusd, unit) > 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_whole_percentages_add_up_to_a_hundred(values):
    shown = whole_percents(values)
    if sum(round(value * 1e6) for value in values):
        assert sum(int(text.split()[0]) for text in shown if "<" not in text) == 100


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0"),
        (1234.5, "$1,200"),
        (94.6, "$95"),
        (9.4, "$9.40"),
        (9.0, "$9"),
        (0.347, "$0.35"),
        (0.00123, "$0.0012"),
        (-310, "\N{MINUS SIGN}$310"),
        (1_240_000, "$1.2 million"),
        (999_999, "$1.0 million"),
        (123_456_789, "$120 million"),
    ],
)
def test_an_estimate_claims_two_digits(value, text):
    assert usd_about(value) == text


@given(st.floats(-1e9, 1e9), st.integers(1, 4))
def test_an_estimate_is_within_its_own_rounding(value, digits):
    text = usd_about(value, digits).replace("\N{MINUS SIGN}", "-").replace("$", "").replace(",", "")
    number = float(text.removesuffix(" million")) * (1e6 if text.endswith("million") else 1)
    assert math.isclose(number, value, rel_tol=0.5 * 10 ** (1 - digits) + 1e-9, abs_tol=1e-9)


def test_a_sum_is_written_with_as_many_decimals_as_it_has():
    assert [usd(value) for value in (1234.5, 0.0123, 0.000004)] == ["$1,234.50", "$0.0123", "$0.000004"]
    assert places_for([1.5, 0.0123]) == 4
    assert usd(0.0, 4) == "$0.00"


def test_a_range_names_its_middle_and_calls_a_loss_a_loss():
    assert usd_range({"p10": 1200, "p50": 2100, "p90": 3400}) == "$1,200 to $3,400 a month (middle $2,100)"
    assert usd_range({"p10": -300, "p50": 900, "p90": 2000}).startswith("a loss of $300 to a saving of $2,000 a month")
    assert usd_range({"p10": -300, "p50": -200, "p90": -100}) == "a loss of $100 to $300 a month (middle $200)"
    assert usd_range({"p10": 0, "p50": 0, "p90": 0}) == "$0 a month"


def test_a_month_without_an_interval_is_only_about():
    assert usd_month({"low": None, "mid": 4741.9, "high": None}) == "about $4,740"
    assert usd_month({"low": 4684.0, "mid": 4741.9, "high": 4800.1}) == "$4,680 to $4,800 (middle $4,740)"


def _ledger(tasks, unassigned, excluded):
    rows = [(f"t{at}", False, spend, run) for at, (_, spend, run) in enumerate(tasks)]
    rows += [(None, False, *unassigned), ("gone", True, *excluded)]
    by_task = pl.DataFrame(rows, schema=["task_id", "excluded", "spend_nusd", "runrate_nusd"], orient="row")
    spend, run = (int(by_task.get_column(name).sum()) for name in ("spend_nusd", "runrate_nusd"))
    in_tasks = sum(spend or 0 for _, spend, _ in tasks)
    check = LoggedCheck(None, None, None, 0, None, "")
    nothing = pl.DataFrame()
    return Ledger(
        spend,
        in_tasks,
        unassigned[0],
        excluded[0],
        run,
        0,
        0,
        9,
        9,
        0,
        0,
        nothing,
        check,
        None,
        by_task,
        nothing,
        nothing,
    )


MONEY = st.tuples(NUSD, NUSD)
TASK_MONEY = st.tuples(st.sampled_from(ACTIONS), st.none() | NUSD, NUSD).map(
    lambda t: (t[0], t[1], None if t[1] is None else t[2])
)


MONEY_COLUMNS = {"action": pl.String, "spend_nusd": pl.Int64, "runrate_nusd": pl.Int64}


@given(st.lists(TASK_MONEY, max_size=8), MONEY, MONEY)
def test_every_sum_on_show_is_the_sum_of_its_lines(tasks, unassigned, excluded):
    ledger = _ledger(tasks, unassigned, excluded)
    rows = pl.DataFrame(tasks, schema=MONEY_COLUMNS, orient="row").with_row_index("task_id")
    shown = settle(ledger, rows, order=range(0, len(tasks), 2))
    unit = money_unit(ledger.imported_nusd)

    def units(values):
        return [round((value or 0) * 1e9 / unit) for value in values]

    lines = units(shown.ledger[name] for name in ("tasks_usd", "unassigned_usd", "excluded_usd"))
    assert sum(lines) == units([shown.ledger["imported_usd"]])[0] == rounded(ledger.imported_nusd, unit)
    assert sum(units(shown.task_spend_usd)) == lines[0]
    parts = dict(zip(COVERAGE, units(shown.coverage[f"{name}_usd"] for name in COVERAGE), strict=True))
    assert sum(parts.values()) == rounded(ledger.runrate_nusd, unit)
    assert sum(units(shown.task_runrate_usd)) == parts["ready"] + parts["pilot"] + parts["keep"]
    for value, (_, exact, _) in zip(shown.task_spend_usd, tasks, strict=True):
        assert (value is None) == (exact is None)


def test_tasks_that_cost_another_sum_than_the_ledger_are_refused():
    ledger = _ledger([("keep", 5_000, 5_000)], (0, 0), (0, 0))
    rows = pl.DataFrame({"action": ["keep"], "spend_nusd": [4_000], "runrate_nusd": [5_000], "task_id": ["t0"]})
    with pytest.raises(ContractError, match="4,000 nano-USD and the ledger says 5,000"):
        settle(ledger, rows, order=())


def test_dollars_are_units_times_the_unit():
    assert dollars(123, 10**7) == 1.23
