"""Names by a model: what is sent, what is taken for a name, and what stays when the model fails."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.run import Run, open_run
from slmlens.succession import found_tasks
from slmlens.tasks import naming
from slmlens.tasks.chat_endpoint import ChatEndpoint, NoAnswerError, endpoint_of
from slmlens.tasks.decisions import Decision, append
from slmlens.tasks.naming import leaving_in_words, name_in, named_by_model, naming_in_words
from slmlens.tasks.replay import replay
from tests.tasks.chat_server import chat_server
from tests.tasks.shop import STEPS, ids, shop
from tests.tasks.world import log

NAMES = {
    "triage": "triage of shop tickets",
    "summary": "thread summary for a colleague",
    "refund": "refund decision by policy",
    "translate": "translation into plain English",
    "escalate": "choice of second line",
}
PLACEHOLDER = "a-key-of-no-account"


def by_step(body: dict[str, Any]) -> str:
    """A model that knows the shop."""
    asked = json.loads(body["messages"][-1]["content"])["skeleton"]
    return json.dumps({"name": next(name for step, name in NAMES.items() if STEPS[step][:25] in asked)})


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> sl.Tasks:
    return sl.discover_tasks(sl.read_logs(log(tmp_path_factory.mktemp("shop"), shop())))


def endpoint(url: str, **settings: Any) -> ChatEndpoint:
    return ChatEndpoint(url, "a-model", **settings)


def names_of(tasks: sl.Tasks) -> dict[str, str]:
    return dict(tasks.tasks.select("task_id", "name").rows())


def named_at(tasks: sl.Tasks, answer: Callable[[dict[str, Any]], str | bytes | int]) -> naming.Named:
    with chat_server(answer) as server:
        return named_by_model(tasks, "a-model", endpoint=endpoint(server.url))


def test_every_task_gets_the_models_name_and_keeps_the_offline_one_as_its_call_site(tasks: sl.Tasks) -> None:
    named = named_at(tasks, by_step)
    assert {step: names_of(named.tasks)[task] for step, task in ids(tasks).items()} == NAMES
    assert named.tasks.tasks.get_column("call_site").equals(tasks.tasks.get_column("name").alias("call_site"))
    assert dict(named.tasks.task_set.tasks.select("task_id", "name").rows()) == names_of(named.tasks)
    assert not named.kept


def test_only_what_the_report_shows_is_sent(tasks: sl.Tasks) -> None:
    with chat_server(by_step) as server:
        named_by_model(tasks, "a-model", endpoint=endpoint(server.url))
    sent = {question["skeleton"] for question in server.questions}
    assert sent == set(tasks.tasks.get_column("skeleton"))
    assert all(set(body) == {"model", "messages"} and body["model"] == "a-model" for body in server.bodies)
    assert set(server.paths) == {"/v1/chat/completions"}
    everything = json.dumps(server.bodies)
    slots = tasks.calls.messages.filter(tasks.calls.messages["role"] == "user").get_column("text")
    assert not any(text in everything for text in slots if len(text) > 15)


def test_a_task_whose_skeleton_is_withheld_is_not_sent(tmp_path: Path) -> None:
    few = sl.discover_tasks(sl.read_logs(log(tmp_path, shop(steps=("triage", "summary"), sessions=6))))
    withheld = few.tasks.filter(few.tasks["n_subjects"] < 5).get_column("task_id").to_list()
    assert len(withheld) == 1
    with chat_server(by_step) as server:
        named = named_by_model(few, "a-model", endpoint=endpoint(server.url))
    assert len(server.bodies) == named.asked == 1
    assert named.kept == {withheld[0]: naming.WITHHELD}
    assert names_of(named.tasks)[withheld[0]] == names_of(few)[withheld[0]]


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ('{"name": "refund decision by policy"}', "refund decision by policy"),
        ('```json\n{"name": "Refund decision"}\n```', "Refund decision"),
        ('<think>Perhaps\nc01?</think>\n{"name": "refund decision"}', "refund decision"),
        ('"Refund decision."', "Refund decision"),
        ("Rückerstattung prüfen", "Rückerstattung prüfen"),
        ('{"name": "退款决定"}', "退款决定"),
        ('{"name": "c01"}', None),
        ('{"name": "Task 7"}', None),
        ('{"name": "cluster_12"}', None),
        ('{"name": "refund"}', None),
        ('{"name": "a name that says rather more than six words"}', None),
        ('{"name": "' + "refund" * 12 + ' decision"}', None),
        ('{"name": "two\\nlines"}', None),
        ("Here is a name:\nrefund decision", None),
        ('{"name": "<b>refund</b> decision"}', None),
        ('{"name": "[/red] refund decision"}', None),
        ('{"name": "refund \\u202edecision"}', None),
        ('{"name": "see http://example.org now"}', None),
        ('{"name": "=SUM(A1) refund"}', None),
        ('{"name": "-1 refund decision"}', None),
        ('{"name": ["refund decision"]}', None),
        ('{"title": "refund decision"}', None),
        ("[1, 2]", None),
        ("", None),
    ],
)
def test_a_name_is_a_few_words_on_one_line(answer: str, name: str | None) -> None:
    assert name_in(answer) == name


@given(st.text(max_size=80) | st.from_regex(r"\{\"name\": \"[^\"]{0,70}\"\}", fullmatch=True))
@example('{"name":"\U0002ebf00"}')
def test_whatever_a_model_says_a_name_is_short_printable_and_a_name_again(answer: str) -> None:
    name = name_in(answer)
    if name is not None:
        assert 2 <= len(name) <= 60
        assert name.isprintable()
        assert not set(name) & set('<>[]{}`|\\"\n')
        assert name_in(name) == name


def test_no_two_tasks_are_left_alike(tasks: sl.Tasks) -> None:
    spellings = iter(["Ticket  triage", "ticket triage", "TICKET TRIAGE", "\uff54icket triage", "ticket triage."])
    named = named_at(tasks, lambda _: json.dumps({"name": next(spellings)}))
    assert len(named.names) == 1
    assert list(named.kept.values()) == [naming.TAKEN] * (tasks.tasks.height - 1)
    folded = [name.casefold() for name in names_of(named.tasks).values()]
    assert len(set(folded)) == len(folded)


def test_a_name_that_another_task_has_offline_is_refused(tasks: sl.Tasks) -> None:
    offline = tasks.tasks.with_columns(name=tasks.tasks["task_id"] + " step")
    other = offline.get_column("name").to_list()[-1]
    named = named_at(sl.Tasks(tasks.calls, tasks.items, offline, tasks.assignments), lambda _: other)
    assert list(named.names.values()) == [other]
    assert names_of(named.tasks) == names_of(sl.Tasks(tasks.calls, tasks.items, offline, tasks.assignments))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: 500, "HTTP 500"),
        (lambda _: 401, "HTTP 401"),
        (lambda _: 307, "HTTP 307"),
        (lambda _: 302, "HTTP 302"),
        (lambda _: b"<html>", "not a chat completion"),
        (lambda _: b'{"choices": []}', "not a chat completion"),
        (lambda _: b'{"choices": [{"message": {"content": null}}]}', "an answer without text"),
        (lambda _: b"\xff\xfe", "not a chat completion"),
    ],
)
def test_where_the_endpoint_fails_the_offline_names_stay_and_it_is_soon_left_alone(
    tasks: sl.Tasks, answer: Callable[[dict[str, Any]], bytes | int], why: str
) -> None:
    with chat_server(answer) as server:
        named = named_by_model(tasks, "a-model", endpoint=endpoint(server.url))
    assert names_of(named.tasks) == names_of(tasks)
    assert why in named.kept.values()
    assert set(named.kept.values()) <= {why, naming.NOT_ASKED}
    assert "/v1/elsewhere" not in server.paths
    assert naming.GIVE_UP <= len(server.bodies) == named.asked <= naming.GIVE_UP + naming.AT_ONCE - 1


def test_an_endpoint_that_is_not_there_costs_nothing_but_a_note(tasks: sl.Tasks) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    named = named_by_model(tasks, "a-model", endpoint=endpoint(nobody))
    assert names_of(named.tasks) == names_of(tasks)
    assert "no connection" in named.kept.values()


def test_an_answer_that_does_not_come_in_time_is_given_up() -> None:
    with chat_server(lambda _: time.sleep(0.5) or "too late") as server, pytest.raises(NoAnswerError, match="in time"):
        endpoint(server.url, timeout=0.1).ask([{"role": "user", "content": "?"}])


def test_one_bad_answer_leaves_the_others_named(tasks: sl.Tasks) -> None:
    named = named_at(tasks, lambda body: "c01" if "Summarise" in str(body) else by_step(body))
    summary = ids(tasks)["summary"]
    assert named.kept == {summary: naming.UNUSABLE}
    assert set(named.names) == set(names_of(tasks)) - {summary}


def test_a_run_asks_once_and_never_again(tmp_path: Path) -> None:
    calls = sl.read_logs(log(tmp_path, shop()), run=open_run(tmp_path / "run"))
    with chat_server(by_step) as server:
        first = found_tasks(calls, run=open_run(tmp_path / "run"), naming=endpoint(server.url, key=PLACEHOLDER))
        asked = len(server.bodies)
        again = found_tasks(calls, run=open_run(tmp_path / "run"), naming=endpoint(server.url, key=PLACEHOLDER))
        append(tmp_path / "run" / "decisions.yaml", renaming(first, "refund", "who gets money back"))
        decided = found_tasks(calls, run=open_run(tmp_path / "run"), naming=endpoint(server.url, key=PLACEHOLDER))
        assert len(server.bodies) == asked == len(STEPS)
    assert names_of(first) == names_of(again)
    assert set(server.keys) == {f"Bearer {PLACEHOLDER}"}
    assert names_of(decided) == names_of(first) | {ids(first)["refund"]: "who gets money back"}
    assert decided.found is not None
    assert names_of(decided.found) == names_of(first)


def renaming(tasks: sl.Tasks, step: str, name: str) -> Decision:
    target = replay(tasks, []).targets[ids(tasks)[step]]
    return Decision("rename", (target,), author="ana", name=name)


def test_without_the_option_a_run_keeps_its_names_and_sends_nothing(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    calls = sl.read_logs(log(tmp_path, shop()), run=run)
    with chat_server(by_step) as server:
        named = found_tasks(calls, run=run, naming=endpoint(server.url))
    assert names_of(found_tasks(calls, run=open_run(tmp_path / "run"))) == names_of(named)
    run.reopen("tasks")
    assert names_of(found_tasks(calls, run=open_run(tmp_path / "run"))) == names_of(named)


def test_what_was_not_answered_is_asked_again_and_what_was_is_not(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    calls = sl.read_logs(log(tmp_path, shop()), run=run)
    with chat_server(lambda body: 503 if "Summarise" in str(body) else by_step(body)) as server:
        found_tasks(calls, run=run, naming=endpoint(server.url))
    with chat_server(by_step) as server:
        tasks = found_tasks(calls, run=run, naming=endpoint(server.url))
        assert len(server.bodies) == 1
    assert sorted(names_of(tasks).values()) == sorted(NAMES.values())


def test_the_key_is_nowhere_in_the_run_folder(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    calls = sl.read_logs(log(tmp_path, shop()), run=run)
    with chat_server(by_step) as server:
        found_tasks(calls, run=run, naming=endpoint(server.url, key=PLACEHOLDER))
    assert server.keys == [f"Bearer {PLACEHOLDER}"] * len(STEPS)
    assert not any(PLACEHOLDER.encode() in path.read_bytes() for path in run.folder.iterdir())
    assert PLACEHOLDER not in repr(endpoint(server.url, key=PLACEHOLDER))


def test_a_broken_file_of_names_is_asked_for_anew(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    calls = sl.read_logs(log(tmp_path, shop()), run=run)
    for text in ("{", "[]", '{"x": 1}'):
        run.write_text(naming.FILE, text)
        run.reopen("tasks")
        with chat_server(by_step) as server:
            assert sorted(names_of(found_tasks(calls, run=run, naming=endpoint(server.url))).values()) == sorted(
                NAMES.values()
            )
            assert len(server.bodies) == len(STEPS)


def test_the_method_says_who_named_the_tasks_and_for_how_many_the_offline_name_stays(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    calls = sl.read_logs(log(tmp_path, shop()), run=run)
    with chat_server(lambda body: "c01" if "Summarise" in str(body) else by_step(body)) as server:
        found_tasks(calls, run=run, naming=endpoint(server.url))
    (said,) = naming_in_words(Run(run.folder, open_run(run.folder).manifest).manifest)
    host = server.url.removeprefix("http://").removesuffix("/v1")
    assert said.startswith(f"a-model at {host} named 4 tasks")
    assert said.endswith("The offline name stays for 1 (no usable name).")
    assert naming_in_words({}) == []


def test_the_command_says_first_what_leaves_and_the_report_says_who_named(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with chat_server(by_step) as server:
        words = ["run", log(tmp_path, shop()), "--out", out, "--name-with", server.url, "--name-model", "a-model"]
        done = subprocess.run(
            [sys.executable, "-m", "slmlens.cli", *map(str, words)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OPENAI_API_KEY": PLACEHOLDER},
        )
    host = server.url.removeprefix("http://").removesuffix("/v1")
    assert len(done.stdout.splitlines()) == len(done.stderr.splitlines()) == 1
    assert host in done.stderr
    assert PLACEHOLDER not in done.stdout + done.stderr
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert {task["name"] for task in summary["tasks"]} == set(NAMES.values())
    assert any(host in line and "5 tasks" in line for line in summary["method"])
    assert not any(PLACEHOLDER.encode() in path.read_bytes() for path in out.iterdir())


def test_a_bad_address_is_exit_code_2_before_anything_is_written(tmp_path: Path) -> None:
    words = ["run", log(tmp_path, shop()), "--out", tmp_path / "run", "--name-with", "http://127.0.0.1:1/v1"]
    done = subprocess.run(
        [sys.executable, "-m", "slmlens.cli", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--name-model" in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_leaves_the_machine_is_said_with_the_host_and_without_the_key() -> None:
    said = leaving_in_words(endpoint("https://models.example.org/v1", key=PLACEHOLDER))
    assert "models.example.org" in said
    assert "skeleton" in said
    assert PLACEHOLDER not in said


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("http://127.0.0.1:1/v1", None),
        (None, "a-model"),
        ("", "a-model"),
        ("ftp://example.org", "a-model"),
        ("file:///etc/passwd", "a-model"),
        ("example.org/v1", "a-model"),
        ("http://", "a-model"),
        ("http://host:99999/v1", "a-model"),
        ("http://a b/v1", "a-model"),
        ("http://user:secret@example.org/v1", "a-model"),
        ("https://example.org/v1?key=secret", "a-model"),
    ],
)
def test_an_address_that_can_not_be_used_is_refused_before_any_work(url: str | None, model: str | None) -> None:
    with pytest.raises(SettingError) as refused:
        endpoint_of(url, model, {})
    assert "secret" not in str(refused.value)


def test_the_key_goes_to_https_and_to_this_machine_only() -> None:
    environment = {"OPENAI_API_KEY": f"{PLACEHOLDER}\n"}
    for url in ("https://example.org/v1/", "http://localhost:11434/v1", "http://[::1]:1/v1"):
        found = endpoint_of(url, "a-model", environment)
        assert found is not None
        assert (found.key, found.url) == (PLACEHOLDER, url.rstrip("/"))
    plain = endpoint_of("http://models.example.org/v1/chat/completions", "a-model", environment)
    assert plain == ChatEndpoint("http://models.example.org/v1", "a-model")
    with pytest.raises(SettingError):
        endpoint_of("https://example.org", "a-model", {"OPENAI_API_KEY": "two\nlines"})
    assert endpoint_of(None, None, environment) is None
