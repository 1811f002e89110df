"""Notebook 07 in a real browser: a log too small to pilot is told so, charts are drawn, nothing is asked outside."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pytest

from tests.browser.test_lab_browser import PATIENCE, lab, run_all_cells  # noqa: F401 - a fixture
from tests.browser.test_report_browser import browser  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_page_says_why_nothing_was_asked_and_draws_the_belief(lab: str, browser) -> None:  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 6000}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.replace("00_start_here", "07_pilot_and_tune"))
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('own answers do')")
    run_all_cells(page)
    page.wait_for_selector(".jp-OutputArea :text('Answers graded: 0; tuned: no.')", state="attached")
    page.wait_for_selector("p:has-text('fewer than 30 sessions')")
    page.wait_for_selector("p:has-text('set TUNE_SECONDS to 180')")
    page.wait_for_selector(".js-plotly-plot .gtitle:has-text('What the answers move in')")
    assert page.locator("td:has-text('chance of parity as it is')").count() == 2
    assert page.locator(".jp-OutputArea-output[data-mime-type$=stderr]").count() == 0
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}
    if os.environ.get("SLMLENS_SHOTS"):
        page.locator(".jp-Notebook").screenshot(path=os.environ["SLMLENS_SHOTS"])
