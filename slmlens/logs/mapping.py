"""Any table of calls, by a mapping that the user writes: which column or path holds what; and a guess at one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path

from slmlens.errors import InputError, SettingError
from slmlens.logs.envelope import FIELDS, snake
from slmlens.logs.exchange import Body
from slmlens.logs.formats.declaration import Format, Record
from slmlens.logs.framework_messages import decoded
from slmlens.logs.provider_bodies import openai_answer, openai_request

_AROUND = {
    "id": "id", "session": "session_id", "user": "user_id", "trace": "trace_id", "parent": "parent_id",
    "step": "step_name", "service": "service_name", "started": "start_time", "ended": "end_time",
    "latency_ms": "latency_ms", "latency_s": "latency_s", "ttft_ms": "ttft_ms", "ttft_s": "ttft_s",
    "provider": "provider", "model": "model", "input_tokens": "prompt_tokens", "output_tokens": "completion_tokens",
    "cached_tokens": "cached_tokens", "cost_usd": "cost_usd", "cost_cents": "cost_cents", "status": "status",
    "error": "error", "tags": "tags", "usage": "usage",
}  # fmt: skip
_CONTENT = ("prompt", "system", "tools", "answer")
NAMES = (*_CONTENT, *_AROUND)
"""What a mapping may name. ``prompt`` and ``answer`` are texts, messages, or whole bodies of any provider."""

_LIKELY = {
    "prompt": (
        "messages", "prompt", "request", "input", "question", "query", "user_message", "instruction", "user_input",
    ),
    "answer": (
        "response", "answer", "completion", "output", "reply", "assistant_message", "generated_text", "prediction",
    ),
    "system": ("system", "system_prompt", "instructions"),
    "session": FIELDS["session"], "user": FIELDS["user"], "trace": FIELDS["trace"], "step": FIELDS["step"],
    "service": FIELDS["service"], "started": FIELDS["started"], "ended": FIELDS["ended"], "model": FIELDS["model"],
    "provider": FIELDS["provider"], "input_tokens": FIELDS["prompt_tokens"],
    "output_tokens": FIELDS["completion_tokens"],
    "latency_ms": ("latency_ms", "duration_ms", "elapsed_ms"), "latency_s": ("latency_s", "latency", "duration"),
    "cost_usd": ("cost_usd", "cost", "spend", "total_cost"),
}  # fmt: skip


def load_mapping(given: str | Path | Mapping[str, str]) -> dict[str, str]:
    """Return a mapping from what we call a field to where it stands: a key, or a path such as ``meta.session.0.id``.

    :param given: A mapping, ``name=path,name=path`` in a text, or a YAML file of ``name: path`` lines.
    :raises SettingError: If a name is unknown, or neither prompts nor tokens are mapped.
    :raises InputError: If the file can't be read.
    """
    found = dict(given) if isinstance(given, Mapping) else _written(given)
    for name, path in found.items():
        _check_name(name)
        if not path:
            raise SettingError(f"{name!r} is mapped to no column", where="map", next_step="write name=column")
    if not {"prompt", "input_tokens", "usage"} & found.keys():
        raise SettingError(
            "the mapping names neither a prompt nor tokens, so its rows would be no calls",
            where="map",
            next_step="add prompt=COLUMN, or input_tokens=COLUMN and output_tokens=COLUMN",
        )
    return found


def mapped_format(mapping: Mapping[str, str]) -> Format:
    """Return the format that a mapping declares.

    :param mapping: From what we call a field to where it stands; see :func:`load_mapping`.
    """

    def parts(record: Record) -> Iterator[Record]:
        yield call(**{name: at(record, path) for name, path in mapping.items()})

    return Format(
        name="mapped",
        title="rows by your mapping",
        recognises=lambda _: True,
        request_at=("request",),
        response_at=("response",),
        prompt_setting="map the column of the prompt",
        parts=parts,
    )


def at(record: object, path: str) -> object:
    """Return what stands at a path such as ``meta.session.0.id``, None if nothing does; JSON in texts is read.

    :param record: A record, or a part of one.
    :param path: Keys and places in lists, joined by full stops; a key that holds full stops itself comes first.
    """
    if isinstance(record, Mapping) and path in record:
        return record[path]
    head, _, rest = path.partition(".")
    record = decoded(record)
    inner: object = None
    if isinstance(record, Mapping):
        inner = record.get(head)
    elif isinstance(record, list) and head.lstrip("-").isdigit() and len(head) < 9:  # noqa: PLR2004 - longer is no place
        place = int(head)
        inner = record[place] if -len(record) <= place < len(record) else None
    return at(inner, rest) if rest and inner is not None else inner


def guess_mapping(record: Record) -> dict[str, str]:
    """Return the mapping that we would try for a record of no known format; empty if nothing is recognised.

    :param record: One record.
    """
    found = likely_fields(record)
    return found if "prompt" in found else {}


def likely_fields(record: Record) -> dict[str, str]:
    """Return what the keys of a record seem to hold, by the names of a mapping: those on top, then those one deeper.

    :param record: One record, or a part of one.
    """
    found = _named_alike(record)
    bodies = {found.get("prompt"), found.get("answer")}
    for key, value in record.items():
        inner = decoded(value)
        if isinstance(inner, dict) and key not in bodies:
            for name, path in _named_alike(inner).items():
                found.setdefault(name, f"{key}.{path}")
    if "latency_ms" in found:
        found.pop("latency_s", None)
    return found


def _named_alike(record: Record) -> dict[str, str]:
    named = {snake(key).replace(" ", "_"): key for key in record}
    found = {name: next((named[one] for one in likely if one in named), None) for name, likely in _LIKELY.items()}
    return {name: key for name, key in found.items() if key is not None}


def in_words(mapping: Mapping[str, str]) -> str:
    """Return a mapping as the command line takes it.

    :param mapping: The mapping.
    """
    return ",".join(f"{name}={path}" for name, path in mapping.items())


def _check_name(name: str) -> None:
    if name not in NAMES:
        near = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f"did you mean {near[0]!r}" if near else f"names are {', '.join(NAMES)}"
        raise SettingError(f"a mapping has no field {str(name)[:40]!r}", where="map", next_step=hint)


def _written(given: str | Path) -> dict[str, str]:
    import yaml

    path = Path(given)
    if isinstance(given, str) and "=" in given and not path.is_file():
        pairs = [one.split("=", 1) for one in given.split(",") if one.strip()]
        return {pair[0].strip(): pair[1].strip() if len(pair) > 1 else "" for pair in pairs}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise InputError(
            "the mapping can't be read",
            where=path.name,
            next_step="write prompt=COLUMN,answer=COLUMN, or name a YAML file of such lines (prompt: COLUMN)",
        ) from cause
    if not isinstance(content, dict):
        raise InputError(
            "the mapping is no list of names", where=path.name, next_step="write lines such as prompt: COLUMN"
        )
    return {str(name): one if isinstance(one, str) else "" for name, one in content.items()}


def call(**told: object) -> Body:
    """Return a call as a record that every reader's ``parts`` may yield.

    :param told: What is known of the call, by :data:`NAMES`: ``prompt`` and ``answer`` as texts, messages or whole
        bodies, times with their zone, tokens. None stands for unknown.
    :raises SettingError: If a name is none of :data:`NAMES`.
    """
    for name in told:
        _check_name(name)
    around: Body = {_AROUND[name]: one for name, one in told.items() if name in _AROUND and one is not None}
    request = _request(told)
    answer = openai_answer(decoded(told.get("answer")))
    return {
        **around,
        **({"request": request} if request else {}),
        **({"response": answer} if answer not in (None, "", {}, []) else {}),
    }


def _request(told: Mapping[str, object]) -> Body | None:
    asked = decoded(told.get("prompt"))
    if isinstance(asked, dict):
        body = openai_request(asked) or {}
    elif isinstance(asked, list):
        body = {"messages": asked}
    elif asked not in (None, ""):
        body = {"messages": [{"role": "user", "content": str(asked)}]}
    else:
        return None
    listed = body.get("messages")
    if told.get("system") and isinstance(listed, list):
        body = {**body, "messages": [{"role": "system", "content": str(told["system"])}, *listed]}
    tools = decoded(told.get("tools"))
    return {**body, "tools": tools} if isinstance(tools, list) and tools else body
