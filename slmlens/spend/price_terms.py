"""One place in a price file, that reads itself as what is expected there or says where it is and what is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from slmlens.errors import SettingError


@dataclass(frozen=True)
class Cursor:
    """A value of a YAML file and the way to it.

    :param value: None: the file does not have it.
    :param path: Keys and positions from the top.
    :param file: What errors call the file.
    """

    value: object
    path: tuple[str, ...]
    file: str

    @property
    def empty(self) -> bool:
        """Whether the file says nothing here."""
        return self.value is None

    @property
    def plain(self) -> bool:
        """Whether here is a single value."""
        return not isinstance(self.value, dict | list)

    def get(self, key: str) -> Cursor:
        """Return what stands under a key; empty where there is none."""
        return Cursor(self._mapping().get(key), (*self.path, key), self.file)

    def items(self) -> Iterator[tuple[str, Cursor]]:
        """Yield the keys, as text, and what stands under each."""
        for key, value in self._mapping().items():
            yield str(key), Cursor(value, (*self.path, str(key)), self.file)

    def listed(self) -> list[Cursor]:
        """Return the entries of a list; a single value is a list of one, nothing an empty list."""
        if self.value is None:
            return []
        entries = self.value if isinstance(self.value, list) else [self.value]
        many = isinstance(self.value, list)
        return [
            Cursor(entry, (*self.path, f"entry {at}") if many else self.path, self.file)
            for at, entry in enumerate(entries, start=1)
        ]

    def only(self, known: Sequence[str]) -> None:
        """Refuse keys that mean nothing here.

        :raises SettingError: If there are any.
        """
        for key in self._mapping():
            if str(key) not in known:
                Cursor(None, (*self.path, str(key)), self.file).fail(
                    "nothing is known by this name", f"use one of: {', '.join(known)}"
                )

    def text(self) -> str:
        """Return the text here.

        :raises SettingError: If there is none.
        """
        if not isinstance(self.value, str) or not self.value.strip():
            self.fail(f"a name is wanted, not {self._shown()}", "write a name, in quotes if it has signs")
        return self.value.strip()

    def number(self, *, least: float | None = None, most: float | None = None, above: float | None = None) -> Decimal:
        """Return the number here, exactly as written.

        :raises SettingError: If there is none, or one out of bounds.
        """
        try:
            found = Decimal(self.value.strip()) if isinstance(self.value, str) else None
        except InvalidOperation:
            found = None
        if found is None or not found.is_finite():
            self.fail(
                f"a number is wanted, not {self._shown()}", "write a plain number such as 2.5, without a currency sign"
            )
        low = (least is not None and found < Decimal(str(least))) or (
            above is not None and found <= Decimal(str(above))
        )
        if low or (most is not None and found > Decimal(str(most))):
            bounds = f"more than {above}" if above is not None else f"at least {least}"
            bounds += "" if most is None else f" and at most {most}"
            self.fail(f"the number is {found} and has to be {bounds}", "correct it")
        return found

    def day(self) -> dt.date | None:
        """Return the day here, or None where the file says nothing.

        :raises SettingError: If it is no day.
        """
        if self.value is None:
            return None
        try:
            return dt.date.fromisoformat(str(self.value).strip())
        except ValueError:
            self.fail(f"a day is wanted, not {self._shown()}", "write it as 2026-12-31")

    def fail(self, what: str, next_step: str) -> NoReturn:
        """Refuse the file because of this place.

        :raises SettingError: Always.
        """
        place = f"{self.file}, {' > '.join(self.path)}" if self.path else self.file
        raise SettingError(what, where=place, next_step=next_step)

    def _mapping(self) -> dict[object, object]:
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.fail(
                f"names with a colon after each are wanted here, not {self._shown()}",
                "see docs/prices.md for an example",
            )
        return self.value

    def _shown(self) -> str:
        return "nothing" if self.value is None else f"{str(self.value)[:40]!r}"
