"""An invoice is laid beside the log line by line, and a difference has a reason only where the reason holds."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmlens.errors import SettingError
from slmlens.spend import invoice as ledger_of
from slmlens.spend.invoice import reconcile
from slmlens.spend.invoice_lines import read_invoice
from slmlens.spend.invoice_models import invoice_model
from slmlens.spend.price import price_calls
from slmlens.spend.price_book import open_book
from slmlens.spend.price_file import read_price_file
from tests.savings.world import TODAY, calls_frame

BOOK = open_book()
FIRST = dt.date(2026, 9, 1)
HOURS = range(24)


def calls_of(models=("gpt-4.1",), days=10, **facts):
    """Return calls every hour of some days, more on some days than on others; about $14 a day and model."""
    rows = [
        {
            "model": model,
            "started_at": dt.datetime.combine(FIRST, dt.time(hour), dt.UTC) + dt.timedelta(days=day, minutes=30),
            "input_tokens": 200_000 + 10_000 * ((7 * day + hour) % 5),
            "output_tokens": 20_000,
            **facts,
        }
        for model in models
        for day in range(days)
        for hour in HOURS
    ]
    return price_calls(calls_frame(rows), today=TODAY, book=BOOK)


def daily(calls, factor=1.0):
    """Return a plain invoice of the calls: date, model, amount."""
    sums = calls.group_by(pl.col("started_at").dt.date().alias("day"), "model").agg(pl.col("spend_nusd").sum())
    return [
        (str(day), model, f"{factor * nusd / 1e9:.2f}") for day, model, nusd in sums.sort("day", "model").iter_rows()
    ]


def settle(tmp_path, rows, calls, header="date,model,amount", rate=1.0, book=BOOK):
    path = tmp_path / "invoice.csv"
    path.write_text("\n".join([header, *(",".join(f'"{cell}"' for cell in row) for row in rows)]), encoding="utf-8")
    lines = read_invoice(path, {"eur": Decimal("1.10")})
    found = reconcile(lines, calls, book, sampling_rate=rate)
    assert found.invoice_nusd == sum(line.nusd for line in lines)
    per_row = found.rows.select(
        rest=pl.col("invoice_nusd") - pl.col("ours_nusd") - pl.col("explained_nusd") - pl.col("open_nusd")
    )
    assert per_row["rest"].to_list() == [0] * found.rows.height
    assert found.open_nusd == found.rows["open_nusd"].abs().sum()
    assert found.reasons["nusd"].sum() == found.explained_nusd == found.rows["explained_nusd"].sum()
    return found


def reasons(found):
    return [reason.partition(" of ")[0] for reason in found.reasons["reason"]]


def test_an_invoice_of_the_logs_own_calls_agrees(tmp_path):
    calls = calls_of(("gpt-4.1", "gpt-4o-mini"))
    found = settle(tmp_path, daily(calls), calls)
    assert found.agrees
    assert found.open_nusd == 0
    assert found.rows.height == 20
    assert "Nothing stays open" in found.sentence


def test_input_and_output_lines_of_a_model_are_taken_together(tmp_path):
    calls = calls_of()
    rows = [
        (day, f"gpt-4.1-2025-04-14, {kind}", f"{share * float(usd):.2f}")
        for day, _, usd in daily(calls)
        for kind, share in (("input", 0.75), ("output", 0.25))
    ]
    found = settle(tmp_path, rows, calls)
    assert found.agrees
    assert found.rows["lines"].to_list() == [2] * 10


def test_taxes_and_credits_are_no_usage(tmp_path):
    calls = calls_of()
    found = settle(tmp_path, [*daily(calls), ("2026-09-30", "VAT 19 %", "27.10"), ("", "Credit grant", "-5.00")], calls)
    assert found.agrees
    assert dict(found.reasons.select("reason", "nusd").iter_rows())[ledger_of.NOT_USAGE] == 22_100_000_000


def test_a_month_on_the_invoice_and_ten_days_in_the_log(tmp_path):
    calls = calls_of(days=10)
    month = calls_of(days=30)["spend_nusd"].sum() / 1e9
    found = settle(tmp_path, [("2026-09", "gpt-4.1", f"{month:.2f}")], calls)
    assert found.agrees
    assert ledger_of.OUTSIDE in reasons(found)
    twice = settle(tmp_path, [("2026-09", "gpt-4.1", f"{2 * month:.2f}")], calls)
    assert twice.agrees is False
    assert twice.open_nusd == pytest.approx(month * 1e9, rel=0.05)


def test_days_before_the_log_are_no_difference(tmp_path):
    calls = calls_of(days=5)
    found = settle(tmp_path, [*daily(calls), ("2026-08-20", "gpt-4.1", "99.00")], calls)
    assert found.agrees
    assert dict(found.reasons.select("reason", "nusd").iter_rows())[ledger_of.OUTSIDE] == 99_000_000_000


def test_a_declared_sample_is_scaled_and_an_undeclared_one_is_a_steady_ratio_or_open(tmp_path):
    calls = calls_of()
    whole = daily(calls, 20)
    assert settle(tmp_path, whole, calls, rate=0.05).agrees
    assert reasons(settle(tmp_path, whole, calls, rate=0.05))[0] == ledger_of.SAMPLE
    undeclared = settle(tmp_path, whole, calls)
    assert reasons(undeclared)[0] == ledger_of.RATIO
    assert settle(tmp_path, whole, calls, rate=0.1).rows["reason"].str.contains("a steady ratio of 2").all()


def test_a_steady_discount_is_named_and_an_unsteady_one_stays_open(tmp_path):
    calls = calls_of()
    found = settle(tmp_path, daily(calls, 0.85), calls)
    assert found.agrees
    assert "a steady ratio of 0.85, such as a discount of 15.0%" in found.sentence
    jagged = [
        (day, model, f"{float(usd) * (0.7 + 0.03 * at):.2f}") for at, (day, model, usd) in enumerate(daily(calls))
    ]
    wild = settle(tmp_path, jagged, calls)
    assert wild.agrees is False
    assert ledger_of.RATIO not in reasons(wild)
    assert "no reason that we can show" in wild.sentence


def test_two_days_are_too_few_for_a_ratio(tmp_path):
    calls = calls_of(days=2)
    assert settle(tmp_path, daily(calls, 0.85), calls).agrees is False


def test_a_model_that_the_log_lacks_and_one_that_the_invoice_lacks(tmp_path):
    calls = calls_of(("gpt-4.1", "gpt-4o-mini"))
    rows = [row for row in daily(calls) if row[1] == "gpt-4.1"]
    found = settle(tmp_path, [*rows, ("2026-09-03", "o3, input", "12.00")], calls)
    assert found.agrees is False
    by_model = {row["model"]: row for row in found.rows.iter_rows(named=True) if row["model"] != "gpt-4.1"}
    assert by_model["o3"]["reason"] == ledger_of.NOT_IN_LOG
    assert by_model["gpt-4o-mini"]["reason"] == ledger_of.NOT_BILLED
    assert by_model["gpt-4o-mini"]["open_nusd"] < 0


def test_calls_at_a_provider_of_another_invoice_are_left_out(tmp_path):
    ours = pl.concat([calls_of(), calls_of(("claude-sonnet-4-5",), provider="anthropic").with_columns(
        call_id=pl.lit("x") + pl.col("call_id"))])  # fmt: skip
    rows = [row for row in daily(ours) if row[1] == "gpt-4.1"]
    assert settle(tmp_path, rows, ours).agrees


def test_calls_without_token_counts_are_a_reason_for_their_share(tmp_path):
    calls = calls_of()
    rows = daily(calls)
    part = calls.with_columns(
        spend_nusd=pl.when(pl.col("started_at").dt.hour() >= 12).then(None).otherwise("spend_nusd")
    )
    found = settle(tmp_path, rows, part)
    assert reasons(found)[0] == ledger_of.UNPRICED
    assert found.open_nusd < 0.05 * found.invoice_nusd


def test_a_line_that_names_no_model_stays_open(tmp_path):
    calls = calls_of()
    found = settle(tmp_path, [*daily(calls), ("2026-09-03", "Dedicated capacity unit", "50.00")], calls)
    assert found.agrees is False
    assert found.rows.filter(pl.col("reason") == ledger_of.NO_MODEL)["open_nusd"].to_list() == [50_000_000_000]


def test_what_a_seat_plan_paid_is_on_no_invoice(tmp_path):
    calls = calls_of(billing="seat")
    found = settle(tmp_path, [("2026-09-03", "gpt-4.1", "0.00")], calls)
    assert found.ours_nusd == 0


def test_a_prepaid_share_is_not_invoiced(tmp_path):
    text = "commitments:\n  - {provider: openai, share: 0.4, until: 2027-01-01}\n"
    book = open_book(read_price_file(text))
    calls = price_calls(calls_of(), today=TODAY, book=book)
    found = settle(tmp_path, daily(calls, 0.6), calls, book=book)
    assert found.agrees
    assert reasons(found)[0] == ledger_of.PREPAID


def test_a_deployment_name_that_no_list_has_is_compared_by_its_name(tmp_path):
    text = "models:\n  our-deployment: {input: 2, output: 8}\n"
    book = open_book(read_price_file(text))
    calls = price_calls(calls_of(("our-deployment",), provider="azure"), today=TODAY, book=book)
    assert settle(tmp_path, daily(calls), calls, book=book).agrees


def test_a_log_without_times_says_that_nothing_can_be_compared(tmp_path):
    calls = calls_of().with_columns(started_at=pl.lit(None, pl.Datetime("us", "UTC")))
    found = settle(tmp_path, [("2026-09-03", "gpt-4.1", "12.00")], calls)
    assert found.agrees is None
    assert "no times" in found.sentence


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2026-09-02", "2026-09-20", "2026-09", "", "2026-01-01"]),
            st.sampled_from(["gpt-4.1", "gpt-4.1, output", "o3", "VAT", "what is this", "Total"]),
            st.integers(-50_000, 900_000),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([1.0, 0.3]),
)
def test_every_cent_of_an_invoice_is_ours_explained_or_open(tmp_path_factory, drawn, rate):
    rows = [(day, model, f"{cents / 100:.2f}") for day, model, cents in [*drawn, ("2026-09-05", "gpt-4.1", 100)]]
    settle(tmp_path_factory.mktemp("any"), rows, CALLS, rate=rate)


CALLS = calls_of(days=6)


EXPORTS = {
    "openai": """start_time,start_time_iso,end_time,end_time_iso,amount_value,amount_currency,line_item,project_id
1788393600,2026-09-03T00:00:00Z,1788480000,2026-09-04T00:00:00Z,12.5,usd,"gpt-4.1-2025-04-14, input",p1""",
    "anthropic": """usage_date_utc,model,workspace,usage_type,token_type,cost_usd
2026-09-03,gpt-4.1,Default,message,input,12.5""",
    "aws": """lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/LineItemDescription,\
lineItem/LineItemType,lineItem/UnblendedCost,lineItem/CurrencyCode
2026-09-03T00:00:00Z,2026-09-04T00:00:00Z,AmazonBedrock,gpt-4.1 input tokens,Usage,12.5,USD""",
    "azure": """Date;MeterCategory;MeterName;CostInBillingCurrency;BillingCurrencyCode
09/03/2026;Azure OpenAI;gpt-4.1-Inp-glbl Tokens;12.5;USD""",
    "focus": """ChargePeriodStart,ChargePeriodEnd,ServiceName,ChargeDescription,ChargeCategory,BilledCost
2026-09-03T00:00:00Z,2026-09-04T00:00:00Z,OpenAI,gpt-4.1 output,Usage,12.5""",
    "plain": "date\tmodel\tamount\n2026-09-03\tGPT-4.1\t$12.50",
}


@pytest.mark.parametrize("vendor", EXPORTS)
def test_the_exports_of_the_vendors_are_read_by_their_own_columns(tmp_path, vendor):
    path = tmp_path / "export.csv"
    path.write_text(EXPORTS[vendor], encoding="utf-8")
    (line,) = read_invoice(path)
    day = dt.date(2026, 9, 3)
    assert (line.start, line.end, line.nusd, line.usage) == (day, day, 12_500_000_000, True)
    assert invoice_model(line.provider, line.model) == "gpt-4.1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("when,what,how much\n", "no column for the date and the model and the amount"),
        ("date,model,amount\n", "has no line"),
        ("date,model,amount\n2026-09-31,gpt-4.1,1\n", "row 2: The day '2026-09-31' is not understood"),
        ("date,model,amount\n2026-13,gpt-4.1,1\n", "not understood"),
        ("date,model,amount\n2026-09-01,gpt-4.1,twelve\n", "row 2: The amount 'twelve'"),
        ("date;model;amount\n2026-09-01;gpt-4.1;12,50\n", "with a point before the decimals"),
        ("date,model,amount,currency\n2026-09-01,gpt-4.1,1,CHF\n", "in CHF, and no rate"),
        ("start_date,end_date,model,amount\n2026-09-02,2026-09-01,gpt-4.1,1\n", "before it begins"),
    ],
)
def test_a_mistake_in_an_invoice_is_said_with_its_place(tmp_path, text, told):
    path = tmp_path / "invoice.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError) as caught:
        read_invoice(path)
    assert told in str(caught.value)
    assert caught.value.next_step
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "nusd"),
    [("1,234.56", 1_234_560_000_000), ("$3", 3_000_000_000), ("(4.00)", -4_000_000_000), ("-$2.50", -2_500_000_000),
     ("1.5e-3", 1_500_000), ("2 USD", 2_000_000_000)],
)  # fmt: skip
def test_amounts_are_read_as_people_and_programs_write_them(tmp_path, written, nusd):
    path = tmp_path / "invoice.csv"
    path.write_text(f'date,model,amount\n2026-09-01,gpt-4.1,"{written}"\n', encoding="utf-8")
    assert read_invoice(path)[0].nusd == nusd


def test_another_currency_is_converted_at_the_price_files_rate(tmp_path):
    path = tmp_path / "invoice.csv"
    path.write_text("date,model,amount,currency\n2026-09-01,gpt-4.1,10,EUR\n", encoding="utf-8")
    assert read_invoice(path, {"eur": Decimal("1.10")})[0].nusd == 11_000_000_000


@pytest.mark.parametrize(
    ("service", "text", "model"),
    [
        ("", "gpt-4o-2024-08-06, input", "gpt-4o"),
        ("", "GPT-4o mini, output", "gpt-4o-mini"),
        ("Azure OpenAI", "gpt-4o-0806-Inp-glbl Tokens", "gpt-4o"),
        ("Azure OpenAI Service", "gpt 4.1 mini Inp glbl Tokens", "gpt-4.1-mini"),
        ("Anthropic", "Claude Sonnet 4.5", "claude-sonnet-4-5"),
        ("Amazon Bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("Gemini API", "Gemini 2.5 Pro output token count", "gemini-2.5-pro"),
        ("", "gpt-9-mini, input", None),
        ("", "gpt-4o-brandnew, input", None),
        ("", "Dedicated capacity unit", None),
        ("", "", None),
    ],
)
def test_the_text_of_a_line_means_a_listed_model_or_none(service, text, model):
    assert invoice_model(service, text) == model
