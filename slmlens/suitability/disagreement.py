"""Why a candidate's answer is not the reference's: a word that tells a wrong value from a right one in another form."""

from __future__ import annotations

import re

from slmlens.suitability.answers import MARK, TOOL, WHOLE, Answer

NO_ANSWER = "no answer"
PROSE = "answer in prose"
BROKEN = "JSON that cannot be parsed"
OTHER_FORM = "another form of answer"
SAME_IN_OTHER_FORM = "the same value in another form"
OTHER_TOOL = "another tool"
REORDERED = "the same items in another order"
OTHER_VALUE = "another value"

_STRUCTURED = frozenset({"json", "tool_call", "list", "code", "number"})
_EDGES = re.compile(r"^\W+|\W+$")
_MANY_WORDS = 3


def why_not(reference: Answer, candidate: Answer, differing: list[str]) -> str:
    """Return what is wrong with a candidate that does not agree, the gravest first.

    :param reference: The incumbent's answer.
    :param candidate: The other answer.
    :param differing: Names of the fields that differ.
    """
    if candidate.kind == "empty":
        return NO_ANSWER
    if candidate.kind != reference.kind:
        return _other_form(reference, candidate)
    if reference.kind == "tool_call" and candidate.fields[TOOL] != reference.fields[TOOL]:
        return OTHER_TOOL
    field = differing[0]
    if field == WHOLE:
        return _other_text(reference.fields.get(WHOLE, MARK), candidate.fields.get(WHOLE, MARK))
    if field not in candidate.fields:
        return f"lacks {field}"
    return f"{OTHER_VALUE} of {field}" if field in reference.fields else f"{field} is one too many"


def _other_form(reference: Answer, candidate: Answer) -> str:
    wanted, given = _only_value(reference), _only_value(candidate)
    if wanted is not None and given is not None and _bare(wanted) == _bare(given):
        return SAME_IN_OTHER_FORM
    if candidate.kind == "text" and reference.kind in _STRUCTURED:
        return BROKEN if candidate.fields[WHOLE].startswith(("{", "[", "```")) else PROSE
    return OTHER_FORM


def _only_value(answer: Answer) -> str | None:
    values = [value for name, value in answer.fields.items() if name != TOOL]
    return values[0] if len(values) == 1 else None


def _other_text(wanted: str, given: str) -> str:
    if _bare(wanted) == _bare(given):
        return SAME_IN_OTHER_FORM
    if sorted(_items(wanted)) == sorted(_items(given)):
        return REORDERED
    found = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", given)
    return PROSE if found and len(given.split()) >= _MANY_WORDS + len(wanted.split()) else OTHER_VALUE


def _bare(text: str) -> str:
    return _EDGES.sub("", text)


def _items(text: str) -> list[str]:
    if text.startswith("["):
        return text[1:-1].split(", ")
    return text.split("\n") if text.startswith("- ") else [text]
