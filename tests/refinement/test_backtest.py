"""A back-test promises from earlier calls alone, and tells what later ones make of it."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import slmlens as sl
from slmlens.cli import app
from slmlens.errors import RunFolderError, SettingError
from slmlens.refinement.backtest import BackTest, back_test
from slmlens.refinement.promise import SameSettings
from slmlens.reporting.backtest_page import back_test_page, back_test_record
from slmlens.tasks.discover import DiscoverySettings
from tests.tasks.world import answer, log, pair

pytestmark = pytest.mark.slow

START = dt.datetime(2026, 9, 1, 8, tzinfo=dt.UTC)
SPLIT = dt.date(2026, 9, 22)
DAYS = 36
TRIAGE = "You are the triage agent of a shop. Answer with the intent of the ticket as JSON, and nothing else please."
GONE = "You write the weekly digest of the warehouse in German for the morning shift and sign with the team's name."
NEW = "You translate product names of the new catalogue into Spanish and keep brand names exactly as they are given."
INTENTS = {"invoice": "billing", "refund": "refund", "crash": "tech"}
SETTINGS = SameSettings(DiscoverySettings(fits=0), today=dt.date(2026, 10, 10))


def records(*, later_calls: int = 5, later_rule: bool = True) -> list[dict[str, Any]]:
    """Triage by a keyword on every day; the digest before the split, the translation after it."""
    rows = []
    for day in range(DAYS):
        date = START + dt.timedelta(days=day)
        after = date.date() >= SPLIT
        rng = random.Random(day)
        for at in range(later_calls if after else 5):
            word = rng.choice(sorted(INTENTS))
            text = (
                f"ticket {rng.randrange(10**6)}: {rng.choice(['hello', 'please', 'again'])} {word} {rng.choice('abc')}"
            )
            told = INTENTS[word] if later_rule or not after else rng.choice(sorted(INTENTS.values()))
            rows.append(_row(len(rows), TRIAGE, text, date + dt.timedelta(hours=at), json.dumps({"intent": told})))
        other = NEW if after else GONE
        rows += [
            _row(len(rows) + n, other, f"part {rng.randrange(10**6)}", date + dt.timedelta(hours=9), "ok")
            for n in (0, 1)
        ]
    return rows


def _row(i: int, system: str, text: str, at: dt.datetime, said: str) -> dict[str, Any]:
    row = pair(i, system, text, f"{at:%d%H%M}{i}", timestamp=at.isoformat())
    answer(row, said)
    return row


def hold(folder: Path, **kind: Any) -> BackTest:
    calls = sl.read_logs(log(folder, records(**kind)), settings=sl.Settings(today=dt.date(2026, 10, 10)))
    return back_test(calls, SPLIT, SETTINGS)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> BackTest:
    return hold(tmp_path_factory.mktemp("steady"))


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> BackTest:
    return hold(tmp_path_factory.mktemp("changed"), later_calls=15, later_rule=False)


PROMISED = [
    "task_id", "promised_calls", "promised_calls_month", "promised_month_nusd", "evidence", "action", "in_plan",
    "saving_p10_nusd", "saving_p50_nusd", "saving_p90_nusd",
]  # fmt: skip


def test_other_later_calls_leave_the_promise_as_it_is(steady: BackTest, changed: BackTest) -> None:
    one, two = (back_test_record(test) for test in (steady, changed))
    assert one["promise"] == two["promise"]
    before = [
        test.tasks.filter(pl.col("status") != "new").select(PROMISED).sort("task_id") for test in (steady, changed)
    ]
    assert before[0].equals(before[1])
    probes = [
        test.probes.select("task_id", "source", "what", "promised", "promised_lo90") for test in (steady, changed)
    ]
    assert probes[0].equals(probes[1])
    assert one["seen"] != two["seen"]


def test_tasks_recur_go_and_come(steady: BackTest) -> None:
    assert sorted(steady.tasks.get_column("status").to_list()) == ["gone", "new", "recurs"]
    recurs = steady.tasks.filter(pl.col("status") == "recurs").row(0, named=True)
    assert recurs["promised_calls"] == 5 * 21
    assert recurs["seen_calls"] == 5 * 15
    assert recurs["seen_calls_month"] == pytest.approx(150, rel=0.03)
    assert steady.tasks.filter(pl.col("status") == "gone").item(0, "seen_calls") == 0
    assert steady.tasks.filter(pl.col("status") == "new").item(0, "promised_calls") == 0


def test_a_steady_log_costs_what_was_promised_and_a_grown_one_does_not(steady: BackTest, changed: BackTest) -> None:
    assert steady.month.inside is True
    assert changed.month.inside is False
    assert changed.month.seen_nusd > changed.month.high_nusd
    assert "inside the promised range" in " ".join(back_test_page(steady).split())
    assert "above the promised range" in " ".join(back_test_page(changed).split())


def test_a_rule_that_lasts_holds_and_one_that_ends_does_not(steady: BackTest, changed: BackTest) -> None:
    assert steady.probes.get_column("held").all()
    assert not changed.probes.get_column("held").any()
    assert "promised," in back_test_page(changed)


def test_calls_and_days_stand_on_one_side_or_are_counted(steady: BackTest) -> None:
    earlier, later = steady.periods.earlier.calls, steady.periods.later.calls
    assert earlier.get_column("started_at").max() < dt.datetime(2026, 9, 22, tzinfo=dt.UTC)
    assert earlier.height + later.height + steady.periods.untimed == len(records())
    assert not set(earlier.get_column("call_id")) & set(later.get_column("call_id"))


def test_the_verb_prints_the_page_and_keeps_the_record(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sl.analyse(log(tmp_path, records()), out=folder, settings=sl.Settings(sampling_rate=0.1))
    done = CliRunner().invoke(app, ["backtest", str(folder), "--split", "2026-09-22"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout.startswith("Back-test at 2026-09-22")
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
    record = json.loads((folder / "backtest.json").read_text())
    assert record["schema"] == "slmlens/backtest@1"
    assert record["said"].strip() == done.stdout.strip()
    assert str(tmp_path) not in json.dumps(record)
    with pytest.raises(SettingError, match="after 2026-09-01 and up to 2026-10-06"):
        sl.backtest(folder, "2027-01-01")
    with pytest.raises(SettingError, match="is no day"):
        sl.backtest(folder, "soon")


def test_too_few_days_on_a_side_are_said(tmp_path: Path) -> None:
    calls = sl.read_logs(log(tmp_path, records()))
    early = back_test(calls, dt.date(2026, 9, 4), SETTINGS)
    assert early.month.promised.mid_nusd is None
    assert "a month is stated from 7 days on" in " ".join(back_test_page(early).split())
    late = back_test(calls, dt.date(2026, 10, 3), SETTINGS)
    assert "days are too few to hold it against" in " ".join(back_test_page(late).split())


def test_a_folder_without_a_run_or_without_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no finished run"):
        sl.backtest(tmp_path / "none", "2026-09-22")
    folder = tmp_path / "run"
    sl.analyse(log(tmp_path, records()[:60]), out=folder, settings=sl.Settings(keep_text=False))
    with pytest.raises(RunFolderError, match="holds no texts"):
        sl.backtest(folder, "2026-09-05")
