"""The map in the panel: drawn on first opening, once; recuts and decisions recolour it; it shows no text of the log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import slmlens as sl
from slmlens.errors import SettingError
from slmlens.reviewing import folds, item_map
from slmlens.reviewing.item_map import ItemMap
from slmlens.reviewing.panel import FOLDS, Panel
from slmlens.reviewing.session import ReviewSession
from slmlens.tasks import projection
from slmlens.tasks.encoders import VectorCache
from slmlens.tasks.projection import principal
from tests.reviewing.test_panel import HOSTILE, click, tick
from tests.tasks.shop import NOUNS, ids, shop
from tests.tasks.test_vectors import Words
from tests.tasks.world import Record, answer, log, pair


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return log(tmp_path_factory.mktemp("shop"), shop(sessions=16))


@pytest.fixture
def opened(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[sl.Run, sl.Tasks, list[int]]:
    """A run, its tasks, and a list that grows with each layout (two axes in place of UMAP's half a minute)."""
    laid_out: list[int] = []

    def quick(matrix: Any, _seed: int) -> Any:
        laid_out.append(len(matrix))
        return principal(matrix, 2)

    monkeypatch.setattr(projection, "_umap", quick)
    run = sl.open_run(tmp_path / "run")
    return run, sl.discover_tasks(sl.read_logs(place, run=run), run=run), laid_out


def drawn(panel: Panel) -> dict[str, Any]:
    (output,) = panel.map.chart.outputs
    return output["data"]["application/vnd.plotly.v1+json"]


def look_of(figure: Any, name: str) -> tuple[str, str]:
    (trace,) = [t for t in figure.data if t.name.startswith(name)]
    return trace.marker.color, trace.marker.symbol


def test_every_call_is_on_the_map_or_counted_as_not_drawn(opened: tuple[sl.Run, sl.Tasks, list[int]]) -> None:
    _, tasks, _ = opened
    made = ItemMap(tasks.calls, encoder=Words())
    marks = made.marks(tasks)
    assert marks.get_column("n_calls").sum() == tasks.calls.calls.height
    by_task = dict(marks.group_by("task_id").agg(pl.col("n_calls").sum()).rows())
    assert {t: n for t, n in by_task.items() if t} == dict(tasks.tasks.select("task_id", "n_calls").rows())
    made._points = made._points.head(50)
    subtitle = made.figure(tasks).layout.title.subtitle.text
    assert f"{tasks.calls.calls.height - 50} calls without a text, or with a rare one, are not drawn." in subtitle


@pytest.mark.slow
def test_a_recut_and_a_merge_recolour_the_same_places_without_an_encoder(
    opened: tuple[sl.Run, sl.Tasks, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, tasks, laid_out = opened
    panel = sl.review(tasks, run=run, author="ana", raises=True)
    panel.folded.selected_index = 0
    assert len(laid_out) == 1
    before = drawn(panel)
    monkeypatch.setattr(VectorCache, "encode", lambda *_: pytest.fail("a text was encoded again"))
    i = ids(tasks)
    tick(panel, i["triage"], i["summary"])
    click(panel.buttons["merge"])
    merged = drawn(panel)
    assert len([t for t in merged["data"] if "task" not in t["name"]]) == len(before["data"]) - 2
    panel.sliders["k_task"].value = 12
    click(panel.recut)
    assert drawn(panel)["data"] != merged["data"]
    click(panel.back)
    assert drawn(panel)["layout"]["title"] == merged["layout"]["title"]
    again = sl.review(tasks, run=sl.open_run(run.folder), raises=True)
    again.folded.selected_index = 0
    assert len(laid_out) == 1, "the run keeps the map"
    assert sorted(n for t in drawn(again)["data"] for n in t["hovertext"]) == sorted(
        n for t in merged["data"] for n in t["hovertext"]
    )


def test_nothing_is_drawn_before_the_map_is_opened_nor_while_it_is_closed(
    opened: tuple[sl.Run, sl.Tasks, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, tasks, laid_out = opened
    panel = sl.review(tasks, run=run, raises=True)
    tick(panel, ids(tasks)["triage"])
    panel.folded.selected_index = FOLDS.index("What was decided so far")
    assert (panel.map.chart.outputs, laid_out) == ((), [])
    assert not run.path("vectors.npy").exists()
    panel.folded.selected_index = FOLDS.index("Map of the prompts")
    assert len(laid_out) == 1
    assert panel.map.said.value == ""
    panel.folded.selected_index = None
    monkeypatch.setattr(panel.map.map, "figure", lambda *_: pytest.fail("drawn while nobody sees it"))
    tick(panel, ids(tasks)["refund"])


def test_a_ticked_task_stands_out(opened: tuple[sl.Run, sl.Tasks, list[int]]) -> None:
    run, tasks, _ = opened
    panel = sl.review(tasks, run=run, raises=True)
    panel.folded.selected_index = 0
    name = dict(tasks.tasks.select("task_id", "name").rows())[ids(tasks)["refund"]]
    tick(panel, ids(tasks)["refund"])
    clear = [t["name"] for t in drawn(panel)["data"] if t["opacity"] > 0.5]
    assert len(clear) == 1
    assert clear[0].rstrip("…") in name


def test_a_task_keeps_its_colour_when_others_are_merged_away(opened: tuple[sl.Run, sl.Tasks, list[int]]) -> None:
    _, tasks, _ = opened
    made, session = ItemMap(tasks.calls, encoder=Words()), ReviewSession(tasks, author="ana")
    name = dict(tasks.tasks.select("task_id", "name").rows())[ids(tasks)["escalate"]][:12]
    before = look_of(made.figure(session.tasks), name)
    session.select(ids(tasks)["triage"], ids(tasks)["summary"])
    session.merge(name="Desk")
    assert look_of(made.figure(session.tasks), name) == before
    colours = [(t.marker.color, t.marker.symbol) for t in made.figure(session.tasks).data]
    assert len(set(colours)) == len(colours)


def test_the_map_holds_no_text_of_a_prompt_and_no_markup_from_names(
    opened: tuple[sl.Run, sl.Tasks, list[int]],
) -> None:
    _, tasks, _ = opened
    session = ReviewSession(tasks, author="ana")
    session.select(ids(tasks)["triage"])
    session.rename(HOSTILE)
    figure = ItemMap(tasks.calls, encoder=Words()).figure(session.tasks)
    text = json.dumps(figure.to_plotly_json(), default=str, ensure_ascii=False)
    names = " ".join(session.tasks.tasks.get_column("name"))
    assert [noun for noun in NOUNS if noun in text and noun not in names] == []
    assert "<img" not in text
    assert "\u202e" not in text
    assert any("&lt;img src=x" in told for trace in figure.data for told in trace.hovertext)


def rare_keys() -> list[Record]:
    rows = [pair(i, "Sort what comes in at the desk.", f"case {i * 37}", session=f"s{i}") for i in range(12)]
    for i, record in enumerate(rows):
        answer(record, json.dumps({"queue": 1} if i < 10 else {"hr_case_of_kim": 1}))
    return rows


def test_keys_of_answers_are_named_only_where_enough_sessions_share_them(tmp_path: Path) -> None:
    tasks = sl.discover_tasks(sl.read_logs(log(tmp_path, rare_keys())))
    made = ItemMap(tasks.calls, encoder=Words())
    assert set(made.marks(tasks).get_column("form")) == {"JSON: queue", "JSON"}
    assert "hr_case" not in made.figure(tasks).to_json()
    assert set(made.marks(tasks, k_show=11).get_column("form")) == {"JSON"}


def test_many_tasks_share_a_colour_and_a_ticked_one_of_them_gets_its_own(
    opened: tuple[sl.Run, sl.Tasks, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, tasks, _ = opened
    monkeypatch.setattr(item_map, "NAMED", 2)
    made = ItemMap(tasks.calls, encoder=Words())
    assert "3 smaller tasks" in [t.name for t in made.figure(tasks).data]
    figure = made.figure(tasks, [ids(tasks)["escalate"]])
    assert "2 smaller tasks" in [t.name for t in figure.data]
    assert sum(len(t.x) for t in figure.data) == made.marks(tasks).height


@pytest.mark.slow
def test_without_texts_there_is_no_map_it_is_said_and_decisions_go_on(place: Path, tmp_path: Path) -> None:
    settings = sl.Settings(keep_text=False)
    run = sl.analyse(place, out=tmp_path / "run", settings=settings)
    tasks = sl.discover_tasks(sl.read_logs(place, run=run, settings=settings), run=run)
    panel = sl.review(tasks, run=run)
    panel.folded.selected_index = 0
    assert "There is no map. map: The map is made of the prompts" in panel.map.said.value
    assert "keep its texts" in panel.map.said.value
    tick(panel, ids(tasks)["triage"])
    panel.name.value = "Desk"
    click(panel.buttons["rename"])
    assert "Renamed" in panel.said.value
    with pytest.raises(SettingError, match="too few are at hand"):
        ItemMap(tasks.calls, store=run)


def test_the_map_goes_with_the_texts(opened: tuple[sl.Run, sl.Tasks, list[int]]) -> None:
    run, tasks, _ = opened
    ItemMap(tasks.calls, store=run)
    assert run.path("map.parquet").exists()
    sl.forget(run.folder, texts=True)
    assert not run.path("map.parquet").exists()
    assert not sl.open_run(run.folder).manifest["map"]


def test_a_defect_while_drawing_is_on_screen(
    opened: tuple[sl.Run, sl.Tasks, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, tasks, _ = opened
    monkeypatch.setattr(folds, "ItemMap", lambda *_, **__: {}["<b>"])
    panel = sl.review(tasks, run=run, raises=True)
    with pytest.raises(KeyError):
        panel.folded.selected_index = 0
    assert "A defect of slmlens: KeyError" in panel.said.value
    assert not panel.map.is_open


def test_the_hover_tells_task_form_calls_and_sessions(opened: tuple[sl.Run, sl.Tasks, list[int]]) -> None:
    _, tasks, _ = opened
    figure = ItemMap(tasks.calls, encoder=Words()).figure(tasks)
    for trace in figure.data:
        for told in trace.hovertext:
            assert re.fullmatch(r"<b>[^<]+</b><br>answer: [^<]+<br>\d+ calls? in \d+ (session|content)s?", told)
