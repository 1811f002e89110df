"""Detectors of national identity and tax numbers outside the United States."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from slmlens.curation.spans import Span, boundary, following, preceding


class _Scheme(NamedTuple):
    """A numbering scheme. ``valid`` judges the value without separators; ``telling``: the shape alone suffices."""

    shape: re.Pattern[str]
    valid: Callable[[str], bool]
    word: re.Pattern[str]
    telling: Callable[[str], bool]


def _always(_: str) -> bool:
    return True


def _never(_: str) -> bool:
    return False


def _grouped(raw: str) -> bool:
    return not raw.isalnum()


def verhoeff(digits: str) -> bool:
    """Tell whether the last digit is the Verhoeff check digit (J. Verhoeff, Error Detecting Decimal Codes, 1969)."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = _DIHEDRAL[state][_PERMUTED[place % 8][int(digit)]]
    return state == 0


def _dihedral() -> list[list[int]]:
    """Return the multiplication table of the dihedral group D5: 0 to 4 turn, 5 to 9 turn and flip."""
    turns = [[(a + b) % 5 for b in range(5)] + [(a + b) % 5 + 5 for b in range(5)] for a in range(5)]
    flips = [[(a - b) % 5 + 5 for b in range(5)] + [(a - b) % 5 for b in range(5)] for a in range(5)]
    return turns + flips


def _permutations() -> list[list[int]]:
    rows = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    while len(rows) < 8:  # noqa: PLR2004 the permutation has order 8
        rows.append([rows[-1][i] for i in rows[1]])
    return rows


_DIHEDRAL = _dihedral()
_PERMUTED = _permutations()


def _cpf(value: str) -> bool:
    """Brazil: two check digits by weighted sums modulo 11."""
    for length in (9, 10):
        total = sum(int(d) * (length + 1 - i) for i, d in enumerate(value[:length]))
        if total * 10 % 11 % 10 != int(value[length]):
            return False
    return len(set(value)) > 1


def _nir(value: str) -> bool:
    """France: the last two digits are 97 minus the rest modulo 97; the departments of Corsica count as 19 and 18."""
    body = value[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(body) % 97 == int(value[13:])


def _steuer_id(value: str) -> bool:
    """Germany: ISO 7064 mod 11,10, and one digit of the first ten stands twice or three times."""
    product = 10
    for digit in value[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(value[10]) and len(set(value[:10])) in {8, 9}


def _dni(value: str) -> bool:
    """Spain: the letter is the number modulo 23; X, Y and Z of a foreigner's number count as 0, 1 and 2."""
    number = value[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == value[-1]


def _word(names: str) -> str:
    """Return a pattern of whole words, which may be parts of a field's name (``user_cpf``)."""
    return rf"(?<![a-z])(?:{names})(?![a-z])"


_END = r"(?![0-9A-Za-z_]|[.-][0-9])"
_SCHEMES = (
    _Scheme(
        re.compile(
            rf"[12]([ -]?)[0-9]{{2}}\1(?:0[1-9]|1[0-2]|[2-9][0-9])\1(?:[0-9]{{2}}|2[AB])\1[0-9]{{3}}\1[0-9]{{3}}"
            rf"[ -]?[0-9]{{2}}{_END}"
        ),
        _nir,
        re.compile(rf"s[eé]curit[eé][ _]sociale|{_word('nir|insee|nss')}"),
        _always,
    ),
    _Scheme(
        re.compile(rf"[1-9][0-9]([ -]?)[0-9]{{3}}\1[0-9]{{3}}\1[0-9]{{3}}{_END}"),
        _steuer_id,
        re.compile(rf"steuer|(?<![a-z])idnr|(?<![a-z])tax[ _-]?id|{_word('tin')}"),
        _never,
    ),
    _Scheme(
        re.compile(rf"(?:[0-9]{{8}}|[XYZ]-?[0-9]{{7}})-?[A-HJ-NP-TV-Z]{_END}"),
        _dni,
        re.compile(rf"{_word('dni|nie|nif')}|documento"),
        _always,
    ),
    _Scheme(
        re.compile(rf"[2-9][0-9]{{3}}([ -]?)[0-9]{{4}}\1[0-9]{{4}}{_END}"),
        verhoeff,
        re.compile(rf"aadhaa?r|{_word('uidai?')}"),
        _never,
    ),
    _Scheme(
        re.compile(rf"(?:[0-9]{{3}}\.[0-9]{{3}}\.[0-9]{{3}}-[0-9]{{2}}|[0-9]{{11}}){_END}"),
        _cpf,
        re.compile(_word("cpf")),
        _grouped,
    ),
)
_LEAD = 12  # a letter may stand among the digits
_SHORTEST = 7
_ANY_SHAPE = re.compile(
    "|".join(re.sub(r"\\1", "[ -]?", scheme.shape.pattern).replace("([", "(?:[") for scheme in _SCHEMES)
)


def national_ids(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield identity numbers of France, Germany, Spain, India and Brazil in or around a stretch of digits.

    Each needs its check digit where the scheme has one, and a telling word before it unless the shape is telling.
    """
    if end - start < _SHORTEST or not _ANY_SHAPE.search(text, max(0, start - _LEAD), min(len(text), end + _LEAD)):
        return
    for scheme in _SCHEMES:
        for found in scheme.shape.finditer(text, max(0, start - _LEAD), min(len(text), end + _LEAD)):
            before = boundary(text, found.start())
            if before.isalnum() or before in {"_", ".", "-", "+"}:
                continue
            value = "".join(c for c in found.group() if c.isalnum())
            if scheme.valid(value) and (scheme.telling(found.group()) or _announced(scheme.word, text, found)):
                yield Span(found.start(), found.end(), "NATIONAL_ID", value)


def _announced(word: re.Pattern[str], text: str, found: re.Match[str]) -> bool:
    return bool(word.search(preceding(text, found.start())) or word.search(following(text, found.end())))


_NINO = re.compile(rf"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]([ -]?)[0-9]{{2}}\1[0-9]{{2}}\1[0-9]{{2}}\1[A-D]{_END}")
_NINO_WORD = re.compile(rf"national[ _-]?insurance|{_word('nino')}|(?<![a-z])ni[ _-]?(?:number|no)")
_NINO_NEVER = frozenset(("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"))


def national_insurance(text: str, start: int) -> Iterator[Span]:
    """Yield the UK national insurance number that begins at ``start``: in its usual groups, or after a telling word."""
    found = _NINO.match(text, start)
    before = boundary(text, start)
    if found is None or before.isalnum() or before == "_" or found.group()[:2] in _NINO_NEVER:
        return
    if found.group(1) or _announced(_NINO_WORD, text, found):
        yield Span(start, found.end(), "NATIONAL_ID", "".join(c for c in found.group() if c.isalnum()))
