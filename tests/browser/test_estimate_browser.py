"""Notebook 04 in a real browser: a slider moves the verdict, the button measures, and nothing is asked outside."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.test_lab_browser import PATIENCE, lab, run_all_cells  # noqa: F401 - a fixture
from tests.browser.test_report_browser import browser  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_sliders_and_button_answer_in_the_notebook(lab: str, browser, tmp_path: Path) -> None:  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 9000}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.replace("00_start_here", "04_estimate_suitability"))
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('Could a small model')")
    run_all_cells(page)
    page.wait_for_selector(".jp-OutputArea :text('Tasks judged: 1;')", state="attached")
    page.wait_for_selector("text=A small model as it is >> nth=0", state="attached")
    reach = page.locator(":text('A small model has to reach') b").first
    before = reach.inner_text()
    page.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("([was]) => !document.body.innerText.includes(`has to reach ${was}`)", arg=[before])
    page.click("button:has-text('Measure it on this log')")
    page.wait_for_selector("[role=status]:has-text('It took')")
    assert page.locator(".jp-OutputArea-output[data-mime-type$=stderr]").count() == 0
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}
    assert (tmp_path / "exports" / "runs" / "notebook" / "report.html").is_file()
