"""Reading a rendered page back: its elements, its words, its figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from slmlens.reporting.money import usd, usd_about

DOLLARS = re.compile(r"\$[\d,]*\d(?:\.\d+)?(?: million)?")
VOID = {"meta", "br", "img", "link", "input", "rect", "circle", "path", "line", "use"}


class Page(HTMLParser):
    """Elements with their attributes, and the text outside the style sheet."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words).replace("\N{NO-BREAK SPACE}", " "))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def figures_of(summary: dict[str, Any]) -> set[str]:
    """Every way a dollar figure of the summary may be written."""
    found: set[str] = set()
    for leaf in leaves(summary):
        if isinstance(leaf, str):
            found |= set(DOLLARS.findall(leaf))
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            size = abs(leaf)
            found |= {usd(size, places) for places in (2, 4, 6)} | {usd_about(size), usd_about(size, 3)}
    return found


KEPT_AS_THEY_ARE = {
    "schema", "start", "end", "task_id", "order", "recurrence_unit", "output_kind", "grade", "evidence", "action",
    "keep_because", "kind", "status",
}  # fmt: skip


def poisoned(value: Any, payload: str, key: str = "") -> Any:
    """Return the summary with the payload in every string that a schema does not fix."""
    if isinstance(value, dict):
        return {name: poisoned(item, payload, name) for name, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, payload, key) for item in value]
    if isinstance(value, str) and key not in KEPT_AS_THEY_ARE:
        return payload
    return value


PAYLOADS = (
    "<script>document.title='pwned'</script>",
    "</style><script>document.title='pwned'</script><style>",
    '"><img src=x onerror="document.title=\'pwned\'">',
    "' onmouseover='document.title=1' x='",
    "<svg onload=document.title=1><a href='javascript:document.title=1'>x</a>",
    "</title></head><body onload=document.title=1>",
    "{{ 7*7 }}{% import os %}{{ view }}",
    "<iframe src=https://example.org/></iframe><base href=//example.org><meta http-equiv=refresh content='0;url=//x'>",
    "\u202e\u2066evil\u2069\x00\x1b[2J\u200b",
    "A" * 3000,
    "<!-- --><![CDATA[ ]]> &lt;b&gt; &amp;amp;",
)
