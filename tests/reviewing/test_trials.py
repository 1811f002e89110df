"""Sliders and the false-green button: what they say is what the library computes, and a failure is on screen."""

from __future__ import annotations

import re

import pytest

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.reporting.grid import Words
from slmlens.reporting.one_task import OneTask, look_at
from slmlens.reviewing.tool import RAISES
from slmlens.reviewing.trials import FalseGreen, Thresholds, false_green_words, thresholds
from tests.reviewing.test_panel import click
from tests.suitability.test_assess import tickets
from tests.suitability.trap_logs import tasks_of


@pytest.fixture(scope="module")
def verdicts() -> sl.Verdicts:
    return sl.assess(tasks_of(tickets(120, sessions=1)))


@pytest.fixture
def tool(verdicts: sl.Verdicts) -> Thresholds:
    plan = sl.plan(verdicts)
    one = look_at(plan, sl.report(plan))
    assert isinstance(one, OneTask)
    made = thresholds(one, raises=True)
    assert isinstance(made, Thresholds)
    return made


def test_a_slider_moves_the_bar_and_the_verdict_at_once(tool: Thresholds) -> None:
    before = tool.judged.tuned.posterior.p_parity
    tool.parity.value = 0.99
    assert tool.judged.target.point == pytest.approx(0.99)
    assert tool.judged.tuned.posterior.p_parity < before
    assert "has to reach <b>99 %</b>" in tool.shown.value
    assert tool.judged.evidence != "likely"
    assert "where the run says likely" in tool.shown.value
    click(tool.back)
    assert tool.judged.tuned.posterior.p_parity == before
    assert "where the run says" not in tool.shown.value
    assert repr(tool).startswith("parity 95 %, skill 80 %: likely")


def test_the_dark_bars_are_those_that_meet_the_bar(tool: Thresholds) -> None:
    for parity in (0.70, 0.90):
        tool.parity.value = parity
        needed = round(100 * tool.judged.target.point)
        assert len(re.findall(r"fill='#0b6e6e'", tool.shown.value)) == 2 * (100 - needed)


def test_what_goes_wrong_is_on_screen_and_raises_under_test(tool: Thresholds, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> None:
        message = "the bar is broken"
        raise SettingError(message)

    monkeypatch.setattr("slmlens.suitability.belief.judge", lambda *_: fails())
    with pytest.raises(SettingError):
        tool.parity.value = 0.90
    assert "The bar is broken" in tool.said.value
    tool.raises = False
    tool.parity.value = 0.91
    assert "The bar is broken" in tool.said.value


def test_the_environment_says_whether_a_failure_raises(verdicts: sl.Verdicts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RAISES, raising=False)
    assert not FalseGreen(verdicts).raises
    monkeypatch.setenv(RAISES, "1")
    assert FalseGreen(verdicts).raises


def test_the_false_green_rate_is_measured_on_request_with_its_time(verdicts: sl.Verdicts) -> None:
    tool = FalseGreen(verdicts, raises=True)
    assert "Not measured yet" in tool.said.value
    click(tool.button)
    assert tool.record is not None
    assert tool.record["pairs"] == 20
    assert re.search(r"of 20 tries still called a task learnable.* It took \d+ s\.", tool.said.value)
    assert not tool.button.disabled


def test_what_was_measured_is_told_with_its_counts() -> None:
    record = {"rate": 0.05, "lo95": 0.01, "hi95": 0.2, "greens": 1, "pairs": 20, "tasks": 1, "tasks_without_probe": 2}
    said = false_green_words({**record, "planted": 0, "planted_missed": 0})
    assert "1 of 20 tries" in said
    assert "1 of 3 tasks" in said
    assert "what the probes miss is not known" in said
    assert "nothing to fool" in false_green_words({**record, "rate": None, "planted": 0, "planted_missed": 0})


def test_without_a_task_there_are_words_in_place_of_sliders() -> None:
    assert repr(thresholds(Words("nothing to see"))) == "nothing to see"
