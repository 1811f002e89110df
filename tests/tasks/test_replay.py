"""What people decided holds for whatever is found later: replayed by content, never guessed, no cent lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.reporting.decisions import unmeasured_words
from slmlens.spend.ledger import build_ledger
from slmlens.tasks import gestures
from slmlens.tasks.decisions import Decision, in_order, with_id
from slmlens.tasks.matching import jaccard, sketch
from slmlens.tasks.replay import Replayed, replay
from tests.tasks.shop import STEPS, ids, shop
from tests.tasks.world import log, tasks_of


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> sl.Tasks:
    return tasks_of(tmp_path_factory.mktemp("shop"), shop())


def decided(tasks: sl.Tasks, *made: Callable[[Replayed], Decision]) -> list[Decision]:
    """Decisions made one after the other, each on what the ones before left."""
    decisions: list[Decision] = []
    for one in made:
        now = replay(tasks, decisions)
        decisions.append(with_id(one(now), {d.id for d in decisions}))
    return decisions


def placed(tasks: sl.Tasks) -> dict[str, str | None]:
    return dict(tasks.assignments.select("call_id", "task_id").rows())


def statuses(now: Replayed) -> list[str]:
    return now.status.get_column("status").to_list()


def row(tasks: sl.Tasks, task_id: str) -> dict[str, object]:
    return tasks.tasks.row(by_predicate=pl.col("task_id") == task_id, named=True)


def check_money_and_rows(now: Replayed) -> None:
    tasks, calls = now.tasks, now.tasks.calls.calls
    ledger = build_ledger(calls, tasks.assignments, excluded=tasks.set_aside)
    assert ledger.tasks_nusd + ledger.unassigned_nusd + ledger.excluded_nusd == calls.get_column("spend_nusd").sum()
    counted = (
        tasks.assignments.drop_nulls("task_id").group_by("task_id").agg(n=pl.len(), units=pl.col("unit_id").n_unique())
    )
    joined = tasks.tasks.join(counted, on="task_id")
    assert joined.height == tasks.tasks.height == counted.height
    assert (joined["n"] == joined["n_calls"]).all()
    assert (joined["units"] == joined["n_units"]).all()


def test_the_shop_has_five_tasks_and_calls_in_none(found: sl.Tasks) -> None:
    assert found.tasks.height == 5
    assert len(set(ids(found).values())) == 5
    assert found.assignments.get_column("task_id").null_count() == 4


def test_no_decision_changes_nothing(found: sl.Tasks) -> None:
    now = replay(found, [])
    assert now.tasks.tasks.equals(found.tasks)
    assert now.tasks.assignments.equals(found.assignments)
    assert set(now.targets) == set(found.tasks.get_column("task_id"))


def test_a_rename_changes_the_name_alone(found: sl.Tasks) -> None:
    triage = ids(found)["triage"]
    now = replay(found, decided(found, lambda n: gestures.rename(n, triage, "  Ticket <b>triage</b>\n")))
    assert row(now.tasks, triage) == row(found, triage) | {"name": "Ticket <b>triage</b>"}
    assert placed(now.tasks) == placed(found)
    assert now.status.row(0, named=True)["task_ids"] == [triage]


def test_a_merge_has_the_id_of_its_heaviest_part_and_counts_anew(found: sl.Tasks) -> None:
    i = ids(found)
    now = replay(found, decided(found, lambda n: gestures.merge(n, [i["refund"], i["triage"]], name="desk")))
    merged = row(now.tasks, i["triage"])
    assert (merged["name"], merged["n_calls"], merged["n_units"]) == ("desk", 24 + 18, 24)
    assert merged["stability"] == pytest.approx(1.0, abs=0.02)
    assert set(placed(now.tasks).values()) == {i["triage"], i["summary"], i["translate"], i["escalate"], None}
    check_money_and_rows(now)


def test_a_split_keeps_the_id_on_the_heavier_part(found: sl.Tasks) -> None:
    i = ids(found)
    now = replay(found, decided(found, lambda n: gestures.split(n, i["triage"], phrase="Very URGENT")))
    assert row(now.tasks, i["triage"])["n_calls"] == 16
    (new,) = set(now.tasks.tasks.get_column("task_id")) - set(found.tasks.get_column("task_id"))
    assert row(now.tasks, new)["n_calls"] == 8
    assert str(row(now.tasks, new)["name"]).endswith(", with “Very URGENT”")
    assert row(now.tasks, new)["call_site"] == row(found, i["triage"])["call_site"]
    assert row(now.tasks, new)["stability"] is row(now.tasks, i["triage"])["stability"] is None
    (said,) = unmeasured_words(now.tasks)
    assert said.startswith("The stability of 2 tasks is not known after a person's split")
    check_money_and_rows(now)


def test_a_phrase_that_few_share_is_not_shown(tmp_path: Path) -> None:
    rows = shop()
    for record in rows[:3]:
        record["request"]["messages"][-1]["content"] += " the falcon account"
    tasks = tasks_of(tmp_path, rows)
    now = replay(tasks, decided(tasks, lambda n: gestures.split(n, ids(tasks)["triage"], phrase="falcon account")))
    assert statuses(now) == ["applied"]
    assert "falcon" not in " ".join([*now.tasks.tasks.get_column("name"), *now.status.get_column("what")])


@pytest.mark.parametrize(("rule", "value", "calls"), [("tool", "book", 6), ("step", "night desk", 2)])
def test_a_split_by_step_or_tool_looks_at_the_request_alone(tmp_path: Path, rule: str, value: str, calls: int) -> None:
    rows = shop()
    for record in rows[:6] if rule == "tool" else rows[:2]:
        tool = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
        record.update({"step": value} if rule == "step" else {})
        record["request"].update({"tools": [tool]} if rule == "tool" else {})
    tasks = tasks_of(tmp_path, rows)
    triage = placed(tasks)["chatcmpl-00010"]
    assert triage == placed(tasks)["chatcmpl-00001"]
    now = replay(tasks, decided(tasks, lambda n: gestures.split(n, str(triage), **{rule: value})))  # type: ignore[arg-type]
    assert placed(now.tasks)["chatcmpl-00010"] == triage
    assert row(now.tasks, _new(now, tasks))["n_calls"] == calls
    assert value in str(row(now.tasks, _new(now, tasks))["name"])
    check_money_and_rows(now)


def test_two_parts_of_a_split_put_together_again_are_as_stable_as_before(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(
        found,
        lambda n: gestures.split(n, i["triage"], phrase="urgent"),
        lambda n: gestures.merge(n, n.status.item(0, "task_ids").to_list()),
    )
    now = replay(found, decisions)
    assert row(now.tasks, i["triage"])["stability"] == pytest.approx(row(found, i["triage"])["stability"])
    assert unmeasured_words(now.tasks) == []


def test_calls_move_with_their_prompt_into_a_task_from_none(found: sl.Tasks) -> None:
    i = ids(found)
    loose = found.assignments.filter(pl.col("task_id").is_null()).get_column("call_id").to_list()
    now = replay(found, decided(found, lambda n: gestures.move(n, loose[:2], i["summary"])))
    assert placed(now.tasks)[loose[0]] == i["summary"]
    assert row(now.tasks, i["summary"])["n_calls"] == 21 + 2
    moved = now.tasks.assignments.row(by_predicate=pl.col("call_id") == loose[0], named=True)
    assert (moved["strength"], moved["rule"]) == (1.0, "prompt_only")
    assert row(now.tasks, i["summary"])["stability"] is None
    assert "after a person moved calls" in unmeasured_words(now.tasks)[0]
    check_money_and_rows(now)


def test_moving_all_calls_of_a_task_ends_it(found: sl.Tasks) -> None:
    i = ids(found)
    calls = [c for c, t in placed(found).items() if t == i["refund"]]
    decisions = decided(
        found,
        lambda n: gestures.rename(n, i["refund"], "Refunds"),
        lambda n: gestures.move(n, calls, i["triage"]),
    )
    now = replay(found, decisions)
    assert i["refund"] not in now.targets
    assert row(now.tasks, i["triage"])["n_calls"] == 24 + 18
    check_money_and_rows(now)


def test_a_task_set_aside_is_excluded_money_and_comes_back_with_an_undo(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(found, lambda n: gestures.set_aside(n, i["triage"], reason="legal"))
    now = replay(found, decisions)
    ledger = build_ledger(found.calls.calls, now.tasks.assignments, excluded=now.tasks.set_aside)
    assert now.tasks.set_aside == {i["triage"]}
    assert (
        ledger.excluded_nusd
        == found.calls.calls.filter(pl.col("call_id").is_in([c for c, t in placed(found).items() if t == i["triage"]]))
        .get_column("spend_nusd")
        .sum()
    )
    check_money_and_rows(now)
    decisions.append(with_id(gestures.undo(now, decisions[0].id), {decisions[0].id}))
    back = replay(found, decisions)
    assert back.tasks.set_aside == frozenset()
    assert statuses(back) == ["undone", "applied"]


def test_an_undo_that_is_undone_takes_nothing_back(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(
        found,
        lambda n: gestures.rename(n, i["triage"], "Desk"),
        lambda n: gestures.undo(n, n.status.item(0, "decision_id")),
        lambda n: gestures.undo(n, n.status.item(1, "decision_id")),
    )
    now = replay(found, decisions)
    assert statuses(now) == ["applied", "undone", "applied"]
    assert row(now.tasks, i["triage"])["name"] == "Desk"


def test_what_rests_on_a_split_that_is_undone_is_stale(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(found, lambda n: gestures.split(n, i["triage"], phrase="urgent"))
    part = replay(found, decisions).status.item(0, "task_ids").to_list()
    (new,) = set(part) - {i["triage"]}
    decisions = decided(
        found,
        lambda n: gestures.split(n, i["triage"], phrase="urgent"),
        lambda n: gestures.rename(n, _new(n, found), "Urgent tickets"),
        lambda n: gestures.undo(n, n.status.item(0, "decision_id")),
    )
    now = replay(found, decisions)
    assert new
    assert statuses(now) == ["undone", "stale", "applied"]
    assert "split that it came out of was undone" in now.status.item(1, "next_step")
    assert now.tasks.tasks.equals(found.tasks)


def _new(now: Replayed, found: sl.Tasks) -> str:
    (new,) = set(now.tasks.tasks.get_column("task_id")) - set(found.tasks.get_column("task_id"))
    return str(new)


def test_the_later_of_two_names_wins_and_the_earlier_says_so(found: sl.Tasks) -> None:
    i = ids(found)
    now = replay(
        found,
        decided(
            found,
            lambda n: gestures.rename(n, i["triage"], "one"),
            lambda n: gestures.rename(n, i["triage"], "two"),
        ),
    )
    assert row(now.tasks, i["triage"])["name"] == "two"
    assert now.status.get_column("next_step").to_list() == ["A later decision stands in its place.", None]


def test_a_merge_of_a_task_set_aside_with_one_that_is_not_is_conflicting(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(
        found,
        lambda n: gestures.set_aside(n, i["triage"]),
        lambda n: gestures.merge(n, [i["triage"], i["summary"]]),
    )
    now = replay(found, decisions)
    assert statuses(now) == ["applied", "conflicting"]
    assert placed(now.tasks) == placed(found)


def test_different_actions_asked_for_two_tasks_can_not_be_merged(found: sl.Tasks) -> None:
    i = ids(found)
    now = replay(
        found,
        decided(
            found,
            lambda n: gestures.override(n, i["triage"], "keep", reason="contract"),
            lambda n: gestures.override(n, i["summary"], "pilot-swap", reason="try"),
            lambda n: gestures.merge(n, [i["triage"], i["summary"]]),
        ),
    )
    assert statuses(now)[2] == "conflicting"
    assert now.tasks.asked == {i["triage"]: "keep", i["summary"]: "pilot-swap"}


def test_two_named_tasks_that_the_data_made_one_are_conflicting_not_guessed(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(
        found,
        lambda n: gestures.rename(n, i["refund"], "one"),
        lambda n: gestures.rename(n, i["triage"], "two"),
    )
    joined = replace(
        found,
        tasks=found.tasks.filter(pl.col("task_id") != i["triage"]),
        assignments=found.assignments.with_columns(pl.col("task_id").replace(i["triage"], i["refund"])),
    )
    now = replay(joined, decisions)
    assert statuses(now) == ["applied", "conflicting"]
    assert row(now.tasks, i["refund"])["name"] == "one"
    assert "Undo one of the two" in now.status.item(1, "next_step")


def test_a_task_whose_calls_scattered_is_stale_and_says_where_they_are(found: sl.Tasks) -> None:
    i = ids(found)
    decisions = decided(found, lambda n: gestures.rename(n, i["triage"], "Desk"))
    others = [i["summary"], i["refund"], i["translate"]]
    calls = sorted(c for c, t in placed(found).items() if t == i["triage"])
    spread = {c: others[at % 3] for at, c in enumerate(calls)}
    where = placed(found) | spread
    scattered = replace(
        found,
        tasks=found.tasks.filter(pl.col("task_id") != i["triage"]),
        assignments=found.assignments.with_columns(
            task_id=pl.Series([where[c] for c in found.assignments.get_column("call_id")], dtype=pl.String)
        ),
    )
    now = replay(scattered, decisions)
    assert statuses(now) == ["stale"]
    assert "now lie in other tasks" in now.status.item(0, "next_step")
    assert now.tasks.tasks.equals(scattered.tasks)


def test_decisions_hold_when_one_session_in_twelve_is_gone_and_rows_are_shuffled(
    found: sl.Tasks, tmp_path: Path
) -> None:
    i = ids(found)
    loose = found.assignments.filter(pl.col("task_id").is_null()).get_column("call_id").to_list()
    decisions = decided(
        found,
        lambda n: gestures.rename(n, i["refund"], "Refunds"),
        lambda n: gestures.merge(n, [i["triage"], i["summary"]]),
        lambda n: gestures.split(n, i["triage"], phrase="urgent"),
        lambda n: gestures.set_aside(n, i["escalate"]),
        lambda n: gestures.move(n, loose, i["translate"]),
    )
    rows = [r for r in shop() if r["session_id"] not in {"s5", "s9"}]
    random.Random(4).shuffle(rows)
    later = tasks_of(tmp_path, rows)
    now = replay(later, decisions)
    assert statuses(now) == ["applied"] * 5
    assert placed(now.tasks)[loose[0]] == i["translate"]
    check_money_and_rows(now)


def test_decisions_hold_in_the_next_months_log_and_a_gone_task_is_said(found: sl.Tasks, tmp_path: Path) -> None:
    i = ids(found)
    decisions = decided(
        found,
        lambda n: gestures.rename(n, i["triage"], "Desk"),
        lambda n: gestures.merge(n, [i["triage"], i["summary"], i["escalate"]]),
        lambda n: gestures.set_aside(n, i["translate"]),
        lambda n: gestures.rename(n, i["refund"], "Refunds"),
    )
    later = tasks_of(tmp_path, shop(["triage", "summary", "refund"], seed=9, start=500))
    now = replay(later, decisions)
    assert statuses(now) == ["applied", "applied", "stale", "applied"]
    assert now.status.item(1, "next_step") == "1 of its 3 tasks are not in this log."
    assert {"Desk", "Refunds"} <= set(now.tasks.tasks.get_column("name"))
    assert now.tasks.tasks.height == 2
    check_money_and_rows(now)


def any_decision(at: int, step: str, other: str) -> Callable[[Replayed], Decision]:
    return [
        lambda n: gestures.rename(n, ids(n.tasks.found or n.tasks)[step], f"name of {step}"),
        lambda n: gestures.split(n, ids(n.tasks.found or n.tasks)[step], phrase="urgent"),
        lambda n: gestures.set_aside(n, ids(n.tasks.found or n.tasks)[step]),
        lambda n: gestures.override(n, ids(n.tasks.found or n.tasks)[step], "keep", reason="so"),
        lambda n: gestures.merge(n, [ids(n.tasks.found or n.tasks)[step], ids(n.tasks.found or n.tasks)[other]]),
    ][at]


def view(now: Replayed) -> tuple[object, ...]:
    tasks = now.tasks.tasks.sort("task_id").rows()
    return tasks, sorted(placed(now.tasks).items()), now.tasks.set_aside, now.tasks.asked


PLANS = st.tuples(
    st.permutations(list(STEPS)), st.lists(st.integers(0, 3), min_size=3, max_size=3), st.booleans(), st.randoms()
)


@settings(max_examples=12)
@given(plan=PLANS)
@pytest.mark.slow
def test_independent_decisions_give_the_same_in_any_order_and_twice_is_once(
    found: sl.Tasks, plan: tuple[list[str], list[int], bool, random.Random]
) -> None:
    steps, kinds, merged, rng = plan
    made = [any_decision(kind, step, "") for kind, step in zip(kinds, steps, strict=False)]
    made += [any_decision(4, steps[3], steps[4])] if merged else []
    decisions = [with_id(one(replay(found, [])), ()) for one in made]
    once = replay(found, decisions)
    rng.shuffle(decisions)
    assert view(replay(found, decisions)) == view(once)
    assert view(replay(once.tasks, decisions)) == view(replay(found, decisions))
    assert set(statuses(once)) <= {"applied"}
    check_money_and_rows(once)


@settings(max_examples=12)
@given(
    made=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(list(STEPS)), st.sampled_from(list(STEPS))), max_size=5),
    n_earlier=st.integers(0, 5),
    rng=st.randoms(),
)
@pytest.mark.slow
def test_decisions_of_an_earlier_run_come_first_wherever_they_stand_and_twice_is_once(
    found: sl.Tasks, made: list[tuple[int, str, str]], n_earlier: int, rng: random.Random
) -> None:
    decisions: list[Decision] = []
    for at, step, other in made:
        try:
            decision = any_decision(at, step, other)(replay(found, decisions))
        except SettingError:
            continue  # merged away, or a merge with itself
        origin = "october" if len(decisions) < n_earlier else ""
        decisions.append(with_id(replace(decision, origin=origin), {d.id for d in decisions}))
    once = replay(found, decisions)
    own = [decision for decision in decisions if not decision.origin]
    places = sorted(rng.sample(range(len(decisions)), len(own)))
    written = [decision for decision in decisions if decision.origin]
    for place, decision in zip(places, own, strict=True):  # as they arrive, each kind in its own order
        written.insert(place, decision)
    again = replay(once.tasks, in_order(written))
    assert view(again) == view(once)
    assert again.status.equals(once.status)
    check_money_and_rows(again)


@settings(max_examples=12)
@given(
    made=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(list(STEPS)), st.sampled_from(list(STEPS))), max_size=5),
    seed=st.integers(0, 99),
)
@pytest.mark.slow
def test_whatever_is_decided_in_any_order_of_rows_every_call_and_cent_is_in_one_place(
    found: sl.Tasks, made: list[tuple[int, str, str]], seed: int
) -> None:
    decisions: list[Decision] = []
    for at, step, other in made:
        now = replay(found, decisions)
        try:
            decision = any_decision(at, step, other)(now)
        except SettingError:
            continue  # merged away, or a merge with itself
        decisions.append(with_id(decision, {d.id for d in decisions}))
    once = replay(found, decisions)
    check_money_and_rows(once)

    def mixed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.sample(fraction=1.0, shuffle=True, seed=seed)

    calls = replace(found.calls, calls=mixed(found.calls.calls), messages=mixed(found.calls.messages))
    shuffled = replace(
        found, calls=calls, tasks=mixed(found.tasks), assignments=mixed(found.assignments), items=mixed(found.items)
    )
    again = replay(shuffled, decisions)
    assert view(again) == view(once)
    assert again.status.equals(once.status)
    untouched = set(found.tasks.get_column("task_id")) - {t for ts in once.status.get_column("task_ids") for t in ts}
    for task_id in untouched & set(once.targets):
        assert row(once.tasks, task_id) == row(found, task_id)


@given(st.sets(st.integers(0, 400), max_size=60), st.sets(st.integers(0, 400), max_size=60))
def test_sketches_tell_how_alike_sets_are(one: set[int], other: set[int]) -> None:
    def hashed(values: set[int]) -> tuple[str, ...]:
        return sketch(f"{v * 0x9E3779B97F4A7C15 % 2**64:016x}" for v in values)

    found = jaccard(hashed(one), hashed(other))
    true = len(one & other) / len(one | other) if one | other else 0
    assert jaccard(hashed(one), hashed(one)) == (1 if one else 0)
    assert abs(found - true) <= (0 if max(len(one), len(other)) < 16 else 0.6)


def test_gestures_refuse_what_is_not_there(found: sl.Tasks) -> None:
    now = replay(found, [])
    triage = ids(found)["triage"]
    with pytest.raises(SettingError, match=r"(?i)no such task"):
        gestures.rename(now, "t-none", "x")
    with pytest.raises(SettingError, match=r"(?i)another task has this name"):
        gestures.rename(now, triage, str(row(found, ids(found)["summary"])["name"]))
    with pytest.raises(SettingError, match=r"(?i)no such call"):
        gestures.move(now, ["nope"], triage)
    with pytest.raises(SettingError, match=r"(?i)no such decision"):
        gestures.undo(now, "d-none")
    with pytest.raises(SettingError, match=r"(?i)two tasks"):
        gestures.merge(now, [triage, triage])
    with pytest.raises(SettingError, match=r"(?i)0 rules"):
        gestures.split(now, triage)


def test_the_order_of_the_log_does_not_matter(found: sl.Tasks, tmp_path: Path) -> None:
    i = ids(found)
    decisions = decided(
        found,
        lambda n: gestures.merge(n, [i["triage"], i["summary"]]),
        lambda n: gestures.split(n, i["refund"], phrase="urgent"),
    )
    rows = shop()
    random.Random(8).shuffle(rows)
    again = sl.discover_tasks(sl.read_logs(log(tmp_path, rows)))
    assert view(replay(again, decisions))[1:] == view(replay(found, decisions))[1:]
