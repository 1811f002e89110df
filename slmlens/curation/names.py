"""Names of persons and places, by a spaCy model on this machine: the extra ``names``.

Plain spaCy is used. Presidio finds names with the same spaCy model and adds pattern recognisers, which this floor has
already, and a list of internet suffixes that its e-mail recogniser fetches from the network: nothing is gained by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from slmlens.curation.spans import PLACEHOLDER, Span
from slmlens.errors import MissingExtraError, SettingError

KINDS = {"PERSON": "PERSON", "PER": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
"""Labels of spaCy's models (OntoNotes, and the European models' own) and the kind in our placeholder."""

DEFAULT_MODEL = "en_core_web_sm"
_UNUSED = ("tagger", "parser", "attribute_ruler", "lemmatizer", "morphologizer", "senter")
_PIECE = 20_000  # characters: the model's memory grows with the text
_LONGEST = 60
_NAME = re.compile(r"[^\W\d_][^\n\r\t<>{}\[\]=_\\/|\"()0-9]*")
_CODE = re.compile(r"\w\.[^\W\d]{2}|[a-z][A-Z]{2}|[:;`$#@*+]")
_POSSESSIVE = re.compile(r"['\u2019]s$")


@dataclass(frozen=True)
class NameFinder:
    """A detector of names.

    :param model: The loaded spaCy pipeline.
    :param name: What it was loaded as.
    """

    model: Any
    name: str

    def __call__(self, text: str) -> Iterable[Span]:
        """Yield names of persons and places as the model sees them, none of them across a placeholder."""
        for start, end in _pieces(text):
            piece = PLACEHOLDER.sub(lambda found: " " * len(found.group()), text[start:end])
            for entity in self.model(piece).ents:
                kind = KINDS.get(entity.label_)
                value = _POSSESSIVE.sub("", entity.text)
                if kind and _is_name(value):
                    at = start + entity.start_char
                    yield Span(at, at + len(value), kind, " ".join(value.lower().split()))


def _is_name(value: str) -> bool:
    """Tell a name from code and shouted words, which a model trained on news takes for names."""
    return (
        len(value) <= _LONGEST
        and _NAME.fullmatch(value) is not None
        and _CODE.search(value) is None
        and not value.isupper()
        and not value.islower()
    )


def load_names(model: str = DEFAULT_MODEL) -> NameFinder:
    """Return a detector of names; nothing is downloaded.

    :param model: A spaCy model: the name of an installed package, or a path.
    :raises MissingExtraError: If spaCy is not installed.
    :raises SettingError: If the model is not there, or finds no names.
    """
    try:
        import spacy
    except ImportError as cause:
        raise MissingExtraError(
            "finding names needs spaCy", where="names", next_step="install it with: pip install 'slmlens[names]'"
        ) from cause
    try:
        pipeline = spacy.load(model, exclude=list(_UNUSED))
    except (OSError, ValueError) as cause:
        raise SettingError(
            "there is no spaCy model of this name",
            where="names_model",
            next_step="install a model package for your language and name it, or give its path",
        ) from cause
    if "ner" not in pipeline.pipe_names:
        raise SettingError(
            "this spaCy model finds no names", where="names_model", next_step="name a model that has the part ner"
        )
    return NameFinder(pipeline, model)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of pieces that the model can take, cut at white space where there is some."""
    start = 0
    while start < len(text):
        end = min(start + _PIECE, len(text))
        if end < len(text):
            blank = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
            end = blank if blank > start else end
        yield start, end
        start = end
