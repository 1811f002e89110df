"""Numbers as they are written in answers: by value, whatever the separators and trailing zeros."""

from __future__ import annotations

import math
import re

_UNITS = (
    "usd|eur|gbp|chf|jpy|inr|cny|ms|s|sec|secs|seconds?|min|mins|minutes?|h|hrs?|hours?|days?|weeks?|months?|years?"
    "|b|kb|mb|gb|tb|kib|mib|gib|mm|cm|m|km|mg|g|kg|t|ml|l|w|kw|kwh|v|a|hz|khz|mhz|ghz|°c|°f|k|pts?|points?|tokens?"
)
_NUMBER = re.compile(
    r"(?P<sign>[-+\u2212])?\s?(?P<currency>[$€£¥₹])?\s?(?P<sign2>[-+\u2212])?"
    r"(?P<digits>\d{1,3}(?:[ ,'_]\d{3})+|0|[1-9]\d*)(?P<fraction>\.\d+)?(?P<power>e[-+]?\d{1,3})?"
    rf"\s?(?P<unit>[%‰€£$]|{_UNITS})?",
    re.IGNORECASE,
)
_EXACT_FLOAT = 1e15
_LONGEST = 60


def canonical_number(text: str) -> str | None:
    """Return a written number by value, its unit kept; None where the text is anything but one number.

    "1,200.0", "1 200" and "1200" are one number, "$1200" is another and "1200 ms" a third. Thousands are set off in
    threes by comma, space, apostrophe or underscore; a comma is never a decimal sign. A leading zero makes an
    identifier, which is no number.

    :param text: Text after NFKC, so that narrow spaces are plain ones.
    """
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None or (found["sign"] and found["sign2"]):
        return None
    minus = (found["sign"] or found["sign2"] or "+") in "-\u2212"
    digits = re.sub(r"\D", "", found["digits"])
    value = number_text(int(digits))
    if found["fraction"] or found["power"]:
        value = number_text(float(digits + (found["fraction"] or "") + (found["power"] or "")))
    unit = " ".join(filter(None, (found["currency"], (found["unit"] or "").casefold())))
    signed = f"-{value}" if minus and value != "0" else value
    return f"{signed} {unit}" if unit else signed


def number_text(value: float) -> str:
    """Return a number as text, equal for equal values; whole numbers of any length exactly."""
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value) and value.is_integer() and abs(value) < _EXACT_FLOAT:
        return str(int(value))
    return repr(value)
