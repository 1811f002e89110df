"""What the widgets of a notebook have in common: a line that says what happened, and errors that are shown."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from slmlens.errors import SlmlensError
from slmlens.reporting.grid import safe

Widget = Any  # ipywidgets ships no types

RAISES = "SLMLENS_PANEL_RAISES"
"""Environment variable: set to anything, a callback that fails raises after it has shown the error."""

DONE = "background:#eef6f3;color:#10312b;border-left:4px solid #0b6e6e"
CALM = "background:#eef1f4;color:#1b2430;border-left:4px solid #57616f"
NOTE = "padding:.5em 1em;margin:.4em 0;line-height:1.4;max-width:62em"
_WRONG = "background:#fdecea;color:#5f1412;border-left:4px solid #b3261e"


class Tool:
    """Widgets that show what went wrong in a callback (run inside ``with self:``), and raise it where a test asks.

    :param raises: Whether a callback that fails raises, once the error is shown; None: where the environment variable
        :data:`RAISES` is set.
    """

    def __init__(self, *, raises: bool | None) -> None:
        import ipywidgets

        self.raises = bool(os.environ.get(RAISES)) if raises is None else raises
        self._make: Any = ipywidgets
        self.said: Widget = ipywidgets.HTML()
        self.view: Widget = ipywidgets.VBox([self.said])

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, Any]:
        shown: dict[str, Any] = self.view._repr_mimebundle_(**kwargs)
        return shown | {"text/plain": repr(self)}

    def __enter__(self) -> None:
        """Begin a callback."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Show what went wrong in a callback, and what to do."""
        if not isinstance(error, Exception):
            return False
        defect = f"A defect of slmlens: {type(error).__name__}: {error}. Run this cell again, and tell us what you did."
        self._say(_WRONG, safe(str(error) if isinstance(error, SlmlensError) else defect))
        return not self.raises

    def _say(self, style: str, html: str) -> None:
        self.said.value = f"<div role='status' style='{NOTE};{style}'>{html}</div>" if html else ""
