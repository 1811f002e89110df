"""What a million tokens cost at an endpoint: as the user says, on this machine nothing, else by the price lists."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from slmlens.errors import SettingError
from slmlens.spend.price_book import PriceBook
from slmlens.tasks.address import Address

_MILLION = 1e6
_STEPS = 1e18
"""Steps a token of ``spend.rates.Tier`` for a dollar a million tokens."""


@dataclass(frozen=True)
class TokenPrice:
    """US dollars a million tokens.

    :param source: Where it is from, for a reader.
    """

    usd_in: float
    usd_out: float
    source: str

    def usd(self, input_tokens: float, output_tokens: float) -> float:
        """Return the price of so many tokens."""
        return (input_tokens * self.usd_in + output_tokens * self.usd_out) / _MILLION


def token_price(
    address: Address, model: str, *, stated: tuple[float | None, float | None], book: PriceBook
) -> TokenPrice | None:
    """Return what the model costs at an address; None: not known.

    What the user states goes first, then a model on this machine costs nothing a token, then the price book for the
    provider of that address, then the median of the model's hosts in the catalogue of small models.

    :param stated: Dollars a million input and output tokens; None: not stated.
    :raises SettingError: If only one of them is stated.
    """
    usd_in, usd_out = stated
    if usd_in is not None and usd_out is not None:
        return TokenPrice(usd_in, usd_out, "as stated")
    if usd_in is not None or usd_out is not None:
        raise SettingError(
            "a price of input and a price of output belong together",
            where="--price-in, --price-out",
            next_step="give both in dollars a million tokens, or neither",
        )
    if address.on_this_machine:
        return TokenPrice(0.0, 0.0, "on this machine")
    return _quoted(address, model, book) or _hosted(model)


def _quoted(address: Address, model: str, book: PriceBook) -> TokenPrice | None:
    from slmlens.spend.names import provider_at

    provider = provider_at(address.url)
    quote = book.quote(book.named(provider, model), dt.datetime.now(dt.UTC))
    if quote is None or quote.tiers[0].input is None:
        return None
    first = quote.tiers[0]
    return TokenPrice((first.input or 0) / _STEPS, (first.output or 0) / _STEPS, f"by {quote.source}")


def _hosted(model: str) -> TokenPrice | None:
    from slmlens.savings.catalogue import small_models

    named = model.rpartition("/")[2].casefold()
    found = next((one for one in small_models() if one.name.casefold() == named), None)
    if found is None or found.usd_in is None or found.usd_out is None:
        return None
    return TokenPrice(found.usd_in, found.usd_out, "median of its hosts in the catalogue")
