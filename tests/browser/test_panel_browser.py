"""The review panel in a real browser: a row is ticked, renamed by typing and clicking, and the decision is on disk."""

from __future__ import annotations

import pytest

from slmlens.tasks.decisions import FILE, load
from tests.browser.test_lab_browser import PATIENCE, lab  # noqa: F401 - a fixture
from tests.browser.test_report_browser import browser  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_task_is_renamed_in_the_notebook_and_the_decision_is_on_the_disk(lab, browser, tmp_path):  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 2600}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(lab.replace("00_start_here", "02_discover_tasks"))
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('Are these the steps')")
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
    page.wait_for_selector(".jp-OutputArea :text('60 calls, all accounted for; 0 decisions.')", state="attached")
    page.locator(".widget-checkbox label", has_text="parcel").first.click()
    page.wait_for_selector(".widget-html :text('You tell whether a parcel is late')")
    page.get_by_placeholder("for rename or merge").fill("Late <b>or</b> not")
    page.get_by_placeholder("for rename or merge").press("Tab")
    page.screenshot(path=str(tmp_path / "ticked.png"))
    page.locator("button:text-is('Rename')").click()
    page.wait_for_selector(".widget-html :text('Renamed')")
    page.wait_for_selector(".widget-checkbox label:has-text('Late <b>or</b> not')")
    page.screenshot(path=str(tmp_path / "renamed.png"))
    (kept,) = load(tmp_path / "exports" / "runs" / "notebook" / FILE)
    assert (kept.kind, kept.name) == ("rename", "Late <b>or</b> not")
    page.locator("button:text-is('Undo')").click()
    page.wait_for_selector(".widget-html :text('Undone')")
    page.wait_for_selector(".widget-checkbox label:has-text('parcel')")
    page.get_by_placeholder("a word, or a name").fill("no such words")
    page.get_by_placeholder("a word, or a name").press("Tab")
    page.locator("button:text-is('Split')").click()
    page.wait_for_selector('.widget-html :text("None of the task\'s calls fit the rule")')
    assert [d.kind for d in load(tmp_path / "exports" / "runs" / "notebook" / FILE)] == ["rename", "undo"]
