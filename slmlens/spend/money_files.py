"""The files about money that a user may give with a log, checked before hours of work."""

from __future__ import annotations

from pathlib import Path

from slmlens.spend.invoice_lines import InvoiceLine, read_invoice
from slmlens.spend.price_book import PriceBook, open_book
from slmlens.spend.price_file import PriceFile, load_price_file, read_price_file


def check_money_files(prices: Path | None, invoice: Path | None) -> None:
    """Read a price file and an invoice, to refuse them early.

    :raises SettingError: If one of them is not understood; says where and what to do.
    """
    file = PriceFile() if prices is None else load_price_file(prices)
    if invoice is not None:
        invoice_lines(invoice, file)


def invoice_lines(invoice: Path, prices: PriceFile) -> list[InvoiceLine]:
    """Return the lines of an invoice, converted at the price file's rate where they are in its currency.

    :raises SettingError: If the invoice is not understood.
    """
    currency = prices.currency
    return read_invoice(invoice, {} if currency is None else {currency.name.lower(): currency.usd})


def book_of_text(text: str | None) -> PriceBook:
    """Return the price book with a price file whose text is at hand; None: without one."""
    return open_book(None if text is None else read_price_file(text))
