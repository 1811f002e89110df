"""The panel: what a person types and clicks is on the disk at once, and what goes wrong is on screen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.reviewing.panel import BUTTONS, Panel
from slmlens.reviewing.tool import RAISES
from slmlens.tasks.cut import KNOBS, Cut, cut_of
from slmlens.tasks.decisions import FILE, load
from tests.tasks.shop import ids, shop
from tests.tasks.world import log, pair, tasks_of

HOSTILE = "<img src=x onerror=alert(1)> $a$ \u202e"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> sl.Calls:
    return sl.read_logs(log(tmp_path_factory.mktemp("shop"), shop()))


@pytest.fixture(scope="module")
def found(calls: sl.Calls) -> sl.Tasks:
    return sl.discover_tasks(calls)


@pytest.fixture
def run(tmp_path: Path) -> sl.Run:
    made = sl.open_run(tmp_path / "run")
    made.write_text("note.txt", "")
    return made


@pytest.fixture
def panel(found: sl.Tasks, run: sl.Run) -> Panel:
    return sl.review(found, run=run, author="ana", raises=True)


def click(button: Any) -> None:
    """Call what a click calls; ``Button.click`` itself would swallow what it raises."""
    assert not button.disabled, f"{button.description} can't be clicked"
    for callback in button._click_handlers.callbacks:
        callback(button)


def tick(panel: Panel, *task_ids: str) -> None:
    for widget in panel._rows[: len(panel.rows.children)]:
        widget.check.value = widget.task_id in task_ids


def names(panel: Panel) -> list[str]:
    return [widget.check.description for widget in panel._rows[: len(panel.rows.children)]]


def test_a_task_is_renamed_by_ticking_typing_and_clicking(panel: Panel, found: sl.Tasks, run: sl.Run) -> None:
    tick(panel, ids(found)["triage"])
    panel.name.value, panel.reason.value = "Desk", "what the team calls it"
    click(panel.buttons["rename"])
    (kept,) = load(run.path(FILE))
    assert (kept.kind, kept.name, kept.author, kept.reason) == ("rename", "Desk", "ana", "what the team calls it")
    assert names(panel)[0] == "Desk"
    assert "Renamed: “" in panel.said.value
    assert panel.name.value == panel.reason.value == ""
    assert "what the team calls it" in panel.decisions.value


def test_merge_split_set_aside_and_undo_are_each_one_click(panel: Panel, found: sl.Tasks, run: sl.Run) -> None:
    i = ids(found)
    tick(panel, i["triage"], i["summary"])
    click(panel.buttons["merge"])
    assert panel.session.figures.tasks == 4
    tick(panel, i["refund"])
    panel.split_value.value = "very urgent"
    click(panel.buttons["split"])
    tick(panel, i["escalate"])
    panel.author.value = "bo"
    click(panel.buttons["set_aside"])
    assert "set aside" in next(w for w in panel._rows if w.task_id == i["escalate"]).cells.value
    panel.undo_of.value = next(value for words, value in panel.undo_of.options if words.startswith("Merged"))
    click(panel.buttons["undo"])
    click(panel.buttons["undo"])
    kept = load(run.path(FILE))
    assert [d.kind for d in kept] == ["merge", "split", "set_aside", "undo", "undo"]
    assert [d.undoes for d in kept[3:]] == [kept[0].id, kept[2].id]
    assert [d.author for d in kept] == ["ana", "ana", "bo", "bo", "bo"]
    assert panel.session.figures.tasks == 6


def test_before_and_after_are_shown_and_what_no_longer_holds_with_what_to_do(panel: Panel, found: sl.Tasks) -> None:
    tick(panel, ids(found)["triage"])
    panel.split_value.value = "very urgent"
    click(panel.buttons["split"])
    assert re.search(r"<b>tasks</b></td><td[^>]*>5</td><td[^>]*>6</td>", panel.said.value)
    split = load(panel.session._run.path(FILE))[0]  # type: ignore[union-attr]
    (new,) = {w.task_id for w in panel._rows} - set(ids(found).values())
    tick(panel, new)
    panel.name.value = "Urgent tickets"
    click(panel.buttons["rename"])
    panel.undo_of.value = split.id
    click(panel.buttons["undo"])
    assert "1 decision no longer" in panel.said.value
    assert "decide again, or undo this" in panel.said.value


def test_only_what_can_be_done_can_be_clicked(panel: Panel, found: sl.Tasks) -> None:
    def clickable() -> set[str]:
        return {name for name, button in panel.buttons.items() if not button.disabled}

    i = ids(found)
    assert clickable() == set()
    tick(panel, i["triage"])
    assert clickable() == {"rename", "split", "set_aside"}
    tick(panel, i["triage"], i["refund"])
    assert clickable() == {"merge"}


@pytest.mark.parametrize("raises", [True, False])
def test_what_goes_wrong_is_on_screen_in_red_and_raises_under_test(found: sl.Tasks, run: sl.Run, raises: bool) -> None:
    panel = sl.review(found, run=run, raises=raises)
    tick(panel, ids(found)["triage"])
    panel.split_value.value = "no such words"
    if raises:
        with pytest.raises(SettingError, match="None of the task's calls"):
            click(panel.buttons["split"])
    else:
        click(panel.buttons["split"])
    assert "#b3261e" in panel.said.value
    assert "split it by another one, or undo this" in panel.said.value
    assert not run.path(FILE).exists()
    assert panel.split_value.value == "no such words", "what was typed stays, to be corrected"


def test_a_defect_of_ours_is_on_screen_too(found: sl.Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RAISES, "1")
    panel = sl.review(found)
    tick(panel, ids(found)["triage"])
    monkeypatch.setattr(panel.session, "set_aside", lambda **_: {}["<b>"])
    with pytest.raises(KeyError):
        click(panel.buttons["set_aside"])
    assert "A defect of slmlens: KeyError: &#x27;&lt;b&gt;&#x27;" in panel.said.value


def test_text_from_the_log_or_a_person_is_never_markup(panel: Panel, found: sl.Tasks) -> None:
    tick(panel, ids(found)["triage"])
    panel.name.value = panel.reason.value = panel.author.value = HOSTILE
    click(panel.buttons["rename"])
    everything = [w.value for w in (panel.figures, panel.selected, panel.said, panel.decisions, panel.unassigned)]
    everything += [w.cells.value for w in panel._rows]
    for html in everything:
        assert "<img" not in html
        assert "\u202e" not in html
    assert any("&lt;img src=x" in html for html in everything)
    assert not panel._rows[0].check.description_allow_html
    assert "\u202e" not in panel._rows[0].check.description


def test_the_skeleton_of_the_selected_task_is_shown_and_no_prompt(panel: Panel, found: sl.Tasks) -> None:
    tick(panel, ids(found)["refund"])
    assert "Decide whether this customer may have a refund" in panel.selected.value
    tick(panel, ids(found)["refund"], ids(found)["triage"])
    assert "Decide whether" not in panel.selected.value


def test_a_search_keeps_what_was_ticked(panel: Panel, found: sl.Tasks) -> None:
    i = ids(found)
    tick(panel, i["refund"])
    everything = names(panel)
    panel.find.value = next(w.check.description for w in panel._rows if w.task_id == i["triage"])[:12].upper()
    assert len(names(panel)) < len(everything)
    next(w for w in panel._rows if w.task_id == i["triage"]).check.value = True
    assert panel.session.selected == (i["refund"], i["triage"])
    panel.find.value = ""
    assert names(panel) == everything


def test_of_many_tasks_the_dearest_are_listed_and_the_rest_counted(
    found: sl.Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slmlens.reviewing.panel.MOST_ROWS", 2)
    panel = sl.review(found)
    assert names(panel) == panel.session.table().get_column("name").head(2).to_list()
    assert "3 more tasks: find them" in panel.more.value


def test_a_recut_is_tried_without_a_trace_and_nothing_is_decided_on_it(
    panel: Panel, found: sl.Tasks, run: sl.Run
) -> None:
    i, manifest = ids(found), dict(run.manifest)
    tick(panel, i["triage"])
    panel.sliders["k_task"].value = 20
    click(panel.recut)
    assert panel.session.figures.tasks < 5
    assert re.search(r"<b>spend in no task</b></td>", panel.said.value)
    assert "Nothing is written" in panel.said.value
    assert all(button.disabled for button in panel.buttons.values())
    with pytest.raises(SettingError, match="only tried"):
        panel.session.undo("d-any")
    click(panel.back)
    assert panel.sliders["k_task"].value == Cut().k_task
    assert panel.session.tasks.tasks.equals(found.tasks)
    assert not panel.buttons["rename"].disabled
    assert run.manifest == manifest
    assert not run.path(FILE).exists()


def test_a_cut_that_was_found_before_is_not_found_again(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    panel.sliders["k_task"].value = 20
    click(panel.recut)
    monkeypatch.setattr("slmlens.reviewing.cuts.discover_tasks", lambda *_, **__: pytest.fail("found again"))
    click(panel.back)
    panel.sliders["k_task"].value = 20
    click(panel.recut)


@pytest.mark.slow
def test_a_cut_that_is_kept_is_the_one_the_run_follows(tmp_path: Path) -> None:
    place, run = log(tmp_path, shop()), sl.open_run(tmp_path / "run")
    calls = sl.read_logs(place, run=run)
    panel = sl.review(sl.discover_tasks(calls, run=run), run=run, author="ana", raises=True)
    panel.sliders["k_task"].value = 20
    click(panel.recut)
    click(panel.keep)
    tick(panel, panel._rows[0].task_id)
    panel.name.value = "Desk"
    click(panel.buttons["rename"])
    again = sl.open_run(tmp_path / "run")
    assert cut_of(again.manifest) == Cut(k_task=20)
    tasks = sl.discover_tasks(sl.read_logs(place, run=again), run=again)
    assert tasks.tasks.equals(panel.session.tasks.tasks)
    assert "Desk" in tasks.tasks.get_column("name").to_list()
    reopened = sl.review(tasks, run=again)
    assert reopened.sliders["k_task"].value == 20
    assert reopened.back.disabled
    method = sl.analyse(place, out=tmp_path / "run").summary()["method"]
    assert "A person chose how fine the log is cut into tasks: k_task 20 (usual: 3)." in method


def test_a_cut_in_a_manifest_that_is_not_one_is_refused_with_what_to_do() -> None:
    for wrong in ({"k_task": 1}, {"k_task": True}, {"k_task": "3"}, {"cover": 2}, {"colour": 1}, ["k_task"]):
        with pytest.raises(SettingError, match=r"(give a|use k_task|Give a|Use cover)"):
            cut_of({"cut": wrong})
    assert cut_of({}) == Cut()
    assert all(knob.low <= getattr(Cut(), knob.name) <= knob.high for knob in KNOBS)
    assert Cut().record() == {}


def test_a_log_without_a_task_or_a_price_opens_too(tmp_path: Path) -> None:
    panel = sl.review(tasks_of(tmp_path, [pair(i, "", "aa bb cc", session="s") for i in range(2)]), raises=True)
    assert names(panel) == []
    assert "0 tasks" in repr(panel)


def test_a_notebook_without_widgets_still_says_what_there_is(panel: Panel) -> None:
    shown = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"].startswith("5 tasks; spend in tasks $")


def test_the_docs_name_every_button_and_every_slider() -> None:
    said = (Path(__file__).resolve().parents[2] / "docs" / "review.md").read_text(encoding="utf-8")
    assert [label for label, *_ in BUTTONS.values() if f"| {label} |" not in said] == []
    assert [knob.name for knob in KNOBS if f"`{knob.name}` ({knob.label})" not in said.replace("\n", " ")] == []
    assert RAISES in said
