"""What reading needs from redaction, so that nothing is stored before it is redacted."""

from __future__ import annotations

import re
from typing import Protocol

PLACEHOLDER = re.compile(r"<([A-Z_]+):[A-Z2-7]+>")
"""What a redacted value is replaced by: its kind and a keyed hash of it, which is another in each run."""


class Redactor(Protocol):
    """Takes personal data and secrets out of text, and turns ids into keyed hashes.

    Reading imports no redactor: the floor below passes one in. All three methods are deterministic within a run.
    """

    def text(self, raw: str) -> str:
        """Return the text with each personal value or secret replaced by its placeholder.

        :param raw: Text as logged.
        """
        ...

    def pseudonym(self, kind: str, raw: str) -> str:
        """Return a keyed hash that stands for an id.

        :param kind: What the id names (``session``, ``user``, ``trace``, ``span``); equal ids of two kinds differ.
        :param raw: The id as logged.
        """
        ...

    def fingerprint(self, raw: bytes) -> str:
        """Return a keyed hash of bytes: equal exactly when the bytes are equal.

        :param raw: The bytes, for example those of a prompt before redaction.
        """
        ...
