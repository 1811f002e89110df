"""What people decided in one run holds in the run after it: taken over once, marked, undone like any other."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slmlens as sl
from slmlens.errors import InputError, RunFolderError
from slmlens.reporting.summary import summary_schema
from slmlens.reviewing.cuts import Cuts
from slmlens.reviewing.session import ReviewSession
from slmlens.run import MANIFEST
from slmlens.tasks.cut import FACT, Cut, cut_of
from slmlens.tasks.decisions import FILE, Decision, Target, append, append_missing, in_order, load, with_id
from tests.tasks.shop import ids, shop
from tests.tasks.world import log

OCTOBER = "october"


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with October's run, decided on, and the logs of two months."""
    folder = tmp_path_factory.mktemp("months")
    log(folder, shop(), "october.jsonl")
    log(folder, shop(seed=9, start=500), "november.jsonl")
    run = sl.open_run(folder / OCTOBER)
    tasks = sl.discover_tasks(sl.read_logs(folder / "october.jsonl", run=run), run=run)
    review, i = ReviewSession(tasks, run, author="ana"), ids(tasks)
    for step, name in (("triage", "Desk"), ("refund", "Refunds")):
        review.select(i[step])
        review.rename(name)
    review.select(i["summary"], i["escalate"])
    review.merge()
    review.select(i["translate"])
    review.set_aside(reason="legal")
    return folder


@pytest.fixture
def place(months: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(months, tmp_path / "months"))


def november(place: Path, previous: Path | str | None = OCTOBER) -> sl.Tasks:
    """November's tasks, resumed where they are done."""
    run = sl.open_run(place / "november")
    calls = sl.read_logs(place / "november.jsonl", run=run)
    return sl.discover_tasks(calls, run=run, previous=None if previous is None else place / previous)


def later_ids(tasks: sl.Tasks) -> dict[str, str]:
    """Step of the shop: id of its task as found in November."""
    found = tasks.found or tasks
    where = dict(found.assignments.select("call_id", "task_id").rows())
    return {step: where[f"chatcmpl-{1000 * at + 501:05d}"] for at, step in enumerate(ids_of_steps())}


def ids_of_steps() -> Sequence[str]:
    return ("triage", "summary", "refund", "translate", "escalate")


def view(tasks: sl.Tasks) -> tuple[Any, ...]:
    return tasks.tasks.rows(), tasks.assignments.rows(), tasks.decisions.rows(), tasks.set_aside


def test_the_next_months_tasks_are_named_merged_and_set_aside_as_before(place: Path) -> None:
    tasks = november(place)
    i = later_ids(tasks)
    names = dict(tasks.tasks.select("task_id", "name").rows())
    assert tasks.decisions.get_column("status").to_list() == ["applied"] * 4
    assert (names[i["triage"]], names[i["refund"]]) == ("Desk", "Refunds")
    assert i["escalate"] not in names
    assert tasks.set_aside == {i["translate"]}


def test_what_was_taken_over_says_from_which_run_and_names_no_path(place: Path) -> None:
    tasks = november(place)
    assert tasks.decisions.get_column("earlier_run").to_list() == [OCTOBER] * 4
    for path in (place / "november" / FILE, place / "november" / MANIFEST):
        text = path.read_text(encoding="utf-8")
        assert OCTOBER in text
        assert str(place) not in text


def test_taking_over_twice_is_once_and_the_file_is_not_written_again(place: Path) -> None:
    first = view(november(place))
    text = (place / "november" / FILE).read_bytes()
    assert view(november(place)) == first
    (place / "november" / "tasks.parquet").unlink()  # found anew
    assert view(november(place)) == first
    assert (place / "november" / FILE).read_bytes() == text


@pytest.mark.parametrize("named", [OCTOBER, None], ids=["named again", "not named again"])
def test_the_earlier_folder_may_vanish(place: Path, named: str | None) -> None:
    first = november(place)
    shutil.rmtree(place / OCTOBER)
    assert view(november(place, named)) == view(first)
    (place / "november" / "tasks.parquet").unlink()
    again = november(place, named)
    assert view(again) == view(first)
    assert again.lineage is not None
    assert first.lineage is not None
    assert again.lineage.equals(first.lineage)


def test_a_run_that_never_followed_the_missing_one_is_refused_with_nothing_changed(place: Path) -> None:
    november(place)
    before = {path.name: path.read_bytes() for path in (place / "november").iterdir()}
    with pytest.raises(RunFolderError, match="no run with tasks"):
        sl.analyse(place / "november.jsonl", out=place / "november", settings=sl.Settings(previous=place / "september"))
    assert {path.name: path.read_bytes() for path in (place / "november").iterdir()} == before


def test_a_decision_taken_over_is_undone_in_the_new_run_alone(place: Path) -> None:
    tasks = november(place)
    run = sl.open_run(place / "november")
    review = ReviewSession(tasks, run, author="ben")
    aside = tasks.decisions.row(-1, named=True)
    assert aside["kind"] == "set_aside"
    review.undo(aside["decision_id"])
    again = november(place)
    assert again.set_aside == frozenset()
    assert again.decisions.select("status", "earlier_run").rows()[-2:] == [("undone", OCTOBER), ("applied", None)]
    assert "undo" not in (place / OCTOBER / FILE).read_text(encoding="utf-8")


def test_own_decisions_come_after_those_that_arrive_later(place: Path) -> None:
    tasks = november(place)
    triage = later_ids(tasks)["triage"]
    review = ReviewSession(tasks, sl.open_run(place / "november"), author="ben")
    review.select(triage)
    review.rename("Front desk")
    run = sl.open_run(place / OCTOBER)
    earlier = ReviewSession(sl.discover_tasks(sl.read_logs(place / "october.jsonl", run=run), run=run), run)
    earlier.select(ids(earlier.tasks.found or earlier.tasks)["triage"])
    earlier.rename("Triage")
    again = november(place)
    assert dict(again.tasks.select("task_id", "name").rows())[triage] == "Front desk"
    assert again.decisions.get_column("earlier_run").to_list() == [OCTOBER] * 5 + [None]
    assert again.decisions.row(4, named=True)["next_step"] == "A later decision stands in its place."


def test_a_third_run_takes_over_both_and_says_where_each_comes_from(place: Path) -> None:
    tasks = november(place)
    review = ReviewSession(tasks, sl.open_run(place / "november"))
    review.select(later_ids(tasks)["triage"])
    review.override("keep", reason="contract")
    log(place, shop(seed=11, start=800), "december.jsonl")
    run = sl.open_run(place / "december")
    found = sl.discover_tasks(sl.read_logs(place / "december.jsonl", run=run), run=run, previous=place / "november")
    assert found.decisions.get_column("earlier_run").to_list() == [OCTOBER] * 4 + ["november"]
    assert set(found.decisions.get_column("status")) == {"applied"}
    assert set(found.asked.values()) == {"keep"}


def test_of_a_bare_task_set_only_the_ids_are_taken_over(place: Path) -> None:
    tasks = november(place, f"{OCTOBER}/taskset.json")
    assert tasks.decisions.is_empty()
    assert not (place / "november" / FILE).exists()
    assert set(tasks.lineage.get_column("change")) == {"kept"}  # type: ignore[union-attr]


def test_broken_decisions_of_the_earlier_run_are_told_before_anything_is_written(place: Path) -> None:
    with (place / OCTOBER / FILE).open("a", encoding="utf-8") as file:
        file.write("- {id: d-x, kind: rename\n")
    with pytest.raises(InputError, match=r"october/decisions\.yaml, line \d+"):
        sl.analyse(place / "november.jsonl", out=place / "november", settings=sl.Settings(previous=place / OCTOBER))
    assert not (place / "november").exists()


def test_broken_decisions_of_the_new_run_leave_it_as_it_was(place: Path) -> None:
    november(place, None)
    (place / "november" / FILE).write_text("no list", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in (place / "november").iterdir()}
    with pytest.raises(InputError, match=r"decisions\.yaml"):
        november(place)
    assert {path.name: path.read_bytes() for path in (place / "november").iterdir()} == before


@pytest.mark.parametrize("manifest", ["{", '{"cut": {"depth": 3}}', '{"cut": 3}', "[1]"])
def test_a_manifest_of_the_earlier_run_that_can_not_be_used_is_told(place: Path, manifest: str) -> None:
    (place / OCTOBER / MANIFEST).write_text(manifest, encoding="utf-8")
    with pytest.raises(RunFolderError, match=r"october/manifest\.json.*takes over the ids alone"):
        november(place)
    assert not (place / "november" / FILE).exists()


def test_the_kept_cut_is_followed_unless_the_new_run_has_its_own(place: Path) -> None:
    run = sl.open_run(place / OCTOBER)
    run.note(**{FACT: Cut(k_task=20).record()})  # triage alone has more sessions than that, and summary
    tasks = november(place)
    later = sl.open_run(place / "november")
    assert cut_of(later.manifest) == Cut(k_task=20)
    assert (tasks.found or tasks).tasks.height == 2
    later.note(**{FACT: {}})  # the usual one, chosen for this run
    tasks = november(place)
    assert cut_of(sl.open_run(place / "november").manifest) == Cut()
    assert (tasks.found or tasks).tasks.height == 5


def test_forgetting_a_session_keeps_the_ids_and_the_decisions_that_were_taken_over(place: Path) -> None:
    tasks = november(place)
    shutil.rmtree(place / OCTOBER)
    session = tasks.calls.calls.get_column("session_id").drop_nulls()[0]
    sl.forget(place / "november", session=session)
    run = sl.open_run(place / "november")
    again = run.read_frame("tasks")
    assert set(again.get_column("task_id")) == set(tasks.tasks.get_column("task_id"))
    assert run.read_frame("decisions").get_column("status").to_list() == ["applied"] * 4


def test_a_cut_tried_in_the_panel_finds_the_tasks_as_the_run_would(place: Path) -> None:
    tasks = november(place)
    run = sl.open_run(place / "november")
    review = ReviewSession(tasks, run, author="ben")
    cuts = Cuts(review, tasks, run)
    change = cuts.take(Cut(k_task=4))
    assert change.stale == ()
    assert ids_kept(review.tasks) == ids_kept(tasks)
    cuts.keep()
    tried = view(review.tasks)
    assert view(november(place)) == tried


def ids_kept(tasks: sl.Tasks) -> set[str]:
    return set((tasks.found or tasks).tasks.get_column("task_id"))


def test_report_and_summary_tell_what_was_taken_over(place: Path) -> None:
    sl.open_run(place / OCTOBER).note(**{FACT: Cut(k_task=4).record()})
    # a log without the task that was set aside: that decision is stale, and says so
    log(place, shop(("triage", "summary", "refund"), seed=9, start=500), "november.jsonl")
    run = sl.analyse(place / "november.jsonl", out=place / "november", settings=sl.Settings(previous=place / OCTOBER))
    summary = run.summary()
    jsonschema.validate(summary, summary_schema())
    assert [d["from"] for d in summary["decisions"]] == [OCTOBER] * 4
    method = "\n".join(summary["method"])
    assert "4 decisions of the earlier run october were taken over: 2 applied, 2 stale." in method
    assert "chose how fine the log is cut into tasks for the earlier run october, which this one follows" in method
    page = run.path("report.html").read_text(encoding="utf-8")
    assert "taken over from october" in page
    assert str(place) not in page


kinds = st.sampled_from(["rename", "undo"])
entries = st.lists(st.tuples(kinds, st.sampled_from(["", "october", "september"]), st.integers(0, 9)), max_size=8)


def made(plan: Sequence[tuple[str, str, int]]) -> list[Decision]:
    """Decisions of several runs as one file holds them; an undo takes back one that was written before it."""
    found: list[Decision] = []
    for kind, origin, at in plan:
        if kind == "undo" and found:
            decision = Decision("undo", undoes=found[at % len(found)].id, origin=origin)
        else:
            decision = Decision("rename", (Target("a", "t-a", ("x/",)),), name=f"name {at}", origin=origin)
        found.append(with_id(decision, {d.id for d in found}))
    return found


@given(entries)
def test_what_was_taken_over_is_replayed_first_and_an_undo_never_before_what_it_undoes(
    plan: list[tuple[str, str, int]],
) -> None:
    written = made(plan)
    ordered = in_order(written)
    assert in_order(ordered) == ordered
    assert sorted(d.id for d in ordered) == sorted(d.id for d in written)
    at = {decision.id: n for n, decision in enumerate(ordered)}
    assert all(at[d.undoes] < at[d.id] for d in ordered if d.undoes)
    own = [d for d in ordered if not d.origin]
    assert own == [d for d in written if not d.origin]
    of_earlier = [d for d in ordered if d.origin and d.kind != "undo"]
    assert not own or all(at[d.id] < at[own[0].id] for d in of_earlier)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=entries, own=entries, seed=st.integers(0, 99))
def test_taking_over_in_parts_twice_or_interrupted_adds_each_once_and_touches_nothing(
    tmp_path: Path, old: list[tuple[str, str, int]], own: list[tuple[str, str, int]], seed: int
) -> None:
    path = tmp_path / FILE
    path.unlink(missing_ok=True)
    mine = [append(path, decision) for decision in made([(kind, "", at) for kind, _, at in own])]
    theirs = made([(kind, origin or "august", at) for kind, origin, at in old])
    before = path.read_bytes() if mine else b""
    part = random.Random(seed).randint(0, len(theirs))
    written = append_missing(path, theirs[:part]) + append_missing(path, theirs)
    assert written == [d for d in theirs if d.id not in {m.id for m in mine}]
    assert append_missing(path, theirs) == []
    assert (path.read_bytes() if path.exists() else b"").startswith(before)
    assert {d.id for d in load(path)} == {d.id for d in [*mine, *theirs]}
