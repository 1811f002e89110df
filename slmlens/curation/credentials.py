"""Detectors of secrets: keys of known shape, JSON web tokens, connection strings, and what follows ``password=``."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence

from slmlens.curation.spans import Span, boundary, windows

_WORD_CHARACTERS = string.ascii_letters + string.digits + "_-"
_REST_OF_WORD = re.compile(r"[A-Za-z0-9_-]*")
_SHORTEST, _LONGEST = 20, 1000  # longer words are encoded blobs, which are not looked into
_DIGIT_IN_WORD = re.compile(r"[0-9](?:(?=[A-Za-z0-9_-]{10})|(?<=[A-Za-z0-9_-]{10}))")  # any digit of 20 characters
_NO_DIGIT_NEEDED = ("hf_", "glpat-", "k_live_", "k_test_", "AKIA", "dckr_pat_")
_LETTERS_ONLY = re.compile(
    r"(?:hf_|glpat-|dckr_pat_|[sr]k_(?:live|test)_)[A-Za-z_-]{20,64}|AKIA[A-Z]{16}"
)  # those that are so short, or so made, that one in a hundred or more holds no digit
_KEYS = re.compile(
    r"sk-ant-[\w-]{20,300}|sk-(?:[a-z]{2,12}-){0,3}[\w-]{20,300}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}"
    r"|github_pat_\w{22,255}|gh[opsur]_[A-Za-z0-9]{36,255}|(?:dckr|sgp|figd|shp)_?pat_[\w-]{20,200}|shpat_[0-9a-fA-F]{32}"
    r"|lsv2_(?:pt|sk)_\w{32,80}|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,400}"
    r"|xox[abeprs]-[\w-]{10,250}|xapp-[\w-]{10,250}|whsec_[A-Za-z0-9+/=]{24,200}|SG\.[\w-]{16,64}\.[\w-]{16,64}|glpat-[\w-]{20,64}"
    r"|npm_[A-Za-z0-9]{36}|hf_[A-Za-z]{30,60}|hf_[A-Za-z0-9]{30,60}|pypi-[\w-]{50,400}|gsk_[A-Za-z0-9]{40,80}|xai-[A-Za-z0-9]{40,100}"
    r"|hv[sbr]\.[\w-]{80,200}|GOCSPX-[\w-]{28}|NRAK-[A-Z0-9]{27}|CFPAT-[\w-]{40,50}|sntry[su]_[\w+/=-]{40,200}|pscale_\w{2,8}_[\w.-]{32,64}"
    r"|tfp_[\w.-]{40,64}|ntn_[A-Za-z0-9]{40,60}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}|SK[0-9a-f]{32}|[0-9a-f]{32}-us[0-9]{1,2}"
    r"|[0-9]{8,10}:AA[\w-]{33}|[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}|EAA[A-Za-z0-9]{80,400}|glsa_\w{32,60}"
    r"|r8_[A-Za-z0-9]{37}|nvapi-[\w-]{40,100}|dop_v1_[0-9a-f]{64}|pplx-[A-Za-z0-9]{40,64}|tvly-[\w-]{20,64}|key-[0-9a-f]{32}"
)
_HOOKS = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks)/[\w/-]{20,200}"
)
_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----)){0,8000}-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"|[A-Za-z0-9+/=\s\\]{0,8000})"
)
_JWT = re.compile(r"eyJ(?<![A-Za-z0-9_-][A-Za-z0-9_-]eyJ)[\w-]{8,4000}\.[\w-]{8,8000}(?:\.[\w-]{0,2000})?")
_CONNECTION = re.compile(r"://([^\s/:@\"'<>\\,]{0,100}):([^\s/@\"'<>\\]{1,200})@([\w.-]{1,255}(?::[0-9]{1,5})?)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,20}$", re.IGNORECASE)
_VARIABLE = re.compile(r"^(?:\$|%[A-Z]|\{|\[|\*+$|x+$|\.+$|your|my_?|<|example$)", re.IGNORECASE)


def token_like(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word that may be a key: 20 to 1,000 characters with a digit, in order of place."""
    words = (
        [found.span() for found in _LETTERS_ONLY.finditer(text)]
        if any(hint in text for hint in _NO_DIGIT_NEEDED)
        else []
    )
    hint = _DIGIT_IN_WORD.search(text)
    while hint:
        at = hint.start()
        head = text[max(0, at - _LONGEST) : at]
        start, end = at - len(head) + len(head.rstrip(_WORD_CHARACTERS)), _REST_OF_WORD.match(text, at).end()  # type: ignore[union-attr]
        if _SHORTEST <= end - start <= _LONGEST:
            words.append((start, end))
        hint = _DIGIT_IN_WORD.search(text, end)
    return sorted(words)


def keys(text: str, words: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Yield API keys and tokens of well-known services.

    :param words: Start and end of each token-like word: a key holds one or is one.
    """
    for start, end in windows(words, len(text)):
        for found in _KEYS.finditer(text, start, end):
            before = boundary(text, found.start())
            if not (before.isalnum() or before in {"_", "-", "."}) and _has_body(found.group()):
                yield Span(found.start(), found.end(), "SECRET", found.group())


def hooks_and_private_keys(text: str) -> Iterator[Span]:
    """Yield web hooks, which are secrets themselves, and private keys in PEM."""
    if "/services/" in text or "/workflows/" in text or "/webhooks/" in text:
        for found in _HOOKS.finditer(text):
            yield Span(found.start(), found.end(), "SECRET", found.group())
    if "PRIVATE KEY" in text:
        for found in _PEM.finditer(text):
            yield Span(found.start(), _before_backslash(text, found.end()), "SECRET", found.group())


def tokens(text: str) -> Iterator[Span]:
    """Yield JSON web tokens (RFC 7519: two base64url parts that begin with an encoded brace, and a signature)."""
    if "eyJ" in text:
        for found in _JWT.finditer(text):
            before = boundary(text, found.start())
            if not (before.isalnum() or before in {"_", "-"}):
                yield Span(found.start(), found.end(), "JWT", found.group())


def connections(text: str) -> Iterator[Span]:
    """Yield ``user:password@host:port`` of a connection string; the scheme and the path stay."""
    if "://" not in text or "@" not in text:
        return
    for found in _CONNECTION.finditer(text):
        if _SCHEME.search(text[max(0, found.start() - 21) : found.start()]) and not _VARIABLE.match(found.group(2)):
            yield Span(found.start(1), found.end(), "CONNECTION", text[found.start(1) : found.end()])


_WORDS = ("pass", "pwd", "secret", "token", "key")
_ASSIGNED = re.compile(
    r"(?:word|wd|phrase|code)?(?:[ _-]?(?:access)?[ _-]?key)?(?:[ _-]?id)?"
    r"(?:\\{0,3}[\"'])?(?:\s?(?:[:=]|=>|:=)\s?|\s+is:?\s+)(?:\\{0,3}(?P<quote>[\"'`]))?"
    r"(?P<value>[A-Za-z0-9_\-+/=.~!@#$%^&*?|]{6,400})",
    re.IGNORECASE,
)
_KEY_BEFORE = re.compile(
    r"(?:api|access|account|private|auth|signing|encryption|subscription|service|master|client)[ _-]?$"
)
_PUBLIC_TOKEN_BEFORE = re.compile(
    r"(?:image|thumbnail|page|next|continuation|sync|pad|eos|bos|unk|special|stop|max|min|num)[ _-]?$"
)
_BEARER = re.compile(r"\b(?:bearer|basic)\s+([A-Za-z0-9._~+/-]{16,2000}={0,2})", re.IGNORECASE)
_NEXT_FIELD = re.compile(r"&[A-Za-z_]\w*=")
_PASSWORDS = ("pass", "pwd")
_MIN_TOKEN = 16
_MIN_BITS = 3.0


def assignments(text: str) -> Iterator[Span]:
    """Yield what follows ``password:``, ``api_key=``, ``Bearer`` and the like, unless it is a name or a variable."""
    lowered = text.lower()
    for word in _WORDS:
        at = lowered.find(word)
        while at >= 0:
            found = _ASSIGNED.match(text, at + len(word))
            if found and _announces(word, lowered[max(0, at - 14) : at]):
                value, end = _trimmed(text, found)
                if _is_secret(word, found, value, text[end : end + 1]):
                    yield Span(found.start("value"), end, "SECRET", value)
            at = lowered.find(word, at + len(word))
    if "bearer " in lowered or "basic " in lowered:
        for found in _BEARER.finditer(text):
            if _is_random(found.group(1)):
                yield Span(found.start(1), found.end(1), "SECRET", found.group(1))


def _announces(word: str, before: str) -> bool:
    if word == "key":
        return _KEY_BEFORE.search(before) is not None
    return word != "token" or _PUBLIC_TOKEN_BEFORE.search(before) is None


def _trimmed(text: str, found: re.Match[str]) -> tuple[str, int]:
    """Return the value without the full stop or question mark that ends its sentence, and where it ends."""
    value = _NEXT_FIELD.split(found.group("value"), maxsplit=1)[0].rstrip("" if found.group("quote") else ".?!,")
    return value, _before_backslash(text, found.start("value") + len(value))


def _is_secret(word: str, found: re.Match[str], value: str, after: str) -> bool:
    if after in {"(", "[", "{"} or _VARIABLE.match(value) or not any(c.isalpha() for c in value):
        return False
    if word in _PASSWORDS:
        return _is_password(found, value)
    return len(value) >= _MIN_TOKEN and _is_random(value)


def _is_password(found: re.Match[str], value: str) -> bool:
    mixed = any(c.isdigit() for c in value) or any(c in "!@#$%^&*?~+" for c in value[1:])
    is_name = re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", value) is not None
    return mixed and (bool(found.group("quote")) or not is_name or not ("_" in value or "." in value))


def _is_mixed(value: str) -> bool:
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _has_body(value: str) -> bool:
    return _is_mixed(value) or bool(_LETTERS_ONLY.fullmatch(value) and not value.islower())


def _is_random(value: str) -> bool:
    """Tell a generated key from a name: letters and digits, and at least three bits a character (Shannon)."""
    if not _is_mixed(value):
        return False
    shares = [n / len(value) for n in Counter(value).values()]
    return -sum(p * math.log2(p) for p in shares) >= _MIN_BITS


def _before_backslash(text: str, end: int) -> int:
    """Return ``end`` moved before backslashes that belong to the escape sequence behind the finding."""
    while end and text[end - 1] == "\\":
        end -= 1
    return end
