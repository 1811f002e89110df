"""The prompts of a pilot as another model gets them: redacted messages as stored, and the tools as far as known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl

from slmlens.results import Tasks

_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}

Json = dict[str, Any]


def pilot_prompts(tasks: Tasks, ids: Mapping[str, str]) -> list[Json]:
    """Return one record a prompt: ``id``, ``messages`` (role and content), ``tools`` where the request offered any.

    The incumbent's answer is not among them. A log names the tools that a request offered, not their schemas, so these
    are put together from the arguments that the log's own calls give: names and types, without descriptions.

    :param ids: Id of each call's prompt, by call, in the order to ask.
    """
    text = {row[0]: row[1:] for row in tasks.calls.messages.select("message_id", "role", "text").iter_rows()}
    columns = ("call_id", "message_ids", "tool_names_offered")
    wanted = tasks.calls.calls.filter(pl.col("call_id").is_in(list(ids))).select(columns)
    rows = {call_id: (messages, tools) for call_id, messages, tools in wanted.iter_rows()}
    seen = _arguments_seen(tasks.calls.calls)
    records = []
    for call_id, prompt_id in ids.items():
        messages, offered = rows[call_id]
        said = [{"role": text[m][0], "content": text[m][1]} for m in messages or []]
        tools = [_tool(name, seen[name]) for name in offered or []]
        records.append({"id": prompt_id, "messages": said, **({"tools": tools} if tools else {})})
    return records


def as_lines(records: list[Json]) -> str:
    """Return the records as JSON lines."""
    return "".join(orjson.dumps(record).decode() + "\n" for record in records)


def _arguments_seen(calls: pl.DataFrame) -> Mapping[str, dict[str, Counter[str]]]:
    """Names and types of the arguments of each tool, over all calls of the log."""
    seen: defaultdict[str, dict[str, Counter[str]]] = defaultdict(dict)
    listed = calls.filter(pl.col("tool_calls").list.len() > 0).get_column("tool_calls").explode()
    for call in listed.to_list():
        try:
            arguments = orjson.loads(call["arguments"] or "{}")
        except orjson.JSONDecodeError:
            continue
        for name, value in arguments.items() if isinstance(arguments, dict) else ():
            kind = _JSON_TYPES.get(type(value))
            types = seen[call["name"]].setdefault(name, Counter())
            types.update([kind] if kind else [])
    return seen


def _tool(name: str, arguments: Mapping[str, Counter[str]]) -> Json:
    properties = {argument: _type(types) for argument, types in sorted(arguments.items())}
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": properties}},
    }


def _type(types: Counter[str]) -> Json:
    if not types:
        return {}
    kind = max(sorted(types), key=lambda one: types[one])
    return {"type": kind, "items": {}} if kind == "array" else {"type": kind}  # a strict server wants the items
