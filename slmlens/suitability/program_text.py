"""Program text that is compared as a program: SQL and Python parsed, any other language by its tokens."""

from __future__ import annotations

import ast
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from slmlens.suitability.numerals import number_text

PARSED = "\x02"
"""First character of a canonical text that came from a parsed program."""
MAX_CHARS = 2_000
"""Longer programs are compared as text, white space apart: parsing them costs more than it finds equal."""
_SQL = re.compile(
    r"(?is)\s*(?:select\b.+\bfrom\b|select\b[^a-z]*$|with\b.+\bas\b.+\bselect\b|insert\s+into\b|update\b.+\bset\b"
    r"|delete\s+from\b|create\s+(?:or\s+replace\s+)?(?:temp\w*\s+)?(?:table|view)\b)"
)
_SQL_START = re.compile(r"(?i)\s*(?:--[^\n]*\n\s*)*(?:select|with|insert|update|delete|create)\b")
_PYTHON = re.compile(
    r"(?m)^\s*(?:import \w|from [\w.]+ import |def \w+\(|class \w+[:(]|for .+ in .+:|while .+:|if .+:|with .+:"
    r"|try:|return\b|print\(|\w+(?:\.\w+)*\(.*\)\s*$|[A-Za-z_]\w* = )"
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\b\d+(?:\.\d+)?\b", re.DOTALL)
_HOLE = re.compile(r"'hole(\d+)end'")
_COMMENT = re.compile(r"/\*.*?\*/|(?m:(?:(?<=\s)|^)(?://|#|--)[ \t].*$)", re.DOTALL)
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SQL_NAMES = frozenset({"sql", "postgresql", "postgres", "mysql", "sqlite", "tsql", "bigquery", "snowflake", "plsql"})
_PYTHON_NAMES = frozenset({"python", "py", "python3", "tool_code"})


def canonical_program(text: str, language: str = "") -> str | None:
    """Return a program as canonical text that starts with ``PARSED``; None where it can't be parsed, or is no program.

    Layout, comments, letter case of SQL outside quotes, and optional words of SQL don't count. Two programs with other
    text may still do the same: equality here is enough for agreement, and not needed for it.

    :param text: The program.
    :param language: Its language as named at a code fence; "": unknown, SQL and Python are tried where they look it.
    """
    if len(text) > MAX_CHARS:
        return None
    named = language.casefold()
    if named in _SQL_NAMES or (not named and looks_like_sql(text)):
        return _canonical_sql(text)
    if named in _PYTHON_NAMES or (not named and _PYTHON.search(text)):
        return _canonical_python(text)
    return None


def looks_like_sql(text: str) -> bool:
    """Return whether the text begins and goes on like a statement of SQL."""
    return _SQL_START.match(text) is not None and _SQL.match(_COMMENT.sub(" ", text)) is not None


def token_text(text: str) -> str:
    """Return program text of any language without layout and comments: its tokens, one space between them.

    Of a text longer than ``MAX_CHARS`` only the white space is made even.
    """
    return " ".join(_TOKEN.findall(_COMMENT.sub(" ", text)) if len(text) <= MAX_CHARS else text.split())


@lru_cache(maxsize=4096)
def _canonical_python(text: str) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return f"{PARSED}{ast.unparse(ast.parse(text))}"
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _canonical_sql(text: str) -> str | None:
    """Parse the statement's shape once, its literals taken out: agents repeat a query with other values."""
    literals: list[str] = []

    def take(found: re.Match[str]) -> str:
        literal = found.group()
        if literal.startswith(("--", "/*")):
            return " "
        if literal.startswith(('"', "`")):
            return literal
        literals.append(literal if literal.startswith("'") else _sql_number(literal))
        return f"'hole{len(literals) - 1}end'"

    shape = _canonical_shape(_LITERAL.sub(take, text).strip().rstrip("; \n"))
    # an interval or a type's length is no plain literal: such a statement is parsed as it stands
    if shape is None or sorted(map(int, _HOLE.findall(shape))) != list(range(len(literals))):
        whole = _canonical_shape(text)
        return None if whole is None else PARSED + whole
    return PARSED + _HOLE.sub(lambda found: literals[int(found.group(1))], shape)


def _sql_number(literal: str) -> str:
    return number_text(float(literal)) if "." in literal else str(int(literal))


@lru_cache(maxsize=8192)
def _canonical_shape(text: str) -> str | None:
    import sqlglot
    from sqlglot import exp

    with _quiet():
        try:
            statements = sqlglot.parse(text)
        except (sqlglot.errors.SqlglotError, RecursionError):
            return None
    parts = []
    for statement in statements:
        if statement is None or isinstance(statement, exp.Command):
            return None
        for name in statement.find_all(exp.Identifier):
            if not name.args.get("quoted"):
                name.set("this", name.name.lower())
        parts.append(statement.sql(comments=False))
    return "; ".join(parts) or None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the parser's warnings on statements it doesn't know from standard error: such text falls back to tokens."""
    log = logging.getLogger("sqlglot")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
