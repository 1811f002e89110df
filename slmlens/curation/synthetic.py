"""Synthetic values of every kind that redaction promises to find, drawn by Faker or built to the issuer's format.

The locales are others than English of the United States, whose shapes are the most tested everywhere. Each value has
the word that people put beside it (``IBAN``, ``CPF``), because a bare row of digits says nothing, even to a person.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from slmlens.curation.national_ids import verhoeff

if TYPE_CHECKING:
    from faker import Faker

LOCALES = ("de_AT", "fr_CH", "it_IT", "pl_PL", "pt_PT", "sv_SE", "nl_BE", "en_IE", "en_IN", "es_MX", "tr_TR", "cs_CZ")


class Planted(NamedTuple):
    """A synthetic value.

    :param text: As it is written down.
    :param core: The parts of ``text`` that identify; the rest (a scheme, a variable's name) may stay.
    :param word: What people call it.
    :param groups: The parts that people set apart by blanks or dashes; empty where nobody does.
    """

    text: str
    core: tuple[str, ...]
    word: str
    groups: tuple[str, ...] = ()


Maker = Callable[["Faker", Random], Planted]


def makers() -> dict[str, tuple[Maker, ...]]:
    """Return what makes a value, by kind: several makers a kind, drawn from in equal shares."""
    return {
        "EMAIL": (_email,),
        "PHONE": (_phone_abroad, _phone_at_home),
        "CARD": (_card,),
        "IBAN": (_iban,),
        "IP": (_ipv4, _ipv6),
        "NATIONAL_ID": tuple(_national(*scheme) for scheme in _NATIONAL),
        "SECRET": (*(_key(*shape) for shape in _KEYS), _jwt, _pem, _connection, _password),
        "PATH": (_path,),
    }


def _whole(text: str, word: str, groups: Sequence[str] = ()) -> Planted:
    return Planted(text, (text,), word, tuple(groups))


def _email(faker: Faker, _: Random) -> Planted:
    return _whole(faker.email(safe=False), "e-mail")


_REGIONS = ("AT", "CH", "IT", "PL", "PT", "SE", "BE", "IE", "IN", "MX", "TR", "CZ", "BR", "JP", "AU")


def _phone_abroad(_: Faker, random: Random) -> Planted:
    """Return a valid number of a country, as phonenumbers (after Google's libphonenumber) writes it abroad."""
    import phonenumbers

    example = phonenumbers.example_number_for_type(random.choice(_REGIONS), phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None, "every listed region has mobile phones"
    while True:
        tail = f"{random.randrange(10**5):05d}"
        digits = phonenumbers.national_significant_number(example)[:-5] + tail
        number = phonenumbers.parse(f"+{example.country_code}{digits}")
        if phonenumbers.is_valid_number(number):
            text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
            return _whole(text, "phone", text.replace("-", " ").split())


def _phone_at_home(faker: Faker, _: Random) -> Planted:
    return _whole(faker.phone_number(), "phone")


_FOUR_FOURS = 16
_ISSUERS = ("visa16", "mastercard", "amex", "discover", "diners")
_BANKS = ("de_AT", "fr_CH", "it_IT", "pl_PL", "pt_PT", "nl_BE", "es_ES", "fr_FR", "de_DE")


def _card(faker: Faker, random: Random) -> Planted:
    issuer = random.choice(_ISSUERS)
    digits = faker["en_US"].credit_card_number(card_type=issuer)
    cuts = (0, 4, 10, len(digits)) if len(digits) < _FOUR_FOURS else (0, 4, 8, 12, 16)
    return _whole(digits, "card number", [digits[a:b] for a, b in pairwise(cuts)])


def _iban(faker: Faker, random: Random) -> Planted:
    value = faker[random.choice(_BANKS)].iban()
    return _whole(value, "IBAN", [value[at : at + 4] for at in range(0, len(value), 4)])


def _ipv4(faker: Faker, random: Random) -> Planted:
    return _whole(faker.ipv4_public() if random.random() < 0.5 else faker.ipv4_private(), "IP address")  # noqa: PLR2004


def _ipv6(faker: Faker, _: Random) -> Planted:
    return _whole(faker.ipv6(), "IP address")


_NATIONAL = (
    ("en_US", "ssn", "SSN", (3, 5)),
    ("fr_FR", "ssn", "numéro de sécurité sociale", (1, 3, 5, 7, 10, 13)),
    ("es_ES", "nif", "NIF", ()),
    ("es_ES", "nie", "NIE", ()),
    ("pt_BR", "cpf", "CPF", ()),
    ("en_IN", "aadhaar_id", "Aadhaar", (4, 8)),
    ("de_DE", "vat_id", "Steuer-ID", (2, 5, 8)),
    ("en_GB", "ssn", "NI number", (2, 4, 6, 8)),
)


def _national(locale: str, method: str, word: str, cuts: Sequence[int]) -> Maker:
    """Return a maker of identity numbers of one country."""

    def make(faker: Faker, random: Random) -> Planted:
        built = {"de_DE": _steuer_id, "en_GB": _national_insurance, "en_IN": _aadhaar}.get(locale)
        text = built(random) if built else str(getattr(faker[locale], method)())
        plain = "".join(c for c in text if c.isalnum())
        ends = [0, *cuts, len(plain)]
        groups = [plain[a:b] for a, b in pairwise(ends)] if cuts else []
        return _whole(text, word, groups)

    return make


def _steuer_id(random: Random) -> str:
    """Return a German tax number: ten digits of which one stands twice, and a check digit (ISO 7064 mod 11,10)."""
    digits = random.sample("123456789", 9)
    digits.insert(random.randrange(1, 10), random.choice(digits))
    product = 10
    for digit in digits:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return "".join(digits) + str((11 - product) % 10)


def _aadhaar(random: Random) -> str:
    """Return an Indian number with its Verhoeff check digit; Faker's end in another, by Luhn."""
    body = random.choice("23456789") + f"{random.randrange(10**10):010d}"
    return next(body + digit for digit in "0123456789" if verhoeff(body + digit))


def _national_insurance(random: Random) -> str:
    """Return a British number of a prefix in use; Faker's begin with ZZ, which never is."""
    prefix = random.choice("ABCEGHJKLMNOPRSTWXY") + random.choice("ABCEGHJKLMPRSTWXYZ")
    safe = "AB" if prefix in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"} else prefix
    return f"{safe}{random.randrange(10**6):06d}{random.choice('ABCD')}"


_ALNUM, _HEX, _UPPER = string.ascii_letters + string.digits, "0123456789abcdef", string.ascii_uppercase + "234567"
_BASE64URL, _DIGITS = _ALNUM + "_-", string.digits
_KEYS: tuple[tuple[tuple[str, int] | str, ...], ...] = (
    ("AKIA", (_UPPER, 16)),
    ("ghp_", (_ALNUM, 36)),
    ("github_pat_", (_ALNUM, 22), "_", (_ALNUM, 59)),
    ("glpat-", (_ALNUM, 20)),
    ("xoxb-", (_DIGITS, 12), "-", (_DIGITS, 12), "-", (_ALNUM, 24)),
    ("sk_live_", (_ALNUM, 24)),
    ("sk-proj-", (_ALNUM, 74), "T3BlbkFJ", (_ALNUM, 74)),
    ("sk-ant-api03-", (_ALNUM, 93), "AA"),
    ("AIza", (_ALNUM, 35)),
    ("GOCSPX-", (_ALNUM, 28)),
    ("SG.", (_ALNUM, 22), ".", (_ALNUM, 43)),
    ("SK", (_HEX, 32)),
    ((_HEX, 32), "-us12"),
    ("hf_", (string.ascii_letters, 34)),
    ("npm_", (_ALNUM, 36)),
    ("pypi-AgEIcHlwaS5vcmc", (_ALNUM, 120)),
    ("dop_v1_", (_HEX, 64)),
    ("shpat_", (_HEX, 32)),
    ("glsa_", (_ALNUM, 32), "_", (_HEX, 8)),
    ("PMAK-", (_HEX, 24), "-", (_HEX, 34)),
    ("lin_api_", (_ALNUM, 40)),
    ("hvs.", (_ALNUM, 95)),
    ("dapi", (_HEX, 32)),
    ("rubygems_", (_HEX, 48)),
    ("ATATT3", (_ALNUM, 186)),
    ("EZAK", (_ALNUM, 54)),
    ("gsk_", (_ALNUM, 52)),
    ("sk-lf-", (_HEX, 8), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 12)),
)
"""Prefixes and lengths as the vendors publish them; the bodies are random."""


def _random_text(random: Random, alphabet: str, length: int) -> str:
    while True:
        text = "".join(random.choices(alphabet, k=length))
        if len(set(text)) > min(6, length // 2):
            return text


def _key(*shape: tuple[str, int] | str) -> Maker:
    """Return a maker of one vendor's keys: fixed parts, and random parts given as alphabet and length."""

    def make(_: Faker, random: Random) -> Planted:
        parts = (part if isinstance(part, str) else _random_text(random, *part) for part in shape)
        return _whole("".join(parts), "key")

    return make


def _jwt(_: Faker, random: Random) -> Planted:
    parts = [f"eyJ{_random_text(random, _BASE64URL, n)}" for n in (33, 80)]
    return _whole(".".join([*parts, _random_text(random, _BASE64URL, 43)]), "token")


def _pem(_: Faker, random: Random) -> Planted:
    lines = [_random_text(random, _ALNUM + "+/", 64) for _ in range(12)]
    kind = random.choice(("RSA ", "EC ", "OPENSSH ", ""))
    text = "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])
    return Planted(text, tuple(lines), "private key")


def _connection(faker: Faker, random: Random) -> Planted:
    scheme = random.choice(("postgresql", "mysql", "mongodb+srv", "redis", "amqp"))
    user, host = faker.user_name(), faker.domain_name()
    word = _random_text(random, _ALNUM, 14)
    return Planted(f"{scheme}://{user}:{word}@{host}:5432/main", (user, word, host), "database")


def _password(_: Faker, random: Random) -> Planted:
    value = _random_text(random, _ALNUM + "!@#$%*?", 11) + random.choice(_DIGITS) + random.choice(string.ascii_letters)
    value = random.choice(string.ascii_letters) + value
    name, sign = random.choice(("password", "DB_PASSWORD", "pwd", "passwd")), random.choice((": ", "="))
    return Planted(f"{name}{sign}{value}", (value,), "login")


def _path(faker: Faker, random: Random) -> Planted:
    user = faker.user_name()
    shapes = ("/home/{}/src/main.py", "/Users/{}/Documents/a.txt", "C:\\Users\\{}\\notes.txt", "/home/{}/.ssh")
    return Planted(random.choice(shapes).format(user), (user,), "file")
