"""The report in a real browser: quiet, safe, and readable on a screen, a phone and paper."""

import re
from pathlib import Path

import pytest

from slmlens.reporting.html import render_html
from slmlens.savings.assumptions import load_assumptions
from tests.reporting.factory import Log, make_summary, product, product_log
from tests.reporting.page import DOLLARS, PAYLOADS, figures_of, poisoned

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (1280, 768, 390)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("Debian's chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a report from its file; returns the page, what it said on the console and what it asked for."""
    contexts = []

    def opened(html: str, width: int = 1280):
        file = tmp_path / "report.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        contexts.append(context)
        page, said, asked = context.new_page(), [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page, said, asked

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def summary():
    return make_summary(product(), product_log())


@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_from_a_file_without_a_word_or_a_request_and_fits(visit, summary, width):
    page, said, asked = visit(render_html(summary, audience="engineering"), width)
    assert said == []
    assert [url for url in asked if not url.startswith("file:")] == []
    assert len(asked) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_style_sheet_passes_the_policy_and_the_bar_is_drawn(visit, summary):
    page, _, _ = visit(render_html(summary))
    assert page.evaluate("getComputedStyle(document.querySelector('.lead')).fontSize") != "16px"
    widths = page.eval_on_selector_all(".bar rect", "bars => bars.map(bar => bar.getBoundingClientRect().width)")
    shares = list(summary["plan"]["coverage"].values())
    drawn = [width / sum(widths) for width in widths]
    assert drawn == pytest.approx([share / sum(shares) for share in shares if share], abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_runs_nothing_and_breaks_no_line(visit, summary, payload):
    page, said, asked = visit(render_html(poisoned(summary, payload)), 390)
    assert page.title() == "Migration report, 1 Oct to 1 Nov 2026 (slmlens)"
    assert page.locator("script, iframe, object, embed, img, link, base, form").count() == 0
    handlers = (
        "all => all.flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on') || a.name === 'style').length"
    )
    assert page.eval_on_selector_all("*", handlers) == 0
    assert (said, len(asked)) == ([], 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_every_dollar_figure_a_reader_sees_is_in_the_summary(visit, summary):
    page, _, _ = visit(render_html(summary, audience="engineering"))
    shown = set(DOLLARS.findall(page.inner_text("body")))
    assert shown
    assert shown <= figures_of(summary)


def test_columns_of_money_add_up_as_printed(visit, summary):
    page, _, _ = visit(render_html(summary))
    cells = page.eval_on_selector_all(".sums tbody tr", "rows => rows.map(row => row.children[1].innerText)")
    total, *parts = (round(float(cell.strip("$").replace(",", "")) * 100) for cell in cells)
    assert total == sum(parts)


def test_details_open_without_a_script_and_print_opens_them_all(visit, summary):
    page, _, _ = visit(render_html(summary))
    first = page.locator("details").first
    assert not first.locator("pre").is_visible()
    first.locator("summary").click()
    assert first.locator("pre").is_visible()
    page.emulate_media(media="print")
    heights = page.eval_on_selector_all("details pre", "all => all.map(e => e.getBoundingClientRect().height)")
    assert min(heights) > 10


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_first_page_of_paper_holds_the_case(visit, summary, paper, tmp_path):
    page, _, _ = visit(render_html(summary))
    pdf = tmp_path / "report.pdf"
    page.pdf(path=str(pdf), format=paper)
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
    assert 2 <= pages <= 12
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688 if paper == "A4" else 710, "height": 900})
    height = page.evaluate("document.querySelector('.first').getBoundingClientRect().bottom")
    assert height <= (1123 if paper == "A4" else 1056) - 98


def test_groups_of_assumptions_are_closed_on_screen_and_all_on_paper(visit, summary, tmp_path):
    made = summary | {"assumptions": load_assumptions({"budget_weeks": 3}).table().to_dicts()}
    html = render_html(made, audience="finance")
    page, _, _ = visit(html)
    groups = page.locator("details.group")
    assert groups.count() == 6
    assert [groups.nth(at).locator("table").is_visible() for at in range(6)] == [True] + [False] * 5
    sheets = []
    for name, shown in (("as it is", html), ("opened", html.replace('class="group"', 'class="group" open'))):
        page, _, _ = visit(shown)
        page.pdf(path=str(tmp_path / f"{name}.pdf"), format="A4")
        sheets.append(len(re.findall(rb"/Type\s*/Page\b", (tmp_path / f"{name}.pdf").read_bytes())))
        page.emulate_media(media="print")
        heights = page.eval_on_selector_all("details.group tr", "all => all.map(e => e.getBoundingClientRect().height)")
        assert min(heights) > 5
    assert sheets[0] == sheets[1]


def test_a_ledger_only_report_is_quiet_too(visit):
    log = Log(prompts=False, notes=("Set store_prompts_in_spend_logs: true.",))
    page, said, asked = visit(render_html(make_summary([], log)), 390)
    assert (said, len(asked)) == ([], 1)
    assert "store_prompts_in_spend_logs" in page.inner_text("main")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
