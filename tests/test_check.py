"""`slmlens check` and `sl.check`: what is there, what each gap costs, and the setting that closes it."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slmlens as sl
from slmlens.logs.formats import FORMATS
from slmlens.logs.formats.declaration import GAPS
from slmlens.reporting.check_page import GAPS_SHOWN, WIDTH
from slmlens.reporting.coverage import Check
from slmlens.reporting.gaps import FIELDS
from slmlens.tables import CoverageTable, FilesTable, RejectReasonsTable, checked

TODAY = sl.Settings(today=dt.date(2026, 10, 1))
START = dt.datetime(2026, 9, 1, 9, tzinfo=dt.UTC)


def record(at: int, **changes: object) -> dict[str, object]:
    """A call that lacks nothing; a change to None takes a field away."""
    whole: dict[str, object] = {
        "session_id": f"session-{at // 2}",
        "user_id": f"user-{at // 4}",
        "trace_id": f"trace-{at}",
        "step": "route",
        "service": "desk",
        "timestamp": (START + dt.timedelta(hours=12 * at)).isoformat(),
        "latency_ms": 700,
        "request": {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "You route the tickets of the help desk to a team."},
                {"role": "user", "content": f"Ticket {at}: the printer on floor {at % 7} is on fire"},
            ],
            "tools": [{"type": "function", "function": {"name": "route", "parameters": {}}}],
        },
        "response": {
            "id": f"chatcmpl-{at}",
            "object": "chat.completion",
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hardware"}}],
            "usage": {"prompt_tokens": 40, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}},
        },
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


def without(part: str, *keys: str, at: int) -> dict[str, object]:
    whole = record(at)
    inner = whole[part]
    assert isinstance(inner, dict)
    return {**whole, part: {key: value for key, value in inner.items() if key not in keys}}


def written(folder: Path, records: list[dict[str, object]], name: str = "calls.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


def share(found: Check, field: str, form: str = "all") -> float | None:
    rows = found.coverage.filter((pl.col("format") == form) & (pl.col("field") == field))
    value: float | None = rows.get_column("share").item()
    return value


def cost(found: Check, field: str) -> str:
    return next(gap.cost for gap in found.gaps if gap.field == field)


def run_check(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slmlens.cli", "check", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_log_that_lacks_nothing_has_no_gap_and_allows_everything(tmp_path: Path) -> None:
    found = sl.check(written(tmp_path, [record(at) for at in range(60)]), settings=TODAY)
    assert found.gaps == ()
    assert found.allows == "tasks, evidence and money"
    assert found.lacks == ""
    assert set(found.coverage.drop_nulls("share").get_column("share")) == {0.0, 1.0}  # 0: no call uses a tool
    assert "Nothing is missing." in str(found)
    assert "A month can be stated, with its range." in " ".join(str(found).split())


def test_the_frames_hold_their_declared_schemas(tmp_path: Path) -> None:
    found = sl.check(written(tmp_path, [record(0), {"no": "call"}, record(1)]), settings=TODAY)
    for schema, frame in (
        (FilesTable, found.files),
        (CoverageTable, found.coverage),
        (RejectReasonsTable, found.rejects),
    ):
        assert checked(schema, frame).equals(frame)
    assert found.coverage.height == 2 * len(FIELDS)
    assert found.rejects.get_column("records").sum() == found.files.get_column("rejects").sum() == 1


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("session_id", "sessions"),
        ("user_id", "users"),
        ("step", "steps"),
        ("service", "services"),
        ("latency_ms", "latency"),
        ("timestamp", "times"),
    ],
)
def test_a_field_that_is_taken_away_is_the_gap_and_its_setting_names_the_field(
    tmp_path: Path, key: str, field: str
) -> None:
    found = sl.check(written(tmp_path, [record(at, **{key: None}) for at in range(40)]), settings=TODAY)
    assert share(found, field) == 0
    assert [gap.field for gap in found.gaps] == [field]
    ((form, text),) = found.gaps[0].switches
    assert (form, f"`{key}`" in text) == ("openai_pairs", True)


def test_the_setting_that_is_named_closes_the_gap(tmp_path: Path) -> None:
    bare = [{"request": record(at)["request"], "response": record(at)["response"]} for at in range(40)]
    assert {gap.field for gap in sl.check(written(tmp_path, bare), settings=TODAY).gaps} >= {
        "sessions",
        "times",
        "steps",
    }
    keys = ("session_id", "user_id", "trace_id", "step", "service", "timestamp", "latency_ms")
    mended = [{**one, **{key: record(at)[key] for key in keys}} for at, one in enumerate(bare)]
    assert sl.check(written(tmp_path, mended), settings=TODAY).gaps == ()


def test_without_prompts_only_money_is_allowed_and_it_is_no_error(tmp_path: Path) -> None:
    usage = [
        {
            "timestamp": record(at)["timestamp"],
            "model": "gpt-4o",
            "usage": {"prompt_tokens": 40, "completion_tokens": 2},
        }
        for at in range(40)
    ]
    path = written(tmp_path, usage)
    found = sl.check(path, settings=TODAY)
    assert (found.allows, found.lacks) == ("money", "tasks and evidence")
    assert found.gaps[0].field == "prompts"
    assert "ledger" in cost(found, "prompts")
    done = run_check(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "request.messages" in done.stdout
    assert "This log allows money only: no tasks and no evidence." in done.stdout


def test_a_declared_step_softens_what_missing_prompts_cost(tmp_path: Path) -> None:
    usage = [
        {
            "step": "route",
            "session_id": f"s{at}",
            "model": "gpt-4o",
            "usage": {"prompt_tokens": 9, "completion_tokens": 2},
        }
        for at in range(9)
    ]
    path = written(tmp_path, usage)
    assert "Declared steps still group" in cost(sl.check(path), "prompts")
    assert sl.discover_tasks(sl.read_logs(path)).tasks.height == 1  # as the sentence says


def test_without_answers_no_task_gets_a_verdict_as_the_page_says(tmp_path: Path) -> None:
    response = record(0)["response"]
    assert isinstance(response, dict)
    path = written(tmp_path, [record(at, response={**response, "id": f"r{at}", "choices": []}) for at in range(40)])
    found = sl.check(path, settings=TODAY)
    assert share(found, "answers") == 0
    assert found.lacks == "evidence"
    assert "every task stays without a verdict" in cost(found, "answers")
    verdicts = sl.assess(sl.discover_tasks(sl.read_logs(path))).verdicts
    assert set(verdicts.get_column("evidence")) == {"not-enough-data"}


def test_without_sessions_the_model_is_taken_to_agree_with_itself_as_the_page_says(tmp_path: Path) -> None:
    def repeated(at: int) -> dict[str, object]:
        return record(at, session_id=None, request=record(at // 4)["request"])

    path = written(tmp_path, [repeated(at) for at in range(80)])
    assert "is taken as perfect" in cost(sl.check(path, settings=TODAY), "sessions")
    tasks = sl.discover_tasks(sl.read_logs(path))
    assert set(tasks.tasks.get_column("recurrence_unit")) == {"trace"}
    assert sl.assess(tasks).verdicts.get_column("ceiling_pair").null_count() == tasks.tasks.height > 0


def test_estimated_tokens_are_never_counted_as_logged(tmp_path: Path) -> None:
    found = sl.check(written(tmp_path, [without("response", "usage", at=at) for at in range(40)]), settings=TODAY)
    assert share(found, "tokens") == 0
    assert share(found, "price") == 1
    assert "Estimated from the length of the texts for 40 calls" in cost(found, "tokens")


def test_failed_calls_are_in_no_share(tmp_path: Path) -> None:
    failed = [
        {**record(at), "response": {"error": {"message": "overloaded", "type": "server_error"}}} for at in range(4)
    ]
    found = sl.check(written(tmp_path, [*failed, *(record(at) for at in range(4, 40))]), settings=TODAY)
    assert share(found, "answers") == share(found, "tokens") == 1
    assert share(found, "succeeded") == pytest.approx(0.9)
    assert found.gaps == ()
    assert "4 of 40 calls failed" in str(found)


def test_a_log_whose_calls_all_failed_says_so(tmp_path: Path) -> None:
    failed = [{**record(at), "response": {"error": {"message": "overloaded"}}} for at in range(4)]
    found = sl.check(written(tmp_path, failed), settings=TODAY)
    assert found.gaps[0].field == "succeeded"
    assert share(found, "answers") is None
    assert "evidence" in found.lacks


def test_a_missing_model_is_told_once_and_assuming_one_prices_it(tmp_path: Path) -> None:
    def nameless(at: int) -> dict[str, object]:
        one = without("response", "model", at=at)
        return {**one, "request": without("request", "model", at=at)["request"]}

    path = written(tmp_path, [nameless(at) for at in range(40)])
    found = sl.check(path, settings=TODAY)
    fields = [gap.field for gap in found.gaps]
    assert "model" in fields
    assert "price" not in fields
    assert "--assume-model" in cost(found, "model")
    assert found.lacks == "money"
    assumed = sl.check(path, settings=sl.Settings(assume_model="gpt-4o", today=TODAY.today))
    assert assumed.lacks == ""
    assert "assumption" in cost(assumed, "model")
    assert "This log allows tasks, evidence and money." in run_check(path, "--assume-model", "gpt-4o").stdout


def test_an_unlisted_model_is_a_gap_of_price_and_named_on_the_page(tmp_path: Path) -> None:
    def own(at: int) -> dict[str, object]:
        one = record(at)
        request, response = one["request"], one["response"]
        assert isinstance(request, dict)
        assert isinstance(response, dict)
        return {**one, "request": {**request, "model": "our-own"}, "response": {**response, "model": "our-own"}}

    found = sl.check(written(tmp_path, [own(at) for at in range(40)]), settings=TODAY)
    assert [gap.field for gap in found.gaps] == ["price"]
    assert "our-own (40, no price)" in str(found)


@pytest.mark.parametrize(
    ("days", "start", "money"),
    [
        (3, "No month:", "Savings are per 1,000 calls, without a month."),
        (10, "A month, but no range", "A month can be stated, without a range."),
    ],
)
def test_a_short_window_is_a_gap_as_the_month_estimate_has_it(
    tmp_path: Path, days: int, start: str, money: str
) -> None:
    calls = [record(at, timestamp=(START + dt.timedelta(days=days * at / 60)).isoformat()) for at in range(60)]
    found = sl.check(written(tmp_path, calls), settings=TODAY)
    assert [gap.field for gap in found.gaps] == ["window"]
    assert found.gaps[0].cost.startswith(start)
    assert money in " ".join(str(found).split())


def test_prompts_that_two_sessions_send_are_counted(tmp_path: Path) -> None:
    asked = record(0)["request"]
    again = [record(at, request=asked) for at in range(6)]
    found = sl.check(written(tmp_path, [*again, *(record(at) for at in range(6, 40))]), settings=TODAY)
    assert (found.repeats.calls, found.repeats.prompts, found.repeats.anywhere) == (6, 1, 6)
    one_session = [record(at, request=asked, session_id="one") for at in range(6)]
    found = sl.check(written(tmp_path, one_session), settings=TODAY)
    assert (found.repeats.calls, found.repeats.anywhere) == (0, 6)


def test_a_log_of_a_single_record_works(tmp_path: Path) -> None:
    done = run_check(written(tmp_path, [record(0)]))
    assert done.returncode == 0
    assert "This log allows money only: no tasks and no evidence." in done.stdout
    assert "the log has 1." in " ".join(done.stdout.split())


def test_unusable_input_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for words in (("nowhere.jsonl",), (empty,), (written(tmp_path, [record(0)]), "--format", "telepathy")):
        done = run_check(*words)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("slmlens: ")


def test_it_writes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, [record(at) for at in range(5)])
    before = path.read_bytes()
    sl.check(path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_a_step_that_few_share_is_not_named_and_personal_data_is_redacted(tmp_path: Path) -> None:
    rare = [record(at, step="letter to mia") for at in range(3)]
    found = sl.check(written(tmp_path, [*rare, *(record(at, step="bill a@b.example.com") for at in range(4, 60))]))
    page = str(found)
    assert "mia" not in page
    assert "a@b.example.com" not in page
    assert "bill <EMAIL" in page
    assert "and 1 more" in page


def test_every_setting_belongs_to_a_known_gap_and_reads_as_a_sentence() -> None:
    for form in FORMATS:
        assert set(form.switches) <= set(GAPS), form.name
        assert form.switches, form.name
        for gap, text in form.switches.items():
            assert re.match(r"[A-Z`].*[.`]$", text), (form.name, gap)


def test_every_field_of_the_check_can_have_a_setting() -> None:
    assert {field.name for field in FIELDS} - {"succeeded", "tool_calls"} == set(GAPS) - {"window"}


KEYS = st.sampled_from(["session_id", "user_id", "trace_id", "step", "service", "timestamp", "latency_ms", "request"])


@settings(max_examples=25)
@given(st.lists(st.sets(KEYS), min_size=1, max_size=8))
def test_whatever_is_missing_the_page_fits_and_ends_with_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[set[str]]
) -> None:
    calls = [record(at, **dict.fromkeys(lost)) for at, lost in enumerate(gaps)]
    found = sl.check(written(tmp_path_factory.mktemp("check"), calls), settings=TODAY)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert re.search(r"This log allows [a-z, ]+(: [a-z, ]+)?\.", " ".join(lines[-3:]))
    weights = [gap.weight for gap in found.gaps]
    assert weights == sorted(weights, reverse=True)
    rows = found.coverage.filter(pl.col("format") == "all")
    assert (rows.get_column("present") <= rows.get_column("calls")).all()


def test_a_real_log_of_five_agents(shared: Path) -> None:
    found = sl.check(shared / "bench" / "agents_mixed.jsonl.gz", settings=TODAY)
    assert found.ledger.calls == 6_189
    assert share(found, "prompts") == share(found, "answers") == 1
    assert share(found, "sessions") == pytest.approx(5_764 / 6_189)
    assert share(found, "tokens") == pytest.approx(1_480 / 6_189)
    assert found.gaps[0].field == "times"
    assert found.allows == "tasks, evidence and money"


def test_formats_that_are_mixed_have_a_column_each(shared: Path) -> None:
    paths = [shared / "fixtures" / name for name in ("langfuse", "openai_chat_pairs")]
    found = sl.check([*paths, shared / "logs" / "claude_code_jsonl"], settings=TODAY)
    assert {"langfuse", "openai_pairs", "claude_code", "all"} == set(found.coverage.get_column("format"))
    page = str(found)
    assert max(map(len, page.splitlines())) <= WIDTH
    head = next(line for line in page.splitlines() if line.strip().endswith(" all"))
    assert head.split() == ["openai_pairs", "claude_code", "langfuse", "all"]
    assert page.count("\n  ") < 100
    assert len([gap for gap in found.gaps if gap.field == "prompts"]) <= 3
    assert len(found.gaps) > GAPS_SHOWN
