"""Calls out of conversations logged line by line: answers put together, prompts rebuilt, copied lines set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slmlens.logs.answer_bodies import read_answer
from slmlens.logs.content import Plain, text_of
from slmlens.logs.decode import encode
from slmlens.logs.draft import Collected, Draft, Place
from slmlens.logs.envelope import file_name
from slmlens.logs.exchange import NotACallError, Request, string
from slmlens.logs.formats.declaration import Format, Thread
from slmlens.logs.normalise import Normaliser, call_status
from slmlens.logs.prompts import Node, PromptBuilder
from slmlens.logs.units import nano_usd, utc_microseconds
from slmlens.logs.usage import read_usage

MAIN_AGENT = "main agent"
"""The step of calls that the file marks as no subagent's."""

_ROUTES = {"msg_bdrk_": "aws", "msg_vrtx_": "google"}  # ids of answers that a cloud served, metered


@dataclass(slots=True)
class _Group:
    """The lines of one answer, until the file ends."""

    node: Node
    place: Place
    session: str | None
    lines: int = 0
    blocks: list[object] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    body: dict[str, object] = field(default_factory=dict)
    cost: object = None
    last_us: int | None = None
    project: str | None = None


@dataclass(slots=True)
class _File:
    """The lines of one file that stand for something, in their order."""

    number: int
    nodes: list[Node] = field(default_factory=list)
    groups: dict[tuple[object, ...], _Group] = field(default_factory=dict)
    linked: bool = False  # at least one line names its parent
    last_us: int = 0


class ThreadReader:
    """Collects the lines of all files of a format, then yields calls.

    :param form: The format.
    :param keys: Its keys.
    :param normaliser: Stores messages and reads usage.
    """

    def __init__(self, form: Format, keys: Thread, normaliser: Normaliser) -> None:
        self._form = form
        self._keys = keys
        self._normaliser = normaliser
        self._file: _File | None = None
        self._files: list[_File] = []
        self._drafts: dict[int, Draft] = {}  # by the number of the answer's node
        self._agents: dict[str, str] = {}  # id of a subagent -> its declared name
        self._spawned: dict[str, str] = {}  # id of the tool call that started a subagent -> its declared name
        self._tasks: dict[int, str] = {}  # first message of a subagent -> its declared name
        self._numbers = 0

    def add(self, record: Mapping[str, object], place: Place) -> int:
        """Take one line and return 1 if it is no call of its own, 0 if it opens an answer.

        :param record: The line.
        :param place: Where it stands.
        :raises NotACallError: If it is no line of this format, or a message without content.
        """
        file = self._file = self._file or _File(place.file)
        kind, message = str(record.get("type")), record.get(self._keys.message)
        if kind not in ("user", "assistant"):
            if kind in self._keys.quiet or any(key in record for key in (self._keys.node, self._keys.session)):
                self._append(file, record, place, ())
                return 1
            raise NotACallError(f"no kind of line that is known in {self._form.title}", rejected=True)
        if not isinstance(message, dict) or not isinstance(message.get("content"), (str, list)):
            raise NotACallError("a message without content", rejected=True)
        if kind == "user":
            self._add_user(file, record, message, place)
            return 1
        return self._add_answer_line(file, record, message, place)

    def end_file(self, number: int) -> None:
        """Close the answers of a file; their raw text is let go.

        :param number: The number of the file.
        """
        file, self._file = self._file or _File(number), None
        for group in file.groups.values():
            self._drafts[group.node.number] = self._draft(group)
            group.blocks, group.body, group.seen = [], {}, set()
        if not file.linked:
            _link_in_order(file.nodes)
        self._files.append(file)

    def finish(self) -> Collected:
        """Return the calls with their prompts, and the copies: (the call that is kept, its copy in another file).

        A line whose id stands in a file that ended earlier was copied there when the session was resumed.
        """
        builder = PromptBuilder()
        originals: dict[str, Node] = {}
        copies: list[tuple[Draft, Draft]] = []
        kept: list[Node] = []
        for file in sorted(self._files, key=lambda one: (one.last_us, one.number)):
            for node in file.nodes:
                original = originals.get(node.uuid) if node.uuid else None
                if original is not None and original.file != node.file:
                    answer = original.answer
                    if node.number not in self._drafts:
                        continue
                    if answer is not None and answer.number in self._drafts:
                        copies.append((self._drafts[answer.number], self._drafts.pop(node.number)))
                        continue
                if node.uuid:
                    originals.setdefault(node.uuid, node)
                builder.add(node)
                kept.append(node)
        drafts = [self._with_prompt(node, builder) for node in kept if node.number in self._drafts]
        return Collected(drafts, copies)

    def _append(
        self,
        file: _File,
        record: Mapping[str, object],
        place: Place,
        messages: tuple[int, ...],
        *,
        speaks: bool = False,
    ) -> Node:
        keys = self._keys
        parent = string(record.get(keys.parent))
        when = utc_microseconds(record.get(keys.time))
        side = bool(record.get(keys.side))
        self._numbers += 1
        node = Node(
            number=self._numbers,
            file=place.file,
            uuid=string(record.get(keys.node)),
            parent=parent,
            chain=(side, string(record.get(keys.agent))),
            messages=messages,
            started_us=when,
            orphan=speaks and parent is None and (keys.parent not in record or record.get("type") == "assistant"),
            speaks=speaks,
        )
        if node.orphan:
            before = next((one for one in reversed(file.nodes) if one.speaks and one.chain == node.chain), None)
            node.before = before
        file.nodes.append(node)
        file.linked |= parent is not None
        file.last_us = max(file.last_us, when or 0)
        return node

    def _add_user(self, file: _File, record: Mapping[str, object], message: dict[str, object], place: Place) -> None:
        numbers = self._normaliser.messages.intern({"role": "user", "content": message["content"]})
        node = self._append(file, record, place, numbers, speaks=True)
        content, outcome = message["content"], record.get("toolUseResult")
        agent = string(outcome.get(self._keys.agent)) if isinstance(outcome, dict) else None
        for block in content if isinstance(content, list) else []:
            tool = string(block.get("tool_use_id")) if isinstance(block, dict) else None
            if tool:
                node.answers_tools.append(tool)
                if agent and tool in self._spawned:
                    self._agents[agent] = self._spawned[tool]

    def _add_answer_line(
        self, file: _File, record: Mapping[str, object], message: dict[str, object], place: Place
    ) -> int:
        keys = self._keys
        own = string(message.get("id")) or string(record.get(keys.node)) or place.line
        request = string(record.get(keys.request))
        group = file.groups.get((own, request))
        opened = group is None
        if group is None:
            node = self._append(file, record, place, (), speaks=True)
            group = file.groups[own, request] = _Group(node, place, string(record.get(keys.session)))
        else:
            node = self._append(file, record, place, (), speaks=True)
            node.group = group.node
        group.lines += 1
        content = message["content"]
        for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            mark = encode(block)
            if mark not in group.seen:  # some versions write a block again
                group.seen.add(mark)
                group.blocks.append(block)
        for key, value in message.items():
            if key != "content" and value is not None:
                group.body[key] = value
        group.cost = record.get(keys.cost, group.cost)
        group.last_us = node.started_us or group.last_us
        group.project = group.project or string(record.get(keys.folder))
        return 0 if opened else 1

    def _draft(self, group: _Group) -> Draft:
        names, keys = self._normaliser.names, self._keys
        model = string(group.body.get("model"))
        failed = model == keys.failed_model
        answer = read_answer({**group.body, "type": "message", "content": group.blocks})
        usage = read_usage(answer.usage)
        draft = Draft(group.place, self._form.name, self._form.billing, provider=self._form.provider)
        draft.own_id = names.response_id(answer.response_id)
        draft.uuid = group.node.uuid
        session = group.session or f"file {group.place.file}"
        draft.session = names.hashed("session", session)
        draft.service = names.text(self._form.service)
        draft.model = draft.model_requested = None if failed else names.text(model)
        route = next((cloud for start, cloud in _ROUTES.items() if (draft.own_id or "").startswith(start)), None)
        if route:
            draft.provider, draft.billing = route, "metered"
        self._normaliser.read_answer(draft, answer)
        group.node.tools = self._note_spawns(group.blocks)
        if draft.answer is not None:
            group.node.messages = (draft.answer,)
        draft.status = call_status(answer, Request(), failed=failed, used=False)
        if draft.status == "error":
            draft.answer, draft.tool_calls = None, []
        draft.input_tokens, draft.cached_tokens, draft.cache_write_tokens = usage[:3]
        draft.output_tokens, draft.reasoning_tokens = usage[3:5]
        draft.logged_nusd = nano_usd(group.cost)
        draft.started_us = group.last_us  # the end; the start is known with the prompt
        if group.project:
            draft.tags = [f"project:{names.text(file_name(group.project))}"]
        return draft

    def _note_spawns(self, blocks: list[object]) -> list[str]:
        tools = []
        for block in blocks:
            if not isinstance(block, dict) or block.get("type") != "tool_use":
                continue
            tool, given = string(block.get("id")), block.get("input")
            if tool:
                tools.append(tool)
            argument = self._keys.spawns.get(str(block.get("name")))
            name = string(given.get(argument)) if argument and isinstance(given, dict) else None
            if name and isinstance(given, dict):
                if tool:
                    self._spawned[tool] = name
                task = self._normaliser.messages.add(Plain("user", text_of(given.get("prompt"))))
                self._tasks[task] = name
        return tools

    def _with_prompt(self, node: Node, builder: PromptBuilder) -> Draft:
        draft, names = self._drafts[node.number], self._normaliser.names
        draft.prompt = builder.prompt(node) or None
        ended = draft.started_us
        asked = builder.asked_at(node)
        draft.started_us = asked if asked is not None and (ended is None or asked <= ended) else node.started_us
        if ended is not None and asked is not None and asked <= ended:
            draft.latency_ms = (ended - asked) / 1_000
        previous = builder.previous(node)
        if previous is not None and previous.number in self._drafts:
            draft.parent = self._drafts[previous.number].own_id
        side, agent = node.chain
        first = draft.prompt[0] if draft.prompt else -1
        subagent = self._agents.get(agent or "") or self._tasks.get(first) or "subagent"
        draft.step = names.text(subagent if side or agent else MAIN_AGENT)
        self._normaliser.read_keys(draft, b"")
        return draft


def _link_in_order(nodes: list[Node]) -> None:
    """Where no line of a file names its parent, each message follows the one before it in the same chain."""
    latest: dict[tuple[bool, str | None], Node] = {}
    for node in nodes:
        if node.speaks:
            node.before = latest.get(node.chain)
            latest[node.chain] = node
