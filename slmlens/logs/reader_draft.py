"""A first draft of a reader for records of no known format, from what their keys seem to hold."""

from __future__ import annotations

import json

from slmlens.logs.formats.declaration import Record
from slmlens.logs.framework_messages import decoded
from slmlens.logs.mapping import likely_fields

_MOST_KEYS = 3  # by which the draft knows a record
_FRAME = '''"""A draft from the keys of one record: see that each key means what it was taken for."""

from slmlens.logs.own_readers import Format, at, call


def recognises(record):
    return {keys} <= record.keys()


def parts(record):
{body}

FORMAT = Format(name="our_tool", title="our tool's export", recognises=recognises, parts=parts)
'''


def calls_at(record: Record) -> str | None:
    """Return the key of the list that seems to hold a record's calls, None if the record seems to be one.

    :param record: One record.
    """
    if "prompt" in likely_fields(record):
        return None
    for key, value in record.items():
        first = _first(value)
        if first is not None and "prompt" in likely_fields(first):
            return key
    return None


def proposed_mapping(record: Record) -> dict[str, str]:
    """Return the mapping to try; where calls stand in a list, it takes the first of each list only.

    :param record: One record.
    """
    key = calls_at(record)
    if key is None:
        return likely_fields(record)
    inner = likely_fields(_first(record[key]) or {})
    return {**likely_fields(record), **{name: f"{key}.0.{path}" for name, path in inner.items()}}


def draft_reader(record: Record) -> str:
    """Return the text of a reader that takes each key for what its name says.

    :param record: One record of the export.
    """
    key = calls_at(record)
    around = likely_fields(record)
    inner = likely_fields(_first(record[key]) or {}) if key is not None else {}
    taken = {name: ("record", path) for name, path in around.items()}
    taken |= {name: ("turn", path) for name, path in inner.items()}
    telling = [one for one in (key, *(path.split(".")[0] for path in around.values()), *record) if one in record]
    keys = sorted(list(dict.fromkeys(map(str, telling)))[:_MOST_KEYS])
    return _FRAME.format(keys="{" + ", ".join(map(_quoted, keys)) + "}", body=_body(key, taken))


def _body(key: str | None, taken: dict[str, tuple[str, str]]) -> str:
    source = "record" if key is None else "turn"
    lines = [
        f"{name}=at({taken[name][0]}, {_quoted(taken[name][1])}),"
        if name in taken
        else f"{name}=None,  # at({source}, ...)"
        for name in dict.fromkeys(("prompt", "answer", *taken))
    ]
    if key is None:
        return "    yield call(\n" + "".join(f"        {line}\n" for line in lines) + "    )\n"
    inside = "".join(f"            {line}\n" for line in lines)
    return f"    for turn in at(record, {_quoted(key)}) or []:\n        yield call(\n{inside}        )\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # what JSON quotes, Python reads


def _first(value: object) -> Record | None:
    listed = decoded(value)
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else None
