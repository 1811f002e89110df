"""What people decided about tasks: an append-only YAML list that is replayed over whatever is found later.

A decision names its tasks by content (:class:`Target`), never by a number that another run would give to another task,
so it can be read, compared line by line and replayed over a later log. Nothing is ever changed or taken out: a decision
is taken back by another one (``undo``).
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from slmlens.errors import InputError, RunFolderError, SettingError
from slmlens.tables import ACTIONS, DECISION_KINDS

FILE = "decisions.yaml"
"""Name of the list in a run folder."""

RULES = ("phrase", "step", "tool")
"""What a split may ask of a prompt: words of its slots, its declared step, a tool it offers. Never of an answer."""

MAX_TEXT = 400
_BREAKS = set("\r\x85\u2028\u2029")
_TARGETS = {"rename": 1, "split": 1, "move": 1, "set_aside": 1, "override": 1, "undo": 0}


@dataclass(frozen=True)
class Target:
    """A task by its content.

    :param name: Its name when the decision was made; for a reader, never for matching.
    :param task_id: Its id then.
    :param anchor: Its anchor (``TasksTable.anchor``).
    :param phrases: Bottom-k sketch of the hashes of its recurring phrases.
    :param members: Bottom-k sketch of its calls.
    :param part: The splits it came out of: ``ID:yes`` or ``ID:no``, earliest first.
    """

    name: str
    task_id: str
    anchor: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    part: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """One decision of a person.

    :param kind: One of ``slmlens.tables.DECISION_KINDS``.
    :param targets: The tasks it is about; of a move, the task that the prompts go to.
    :param author: Who decided.
    :param time: When, UTC, whole seconds.
    :param reason: Why; an override needs one.
    :param name: The new name, of a rename or a merge.
    :param rule: What a split asks of the prompt: one of ``RULES`` and its value.
    :param prompts: Prints of the prompts that a move takes along (:func:`slmlens.tasks.prints.call_prints`).
    :param action: The action that an override asks for, one of ``slmlens.tables.ACTIONS``.
    :param undoes: The id of the decision that an undo takes back.
    :param origin: The earlier run it was taken over from, by the name of its folder; empty: decided in this run.
    :param id: Given by :func:`with_id`; empty before.
    """

    kind: str
    targets: tuple[Target, ...] = ()
    author: str = ""
    time: dt.datetime = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    reason: str = ""
    name: str | None = None
    rule: tuple[str, str] | None = None
    prompts: tuple[str, ...] = ()
    action: str | None = None
    undoes: str | None = None
    origin: str = ""
    id: str = ""


def with_id(decision: Decision, taken: Collection[str]) -> Decision:
    """Return the decision with an id made of its content, told apart from those that are taken."""
    text = json.dumps(_record(replace(decision, id="")), sort_keys=True, default=str)
    number = 0
    while True:
        digest = hashlib.blake2b(f"{text}#{number}".encode("utf-8", "surrogatepass"), digest_size=5).digest()
        found = "d-" + base64.b32encode(digest).decode().lower()
        if found not in taken:
            return replace(decision, id=found)
        number += 1


def load(path: Path) -> list[Decision]:
    """Return the decisions in a file, in the order they are replayed (:func:`in_order`); none if there is no file.

    :raises InputError: If an entry can't be read; the message names the line and what to do. The file is not touched.
    """
    return in_order(parse(read_bytes(path).decode("utf-8", errors="replace"), path.name))


def in_order(decisions: Sequence[Decision]) -> list[Decision]:
    """Return decisions in the order they are replayed: those of earlier runs, then this run's own.

    Each kind stays in the order it was written. An undo of an own decision never goes before it, wherever it was made.
    """
    first: set[str] = set()
    for decision in decisions:
        if decision.origin and (decision.kind != "undo" or decision.undoes in first):
            first.add(decision.id)
    return sorted(decisions, key=lambda decision: decision.id not in first)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file of decisions; nothing if there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as cause:
        raise InputError(
            f"the decisions can't be read ({cause.strerror})", where=path.name, next_step="make the file readable"
        ) from cause


def parse(text: str, where: str = FILE) -> list[Decision]:
    """Return the decisions in a text, in the order they stand there; see :func:`load`."""
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise _broken(where, node.start_mark.line + 1, "the file is not a list of decisions")
        entries = [(e.start_mark.line + 1, loader.construct_object(e, deep=True)) for e in node.value]
    except yaml.reader.ReaderError as cause:
        line = text.count("\n", 0, cause.position) + 1
        raise _broken(where, line, "this is not YAML (a character that no text holds)") from cause
    except (yaml.YAMLError, ValueError) as cause:
        mark = getattr(cause, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise _broken(where, line, f"this is not YAML ({getattr(cause, 'problem', None) or cause})") from cause
    decisions: list[Decision] = []
    for line, entry in entries:
        try:
            decisions.append(_decision(entry))
        except (KeyError, TypeError, ValueError, SettingError) as cause:
            said = f"{cause.args[0]} is missing" if isinstance(cause, KeyError) else str(cause)
            raise _broken(where, line, f"this decision can't be read: {said.rstrip('.')}") from cause
    ids = [d.id for d in decisions]
    for (line, _), decision in zip(entries, decisions, strict=True):
        if ids.count(decision.id) > 1:
            raise _broken(where, line, f"the id {decision.id} stands here more than once")
    return decisions


def append(path: Path, decision: Decision) -> Decision:
    """Write a decision behind the others, whole or not at all, and return it with its id.

    The entry is one write to a file opened for appending, and is on the disk when this returns: two sessions that write
    at once lose nothing.

    :raises InputError: If the file holds an entry that can't be read.
    :raises SettingError: If the decision is not complete.
    :raises RunFolderError: If it can't be written.
    """
    check(decision)
    before = read_bytes(path)
    known = parse(before.decode("utf-8", errors="replace"), path.name)
    if not decision.id or decision.id in {d.id for d in known}:
        decision = with_id(replace(decision, id=""), {d.id for d in known})
    _write(path, before, entry_text(decision))
    return decision


def append_missing(path: Path, decisions: Sequence[Decision]) -> list[Decision]:
    """Write those decisions that the file does not hold yet, by id, behind the others; all in one write, or none.

    :returns: Those that were written.
    :raises InputError: If the file holds an entry that can't be read.
    :raises RunFolderError: If they can't be written.
    """
    before = read_bytes(path)
    known = {d.id for d in parse(before.decode("utf-8", errors="replace"), path.name)}
    missing = [decision for decision in decisions if decision.id not in known]
    if missing:
        _write(path, before, "".join(map(entry_text, missing)))
    return missing


def _write(path: Path, before: bytes, text: str) -> None:
    if before and not before.endswith(b"\n"):
        text = "\n" + text
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            if os.write(handle, text.encode()) < len(text.encode()):
                os.ftruncate(handle, size)
                raise OSError(28, "no space left")
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as cause:
        raise RunFolderError(
            f"the decision can't be written ({cause.strerror})",
            where=path.name,
            next_step="free some space or make the folder writable, and decide again",
        ) from cause


def entry_text(decision: Decision) -> str:
    """Return a decision as the YAML list item that is written."""
    import yaml

    class Lines(yaml.SafeDumper):
        """Block style, but for lists of hashes, which take a line or two; line breaks of Unicode are spelled out."""

    def listed(dumper: yaml.SafeDumper, data: Sequence[Any]) -> yaml.Node:
        plain = all(isinstance(item, str) for item in data)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)

    def spelled(dumper: yaml.SafeDumper, data: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style='"' if set(data) & _BREAKS else None)

    Lines.add_representer(list, listed)
    Lines.add_representer(str, spelled)
    text: str = yaml.dump(
        [_record(decision)],
        Dumper=Lines,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=120,
    )
    return text


def check(decision: Decision) -> None:
    """Refuse a decision that is not complete or says what is not allowed.

    :raises SettingError: Naming the field and what it may hold.
    """
    if decision.kind not in DECISION_KINDS:
        raise _wrong("kind", decision.kind, f"give one of {', '.join(DECISION_KINDS)}")
    wanted = _TARGETS.get(decision.kind)
    if wanted is None and len(decision.targets) < 2:  # noqa: PLR2004 - a merge of one is none
        raise _wrong("targets", len(decision.targets), "a merge needs two tasks or more")
    if wanted is not None and len(decision.targets) != wanted:
        raise _wrong("targets", len(decision.targets), f"a {decision.kind} is about {wanted}")
    for field in ("name", "reason", "author", "origin"):
        _check_text(field, getattr(decision, field), empty=field != "name")
    _check_arguments(decision)


def _check_arguments(decision: Decision) -> None:
    kind, rule = decision.kind, decision.rule
    if rule is not None:
        _check_text("rule", rule[1], empty=False)
    needed = {
        "rename": ("name", decision.name is not None, "give the new name"),
        "split": ("rule", rule is not None and rule[0] in RULES, f"give one of {', '.join(RULES)} and what it must be"),
        "move": ("prompts", bool(decision.prompts), "name the calls to move"),
        "override": ("action", decision.action in ACTIONS, f"give one of {', '.join(ACTIONS)}"),
        "undo": ("undoes", bool(decision.undoes), "give the id of the decision to take back"),
    }
    field, given, allowed = needed.get(kind, ("", True, ""))
    if not given:
        raise _wrong(field, getattr(decision, field), allowed)
    if kind == "override" and not decision.reason.strip():
        raise _wrong("reason", decision.reason, "say why: the report shows it beside the action")


def _check_text(field: str, text: str | None, *, empty: bool) -> None:
    if text is None:
        return
    if not empty and not text.strip():
        raise _wrong(field, text, "write something")
    if len(text) > MAX_TEXT:
        raise SettingError(
            f"{field} has {len(text)} characters", where="decision", next_step=f"write at most {MAX_TEXT}"
        )
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise SettingError(
            f"{field} holds half a character", where="decision", next_step="leave it out; no file can hold it"
        ) from cause


def _record(decision: Decision) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": decision.id,
        "kind": decision.kind,
        "author": decision.author,
        "time": decision.time.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reason": decision.reason,
    }
    if decision.origin:
        record["from"] = decision.origin
    if decision.rule is not None:
        record["rule"] = {decision.rule[0]: decision.rule[1]}
    if decision.prompts:
        record["prompts"] = list(decision.prompts)
    given = {"name": decision.name, "action": decision.action, "undoes": decision.undoes}
    record |= {key: value for key, value in given.items() if value is not None}
    if decision.targets:
        record["targets"] = [
            {f.name: _plain(getattr(t, f.name)) for f in fields(Target) if getattr(t, f.name)} for t in decision.targets
        ]
    return record


def _plain(value: str | tuple[str, ...]) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def _decision(entry: object) -> Decision:
    if not isinstance(entry, Mapping):
        message = "it is not a mapping of fields"
        raise TypeError(message)
    rule = entry.get("rule")
    if rule is not None and (not isinstance(rule, Mapping) or len(rule) != 1):
        message = f"rule must hold one of {', '.join(RULES)} and its value"
        raise ValueError(message)
    decision = Decision(
        id=_text(entry["id"], "id"),
        kind=_text(entry["kind"], "kind"),
        author=_text(entry.get("author") or "", "author"),
        time=_time(entry["time"]),
        reason=_text(entry.get("reason") or "", "reason"),
        name=_optional(entry, "name"),
        rule=None if rule is None else next((_text(k, "rule"), _text(v, "rule")) for k, v in rule.items()),
        prompts=_texts(entry.get("prompts", ()), "prompts"),
        action=_optional(entry, "action"),
        undoes=_optional(entry, "undoes"),
        origin=_text(entry.get("from") or "", "from"),
        targets=tuple(_target(one) for one in entry.get("targets", ())),
    )
    check(decision)
    return decision


def _target(entry: object) -> Target:
    if not isinstance(entry, Mapping):
        message = "a target is not a mapping of fields"
        raise TypeError(message)
    lists = {key: _texts(entry.get(key, ()), key) for key in ("phrases", "members", "part")}
    return Target(
        name=_text(entry.get("name") or "", "name"),
        task_id=_text(entry.get("task_id") or "", "task_id"),
        anchor=_texts(entry["anchor"], "anchor"),
        **lists,
    )


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        message = f"{field} must be text, not {value!r}: put it in quotes"
        raise TypeError(message)
    return value


def _optional(entry: Mapping[str, object], field: str) -> str | None:
    return None if entry.get(field) is None else _text(entry[field], field)


def _texts(value: object, field: str) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        message = f"{field} must be a list"
        raise TypeError(message)
    return tuple(_text(item, field) for item in value)


def _time(value: object) -> dt.datetime:
    found = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, dt.datetime):
        message = f"time must be a date and time, not {value!r}"
        raise TypeError(message)
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def _broken(where: str, line: int, what: str) -> InputError:
    return InputError(
        what,
        where=f"{where}, line {line}",
        next_step="correct this entry, or move it to another file; the other decisions are untouched",
    )


def _wrong(field: str, got: object, allowed: str) -> SettingError:
    return SettingError(f"{field} is {got!r}", where="decision", next_step=allowed)
