"""The report as one HTML file: no script, no outside address, styles pinned by hash; it opens from a folder."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from slmlens.reporting.text import shorten, visible, without_scheme
from slmlens.reporting.view import build_view

if TYPE_CHECKING:
    from jinja2 import Environment

_LONGEST = 1500
"""Characters of any one value on the page; what is longer is cut and marked, and stands whole in the summary."""


def render_html(
    summary: Mapping[str, Any], *, audience: str = "leadership", exemplars: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return the report of a summary as one self-contained HTML document.

    :param summary: Of :func:`slmlens.reporting.summary.summarise`; every figure shown is in it.
    :param audience: ``leadership``, ``finance`` or ``engineering``: what comes first and how many cards follow.
    :param exemplars: Redacted prompts to show on the cards, by task id (at most three each, cut at 600 characters); the
        footer says so. Default: none.
    :raises SettingError: If the audience is unknown.
    """
    style = resources.files("slmlens.reporting").joinpath("templates", "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    page = _environment().get_template("report.html.j2")
    return page.render(view=build_view(summary, audience, exemplars), style=style, policy=policy)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("slmlens.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: object) -> object:
    """Spell out deceiving characters in whatever the template prints; an address becomes text without its scheme."""
    if type(value) is not str:
        return value
    return without_scheme(visible(shorten(value, _LONGEST))).replace(" %", "\N{NO-BREAK SPACE}%")
