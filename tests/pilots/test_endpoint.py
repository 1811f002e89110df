"""Pilots at an endpoint: what is sent, what counts as the model's failure, budgets, and a run that is killed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import slmlens as sl
from slmlens.cli import app
from slmlens.errors import EndpointError, InputError, MissingExtraError, SettingError
from slmlens.pilots.asking import Asking, Pace
from slmlens.pilots.endpoint import BLOCK, reported_name
from slmlens.pilots.source import fits
from tests.pilots.test_pilot import task_of, verdict
from tests.tasks.chat_server import Response, chat_server
from tests.tasks.world import answer, log, pair

SYSTEM = "You are the contact agent of a shop. Answer with JSON: who wrote the ticket, and nothing else, please."
SESSIONS = 250
KEY = "a-key-of-no-account"
QUICK = Asking(retries=0, timeout=20.0)
NO_CONTEXT = {
    "error": {"message": "This model's maximum context length is 10 tokens.", "code": "context_length_exceeded"}
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ticket a session, whose right answer is the address in it."""
    rows = []
    for i in range(SESSIONS):
        day, hour = divmod(i, 9)
        when = f"2026-10-{day + 1:02d}T{hour + 8:02d}:00:00Z"
        address = f"client{i}@example.com"
        row = pair(
            i, SYSTEM, f"hello, my parcel no {i * 7919 % 1000} is late, writes {address}", f"s{i}", timestamp=when
        )
        answer(row, json.dumps({"contact": address}))
        rows.append(row)
    return log(tmp_path_factory.mktemp("log"), rows)


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    return sl.analyse(source, out=out, settings=sl.Settings(sampling_rate=0.01)).folder


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return Path(shutil.copytree(made, tmp_path / "run"))


def who_wrote(body: dict[str, Any]) -> str:
    """A model that answers rightly."""
    return json.dumps({"contact": body["messages"][-1]["content"].split("writes ")[1]})


def after(n: int, then: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """A model that answers rightly n times."""
    lock, count = threading.Lock(), [0]

    def said(body: dict[str, Any]) -> Any:
        with lock:
            count[0] += 1
            right = count[0] <= n
        return who_wrote(body) if right else then(body)

    return said


def piloted(run: Path, url: str, asking: Asking = QUICK, **settings: Any) -> Any:
    return sl.pilot(run, task_of(run), endpoint=url, model="Tiny", asking=asking, **settings)


def grades(run: Path) -> pl.DataFrame:
    place = run / "pilots" / task_of(run) / "grades.parquet"
    return pl.read_parquet(place) if place.is_file() else pl.DataFrame()


def test_a_model_that_answers_rightly_is_asked_up_to_a_look_and_moves_the_verdict(run: Path) -> None:
    with chat_server(who_wrote) as server:
        found = piloted(run, server.url)
        assert len(server.bodies) == 60
        assert found.grades.get_column("acceptable").all()
        assert verdict(run)["swap"]["slm"] == "Tiny"
        assert "At 60: 100.0% acceptable" in found.said
        again = piloted(run, server.url)
        assert "120 of" in again.said
        asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert len(asked) == len(set(asked)) == 120


def test_calls_that_reach_no_further_look_are_not_spent(run: Path) -> None:
    with chat_server(who_wrote) as server:
        piloted(run, server.url, Asking(max_calls=50))
        assert len(server.bodies) == 30
        piloted(run, server.url, Asking(max_calls=10))
        assert len(server.bodies) == 40  # no look is within reach, so the budget is a step to the next


def test_nothing_but_the_request_and_the_key_is_sent(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "an-organisation")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Of-Mine: secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with chat_server(who_wrote) as server:
        piloted(run, server.url, Asking(max_calls=30))
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert set(server.paths) == {"/v1/chat/completions"}
    allowed = {"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "authorization"}
    assert set().union(*server.headers) <= allowed
    sent = json.dumps(server.bodies)
    assert "@example.com" not in sent
    assert '\\"contact\\"' not in sent
    assert all(set(body) == {"model", "messages", "max_tokens", "temperature"} for body in server.bodies)
    assert {(body["model"], body["temperature"]) for body in server.bodies} == {("Tiny", 0)}
    written = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert KEY.encode() not in written


def test_without_a_key_none_is_sent(run: Path) -> None:
    with chat_server(who_wrote) as server:
        piloted(run, server.url, Asking(max_calls=30))
    assert set(server.keys) == {None}


def test_what_leaves_is_said_before_anything_is_sent(run: Path) -> None:
    said: list[tuple[int, str]] = []
    with chat_server(who_wrote) as server:
        piloted(run, server.url, say=lambda words: said.append((len(server.bodies), words)))
        (before, words) = said[0]
        assert (before, len(said)) == (0, 1)
        assert "60 prompts, redacted as the run stores them" in words
        assert "stay on this machine" in words
        assert server.url.split("/")[2] in words


def test_a_prompt_longer_than_the_context_is_a_failure_of_the_model(run: Path) -> None:
    with chat_server(after(20, lambda _body: Response(400, NO_CONTEXT))) as server:
        found = piloted(run, server.url, Asking(max_calls=30, at_once=1))
    assert "10 were longer than the model's context and count as wrong" in found.said
    assert found.grades.get_column("acceptable").sum() == 20


def test_an_answer_without_text_is_a_failure_of_the_model(run: Path) -> None:
    nothing = {"choices": [{"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}]}
    with chat_server(after(25, lambda _body: Response(200, nothing))) as server:
        found = piloted(run, server.url, Asking(max_calls=30, at_once=1))
    assert "5 got no answer from the model" in found.said


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (lambda _body: 401, "it wants a key, and none was sent (HTTP 401)"),
        (lambda _body: 404, "no such model or path"),
        (lambda _body: 307, "leads elsewhere"),
        (lambda _body: 500, "it failed (HTTP 500)"),
        (lambda _body: 429, "takes no more requests"),
        (lambda _body: 422, "refuses a request"),
        (lambda _body: b"<html>hello</html>", "no chat completion"),
        (lambda _body: b'{"error": {"message": "busy"}}', "no chat completion"),
        (lambda _body: time.sleep(2.0) or "late", "no answer within 0.5 s"),
    ],
)
def test_what_is_not_the_models_failure_stops_the_pilot_and_counts_nothing_as_wrong(
    run: Path, then: Callable[[dict[str, Any]], Any], words: str
) -> None:
    before = verdict(run)
    with chat_server(after(15, then)) as server:
        with pytest.raises(EndpointError) as caught:
            piloted(run, server.url, Asking(retries=0, at_once=1, timeout=0.5))
        assert words.casefold() in str(caught.value).casefold()
        assert "grades of 15 answers are kept" in str(caught.value)
        assert not [path for path in server.paths if "elsewhere" in path]
    kept = grades(run)
    assert (kept.height, kept.get_column("acceptable").all()) == (15, True)
    assert verdict(run) == before


def test_no_connection_is_told_with_what_to_do(run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(EndpointError, match=r"no connection.*nothing counts as wrong.*See whether the endpoint is up"):
        piloted(run, f"http://127.0.0.1:{port}/v1")
    assert grades(run).is_empty()


def test_a_refused_key_is_not_printed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    refusal = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    with chat_server(lambda _body: Response(401, refusal)) as server, pytest.raises(EndpointError) as caught:
        piloted(run, server.url)
    assert "The key was refused (HTTP 401, invalid_api_key)" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_request_that_fails_for_the_moment_is_sent_again(run: Path) -> None:
    failed: set[str] = set()

    def at_the_second_time(body: dict[str, Any]) -> str | Response:
        text = body["messages"][-1]["content"]
        if len(failed) < 3 and text not in failed:
            failed.add(text)
            return Response(503, {"error": {"message": "starting"}}, {"retry-after-ms": "20"})
        return who_wrote(body)

    with chat_server(at_the_second_time) as server:
        found = piloted(run, server.url, Asking(max_calls=30, at_once=2))
        assert len(server.bodies) == 33
    assert found.grades.get_column("acceptable").all()


def test_too_many_requests_slow_all_workers_down(run: Path) -> None:
    refused: list[float] = []

    def once_too_many(body: dict[str, Any]) -> str | Response:
        if not refused and len(server.bodies) > 10:
            refused.append(time.monotonic())
            return Response(429, {"error": {"message": "slow down"}}, {"retry-after": "1"})
        time.sleep(0.02)
        return who_wrote(body)

    with chat_server(once_too_many) as server:
        piloted(run, server.url, Asking(max_calls=30, at_once=4))
        quiet = [at for at in server.times if refused[0] + 0.4 < at < refused[0] + 0.9]
    assert quiet == []
    assert len(server.bodies) == 31


def test_a_pace_keeps_to_requests_a_minute_and_eases_after_a_hold() -> None:
    pace = Pace(per_minute=1200)
    start = time.monotonic()
    for _ in range(5):
        pace.wait()
    assert time.monotonic() - start >= 0.2
    pace.hold(0.1)
    start = time.monotonic()
    pace.wait()
    assert time.monotonic() - start >= 0.09
    pace.end()
    with pytest.raises(EndpointError):
        pace.wait()


def test_a_budget_in_dollars_is_not_gone_over(run: Path) -> None:
    def counted(body: dict[str, Any]) -> Response:
        message = {"role": "assistant", "content": who_wrote(body)}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        return Response(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})

    asking = Asking(max_usd=0.03, price_in=1.0, price_out=10.0, max_tokens=200)
    with chat_server(counted) as server:
        found = piloted(run, server.url, asking)
        assert 10 < len(server.bodies) < 16  # a call costs $0.002; the next one may cost $0.003 at most
    assert "(--max-usd), so it stopped" in found.said
    assert "as stated" in found.said
    with chat_server(counted) as server, pytest.raises(SettingError, match="ingle prompt could cost"):
        piloted(run, server.url, Asking(max_usd=0.001, price_in=1.0, price_out=10.0, max_tokens=200))
    assert not server.bodies


def test_a_budget_in_dollars_needs_a_price(run: Path) -> None:
    with pytest.raises(SettingError, match=r"needs a price.*--price-in and --price-out"):
        piloted(run, "https://models.example.com/v1", Asking(max_usd=1.0))
    with pytest.raises(SettingError, match="belong together"):
        piloted(run, "https://models.example.com/v1", Asking(price_in=1.0))


@pytest.mark.parametrize("wrong", [{"max_calls": 0}, {"timeout": 0.0}, {"per_minute": -1.0}, {"price_in": -1.0}])
def test_a_budget_out_of_range_is_refused(run: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        piloted(run, "http://localhost:1/v1", Asking(**wrong))


def test_the_address_and_the_model_are_checked_before_anything_else(run: Path) -> None:
    with pytest.raises(SettingError, match="--endpoint: This is no address"):
        piloted(run, "localhost:8000")
    with pytest.raises(SettingError, match="not named"):
        sl.pilot(run, task_of(run), endpoint="http://localhost:8000/v1")


def test_an_endpoint_that_knows_other_options_gets_these(run: Path) -> None:
    def newer(body: dict[str, Any]) -> str | Response:
        for name in ("max_tokens", "temperature"):
            if name in body:
                return Response(400, {"error": {"message": "x", "code": "unsupported_parameter", "param": name}})
        assert body["max_completion_tokens"] == 128
        return who_wrote(body)

    with chat_server(newer) as server:
        found = piloted(run, server.url, Asking(max_calls=30, at_once=1))
        assert len(server.bodies) == 32
    assert found.grades.get_column("acceptable").all()


def test_answers_that_were_cut_are_told(run: Path) -> None:
    def cut(body: dict[str, Any]) -> Response:
        message = {"role": "assistant", "content": who_wrote(body)[:9]}
        return Response(200, {"choices": [{"index": 0, "message": message, "finish_reason": "length"}]})

    with chat_server(cut) as server:
        assert "30 answers were cut at 128 tokens" in piloted(run, server.url, Asking(max_calls=30)).said


def test_raw_prompts_are_asked_and_graded_and_nothing_of_them_is_stored(run: Path, source: Path) -> None:
    said: list[str] = []
    with chat_server(who_wrote) as server:
        found = piloted(run, server.url, from_source=source, say=said.append)
        assert "@example.com" in server.bodies[0]["messages"][-1]["content"]
    assert "raw, with personal data" in said[0]
    assert found.grades.get_column("acceptable").all()
    written = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert b"@example.com" not in written


def test_raw_prompts_come_only_from_the_log_that_the_run_was_made_from(run: Path, source: Path, tmp_path: Path) -> None:
    other = log(tmp_path, [json.loads(line) for line in source.read_text().replace("parcel", "letter").splitlines()])
    with chat_server(who_wrote) as server, pytest.raises(InputError, match=r"have another prompt|not in this log"):
        piloted(run, server.url, from_source=other)
    assert not server.bodies


def test_without_a_run_an_endpoint_is_asked_and_nothing_is_written(run: Path) -> None:
    from slmlens.pilots.store import stored_tasks
    from slmlens.run import open_run

    tasks = stored_tasks(open_run(run))
    with chat_server(who_wrote) as server:
        found = sl.pilot(tasks, task_of(run), endpoint=server.url, model="Tiny", asking=QUICK)
    assert found.evidence.item(0, "agreement") == 1.0
    assert not (run / "pilots").exists()


@pytest.mark.slow
def test_a_killed_pilot_goes_on_and_asks_only_what_is_missing(run: Path) -> None:
    """The real command, killed without warning while prompts are under way."""
    arrived = threading.Event()

    def hangs(_body: dict[str, Any]) -> str:
        arrived.set()
        time.sleep(60)
        return "too late"

    command = [sys.executable, "-m", "slmlens.cli", "pilot", str(run), "--task", task_of(run), "--model", "Tiny"]
    with chat_server(after(35, hangs)) as server:
        child = subprocess.Popen([*command, "--endpoint", server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert arrived.wait(120)
        deadline = time.monotonic() + 60
        while grades(run).height < 30 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        first = [body["messages"][-1]["content"] for body in server.bodies]
    kept = grades(run)
    assert kept.height == 30
    assert kept.get_column("acceptable").all()
    with chat_server(who_wrote) as server:
        command += ["--endpoint", server.url, "--max-calls", "30"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        second = [body["messages"][-1]["content"] for body in server.bodies]
    assert done.returncode == 0, done.stderr
    assert len(second) == 30
    assert len({*first, *second}) == 60
    assert len({*first} & {*second}) <= BLOCK + 2 * QUICK.at_once
    assert "At 60: 100.0% acceptable" in done.stdout
    assert "30 prompts, redacted" in done.stderr
    assert "redacted" not in done.stdout


def test_the_command_says_what_went_wrong_and_that_it_can_go_on(run: Path) -> None:
    with chat_server(after(5, lambda _body: 403)) as server:
        command = ["pilot", str(run), "--task", task_of(run), "--endpoint", server.url, "--model", "Tiny"]
        done = CliRunner().invoke(app, [*command, "--at-once", "1", "--retries", "0"])
    assert isinstance(done.exception, EndpointError)
    assert "the same command goes on where it stopped" in str(done.exception)


def test_without_the_client_the_command_says_what_to_install(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r'pip install "slmlens\[tune\]"'):
        piloted(run, "http://localhost:1/v1")


def test_one_source_of_answers_is_taken_at_a_time(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="from answers and from endpoint at once"):
        piloted(run, "http://localhost:1/v1", answers=tmp_path / "a.jsonl")
    with pytest.raises(SettingError, match="Name it with --endpoint"):
        sl.pilot(run, task_of(run), from_source=tmp_path)


def test_a_model_goes_by_its_name_whatever_path_or_owner_its_server_puts_before_it() -> None:
    names = ["/models/Tiny-1B/", "~/Tiny-1B", "C:\\models\\Tiny-1B", "qwen/qwen3-8b", "Qwen3-8B", "me/Tiny-1B"]
    assert [reported_name(one) for one in names] == [
        "Tiny-1B",
        "Tiny-1B",
        "Tiny-1B",
        "qwen3-8b",
        "Qwen3-8B",
        "me/Tiny-1B",
    ]


def test_values_fit_where_their_placeholders_stand() -> None:
    hidden = "from <EMAIL:ABCD2345> to <EMAIL:ZZZZ2345>, thanks"
    assert fits(hidden, "from a@b.at to c@d.at, thanks")
    assert not fits(hidden, "from a@b.at, thanks")
    assert not fits(hidden, "from a@b.at to c@d.at, thank")
    assert not fits("plain", "plain ")
    assert not fits("a<EMAIL:ABCD2345>a", "a")
