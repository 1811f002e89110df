"""The user's price file: contract prices, deployment names, prepaid commitments, currency and discounts, in YAML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from slmlens.errors import SettingError
from slmlens.spend.names import provider_id
from slmlens.spend.price_terms import Cursor
from slmlens.spend.rate_sheet import DatedPrice, RateSheet, dated_price, matches
from slmlens.spend.rates import RATES

SECTIONS = ("models", "deployments", "commitments", "currency", "discount")
_PERIOD = ("from", "until")


@dataclass(frozen=True)
class Currency:
    """What the prices of the file are in.

    :param name: As the file calls it.
    :param usd: US dollars of one unit.
    :param date: Day of that rate; None: the file does not say.
    """

    name: str
    usd: Decimal
    date: dt.date | None


@dataclass(frozen=True)
class Commitment:
    """A part of the spend that is paid whether it is used or not.

    :param provider: Provider or pattern, in lower case; None: any.
    :param model: Model name or pattern, in lower case; None: any.
    :param share: Share of the matching spend that is prepaid.
    :param until: Last day of it.
    """

    provider: str | None
    model: str | None
    share: float
    until: dt.date

    def covers(self, providers: tuple[str, ...], names: tuple[str, ...]) -> bool:
        """Tell whether a call by these providers' and models' names is covered."""
        return _meant(self.provider, providers) and _meant(self.model, names)


@dataclass(frozen=True)
class Discount:
    """Share off a provider's list prices.

    :param provider: Id of the price list, or what the file calls it where the list has none.
    :param share: Share off.
    :param since: First day; None: always has.
    :param until: Last day; None: still does.
    """

    provider: str
    share: Decimal
    since: dt.date | None
    until: dt.date | None

    def holds(self, day: dt.date) -> bool:
        """Tell whether it holds on a day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class PriceFile:
    """A read price file; every price in it is in US dollars now.

    :param sheet: Contract prices.
    :param deployments: Deployment name in lower case, to (provider, model).
    :param commitments: In the order of the file; the first that covers a call counts.
    :param currency: None: the prices were in US dollars.
    :param discounts: Off the list prices.
    """

    sheet: RateSheet = field(default_factory=lambda: RateSheet({}))
    deployments: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    commitments: tuple[Commitment, ...] = ()
    currency: Currency | None = None
    discounts: tuple[Discount, ...] = ()

    def discount(self, provider: str, day: dt.date) -> Decimal | None:
        """Return the share off a provider's list prices on a day, or None."""
        found = (one.share for one in self.discounts if one.provider == provider and one.holds(day))
        return next(found, None)

    def in_words(self) -> list[str]:
        """Return what a reader of the figures has to know of the file, as sentences."""
        said = []
        if self.currency is not None:
            rate = f"{self.currency.name} 1 = ${self.currency.usd}"
            day = f" of {self.currency.date}" if self.currency.date else ", whose day the price file does not name"
            said.append(f"Contract prices are in {self.currency.name}, converted at the rate {rate}{day}.")
        for one in self.commitments:
            what = " ".join(name for name in (one.provider, one.model) if name) or "all models"
            said.append(f"{one.share:.0%} of the spend on {what} is prepaid until {one.until}.")
        said += [
            f"{one.share * 100:.4g} % off the list prices of {one.provider}{_period(one)}." for one in self.discounts
        ]
        return said


def load_price_file(path: Path) -> PriceFile:
    """Read a price file.

    :raises SettingError: If it can't be read, or holds something that is not understood; says where and what to do.
    """
    return read_price_file(text_of(path), name=path.name)


def text_of(path: Path) -> str:
    """Return the text of a price file.

    :raises SettingError: If it can't be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise SettingError(
            "the price file can't be read",
            where=path.name,
            next_step="name a YAML file in UTF-8 that you may read, with --prices",
        ) from cause


def read_price_file(text: str, *, name: str = "the price file") -> PriceFile:
    """Read the text of a price file.

    :param name: What errors call it.
    :raises SettingError: As :func:`load_price_file`.
    """
    import yaml

    try:
        content = yaml.load(text, Loader=_loader())  # noqa: S506 - the loader is a safe one
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        raise SettingError(
            f"the file is no YAML ({getattr(cause, 'problem', None) or 'it can not be parsed'})",
            where=f"{name}, line {mark.line + 1}" if mark else name,
            next_step="correct that line; strings with a colon or a star need quotes",
        ) from cause
    root = Cursor(content if content is not None else {}, (), name)
    root.only(SECTIONS)
    currency = _currency(root.get("currency"))
    usd = Decimal(1) if currency is None else currency.usd
    return PriceFile(
        sheet=RateSheet({key.lower(): _prices(at, usd) for key, at in root.get("models").items()}),
        deployments={key.lower(): _deployment(at) for key, at in root.get("deployments").items()},
        commitments=tuple(_commitment(at) for at in root.get("commitments").listed()),
        currency=currency,
        discounts=tuple(one for key, at in root.get("discount").items() for one in _discounts(key, at)),
    )


def _loader() -> Any:  # noqa: ANN401 - a class that PyYAML makes at run time
    """Return PyYAML's safe loader with two changes for a file of money.

    Numbers and days stay as written, so that 0.1 is 0.1 and not the nearest float; a name given twice is an error.
    """
    import yaml

    class Exact(yaml.SafeLoader):
        pass

    def as_written(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
        return str(loader.construct_scalar(node))

    def once(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"{key.value} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return loader.construct_mapping(node, deep=True)

    for tag in ("int", "float", "timestamp"):
        Exact.add_constructor(f"tag:yaml.org,2002:{tag}", as_written)
    Exact.add_constructor("tag:yaml.org,2002:map", once)
    return Exact


def _currency(at: Cursor) -> Currency | None:
    if at.empty:
        return None
    at.only(("name", "usd", "date"))
    return Currency(at.get("name").text(), at.get("usd").number(above=0), at.get("date").day())


def _prices(at: Cursor, usd: Decimal) -> tuple[DatedPrice, ...]:
    return tuple(_price(one, usd) for one in at.listed())


def _price(at: Cursor, usd: Decimal) -> DatedPrice:
    at.only((*RATES, *_PERIOD, "batch", "tiers"))
    rates = {0: _rates(at, usd)}
    if not rates[0].keys() & {"input", "request"}:
        at.fail("the price says neither what a million input tokens cost nor what a request costs", "add `input: 2.5`")
    for tier in at.get("tiers").listed():
        tier.only((*RATES, "above"))
        above = int(tier.get("above").number(least=1))
        rates[above + 1] = {**rates[0], **_rates(tier, usd)}
    since, until = _dates(at)
    batch = at.get("batch")
    return dated_price(rates, since=since, until=until, batch=None if batch.empty else batch.number(least=0))


def _rates(at: Cursor, usd: Decimal) -> dict[str, Decimal]:
    given = {name: at.get(name) for name in RATES}
    return {name: one.number(least=0) * usd for name, one in given.items() if not one.empty}


def _deployment(at: Cursor) -> tuple[str, str]:
    provider, slash, model = at.text().partition("/")
    if not slash or not provider or not model:
        at.fail("the model behind a deployment is written provider/model", "write for instance `azure/gpt-4o`")
    return provider, model


def _commitment(at: Cursor) -> Commitment:
    at.only(("provider", "model", "share", "until"))
    provider, model = at.get("provider"), at.get("model")
    if provider.empty and model.empty:
        at.fail(
            "the commitment names neither a provider nor a model", "add `provider: azure`, or `provider: '*'` for all"
        )
    share = at.get("share").number(least=0, most=1)
    until = at.get("until").day()
    if until is None:
        at.fail("the commitment has no last day", "add `until: 2027-03-31`")
    return Commitment(_lower(provider), _lower(model), float(share), until)


def _discounts(provider: str, at: Cursor) -> list[Discount]:
    known = provider_id(provider) or provider.lower()
    if at.plain:
        return [Discount(known, at.number(least=0, most=1), None, None)]
    found = []
    for one in at.listed():
        one.only(("share", *_PERIOD))
        found.append(Discount(known, one.get("share").number(least=0, most=1), *_dates(one)))
    return found


def _dates(at: Cursor) -> tuple[dt.date | None, dt.date | None]:
    since, until = at.get("from").day(), at.get("until").day()
    if since is not None and until is not None and until < since:
        at.fail(f"the period ends on {until}, before it begins on {since}", "swap or correct the days")
    return since, until


def _lower(at: Cursor) -> str | None:
    return None if at.empty else at.text().lower()


def _meant(pattern: str | None, names: tuple[str, ...]) -> bool:
    return pattern is None or any(matches(pattern, name) for name in names)


def _period(one: Discount) -> str:
    parts: list[tuple[str, dt.date | None, Callable[[dt.date], str]]] = [
        ("from", one.since, str),
        ("until", one.until, str),
    ]
    return "".join(f" {word} {show(day)}" for word, day, show in parts if day is not None)
