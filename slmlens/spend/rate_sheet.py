"""A dated list of prices by model name or pattern: the form of the user's price file and of our corrections."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from slmlens.spend.rates import Tier, tier_of

_WILD = re.compile(r"([*?])")


@dataclass(frozen=True)
class DatedPrice:
    """One price of a model.

    :param since: First day it holds; None: always has.
    :param until: Last day it holds; None: still does.
    :param tiers: From the lowest number of input tokens on.
    :param batch_tiers: The same at the batch rate.
    """

    since: dt.date | None
    until: dt.date | None
    tiers: tuple[Tier, ...]
    batch_tiers: tuple[Tier, ...]

    def holds(self, day: dt.date) -> bool:
        """Tell whether the price holds on a day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class RateSheet:
    """Prices by model name; a name in full goes before a pattern, a longer pattern before a shorter one.

    :param by_name: Lower-case names, or patterns with ``*`` (any text) and ``?`` (one character), and their prices.
    """

    by_name: Mapping[str, tuple[DatedPrice, ...]]

    def tiers(self, names: Iterable[str], day: dt.date, *, batch: bool) -> tuple[Tier, ...] | None:
        """Return what a model costs on a day, or None where the sheet has no price for it.

        :param names: What the model may be called, the most exact first, in lower case.
        """
        wanted = list(names)
        for key in (*wanted, *self._patterns_for(wanted)):
            for price in self.by_name.get(key, ()):
                if price.holds(day):
                    return price.batch_tiers if batch else price.tiers
        return None

    def _patterns_for(self, names: list[str]) -> list[str]:
        patterns = sorted((key for key in self.by_name if _WILD.search(key)), key=lambda key: (-_fixed(key), key))
        return [pattern for pattern in patterns if any(matches(pattern, name) for name in names)]


def dated_price(
    rates: Mapping[int, Mapping[str, Decimal]],
    *,
    since: dt.date | None,
    until: dt.date | None,
    batch: Decimal | None,
) -> DatedPrice:
    """Return a price from its rates.

    :param rates: Rates as in :func:`slmlens.spend.rates.tier_of`, by the input tokens from which they hold.
    :param batch: What a batch call costs as a share of another; None: as much.
    """
    tiers = tuple(tier_of(start, rates[start]) for start in sorted(rates))
    return DatedPrice(since, until, tiers, tiers if batch is None else tuple(tier.times(batch) for tier in tiers))


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name is one that a pattern with ``*`` and ``?`` stands for; both in lower case."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in _WILD.split(pattern))
    return re.fullmatch("".join(parts), name) is not None


def _fixed(pattern: str) -> int:
    return len(_WILD.sub("", pattern))
