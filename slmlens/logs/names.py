"""Declared names and ids made safe to keep: redacted, or turned into keyed hashes, once per distinct value."""

from __future__ import annotations

import re

from slmlens.logs.redactor import Redactor

_PLAIN_ID = re.compile(r"[\w.:/|=+#-]{1,200}")
_GIVEN_ID = re.compile(
    r"(?:chatcmpl|cmpl|resp|msg|gen)[-_](?:(?![\w-]*(?:[0-9]{7}|[0-9]-[0-9]))[A-Za-z0-9_-]{1,80}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
)
"""Ids as providers give them: random letters and digits, too few digits in a row for a number that names a person."""


class Names:
    """Remembers what each distinct name and id became.

    :param redactor: What redacts and pseudonymises.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._texts: dict[str, str] = {}
        self._hashes: dict[tuple[str, str], str] = {}

    def text(self, raw: str | None) -> str | None:
        """Return a declared name (step, service, model, tool, tag), redacted.

        :param raw: The name as logged, or None.
        """
        if raw is None:
            return None
        known = self._texts.get(raw)
        if known is None:
            known = self._texts[raw] = self._redactor.text(raw)
        return known

    def hashed(self, kind: str, raw: str | None) -> str | None:
        """Return the keyed hash of an id.

        :param kind: What the id names.
        :param raw: The id as logged, or None.
        """
        if raw is None:
            return None
        key = (kind, raw)
        known = self._hashes.get(key)
        if known is None:
            known = self._hashes[key] = self._redactor.pseudonym(kind, raw)
        return known

    def response_id(self, raw: str | None) -> str | None:
        """Return a provider's response id as it is, or hashed where it is no plain token and may name a person.

        :param raw: The id as logged, or None.
        """
        if raw is None or _GIVEN_ID.fullmatch(raw) or (_PLAIN_ID.fullmatch(raw) and self.text(raw) == raw):
            return raw
        return self.hashed("call", raw)
