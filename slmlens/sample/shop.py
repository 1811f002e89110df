"""The sample's invented shop: its articles, its customers and the tickets that they write."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

Texts = Mapping[str, Any]

_EMAIL_SHARE, _PHONE_SHARE, _IBAN_SHARE, _CARD_SHARE = 0.24, 0.09, 0.16, 0.03
_CONFIRMATION_SHARE = 0.9
_DAY_SECONDS = 86_400

# Published examples only: the SWIFT registry's accounts, the card schemes' test cards, and telephone numbers and
# domains that are reserved for fiction and documentation (Ofcom, NANPA, RFC 2606).
_IBANS = (
    "DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "NL91ABNA0417164300", "IE29 AIBK 9311 5212 3456 78",
    "FR14 2004 1010 0505 0001 3M02 606", "ES9121000418450200051332", "AT61 1904 3002 3457 3201", "BE68 5390 0754 7034",
)  # fmt: skip
_CARDS = ("4242 4242 4242 4242", "5555-5555-5555-4444", "4000056655665556", "3782 822463 10005")
_DOMAINS = ("example.com", "example.org", "example.net")


class Product(NamedTuple):
    """An article of the shop."""

    name: str
    sku: str
    cents: int
    material: str
    colour: str
    room: str


@dataclass(frozen=True)
class Shop:
    """Everything that texts are made of."""

    products: Sequence[Product]
    first_names: Sequence[str]
    last_names: Sequence[str]
    cities: Sequence[str]
    words: Texts
    texts: Texts
    prompts: Texts


@dataclass(frozen=True)
class Case:
    """One customer's matter. ``slots`` fill the braces of any sentence; ``planted`` are (kind, value) pairs."""

    number: int
    user: str
    intent: str
    wish: str
    product: Product
    quantity: int
    order: str
    ordered: dt.date
    total_lines: tuple[tuple[int, Product], ...]
    contact: str | None
    iban: str | None
    slots: Mapping[str, str]
    subject: str
    message: str
    confirmation: str | None
    planted: tuple[tuple[str, str], ...]


@cache
def load_shop() -> Shop:
    """Return the shop's texts from the package's own files."""
    import yaml

    folder = files("slmlens.sample")
    words, texts, prompts = (
        yaml.safe_load(folder.joinpath(f"{name}.yaml").read_text("utf-8")) for name in ("words", "texts", "prompts")
    )
    rows = [[cell.strip() for cell in line.split("|")] for line in words["products"]]
    products = [Product(name, sku, int(cents), *rest) for name, sku, cents, *rest in rows]
    first, last, cities = (words[key].split() for key in ("first_names", "last_names", "cities"))
    return Shop(products, first, last, cities, words, texts, prompts)


def euros(cents: int) -> str:
    """Return an amount as customers write it."""
    return f"EUR {cents // 100}.{cents % 100:02d}"


def long_date(day: dt.date) -> str:
    """Return a date such as 5 October 2026."""
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"


def draw_slots(shop: Shop, rng: Random, product: Product, today: dt.date, cents: int) -> dict[str, str]:
    """Return a value for each brace that sentences have."""
    other = rng.choice([p for p in shop.products if p.name != product.name])
    ordered = today - dt.timedelta(days=rng.randrange(2, 30))
    return {
        "product": product.name,
        "other": other.name,
        "order": f"FH-{rng.randrange(400_000, 999_999)}",
        "date": long_date(ordered),
        "weekday": rng.choice(list(calendar.day_name)),
        "days": str(rng.randrange(2, 28)),
        "minutes": str(rng.randrange(4, 58)),
        "year": str(rng.randrange(2014, 2026)),
        "amount": euros(cents),
        "city": rng.choice(shop.cities),
        "carrier": rng.choice(shop.words["carriers"]),
        "colour": product.colour,
        "material": product.material,
        "room": product.room,
        "first": rng.choice(shop.first_names),
        "last": rng.choice(shop.last_names),
    }


def draw_case(shop: Shop, rng: Random, number: int, today: dt.date) -> Case:
    """Return a case in English with its message and, mostly, the confirmation attached to the thread."""
    words = shop.words
    intent = rng.choices(list(words["problems"]), weights=(16, 15, 14, 8, 15, 10, 9, 7, 6))[0]
    product, quantity = rng.choice(shop.products), rng.choice((1, 1, 1, 2, 3, 4))
    slots = draw_slots(shop, rng, product, today, product.cents * quantity)
    ordered = dt.datetime.strptime(slots["date"], "%d %B %Y").replace(tzinfo=dt.UTC).date()
    wish = rng.choice(words["likely_wishes"][intent])
    extras = rng.sample([p for p in shop.products if p.name != product.name], rng.randrange(3))
    lines = [(quantity, product), *((rng.randrange(1, 4), extra) for extra in extras)]
    rng.shuffle(lines)
    subject = rng.choice(words["subjects"][intent]).format(**slots)
    draft = Case(
        number, f"cust-{rng.randrange(10_000, 99_999)}", intent, wish, product, quantity, slots["order"], ordered,
        tuple(lines), None, None, slots, subject, "", None, (),
    )  # fmt: skip
    return _with_message(shop, rng, draft)


def _with_message(shop: Shop, rng: Random, case: Case) -> Case:
    words, slots = shop.words, case.slots
    personal = _personal_data(rng, case)
    sentences = [rng.choice(words["problems"][case.intent])]
    sentences += rng.sample(words["context"], rng.choice((1, 2, 2, 3, 4)))
    sentences.append(rng.choice(words["wishes"][case.wish]))
    sentences += [sentence for _, _, sentence in personal]
    body = " ".join(sentence.format(**slots) for sentence in sentences)
    opening = rng.choice(words["openings"])
    body = body if opening else body[0].upper() + body[1:]
    sign_off = rng.choice(
        (slots["first"], f"{slots['first']} {slots['last']}", f"{slots['first'][0]}. {slots['last']}")
    )
    parts = [opening, body, rng.choice(words["closings"]), sign_off]
    kinds = {kind: value for kind, value, _ in personal}
    message = "\n".join(part for part in parts if part)
    if case.product.name not in message:  # else nobody could tell which article is meant
        case = replace(case, total_lines=((case.quantity, case.product),))
    has_order = case.intent not in ("product_question", "account_access")
    return replace(
        case,
        message=message,
        confirmation=_confirmation(shop, rng, case) if has_order and rng.random() < _CONFIRMATION_SHARE else None,
        contact=kinds.get("EMAIL") or kinds.get("PHONE"),
        iban=kinds.get("IBAN"),
        planted=tuple((kind, value) for kind, value, _ in personal),
    )


def _personal_data(rng: Random, case: Case) -> list[tuple[str, str, str]]:
    """Return (kind, value, sentence) of what the customer gives away."""
    first, last = case.slots["first"], case.slots["last"]
    mail = f"{first}.{last}{rng.randrange(10, 99)}@{rng.choice(_DOMAINS)}".lower()
    tail = rng.randrange(10, 99)
    phone = rng.choice((f"+44 20 7946 0{tail + 100}", f"(202) 555-01{tail}", f"+1 202 555 01{tail}"))
    found = []
    if rng.random() < _EMAIL_SHARE:
        found.append(
            (
                "EMAIL",
                mail,
                rng.choice((f"You can reach me at {mail}.", f"Please write to {mail}.", f"My e-mail is {mail}.")),
            )
        )
    elif rng.random() < _PHONE_SHARE:
        found.append(
            (
                "PHONE",
                phone,
                rng.choice((f"Call me on {phone}.", f"My number is {phone}.", f"Ring {phone} before you come.")),
            )
        )
    if case.wish == "refund" and rng.random() < _IBAN_SHARE:
        iban = rng.choice(_IBANS)
        found.append(
            ("IBAN", iban, rng.choice((f"My IBAN is {iban}.", f"Please transfer it to {iban}.", f"Account: {iban}.")))
        )
    if case.intent == "billing" and rng.random() < _CARD_SHARE * 3:
        card = rng.choice(_CARDS)
        found.append(("CARD", card, f"I paid with card {card}."))
    return found


def _confirmation(shop: Shop, rng: Random, case: Case) -> str:
    total = sum(n * product.cents for n, product in case.total_lines)
    shipping = 0 if total >= 7500 else 495  # noqa: PLR2004 the shop's own terms, in cents
    lines = [f"{n} x {product.name} (SKU {product.sku}) {euros(n * product.cents)}" for n, product in case.total_lines]
    head = [f"Order: {case.order}", f"Placed on: {long_date(case.ordered)}", f"Delivery to: {case.slots['city']}"]
    sums = f"Total: {euros(total + shipping)} incl. {euros(shipping)} shipping"
    notice = shop.texts["dispatch_notice"].format(**case.slots)
    order = "\n".join([*head, *lines, sums])
    parts = (order, shop.texts["confirmation_terms"], notice, _packing_slip(rng, case), _record(shop, rng, case))
    return "\n\n".join(parts)


def _record(shop: Shop, rng: Random, case: Case) -> str:
    """Return the customer's earlier orders, as the shop system prints them."""
    rows, day = [], case.ordered
    for _ in range(rng.randrange(6, 20)):
        day -= dt.timedelta(days=rng.randrange(9, 160))
        product, pieces = rng.choice(shop.products), rng.randrange(1, 4)
        state = rng.choice(("delivered", "delivered", "delivered", "returned", "cancelled", "partly returned"))
        number = f"FH-{rng.randrange(100_000, 400_000)}"
        rows.append(f"{number} {day} {state}: {pieces} x {product.sku} {product.name}, {euros(pieces * product.cents)}")
    return "\n".join(["Earlier orders of this customer, not part of the case:", *rows])


def _packing_slip(rng: Random, case: Case) -> str:
    """Return what text recognition makes of the photographed slip."""
    bay, at = f"{rng.choice('ABCDEF')}-{rng.randrange(1, 60)}", f"{rng.randrange(5, 14)}:{rng.randrange(60):02d}"
    picked = f"PICKED BY {rng.randrange(1, 30):02d}  BAY {bay}  {at}"
    lines = [f"{n} PCS {p.sku} {p.name.upper()}  {n * rng.randrange(150, 4_000)} G" for n, p in case.total_lines]
    size = f"{rng.randrange(20, 80)}X{rng.randrange(20, 60)}X{rng.randrange(10, 50)}"
    carton = f"CARTON {size}  SEAL {rng.randrange(10**5, 10**6)}"
    return "\n".join(["Attachment 1, packing slip:", picked, *lines, carton])


def draw_foreign_message(shop: Shop, rng: Random, language: str, today: dt.date) -> str:
    """Return a customer's message in another language."""
    words = shop.words["foreign"][language]
    product = rng.choice(shop.products)
    slots = draw_slots(shop, rng, product, today, product.cents)
    body = " ".join(rng.sample(words["sentences"], rng.choice((1, 2, 2, 3)))).format(**slots)
    parts = [rng.choice(words["openings"]), body, rng.choice(words["closings"]), f"{slots['first']} {slots['last']}"]
    return "\n".join(part for part in parts if part)


def moment(rng: Random, start: dt.datetime, days: int, *, office_hours: bool) -> dt.datetime:
    """Return a moment of the window: fewer at weekends, by day as people shop or as people work."""
    week = (1.0, 0.98, 0.97, 0.94, 0.88, 0.12, 0.05) if office_hours else (1.0, 0.96, 0.93, 0.92, 0.9, 0.62, 0.7)
    dates = [start + dt.timedelta(days=day) for day in range(days)]
    date = rng.choices(dates, weights=[week[day.weekday()] for day in dates])[0]
    hours = range(7, 19) if office_hours else range(24)
    curve = (
        (1, 4, 8, 10, 9, 5, 6, 9, 9, 7, 4, 1) if office_hours
        else (2, 1, 1, 1, 1, 2, 4, 8, 11, 13, 14, 13, 12, 11, 11, 11, 11, 12, 13, 15, 16, 13, 8, 4)
    )  # fmt: skip
    hour = rng.choices(list(hours), weights=curve)[0]
    return date + dt.timedelta(hours=hour, seconds=rng.randrange(3600), milliseconds=rng.randrange(1000))
