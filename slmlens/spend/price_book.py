"""The price book: sources of prices one above the other, of which the first that knows a model prices the call.

The user's price file (:mod:`slmlens.spend.price_file`) goes first, then our dated corrections
(:mod:`slmlens.spend.corrections`), then genai-prices, then model-prices where it is installed
(:mod:`slmlens.spend.second_source`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from slmlens.spend.corrections import corrections_sheet
from slmlens.spend.names import Listing, Place, listing_at, places, provider_id
from slmlens.spend.price_file import PriceFile, load_price_file
from slmlens.spend.rate_sheet import RateSheet
from slmlens.spend.rates import Tier, tiers_at, varies_by_hour


@dataclass(frozen=True)
class Spelling:
    """One name under which a log has a model.

    :param logged: As logged, in lower case.
    :param places: Where it may be listed.
    :param found: The place where the price list has it; None: nowhere.
    :param listing: What it has there.
    """

    logged: str
    places: tuple[Place, ...]
    found: Place | None
    listing: Listing | None


@dataclass(frozen=True)
class Named:
    """What a log calls the model of a call.

    :param provider: As logged, in lower case; empty: not logged.
    :param spellings: The served name, then the requested one; of a name that is a deployment's, what is behind it.
    """

    provider: str
    spellings: tuple[Spelling, ...]

    @property
    def main(self) -> Spelling | None:
        """The spelling that counts: the first that has a listing, else the first."""
        listed = (one for one in self.spellings if one.listing is not None)
        return next(listed, self.spellings[0] if self.spellings else None)

    @property
    def provider_names(self) -> tuple[str, ...]:
        """What the provider may be called: as logged, and by the price list."""
        main = self.main
        placed = main.found if main is not None else None
        listed = None if main is None or main.listing is None else str(main.listing.provider.id)
        told = (self.provider, provider_id(self.provider), placed and placed.provider, listed)
        return tuple(dict.fromkeys(name for name in told if name))

    @property
    def model_names(self) -> tuple[str, ...]:
        """What the model may be called in a price file, the most exact first."""
        found: list[str] = []
        for one in self.spellings:
            found.append(one.logged)
            for place in one.places:
                found += [f"{place.provider}/{place.name}", place.name] if place.provider else [place.name]
            if one.listing is not None:
                found += [f"{one.listing.provider.id}/{one.listing.model.id}", str(one.listing.model.id)]
        return tuple(dict.fromkeys(name.lower() for name in found))


@dataclass(frozen=True)
class Quote:
    """What a model costs at a time.

    :param source: A word of ``tables.PRICE_SOURCES``.
    :param tiers: From the lowest number of input tokens on.
    """

    source: str
    tiers: tuple[Tier, ...]


class PriceLayer(Protocol):
    """A source of prices."""

    @property
    def source(self) -> str:
        """Its word of ``tables.PRICE_SOURCES``."""

    def tiers(self, named: Named, at: dt.datetime, *, batch: bool) -> tuple[Tier, ...] | None:
        """Return what the model costs at a time, or None where the source does not know."""

    def by_the_minute(self, named: Named) -> bool:
        """Tell whether the model's price depends on the time of day."""


@dataclass(frozen=True)
class ContractLayer:
    """The user's price file."""

    sheet: RateSheet
    source: str = "your file"

    def tiers(self, named: Named, at: dt.datetime, *, batch: bool) -> tuple[Tier, ...] | None:
        """See :class:`PriceLayer`. Any name of the model counts, also a deployment's."""
        return self.sheet.tiers(named.model_names, at.date(), batch=batch)

    def by_the_minute(self, named: Named) -> bool:  # noqa: ARG002 - of the protocol
        """See :class:`PriceLayer`."""
        return False


@dataclass(frozen=True)
class CorrectionLayer:
    """Our corrections; they hold for the served name only, because an alias changes its meaning over time."""

    sheet: RateSheet
    source: str = "correction"

    def tiers(self, named: Named, at: dt.datetime, *, batch: bool) -> tuple[Tier, ...] | None:
        """See :class:`PriceLayer`."""
        main = named.main
        if main is None or main.listing is None or main.found is None:
            return None
        return self.sheet.tiers([f"{main.listing.provider.id}/{main.found.name}"], at.date(), batch=batch)

    def by_the_minute(self, named: Named) -> bool:  # noqa: ARG002 - of the protocol
        """See :class:`PriceLayer`."""
        return False


@dataclass(frozen=True)
class ListLayer:
    """genai-prices."""

    source: str = "genai-prices"

    def tiers(self, named: Named, at: dt.datetime, *, batch: bool) -> tuple[Tier, ...] | None:
        """See :class:`PriceLayer`."""
        main = named.main
        return None if main is None or main.listing is None else tiers_at(main.listing, at, batch=batch)

    def by_the_minute(self, named: Named) -> bool:
        """See :class:`PriceLayer`."""
        main = named.main
        return main is not None and main.listing is not None and varies_by_hour(main.listing)


@dataclass(frozen=True)
class PriceBook:
    """Prices of models.

    :param file: The user's; empty where there is none.
    :param layers: The first that knows a model wins.
    """

    file: PriceFile
    layers: tuple[PriceLayer, ...]

    def named(self, provider: str | None, model: str | None, requested: str | None = None) -> Named:
        """Return what a log means by its names."""
        spelled = [
            self._spelling(provider, name) for name in dict.fromkeys((model, requested)) if name and name.strip()
        ]
        return Named((provider or "").strip().lower(), tuple(spelled))

    def quote(self, named: Named, at: dt.datetime, *, batch: bool = False) -> Quote | None:
        """Return what a model costs at a time (with a time zone), or None where no source knows."""
        for layer in self.layers:
            tiers = layer.tiers(named, at, batch=batch)
            if tiers is not None:
                return (
                    Quote(layer.source, tiers)
                    if layer.source == "your file"
                    else self._less_discount(named, at, layer, tiers)
                )
        return None

    def by_the_minute(self, named: Named) -> bool:
        """Tell whether the model's price depends on the time of day."""
        return any(layer.by_the_minute(named) for layer in self.layers)

    def committed(self, named: Named) -> tuple[float, dt.date] | None:
        """Return the share of the model's spend that is prepaid and the last day of that, or None."""
        found = (one for one in self.file.commitments if one.covers(named.provider_names, named.model_names))
        one = next(found, None)
        return None if one is None else (one.share, one.until)

    def _spelling(self, provider: str | None, name: str) -> Spelling:
        wanted = places(provider, name)
        found = next((place for place in wanted if listing_at(place) is not None), None)
        behind = self.file.deployments.get(name.strip().lower())
        if behind is not None and (found is None or provider_id(provider) in {None, "azure"}):
            wanted = places(*behind)
            found = next((place for place in wanted if listing_at(place) is not None), None)
        return Spelling(name.strip().lower(), wanted, found, listing_at(found) if found is not None else None)

    def _less_discount(self, named: Named, at: dt.datetime, layer: PriceLayer, tiers: tuple[Tier, ...]) -> Quote:
        day = at.date()
        shares = (self.file.discount(name, day) for name in named.provider_names)
        share = next((share for share in shares if share is not None), None)
        if share is None:
            return Quote(layer.source, tiers)
        return Quote("your discount", tuple(tier.times(Decimal(1) - share) for tier in tiers))


def open_book(prices: PriceFile | Path | None = None) -> PriceBook:
    """Return the price book.

    :param prices: The user's price file, read or not; None: there is none.
    :raises SettingError: If the file is not understood.
    """
    from slmlens.spend.second_source import SecondSource, installed

    file = load_price_file(prices) if isinstance(prices, Path) else prices or PriceFile()
    layers: list[PriceLayer] = [ContractLayer(file.sheet), CorrectionLayer(corrections_sheet())]
    if installed():
        layers += [SecondSource(history=True), ListLayer(), SecondSource(history=False)]
    else:
        layers.append(ListLayer())
    return PriceBook(file, tuple(layers))
