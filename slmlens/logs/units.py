"""Times and money as tools log them, brought to UTC microseconds, milliseconds and nano-USD."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime

from slmlens.tables import NUSD_PER_USD

_FIRST_US = 946_684_800_000_000  # 2000-01-01; an epoch value before it is a counter or a default, not a time
_LAST_US = 4_102_444_800_000_000  # 2100-01-01
_LARGEST_COUNT = 2**53
_LARGEST_NUSD = 2**62
_BARE_MS_FROM = 150.0


def utc_microseconds(value: object) -> int | None:
    """Return a logged time as microseconds since 1970 in UTC, or None if it is no time between 2000 and 2100.

    Bare numbers are read by their size: from 1e17 nanoseconds, from 1e14 microseconds, from 1e11 milliseconds, else
    seconds. Texts are ISO 8601 or RFC 2822; a text without a zone is taken as UTC.

    :param value: A number or a text.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return _from_number(float(value)) if isinstance(value, float) else _from_integer(value)
    return _from_text(value.strip()) if isinstance(value, str) else None


def milliseconds(value: object, unit: str) -> float | None:
    """Return a logged duration in milliseconds, or None if it is no non-negative number.

    :param value: A number or a numeric text.
    :param unit: ``s``, ``ms``, ``ns``, or ``bare`` where the name of the field tells no unit: then values below 150
        are seconds, since neither a call of under 150 ms nor one of over 150 s is usual.
    """
    number = _number(value)
    if number is None or number < 0:
        return None
    if unit == "bare":
        unit = "ms" if number >= _BARE_MS_FROM else "s"
    told = number * {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}[unit]
    return told if math.isfinite(told) else None


def nano_usd(value: object, per_usd: int = 1) -> int | None:
    """Return logged money as integer nano-USD, or None if it is no number of money.

    :param value: A number or a decimal text.
    :param per_usd: How many of the logged unit make a dollar (100 for cents).
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value).strip().lstrip("$"))
        nano = int((amount * NUSD_PER_USD / per_usd).to_integral_value()) if amount.is_finite() else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return nano if nano is not None and 0 <= nano < _LARGEST_NUSD else None


def count(value: object) -> int | None:
    """Return a logged count (of tokens) as an integer, or None if it is none.

    :param value: An integer, an integral float or a text of digits.
    """
    if type(value) is int:  # nearly always
        return value if 0 <= value < _LARGEST_COUNT else None
    number = _number(value)
    if number is None or number < 0 or number >= _LARGEST_COUNT or number != int(number):
        return None
    return int(number)


def _number(value: object) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) <= 32:  # noqa: PLR2004 - longer texts are no numbers
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _in_range(microseconds: int) -> int | None:
    return microseconds if _FIRST_US <= microseconds < _LAST_US else None


def _from_integer(value: int) -> int | None:
    if value >= 10**17:
        return _in_range(value // 1_000)
    if value >= 10**14:
        return _in_range(value)
    return _in_range(value * 1_000 if value >= 10**11 else value * 1_000_000)


def _from_number(value: float) -> int | None:
    if not math.isfinite(value):
        return None
    if value >= 1e11:  # noqa: PLR2004 - the same bounds as for integers
        return _from_integer(int(value))
    return _in_range(round(value * 1e6))


def _from_text(text: str) -> int | None:
    number = None if text[4:5] == "-" == text[7:8] else _number(text)  # a date is what it nearly always is
    if number is not None:
        return _from_integer(int(text)) if text.isdigit() else _from_number(number)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    try:
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
    except OverflowError:
        return None
    return _in_range((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
