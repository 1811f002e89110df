"""Detectors of e-mail addresses and telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from slmlens.curation.spans import Span, after_escape, boundary, digits_of, following, preceding

_SIGNS = ("@", "%40", "\\u0040", "[at]", "(at)")
_LOCAL_WIDTH = 64  # RFC 5321, 4.5.3.1.1
_LOCAL = re.compile(r"(?:[\w.+-]|%2[bB]|(?<=\w)'(?=\w))+$")
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN = re.compile(
    rf"((?:{_LABEL}(?:\.|\s?[\[(]dot[\])]\s?)){{1,8}}?)([^\W\d_]{{2,24}})(?![\w-])(?!\.[^\W_])", re.IGNORECASE
)
_CODE_AFTER = re.compile(r"\s?[(\[=](?!\s?mailto)|\s[-+*/@]\s|:/?[\w-]+/")
_NOT_TLD = re.compile(
    r"bmp|bz2|cpp|css|csv|dtype|gif|gz|html|ico|inv|ipynb|jpeg|jpg|js|json|jsx|log|md|mjs|pdf|png|py|reshape"
    r"|rst|shape|sql|svg|tool|toml|transpose|ts|tsx|txt|vue|webp|whl|xml|yaml|yml|zip",
    re.IGNORECASE,
)
"""File endings and array attributes that follow an @ in code; ``zip`` is a domain too, and far rarer than the file."""


def emails(text: str) -> Iterator[Span]:
    """Yield e-mail addresses: plain, percent-encoded, JSON-escaped, and spelt with [at] and [dot]."""
    for sign in _SIGNS:
        at = text.find(sign)
        while at >= 0:
            found = _address(text, at, at + len(sign))
            if found:
                yield found
            at = text.find(sign, at + len(sign))


def _address(text: str, at: int, after: int) -> Span | None:
    end_of_local = at - 1 if text[at - 1 : at] == " " and text[at] in "[(" else at
    start_of_domain = after + 1 if text[after : after + 1] == " " and text[at] in "[(" else after
    domain = _DOMAIN.match(text, start_of_domain)
    if domain is None or _NOT_TLD.fullmatch(domain.group(2)) or _CODE_AFTER.match(text, domain.end()):
        return None
    local = _LOCAL.search(text[max(0, end_of_local - _LOCAL_WIDTH) : end_of_local])
    if local is None:
        return None
    start = after_escape(text, end_of_local - len(local.group()))
    name = text[start:end_of_local].lstrip(".-'")
    if not name or name.lower() == "git":
        return None
    host = re.sub(r"\s?[\[(]dot[\])]\s?", ".", domain.group().lower())
    return Span(end_of_local - len(name), domain.end(), "EMAIL", f"{unquote(name).lower()}@{host}")


_AFTER_PLUS = r"\(?[1-9][0-9]{0,3}\)?(?:[ .\-/()\u00a0\u2009\u202f\u2010-\u2013]{0,3}[0-9]){5,14}"
_PLUS = tuple((sign, re.compile(re.escape(sign) + _AFTER_PLUS)) for sign in ("+", "%2B", "%2b", "\\u002b", "\\u002B"))
_GROUP_END = re.compile(r"[0-9](?![0-9])")
_SEP = "[ .\\-\u00a0\u2009\u202f\u2010-\u2013]"
_EXTENSION = r"(?:\s?x\.?\s?|,?\s?ext(?:ension)?\.?\s?)[0-9]{1,6}"
_AT_EXTENSION = re.compile(_EXTENSION)
_AMERICAN = re.compile(
    rf"(?:1{_SEP})?(?:\([2-9][0-9]{{2}}\){_SEP}?[2-9][0-9]{{2}}{_SEP}?[0-9]{{4}}"
    r"|[2-9][0-9]{2}([-\u2010-\u2013])[2-9][0-9]{2}\1[0-9]{4}|[2-9][0-9]{2} [2-9][0-9]{2}-[0-9]{4}"
    rf"|[2-9][0-9]{{2}}\.[2-9][0-9]{{2}}\.[0-9]{{4}})(?:{_EXTENSION})?(?![0-9A-Za-z_]|[.-][0-9])"
)
_ZEROS = re.compile(r"(?!00[0-9]{2}-[0-9]{2}-[0-9]{2}[ T])00[1-9][0-9]{0,2}(?:[ .\-/()]{1,3}[0-9]{2,8}){2,5}(?![0-9])")
_PHONE_WORD = re.compile(
    r"(?:\bphone|\btel\b|telephone|mobile|\bcell\b|cellphone|\bfax|whatsapp|\bsms\b|telefon|handynummer|t[eé]l[eé]phone|portable"
    r"|tel[eé]fono|m[oó]vil|celular|call (?:me|us|him|her|them)|\bdial\b|hotline)"
    r"(?:[ _-]?(?:number|no\.?|nr\.?|num|n°))?\.?[\"'\\]{0,4}(?: (?:is|at|on|under|to))?[\s:=\"'\\#]{0,6}$"
)
_PHONE_WORD_AFTER = re.compile(
    r" is (?:[a-z]{2,8} ){0,2}(?:phone|tel|telephone|mobile|cell|cellphone|fax|whatsapp)(?![a-z])"
)
_AT_X = frozenset("xX")
_MIN_DIGITS, _MAX_DIGITS = 7, 15  # ITU-T E.164
_BARE_MIN_DIGITS = 10
_AMERICAN_MIN = 10


def international_phones(text: str) -> Iterator[Span]:
    """Yield telephone numbers that begin with + and a country code, also percent-encoded or JSON-escaped."""
    for sign, number in _PLUS:
        if sign in text:
            for found in number.finditer(text):
                yield from _international(text, found, found.start() + len(sign))


def national_phones(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield telephone numbers inside a stretch of digits: American in a telling shape, others after a telling word."""
    if end - start >= _AMERICAN_MIN:
        yield from _american(text, max(0, start - 1), end)
    if text.startswith("00", start):
        yield from _from_abroad(text, start, end)
    yield from _after_phone_word(text, start, end)


def _international(text: str, found: re.Match[str], first: int) -> Iterator[Span]:
    before = boundary(text, found.start())
    extension = _AT_EXTENSION.match(text, found.end())
    last = extension.end() if extension else found.end()
    if before.isalnum() or before in {"_", "+", ")", "]"}:
        return
    for end in reversed([group.end() for group in _GROUP_END.finditer(text, first, found.end())]):
        digits = digits_of(text[first:end])
        if len(digits) < (_BARE_MIN_DIGITS if len(digits) == end - first else _MIN_DIGITS):
            return
        after = last if extension and end == found.end() else end
        if not text[after : after + 1].isalnum() and _is_possible(digits):
            yield Span(found.start(), after, "PHONE", digits)
            return


def _is_possible(digits: str) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse("+" + digits))
    except phonenumbers.NumberParseException:
        return False


def _american(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _AMERICAN.finditer(text, start, min(len(text), end + 18)):
        before = boundary(text, found.start())
        if not (before.isalnum() or before in {"_", "+", "-", ".", "/"}):
            yield Span(found.start(), found.end(), "PHONE", "1" + digits_of(_AT_EXTENSION.sub("", found.group()))[-10:])


def _from_abroad(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield an international number that begins with 00 and is written in groups."""
    found = _ZEROS.match(text, start, end)
    digits = digits_of(found.group()) if found else ""
    before = boundary(text, start)
    if found and not (before.isalnum() or before in {"_", ".", ",", "-", "/"}) and _is_possible(digits[2:]):
        yield Span(start, found.end(), "PHONE", digits[2:])


def _after_phone_word(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield digits that a word before them, or ``is my phone`` behind them, says to be a telephone number."""
    last = text[max(0, start - 8) : start].rstrip(" :=\"'\\#(")[-1:]
    if not (last.isalpha() or last in {".", "°"} or text.startswith(" is ", end) or text[end : end + 1] in _AT_X):
        return
    extension = _AT_EXTENSION.match(text, end)
    end = extension.end() if extension else end
    digits = digits_of(text[start : extension.start() if extension else end])
    if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS or text[end : end + 1].isalnum():
        return
    if text[start - 1 : start] == "(":
        start -= 1
    if _PHONE_WORD.search(preceding(text, start)) or _PHONE_WORD_AFTER.match(following(text, end)):
        yield Span(start, end, "PHONE", digits.lstrip("0"))
