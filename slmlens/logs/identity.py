"""Ids of calls, calls that were seen twice, and sessions that only a chain of answers tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from slmlens.logs.draft import Draft
from slmlens.logs.messages import MessageStore
from slmlens.logs.names import Names

SAME_CALL_US = 2_000_000
"""Two records of one response id and one request are one call if they start within two seconds of each other."""

Copy = tuple[str, Draft]

_TOLD_BY_EITHER = (
    "session", "user", "trace", "parent", "step", "service", "started_us", "latency_ms", "ttft_ms", "logged_nusd",
)  # fmt: skip


def settle_ids(
    drafts: Sequence[Draft], messages: MessageStore, copied_files: Mapping[int, int]
) -> tuple[list[tuple[str, Draft]], list[Copy]]:
    """Give each call its id and set the duplicates aside.

    The id is the provider's response id, else a hash of prompt, answer and time. Where an id stands for several calls,
    the later ones (by start, then request) are ``#2``, ``#3``. A duplicate is the same id and request within two
    seconds under another kind of span, or the same record in another file; it is counted once.

    :param drafts: The calls as read.
    :param messages: The messages they refer to.
    :param copied_files: Files that are byte for byte copies: number of the copy -> number of the original.
    :returns: The calls with their ids, and the duplicates with the ids of the calls they repeat.
    """
    groups: dict[str, list[Draft]] = {}
    copies: list[Draft] = []
    originals = {_spot(draft) for draft in drafts if draft.place.file not in copied_files} if copied_files else set()
    for draft in drafts:
        file, line, part = _spot(draft)
        if (copied_files.get(file), line, part) in originals:  # an original inside an archive may be cut short
            copies.append(draft)
        else:
            groups.setdefault(draft.own_id or _content_id(draft, messages), []).append(draft)
    kept: list[tuple[str, Draft]] = []
    duplicates: list[Copy] = []
    for base, group in groups.items():
        settled, repeated = _settled_group(base, group)
        kept += settled
        duplicates += repeated
    by_place = {_spot(draft): call_id for call_id, draft in kept}
    by_place |= {_spot(draft): call_id for call_id, draft in duplicates}
    for draft in copies:
        _, line, part = _spot(draft)
        duplicates.append((by_place[copied_files[draft.place.file], line, part], draft))
    return kept, duplicates


def _spot(draft: Draft) -> tuple[int, int, int]:
    return draft.place.file, draft.place.line, draft.place.part


def chain_sessions(drafts: Sequence[Draft], names: Names) -> None:
    """Give calls without a session that continue one another (``previous_response_id``) the session of their first.

    :param drafts: The calls as read; their sessions are set in place.
    :param names: What hashes the id of a session.
    """
    before = {draft.own_id: draft.previous_id for draft in drafts if draft.own_id}
    declared = {draft.own_id: draft.session for draft in drafts if draft.own_id and draft.session}
    continued = {draft.previous_id for draft in drafts if draft.previous_id}
    for draft in drafts:
        if draft.session or not (draft.previous_id or draft.own_id in continued):
            continue
        first = draft.previous_id or draft.own_id or ""
        seen = {draft.own_id, first}
        while (earlier := before.get(first)) and earlier not in seen:
            first = earlier
            seen.add(first)
        draft.session = declared.get(first) or names.hashed("session", first)


def _content_id(draft: Draft, messages: MessageStore) -> str:
    """Hash content blind to redacted values, so that the id gives nothing away and is the same in every run."""
    rows = [messages.prints[messages.row_of[number]] for number in draft.prompt or ()]
    answer = "" if draft.answer is None else messages.prints[messages.row_of[draft.answer]]
    parts = [*rows, "answer", answer, str(draft.started_us), str(draft.model)]
    return "call-" + blake2b("\0".join(parts).encode(), digest_size=10).hexdigest()


def _settled_group(base: str, group: list[Draft]) -> tuple[list[tuple[str, Draft]], list[Copy]]:
    if len(group) == 1:
        return [(base, group[0])], []
    kept: list[tuple[str, Draft]] = []
    duplicates: list[Copy] = []
    first_records: dict[bytes, tuple[str, Draft]] = {}
    latest_kinds: dict[bytes, dict[str, tuple[str, Draft]]] = {}
    for draft in sorted(group, key=_order):
        kinds = latest_kinds.setdefault(draft.request_hash, {})
        original = first_records.get(draft.place.digest)
        if original is None or not _is_same_record(original[1], draft):
            rivals = (call for kind, call in kinds.items() if kind != draft.kind)
            original = next((call for call in rivals if draft.own_id and _starts_with(call[1], draft)), None)
        if original is not None:
            _complete(original[1], draft)
            duplicates.append((original[0], draft))
            continue
        call = (base if not kept else f"{base}#{len(kept) + 1}", draft)
        kept.append(call)
        first_records.setdefault(draft.place.digest, call)
        kinds[draft.kind] = call
    return kept, duplicates


def _complete(call: Draft, duplicate: Draft) -> None:
    """Give a call what only its duplicate tells: a gateway knows the cost, a tracer the session and the step."""
    for name in _TOLD_BY_EITHER:
        if getattr(call, name) is None:
            setattr(call, name, getattr(duplicate, name))


def _order(draft: Draft) -> tuple[object, ...]:
    started = draft.started_us
    place = draft.place
    return (started is None, started or 0, draft.request_hash, place.digest, place.file, place.line, place.part)


def _is_same_record(first: Draft, second: Draft) -> bool:
    """Tell a record repeated in another file; without an id and a time, equal records may be two equal calls."""
    told_apart = second.own_id is not None or second.started_us is not None
    return told_apart and first.place.file != second.place.file


def _starts_with(first: Draft, second: Draft) -> bool:
    if first.started_us is None or second.started_us is None:
        return first.started_us == second.started_us
    return abs(first.started_us - second.started_us) <= SAME_CALL_US
