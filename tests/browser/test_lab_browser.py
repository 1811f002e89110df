"""``slmlens lab`` in a real browser: the first notebook opens, runs and draws its map, and asks nothing outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.test_report_browser import browser  # noqa: F401 - a fixture
from tests.test_notebooks import write_log

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+")
PATIENCE = 90  # seconds; a shared machine may stall


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Start ``slmlens lab`` on a folder with a small log, apart from any JupyterLab of this user; its address."""
    logs, home, said = tmp_path / "exports", tmp_path / "home", tmp_path / "said.txt"
    logs.mkdir()
    write_log(logs / "october.jsonl", 60)
    places = ("CONFIG", "DATA", "RUNTIME")
    own = {f"JUPYTER_{place}_DIR": str(home / place) for place in places}
    own |= {f"JUPYTERLAB_{place}_DIR": str(home / place) for place in ("SETTINGS", "WORKSPACES")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "slmlens.cli", "lab", str(logs), "--no-browser", "--port", str(port)]
    with said.open("w") as out:
        server = subprocess.Popen(
            [*command, "--allow-root"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own, "HOME": str(home)},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not (found := ADDRESS.search(said.read_text())) and time.monotonic() < deadline:
            assert server.poll() is None, said.read_text()
            time.sleep(0.2)
        assert found, said.read_text()
        yield found[0]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def run_all_cells(page) -> None:
    """Choose Run All Cells once the kernel is up: JupyterLab passes over cells that are run before it."""
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", state="attached")
    page.click('.lm-MenuBar-itemLabel:text-is("Run")')
    page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')


def test_the_first_notebook_opens_runs_and_draws_the_map(lab: str, browser, tmp_path: Path) -> None:  # noqa: F811
    page = browser.new_context(viewport={"width": 1280, "height": 2400}).new_page()
    page.set_default_timeout(1000 * PATIENCE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab)
    page.wait_for_selector(".jp-Notebook .jp-Cell h1:has-text('Which of our agents')")
    run_all_cells(page)
    page.wait_for_selector(".jp-OutputArea :text('60 calls, all accounted for')", state="attached")
    page.wait_for_selector(".treemaplayer .slice")
    tiles = page.locator(".treemaplayer .slice text").all_text_contents()
    assert any("parcel" in text for text in tiles)
    assert page.locator(".modebar-btn[data-title*='Share']").count() == 0
    assert page.locator(".jp-toast, .Toastify__toast").count() == 0, "JupyterLab asks nothing before the reader starts"
    assert "No task in this log pays" in page.frame_locator(".jp-OutputArea iframe").locator(".lead").inner_text()
    assert (tmp_path / "exports" / "runs" / "notebook" / "report.html").is_file()
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}
