"""The sample's support desk: cases pass through triage, archive, resolver and writer, reviews through moderation."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

from slmlens.sample.calls import Call, Message, compact
from slmlens.sample.shop import Case, Shop, draw_case, draw_foreign_message, draw_slots, euros, long_date, moment

_LABEL_NOISE = 0.02
_FOREIGN_SHARE = 0.12
_TWICE_SHARE = 0.06
_FOLLOW_UP_SHARE = 0.62
_PRIORITY_SHARE = 0.66
_RESOLVER_SHARE = 0.42
_RETURN_SHARE = 0.5
_SUMMARY_SHARE = 0.28
_DISPUTE_SHARE = 0.035
_BLOCK_EVERY = 45
_GOOD_SHARE, _MIXED_SHARE = 0.7, 0.2
_ESCALATE_CENTS = 15_000
_PRIORITY_WEIGHTS = (10, 20, 36, 24, 10)
_TOOLS = (
    "get_order",
    "track_parcel",
    "search_policy",
    "search_catalogue",
    "check_stock",
    "get_history",
    "change_order",
    "create_voucher",
    "escalate",
    "finish",
)
_AT_FAULT = ("damaged_item", "wrong_item")
_DASHES = "-" * 30

Rng = Random


def draw_support(shop: Shop, rng: Rng, start: dt.datetime, days: int, n_cases: int, n_reviews: int) -> list[Call]:
    """Return the calls of that many cases and reviews, without failures."""
    calls: list[Call] = []
    for number in range(n_cases):
        at = moment(rng, start, days, office_hours=False)
        if rng.random() < _FOREIGN_SHARE:
            calls += _foreign_case(shop, rng, number, at)
        else:
            calls += _Desk(shop, rng, draw_case(shop, rng, number, at.date()), at).calls()
    for number in range(n_reviews):
        calls.append(_review(shop, rng, number, moment(rng, start, days, office_hours=False)))
    return calls


def _session(number: int) -> str:
    return f"case-{204_000 + number * 7}"


def _foreign_case(shop: Shop, rng: Rng, number: int, at: dt.datetime) -> list[Call]:
    language = rng.choice(list(shop.words["foreign"]))
    message = draw_foreign_message(shop, rng, language, at.date())
    user = f"cust-{rng.randrange(10_000, 99_999)}"
    return [_language(shop, _session(number), user, at, message, language)]


def _language(shop: Shop, session: str, user: str, at: dt.datetime, message: str, language: str) -> Call:
    messages = _prompt(shop, "detect_language", f"<message>\n{message}\n</message>")
    return Call("detect_language", session, user, at, messages, compact({"language": language}), json_mode=True)


def _prompt(shop: Shop, step: str, user: str) -> list[Message]:
    return [{"role": "system", "content": shop.prompts[step]}, {"role": "user", "content": user}]


class _Desk:
    """Writes down the calls of one case, moving its clock forward."""

    def __init__(self, shop: Shop, rng: Rng, case: Case, at: dt.datetime) -> None:
        self._shop, self._rng, self._case, self._at = shop, rng, case, at
        self._session = _session(case.number)
        self._calls: list[Call] = []
        self._resolution = rng.choice(shop.texts["resolutions"][case.intent])
        self._letters: list[tuple[str, str]] = [("Customer", case.message)]

    def calls(self) -> list[Call]:
        rng, case = self._rng, self._case
        self._triage(case.message, case.subject, score=rng.random() < _PRIORITY_SHARE)
        self._extract(case.message)
        if rng.random() < _RESOLVER_SHARE:
            self._resolve()
        if self._resolution == "start_return" or (case.intent in _AT_FAULT and rng.random() < _RETURN_SHARE):
            self._return_form()
        self._reply()
        if rng.random() < _SUMMARY_SHARE:
            self._summarise()
        if rng.random() < _DISPUTE_SHARE:
            self._settle()
        if rng.random() < _TWICE_SHARE:
            self._sent_twice()
        return self._calls

    def _add(self, task: str, messages: list[Message], answer: str | None = None, **extra: Any) -> None:  # noqa: ANN401
        self._at += dt.timedelta(milliseconds=self._rng.randrange(1_800, 14_000))
        planted = tuple((kind, value) for kind, value in self._case.planted if any(value in _text(m) for m in messages))
        self._calls.append(
            Call(task, self._session, self._case.user, self._at, messages, answer, planted=planted, **extra)
        )

    def _triage(self, message: str, subject: str, *, score: bool) -> None:
        self._calls.append(_language(self._shop, self._session, self._case.user, self._at, message, "en"))
        ticket = f"Subject: {subject}\n\n{message}"
        intents = list(self._shop.words["problems"])
        intent = self._rng.choice(intents) if self._rng.random() < _LABEL_NOISE else self._case.intent
        self._add(
            "route_intent", _prompt(self._shop, "route_intent", ticket), compact({"intent": intent}), json_mode=True
        )
        if score:
            priority = self._rng.choices(range(1, 6), weights=_PRIORITY_WEIGHTS)[0]
            messages = _prompt(self._shop, "score_priority", ticket)
            self._add("score_priority", messages, compact({"priority": priority}), json_mode=True)

    def _extract(self, message: str) -> None:
        case = self._case
        known = case.confirmation is not None
        facts = {
            "order_number": case.order if known else None,
            "article": case.product.name if known or case.product.name in message else None,
            "sku": case.product.sku if known else None,
            "quantity": case.quantity if known else None,
            "order_date": case.ordered.isoformat() if known else None,
            "amount": case.quantity * case.product.cents / 100 if known else None,
            "city": case.slots["city"] if known else None,
            "contact": case.contact if case.contact and case.contact in message else None,
            "desired_outcome": case.wish,
        }
        thread = f"Message:\n{message}\n{_DASHES}\n{case.confirmation or '(no order attached)'}"
        self._add(
            "extract_case_facts", _prompt(self._shop, "extract_case_facts", thread), compact(facts), json_mode=True
        )

    def _resolve(self) -> None:
        case = self._case
        contact = self._rng.choices((1, 2), weights=(9, 1))[0]
        brief = f"Case {self._session}\nIntent: {case.intent}\nContact no.: {contact}\n\n{case.message}"
        messages = _prompt(self._shop, "choose_action", brief)
        for turn, (name, arguments, result) in enumerate(self._actions()):
            self._add("choose_action", list(messages), tool=(name, arguments), offered=_TOOLS)
            call_id = f"call_{self._session[5:]}{turn}"
            function = {"name": name, "arguments": compact(arguments)}
            called = {"id": call_id, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [called]})
            messages.append({"role": "tool", "tool_call_id": call_id, "content": compact(result)})

    def _actions(self) -> list[tuple[str, dict[str, Any], object]]:
        case, rng, shop = self._case, self._rng, self._shop
        steps: list[tuple[str, dict[str, Any], object]] = []
        tracking = f"{case.slots['carrier'][:2].upper()}{rng.randrange(10**9, 10**10)}"
        if case.intent == "product_question":
            steps.append(("search_catalogue", {"name": case.product.name}, self._sheet()))
        elif case.intent == "account_access":
            steps.append(self._policy())
        else:
            steps.append(("get_order", {"order_number": case.order}, self._order(tracking)))
        if case.intent in ("order_status", "delivery_problem"):
            arguments = {"carrier": case.slots["carrier"], "tracking_number": tracking}
            steps.append(("track_parcel", arguments, self._scans()))
        elif case.intent in ("damaged_item", "wrong_item", "return_refund"):
            steps.append(self._policy())
        value = case.quantity * case.product.cents
        if case.intent in ("damaged_item", "delivery_problem", "billing") and value > _ESCALATE_CENTS:
            team = "billing" if case.intent == "billing" else "claims"
            steps.append(("escalate", {"team": team, "reason": f"{case.intent} above EUR 150"}, {"ok": True}))
        else:
            steps.append(("finish", {"resolution": shop.texts["resolutions"][case.intent][0]}, {"ok": True}))
        return steps

    def _policy(self) -> tuple[str, dict[str, Any], object]:
        found = self._rng.sample(self._shop.texts["policies"], 2)
        paragraphs = [{"id": name, "title": title, "text": text} for name, title, text in found]
        query = self._rng.choice(self._shop.texts["policy_queries"][self._case.intent])
        return "search_policy", {"query": query}, {"results": paragraphs}

    def _sheet(self) -> dict[str, Any]:
        product = self._case.product
        size = f"{self._rng.randrange(8, 120)} x {self._rng.randrange(8, 90)} cm"
        in_stock = self._rng.randrange(60)
        return {
            "sku": product.sku,
            "material": product.material,
            "colour": product.colour,
            "size": size,
            "in_stock": in_stock,
        }

    def _order(self, tracking: str) -> dict[str, Any]:
        case = self._case
        status = "packed" if case.intent in ("order_status", "change_or_cancel") else "delivered"
        lines = [{"sku": p.sku, "name": p.name, "quantity": n, "price": n * p.cents / 100} for n, p in case.total_lines]
        sent = {"carrier": case.slots["carrier"], "tracking_number": tracking}
        return {
            "order_number": case.order,
            "status": status,
            "placed_on": case.ordered.isoformat(),
            "lines": lines,
            **sent,
        }

    def _scans(self) -> dict[str, Any]:
        rng, at = self._rng, self._at - dt.timedelta(hours=30)
        events = []
        for text in rng.sample(
            ["out for delivery", "arrived at depot", "left depot", "handed over", "address unclear", "delay"], 4
        ):
            events.append(
                {"at": at.isoformat(timespec="minutes"), "place": rng.choice(self._shop.cities), "text": text}
            )
            at -= dt.timedelta(minutes=rng.randrange(90, 900))
        return {"events": events}

    def _return_form(self) -> None:
        case = self._case
        reason = {"damaged_item": "DMG", "wrong_item": "WRG"}.get(case.intent, "NLK")
        resolution = case.wish if case.wish in ("refund", "replacement", "repair") else "refund"
        form = {
            "order_number": case.order, "sku": case.product.sku, "quantity": case.quantity, "reason_code": reason,
            "resolution": resolution, "pays_shipping": "customer" if reason == "NLK" else "fernhollow",
            "handover": "pickup" if case.product.sku[:3] in ("FUR", "RUG") else "drop_off",
        }  # fmt: skip
        if case.iban:
            form["refund_iban"] = case.iban
        notes = (
            f"Case {self._session}\nOrder number: {case.order}\nArticle number: {case.product.sku}\n"
            f"Ordered quantity: {case.quantity}\nIntent: {case.intent}\nAgreed: {resolution}\n\n"
            f"Customer wrote:\n{case.message}"
        )
        self._add(
            "fill_return_form",
            _prompt(self._shop, "fill_return_form", notes),
            tool=("create_return", form),
            offered=("create_return",),
        )

    def _reply(self) -> None:
        case, slots, rng = self._case, self._case.slots, self._rng
        facts = [
            f"Article: {case.product.name}, {case.product.colour} ({case.product.material})",
            f"Order: {case.order} of {long_date(case.ordered)}",
            f"Value: {euros(case.quantity * case.product.cents)}",
            f"Carrier: {slots['carrier']}",
            f"Destination: {slots['city']}",
        ]
        rng.shuffle(facts)
        head = f"Case notes\nCustomer: {slots['first']} {slots['last']}\nIntent: {case.intent}"
        facts.insert(0, f"Resolution: {self._resolution}")
        notes = "\n".join([head, *facts, "", "Message:", case.message])
        messages = _prompt(self._shop, "draft_reply", notes)
        letter = self._letter()
        self._add("draft_reply", list(messages), letter)
        self._letters.append(("Desk", letter))
        if rng.random() < _FOLLOW_UP_SHARE:
            self._follow_up(messages, letter)

    def _follow_up(self, messages: list[Message], letter: str) -> None:
        rng, words = self._rng, self._shop.words
        self._at += dt.timedelta(minutes=rng.randrange(40, 2_600))
        text = rng.choice(words["follow_ups"]).format(context=rng.choice(words["context"]), **self._case.slots)
        text = f"{text.format(**self._case.slots)}\n{self._case.slots['first']}"
        self._letters.append(("Customer", text))
        self._extract(f"{text}\n\nEarlier message:\n{self._case.message}")
        again = [*messages, {"role": "assistant", "content": letter}, {"role": "user", "content": text}]
        second = f"{rng.choice(self._shop.texts['reply_again'])}\n\nThe Fernhollow desk".format(**self._case.slots)
        self._add("draft_reply", again, second)
        self._letters.append(("Desk", second))

    def _letter(self) -> str:
        texts, rng, intent = self._shop.texts, self._rng, self._case.intent
        done = texts["reply_done"].get(intent) or texts["reply_done"][self._resolution]
        following = texts["reply_next"].get(intent) or texts["reply_next"][self._resolution]
        body = [
            rng.choice(texts["reply_understood"][intent]),
            *rng.sample(done, rng.choice((1, 1, 2))),
            rng.choice(following),
        ]
        text = " ".join(body).format(**self._case.slots)
        close = rng.choice(texts["reply_close"]).format(**self._case.slots)
        greeting = rng.choice(texts["reply_greetings"]).format(**self._case.slots)
        return "\n\n".join([greeting, text[0].upper() + text[1:], close, "The Fernhollow desk"])

    def _summarise(self) -> None:
        texts, rng, slots = self._shop.texts, self._rng, self._case.slots
        transcript = "\n\n".join(f"[{who}]\n{text}" for who, text in self._letters)
        parts = [
            rng.choice(texts["summary_wanted"][self._case.intent]),
            rng.choice(texts["summary_done"][self._resolution]),
        ]
        summary = " ".join([*parts, rng.choice(texts["summary_end"])]).format(**slots)
        self._add("summarise_case", _prompt(self._shop, "summarise_case", f"Transcript\n\n{transcript}"), summary)

    def _settle(self) -> None:
        texts, rng, case = self._shop.texts["disputes"], self._rng, self._case
        share = rng.choice((40, 50, 60, 75, 80, 100, 110))
        facts = {
            key: rng.choice(texts[key])
            for key in ("issue", "claim", "counter", "excuse", "factor_a", "factor_b", "winner", "goods")
        }
        slots = {**case.slots, **facts, "weight": f"{rng.uniform(0.4, 19):.2f}", "share": str(share)}
        slots["settled"] = f"{case.quantity * case.product.cents * share / 10_000:.2f}"
        clauses = [f"{i}. {text.format(**slots)}" for i, text in enumerate(texts["clauses"].values(), 1)]
        record = "\n\n".join(f"[{who}]\n{text}" for who, text in self._letters)
        dossier = f"Dossier of case {self._session}\nIssue: {facts['issue']}\nCarrier's answer: {facts['excuse']}\n\n"
        dossier += f"Confirmation:\n{case.confirmation or 'none on file'}\n\nCorrespondence:\n{record}"
        self._at += dt.timedelta(days=2)
        self._add("settle_dispute", _prompt(self._shop, "settle_dispute", dossier), "\n\n".join(clauses))

    def _sent_twice(self) -> None:
        """Open a second case with the same ticket: the customer sent the form twice, and triage sees it again."""
        first, self._calls = self._calls, []
        self._at = first[0].at + dt.timedelta(seconds=self._rng.randrange(30, 400))
        self._session += "1"
        self._triage(self._case.message, self._case.subject, score=any(call.task == "score_priority" for call in first))
        self._extract(self._case.message)
        self._calls = [*first, *self._calls]


def _text(message: Message) -> str:
    return str(message.get("content") or "")


def _review(shop: Shop, rng: Rng, number: int, at: dt.datetime) -> Call:
    product = rng.choice(shop.products)
    slots = draw_slots(shop, rng, product, at.date(), product.cents)
    blocked = number % _BLOCK_EVERY == _BLOCK_EVERY // 2
    good = rng.random() < _GOOD_SHARE and not blocked
    sentences = rng.sample(shop.texts["reviews_good" if good else "reviews_bad"], rng.choice((1, 2, 2, 3)))
    if rng.random() < _MIXED_SHARE:
        sentences.append(rng.choice(shop.texts["reviews_good"]))
    if blocked:
        sentences.append(rng.choice(shop.texts["reviews_block"]))
    rng.shuffle(sentences)
    text = " ".join(dict.fromkeys(sentences)).format(**slots)
    stars = rng.randrange(4, 6) if good else rng.randrange(1, 4)
    messages = _prompt(
        shop,
        "moderate_review",
        f"Article: {product.name}\nStars: {stars}\nReview no. {rng.randrange(10**5, 10**6)}\n\n{text}",
    )
    answer = compact({"action": "block" if blocked else "allow"})
    return Call(
        "moderate_review",
        f"review-{70_000 + number * 3}",
        f"cust-{rng.randrange(10_000, 99_999)}",
        at,
        messages,
        answer,
        json_mode=True,
    )
