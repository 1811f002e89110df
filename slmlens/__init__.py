"""Tell which calls of your agents a small language model could take, and what it would save.

Everything is loaded on first use; importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from slmlens._version import __version__

if TYPE_CHECKING:
    from slmlens.backtesting import backtest as backtest
    from slmlens.curation.recall import redaction_recall as redaction_recall
    from slmlens.errors import SlmlensError as SlmlensError
    from slmlens.forgetting import forget as forget
    from slmlens.pilots.pilot import pilot as pilot
    from slmlens.pilots.probing import slm_probe as slm_probe
    from slmlens.results import Calls as Calls
    from slmlens.results import Plan as Plan
    from slmlens.results import Tasks as Tasks
    from slmlens.results import Verdicts as Verdicts
    from slmlens.reviewing.panel import review as review
    from slmlens.run import Run as Run
    from slmlens.run import open_run as open_run
    from slmlens.sample import write_sample as write_sample
    from slmlens.settings import Settings as Settings
    from slmlens.stages import analyse as analyse
    from slmlens.stages import assess as assess
    from slmlens.stages import check as check
    from slmlens.stages import discover_tasks as discover_tasks
    from slmlens.stages import plan as plan
    from slmlens.stages import read_logs as read_logs
    from slmlens.stages import report as report

_HOMES = {
    "SlmlensError": "slmlens.errors",
    "backtest": "slmlens.backtesting",
    "redaction_recall": "slmlens.curation.recall",
    "forget": "slmlens.forgetting",
    "pilot": "slmlens.pilots.pilot",
    "slm_probe": "slmlens.pilots.probing",
    "Calls": "slmlens.results",
    "Plan": "slmlens.results",
    "Tasks": "slmlens.results",
    "Verdicts": "slmlens.results",
    "review": "slmlens.reviewing.panel",
    "Run": "slmlens.run",
    "open_run": "slmlens.run",
    "write_sample": "slmlens.sample",
    "Settings": "slmlens.settings",
    "analyse": "slmlens.stages",
    "assess": "slmlens.stages",
    "check": "slmlens.stages",
    "discover_tasks": "slmlens.stages",
    "plan": "slmlens.stages",
    "read_logs": "slmlens.stages",
    "report": "slmlens.stages",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name not in _HOMES:
        message = f"module 'slmlens' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
