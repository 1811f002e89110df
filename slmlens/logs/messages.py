"""Distinct messages, stored once: each raw message is redacted a single time and a call is a list of numbers."""

from __future__ import annotations

from hashlib import blake2b

import orjson

from slmlens.logs.content import Plain, ToolCall, plain_messages
from slmlens.logs.decode import decode_text, digest, encode
from slmlens.logs.redactor import PLACEHOLDER, Redactor

_LONG_NUMBER = 7


class MessageStore:
    """Messages by number. Of raw text only hashes are kept.

    :param redactor: What takes personal data out before anything is kept.
    :param keep_text: False keeps ids and lengths and drops the redacted text.
    """

    def __init__(self, redactor: Redactor, *, keep_text: bool = True) -> None:
        self._redactor = redactor
        self._keep_text = keep_text
        self._by_raw: dict[bytes, tuple[int, ...]] = {}
        self._by_plain: dict[bytes, int] = {}
        self._rows: dict[str, int] = {}
        self.digests: list[bytes] = []  # of the message before redaction
        self.sizes: list[int] = []  # UTF-8 bytes before redaction
        self.row_of: list[int] = []  # two raw messages may be one after redaction
        self.ids: list[str] = []
        self.prints: list[str] = []  # as ids, but blind to redacted values: the same in every run
        self.roles: list[str] = []
        self.texts: list[str | None] = []
        self.lengths: list[int] = []

    def intern(self, raw: object) -> tuple[int, ...]:
        """Return the numbers of the messages that a logged message stands for.

        :param raw: A message object of any dialect.
        :raises UnreadableError: If it is nested too deeply.
        """
        key = digest(encode(raw))
        known = self._by_raw.get(key)
        if known is None:
            known = tuple(self.add(plain) for plain in plain_messages(raw))
            self._by_raw[key] = known
        return known

    def add(self, plain: Plain) -> int:
        """Return the number of a message, redacting it if it is new.

        :param plain: The message before redaction.
        """
        text = plain.canonical()
        encoded = text.encode()
        key = digest(plain.role.encode() + b"\0" + encoded)
        number = self._by_plain.get(key)
        if number is None:
            number = self._by_plain[key] = len(self.digests)
            self.digests.append(key)
            self.sizes.append(len(encoded))
            self.row_of.append(self._row(plain.role, redacted(self._redactor, text)))
        return number

    def redacted_calls(self, calls: tuple[ToolCall, ...]) -> list[dict[str, str]]:
        """Return tool calls with redacted arguments; without text where none is kept.

        :param calls: The calls of an answer.
        """
        return [
            {
                "name": redacted(self._redactor, call.name),
                "arguments": redacted(self._redactor, call.arguments) if self._keep_text else "",
            }
            for call in calls
        ]

    def _row(self, role: str, text: str) -> int:
        message_id = blake2b(f"{role}\0{text}".encode(), digest_size=10).hexdigest()
        row = self._rows.get(message_id)
        if row is None:
            row = self._rows[message_id] = len(self.ids)
            self.ids.append(message_id)
            self.prints.append(_print(role, text) if "<" in text else message_id)
            self.roles.append(role)
            self.texts.append(text if self._keep_text else None)
            self.lengths.append(len(text))
        return row


def _print(role: str, text: str) -> str:
    blind = PLACEHOLDER.sub(r"<\1>", text)
    return blake2b(f"{role}\0{blind}".encode(), digest_size=10).hexdigest()


def redacted(redactor: Redactor, raw: str) -> str:
    r"""Return the redacted text; JSON stays JSON wherever that hides as much.

    A value found across an escape (``\n`` before an address) or in a bare number would break the document, so then
    each string and long number is redacted on its own, and the whole once more.

    :param redactor: What redacts.
    :param raw: Text as logged.
    """
    if not raw:
        return raw
    text = redactor.text(raw)
    if text == raw or raw[:1] not in "{[":
        return text
    value = decode_text(raw)
    if isinstance(value, str) or not isinstance(decode_text(text), str):
        return text
    try:
        by_leaf = orjson.dumps(_redacted_leaves(redactor, value)).decode()
    except (TypeError, RecursionError):
        return text
    return redactor.text(by_leaf)


def _redacted_leaves(redactor: Redactor, value: object) -> object:
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, list):
        return [_redacted_leaves(redactor, element) for element in value]
    if isinstance(value, dict):
        return {redactor.text(key): _redacted_leaves(redactor, element) for key, element in value.items()}
    if isinstance(value, (int, float)) and len(str(value)) >= _LONG_NUMBER:
        text = redactor.text(str(value))
        return value if text == str(value) else text
    return value
