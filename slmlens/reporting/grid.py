"""What a notebook shows beside charts: small tables and sentences, with whatever a log holds escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from slmlens.reporting.text import visible

_CELL = "padding:.3em .9em .3em 0;vertical-align:top;"
_TEXT = _CELL + "text-align:left;white-space:normal;max-width:26em;overflow-wrap:break-word"
_NAME = _CELL + "text-align:left;white-space:normal;min-width:13em;max-width:26em;overflow-wrap:anywhere"
_FIGURE = _CELL + "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"


@dataclass(frozen=True)
class Grid:
    """A table to look at; ``frame`` holds it to compute with.

    :param frame: What is shown, in its order.
    :param numbers: Columns that are set to the right.
    :param strong: The column that names each row.
    :param empty: What is said in place of a table without rows.
    """

    frame: pl.DataFrame
    numbers: Sequence[str] = ()
    strong: str = ""
    empty: str = "Nothing."

    def __repr__(self) -> str:
        if self.frame.is_empty():
            return self.empty
        with pl.Config(
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
            tbl_rows=-1,
            tbl_cols=-1,
            fmt_str_lengths=80,
        ):
            return str(self.frame)

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return f"<p>{escape(self.empty)}</p>"
        columns = self.frame.columns
        head = "".join(f'<th style="{self._style(name)};white-space:normal">{safe(name)}</th>' for name in columns)
        body = "".join(
            f"<tr>{''.join(self._cell(name, value) for name, value in zip(columns, row, strict=True))}</tr>"
            for row in self.frame.iter_rows()
        )
        return f'<table style="table-layout:auto"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _cell(self, name: str, value: object) -> str:
        words = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
        shown = safe(words)
        return f'<td style="{self._style(name)}">{f"<b>{shown}</b>" if name == self.strong else shown}</td>'

    def _style(self, name: str) -> str:
        return _FIGURE if name in self.numbers else _NAME if name == self.strong else _TEXT


@dataclass(frozen=True)
class Words:
    """A few sentences to look at, in the size of a headline or of running text."""

    text: str
    large: bool = False

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        size = "1.35em" if self.large else "1em"
        paragraphs = "".join(
            f'<p style="font-size:{size};line-height:1.45;max-width:46em">{safe(line)}</p>'
            for line in self.text.splitlines()
        )
        return f"<div>{paragraphs}</div>"


@dataclass(frozen=True)
class Excerpt:
    """A text from a log to look at, its lines as they are and the long ones wrapped."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        wrap = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
        style = f"{wrap};max-width:56em;max-height:30em;overflow:auto"
        return f'<pre style="{style}">{safe(self.text)}</pre>'


def safe(text: str) -> str:
    """Return text as HTML; a notebook takes what stands between two dollar signs for a formula, but not across tags."""
    return escape(visible(text)).replace("$", "<span>$</span>")
