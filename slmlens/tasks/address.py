"""The address of an OpenAI-compatible endpoint that the user names, and the key that may be sent there."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from slmlens.errors import SettingError

KEY_VARIABLE = "OPENAI_API_KEY"


@dataclass(frozen=True)
class Address:
    """Where a model is asked.

    :param url: The base address, with its scheme and without ``/chat/completions``: ``https://api.openai.com/v1``.
    :param key: Sent as a bearer token; None: none is sent.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Host and port, for a reader."""
        return urlsplit(self.url).netloc

    @property
    def on_this_machine(self) -> bool:
        """Nothing that is sent there leaves the machine, so no proxy is asked."""
        return is_loopback(urlsplit(self.url))


def address_of(url: str, *, option: str, environment: Mapping[str, str] = os.environ) -> Address:
    """Return the address that a user names, with the key of ``OPENAI_API_KEY``.

    The key is not sent unencrypted to another machine.

    :param option: How the user names it, for messages.
    :param environment: Environment variables.
    :raises SettingError: If the address or the key can't be used.
    """
    parts = _checked(url, option)
    base = url.rstrip("/").removesuffix("/chat/completions")
    safe = parts.scheme == "https" or is_loopback(parts)
    return Address(base, _key(environment) if safe else None)


def is_loopback(parts: SplitResult) -> bool:
    """Tell whether an address is one of this machine."""
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(environment: Mapping[str, str]) -> str | None:
    key = environment.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise SettingError(
            "the key holds characters that no key has",
            where=KEY_VARIABLE,
            next_step="set it to the key alone",
        )
    return key or None


def _checked(url: str, option: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url
        usable = plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingError(
            "this is no address of a chat endpoint",
            where=option,
            next_step="give its base address, such as https://api.openai.com/v1 or http://localhost:11434/v1",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingError(
            "the address holds more than host and path, perhaps a key",
            where=option,
            next_step=f"give the base address alone, and the key in {KEY_VARIABLE}",
        )
    return parts
