"""Money for the eye: rounding that adds up, and one way to write a sum, an estimate and a range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from slmlens.tables import NUSD_PER_USD

_CENT = NUSD_PER_USD // 100
_FINE_BELOW_USD = 1
_FINEST_BELOW_USD = 0.10
_MILLION = 1_000_000
_MONTH_DIGITS = 3
_MINUS = "\N{MINUS SIGN}"


def money_unit(total_nusd: int) -> int:
    """Return the unit, in nano-USD, that the money of one report is rounded to.

    Cents; for a log that cost less than $1 a hundredth of a cent, and below 10 cents a micro-dollar, so that the
    tasks of a small log don't all read $0.00.
    """
    usd = abs(total_nusd) / NUSD_PER_USD
    if usd >= _FINE_BELOW_USD:
        return _CENT
    return _CENT // 100 if usd >= _FINEST_BELOW_USD else _CENT // 10_000


def rounded(nusd: int, unit: int) -> int:
    """Return the nearest whole number of units; a half goes up."""
    return (2 * nusd + unit) // (2 * unit)


def apportion(parts: Sequence[int], unit: int, total_units: int | None = None) -> list[int]:
    """Round parts to whole units so that they add up to the rounded total (largest remainder, or Hamilton, method).

    :param parts: Nano-USD.
    :param unit: Nano-USD in one unit.
    :param total_units: What the parts must add up to, where a parent has been rounded already; it has to be the sum
        of the parts rounded up or down. Default: the sum, rounded to the nearest unit.
    :return: Whole units, each one the part rounded down or up. Ties go to the earlier part.
    """
    floors = [part // unit for part in parts]
    target = rounded(sum(parts), unit) if total_units is None else total_units
    missing = target - sum(floors)
    by_remainder = sorted(range(len(parts)), key=lambda at: (-(parts[at] % unit), at))
    lifted = set(by_remainder[:missing])
    return [floor + (at in lifted) for at, floor in enumerate(floors)]


def whole_percents(values: Sequence[float]) -> list[str]:
    """Return whole percentages of the sum that add up to 100; a small one that is not nothing as ``< 1 %``."""
    scaled = [round(value * 1e6) for value in values]
    total = sum(scaled)
    if total <= 0:
        return ["0 %" for _ in values]
    units = apportion([100 * value for value in scaled], total, 100)
    return ["< 1 %" if value and not unit else f"{unit} %" for value, unit in zip(scaled, units, strict=True)]


def dollars(units: int, unit: int) -> float:
    """Return a whole number of units as US dollars."""
    return units * unit / NUSD_PER_USD


def places_for(values: Sequence[float]) -> int:
    """Return the decimals (2, 4 or 6) that write every value exactly, so that a column lines up."""
    return next((places for places in (2, 4) if all(round(v, places) == round(v, 6) for v in values)), 6)


def usd(value: float, places: int | None = None) -> str:
    """Return an accounted sum: ``$1,234.50``. Default places: as many (2, 4 or 6) as it takes to write it exactly."""
    decimals = places_for([value]) if places is None or value == 0 else places
    return f"{_sign(value)}${abs(value):,.{decimals}f}"


def cents(nusd: int | None) -> float | None:
    """Return an estimate in US dollars: cents, or under ten dollars four decimals."""
    if nusd is None:
        return None
    usd = nusd / NUSD_PER_USD
    return round(usd, 2 if abs(usd) >= 10 else 4)  # noqa: PLR2004  the same step as money_unit


def usd_about(value: float, digits: int = 2) -> str:
    """Return a figure to so many significant digits, so that it claims no precision it lacks: ``$1,200``."""
    if value == 0 or not math.isfinite(value):
        return "$0"
    size = float(f"{abs(value):.{digits - 1}e}")
    if size >= _MILLION:
        decimals = max(0, digits - 1 - math.floor(math.log10(size / _MILLION)))
        return f"{_sign(value)}${size / _MILLION:,.{decimals}f} million"
    if size >= 10 ** (digits - 1):
        return f"{_sign(value)}${size:,.0f}"
    decimals = max(2, digits - 1 - math.floor(math.log10(size)))
    return f"{_sign(value)}${size:,.{decimals}f}".removesuffix(".00")


def usd_range(interval: Mapping[str, float], per: str = "a month") -> str:
    """Return ``$1,200 to $3,400 a month (middle $2,100)``; a low end below zero is called a loss.

    :param interval: ``p10``, ``p50`` and ``p90`` in US dollars.
    """
    low, middle, high = (usd_about(interval[name]) for name in ("p10", "p50", "p90"))
    unit = f" {per}" if per else ""
    if interval["p10"] == interval["p90"] == 0:
        return f"$0{unit}"
    if interval["p90"] <= 0:
        least, most, usual = (usd_about(-interval[name]) for name in ("p90", "p10", "p50"))
        return f"a loss of {least} to {most}{unit} (middle {usual})"
    if interval["p10"] < 0:
        return f"a loss of {usd_about(-interval['p10'])} to a saving of {high}{unit} (middle {middle})"
    return f"{low} to {high}{unit} (middle {middle})"


def usd_month(month: Mapping[str, float | None]) -> str:
    """Return ``$4,600 to $4,900 (middle $4,700)``, or ``about $4,700`` where the month has no interval.

    :param month: ``low``, ``mid`` and ``high`` in US dollars; low and high may be None.
    """
    low, middle, high = month["low"], month["mid"], month["high"]
    assert middle is not None
    if low is None or high is None:
        return f"about {usd_about(middle, _MONTH_DIGITS)}"
    ends = [usd_about(end, _MONTH_DIGITS) for end in (low, high, middle)]
    return f"{ends[0]} to {ends[1]} (middle {ends[2]})"


def _sign(value: float) -> str:
    return _MINUS if value < 0 else ""
