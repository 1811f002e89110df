"""The sample's operations assistant: help widget, manifests, SQL, replenishment plans and a nightly batch."""

from __future__ import annotations

import calendar
import datetime as dt
import math
from random import Random
from typing import NamedTuple

from slmlens.sample.calls import Call, Message, compact
from slmlens.sample.shop import Product, Shop, draw_slots, euros, long_date, moment

EDITED_ON_DAY = 17
"""Day of the window on which the prompt of ``sql_analyst`` is edited."""
BATCH_DAYS = (4, 11, 18, 25, 32)
"""Days of the window whose night runs the batch."""

_POPULARITY = 1.1
_WEEKS = 8
_SERVICE = 1.645  # of a normal distribution at 95 %
_COLOURS = (
    "gold", "black", "natural", "white", "oatmeal", "blue", "green", "rust", "grey", "silver", "cream", "red", "brown",
    "clear",
)  # fmt: skip
_ROOMS = ("bedroom", "living room", "dining room", "office", "bathroom", "hallway", "kitchen", "garden")
_MATERIALS = (
    "oak", "ash", "beech", "walnut", "pine", "steel", "brass", "copper", "iron", "zinc", "wool", "cotton", "linen",
    "felt", "jute", "rattan", "willow", "bamboo", "ceramic", "stoneware", "porcelain", "glass", "terracotta", "soy wax",
    "leather", "cork",
)  # fmt: skip
_WINTER = ("wool", "felt", "soy wax")
_DEPOTS = ("North", "South", "East", "West", "Quay", "Central", "Park", "Hill")
_COUNTRIES = ("IE", "GB", "DE", "NL", "BE", "DK", "SE", "AT", "FR", "ES", "IT", "PL")
_DEPARTMENTS = ("lighting", "textiles", "furniture", "kitchen", "garden", "decoration", "rugs", "storage", "bath")
_CODES = ("WELCOME10", "AUTUMN15", "FRIENDS", "NEWS5", "BLACKFRI")
_ASIDES = (
    "", "", "", "Hi, ", "Quick one: ", "For the Monday round: ", "Please: ", "The board wants to know: ", "Morning! ",
    "Can you check: ", "Rafael asks: ", "For the season review: ", "I need this for a slide: ", "Out of curiosity: ",
)  # fmt: skip
_PASTED = (
    (
        "CONNECTION",
        "report:Kestrel-41x@10.20.3.7:5432",
        "The tool says it can't connect to postgres://{value}/shop, but first: ",
    ),
    (
        "SECRET",
        "sk-proj-q7Rk2VbN9tYwX4mJ8cLzA1sDfG5hPeUiO3nB6vT0",
        "(the old script with OPENAI_API_KEY={value} no longer runs) ",
    ),
    ("IP", "10.20.3.12", "Same as on the replica at {value}, please: "),
)


def draw_ops(shop: Shop, rng: Random, start: dt.datetime, days: int, sizes: dict[str, int]) -> list[Call]:
    """Return the calls of the operations assistant, without failures; ``sizes`` says how many of each step."""
    edit = start + dt.timedelta(days=min(EDITED_ON_DAY, days // 2))
    nights = [start + dt.timedelta(days=day, hours=2) for day in BATCH_DAYS if day < days] or [start]

    def at_work() -> dt.datetime:
        return moment(rng, start, days, office_hours=True)

    return [
        *(_faq(shop, rng, i, moment(rng, start, days, office_hours=False)) for i in range(sizes["faq_answer"])),
        *(_manifest(shop, rng, i, at_work()) for i in range(sizes["normalise_manifest_line"])),
        *(_sql(shop, rng, i, at_work(), edit) for i in range(sizes["sql_analyst"])),
        *(_plan(shop, rng, i, at_work()) for i in range(sizes["plan_replenishment"])),
        *(
            _tag(shop, rng, nights[i % len(nights)] + dt.timedelta(seconds=2 * i))
            for i in range(sizes["tag_catalogue"])
        ),
    ]


def _prompt(shop: Shop, step: str, user: str, more: str = "") -> list[Message]:
    system = "\n\n".join(part for part in (shop.prompts[step], more) if part)
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _faq(shop: Shop, rng: Random, number: int, at: dt.datetime) -> Call:
    questions = shop.texts["faq"]
    weights = [1 / (rank + 1) ** _POPULARITY for rank in range(len(questions))]
    question, answer = rng.choices(questions, weights=weights)[0]
    return Call("faq_answer", f"conv_w{500_000 + number * 11}", None, at, _prompt(shop, "faq_answer", question), answer)


def _manifest(shop: Shop, rng: Random, number: int, at: dt.datetime) -> Call:
    day = at.date() - dt.timedelta(days=rng.randrange(3))
    written = rng.choice((long_date(day), f"{calendar.month_name[day.month]} {day.day} {day.year}", day.isoformat()))
    depot = f"{rng.choice(shop.cities)} {rng.choice(_DEPOTS)}"
    row = {
        "Carrier": rng.choice(shop.words["carriers"]),
        "Parcel": f"{rng.choice('NPSTW')}{rng.choice('ABCDEFGH')}{rng.randrange(10**8, 10**9)}",
        "Date": written,
        "Depot": depot,
        "Weight": f"{rng.randrange(180, 24_000)} g",
        "Pieces": str(rng.randrange(1, 9)),
    }
    order = list(row)
    rng.shuffle(order)
    line = "; ".join(f"{label}: {row[label]}" for label in order)
    answer = compact({
        "carrier": row["Carrier"], "parcel": row["Parcel"], "date": day.isoformat(), "depot": depot,
        "weight": row["Weight"], "pieces": int(row["Pieces"]),
    })  # fmt: skip
    return Call(
        "normalise_manifest_line",
        f"conv_m{300_000 + number * 13}",
        f"dock-{number % 8}",
        at,
        _prompt(shop, "normalise_manifest_line", line),
        answer,
        json_mode=True,
    )


def _period(rng: Random, today: dt.date) -> tuple[str, dt.date, dt.date]:
    """Return a period in words, its first day and the day after its last."""
    first = today.replace(day=1)
    before = (first - dt.timedelta(days=1)).replace(day=1)
    kind = rng.randrange(4)
    if kind == 0:
        return "last month", before, first
    if kind == 1:
        month = rng.randrange(1, 10)
        until = dt.date(today.year, month + 1, 1)
        return f"in {calendar.month_name[month]}", dt.date(today.year, month, 1), until
    if kind == 2:  # noqa: PLR2004
        since = today - dt.timedelta(days=rng.randrange(5, 60))
        return f"since {since.day} {calendar.month_name[since.month]}", since, today + dt.timedelta(days=1)
    quarter = rng.randrange(3)
    name = ("first", "second", "third")[quarter]
    return f"in the {name} quarter", dt.date(today.year, 1 + 3 * quarter, 1), dt.date(today.year, 4 + 3 * quarter, 1)


def _sql(shop: Shop, rng: Random, number: int, at: dt.datetime, edit: dt.datetime) -> Call:
    period, since, until = _period(rng, at.date())
    columns = rng.choice(("country", "channel"))
    slots = {
        "country": rng.choice(_COUNTRIES), "country_or_channel": columns, "department": rng.choice(_DEPARTMENTS),
        "n": str(rng.randrange(3, 60)), "carrier": rng.choice(shop.words["carriers"]),
        "sku": rng.choice(shop.products).sku, "code": rng.choice(_CODES), "period": period,
        "intent": rng.choice(list(shop.words["problems"])),
        "period_sql": f"placed_at >= DATE '{since}' AND placed_at < DATE '{until}'",
        "ticket_period_sql": f"opened_at >= DATE '{since}' AND opened_at < DATE '{until}'",
    }  # fmt: skip
    template = rng.choice(shop.texts["sql"])
    planted: tuple[tuple[str, str], ...] = ()
    aside = rng.choice(_ASIDES)
    if number % 40 == 7:  # noqa: PLR2004
        kind, value, words = _PASTED[number // 40 % len(_PASTED)]
        aside, planted = words.format(value=value), ((kind, value),)
    question = aside + template["question"].format(**slots)
    more = shop.prompts["sql_analyst_edit"] if at >= edit else ""
    answer = f"```sql\n{template['query'].format(**slots)}\n```"
    person = number % 11
    messages = _prompt(shop, "sql_analyst", question, more)
    return Call(
        "sql_analyst", f"conv_q{at:%m%d}{person:02d}", f"staff-{person:02d}", at, messages, answer, planted=planted
    )


class _Stock(NamedTuple):
    """A line of a stock sheet."""

    product: Product
    on_hand: int
    reserved: int
    on_order: int
    sold: int
    lead_days: int
    pack: int

    @property
    def weekly(self) -> float:
        return self.sold / _WEEKS

    @property
    def free(self) -> int:
        return max(0, self.on_hand - self.reserved)

    def order_up_to(self) -> tuple[int, int, int]:
        """Return the need over lead time and a week, the safety stock, and the order rounded up to packs."""
        need = round(self.weekly * (self.lead_days / 7 + 1))
        safety = round(_SERVICE * self.spread * math.sqrt(self.lead_days / 7))
        return need, safety, -(-max(1, need + safety - self.free - self.on_order) // self.pack) * self.pack

    @property
    def spread(self) -> float:
        return self.weekly * 0.3

    def line(self, margin: int) -> str:
        return (
            f"{self.product.sku} {self.product.name}: on hand {self.on_hand}, reserved {self.reserved}, "
            f"on order {self.on_order}, sold {self.sold} in {_WEEKS} weeks, lead time {self.lead_days} days, "
            f"pack of {self.pack}, margin {euros(margin)}"
        )


def _draw_stock(rng: Random, product: Product) -> _Stock:
    on_order, sold, lead = rng.randrange(3) * 24, rng.randrange(12, 400), rng.randrange(10, 60)
    return _Stock(product, rng.randrange(120), rng.randrange(20), on_order, sold, lead, rng.choice((1, 4, 6, 12)))


def _plan(shop: Shop, rng: Random, number: int, at: dt.datetime) -> Call:
    sheet = [_draw_stock(rng, product) for product in rng.sample(list(shop.products), rng.randrange(6, 11))]
    first, second, third = sorted(sheet, key=lambda stock: stock.free / stock.weekly)[:3]
    slots = draw_slots(shop, rng, first.product, at.date(), first.product.cents)
    need, safety, pieces = first.order_up_to()
    late = rng.randrange(3, 14)
    figures = {
        "budget": f"{rng.randrange(20, 240) * 100:,}", "pallets": str(rng.randrange(4, 30)),
        "a": first.product.name, "b": second.product.name, "c": third.product.name, "qa": str(pieces),
        "qb": str(second.order_up_to()[2]), "sales": str(first.sold), "weekly": f"{first.weekly:.1f}",
        "weekly_c": f"{third.weekly:.1f}", "lead": str(first.lead_days), "need": str(need), "free": str(first.free),
        "spread": f"{first.spread:.1f}", "safety": str(safety), "point": str(need + safety), "out": str(late),
        "loss": str(round(first.weekly / 7 * late * first.product.cents / 250)), "over": str(max(1, pieces // 5)),
    }  # fmt: skip
    texts = shop.texts["plan"]
    rows = "\n".join(stock.line(stock.product.cents * rng.randrange(25, 60) // 100) for stock in sheet)
    request = f"{rng.choice(texts['constraints'])}\n\nStock sheet of {long_date(at.date())}\n{rows}"
    reasons = sorted(rng.sample(range(len(texts["reasons"])), rng.randrange(4, 7)))
    parts = [rng.choice(texts["decisions"]), *(texts["reasons"][i] for i in reasons)]
    parts += [*rng.sample(texts["risks"], rng.randrange(1, 4)), rng.choice(texts["checks"])]
    answer = "\n\n".join(parts).format(**{**slots, **figures})
    messages = _prompt(shop, "plan_replenishment", request.format(**{**slots, **figures}))
    return Call("plan_replenishment", f"conv_p{9_000 + number * 5}", f"staff-{20 + number % 7}", at, messages, answer)


def _tag(shop: Shop, rng: Random, at: dt.datetime) -> Call:
    material, colour, room = rng.choice(_MATERIALS), rng.choice(_COLOURS), rng.choice(_ROOMS)
    product = rng.choice(shop.products)
    slots = {
        **draw_slots(shop, rng, product, at.date(), product.cents),
        "material": material,
        "colour": colour,
        "room": room,
    }
    texts = shop.texts["catalogue"]
    core = [rng.choice(texts[part]) for part in ("materials", "colours", "rooms")]
    core += rng.sample(texts["fillers"], rng.randrange(0, 4))
    rng.shuffle(core)
    text = " ".join([rng.choice(texts["openings"]), *core]).format(**slots)
    season = "summer" if room == "garden" else "winter" if material in _WINTER else "all"
    tags = {"material": material, "colour": colour, "room": room, "season": season}
    return Call(
        "tag_catalogue",
        f"conv_batch{at:%Y%m%d}",
        None,
        at,
        _prompt(shop, "tag_catalogue", text),
        compact(tags),
        json_mode=True,
    )
