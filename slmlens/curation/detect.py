"""All detectors over one text: cheap tests first, so that a text without a trace of anything costs one pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from slmlens.curation import contacts, credentials, identifiers, national_ids, network
from slmlens.curation.escapes import in_encoded
from slmlens.curation.secret_rules import maintained_rules
from slmlens.curation.spans import PLACEHOLDER, Span, resolve, stretches

Finder = Callable[[str], Iterable[Span]]
"""What looks for further values in a text and hands on each as a span."""

_LETTERED = re.compile(r"[A-Z][A-Z](?=[ -]?[0-9]{2})")
_LETTERED_ANY_CASE = re.compile(r"[A-Za-z][A-Za-z](?=[ -]?[0-9]{2})")


def find_values(text: str, more: Sequence[Finder] = ()) -> list[Span]:
    """Return every personal value and secret in a text, in order of place and without overlaps.

    Nothing inside or across a placeholder is found, so redacted text comes back as it is.

    :param more: Detectors beside ours: a user's rules, names of persons.
    """
    spans = [*_candidates(text), *in_encoded(text, _candidates)]
    for finder in more:
        spans += finder(text)
    if not spans:
        return []
    return resolve(spans, barred=(found.span() for found in PLACEHOLDER.finditer(text)))


def _candidates(text: str) -> Iterator[Span]:
    yield from contacts.emails(text)
    yield from contacts.international_phones(text)
    yield from network.ip_addresses(text)
    yield from network.home_folders(text)
    words = credentials.token_like(text)
    if words:
        yield from credentials.keys(text, words)
        yield from maintained_rules(text, words)
    yield from credentials.hooks_and_private_keys(text)
    yield from credentials.tokens(text)
    yield from credentials.connections(text)
    yield from credentials.assignments(text)
    yield from _in_digits(text)


def _in_digits(text: str) -> Iterator[Span]:
    runs = list(stretches(text))
    for start, end in runs:
        yield from contacts.national_phones(text, start, end)
        yield from identifiers.cards(text, start, end)
        yield from identifiers.social_security(text, start, end)
        yield from national_ids.national_ids(text, start, end)
    if runs:
        lettered = _LETTERED_ANY_CASE if "iban" in text.lower() else _LETTERED
        for found in lettered.finditer(text):
            yield from identifiers.iban(text, found.start())
            yield from national_ids.national_insurance(text, found.start())
