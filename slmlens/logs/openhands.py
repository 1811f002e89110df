"""OpenHands' events: an action or an observation each; a model's answer is repeated on all that it led to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import object_of
from slmlens.logs.trajectories import answer, listed, own_session
from slmlens.logs.units import count

Record = Mapping[str, object]

_RUN = "run of the event"


def is_openhands(record: Record) -> bool:
    """Tell whether a record is an event of OpenHands, or a document of them.

    :param record: An event, ``{history: [...]}`` of an evaluation, or ``{events: [...]}``.
    """
    events = listed(record.get("history")) or listed(record.get("events"))
    return any(_is_event(one) for one in events[:20]) if events else _is_event(record)


def parts(record: Record) -> Iterator[Record]:
    """Yield the events of a record; one that holds a run's events names the run on each.

    :param record: An event, ``{history: [...]}`` or ``{events: [...]}``.
    """
    if _is_event(record):
        yield record
        return
    events = listed(record.get("history")) or listed(record.get("events"))
    run = string(record.get("instance_id")) or own_session(events[:3])
    for event in events:
        yield {**event, _RUN: run}


def calls_of(records: list[Record]) -> Iterator[tuple[int, Record]]:
    """Yield the calls among a file's events, with their positions.

    A prompt is rebuilt from the messages before it; the system prompt and the tools on offer are not in the file. Calls
    of several tools repeat one answer of the model: the first counts.

    :param records: Events, of one run or of several.
    """
    for group in _by_run(records):
        group.sort(key=lambda one: (str(one[1].get("timestamp")), count(one[1].get("id")) or 0))
        session = string(group[0][1].get(_RUN)) or own_session([dict(event) for _, event in group[:3]])
        said: list[Body] = []
        seen: set[str | None] = {None}
        for position, event in group:
            body = object_of(object_of(event.get("tool_call_metadata")).get("model_response"))
            own, told = string(body.get("id")), _message(dict(event))
            acts = event.get("source") == "agent" and "action" in event
            if (acts and own not in seen) or (acts and not body and event.get("action") in ("message", "finish")):
                yield (
                    position,
                    {
                        "request": {"messages": list(said)},
                        "response": body or answer({"content": told.get("content")}),
                        "timestamp": event.get("timestamp"),
                        "session_id": session,
                    },
                )
                said.append(_said(body) or told)
            elif not acts and told.get("content"):
                said.append(told)
            seen.add(own)


def _is_event(record: Record) -> bool:
    return (
        {"id", "source", "timestamp"} <= record.keys()
        and record.get("source") in ("user", "agent", "environment")
        and bool({"action", "observation"} & record.keys())
    )


def _message(event: Body) -> Body:
    if "observation" in event:
        return {"role": "tool", "content": event.get("content") or event.get("message")}
    own = object_of(event.get("args"))
    role = "assistant" if event.get("source") == "agent" else "user"
    return {"role": role, "content": own.get("content") or own.get("thought") or event.get("message")}


def _said(body: Body) -> Body | None:
    choices = listed(body.get("choices"))
    message = object_of(choices[0].get("message")) if choices else {}
    return dict(message) if message else None


def _by_run(records: list[Record]) -> list[list[tuple[int, Record]]]:
    """Return the events of each run with their positions, runs in the order of their first event."""
    runs: dict[object, list[tuple[int, Record]]] = {}
    for position, record in enumerate(records):
        runs.setdefault(record.get(_RUN), []).append((position, record))
    return list(runs.values())
