"""The sample is what its script gives, is believable in its numbers, and its truth is true of it."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from slmlens.curation.redact import Redaction, new_key
from slmlens.sample import DAYS, STAND_IN, START, SampleTruth, write_sample
from slmlens.sample.calls import STEPS
from slmlens.sample.second import write_second_log

DATA = Path(__file__).resolve().parents[1] / "data"
TEXTS = ("truth.csv", "truth.json", "sample.json")


def contents(folder: Path) -> dict[str, bytes]:
    """The decompressed content of every file of a sample by name."""
    logs = {path.name: gzip.decompress(path.read_bytes()) for path in sorted((folder / "logs").iterdir())}
    return logs | {name: (folder / name).read_bytes() for name in TEXTS}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SampleTruth]:
    folder = tmp_path_factory.mktemp("sample")
    return folder, write_sample(folder)


@pytest.fixture(scope="module")
def records(sample: tuple[Path, SampleTruth]) -> list[tuple[dict[str, str], dict[str, object]]]:
    """Each row of the truth with its record."""
    folder, _ = sample
    lines = {name: text.decode().splitlines() for name, text in contents(folder).items() if name.endswith(".gz")}
    with (folder / "truth.csv").open(newline="") as table:
        return [(row, json.loads(lines[row["file"]][int(row["line"]) - 1])) for row in csv.DictReader(table)]


def test_the_committed_files_are_what_the_script_gives(sample: tuple[Path, SampleTruth]) -> None:
    assert contents(sample[0]) == contents(DATA)


def test_the_committed_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in (DATA / "logs").iterdir()) < 4_000_000


def test_a_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_sample(tmp_path / name, seed=seed, calls=200)
    one, same, other = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*")) if path.is_file()}
        for name in "abc"
    )
    assert one == same
    assert one["support-desk.jsonl.gz"] != other["support-desk.jsonl.gz"]


def test_every_record_has_its_truth(records: list[tuple[dict[str, str], dict[str, object]]]) -> None:
    for row, record in records:
        body = record.get("response", record.get("resp"))
        assert isinstance(body, dict)
        assert body.get("id", "") == row["call_id"]
        assert ("error" in body and bool(body["error"])) == (row["outcome"] == "error")
    ids = [row["call_id"] for row, _ in records if row["call_id"]]
    assert len(ids) == len(set(ids))


def test_only_the_gateway_names_steps(records: list[tuple[dict[str, str], dict[str, object]]]) -> None:
    for row, record in records:
        if row["file"].startswith("support"):
            assert record["metadata"]["step"] == row["task"]  # type: ignore[index]
        else:
            assert not any(task in json.dumps(record) for task in STEPS)


def test_the_window_has_its_rhythm(records: list[tuple[dict[str, str], dict[str, object]]]) -> None:
    import datetime as dt

    days: Counter[dt.date] = Counter()
    for _, record in records:
        at = record.get("timestamp")
        moment = dt.datetime.fromisoformat(str(at)) if at else dt.datetime.fromtimestamp(record["ts"] / 1000, dt.UTC)  # type: ignore[operator]
        days[moment.date()] += 1
    assert min(days) == START.date()
    assert max(days) == START.date() + dt.timedelta(days=DAYS - 1)
    week = [n for day, n in days.items() if day.weekday() < 5]
    weekend = [n for day, n in days.items() if day.weekday() >= 5]
    assert sum(week) / len(week) > 1.3 * sum(weekend) / len(weekend)


def test_all_that_is_planted_is_there(sample: tuple[Path, SampleTruth]) -> None:
    _, truth = sample
    assert 5_500 <= truth.calls <= 7_000
    assert set(truth.tasks) == set(STEPS)
    for name, task in truth.tasks.items():
        assert task["n_calls"] > 10, name
    failures = Counter(outcome for task in truth.tasks.values() for outcome in task["failures"])
    assert set(failures) == {"error", "malformed", "refusal", "truncated"}
    assert {kind for kind, _ in truth.planted} >= {"EMAIL", "PHONE", "IBAN", "CARD", "SECRET", "CONNECTION", "IP"}


def test_no_prompt_repeats_but_where_it_was_planted(records: list[tuple[dict[str, str], dict[str, object]]]) -> None:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row, record in records:
        if row["outcome"] == "ok":
            request = record.get("request") or record["req"]
            seen[row["task"]][json.dumps(request.get("messages") or request["input"])] += 1  # type: ignore[attr-defined,index]
    share = {task: 1 - len(prompts) / prompts.total() for task, prompts in seen.items()}
    assert share.pop("faq_answer") > 0.9
    assert max(share.values()) < 0.1


def test_broken_json_is_broken_and_the_rest_is_not(records: list[tuple[dict[str, str], dict[str, object]]]) -> None:
    for row, record in records:
        if row["task"] == "extract_case_facts" and row["outcome"] in {"ok", "malformed"}:
            text = record["response"]["choices"][0]["message"]["content"]  # type: ignore[index]
            try:
                json.loads(text)
                parsed = True
            except ValueError:
                parsed = False
            assert parsed == (row["outcome"] == "ok")


def test_redaction_finds_every_planted_value(sample: tuple[Path, SampleTruth]) -> None:
    folder, truth = sample
    redaction = Redaction(new_key())
    prompts = {
        text
        for name, content in contents(folder).items()
        if name.endswith(".gz")
        for line in content.decode().splitlines()
        for text in _texts(json.loads(line))
    }
    seen = "".join("\n".join(redaction.text(text) for text in sorted(prompts)).split()).replace("-", "")
    for kind, value in truth.planted:
        assert "".join(value.split()).replace("-", "") not in seen, kind


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def test_the_second_log_has_the_prompts_of_the_first_and_nearly_its_answers(
    tmp_path: Path, records: list[tuple[dict[str, str], dict[str, object]]]
) -> None:
    place = write_second_log(tmp_path / "a")
    assert place.read_bytes() == write_second_log(tmp_path / "b").read_bytes()
    second = [json.loads(line) for line in gzip.decompress(place.read_bytes()).decode().splitlines()]
    first = [record for row, record in records if row["outcome"] == "ok"]
    assert [asked_in(one) for one in second] == [asked_in(one) for one in first]
    assert {body["model"] for one in second for key in BODIES if (body := one.get(key))} == {STAND_IN}
    same = [said_in(one) == said_in(other) for one, other in zip(second, first, strict=True)]
    assert 0.97 < sum(same) / len(same) < 0.995


BODIES = ("request", "response", "req", "resp")


def asked_in(record: dict[str, object]) -> str:
    body = record.get("request") or record["req"]
    assert isinstance(body, dict)
    return json.dumps([body.get("messages"), body.get("instructions"), body.get("input")])


def said_in(record: dict[str, object]) -> str:
    body = record.get("response") or record["resp"]
    assert isinstance(body, dict)
    if "output" in body:
        return json.dumps(body["output"])
    message = body["choices"][0]["message"]
    return json.dumps([message["content"], [call["function"] for call in message.get("tool_calls", [])]])
