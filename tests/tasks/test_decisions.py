"""The list of decisions on disk: it only grows, reads well, keeps whatever was typed, and says where it is broken."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slmlens as sl
from slmlens.errors import InputError, SettingError
from slmlens.tables import ACTIONS
from slmlens.tasks.decisions import Decision, Target, append, load, with_id

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
TRIAGE = Target("triage", "t-aaaa", ("shop/", "0123456789012345", "12e4567890123456"), members=("0e12", "17"))
SUMMARY = Target("summary", "t-bbbb", ("shop/step",))

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip)
targets = st.builds(
    Target,
    name=texts,
    task_id=texts,
    anchor=st.lists(texts, min_size=1, max_size=3).map(tuple),
    part=st.lists(texts, max_size=2).map(tuple),
)
one = targets.map(lambda t: (t,))
common = {
    "author": texts,
    "reason": texts,
    "time": st.datetimes(timezones=st.just(dt.UTC)).map(lambda t: t.replace(microsecond=0)),
}
decisions = st.one_of(
    st.builds(Decision, kind=st.just("rename"), targets=one, name=texts, **common),
    st.builds(Decision, kind=st.just("merge"), targets=st.tuples(targets, targets), name=st.none() | texts, **common),
    st.builds(
        Decision,
        kind=st.just("split"),
        targets=one,
        rule=st.tuples(st.sampled_from(["phrase", "step", "tool"]), texts),
        **common,
    ),
    st.builds(
        Decision,
        kind=st.just("move"),
        targets=one,
        prompts=st.lists(texts, min_size=1, max_size=3).map(tuple),
        **common,
    ),
    st.builds(Decision, kind=st.just("set_aside"), targets=one, **common),
    st.builds(Decision, kind=st.just("override"), targets=one, action=st.sampled_from(ACTIONS), **common),
    st.builds(Decision, kind=st.just("undo"), undoes=texts, **common),
)


def rename(name: str = "Triage of tickets") -> Decision:
    return Decision("rename", (TRIAGE,), author="ana", time=NOON, reason="clearer", name=name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(decisions, min_size=1, max_size=3))
def test_whatever_was_typed_is_read_back_as_it_was(tmp_path: Path, made: list[Decision]) -> None:
    path = tmp_path / "decisions.yaml"
    path.unlink(missing_ok=True)
    written = [append(path, decision) for decision in made]
    assert load(path) == written
    assert len({d.id for d in written}) == len(written)


def test_no_file_is_no_decision(tmp_path: Path) -> None:
    assert load(tmp_path / "decisions.yaml") == []


def test_an_entry_reads_well_and_what_stands_before_it_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    append(path, rename())
    before = path.read_text(encoding="utf-8")
    append(path, Decision("merge", (TRIAGE, SUMMARY), author="bo", time=NOON))
    after = path.read_text(encoding="utf-8")
    assert after.startswith(before)
    assert "  kind: rename\n  author: ana\n  time: '2026-11-28T12:00:00Z'\n  reason: clearer\n" in before
    assert before.count("\n") < 16


def test_a_comment_and_a_missing_last_line_break_by_hand_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    append(path, rename())
    path.write_text("# agreed with Ana\n" + path.read_text(encoding="utf-8").rstrip("\n"), encoding="utf-8")
    append(path, rename("other"))
    assert [d.name for d in load(path)] == ["Triage of tickets", "other"]


def test_a_time_and_a_name_written_without_quotes_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    head = "- {id: d-1, kind: rename, author: ana, time: 2026-11-28T12:00:00Z, targets: [{anchor: [shop/]}], "
    path.write_text(head + "name: weekly digest}\n", encoding="utf-8")
    assert load(path)[0].time == NOON
    path.write_text(head + "name: 17}\n", encoding="utf-8")
    with pytest.raises(InputError, match="put it in quotes"):
        load(path)


@pytest.mark.parametrize(
    ("broken", "line", "said"),
    [
        ("- id: [d-9\n", 2, "not YAML"),
        ("- id: d-9\n  kind: rename\n", 1, "time is missing"),
        ("- 5\n", 1, "not a mapping"),
        ("- {id: d-9, kind: guess, time: 2026-11-28T12:00:00Z}\n", 1, "kind is 'guess'"),
        ("- {id: d-9, kind: merge, time: 2026-11-28T12:00:00Z, targets: [{anchor: [a]}]}\n", 1, "two tasks or more"),
        ("- {id: d-9, kind: undo, undoes: d-1, time: noon}\n", 1, "noon"),
        ("- id: d-9\n  kind: \x07\n", 2, "not YAML"),
    ],
)
def test_a_broken_entry_is_named_by_its_line_and_nothing_is_lost_or_added(
    tmp_path: Path, broken: str, line: int, said: str
) -> None:
    path = tmp_path / "decisions.yaml"
    append(path, rename())
    at = path.read_text(encoding="utf-8").count("\n")
    path.write_text(path.read_text(encoding="utf-8") + broken, encoding="utf-8")
    whole = path.read_bytes()
    with pytest.raises(InputError, match=f"(?i){said}") as raised:
        append(path, rename("other"))
    assert f"decisions.yaml, line {at + line}" in str(raised.value)
    assert "untouched" in str(raised.value)
    assert path.read_bytes() == whole


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    append(path, rename())
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    with pytest.raises(InputError, match="more than once"):
        load(path)


def test_a_file_that_is_no_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    path.write_text("rename: everything\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a list"):
        load(path)


def test_no_code_in_the_file_is_run(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    path.write_text("- !!python/object/apply:os.mkdir [owned]\n", encoding="utf-8")
    with pytest.raises(InputError):
        load(path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Decision("rename", (TRIAGE,), name="  "), "write something"),
        (Decision("rename", (TRIAGE,), name="x" * 401), "401 characters"),
        (Decision("rename", (TRIAGE,), name="\ud800"), "half a character"),
        (Decision("rename", (TRIAGE,)), "new name"),
        (Decision("merge", (TRIAGE,)), "two tasks"),
        (Decision("split", (TRIAGE,), rule=("answer", "yes")), "phrase, step, tool"),
        (Decision("move", (TRIAGE,)), "name the calls"),
        (Decision("override", (TRIAGE,), action="migrate", reason="x"), "migrate-swap"),
        (Decision("override", (TRIAGE,), action="keep"), "say why"),
        (Decision("undo"), "id of the decision"),
        (Decision("rename", (TRIAGE, SUMMARY), name="x"), "is about 1"),
    ],
)
def test_an_incomplete_decision_is_refused_before_anything_is_written(
    tmp_path: Path, wrong: Decision, said: str
) -> None:
    path = tmp_path / "decisions.yaml"
    with pytest.raises(SettingError, match=f"(?i){said}"):
        append(path, wrong)
    assert not path.exists()


def test_two_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"

    def write(author: str) -> None:
        for i in range(10):
            append(path, Decision("rename", (TRIAGE,), author=author, time=NOON, name=f"{author} {i}"))

    threads = [threading.Thread(target=write, args=(author,)) for author in ("ana", "bo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(d.name or "" for d in load(path)) == sorted(f"{a} {i}" for a in ("ana", "bo") for i in range(10))


def test_equal_decisions_have_different_ids() -> None:
    first = with_id(rename(), ())
    assert with_id(rename(), ()).id == first.id
    assert with_id(rename(), {first.id}).id != first.id


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(sl.SlmlensError, match="can't be written"):
        append(tmp_path / "gone" / "decisions.yaml", rename())


def test_the_file_is_plain_yaml_for_other_tools(tmp_path: Path) -> None:
    path = tmp_path / "decisions.yaml"
    append(path, rename('Ärger & <b>Lob</b>: "x" \u202e'))
    (entry,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert entry["name"] == 'Ärger & <b>Lob</b>: "x" \u202e'
    assert entry["targets"][0]["anchor"] == list(TRIAGE.anchor)
