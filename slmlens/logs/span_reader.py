"""Calls out of traces: only leaves count, copies are set aside, and what a trace says of itself reaches its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from slmlens.logs.draft import Collected, Draft, Place
from slmlens.logs.envelope import Found, declared_name
from slmlens.logs.formats.declaration import Format, Record
from slmlens.logs.normalise import Exchange, Normaliser
from slmlens.logs.spans import AGENT, LLM, TOOL, TRACE, Span, is_serial, tells_a_step

Key = tuple[str | None, str | None]


@dataclass(slots=True, eq=False)
class _Node:
    """A span as kept: ids and names already safe to keep, and of a call its draft."""

    place: Place
    role: str
    trace: str | None
    id: str | None
    parent: str | None
    name: str | None
    strong: str | None
    session: str | None
    user: str | None
    service: str | None
    tags: list[str]
    version: str
    details: bool
    draft: Draft | None = None
    order: int = 0
    used: bool = False  # tokens stood on it
    holds_calls: bool = False
    failed: bool = False


@dataclass(slots=True)
class _About:
    """What a trace says of itself, on its own row or on any of its spans."""

    session: str | None = None
    user: str | None = None
    service: str | None = None
    name: str | None = None
    tags: list[str] = field(default_factory=list)


_COMPLETED = (
    "own_id", "model", "model_requested", "provider", "input_tokens", "cached_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "started_us", "latency_ms", "ttft_ms", "response_schema", "logged_nusd",
)  # fmt: skip
"""What a record beside a span may tell of its call where the span doesn't."""


class SpanReader:
    """Collects the spans of all files of a format, then yields the calls among them.

    :param form: The format.
    :param read: Reads one span of the format.
    :param normaliser: Stores messages and reads usage.
    """

    def __init__(self, form: Format, read: Callable[[Record], Span], normaliser: Normaliser) -> None:
        self._form = form
        self._read = read
        self._normaliser = normaliser
        self._nodes: list[_Node] = []

    def add(self, part: Record, place: Place) -> int:
        """Take one span and return 0: whether it is a call is known at the end.

        :param part: What ``Format.parts`` yields.
        :param place: Where it stands.
        :raises NotACallError: If it can't be read.
        """
        span = self._read(part)
        names = self._normaliser.names
        found = {name: Found(value, alias) for name, (alias, value) in span.values.items()}
        node = _Node(
            place, span.role, span.trace, span.id, span.parent, span.name, names.text(_declared(span.strong)),
            self._normaliser.owner("session", found), self._normaliser.owner("user", found),
            names.text(declared_name(found["service"].value)) if "service" in found else None,
            [str(names.text(tag)) for tag in span.tags], span.version, span.details,
            used="usage" in found, failed=span.failed,
        )  # fmt: skip
        if span.role == LLM:
            node.draft = self._draft(span, found, place)
            node.order = span.event.order if span.event is not None else 0
        node.name = names.text(span.name)
        self._nodes.append(node)
        return 0

    def end_file(self, number: int) -> None:
        """Do nothing: spans of one trace may stand in several files.

        :param number: The number of the file.
        """

    def finish(self) -> Collected:
        """Return the calls, the copies of calls, and what the rest of the records were."""
        nodes, copies, other = _settled(self._nodes, self._normaliser)
        about = _about_traces(nodes)
        by_key: dict[Key, _Node] = {(node.trace, node.id): node for node in nodes if node.id}
        _mark_holders(nodes, by_key)
        calls, parents = [], []
        for node in nodes:
            if node.role == LLM and not node.holds_calls and node.draft is not None:
                self._complete(node, by_key, about)
                calls.append(node.draft)
            elif node.holds_calls and (node.role == LLM or (node.role == AGENT and node.used)):
                parents.append(node.place.file)
            else:
                other.append(node.place.file)
        kept = {id(call) for call in calls}
        counted = [(first, copy) for first, copy in copies if id(first) in kept]
        other += [copy.place.file for first, copy in copies if id(first) not in kept]
        return Collected(calls, counted, parents, other, self._notes(nodes))

    def _draft(self, span: Span, found: dict[str, Found], place: Place) -> Draft:
        request, response = span.request, span.response
        if span.event is not None:
            asked = span.event.message
            request, response = ({"messages": [asked]} if asked is not None else None), span.event.answer
        if span.failed:
            found["error"] = Found(value=True, alias="error")
        kind = span.scope or ("log" if span.details else "")
        draft = self._normaliser.draft(
            Exchange(request, response, None, found, [], kind, traced=True), self._form, place
        )
        draft.parent = self._normaliser.names.hashed("span", span.parent)
        draft.trace = self._normaliser.names.hashed("trace", span.trace)
        return draft

    def _complete(self, node: _Node, by_key: dict[Key, _Node], about: dict[str | None, _About]) -> None:
        """Give a call what the spans above it and its trace declare."""
        draft = node.draft
        assert draft is not None, "only calls are completed"
        above = list(_ancestors(node, by_key))
        trace = about.get(node.trace, _About())
        chain = [node, *above]
        draft.session = next((one.session for one in chain if one.session), trace.session)
        draft.user = next((one.user for one in chain if one.user), trace.user)
        draft.service = next((one.service for one in chain if one.service), trace.service) or draft.service
        draft.step = node.strong or _own_name(node) or _name_above(above, trace)
        draft.tags = list(dict.fromkeys([*node.tags, *trace.tags]))

    def _notes(self, nodes: list[_Node]) -> list[str]:
        hollow = sum(node.role == AGENT and node.used and not node.holds_calls for node in nodes)
        if not hollow:
            return []
        said = (
            f"{hollow:,} agent spans ({self._form.title}) hold tokens, but no call of a model stands below them; "
            "they are not counted. If the calls were made elsewhere, export the traces of that service too."
        )
        return [said]


def _settled(nodes: list[_Node], normaliser: Normaliser) -> tuple[list[_Node], list[tuple[Draft, Draft]], list[int]]:
    """Return one node a span, the copies among them, and the files of what only completes a span.

    Of two copies of a span the later version is kept, else the first read; a record of details completes its span.
    """
    groups: dict[Key, list[_Node]] = {}
    single: list[_Node] = []
    for node in nodes:
        if node.id is None or node.role == TRACE:
            single.append(node)
        else:
            groups.setdefault((node.trace, node.id), []).append(node)
    kept, copies, other = single, [], []
    for group in groups.values():
        whole = [node for node in group if not node.details]
        main = max(whole, key=lambda node: (node.version, node.place.digest)) if whole else None
        details = sorted((node for node in group if node.details), key=lambda node: node.order)
        said = [node for node in details if node.draft is not None]
        if main is None and said:
            main = said[0]
        main = main or group[0]
        for node in whole:
            if node is main:
                continue
            if node.draft is not None and main.draft is not None:
                copies.append((main.draft, node.draft))
            else:
                other.append(node.place.file)
        if said and main.role == LLM:
            _add_details(main, [node for node in said if node is not main])
            if main.draft is not None:
                normaliser.read_keys(main.draft, "\0".join(main.draft.tool_names).encode())
        other += [node.place.file for node in details if node is not main]
        kept.append(main)
    return kept, copies, other


def _add_details(main: _Node, details: list[_Node]) -> None:
    """Fill what a span lacks from the records beside it: its prompt, its answer, and what is said around them."""
    draft = main.draft
    if draft is None:
        return
    bare = draft.prompt is None or main.details
    prompt = list(draft.prompt or []) if main.details else []
    for node in details:
        beside = node.draft
        if beside is None:
            continue
        if bare and beside.prompt is not None:
            prompt = beside.prompt if len(beside.prompt) > 1 and not prompt else [*prompt, *beside.prompt]
        if draft.answer is None and not draft.tool_calls and draft.status != "error":
            draft.answer, draft.tool_calls, draft.status = beside.answer, beside.tool_calls, beside.status
            draft.finish_reason = draft.finish_reason or beside.finish_reason
        for name in _COMPLETED:
            if getattr(draft, name) is None:
                setattr(draft, name, getattr(beside, name))
        if not draft.tool_names:
            draft.tool_names, draft.tool_bytes = beside.tool_names, beside.tool_bytes
    if bare:
        draft.prompt = prompt or None


def _about_traces(nodes: list[_Node]) -> dict[str | None, _About]:
    about: dict[str | None, _About] = {}
    for node in sorted(nodes, key=_told_first):
        if node.trace is None:
            continue
        known = about.setdefault(node.trace, _About())
        known.session = known.session or node.session
        known.user = known.user or node.user
        known.service = known.service or node.service
        if node.role == TRACE:
            known.name = known.name or node.name
            known.tags += node.tags
    return about


def _told_first(node: _Node) -> tuple[object, ...]:
    """Order what a trace says of itself: its own row, then its root span, then by value, never by place in the log."""
    return node.role != TRACE, node.parent is not None, node.session or "", node.user or "", node.service or ""


def _mark_holders(nodes: list[_Node], by_key: dict[Key, _Node]) -> None:
    """Mark the spans that only wrap a call of a model.

    A call whose tool runs another agent is no wrapper: the walk up ends at the tool.
    """
    for node in nodes:
        if node.role != LLM:
            continue
        for above in _ancestors(node, by_key):
            if above.holds_calls or above.role == TOOL:
                break
            above.holds_calls = True


def _ancestors(node: _Node, by_key: dict[Key, _Node]) -> Iterator[_Node]:
    """Yield the spans above one, nearest first; a span that stands above itself ends the walk."""
    seen = {id(node)}
    above = by_key.get((node.trace, node.parent)) if node.parent else None
    while above is not None and id(above) not in seen:
        yield above
        seen.add(id(above))
        above = by_key.get((above.trace, above.parent)) if above.parent else None


def _declared(name: str | None) -> str | None:
    known = declared_name(name)
    return None if known is None or is_serial(known) else known


def _own_name(node: _Node) -> str | None:
    model = node.draft.model_requested or node.draft.model if node.draft is not None else None
    return declared_name(node.name) if tells_a_step(node.name, model) else None


def _name_above(above: list[_Node], trace: _About) -> str | None:
    for node in above:
        name = node.strong or (node.name if tells_a_step(node.name) else None)
        if name and declared_name(name):
            return declared_name(name)
    return declared_name(trace.name) if tells_a_step(trace.name) else None
