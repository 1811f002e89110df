"""Redaction: personal values and secrets become placeholders, the same for the same value, before anything is written.

A placeholder such as ``<EMAIL:4K7QA2ZD>`` is the kind and a keyed hash (HMAC) of the value's normalised form. So a
value that recurs in a run is recognisably the same, and without the key nobody can test a guess against it.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from slmlens.curation.detect import Finder, find_values
from slmlens.errors import SettingError

if TYPE_CHECKING:
    from slmlens.curation.spans import Span

KEY_VARIABLE = "SLMLENS_KEY"
"""The environment variable that may hold the key."""

_KEY_BYTES = 32
_MIN_KEY_BYTES = 16
_PLACEHOLDER_CHARS = 8  # 40 bits: among 100,000 values two share a placeholder with p = 0.005
_PSEUDONYM_CHARS = 16
_FINGERPRINT_CHARS = 26
_PASSES = 4
_JSON_KEY_BEFORE = re.compile(r"(\\{0,15}\")\s{0,8}:\s{0,8}$")
_JSON_VALUE_AFTER = re.compile(r"\s{0,8}(?:\\[nrt]){0,4}\s{0,8}[,}\]]")


@dataclass(frozen=True)
class Redaction:
    """Redacts texts and pseudonymises identifiers under one key.

    :param key: At least 16 bytes; keep it outside of the run folder. Who has it can link values between runs.
    :param rules: Detectors beside ours: a user's rules.
    :param names: What finds names in a raw text; it is asked once, because a model reads redacted text otherwise.
    :raises SettingError: If the key is too short.
    """

    key: bytes = field(repr=False)
    rules: tuple[Finder, ...] = ()
    names: Finder | None = None

    def __post_init__(self) -> None:
        if len(self.key) < _MIN_KEY_BYTES:
            raise SettingError(
                f"the redaction key has {len(self.key)} bytes and needs {_MIN_KEY_BYTES} or more",
                where=KEY_VARIABLE,
                next_step="make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
            )

    def text(self, raw: str) -> str:
        """Return the text with each personal value and secret as a placeholder; redacted text comes back unchanged.

        A finding never cuts an escape sequence, and a number that is a field of a JSON object becomes a string.
        """
        done = raw
        for at in range(_PASSES):
            spans = self.find(done) if at == 0 else find_values(done, self.rules)
            if not spans:
                break
            done = self._replaced(done, spans)
        return done

    def find(self, raw: str) -> list[Span]:
        """Return what is found in a text, in order of place and without overlaps."""
        return find_values(raw, (*self.rules, self.names) if self.names else self.rules)

    def pseudonym(self, kind: str, raw: str) -> str:
        """Return a keyed hash of an identifier, 16 base32 characters; equal identifiers of two kinds differ."""
        return self._hash(f"id\0{kind}\0{raw}".encode("utf-8", "surrogatepass"), _PSEUDONYM_CHARS)

    def fingerprint(self, raw: bytes) -> str:
        """Return a keyed hash of some bytes, 26 base32 characters: equal exactly where the bytes are equal."""
        return self._hash(b"bytes\0" + raw, _FINGERPRINT_CHARS)

    def placeholder(self, kind: str, value: str) -> str:
        """Return the placeholder of a value in its normalised form."""
        digest = self._hash(f"value\0{kind}\0{value}".encode("utf-8", "surrogatepass"), _PLACEHOLDER_CHARS)
        return f"<{kind}:{digest}>"

    def _hash(self, data: bytes, chars: int) -> str:
        """Return so many base32 characters of the keyed hash; five bytes make eight."""
        needed = -(-chars // 8) * 5
        return base64.b32encode(hmac.digest(self.key, data, "sha256")[:needed]).decode("ascii")[:chars]

    def _replaced(self, text: str, spans: list[Span]) -> str:
        parts: list[str] = []
        at = 0
        for span in spans:
            quote = _quote_for(text, span)
            parts += [text[at : span.start], quote, self.placeholder(span.kind, span.value), quote]
            at = span.end
        return "".join([*parts, text[at:]])


@dataclass(frozen=True)
class KeepText:
    """Redaction switched off: texts stay as they are, identifiers are still pseudonymised."""

    redaction: Redaction

    def text(self, raw: str) -> str:
        """Return the text as it is."""
        return raw

    def pseudonym(self, kind: str, raw: str) -> str:
        """Return a keyed hash of an identifier; see :meth:`Redaction.pseudonym`."""
        return self.redaction.pseudonym(kind, raw)

    def fingerprint(self, raw: bytes) -> str:
        """Return a keyed hash of some bytes; see :meth:`Redaction.fingerprint`."""
        return self.redaction.fingerprint(raw)


def new_key() -> bytes:
    """Return a random key: placeholders of this run can't be linked with another's."""
    return secrets.token_bytes(_KEY_BYTES)


def load_key(path: Path | None = None) -> bytes:
    """Return the key from a file or from ``SLMLENS_KEY``, or a random one if neither is given.

    :param path: A file whose content, without surrounding white space, is the key. It wins over the environment.
    :raises SettingError: If the file can't be read or the key is shorter than 16 bytes.
    """
    if path is not None:
        try:
            key = path.read_bytes().strip()
        except OSError as cause:
            raise SettingError(
                f"the key file can't be read ({cause.strerror})",
                where=path.name,
                next_step="name a readable file with --key",
            ) from cause
    else:
        key = os.environ.get(KEY_VARIABLE, "").strip().encode()
    return Redaction(key).key if key or path is not None else new_key()


def _quote_for(text: str, span: Span) -> str:
    """Return the quotation mark that a placeholder of a bare JSON number needs, escaped as its key's; else nothing."""
    key = _JSON_KEY_BEFORE.search(text, max(0, span.start - 40), span.start)
    return key.group(1) if key and _JSON_VALUE_AFTER.match(text, span.end) else ""


def make_redaction(
    key_file: Path | None = None, rules: Path | None = None, names_model: str | None = None
) -> Redaction:
    """Return the redaction that some settings ask for.

    :param key_file: See :func:`load_key`.
    :param rules: A file of own rules; see :func:`slmlens.curation.rules.load_rules`.
    :param names_model: A spaCy model that finds names; None: names are not looked for.
    :raises SettingError: If one of them can't be used.
    :raises MissingExtraError: If names are asked for and spaCy is not installed.
    """
    from slmlens.curation.names import load_names
    from slmlens.curation.rules import load_rules

    return Redaction(load_key(key_file), load_rules(rules), load_names(names_model) if names_model else None)
