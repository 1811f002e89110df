"""model-prices (MIT, https://github.com/wakamex/model-prices), a second source where the extra ``prices`` is installed.

It dates each price and says where it is from. It prices what genai-prices lacks, and calls from a time at which the
price differed from today's, where genai-prices knows one price without a date.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from slmlens.spend.names import Place
from slmlens.spend.rates import Tier, tier_of

if TYPE_CHECKING:
    from slmlens.spend.price_book import Named

_PROVIDERS = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "google",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "perplexity": "perplexity",
    "x-ai": "xai",
    "zai": "zai",
}
"""Provider ids of genai-prices to those of model-prices; of a host in between, model-prices knows no price."""

_SCHEDULED = frozenset({"deepseek"})
"""Providers for which model-prices 0.0.5 has prices by the time of day."""


def installed() -> bool:
    """Tell whether model-prices is there."""
    return find_spec("model_prices") is not None


@dataclass(frozen=True)
class SecondSource:
    """model-prices as a layer of the price book.

    :param history: True: only prices of a time at which they differed from the last recorded ones, of models that the
        first source lists without any date. False: models that the first source lacks.
    """

    history: bool
    source: str = "model-prices"

    def tiers(self, named: Named, at: dt.datetime, *, batch: bool) -> tuple[Tier, ...] | None:
        """See :class:`slmlens.spend.price_book.PriceLayer`."""
        main = named.main
        if main is None or self.history != (main.listing is not None):
            return None
        if main.listing is not None and isinstance(main.listing.model.prices, list):
            return None
        spelled = (main.found,) if main.found is not None else main.places
        found = next((rates for place in spelled if (rates := _rates(place, at, batch=batch)) is not None), None)
        return None if found is None or (self.history and not _since_changed(found)) else _tiers(found)

    def by_the_minute(self, named: Named) -> bool:
        """See :class:`slmlens.spend.price_book.PriceLayer`."""
        main = named.main
        return main is not None and any(place.provider in _SCHEDULED for place in main.places)


def _rates(place: Place, at: dt.datetime, *, batch: bool) -> Any:  # noqa: ANN401 - a ``model_prices.Rates`` or None
    """Return the dated price of exactly this name; None for a guess, for no price, and for a time before the first."""
    import model_prices

    wanted = None if place.provider is None else _PROVIDERS.get(place.provider, "")
    found = None if wanted == "" else model_prices.resolve(place.name, wanted, strict=True)
    if found is None or wanted not in {None, found[0]}:
        return None
    provider, model = found
    rates = model_prices.rates(model, at=at, provider=provider, mode="batch" if batch else None)
    if rates is None and batch:
        rates = model_prices.rates(model, at=at, provider=provider)
    if rates is None or (rates.input == 0 and rates.output == 0):
        return None
    return rates if _parsed(rates.valid_from) <= at else None


def _since_changed(rates: Any) -> bool:  # noqa: ANN401 - a ``model_prices.Rates``
    """Tell whether the price has changed since. A rate that was not recorded yet is no change."""
    import model_prices

    now = model_prices.rates(rates.model, at=model_prices.data_as_of(), provider=rates.provider)
    if now is None:
        return False
    before, after = _named(rates), _named(now)
    return after.keys() <= before.keys() and any(before[name] != rate for name, rate in after.items())


def _tiers(rates: Any) -> tuple[Tier, ...]:  # noqa: ANN401 - a ``model_prices.Rates``
    base = _named(rates)
    steps = [(0, base), *((tier.above + 1, {**base, **_named(tier)}) for tier in rates.tiers)]
    return tuple(tier_of(start, prices) for start, prices in steps)


def _named(rates: Any) -> dict[str, Decimal]:  # noqa: ANN401 - a ``model_prices.Rates`` or ``Tier``
    given = {
        "input": rates.input,
        "cached": rates.cache_read,
        "cache_write": rates.cache_write,
        "output": rates.output,
    }
    return {name: Decimal(str(rate)) for name, rate in given.items() if rate is not None}


def _parsed(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
