"""The main job on logs with known truth: what is green, what a month costs, and a report that runs nothing."""

from __future__ import annotations

import json
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import slmlens as sl
from tests.tasks.world import answer, log, pair

GREEN = {"shown", "likely"}


def summary_of(log: Path, out: Path) -> dict[str, Any]:
    run = sl.analyse(log, out=out)
    loaded: dict[str, Any] = json.loads(run.path("summary.json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", ["coin_flip", "coin_flip_repeats"])
def test_a_coin_flip_is_no_signal_and_is_kept(tmp_path: Path, traps: Path, name: str) -> None:
    (task,) = summary_of(traps / f"{name}.jsonl", tmp_path / "run")["tasks"]
    assert task["evidence"] == "no-signal"
    assert (task["action"], task["keep_because"]) == ("keep", "quality")


def test_a_planted_rule_is_green(tmp_path: Path, traps: Path) -> None:
    (task,) = summary_of(traps / "planted_rule.jsonl", tmp_path / "run")["tasks"]
    assert task["evidence"] in GREEN


def test_a_rare_label_is_not_green_by_its_constant(tmp_path: Path, traps: Path) -> None:
    (task,) = summary_of(traps / "rare_label.jsonl", tmp_path / "run")["tasks"]
    assert task["evidence"] not in GREEN


def test_what_no_one_can_learn_is_never_the_best_candidate(tmp_path: Path, traps: Path) -> None:
    summary = summary_of(traps / "five_templates.jsonl", tmp_path / "run")
    chosen = {t["name"].split(" · ")[0] for t in summary["tasks"] if t["task_id"] in summary["plan"]["order"]}
    assert not any(word in name for name in chosen for word in ("classify", "extract", "think"))


def test_a_sparse_calendar_has_its_true_month_inside_its_interval(tmp_path: Path, traps: Path) -> None:
    truth = json.loads((traps / "truth.json").read_text())["sparse_calendar"]["month_usd"]
    month = summary_of(traps / "sparse_calendar.jsonl", tmp_path / "run")["ledger"]["month_usd"]
    assert month["mid"] == pytest.approx(truth, rel=0.05)
    assert month["low"] <= truth <= month["high"]


def test_the_money_of_each_planted_task_is_found(tmp_path: Path, traps: Path) -> None:
    truth = json.loads((traps / "truth.json").read_text())["five_templates"]
    summary = summary_of(traps / "five_templates.jsonl", tmp_path / "run")
    assert summary["ledger"]["imported_usd"] == pytest.approx(truth["total_usd"], abs=0.01)
    found = sorted(t["spend_usd"] for t in summary["tasks"])
    assert found == pytest.approx(sorted(truth["usd_by_task"].values()), abs=0.01)


class Page(HTMLParser):
    """Collects what could run or call out."""

    def __init__(self) -> None:
        super().__init__()
        self.suspect: list[tuple[str, object]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "iframe", "object", "embed", "base", "img", "link", "form"}:
            self.suspect.append((tag, attrs))
        for name, value in attrs:
            if name.startswith("on") or (name in {"href", "src"} and not (value or "").startswith("#")):
                self.suspect.append((name, value))


@pytest.mark.parametrize("audience", ["leadership", "finance", "engineering"])
def test_hostile_text_puts_nothing_into_the_report_that_runs(tmp_path: Path, traps: Path, audience: str) -> None:
    run = sl.analyse(traps / "hostile_text.jsonl", out=tmp_path / "run", audience=audience)
    html = run.path("report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert page.suspect == []
    assert not any(char in html for char in "\u202e\x00\x1b")


def test_a_seat_plan_saves_nothing_and_its_cost_is_a_list_price_equivalent(tmp_path: Path, shared: Path) -> None:
    run = sl.analyse(shared / "fixtures" / "claude_code", out=tmp_path / "run")
    summary = json.loads(run.path("summary.json").read_text(encoding="utf-8"))
    assert summary["tasks"]
    assert all((t["saving_month_usd"] or {"p90": 0})["p90"] <= 0 for t in summary["tasks"])
    assert "list-price equivalent" in run.path("report.html").read_text(encoding="utf-8")


def test_reasons_name_no_field_and_no_rule_where_fewer_than_five_sessions_share_them(tmp_path: Path) -> None:
    rng = random.Random(4)
    rows = []
    for i in range(120):
        row = pair(
            i,
            "Copy the code of the case below into JSON.",
            f"The falcon code is {rng.randrange(10**6)}.",
            session=f"s{i % 4}",
        )
        answer(row, json.dumps({"falcon": row["request"]["messages"][1]["content"].split()[-1].rstrip(".")}))
        rows.append(row)
    (task,) = summary_of(log(tmp_path, rows), tmp_path / "run")["tasks"]
    assert any("program of simple rules gives" in reason for reason in task["reasons"])
    assert "falcon" not in json.dumps(task)
