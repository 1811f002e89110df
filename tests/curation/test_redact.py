"""Redaction finds values in the shapes people write them in, keeps them linkable, and touches nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slmlens.curation.identifiers import luhn, mod97
from slmlens.curation.redact import KEY_VARIABLE, KeepText, Redaction, load_key, new_key
from slmlens.curation.spans import KINDS, PLACEHOLDER, Span, resolve
from slmlens.errors import SettingError

REDACTION = Redaction(b"a key for the tests only")


def kinds(text: str) -> str:
    """The text with each placeholder shortened to its kind."""
    return PLACEHOLDER.sub(r"<\1>", REDACTION.text(text))


def squeezed(text: str) -> str:
    return re.sub(r"[\s\-]", "", text)


SECRET_BODY = "aB3dE6gH9jK2mN5pQ8sT"


@pytest.mark.parametrize(
    ("raw", "redacted"),
    [
        ("write to Ann.Lee+news@mail.example-shop.co.uk, please", "write to <EMAIL>, please"),
        ("<ann@shop.org>", "<<EMAIL>>"),
        ("https://x.test/?mail=ann%40shop.org&n=1", "https://x.test/?mail=<EMAIL>&n=1"),
        ("ann [at] shop [dot] org", "<EMAIL>"),
        ("jürgen@müller.de", "<EMAIL>"),
        ("card 4111-1111-1111-1111.", "card <CARD>."),
        ("card 4111\u00a01111\u00a01111\u00a01111", "card <CARD>"),
        ("Amex 3782 822463 10005", "Amex <CARD>"),
        ("visa card: 4222222222222", "visa card: <CARD>"),
        ("pay DE89 3704 0044 0532 0130 00 to us", "pay <IBAN> to us"),
        ("GB82-WEST-1234-5698-7654-32", "<IBAN>"),
        ("my iban is nl91abna0417164300", "my iban is <IBAN>"),
        ("call +1 415 555 1234 now", "call <PHONE> now"),
        ("(415) 555-1234", "<PHONE>"),
        ("415-555-1234 or 415.555.1234", "<PHONE> or <PHONE>"),
        ("0049 30 1234567", "<PHONE>"),
        ("tel:%2B442079460958", "tel:<PHONE>"),
        ("Tel.: 030 1234567", "Tel.: <PHONE>"),
        ("my whatsapp number is 07700 900123", "my whatsapp number is <PHONE>"),
        ("+1 415 555 1234 2024", "<PHONE> 2024"),
        ("SSN 123 45 6789", "SSN <SSN>"),
        ("123-45-6789", "<SSN>"),
        ("NI number AB123456C", "NI number <NATIONAL_ID>"),
        ("2 55 08 14 168 025 38", "<NATIONAL_ID>"),
        ("DNI 12345678Z, NIE X1234567L", "DNI <NATIONAL_ID>, NIE <NATIONAL_ID>"),
        ("CPF 529.982.247-25", "CPF <NATIONAL_ID>"),
        ("Steuer-ID: 86095742719", "Steuer-ID: <NATIONAL_ID>"),
        ("Aadhaar 4991 1866 5246", "Aadhaar <NATIONAL_ID>"),
        ("from 10.20.30.40 to 2001:4860:4860::8888", "from <IP> to <IP>"),
        ("http://10.0.0.1:80/x", "http://<IP>:80/x"),
        (f"sk-proj-{SECRET_BODY}", "<SECRET>"),
        (f"OPENAI_API_KEY=sk-ant-api03-{SECRET_BODY}", "OPENAI_API_KEY=<SECRET>"),
        (f"ghp_{SECRET_BODY}{SECRET_BODY}", "<SECRET>"),
        ("aws AKIAIOSFODNN7EXAMPLE", "aws <SECRET>"),
        (f"Authorization: Bearer {SECRET_BODY}", "Authorization: Bearer <SECRET>"),
        ('{"password":"s3cretPW!"}', '{"password":"<SECRET>"}'),
        ("password: hunter2", "password: <SECRET>"),
        (f"client_secret = '{SECRET_BODY}'", "client_secret = '<SECRET>'"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIE/+=\n-----END RSA PRIVATE KEY-----",
            "<SECRET>",
        ),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "<JWT>"),
        ("postgres://bob:s3cr%40t@db.internal:5432/shop", "postgres://<CONNECTION>/shop"),
        ("/home/alice/src/x.py", "<PATH>/src/x.py"),
        (r"C:\Users\John Smith\notes.txt", r"<PATH>\notes.txt"),
        ("-Users-alice-src/1.jsonl", "<PATH>-src/1.jsonl"),
    ],
)
def test_values_are_found_in_the_shapes_people_write_them_in(raw: str, redacted: str) -> None:
    assert kinds(raw) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "order 4155551234 of 2026-09-01T10:11:12.123456Z",
        "0.4111111111111111",
        "id 1699999999999999 at 20260901101112",
        "uuid 41111111-1111-1111-1111-111111111111",
        "sha 5f2a4111111111111111aa0c",
        "A@B.T and x @ y.shape and weights@x.reshape(3)",
        "@app.route and apple-touch-icon@2.png and pkg@1.2.3",
        "git@github.com:owner/repo.git",
        "127.0.0.1 0.0.0.0 192.0.2.4 198.51.100.7 203.0.113.9 ::1 2001:db8::1 255.255.255.0",
        "v1.2.3.4, version 10.2.30.4, Section 1.2.3.4, lib==10.20.30.40, Chrome/58.0.30.110",
        "std::vector a::b x[::2] 12:34:56",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "@@ -12,7 +12,9 @@ and (a*b+1000000007)",
        "password=password, token = tokens[i], max_tokens: 1000000, os.environ['PASSWORD']",
        "password: {{password}} and api_key=YOUR_API_KEY and sk-your-key-goes-here-please",
        '"image_token":"57974159b78b309485721c0bce280219"',
        "https://example.com/home/about",
        "-020-01-01 00:00:00 and 0020-01-01 00:00:00",
        "ISBN 978-3-16-148410-0 and EAN 4006381333931",
    ],
)
def test_what_only_looks_like_a_value_stays(text: str) -> None:
    assert REDACTION.text(text) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("Ann@Shop.org", "ann%40shop.org"),
        ("(415) 555-1234", "+1 415 555 1234"),
    ],
)
def test_a_value_has_one_placeholder_however_it_is_written(one: str, other: str) -> None:
    assert REDACTION.text(one) == REDACTION.text(other)


def test_other_values_and_other_keys_give_other_placeholders() -> None:
    assert REDACTION.text("a@shop.org") != REDACTION.text("b@shop.org")
    assert REDACTION.text("a@shop.org") != Redaction(new_key()).text("a@shop.org")


_digits = st.text("0123456789", min_size=20, max_size=20)


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    prefix, length = draw(
        st.sampled_from([("4", 16), ("52", 16), ("2300", 16), ("37", 15), ("6011", 16), ("3530", 16)])
    )
    body = (prefix + draw(_digits))[: length - 1]
    number = next(body + d for d in "0123456789" if luhn(body + d))
    groups = [number[:4], number[4:10], number[10:]] if length == 15 else re.findall("....", number)
    return draw(st.sampled_from(["", " ", "-"])).join(groups)


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country, bank, digits = draw(
        st.sampled_from([("DE", "", 18), ("GB", "WEST", 14), ("NL", "ABNA", 10), ("ES", "", 20)])
    )
    body = bank + draw(_digits)[:digits]
    value = f"{country}{98 - mod97(body + country + '00'):02d}{body}"
    return draw(st.sampled_from(["", " ", "-"])).join(re.findall(".{1,4}", value))


emails = st.from_regex(
    r"[a-z][a-z0-9]{1,8}([._+-][a-z0-9]{1,6})?@[a-z][a-z0-9-]{1,8}[a-z]\.(com|org|de|co\.uk|shop)", fullmatch=True
)
phones = st.from_regex(
    r"\+(1 415|49 30|44 207|33 65) ?[2-9][0-9]{2} ?[0-9]{4}|\([2-9][0-9]{2}\) [2-9][0-9]{2}-[0-9]{4}", fullmatch=True
)
ssns = st.from_regex(r"[1-5][0-9]{2}-[1-9][0-9]-[1-9][0-9]{3}", fullmatch=True)
addresses = st.builds(lambda a, b, c: f"10.{a}.{b}.{c}", *[st.integers(0, 255)] * 3)
secrets = st.text("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=40, max_size=48).map(
    lambda body: f"sk-proj-a1{body}Zz9"
)
values = st.one_of(card_numbers(), ibans(), emails, phones, ssns, addresses, secrets)
frames = st.sampled_from(
    [
        ("", ""), ("my data: ", "."), ("(", ")"), ('{"value": "', '"}'), ("a,", ",b"), ("line\n", "\nline"),
        ("Nummer=", ";"), ("Überweisung an ", "! Danke"), ("[", "](link)"), ("'", "'"), ("\t", "\t"),
        ('{\\"note\\": \\"x\\n', '\\"}'),
    ]
)  # fmt: skip


@given(value=values, frame=frames)
def test_no_planted_value_survives_in_any_frame(value: str, frame: tuple[str, str]) -> None:
    raw = frame[0] + value + frame[1]
    assert squeezed(value) not in squeezed(REDACTION.text(raw))


_messy = st.lists(
    st.one_of(
        values,
        st.text(max_size=30),
        st.sampled_from(["<EMAIL:ABCDEFGH>", "\\n", '"', " ", "@", "phone: ", "password=", "://a:"]),
    ),
    max_size=8,
).map("".join)


@given(raw=_messy)
@settings(max_examples=200)
def test_redacting_redacted_text_changes_nothing(raw: str) -> None:
    once = REDACTION.text(raw)
    assert REDACTION.text(once) == once


def test_an_escape_at_the_edge_of_a_long_address_is_left_whole() -> None:
    document = json.dumps({"": "\x1f4" + "0" * 60 + "@0.AA"})
    assert json.loads(REDACTION.text(document))[""].startswith("\x1f<EMAIL:")


@given(
    fields=st.dictionaries(st.text(max_size=5), st.one_of(_messy, st.integers(), st.booleans(), st.none()), max_size=5),
    ascii_only=st.booleans(),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_a_json_object_stays_one(fields: dict[str, object], ascii_only: bool) -> None:
    document = json.dumps({**fields, "card": 4111111111111111, "phone": 4155551234}, ensure_ascii=ascii_only)
    redacted = REDACTION.text(document)
    assert json.loads(redacted)["card"].startswith("<CARD:")
    assert len(json.loads(redacted)) == len(json.loads(document))
    nested = json.dumps({"arguments": document})
    assert "4111111111111111" not in REDACTION.text(nested)
    assert json.loads(json.loads(REDACTION.text(nested))["arguments"])["phone"].startswith("<PHONE:")


ADVERSARIAL = [
    "a", "@", "1 ", "1.", "a.", "a@", "a@a.", "+1 ", "::", "aaaa:", "eyJ", "eyJa.", "://", "://a:b", "password=",
    "sk-a1",
    "-----BEGIN PRIVATE KEY-----", "/home/a", "DE89", "4111 ", "4", "<EMAIL:AAAAAAAA>", "123-45-6789 ", "\\u0040",
    "a [at] ", "[dot]", "api key ",
]  # fmt: skip


@pytest.mark.parametrize("piece", ADVERSARIAL)
def test_hostile_repetition_ends(piece: str) -> None:
    hostile = piece * (200_000 // len(piece))
    assert isinstance(REDACTION.text(hostile), str)


def test_longer_findings_win_and_ties_go_to_the_earlier() -> None:
    short, long, late = Span(5, 9, "EMAIL", "a"), Span(0, 9, "CONNECTION", "b"), Span(8, 17, "CARD", "c")
    assert resolve([late, short, long]) == [long]
    assert resolve([short], barred=[(8, 12)]) == []


def test_identifiers_become_hashes_by_kind_and_key() -> None:
    assert re.fullmatch("[A-Z2-7]{16}", REDACTION.pseudonym("session", "s-1"))
    assert REDACTION.pseudonym("session", "s-1") == REDACTION.pseudonym("session", "s-1")
    assert REDACTION.pseudonym("session", "s-1") != REDACTION.pseudonym("user", "s-1")
    assert REDACTION.fingerprint(b"a") != REDACTION.fingerprint(b"b")
    assert KeepText(REDACTION).pseudonym("user", "u") == REDACTION.pseudonym("user", "u")
    assert KeepText(REDACTION).text("a@shop.org") == "a@shop.org"


def test_the_key_comes_from_the_file_then_the_environment_then_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("sixteen bytes or more\n")
    monkeypatch.setenv(KEY_VARIABLE, "another key of some length")
    assert load_key(file) == b"sixteen bytes or more"
    assert load_key() == b"another key of some length"
    monkeypatch.delenv(KEY_VARIABLE)
    assert load_key() != load_key()


def test_a_bad_key_is_refused_with_a_sentence_that_names_no_path(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    for file in (tmp_path / "key", tmp_path / "absent"):
        with pytest.raises(SettingError) as refused:
            load_key(file)
        assert str(tmp_path) not in str(refused.value)


def test_the_key_is_never_shown() -> None:
    assert "tests only" not in repr(REDACTION)


def test_kinds_fit_the_placeholder() -> None:
    for kind in KINDS:
        assert PLACEHOLDER.fullmatch(REDACTION.placeholder(kind, "x"))
