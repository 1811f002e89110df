"""Every judgement is a visible default that a reader can change."""

from __future__ import annotations

import pytest

from slmlens.errors import InputError, SettingError
from slmlens.savings.alternatives import smaller_models
from slmlens.savings.assumptions import load_assumptions
from slmlens.spend.price import listed_model


def test_the_defaults_give_the_monthly_people_cost_they_were_taken_from():
    known = load_assumptions()
    swap = known.once_usd("swap") / 12 + known.monthly_usd("swap")
    tune = known.once_usd("tune") / 12 + known.monthly_usd("tune")
    assert (round(swap), round(tune)) == (333, 1067)


def test_every_assumption_has_a_unit_a_source_and_a_kind():
    table = load_assumptions().table()
    assert table.get_column("unit").str.len_chars().min() > 0
    assert table.get_column("source").str.len_chars().min() > 0


def test_overrides_come_from_a_mapping_or_a_yaml_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("engineer_day_usd: 1200\nprice_decline_year: [0, 0.1, 0.2]\n")
    for given in (path, str(path), {"engineer_day_usd": 1200, "price_decline_year": [0, 0.1, 0.2]}):
        known = load_assumptions(given)
        assert known.once_usd("tune") == 12_000
        assert known.triangle("price_decline_year") == (0, 0.1, 0.2)
        table = known.table().filter(source="set by the user")
        assert sorted(table.get_column("name")) == ["engineer_day_usd", "price_decline_year"]


@pytest.mark.parametrize("value", ["much", -1, [1, 2], [3, 2, 1], True, None, float("nan")])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(SettingError, match="engineer_day_usd"):
        load_assumptions({"engineer_day_usd": value})


def test_a_misspelt_name_is_answered_with_the_right_one():
    with pytest.raises(SettingError) as caught:
        load_assumptions({"enginer_day_usd": 1})
    assert "engineer_day_usd" in caught.value.next_step


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n"])
def test_a_file_that_is_no_mapping_is_refused_by_name_only(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml") as caught:
        load_assumptions(path)
    assert str(tmp_path) not in str(caught.value)


def test_the_vendors_smaller_models_are_all_on_the_price_list():
    for large, small in smaller_models().items():
        assert listed_model(None, large)[1] == large
        assert listed_model(None, small) is not None
