"""Notebook 05 in a real browser: an edited assumption moves the page, a wrong one is said, nothing is asked outside."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.test_lab_browser import PATIENCE, lab, run_all_cells  # noqa: F401 - a fixture
from tests.browser.test_report_browser import browser  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_edited_assumption_moves_the_page_and_the_button_writes(lab: str, browser, tmp_path: Path) -> None:  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 6000}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.replace("00_start_here", "05_model_savings"))
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('What would moving save')")
    run_all_cells(page)
    page.wait_for_selector(".jp-OutputArea :text('Tasks valued: 1;')", state="attached")
    page.wait_for_selector("[role=status]:has-text('Assumptions as in the run')")
    field = page.locator(".widget-text:has(label:text-is('engineer_day_usd')) input")
    flips = page.locator("td:has-text('Hosted, as it is') ~ td").all_inner_texts()
    field.fill("8")
    field.press("Enter")
    page.wait_for_selector("[role=status]:has-text('1 assumption changed')")
    assert page.locator("td:has-text('Hosted, as it is') ~ td").all_inner_texts() != flips
    field.fill("cheap")
    field.press("Enter")
    page.wait_for_selector("[role=status]:has-text('neither a number nor a range')")
    page.click("button:has-text('Write assumptions.yaml')")
    page.wait_for_selector("[role=status]:has-text('--assumptions assumptions.yaml')")
    assert (tmp_path / "exports" / "runs" / "notebook" / "assumptions.yaml").read_text() == "engineer_day_usd: 8.0\n"
    assert page.locator(".jp-OutputArea-output[data-mime-type$=stderr]").count() == 0
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}
    if os.environ.get("SLMLENS_SHOTS"):
        page.locator(".jp-Notebook").screenshot(path=os.environ["SLMLENS_SHOTS"])
