"""Detectors of internet addresses and of home folders in file paths."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from slmlens.curation.spans import Span, boundary, preceding

_IPV4_TAIL = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9A-Za-z_]|[.-][0-9])")
_IPV4_HEAD = re.compile(r"(?<![0-9])[0-9]{1,3}$")
_IPV6_HINT = re.compile(r"::[0-9A-Fa-f]|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:")
_IPV6 = re.compile(
    r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{4}(?::{1,2}[0-9A-Fa-f]{1,4}){1,7}(?:::)?|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4})"
)
_DOCUMENTATION = tuple(
    ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")
)
"""RFC 5737, RFC 3849 and RFC 9637."""
_VERSION_BEFORE = re.compile(
    r"(?:[a-z)][/ ]v|[a-z)]/|[=<>~^!]=[ ]?|[<~^][ ]?|(?<=\s)>[ ]?"
    r"|\b(?:version|release|build|ver|section|sec|chapter|figure|fig|table|step|clause|§)\.?"
    r"[\"'\\]{0,2}[ :=]{0,3}[\"'\\]{0,2}v?)$"
)
_NUMBERING_MAX = 20
_PRIVATE_A = 10
_V4 = 4
_NO_HOST = frozenset((0, 255))  # first byte of "this network" and of netmasks


def ip_addresses(text: str) -> Iterator[Span]:
    """Yield IPv4 and IPv6 addresses, but not loopback, unspecified, documentation, netmasks or version numbers."""
    for tail in _IPV4_TAIL.finditer(text):
        head = _IPV4_HEAD.search(text, max(0, tail.start() - 4), tail.start())
        if head:
            value = _ipv4(text, head.start(), tail.end())
            if value:
                yield Span(head.start(), tail.end(), "IP", value)
    if _IPV6_HINT.search(text):
        for found in _IPV6.finditer(text):
            value = _ipv6(text, found)
            if value:
                yield Span(found.start(), found.end(), "IP", value)


def _ipv4(text: str, start: int, end: int) -> str | None:
    last = boundary(text, start)
    if last.isalnum() or last in {".", "_", "-"}:
        return None
    before = preceding(text, start, 24)
    try:
        address = ipaddress.IPv4Address(text[start:end])
    except ValueError:
        return None
    numbering = max(address.packed) <= _NUMBERING_MAX and address.packed[0] != _PRIVATE_A
    in_url = before.endswith(("//", "@")) or text[end : end + 1] == ":"
    if not in_url and (numbering or _VERSION_BEFORE.search(before)):
        return None
    return None if _names_no_machine(address) else str(address)


def _ipv6(text: str, found: re.Match[str]) -> str | None:
    before, after = boundary(text, found.start()), text[found.end() : found.end() + 1]
    if (
        before.isalnum()
        or before in {":", ".", "_"}
        or after.isalnum()
        or after in {":", "_"}
        or not any(c.isdigit() for c in found.group())
    ):
        return None
    try:
        address = ipaddress.IPv6Address(found.group())
    except ValueError:
        return None
    return None if _names_no_machine(address) else address.compressed


def _names_no_machine(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell an address that names no machine in particular: loopback, unspecified, a netmask, a documentation range."""
    if address.is_loopback or address.is_unspecified or (address.version == _V4 and address.packed[0] in _NO_HOST):
        return True
    return any(address in network for network in _DOCUMENTATION if network.version == address.version)


_HOME_HINTS = ("Users", "/home/", "-home-", "%2Fhome")
_HOME = re.compile(
    r"(?:(?:file://)?/(?:home|Users)/|%2F(?:home|Users)%2F)(?P<unix>\w[\w.$-]{0,62})"
    r"|(?:file:///)?[A-Za-z]:(?:/|\\{1,4})Users(?:/|\\{1,4})"
    r"(?P<windows>\w[\w.$-]{0,62}(?: [A-Z][\w.-]{0,40}(?=[/\\]))?)"
    r"|-(?:home|Users)-(?P<slug>\w[\w.]{0,62})"
)
_NOT_HOME_BEFORE = re.compile(r"[\w.~}\])*-]$")


def home_folders(text: str) -> Iterator[Span]:
    r"""Yield the part of a path that names a user's home: ``/home/NAME``, ``/Users/NAME``, ``C:\Users\NAME``."""
    if not any(hint in text for hint in _HOME_HINTS):
        return
    for found in _HOME.finditer(text):
        if not _NOT_HOME_BEFORE.match(boundary(text, found.start())):
            yield Span(found.start(), found.end(), "PATH", str(found.group(found.lastgroup or 0)).lower())
