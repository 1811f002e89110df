"""The charts and small tables of the notebooks: every dollar and call is on them, and nothing of a log is markup."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slmlens as sl
from slmlens.reporting.charts import map_tiles, task_map
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.loaded import files_table, ledger_of, models_table, redaction_table, rejects_table
from slmlens.reporting.onepage import coverage_table, first_skeleton, measure, task_table
from slmlens.reporting.spend_chart import month_title, spend_bars, spend_chart
from slmlens.spend.months import estimate_month
from slmlens.tables import NUSD_PER_USD
from tests.reporting.factory import Log, Spec, make_plan, make_summary, product, product_log
from tests.test_notebooks import write_log

LOGS = {
    "priced": Log(),
    "set aside": Log(excluded=(1,)),
    "no prices": Log(priced=False),
    "no times": Log(timed=False),
    "sampled": Log(sampling_rate=0.01),
    "some unpriced": Log(unpriced=40),
    "nothing unassigned": Log(unassigned=0),
}
NASTY = "<b>x</b> <a href='http://x.example'>%{y}</a> $a$ \u202e ]]> &amp;"


def drawn(summary: dict[str, object]) -> dict[str, object]:
    return dict(json.loads(task_map(summary).to_json())["data"][0])


@pytest.mark.parametrize("name", LOGS)
def test_the_tiles_of_the_map_add_up_to_the_log(name: str) -> None:
    summary = make_summary(product(), LOGS[name])
    basis, tiles = measure(summary), map_tiles(summary)
    assert sum(tile.amount for tile in tiles) == pytest.approx(basis.total)
    coverage = summary["plan"]["coverage"]
    whole = summary["rows"]["calls"] if coverage is None else sum(coverage.values())
    assert basis.total == pytest.approx(whole)
    assert basis.priced == (coverage is not None)
    for part, amount in basis.parts.items():
        assert sum(tile.amount for tile in tiles if tile.part == part) == pytest.approx(amount), part


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.floats(0, 3)), max_size=7))
@pytest.mark.slow
def test_the_map_is_one_tree_for_any_mix_of_tasks(tasks: list[tuple[str, int, float]]) -> None:
    specs = [Spec(f"task {i}", n_calls=n, call_usd=usd, application=app) for i, (app, n, usd) in enumerate(tasks)]
    summary = make_summary(specs, Log(unassigned=len(tasks) % 3))
    tiles = map_tiles(summary)
    ids = [tile.tile_id for tile in tiles]
    assert len(set(ids)) == len(ids)
    assert [tile.tile_id for tile in tiles if tile.parent == ""] == ids[:1]
    assert {tile.parent for tile in tiles[1:]} <= set(ids)
    assert all((tile.amount > 0) == (tile.part != "") for tile in tiles)
    assert all(tile.part or tile.tile_id in {other.parent for other in tiles} for tile in tiles[1:])
    task_map(summary)


def test_a_call_site_of_several_tasks_is_a_frame_and_one_of_a_single_task_is_not() -> None:
    summary = make_summary([Spec("one"), Spec("two"), Spec("three")], Log())
    summary["tasks"][1]["call_site"] = summary["tasks"][0]["call_site"]
    assert len([tile for tile in map_tiles(summary) if tile.tile_id.startswith("site/")]) == 1


def test_what_is_in_no_task_is_a_hatched_grey_tile_of_its_own() -> None:
    trace = drawn(make_summary(product(), Log(unassigned=50, unassigned_usd=0.1)))
    at = trace["ids"].index("unassigned")  # type: ignore[attr-defined]
    assert trace["marker"]["pattern"]["shape"][at] == "/"  # type: ignore[index]
    assert trace["parents"][at] == "log"  # type: ignore[index]


def test_a_log_without_tasks_or_without_anything_gives_a_map_and_tables_all_the_same() -> None:
    for log in (Log(), Log(priced=False), Log(unassigned=0), Log(prompts=False)):
        summary = make_summary([], log)
        assert task_map(summary).layout.title.text
        for shown in (coverage_table(summary), task_table(summary), first_skeleton(summary)):
            assert shown._repr_html_()
            assert str(shown)


def test_a_chart_offers_no_upload_and_asks_for_nothing_outside() -> None:
    summary = make_summary(product(), product_log())
    for figure in (task_map(summary), spend_chart(make_plan(product(), product_log()).tasks.calls)):
        assert "sendChartToCloud" in figure.layout.modebar.remove
        assert not re.search(r"https?://", figure.to_json())


def test_text_of_a_log_is_never_markup_nor_a_formula() -> None:
    specs = [Spec(NASTY, application=NASTY, skeleton=NASTY, step_names=(NASTY,)), Spec("two", application=NASTY)]
    summary = make_summary(specs, Log(model=NASTY, file=NASTY))
    trace = drawn(summary)
    calls = make_plan(specs, Log(model=NASTY, file=NASTY)).tasks.calls
    bars = json.loads(spend_chart(calls).to_json())["data"]
    texts = [*trace["labels"], *trace["text"], *trace["hovertext"]]  # type: ignore[misc]
    texts += [text for bar in bars for text in (bar["name"], *bar["hovertext"])]
    for text in texts:
        assert set(re.findall(r"<[^>]*>?", text)) <= {"<b>", "</b>", "<br>"}, text
        assert "$" not in text
        assert "\u202e" not in text
    for shown in (task_table(summary), first_skeleton(summary), files_table(calls), models_table(calls)):
        page = shown._repr_html_()
        assert "<a " not in page
        assert "\u202e" not in page
        assert "$" not in page.replace("<span>$</span>", "")


def test_the_map_says_what_to_do_and_why_in_plain_words() -> None:
    specs = [
        Spec("sort mail", action="pilot-tune", evidence="open", saving=(10, 20, 30), n_calls=90),
        Spec("write letters", action="keep", keep_because="quality", evidence="no-signal"),
    ]
    trace = drawn(make_summary(specs, Log()))
    hover = {
        html.unescape(text).split("<br>")[0]: html.unescape(text).replace("<br>", " ") for text in trace["hovertext"]
    }  # type: ignore[attr-defined]
    assert "Pilot a tuned model" in hover["<b>sort mail</b>"]
    assert "$10 to $30" in hover["<b>sort mail</b>"]
    assert "Evidence: open" in hover["<b>sort mail</b>"]
    assert "can't be told from chance" in hover["<b>write letters</b>"]


def test_the_coverage_and_the_tasks_show_the_figures_of_the_summary() -> None:
    summary = make_summary(product(), product_log())
    coverage = summary["plan"]["coverage"]
    for row in coverage_table(summary).frame.iter_rows(named=True):
        part = {"Pilot first": "pilot"}.get(row["what to do"], row["what to do"].split()[0].lower())
        assert float(row["in this log"].strip("$").replace(",", "")) == pytest.approx(coverage[f"{part}_usd"])
    table = task_table(summary).frame
    tasks = table.filter(pl.col("task") != "(in no task)")
    assert tasks.get_column("task").to_list() == [task["name"] for task in summary["tasks"]]
    calls = [int(n.replace(",", "")) for n in table.get_column("calls")]
    assert sum(calls) == summary["rows"]["calls"]


def test_the_bars_add_up_to_the_priced_spend_and_the_title_is_the_month(tmp_path: Path) -> None:
    write_log(tmp_path / "log.jsonl", 50)
    calls = sl.read_logs(tmp_path / "log.jsonl")
    bars = spend_bars(calls)
    assert bars.by_day
    assert bars.frame.get_column("amount").sum() * NUSD_PER_USD == pytest.approx(
        calls.calls.get_column("runrate_nusd").sum()
    )
    month = estimate_month(calls.calls)
    assert "a month at this rate" in month_title(month, calls)
    assert month.reason.replace("'", "&#x27;") in spend_chart(calls).layout.title.subtitle.text


@pytest.mark.parametrize("without", [{"no_times": True}, {"no_prices": True}, {"no_times": True, "no_prices": True}])
def test_a_log_without_times_or_prices_has_a_chart_that_says_so(tmp_path: Path, without: dict[str, bool]) -> None:
    write_log(tmp_path / "log.jsonl", 50, **without)
    calls = sl.read_logs(tmp_path / "log.jsonl")
    bars = spend_bars(calls)
    assert bars.by_day == ("no_times" not in without)
    assert bars.priced == ("no_prices" not in without)
    assert "a month at this rate" not in spend_chart(calls).layout.title.text
    if not bars.priced:
        assert bars.frame.get_column("amount").sum() == 50


def test_many_models_are_drawn_as_five_and_the_rest() -> None:
    calls = make_plan(product(), Log()).tasks.calls
    named = calls.calls.with_columns(model=pl.format("model-{}", pl.int_range(pl.len()) % 9))
    bars = spend_bars(
        type(calls)(named, *(getattr(calls, name) for name in ("messages", "rejects", "files", "duplicates")))
    )
    assert len(bars.models) == 6
    assert bars.models[-1] == "other models"


def test_what_was_read_refused_and_redacted_is_counted(tmp_path: Path) -> None:
    write_log(tmp_path / "log.jsonl", 50)
    calls = sl.read_logs(tmp_path / "log.jsonl")
    assert files_table(calls).frame.row(0, named=True) == {
        "file": "log.jsonl", "read as": "openai_pairs", "records": 51, "calls": 50, "refused": 1,
    }  # fmt: skip
    assert rejects_table(calls).frame.select("records", "first places").row(0) == (1, "log.jsonl:51")
    assert redaction_table(calls).frame.row(0)[1:] == ("<EMAIL:…>", 50)
    assert ledger_of(calls).by_model.get_column("spend_nusd").sum() == ledger_of(calls).imported_nusd


def test_beyond_twenty_five_files_the_rest_stand_in_one_row(tmp_path: Path) -> None:
    for i in range(30):
        write_log(tmp_path / f"log-{i:02d}.jsonl", 1 + i)
    calls = sl.read_logs(tmp_path)
    table = files_table(calls).frame
    assert table.height == 26
    assert table.get_column("records").sum() == calls.files.get_column("records").sum()


def test_an_empty_table_says_so_in_words() -> None:
    empty = Grid(pl.DataFrame({"a": []}), empty="None at all.")
    assert (str(empty), empty._repr_html_()) == ("None at all.", "<p>None at all.</p>")
    assert Words("a\nb")._repr_html_().count("<p") == 2


def test_importing_the_charts_does_not_load_plotly() -> None:
    import subprocess

    code = "import sys, slmlens.reporting.charts, slmlens.reporting.spend_chart; print('plotly' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
