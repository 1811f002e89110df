"""Assumptions in a notebook: a change moves every table, a wrong value moves none, and only the button writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from slmlens.errors import SettingError
from slmlens.reporting.summary import summarise
from slmlens.reviewing.what_if import FIRST, WhatIf, parsed
from slmlens.savings.assumptions import load_assumptions
from slmlens.savings.plan import plan
from slmlens.spend.ledger import build_ledger
from tests.savings.world import FAULTLESS, TODAY, steady, verdicts_of

DRAWS = 300


def made(overrides=None):
    """A plan that pays: nine million calls a month, and wrong answers at no cost."""
    tasks = {"big": steady(900, 30), "small": steady(300, 30)}
    return plan(
        verdicts_of(tasks, sampling_rate=0.0001), overrides=FAULTLESS | (overrides or {}), today=TODAY, draws=DRAWS
    )


def summary_of(one):
    calls = one.tasks.calls.calls
    return summarise(one, ledger=build_ledger(calls, one.tasks.assignments), month=one.total["month"])


@pytest.fixture
def panel(tmp_path: Path) -> WhatIf:
    one = made()
    return WhatIf(
        one,
        summary_of(one),
        folder=tmp_path,
        remake=lambda changed: plan(one.verdicts, overrides=changed, today=TODAY, draws=DRAWS),
        raises=False,
    )


def tables(panel: WhatIf) -> dict[str, str]:
    return {name: repr(table) for name, table in panel.shown_tables().items()}


def test_every_assumption_is_a_field_with_unit_kind_source_and_day(panel: WhatIf) -> None:
    entries = load_assumptions().entries
    assert list(panel.fields) == list(entries)
    assert set(FIRST) <= set(entries)
    rows = panel.first.children
    for name, row in zip(FIRST, rows, strict=True):
        assert row.children[0].description == name
        words = row.children[1].value
        assert entries[name].kind in words
        assert entries[name].date in words


def test_a_dearer_engineer_moves_every_table_and_the_headline_at_once(panel: WhatIf) -> None:
    before, said = tables(panel), panel.summary["plan"]["headline"]
    panel.set("engineer_day_usd", "1600")
    after = tables(panel)
    assert "engineer_day_usd" in panel.changed
    assert panel.summary["plan"]["headline"] != said
    for name in ("worth", "tornado", "order", "portfolio", "deployments", "flips"):
        assert after[name] != before[name], name
    assert panel.worth.value != ""


def test_what_is_shown_is_the_plan_made_with_these_assumptions(panel: WhatIf) -> None:
    panel.set("price_decline_year", "0.1, 0.3, 0.5")
    again = made({"price_decline_year": [0.1, 0.3, 0.5]})
    assert panel.plan.total["saving_month_nusd"] == again.total["saving_month_nusd"]
    assert panel.summary["plan"]["headline"] == summary_of(again)["plan"]["headline"]


def test_back_returns_to_the_run(panel: WhatIf) -> None:
    before = tables(panel)
    panel.set("people_cost_factor", "2")
    panel.set("horizon_months", "24")
    panel.back.click()
    assert panel.changed == {}
    assert tables(panel) == before
    assert repr(panel).startswith("Assumptions as in the run")


@pytest.mark.parametrize("text", ["cheap", "", "1, 2", "-5", "3, 2, 1"])
def test_a_value_that_is_none_is_shown_as_wrong_and_moves_nothing(panel: WhatIf, text: str) -> None:
    before = tables(panel)
    panel.set("engineer_day_usd", text)
    assert "background:#fdecea" in panel.said.value
    assert "engineer_day_usd" in panel.said.value
    assert tables(panel) == before
    panel.raises = True
    with pytest.raises(SettingError):
        panel.set("swap_days", text)


def test_only_the_button_writes_and_its_file_makes_the_same_plan(panel: WhatIf, tmp_path: Path) -> None:
    panel.set("swap_days", "7")
    assert list(tmp_path.iterdir()) == []
    panel.write.click()
    place = tmp_path / "assumptions.yaml"
    assert yaml.safe_load(place.read_text()) == {"swap_days": 7.0} | FAULTLESS
    again = plan(panel.plan.verdicts, overrides=place, today=TODAY, draws=DRAWS)
    assert again.total["saving_month_nusd"] == panel.plan.total["saving_month_nusd"]
    assert str(tmp_path) not in panel.said.value


def test_the_users_own_values_are_where_the_panel_starts(tmp_path: Path) -> None:
    one = made({"engineer_day_usd": 1234, "price_decline_year": [0.1, 0.2, 0.3]})
    panel = WhatIf(one, summary_of(one), folder=tmp_path, raises=True)
    assert panel.fields["engineer_day_usd"].value == "1234"
    assert panel.fields["price_decline_year"].value == "0.1, 0.2, 0.3"
    panel.write.click()
    assert (
        yaml.safe_load((tmp_path / "assumptions.yaml").read_text())
        == {
            "engineer_day_usd": 1234.0,
            "price_decline_year": [0.1, 0.2, 0.3],
        }
        | FAULTLESS
    )


def test_another_task_is_shown_when_it_is_chosen(panel: WhatIf) -> None:
    before = panel.deployments.value
    panel.task.value = next(value for _, value in panel.task.options if value != panel.task.value)
    assert panel.deployments.value != before


def test_a_number_or_a_range_is_read() -> None:
    assert parsed("x", " 800 ") == 800
    assert parsed("x", "0; 0.2; 6e-1") == (0, 0.2, 0.6)
