"""Text from a log, made safe to read: what is invisible or reorders a line is shown by its code point."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_DECEIVING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"  # soft hyphen, joiners and fillers that draw nothing
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidirectional overrides and isolates
    "\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\ud800-\udfff"  # a lone surrogate can't be written as UTF-8
    "\U000e0000-\U000e0fff"  # tags: text that a person can't see and a model can
    "]"
)
"""Characters that draw nothing, reorder their neighbours or drive a terminal (Unicode TR 36 and TR 9)."""

_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]{1,10}://", re.IGNORECASE)


def visible(text: str) -> str:
    r"""Return the text with every deceiving character spelled out, ``⟨U+202E⟩``; ``\r\n`` becomes ``\n``.

    Calling it twice changes nothing more.
    """
    return _DECEIVING.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text.replace("\r\n", "\n"))


def without_scheme(text: str) -> str:
    """Return the text with ``https://`` and the like taken off: a report names its sources and links to nothing."""
    return _SCHEME.sub("", text)


def visible_tree(value: object) -> object:
    """Return a JSON-like value with :func:`visible` applied to every string in it, keys included."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): visible_tree(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [visible_tree(item) for item in value]
    return value


def shorten(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of the text, cut at a word where one ends nearby, marked with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    at_word = re.sub(r"\s+\S*$", "", cut) if re.search(r"\s", cut[-24:]) else cut
    return f"{at_word.rstrip()}…"


def percent(share: float | None) -> str:
    """Return a share as a percentage; one that rounds to nothing or all but is not as ``< 1 %`` or ``> 99 %``."""
    if share is None:
        return "not known"
    if 0 < share < 0.005:  # noqa: PLR2004  it would round to 0 %
        return "< 1 %"
    if 0.995 <= share < 1:  # noqa: PLR2004  it would round to 100 %
        return "> 99 %"
    return f"{100 * share:.0f} %"


def ends(text: str, limit: int) -> str:
    """Return at most ``limit`` characters: the beginning and the end of the text, where a prompt's holes often are."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{shorten(text, limit - tail - 1)}\n{text[-tail:].lstrip()}"


def sentence(text: str) -> str:
    """Return our own words as a sentence: a capital first, a full stop last, a space before each percent sign."""
    words = re.sub(r"(?<=\d)%", " %", text.strip())
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".!?" else ".")


def joined(words: Sequence[str]) -> str:
    """Return the words as an English list: ``a``, ``a and b``, ``a, b and c``."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 task`` or ``1,204 tasks``."""
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}"
