"""The headline says what the log can carry, and no more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.reporting.headline import Outlook, Prospect, headline

MONTH = {"low": 8000.0, "mid": 8400.0, "high": 8900.0}
SHORT = "The log covers 3.2 days; a month is stated from 7 days on."
SAVING = {"p10": 1200.0, "p50": 2100.0, "p90": 3400.0}
PRICED = Outlook(48_000, 23, 2, 3, spend_usd=8700.0, days=31.0, month=MONTH, saving=SAVING)


def test_a_saving_is_potential_and_a_range_with_its_share_and_what_is_ready():
    assert headline(PRICED) == (
        "5 of 23 tasks carry a potential saving of $1,200 to $3,400 a month (middle $2,100), 14 to 40 % of the "
        "$8,400 a month these calls cost: 2 ready to move, 3 need a pilot first."
    )


@pytest.mark.parametrize(
    ("ready", "pilot", "ending"),
    [
        (1, 0, "it is ready to move."),
        (4, 0, "all ready to move."),
        (0, 1, "it needs a pilot first."),
        (0, 4, "each needs a pilot first."),
        (1, 1, "1 ready to move, 1 needs a pilot first."),
    ],
)
def test_it_says_what_is_ready_and_what_needs_a_pilot(ready, pilot, ending):
    assert headline(replace(PRICED, n_ready=ready, n_pilot=pilot)).endswith(ending)


def test_a_possible_loss_is_called_a_loss_and_gets_no_share():
    text = headline(replace(PRICED, saving={"p10": -300.0, "p50": 900.0, "p90": 2000.0}))
    assert "could bring anything from a loss of $300 to a potential saving of $2,000 a month (middle $900):" in text


def test_without_a_month_it_speaks_per_1000_calls_and_of_the_break_even():
    short = replace(
        PRICED,
        month=None,
        month_reason=SHORT,
        saving=None,
        days=3.2,
        per_1000_usd=(2.1, 0.4),
        break_even=(400_000.0, 20_000.0),
    )
    assert headline(short) == (
        "5 of 23 tasks carry a potential saving of $0.40 to $2.10 per 1,000 calls moved (before people cost) and "
        "break even at 20,000 to 400,000 calls a month: 2 ready to move, 3 need a pilot first. "
        "The log covers 3.2 days; a month is stated from 7 days on."
    )
    single = headline(replace(short, n_ready=1, n_pilot=0, per_1000_usd=(0.4,), break_even=(20_000.0,)))
    assert "carries a potential saving of up to $0.40 per 1,000 calls moved" in single
    assert "and breaks even at about 20,000 calls a month" in single


def test_without_prices_it_names_the_setting_that_brings_them():
    text = headline(replace(PRICED, spend_usd=None, month=None, saving=None))
    assert "no saving is stated. None of the calls could be priced; --assume-model NAME prices calls" in text
    assert "$" not in text


def test_when_nothing_pays_it_says_so_and_what_it_would_take():
    near = Prospect("rewrite search query", 577_000.0, 12_345.0)
    text = headline(
        replace(PRICED, n_ready=0, n_pilot=0, saving=None, kept={"money": 14, "quality": 6, "unknown": 1}, nearest=near)
    )
    assert text == (
        "No task in this log pays for a migration. These calls cost $8,000 to $8,900 (middle $8,400) a month. Of 23 "
        "tasks, 14 would not repay the work, 6 fail on quality and 1 has too little data to judge. The nearest, "
        "“rewrite search query”, would break even at about 580,000 calls a month; the log shows about 12,000."
    )


def test_without_prompts_it_is_a_ledger_and_says_what_to_switch_on():
    text = headline(replace(PRICED, n_tasks=0, n_ready=0, n_pilot=0, saving=None, has_prompts=False))
    assert text.startswith("This log holds no prompts, so it shows what was spent and not which tasks could move")
    assert "48,000 calls, $8,700.00 over 31 days; $8,000 to $8,900 (middle $8,400) a month" in text
    assert "switch on prompt logging" in text


def test_without_tasks_no_saving_is_claimed():
    text = headline(replace(PRICED, n_tasks=0, n_ready=0, n_pilot=0, saving=None))
    assert "all 48,000 calls and the $8,700.00 they cost stay unassigned, and no saving is claimed" in text


def test_a_seat_plan_makes_every_figure_a_list_price_equivalent():
    text = headline(replace(PRICED, seat_share=1.0))
    assert text.startswith("At list prices, 5 of 23 tasks")
    assert "list-price equivalents, and nothing is saved there until the plan changes" in text
    assert "40 % of this spend was paid by a seat plan" in headline(replace(PRICED, seat_share=0.4))


OUTLOOKS = st.builds(
    Outlook,
    n_calls=st.integers(1, 10**6),
    n_tasks=st.integers(0, 60),
    n_ready=st.integers(0, 3),
    n_pilot=st.integers(0, 3),
    has_prompts=st.booleans(),
    spend_usd=st.none() | st.floats(0, 1e6),
    days=st.none() | st.floats(0.1, 90),
    month_reason=st.none() | st.just(SHORT),
    month=st.none() | st.just(MONTH) | st.just({"low": None, "mid": 50.0, "high": None}),
    saving=st.none()
    | st.lists(st.floats(-1e5, 1e6), min_size=3, max_size=3).map(
        lambda ends: dict(zip(("p10", "p50", "p90"), sorted(ends), strict=True))
    ),
    per_1000_usd=st.lists(st.floats(0, 100), max_size=3),
    break_even=st.lists(st.floats(0, 1e7), max_size=3),
    kept=st.dictionaries(st.sampled_from(["quality", "money", "gate", "unknown"]), st.integers(0, 9)),
    nearest=st.none() | st.builds(Prospect, st.text(), st.none() | st.floats(0, 1e7), st.none() | st.floats(0, 1e6)),
    seat_share=st.sampled_from([0.0, 0.3, 1.0]),
)


@given(OUTLOOKS)
def test_every_outlook_has_one_and_it_ends_as_a_sentence(outlook):
    text = headline(outlook)
    assert text.endswith(".")
    assert "  " not in text.replace(outlook.nearest.name if outlook.nearest else "\0", "name")
    if "saving of" in text:
        assert "potential saving" in text or "a loss of" in text
