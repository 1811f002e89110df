"""The report is one quiet file: it shows the summary, runs nothing, loads nothing, and can be read by anyone."""

import base64
import hashlib
import re
from importlib import resources

import pytest

from slmlens.errors import SettingError
from slmlens.reporting.html import render_html
from slmlens.reporting.plain_words import next_step, risks, settles
from slmlens.reporting.view import AUDIENCES
from tests.reporting.factory import SCENARIOS, Log, Spec, make_summary, many, product_log, scenario
from tests.reporting.page import DOLLARS, PAYLOADS, Page, figures_of, poisoned

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "svg", "defs", "pattern", "rect", "circle", "symbol", "path",
    "line", "text", "use", "a", "header", "p", "span", "main", "section", "h1", "h2", "h3", "h4", "dl", "div", "dt",
    "dd", "b", "small", "ul", "ol", "li", "table", "caption", "thead", "tbody", "tr", "th", "td", "article", "figure",
    "figcaption", "details", "summary", "pre", "code", "footer",
}  # fmt: skip
URL_ATTRIBUTES = {"href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href"}


@pytest.fixture(scope="module")
def summary():
    return scenario("product")


@pytest.fixture(scope="module", params=SCENARIOS)
def any_summary(request):
    return scenario(request.param)


@pytest.fixture(scope="module")
def sixty():
    return make_summary(many(60), product_log())


def assert_inert(page: Page) -> None:
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in URL_ATTRIBUTES & set(attributes):
            assert (attributes[name] or "").startswith("#"), (tag, attributes)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_it_holds_no_script_no_handler_and_no_address(summary, audience):
    html = render_html(summary, audience=audience)
    assert_inert(Page(html))
    assert not re.search(r"[a-z]+://|//[a-z]|@import|url\((?!#)", html)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_in_every_field_stays_text(summary, payload):
    plain, hostile = Page(render_html(summary)), Page(render_html(poisoned(summary, payload)))
    assert_inert(hostile)
    assert len(hostile.all("meta")) == len(plain.all("meta"))
    assert len(hostile.all("title")) == 1
    assert "49" not in hostile.text or "{{ 7*7 }}" in hostile.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b]", hostile.text)


def test_the_title_holds_no_word_of_the_log(summary):
    title = re.search("<title>(.*)</title>", render_html(poisoned(summary, "from the log")))
    assert title[1] == "Migration report, 1 Oct to 1 Nov 2026 (slmlens)"


def test_the_policy_forbids_everything_but_the_one_style_sheet(summary):
    html = render_html(summary)
    style = re.search("<style>(.*)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = Page(html).all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:")


def test_every_dollar_figure_on_the_page_is_in_the_summary(any_summary):
    known = figures_of(any_summary)
    for audience in AUDIENCES:
        shown = set(DOLLARS.findall(Page(render_html(any_summary, audience=audience)).text))
        assert shown <= known, shown - known


def test_every_scenario_shows_its_headline_and_its_ledger(any_summary):
    text = Page(render_html(any_summary)).text
    assert re.sub(r"\s+", " ", any_summary["plan"]["headline"]) in text
    assert "The ledger" in text
    assert "Rows add up" in text


def test_a_log_without_prompts_gives_a_ledger_and_the_setting_to_switch_on():
    note = "LiteLLM logged no prompts: set store_prompts_in_spend_logs: true."
    text = Page(render_html(make_summary([], Log(prompts=False, notes=(note,))))).text
    assert f"What is missing {note}" in text
    assert "All tasks" not in text


@pytest.mark.parametrize("audience", AUDIENCES)
def test_sixty_tasks_fit_in_400_kilobytes(sixty, audience):
    html = render_html(sixty, audience=audience)
    assert len(html.encode()) <= 400_000


def test_audiences_see_the_same_figures_in_another_order(summary):
    pages = {audience: render_html(summary, audience=audience) for audience in AUDIENCES}
    first = {audience: min(("h-ledger", "h-tasks"), key=html.index) for audience, html in pages.items()}
    assert first == {"leadership": "h-tasks", "finance": "h-ledger", "engineering": "h-tasks"}
    cards = {audience: html.count('<article class="card"') for audience, html in pages.items()}
    assert cards == {"leadership": 6, "finance": 6, "engineering": 12}


def test_an_unknown_audience_is_named_with_the_choices(summary):
    with pytest.raises(SettingError, match="Choose one of leadership, finance, engineering"):
        render_html(summary, audience="board")


def test_it_can_be_read_without_seeing_it(any_summary):
    page = Page(render_html(any_summary, audience="engineering"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("main")) == len(page.all("h1")) == 1
    assert page.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert all(attributes.get("scope") in {"col", "row"} for attributes in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("aria-labelledby",):
            assert attributes.get(name, ids[0]) in ids
        assert (attributes.get("href") or f"#{ids[0]}")[1:] in ids
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg.get("aria-label"))


def _luminance(colour: str) -> float:
    colour = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_colour_that_carries_words_has_enough_contrast_by_day_by_night_and_on_paper():
    css = resources.files("slmlens.reporting").joinpath("templates", "report.css").read_text()
    palettes = [
        dict(re.findall(r"--([a-z]+):(#[0-9a-f]{3,6})", block)) for block in re.findall(r":root\{([^}]*)\}", css)
    ]
    assert len(palettes) == 3
    for palette in palettes:
        for ink in ("ink", "soft", "ready", "pilot", "keep", "link"):
            for ground in ("paper", "wash"):
                light, dark = sorted((_luminance(palette[ink]), _luminance(palette[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_an_open_task_says_what_would_settle_it(summary):
    task = next(task for task in summary["tasks"] if task["evidence"] == "open" and task["action"] != "keep")
    assert settles(task) == "A pilot of about 60 graded calls would settle it."
    assert "Open, grade D: what other tasks taught; nothing was graded on this one." in Page(render_html(summary)).text


def test_the_ask_comes_in_the_order_of_the_plan(summary):
    by_id = {task["task_id"]: task for task in summary["tasks"]}
    text = Page(render_html(summary)).text
    places = [text.index(next_step(by_id[task_id])) for task_id in summary["plan"]["order"]]
    assert places == sorted(places)


def test_risks_name_weak_evidence_loops_sampling_and_what_was_not_priced(summary):
    found = " ".join(risks(summary))
    for words in ("grade D evidence", "Errors compound in loops", "1 % sample", "14 calls could not be priced"):
        assert words in found


def test_code_and_cache_show_no_small_model():
    spec = Spec("route", action="code", evidence="shown", grade="A", saving=(1, 2, 3))
    assert "answers acceptable" not in render_html(make_summary([spec]))


def test_examples_appear_only_on_request_and_the_footer_says_so(summary):
    task = summary["plan"]["order"][0]
    plain, shown = render_html(summary), render_html(summary, exemplars={task: ["Dear <EMAIL>, <b>hello</b>"]})
    assert "This report shows no prompt" in plain
    assert "This report shows redacted example prompts" in shown
    assert "Dear &lt;EMAIL&gt;, &lt;b&gt;hello&lt;/b&gt;" in shown


def test_the_same_summary_gives_the_same_bytes(summary):
    assert render_html(summary) == render_html(summary)


def test_when_nothing_pays_the_ask_is_to_keep_and_to_take_what_is_cheap():
    text = Page(render_html(scenario("code that does not repay"))).text
    assert "Keep every task on its present model for now." in text
    assert "Try batch rate on “plan”: about $40 a month, without another model." in text
    assert "plain code would do, but would not repay the work at this volume" in text
    assert "If done anyway a loss of $77 to $160 a month" in text
    assert "Replace “fixed answer”" not in text


def test_small_tasks_fold_away_but_stay_on_the_page(sixty):
    html = render_html(sixty)
    assert "35 smaller tasks, together" in html
    table = html[html.index("h-tasks") :]
    assert all(f"({number})" in table for number in range(60))


def test_our_sentences_are_sentences_however_they_came():
    spec = Spec("a", action="pilot-swap", reasons=("no time order: 56% of calls",), slm="any of about 8B")
    text = Page(render_html(make_summary([spec], Log(total_saving=(1, 2, 3))))).text
    assert "No time order: 56 % of calls." in text
    assert "with any small model of about 8B" in text
