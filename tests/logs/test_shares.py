"""A large log read by several processes gives what one process gives, to the byte, whatever becomes of the others."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.curation.redact import Redaction
from slmlens.errors import SlmlensError
from slmlens.logs import shares
from slmlens.logs.read import read_calls
from slmlens.logs.reading import Share
from slmlens.logs.redactor import Redactor
from slmlens.logs.shares import Order, Part, read_share, shares_of
from slmlens.logs.sources import find_sources
from slmlens.results import Calls
from tests.logs.conftest import pair
from tests.logs.test_claude_code import Log

BLOCK = 20
KEY = Redaction(b"a key of the tests")
TABLES = ("calls", "messages", "rejects", "files", "duplicates")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Calls of some 20 blocks in three files, with copies and broken lines, and a session that many lines tell."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, n in (("a.jsonl", 12 * BLOCK), ("b.jsonl", 7 * BLOCK + 3)):
        lines = [orjson.dumps(asked(one)) if one % 97 else b"{broken" for one in range(n)]
        (folder / name).write_bytes(b"\n".join(lines))
    (folder / "few.jsonl").write_bytes(orjson.dumps(asked(5_000_000)))
    (folder / "session.jsonl").write_bytes(b"\n".join(map(orjson.dumps, session(4 * BLOCK).lines)))
    return folder


def asked(one: int) -> dict[str, object]:
    said = {"id": f"chatcmpl-{one}", "created": 1_780_000_000 + one}
    return pair(f"Question {one % 70} of ann{one % 5}@example.com?", response=said)


def session(turns: int) -> Log:
    """A session whose calls are known only to who reads all of its lines."""
    log = Log()
    for turn in range(turns):
        log.user(f"Question {turn}?")
        log.answer(f"msg_{turn}", {"type": "text", "text": f"Answer {turn}."})
    return log


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take some ten kilobytes for a large log."""
    monkeypatch.setattr(shares, "SHARED_FROM", 2)
    monkeypatch.setattr(shares, "DEALT_FROM", 10_000)
    monkeypatch.setattr(shares, "BLOCK", BLOCK)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[Part]]:
    """What came from other processes."""
    came: list[list[Part]] = []
    sent = shares._in_processes
    monkeypatch.setattr(shares, "_in_processes", lambda orders: came.append(sent(orders)) or came[-1])
    return came


def read(log: Path, processes: int, redactor: Redactor = KEY) -> Calls:
    return read_calls(log, redactor=redactor, processes=processes)


def assert_same(one: Calls, other: Calls) -> None:
    for table in TABLES:
        assert getattr(one, table).equals(getattr(other, table)), table
    assert one.notes == other.notes


@given(
    of=st.integers(1, 8),
    dealt=st.frozensets(st.integers(0, 5)),
    file=st.integers(0, 5),
    line=st.integers(1, 100_000),
)
def test_each_line_is_in_exactly_one_share(of: int, dealt: frozenset[int], file: int, line: int) -> None:
    holding = [share for share in (Share(number, of, dealt) for number in range(of)) if share.holds(file, line)]
    assert len(holding) == 1
    assert holding[0].has(file)


@pytest.mark.usefixtures("small")
def test_several_processes_read_what_one_reads(log: Path, told: list[list[Part]]) -> None:
    assert_same(read(log, 2), read(log, 1))
    [[part]] = told
    assert 0.3 < len(part.drafts) / (19 * BLOCK) < 0.7, "the other process read about half"


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_real_log_is_read_alike(shared: Path, told: list[list[Part]]) -> None:
    log = shared / "bench/agents_mixed.jsonl.gz"
    assert_same(read(log, 3), read(log, 1))
    assert [bool(part.drafts) for [*parts] in told for part in parts] == [True, True]


@pytest.mark.slow
def test_each_format_is_read_alike_however_finely_it_is_dealt(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SHARED_FROM", 2), ("DEALT_FROM", 1), ("BLOCK", 2), ("_DOCUMENTS", ())):
        monkeypatch.setattr(shares, name, value)
    monkeypatch.setattr(shares, "_in_processes", lambda _orders: [])  # here, which is as far as the tables go the same
    formats = set()
    for log in sorted(path for top in ("logs", "fixtures") for path in (shared / top).rglob("*") if is_small(path)):
        try:
            whole = read(log, 1)
        except SlmlensError:
            continue
        assert_same(read(log, 3), whole)
        formats |= set(whole.files["format"])
    assert len(formats) >= 15


def is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size < 2_000_000


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_share_of_a_process_that_is_killed_is_read_here(log: Path, told: list[list[Part]]) -> None:
    home = os.getpid()

    @dataclass(frozen=True)
    class Deadly:
        """Kills each process but the one that made it."""

        inner: Redaction = KEY

        def text(self, raw: str) -> str:
            if os.getpid() != home:
                os.kill(os.getpid(), signal.SIGKILL)
            return self.inner.text(raw)

        def pseudonym(self, kind: str, raw: str) -> str:
            return self.inner.pseudonym(kind, raw)

        def fingerprint(self, raw: bytes) -> str:
            return self.inner.fingerprint(raw)

    assert_same(read(log, 2, Deadly()), read(log, 1))
    assert told == [[]]


@pytest.mark.usefixtures("small")
def test_no_raw_text_goes_from_process_to_process(log: Path) -> None:
    sources = tuple(find_sources([log]))
    part = read_share(Order(sources, KEY, keep_text=True, form=None, share=shares_of(sources, 2)[1]))
    assert part.drafts
    assert not re.search(r"ann\d@", repr(part))


def test_a_log_that_is_soon_read_starts_no_process(log: Path, told: list[list[Part]]) -> None:
    assert shares_of(find_sources([log])) == [Share()]
    read_calls(log, redactor=KEY)
    assert told == []


@pytest.mark.usefixtures("small")
def test_what_other_processes_do_not_know_is_read_by_one(log: Path, told: list[list[Part]]) -> None:
    mapping = {"prompt": "request.messages", "answer": "response.choices.0.message.content"}
    assert read_calls(log, redactor=KEY, mapping=mapping, processes=2).calls.height
    assert told == []


def test_a_document_is_one_process_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SHARED_FROM", 2)
    monkeypatch.setattr(shares, "DEALT_FROM", 1)
    (tmp_path / "export.json").write_bytes(orjson.dumps([pair("Hello")] * 100))
    assert shares_of(find_sources([tmp_path]), 4) == [Share()]
