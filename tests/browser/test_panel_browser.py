"""The review panel in a real browser: a row is ticked, renamed by typing and clicking, and the decision is on disk."""

from __future__ import annotations

import pytest

from slmlens.tasks.decisions import FILE, load
from tests.browser.test_lab_browser import PATIENCE, lab, run_all_cells  # noqa: F401 - a fixture
from tests.browser.test_report_browser import browser  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def wait_for_the_last_cell(page):
    """The notebook draws the map, and the first UMAP of a process takes half a minute of computing."""
    last = ".jp-OutputArea :text('60 calls, all accounted for; 0 decisions.')"
    page.wait_for_selector(last, state="attached", timeout=3000 * PATIENCE)


def test_a_task_is_renamed_in_the_notebook_and_the_decision_is_on_the_disk(lab, browser, tmp_path):  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 2600}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(lab.replace("00_start_here", "02_discover_tasks"))
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('Are these the steps')")
    run_all_cells(page)
    wait_for_the_last_cell(page)
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


def test_the_map_is_drawn_on_opening_and_follows_a_rename_and_kinds_of_work_are_looked_for(lab, browser, tmp_path):  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 2600}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(lab.replace("00_start_here", "02_discover_tasks"))
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('Are these the steps')")
    run_all_cells(page)
    wait_for_the_last_cell(page)
    panel = page.locator(".jp-Cell", has=page.locator("button:text-is('Rename')"))
    assert panel.locator(".js-plotly-plot").count() == 0, "nothing is drawn before it is opened"
    panel.locator(":text-is('Map of the prompts')").click()
    panel.locator(".js-plotly-plot .legendtext").first.wait_for()
    page.screenshot(path=str(tmp_path / "map.png"))
    assert "parcel" in " ".join(panel.locator(".js-plotly-plot .legendtext").all_text_contents())
    assert panel.locator(".modebar-btn[data-title*='Lasso'], .modebar-btn[data-title*='Share']").count() == 0
    panel.locator(".widget-checkbox label", has_text="parcel").first.click()
    page.get_by_placeholder("for rename or merge").fill("Late <b>or</b> not")
    page.get_by_placeholder("for rename or merge").press("Tab")
    panel.locator("button:text-is('Rename')").click()
    panel.locator(".js-plotly-plot .legendtext", has_text="Late <b>or</b> not").wait_for()
    page.screenshot(path=str(tmp_path / "recoloured.png"))
    panel.locator(":text-is('Kinds of work inside the ticked task')").click()
    panel.locator("button:text-is('Look for kinds of work')").click()
    panel.locator(".widget-html", has_text="has 17 sessions; kinds of work are looked for from 20").wait_for()
    page.screenshot(path=str(tmp_path / "kinds.png"))
    assert said == []
    run = tmp_path / "exports" / "runs" / "notebook"
    assert {"vectors.npy", "vectors.parquet", "map.parquet"} <= {path.name for path in run.iterdir()}
