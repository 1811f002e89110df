"""Detectors of payment cards, bank accounts and US social security numbers: by check digits, shape and context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from slmlens.curation.spans import Span, boundary, digits_of, following, preceding

_GAP = "[ .\\-\u00a0\u2009\u202f\u2010-\u2013]"
_NOT_AFTER = r"(?![0-9A-Za-z_]|[.,-][0-9])"
_CARD = re.compile(
    rf"(?:[0-9]{{4}}{_GAP}{{1,2}}[0-9]{{4}}{_GAP}{{1,2}}[0-9]{{4}}{_GAP}{{1,2}}[0-9]{{4}}(?:{_GAP}[0-9]{{1,3}})?"
    rf"|[0-9]{{4}}{_GAP}{{1,2}}[0-9]{{6}}{_GAP}{{1,2}}[0-9]{{4,5}}|[0-9]{{13,19}}){_NOT_AFTER}"
)
_CARD_WORD = re.compile(r"card|visa|mastercard|amex|\bpan\b|cc[_ ]?(?:num|no)|credit|debit|karte|tarjeta|carte")
_ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),  # Mastercard
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (6011, 6011, (16, 19)),  # Discover
    (644, 659, (16, 19)),
    (300, 305, (14, 16)),  # Diners Club
    (36, 36, (14, 16)),
    (38, 39, (14, 16)),
    (3528, 3589, (16, 19)),  # JCB
    (62, 62, (16, 17, 18, 19)),  # UnionPay
    (2200, 2204, (16,)),  # Mir
    (5018, 5018, (16, 19)),  # Maestro
    (5020, 5020, (16, 19)),
    (5038, 5038, (16, 19)),
    (6304, 6304, (16, 19)),
    (6759, 6763, (16, 19)),
)
"""First and last prefix and the lengths each issuer uses (ISO/IEC 7812 ranges as published by the card schemes)."""
_SELF_EVIDENT_LENGTHS = (15, 16)


def luhn(digits: str) -> bool:
    """Tell whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def cards(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield payment cards inside a stretch of digits: issuer prefix, length and Luhn, bare or in the usual groups."""
    for found in _CARD.finditer(text, start, min(len(text), end + 3)):
        before = boundary(text, found.start())
        digits = digits_of(found.group())
        if before.isalnum() or before in {"_", ".", "-"} or not _issued(digits) or not luhn(digits):
            continue
        bare = len(digits) == len(found.group())
        if not bare or len(digits) in _SELF_EVIDENT_LENGTHS or _is_announced(_CARD_WORD, text, found):
            yield Span(found.start(), found.end(), "CARD", digits)


def _is_announced(word: re.Pattern[str], text: str, found: re.Match[str]) -> bool:
    return bool(word.search(preceding(text, found.start())) or word.search(following(text, found.end())))


def _issued(digits: str) -> bool:
    return (
        any(
            first <= int(digits[: len(str(first))]) <= last and len(digits) in lengths
            for first, last, lengths in _ISSUERS
        )
        and len(set(digits)) > 1
    )


_IBAN_LENGTHS = {
    country: int(length)
    for length, *countries in map(str.split, (
        "15 NO", "16 BE", "18 DK FO FI GL NL SD FK", "19 MK SI", "20 AT BA EE KZ XK LT LU MN", "21 HR LV LI CH",
        "22 BH BG CR GE DE IE ME RS GB VA", "23 GI IL AE IQ TL SO OM", "24 AD CZ MD PK RO SA SK ES SE TN VG DZ",
        "25 PT ST LY", "26 IS TR", "27 FR GR IT MC SM MR BI DJ", "28 AL AZ BY CY DO GT HU LB PL SV NI",
        "29 BR EG PS QA UA", "30 JO KW MU YE", "31 MT SC", "32 LC", "33 RU",
    ))
    for country in countries
}  # fmt: skip
"""Length of an IBAN by country (SWIFT IBAN Registry)."""
_IBAN_MIN_DIGITS = 8


def iban(text: str, start: int) -> Iterator[Span]:
    """Yield the bank account that begins at ``start``: the country's length and check digits (ISO 13616, mod 97)."""
    before = boundary(text, start)
    country = text[start : start + 2].upper()
    if country not in _IBAN_LENGTHS or before.isalnum() or before == "_":
        return
    found = _iban_body(_IBAN_LENGTHS[country]).match(text, start)
    if found is None:
        return
    value = re.sub("[^0-9A-Z]", "", found.group().upper())
    if len(digits_of(value)) >= _IBAN_MIN_DIGITS and mod97(value[4:] + value[:4]) == 1:
        yield Span(start, found.end(), "IBAN", value)


@cache
def _iban_body(length: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Za-z]{{2}}(?:{_GAP}{{0,2}}[0-9A-Za-z]){{{length - 2}}}(?![0-9A-Za-z_])")


def mod97(value: str) -> int:
    """Return the remainder by 97 of a text whose letters count as 10 to 35 (ISO 7064)."""
    return int("".join(str(int(c, 36)) for c in value)) % 97


_SSN = re.compile(
    r"(?!000|666|9[0-9]{2}[- ]?(?:[0-4]|6[6-9]|89|93))[0-9]{3}([- ]?)(?!00)[0-9]{2}\1(?!0000)[0-9]{4}"
    r"(?![0-9A-Za-z_]|[.-][0-9])"
)
_SSN_WORD = re.compile(r"(?<![a-z])(?:ssn|itin)(?![a-z])|social[ _-]?security")


def social_security(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield US social security numbers and ITINs: as 3-2-4 with dashes, or after a telling word."""
    for found in _SSN.finditer(text, start, min(len(text), end + 3)):
        before = boundary(text, found.start())
        if before.isalnum() or before in {"_", "-", ".", "+"}:
            continue
        if found.group(1) == "-" or _is_announced(_SSN_WORD, text, found):
            yield Span(found.start(), found.end(), "SSN", digits_of(found.group()))
