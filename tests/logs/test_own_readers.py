"""A format of the user's own is a Python file: read like the others, and told, with its line, what it does wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

import slmlens as sl
from slmlens.errors import InputError, SettingError
from slmlens.logs.mapping import NAMES, call
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, pair, texts

READER = """
from slmlens.logs.own_readers import Format, at, call


def recognises(record):
    return {"conversation", "turns"} <= record.keys()


def parts(record):
    for turn in record["turns"]:
        yield call(
            prompt=turn["question"],
            answer=at(turn, "said.text"),
            session=record["conversation"],
            model=record.get("llm"),
            started=turn["at"],
            latency_s=turn.get("took"),
            input_tokens=at(turn, "counts.0"),
            output_tokens=at(turn, "counts.1"),
        )


FORMAT = Format(name="our_bot", title="our bot's dialogues", recognises=recognises, parts=parts)
"""


def turn(number: int, **other: object) -> dict[str, object]:
    return {
        "question": f"Where is parcel {number}?", "said": {"text": "In Leeds."}, "took": 1.5,
        "at": f"2026-10-05T08:{number:02}:00Z", "counts": [40 + number, 3], **other,
    }  # fmt: skip


DIALOGUES = [
    {"conversation": "c1", "llm": "gpt-4o-mini", "turns": [turn(1), turn(2)]},
    {"conversation": "c2", "turns": [turn(3)]},
    {"conversation": "c3", "turns": []},
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "dialogues.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(one) for one in DIALOGUES))
    return path


@pytest.fixture
def write(tmp_path: Path):
    """Write a reader, a part of its text replaced by another."""

    def writes(old: str = "", new: str = "", name: str = "our_reader.py") -> Path:
        assert old in READER
        path = tmp_path / name
        path.write_text(READER.replace(old, new) if old else READER, encoding="utf-8")
        return path

    return writes


def read(path: Path, reader: Path, **settings: object):
    return read_calls([path], redactor=PlainRedactor(), reader=reader, **settings)


def test_each_turn_of_a_dialogue_is_a_call(log, write) -> None:
    calls = read(log, write())
    rows = calls.calls.sort("started_at").to_dicts()
    stored = texts(calls)
    assert [stored[row["message_ids"][0]][1] for row in rows] == [f"Where is parcel {n}?" for n in (1, 2, 3)]
    assert {stored[row["answer_id"]] for row in rows} == {("assistant", "In Leeds.")}
    assert [row["input_tokens"] for row in rows] == [41, 42, 43]
    assert [row["model"] for row in rows] == ["gpt-4o-mini", "gpt-4o-mini", None]
    assert {row["latency_ms"] for row in rows} == {1500.0}
    assert [row["session_id"] for row in rows] == [
        PlainRedactor().pseudonym("session", one) for one in ("c1", "c1", "c2")
    ]
    assert calls.files.select("format", "records", "calls", "rejects", "other").row(0) == ("our_bot", 4, 3, 0, 1)


def test_the_reader_that_the_docs_show_reads_it(log, tmp_path) -> None:
    page = Path(__file__).parents[2] / "docs" / "formats.md"
    (tmp_path / "shown.py").write_text(
        re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0]
    )
    assert read(log, tmp_path / "shown.py").calls.height == 3


def test_it_stands_beside_the_known_formats_in_one_folder(log, write) -> None:
    (log.parent / "pairs.jsonl").write_bytes(orjson.dumps(pair()))
    calls = read(log.parent, write())
    assert dict(calls.files.select("file", "format").iter_rows()) == {
        "dialogues.jsonl": "our_bot", "pairs.jsonl": "openai_pairs",
    }  # fmt: skip
    assert calls.calls.height == 4
    assert read(log, write(), format="our_bot").calls.height == 3


def test_a_turn_on_which_the_reader_fails_is_a_reject_that_names_the_line_and_no_text(log, write) -> None:
    broken = turn(4)
    del broken["at"]
    with log.open("ab") as file:
        file.write(b"\n" + orjson.dumps({"conversation": "secret", "turns": [turn(5), broken, turn(6)]}))
    calls = read(log, write())
    reason = calls.rejects["reason"].item()
    at = READER.splitlines().index('            started=turn["at"],') + 1
    assert reason.startswith("your reader fails on it: KeyError, line ")
    assert abs(int(reason.rsplit(" ", 1)[1]) - at) <= 8, "the statement of that line"
    assert calls.rejects["line"].item() == 4
    assert calls.calls.height == 4, "the turn before it is kept"
    with pytest.raises(InputError, match=r"dialogues\.jsonl, line 4"):
        read(log, write(), strict=True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('{"conversation", "turns"} <= record.keys()', 'record["kind"] == 1', "your reader fails: KeyError, line 6"),
        ("FORMAT = ", "FORM = ", "declares no FORMAT"),
        ("FORMAT = Format(", "FORMAT = dict(", "declares no FORMAT"),
        ('"our_bot"', '"otlp"', "can't be named 'otlp'"),
        ('"our_bot"', '"Our bot"', "can't be named 'Our bot'"),
        ("def parts(record):", "def parts(record)", "line 9 is no Python"),
        ("from slmlens.logs.own_readers", "from nowhere", "the file fails: ModuleNotFoundError, line 2"),
        ("session=record", "sesion=record", "a mapping has no field 'sesion'.*did you mean 'session'"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(log, write, old, new, said) -> None:
    with pytest.raises(SettingError, match=f"(?i){said}"):
        read(log, write(old, new))


def test_a_file_that_is_not_there_or_no_python_is_told(log, write, tmp_path) -> None:
    with pytest.raises(SettingError, match="can't be read"):
        read(log, tmp_path / "gone.py")
    with pytest.raises(SettingError, match="declared in a Python file"):
        read(log, write(name="reader.txt"))


def test_a_reader_that_knows_no_record_leaves_the_file_unknown(log, write) -> None:
    with pytest.raises(InputError, match="no known format has records with the keys conversation, llm, turns"):
        read(log, write('{"conversation", "turns"} <=', '{"conversation", "rounds"} <='))


def test_a_run_reads_again_when_the_reader_was_changed_and_not_else(log, write, tmp_path) -> None:
    settings = sl.Settings(reader=write())
    run = sl.open_run(tmp_path / "run")
    assert sl.read_logs(log, run=run, settings=settings).calls.height == 3
    write('    for turn in record["turns"]:', '    for turn in record["turns"][:1]:')
    assert sl.read_logs(log, run=run, settings=settings).calls.height == 2


def test_the_command_line_takes_it(log, write) -> None:
    command = [sys.executable, "-m", "slmlens.cli", "check", str(log), "--reader", str(write())]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "our_bot" in told.stdout


def test_a_call_takes_the_names_of_a_mapping_and_no_others() -> None:
    assert call(**dict.fromkeys(NAMES)) == {}
    made = call(prompt="Late?", answer="No.", tags=["a"], cost_usd=0.1)
    assert made["request"] == {"messages": [{"role": "user", "content": "Late?"}]}
    assert (made["tags"], made["cost_usd"]) == (["a"], 0.1)
    with pytest.raises(SettingError, match=r"(?i)did you mean 'prompt'"):
        call(promt="Late?")
