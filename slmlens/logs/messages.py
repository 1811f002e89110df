"""Distinct messages, stored once: each raw message is redacted a single time and a call is a list of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import orjson

from slmlens.logs.content import Plain, ToolCall, plain_messages
from slmlens.logs.decode import decode_text, digest, encode
from slmlens.logs.redactor import PLACEHOLDER, Redactor

_LONG_NUMBER = 7


@dataclass(frozen=True)
class StoredMessages:
    """The messages of a store as they go from one process to another; columns as in :class:`MessageStore`."""

    digests: list[bytes]
    sizes: list[int]
    row_of: list[int]
    ids: list[str]
    prints: list[str]
    roles: list[str]
    texts: list[str | None]
    lengths: list[int]


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
            number = self._numbered(key, len(encoded), self._row(plain.role, redacted(self._redactor, text)))
        return number

    def stored(self) -> StoredMessages:
        """Return the messages without what finds them again."""
        return StoredMessages(
            self.digests, self.sizes, self.row_of, self.ids, self.prints, self.roles, self.texts, self.lengths
        )

    def take_over(self, other: StoredMessages) -> list[int]:
        """Add the messages of another store, under the same key; return the number here for each number there.

        :param other: Its messages.
        """
        columns = zip(other.ids, other.prints, other.roles, other.texts, other.lengths, strict=True)
        rows = [self._placed(*row) for row in columns]
        numbers = []
        for key, size, row in zip(other.digests, other.sizes, other.row_of, strict=True):
            number = self._by_plain.get(key)
            if number is None:
                number = self._numbered(key, size, rows[row])
            numbers.append(number)
        return numbers

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
            blind = _print(role, text) if "<" in text else message_id
            row = self._placed(message_id, blind, role, text if self._keep_text else None, len(text))
        return row

    def _placed(self, message_id: str, blind: str, role: str, text: str | None, length: int) -> int:
        row = self._rows.get(message_id)
        if row is None:
            row = self._rows[message_id] = len(self.ids)
            self.ids.append(message_id)
            self.prints.append(blind)
            self.roles.append(role)
            self.texts.append(text)
            self.lengths.append(length)
        return row

    def _numbered(self, key: bytes, size: int, row: int) -> int:
        number = self._by_plain[key] = len(self.digests)
        self.digests.append(key)
        self.sizes.append(size)
        self.row_of.append(row)
        return number


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
