"""A run's plan under other assumptions: same verdicts, seed and prices; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from slmlens.settings import on_the_days_prices, price_book

if TYPE_CHECKING:
    from slmlens.results import Plan
    from slmlens.run import Run
    from slmlens.settings import Settings


def revaluing(plan: Plan, run: Run, settings: Settings) -> Callable[[Mapping[str, Any]], Plan]:
    """Return a function that takes assumptions by name and values the verdicts of a plan under them.

    :param plan: The plan of the run.
    :param run: Its run: prices are those of its day, and of its price file.
    :param settings: The settings it was made with.
    """
    from slmlens.savings.plan import plan as value

    dated, book = on_the_days_prices(settings, run), price_book(settings, run)

    def remake(changed: Mapping[str, Any]) -> Plan:
        return value(plan.verdicts, overrides=changed, seed=dated.seed, today=dated.today, book=book)

    return remake
