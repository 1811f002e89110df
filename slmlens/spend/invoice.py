"""An invoice against the log: what each differs by, and for which reason that could also have been refuted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import polars as pl

from slmlens.spend.invoice_lines import InvoiceLine
from slmlens.spend.invoice_models import invoice_model, invoice_provider, unlisted_names
from slmlens.spend.invoice_side import OurSpend, our_spend
from slmlens.spend.price_book import PriceBook
from slmlens.tables import NUSD_PER_USD

NOT_USAGE = "taxes, credits and fees"
NOT_IN_LOG = "a model that the log does not have"
OUTSIDE = "days outside the log"
SAMPLE = "calls outside the sample that the log is"
UNPRICED = "calls in the log without a price"
PREPAID = "prepaid by a commitment"
RATIO = "a steady ratio"
NO_MODEL = "a line that names no known model"
NOT_BILLED = "not on the invoice"

_NEAR = 0.01
"""Two amounts within 1 % are the same, as for logged costs."""

_CENT_NUSD = NUSD_PER_USD // 100
"""A line of an invoice is rounded to a cent, or to less."""

_STEADY = 0.9
_LEAST_STEADY = 3
"""A ratio is steady if nine in ten of at least three lines stand in it to 1 %."""

_NOISE = 2.0
"""What days outside the log cost may differ from the days in it by so many standard deviations of a day."""


@dataclass(frozen=True)
class Item:
    """What the invoice asks for one model over one period, beside the log.

    :param model: The listed model, else the line's own text.
    :param provider: Of the line, where it says; may be empty.
    :param invoice: Amount in nano-USD.
    :param ours: What the log's calls of that model in that period cost.
    :param parts: Reasons and the part of the difference that each accounts for.
    :param expected: What the invoice should ask if the reasons hold.
    """

    model: str
    provider: str
    start: dt.date | None
    end: dt.date | None
    lines: int
    invoice: int
    ours: int
    parts: tuple[tuple[str, int], ...] = ()
    expected: int = 0
    comparable: bool = False

    @property
    def open(self) -> int:
        """The part of the difference without a reason."""
        return self.invoice - self.ours - sum(nusd for _, nusd in self.parts)

    def near(self, expected: int) -> bool:
        """Tell whether the invoice asks for an amount to 1 %, or to the rounding of its lines."""
        return abs(self.invoice - expected) <= max(_NEAR * abs(self.invoice), _CENT_NUSD * self.lines)


@dataclass(frozen=True)
class Invoice:
    """The comparison of an invoice with the log.

    :param rows: One row a (model, period) of the invoice, and one a model that it lacks: ``model``, ``provider``,
        ``start``, ``end``, ``lines``, ``invoice_nusd``, ``ours_nusd``, ``explained_nusd``, ``open_nusd``, ``reason``
        (null: equal to 1 %, or no reason found). invoice = ours + explained + open.
    :param reasons: ``reason``, ``rows``, ``nusd``; the largest first.
    :param invoice_nusd: Sum of the invoice.
    :param ours_nusd: Sum of the log over the same rows.
    :param explained_nusd: Sum of the differences with a reason.
    :param open_nusd: Sum of the others, without their signs, so that two errors can't cancel.
    :param agrees: Whether what is open is at most 1 % of the invoice; None: nothing could be compared.
    :param sentence: All that in words.
    """

    rows: pl.DataFrame
    reasons: pl.DataFrame
    invoice_nusd: int
    ours_nusd: int
    explained_nusd: int
    open_nusd: int
    agrees: bool | None
    sentence: str = field(repr=False)


def reconcile(
    lines: Sequence[InvoiceLine], calls: pl.DataFrame, book: PriceBook, *, sampling_rate: float = 1.0
) -> Invoice:
    """Compare an invoice with the log, model by model and day by day, and account for each difference.

    A reason is tried only where its condition holds, and only for the amount that follows from it: what stays is open.
    Calls that a seat plan paid are left out, and calls at providers that the invoice does not name.

    :param calls: ``CallsTable``, priced; times in UTC, as invoices count days.
    :param book: What names of the log mean.
    :param sampling_rate: Share of the traffic that the log holds.
    """
    ours = our_spend(calls, book)
    usage = [line for line in lines if line.usage]
    items = [
        *_others(line for line in lines if not line.usage),
        *(_compared(item, ours, sampling_rate) for item in _grouped(usage, ours)),
    ]
    items = [*_with_ratios(items), *_not_billed(items, lines, ours)]
    return _result(items, timed=ours.timed)


def _grouped(lines: Sequence[InvoiceLine], ours: OurSpend) -> list[Item]:
    """Return the lines of usage, those of a model and a period together (input, output and cached are lines apart)."""
    found: dict[tuple[str, str, dt.date | None, dt.date | None], Item] = {}
    for line in lines:
        model = invoice_model(line.provider, line.model)
        known = model or next((name for name in unlisted_names(line.model) if ours.has(name)), None)
        provider = invoice_provider(line.provider) or ""
        key = (known or line.model, provider, line.start, line.end)
        before = found.get(key)
        if before is None:
            found[key] = Item(*key, lines=1, invoice=line.nusd, ours=0, comparable=known is not None)
        else:
            found[key] = replace(before, lines=before.lines + 1, invoice=before.invoice + line.nusd)
    return list(found.values())


def _others(lines: Iterable[InvoiceLine]) -> list[Item]:
    return [
        Item(line.model, line.provider, line.start, line.end, 1, line.nusd, 0, ((NOT_USAGE, line.nusd),))
        for line in lines
    ]


def _compared(item: Item, ours: OurSpend, sampling_rate: float) -> Item:
    if not item.comparable:
        return item
    if not ours.has(item.model):
        return replace(item, parts=((NOT_IN_LOG, item.invoice),), comparable=False)
    seen = ours.over(item.model, item.provider, item.start, item.end)
    if seen.covered == 0:
        return replace(item, parts=((OUTSIDE, item.invoice),), comparable=False)
    parts: list[tuple[str, int]] = []
    expected = seen.nusd

    def add(reason: str, to: float) -> None:
        nonlocal expected
        if round(to) != expected:
            parts.append((reason, round(to) - expected))
            expected = round(to)

    add(SAMPLE, expected / sampling_rate)
    if seen.priced:
        add(UNPRICED, expected * (seen.priced + seen.unpriced) / seen.priced)
    elif seen.unpriced:
        return replace(item, ours=seen.nusd, parts=((UNPRICED, item.invoice - seen.nusd),), comparable=False)
    add(OUTSIDE, expected * seen.days / seen.covered)
    after_prepaid = expected * (1 - seen.prepaid / seen.nusd) if seen.nusd else expected
    if abs(item.invoice - after_prepaid) < abs(item.invoice - expected):
        add(PREPAID, after_prepaid)
    rest = item.invoice - expected
    noise = _NOISE * seen.day_sd / sampling_rate * max(seen.days - seen.covered, 0.0) ** 0.5
    if rest and abs(rest) <= noise:
        add(OUTSIDE, item.invoice)
    return replace(item, ours=seen.nusd, parts=tuple(parts), expected=expected)


def _with_ratios(items: Sequence[Item]) -> list[Item]:
    """Add the reason of a steady ratio, provider by provider: a discount, or a price that the book does not know."""
    found = list(items)
    for provider in {item.provider for item in items if item.comparable}:
        at = [n for n, item in enumerate(items) if item.provider == provider and item.comparable and item.expected > 0]
        ratios = [items[n].invoice / items[n].expected for n in at]
        middle = median(ratios) if ratios else 1.0
        in_it = [n for n in at if items[n].near(round(middle * items[n].expected))]
        if len(at) < _LEAST_STEADY or len(in_it) < _STEADY * len(at) or abs(middle - 1) <= _NEAR:
            continue
        words = (
            f"{RATIO} of {middle:.3g}, such as a discount of {1 - middle:.1%}"
            if middle < 1
            else f"{RATIO} of {middle:.3g}"
        )
        for n in in_it:
            item, to = items[n], round(middle * items[n].expected)
            found[n] = replace(item, parts=(*item.parts, (words, to - item.expected)), expected=to)
    return found


def _not_billed(items: Sequence[Item], lines: Sequence[InvoiceLine], ours: OurSpend) -> list[Item]:
    """Return the log's models of the invoice's providers and days for which it asks nothing."""
    days = [day for line in lines if line.usage for day in (line.start, line.end) if day is not None]
    if not days:
        return []
    start, end = min(days), max(days)
    asked = {item.model for item in items if item.comparable or item.parts}
    providers = {item.provider for item in items if item.provider}
    providers |= {provider for model in asked for provider in ours.providers_of(model)}
    left = []
    for model in ours.models():
        if model in asked or not providers & ours.providers_of(model):
            continue
        seen = ours.over(model, "", start, end)
        if seen.nusd:
            left.append(Item(model, "", start, end, 0, 0, seen.nusd, comparable=True))
    return left


def _result(items: Sequence[Item], *, timed: bool) -> Invoice:
    settled = [_settled(item) for item in items]
    rows = pl.DataFrame(
        [_row(item) for item in settled],
        {
            "model": pl.String,
            "provider": pl.String,
            "start": pl.Date,
            "end": pl.Date,
            "lines": pl.Int64,
            "invoice_nusd": pl.Int64,
            "ours_nusd": pl.Int64,
            "explained_nusd": pl.Int64,
            "open_nusd": pl.Int64,
            "reason": pl.String,
        },
        orient="row",
    ).sort("start", "end", "model", "provider", nulls_last=True)
    parts = [(reason, nusd) for item in settled for reason, nusd in item.parts]
    reasons = (
        pl.DataFrame(parts, {"reason": pl.String, "nusd": pl.Int64}, orient="row")
        .group_by("reason")
        .agg(pl.len().cast(pl.Int64).alias("rows"), pl.col("nusd").sum())
        .sort(-pl.col("nusd").abs(), "reason")
        .select("reason", "rows", "nusd")
    )
    total = sum(item.invoice for item in settled)
    still_open = sum(abs(item.open) for item in settled)
    compared = [item for item in settled if item.comparable]
    size = sum(abs(item.invoice) for item in settled)
    result = Invoice(
        rows=rows,
        reasons=reasons,
        invoice_nusd=total,
        ours_nusd=sum(item.ours for item in settled),
        explained_nusd=sum(nusd for _, nusd in parts),
        open_nusd=still_open,
        agrees=None if not compared or not timed else still_open <= _NEAR * size,
        sentence="",
    )
    return replace(result, sentence=_sentence(result, settled, timed=timed))


def _settled(item: Item) -> Item:
    """Give what is left of an item that is equal to 1 % to rounding, so that only real differences stay open."""
    if item.comparable and item.open and item.lines and item.near(item.expected):
        return replace(item, parts=(*item.parts, ("rounding, at most 1 %", item.open)), expected=item.invoice)
    return item


def _row(item: Item) -> tuple[object, ...]:
    reason = "; ".join(dict.fromkeys(reason for reason, _ in item.parts))
    if item.open and not item.lines:
        reason = NOT_BILLED
    elif item.open and not item.comparable and not item.parts:
        reason = NO_MODEL
    explained = sum(nusd for _, nusd in item.parts)
    place = (item.model, item.provider or None, item.start, item.end, item.lines)
    return (*place, item.invoice, item.ours, explained, item.open, reason or None)


def _sentence(result: Invoice, items: Sequence[Item], *, timed: bool) -> str:
    if not timed:
        return "The log has no times, so its calls can't be laid beside the days of the invoice."
    asked, ours = _usd(result.invoice_nusd), _usd(result.ours_nusd)
    head = f"The invoice asks for {asked}; the log's calls over the same lines cost {ours}."
    told = result.reasons.filter(2 * pl.col("nusd").abs() >= _CENT_NUSD)
    parts = [f"{reason} ({_signed(nusd)})" for reason, _, nusd in told.iter_rows()]
    why = f" The difference comes from {'; '.join(parts)}." if parts else ""
    if not result.open_nusd:
        return f"{head}{why} Nothing stays open."
    worst = max(items, key=lambda item: abs(item.open))
    when = f" of {worst.start}" if worst.start is not None else ""
    return (
        f"{head}{why} {_usd(result.open_nusd)} has no reason that we can show; the most of it, "
        f"{_signed(worst.open)}, is “{worst.model or 'a line without text'}”{when}."
    )


def _signed(nusd: int) -> str:
    return f"{'+' if nusd > 0 else '-'}{_usd(abs(nusd))}"


def _usd(nusd: int) -> str:
    usd = nusd / NUSD_PER_USD
    return f"-${-usd:,.2f}" if usd < 0 else f"${usd:,.2f}"
