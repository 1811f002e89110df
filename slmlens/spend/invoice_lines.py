"""The lines of an invoice or cost export, read from CSV whatever its vendor calls the columns."""

from __future__ import annotations

import calendar
import csv
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from slmlens.errors import SettingError
from slmlens.tables import NUSD_PER_USD

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "start": (
        "date",
        "day",
        "usagedate",
        "usagedateutc",
        "dateutc",
        "starttimeiso",
        "starttime",
        "startdate",
        "periodstart",
        "chargeperiodstart",
        "lineitemusagestartdate",
        "startingat",
        "period",
        "month",
    ),
    "end": (
        "endtimeiso",
        "endtime",
        "enddate",
        "periodend",
        "chargeperiodend",
        "lineitemusageenddate",
        "endingat",
    ),
    "model": (
        "model",
        "modelname",
        "modelid",
        "modelversion",
        "lineitem",
        "metername",
        "meter",
        "chargedescription",
        "lineitemlineitemdescription",
        "description",
        "skudescription",
        "lineitemusagetype",
        "usagetype",
        "product",
        "sku",
    ),
    "provider": (
        "provider",
        "vendor",
        "service",
        "servicename",
        "servicedescription",
        "lineitemproductcode",
        "productcode",
        "metercategory",
        "consumedservice",
        "providername",
        "publishername",
    ),
    "amount": (
        "amount",
        "amountvalue",
        "cost",
        "costusd",
        "amountusd",
        "totalcost",
        "billedcost",
        "costinbillingcurrency",
        "pretaxcost",
        "lineitemunblendedcost",
        "unblendedcost",
        "effectivecost",
        "total",
    ),
    "currency": ("currency", "amountcurrency", "billingcurrency", "billingcurrencycode", "lineitemcurrencycode"),
    "kind": ("chargecategory", "lineitemlineitemtype", "chargetype", "costtype", "kind"),
}
"""What a line holds, and the names of columns that hold it, signs and case left out; the first one there counts.

Those of OpenAI's cost export, Anthropic's cost report, AWS's Cost and Usage Report, Azure's cost export, Google's
billing export, the FinOps Foundation's FOCUS, and the plain ``date, model, amount``.
"""

_NOT_USAGE = re.compile(
    r"\b(tax|taxes|vat|gst|sales tax|credit|credits|refund|rebate|adjustment|discount|support|savings ?plan|commitment"
    r"|purchase|rounding|fee)\b",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"^\W*(grand |sub)?-?total\b", re.IGNORECASE)
_NUMBER = re.compile(r"(\d[\d,]*(\.\d+)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_AROUND = re.compile(r"[^\d.,]*")
_DECIMAL_COMMA = re.compile(r",(\d{1,2}|\d{4,})$")
_DATE_FORMS = ("%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%b %d, %Y", "%d %b %Y", "%Y%m%d")


@dataclass(frozen=True)
class InvoiceLine:
    """One line.

    :param row: Its row in the file, the header being 1.
    :param start: First day; None: the line has none.
    :param end: Last day.
    :param provider: As written; empty where it is not.
    :param model: As written; empty where it is not.
    :param nusd: Amount in nano-USD.
    :param usage: False for taxes, credits, fees and the like.
    """

    row: int
    start: dt.date | None
    end: dt.date | None
    provider: str
    model: str
    nusd: int
    usage: bool


def read_invoice(path: Path, rates: Mapping[str, Decimal] | None = None) -> list[InvoiceLine]:
    """Return the lines of an invoice.

    :param path: CSV with a header, separated by commas, semicolons or tabs.
    :param rates: US dollars of one unit of other currencies, by name in lower case.
    :raises SettingError: If the file, a column, a day, an amount or a currency is not understood.
    """
    rows = _rows(path)
    columns = _columns(rows[0], path.name)
    lines = [_line(number, row, columns, rates or {}, path.name) for number, row in enumerate(rows[1:], start=2)]
    found = [line for line in lines if line is not None]
    if not found:
        raise SettingError("the invoice has no line", where=path.name, next_step="export it again, with its lines")
    return found


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise SettingError(
            "the invoice can't be read",
            where=path.name,
            next_step="name a CSV file in UTF-8 that you may read, with --invoice",
        ) from cause
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in row)]
    if not rows:
        raise SettingError("the invoice is empty", where=path.name, next_step="export it again")
    return rows


def _columns(header: Sequence[str], file: str) -> dict[str, int]:
    names = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
    found = {
        what: names.index(known[0])
        for what, spelled in COLUMNS.items()
        if (known := [name for name in spelled if name in names])
    }
    missing = [what for what in ("start", "model", "amount") if what not in found]
    if missing:
        wanted = {"start": "date", "model": "model", "amount": "amount"}
        raise SettingError(
            f"the invoice has no column for the {' and the '.join(wanted[what] for what in missing)}",
            where=f"{file}, header",
            next_step=f"name the columns date, model and amount; the file has {', '.join(header)}",
        )
    return found


def _line(
    number: int, row: Sequence[str], columns: Mapping[str, int], rates: Mapping[str, Decimal], file: str
) -> InvoiceLine | None:
    def cell(what: str) -> str:
        at = columns.get(what)
        return row[at].strip() if at is not None and at < len(row) else ""

    place = f"{file}, row {number}"
    if _TOTAL.match(cell("model")) or _TOTAL.match(cell("start")) or (not cell("start") and _TOTAL.match(row[0])):
        return None
    if not cell("amount"):
        return None
    start, end = _period(cell("start"), cell("end"), place)
    usage = not (_NOT_USAGE.search(cell("kind")) or _NOT_USAGE.search(cell("model")))
    nusd = _nusd(cell("amount"), cell("currency"), rates, place)
    return InvoiceLine(number, start, end, cell("provider"), cell("model"), nusd, usage)


def _nusd(text: str, currency: str, rates: Mapping[str, Decimal], place: str) -> int:
    return int((_amount(text, place) * _usd_of(currency, rates, place) * NUSD_PER_USD).to_integral_value())


def _amount(text: str, place: str) -> Decimal:
    found = _NUMBER.search(text)
    sure = found and all(_AROUND.fullmatch(part) for part in (text[: found.start()], text[found.end() :]))
    if found is None or not sure or _DECIMAL_COMMA.search(found[0]):
        raise SettingError(
            f"the amount {text[:40]!r} is no number that is certain",
            where=place,
            next_step="write it with a point before the decimals, such as 1234.56",
        )
    value = Decimal(found[0].replace(",", ""))
    negative = "-" in text[: found.start()] or text.startswith("(")
    return -value if negative else value


def _usd_of(currency: str, rates: Mapping[str, Decimal], place: str) -> Decimal:
    name = currency.lower()
    if name in {"", "usd", "us dollar", "$", "us$"}:
        return Decimal(1)
    if name not in rates:
        example = f"currency: {{name: {currency}, usd: 1.1, date: 2026-11-01}}"
        raise SettingError(
            f"the amount is in {currency}, and no rate to US dollars is known",
            where=place,
            next_step=f"give it in the price file (--prices) as `{example}`",
        )
    return rates[name]


def _period(start: str, end: str, place: str) -> tuple[dt.date | None, dt.date | None]:
    if not start:
        return None, None
    month = re.fullmatch(r"(\d{4})-(\d{2})", start)
    if month:
        first = _moment(f"{start}-01", place).date()
        return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])
    first = _moment(start, place).date()
    if not end:
        return first, first
    last = _moment(end, place)
    midnight = last.time() == dt.time(0) and re.search(r"\d{1,2}:\d{2}|^\d{9,}$", end) is not None
    day = last.date() - dt.timedelta(days=1) if midnight and last.date() > first else last.date()
    if day < first:
        raise SettingError(f"the line ends on {day}, before it begins", where=place, next_step="correct the days")
    return first, day


def _moment(text: str, place: str) -> dt.datetime:
    """Return a time as exports write it: ISO 8601, seconds since 1970, or a common form of a day; UTC."""
    if re.fullmatch(r"\d{9,11}", text):
        return dt.datetime.fromtimestamp(int(text), dt.UTC)
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        for form in _DATE_FORMS:
            try:
                return dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC)
            except ValueError:
                continue
        raise SettingError(
            f"the day {text[:40]!r} is not understood", where=place, next_step="write days as 2026-09-30"
        ) from None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)
