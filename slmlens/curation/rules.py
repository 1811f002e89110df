"""A user's own redaction rules, from a YAML file: customer numbers, project names, what an organisation knows of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from slmlens.curation.identifiers import luhn, mod97
from slmlens.curation.national_ids import verhoeff
from slmlens.curation.spans import Span, digits_of, preceding
from slmlens.errors import SettingError

_NAME = re.compile(r"[A-Z][A-Z_]{1,15}")
_FIELDS = ("name", "pattern", "after", "check")
_LONGEST_PATTERN = 2_000
_PROBES = ("a", "0", " ", "-", "A1", "a ", "a.", "ab0-")
_PROBE_CHARACTERS = 20_000
_PROBE_SECONDS = 0.5
_TEXT_SECONDS = 10.0

CHECKS: Mapping[str, Callable[[str], bool]] = {
    "luhn": lambda value: luhn(digits_of(value)),
    "mod97": lambda value: mod97("".join(c for c in value.upper() if c.isascii() and c.isalnum())) == 1,
    "verhoeff": lambda value: verhoeff(digits_of(value)),
}
"""Check digits a rule may ask for: over the digits found; for ``mod97`` over letters and digits, to leave 1."""


@dataclass(frozen=True)
class Rule:
    """One rule, which is a detector: called with a text it returns what it finds.

    :param name: The kind in the placeholder: 2 to 16 capital letters and underscores.
    :param pattern: A regular expression of the ``regex`` package; a group named ``value`` is what is hidden, else all.
    :param after: Words of which one must stand in the 40 characters before, in any case; none: no word is needed.
    :param check: A name of ``CHECKS``, or None.
    """

    name: str
    pattern: regex.Pattern[str]
    after: tuple[str, ...] = ()
    check: str | None = None

    def __call__(self, text: str) -> Iterable[Span]:
        """Return what the rule finds in a text.

        :raises SettingError: If the pattern needs longer than ten seconds for it. Nothing is let through unread.
        """
        group = "value" if "value" in self.pattern.groupindex else 0
        try:
            found = [match.span(group) for match in self.pattern.finditer(text, timeout=_TEXT_SECONDS)]
        except TimeoutError as cause:
            raise _too_slow(self.name, len(text), _TEXT_SECONDS) from cause
        return [
            Span(start, end, self.name, text[start:end])
            for start, end in found
            if 0 <= start < end and self._holds(text, start, end)
        ]

    def _holds(self, text: str, start: int, end: int) -> bool:
        if self.after and not any(word in preceding(text, start) for word in self.after):
            return False
        return self.check is None or CHECKS[self.check](text[start:end])


def load_rules(path: Path | None) -> tuple[Rule, ...]:
    """Return the rules of a YAML file: a list ``rules`` of ``name``, ``pattern`` and, if wanted, ``after``, ``check``.

    :raises SettingError: If the file can't be read, or a rule is incomplete, unknown in a field, no regular expression,
        matches nothing at all, or takes long on a hostile text.
    """
    if path is None:
        return ()
    listed = _listed(path)
    return tuple(_rule(entry, f"{path.name}, rule {at}") for at, entry in enumerate(listed, start=1))


def _listed(path: Path) -> list[Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise SettingError(
            f"the file of rules can't be read ({cause.strerror})", where=path.name, next_step="check the path"
        ) from cause
    except (UnicodeDecodeError, yaml.YAMLError) as cause:
        mark = getattr(cause, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise SettingError("this is not YAML", where=f"{path.name}{line}", next_step=_EXAMPLE) from cause
    rules = content.get("rules") if isinstance(content, dict) else None
    if not isinstance(rules, list) or not rules or set(content) != {"rules"}:
        raise SettingError("the file must hold one list named rules", where=path.name, next_step=_EXAMPLE)
    return rules


_EXAMPLE = "write rules: [{name: CUSTOMER_NO, pattern: 'C-[0-9]{6}'}]"


def _rule(entry: object, where: str) -> Rule:
    if not isinstance(entry, dict) or not {"name", "pattern"} <= set(entry):
        raise SettingError("the rule needs a name and a pattern", where=where, next_step=_EXAMPLE)
    unknown = [str(key) for key in entry if key not in _FIELDS]
    if unknown:
        raise SettingError(
            f"{unknown[0]} is no field of a rule", where=where, next_step=f"use only {', '.join(_FIELDS)}"
        )
    name, check = entry["name"], entry.get("check")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingError(
            f"the name {name!r} can't stand in a placeholder",
            where=where,
            next_step="use 2 to 16 capital letters and underscores, such as CUSTOMER_NO",
        )
    if check is not None and check not in CHECKS:
        raise SettingError(f"there is no check {check!r}", where=where, next_step=f"use one of {', '.join(CHECKS)}")
    return Rule(name, _pattern(entry["pattern"], name, where), _words(entry.get("after"), where), check)


def _words(given: object, where: str) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given or []
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        raise SettingError("after must be a list of words", where=where, next_step="write after: [customer, client]")
    return tuple(word.lower() for word in words)


def _pattern(given: object, name: str, where: str) -> regex.Pattern[str]:
    if not isinstance(given, str) or not given or len(given) > _LONGEST_PATTERN:
        raise SettingError(
            f"the pattern must be a text of 1 to {_LONGEST_PATTERN:,} characters", where=where, next_step=_EXAMPLE
        )
    try:
        pattern = regex.compile(given)
    except regex.error as cause:
        raise SettingError(
            f"the pattern is no regular expression ({cause})", where=where, next_step="mend it, or quote it singly"
        ) from cause
    if pattern.search(""):
        raise SettingError(
            "the pattern also matches nothing at all", where=where, next_step="make a part of it obligatory"
        )
    for probe in _PROBES:
        text = probe * (_PROBE_CHARACTERS // len(probe)) + "\0"
        try:
            for _ in pattern.finditer(text, timeout=_PROBE_SECONDS):
                pass
        except TimeoutError as cause:
            raise _too_slow(name, len(text), _PROBE_SECONDS, where) from cause
    return pattern


def _too_slow(name: str, size: int, seconds: float, where: str = "rules") -> SettingError:
    return SettingError(
        f"the pattern of {name} needs longer than {seconds:g} s for a text of {size:,} characters",
        where=where,
        next_step="avoid nested repetitions such as (a+)+, and bound what repeats: {1,40} instead of +",
    )
