"""Streamed answers, stored as server-sent events or as a list of chunks, merged into the body they add up to."""

from __future__ import annotations

from slmlens.logs.decode import decode_text

Body = dict[str, object]

_DONE = "[DONE]"
_ENDED: Body = {"stream_ended": True}
_CHAT_FIELDS = ("id", "model", "created", "usage", "service_tier", "provider")


def stream_events(stored: object) -> list[Body] | None:
    """Return the events of a stored stream, or None if the value is no stream.

    :param stored: The text of a server-sent event stream, or a list of chunks (objects or ``data:`` lines).
    """
    if isinstance(stored, str):
        if not stored.lstrip().startswith(("data:", "event:", ":", "id:", "retry:")):
            return None
        return _events_of_text(stored)
    if isinstance(stored, list):
        events = [_events_of_text(one) if isinstance(one, str) else [one] for one in stored]
        flat = [event for group in events for event in group if isinstance(event, dict)]
        return flat if flat and any(_is_event(event) for event in flat) else None
    return None


def merged_stream(events: list[Body]) -> Body | None:
    """Return the response body that the events add up to, or None if they are of a dialect that is not read.

    The result has the shape of an unstreamed answer: ``chat.completion``, ``text_completion``, ``response`` or an
    Anthropic ``message``. A stream that broke off has no finish reason and holds ``"cut": True``.

    :param events: The events in their order.
    """
    failed = next((event for event in events if isinstance(event.get("error"), dict) and "choices" not in event), None)
    kinds = {str(event.get("type")) for event in events}
    if any(isinstance(event.get("choices"), list) for event in events):
        return _merged_chat(events, failed)
    if any(kind.startswith("response.") for kind in kinds):
        return _merged_response(events)
    if "message_start" in kinds:
        return _merged_message(events)
    return failed


def _is_event(event: Body) -> bool:
    kind = event.get("type")
    if isinstance(kind, str) and (kind.startswith(("response.", "content_block")) or kind == "message_start"):
        return True
    choices = event.get("choices")
    if not isinstance(choices, list):
        return False
    return event.get("object") == "chat.completion.chunk" or any(isinstance(c, dict) and "delta" in c for c in choices)


def _events_of_text(text: str) -> list[Body]:
    events: list[Body] = []
    data: list[str] = []
    for line in [*text.split("\n"), ""]:
        bare = line.rstrip("\r")
        if bare.startswith("data:"):
            data.append(bare[5:].strip())
        elif not bare and data:
            _append_event(events, data)
            data = []
    _append_event(events, data)
    return events


def _append_event(events: list[Body], data: list[str]) -> None:
    whole = decode_text("\n".join(data)) if data else ""
    if isinstance(whole, dict):
        events.append(whole)
        return
    for line in data:
        value = _ENDED if line == _DONE else decode_text(line)
        if isinstance(value, dict):
            events.append(value)


def _merged_chat(events: list[Body], failed: Body | None) -> Body:
    body: Body = {"object": "chat.completion"}
    calls: dict[object, dict[str, str]] = {}
    finish: object = None
    pieces: dict[str, list[str]] = {}
    for event in events:
        body.update({key: event[key] for key in _CHAT_FIELDS if event.get(key)})
        for choice in _first_choices(event):
            finish = choice.get("finish_reason") or finish
            if isinstance(choice.get("text"), str):
                pieces.setdefault("text", []).append(str(choice["text"]))
            delta = choice.get("delta") or choice.get("message")
            if isinstance(delta, dict):
                _add_delta(delta, pieces, calls)
    joined: Body = {key: "".join(parts) for key, parts in pieces.items()}
    message = {"role": "assistant", **joined, "tool_calls": [{"function": call} for call in calls.values()]}
    said = {"text": joined["text"]} if "text" in joined else {"message": message}
    body["choices"] = [{"index": 0, **said, "finish_reason": finish}]
    if failed is not None:
        body["error"] = failed["error"]
    elif finish is None and "usage" not in body and _ENDED not in events:
        body["cut"] = True
    return body


def _first_choices(event: Body) -> list[Body]:
    """Return the choices of an event that belong to the first of several alternatives: that one is the answer."""
    choices = event.get("choices")
    listed = choices if isinstance(choices, list) else []
    return [one for one in listed if isinstance(one, dict) and one.get("index", 0) in (0, None)]


def _add_delta(delta: Body, pieces: dict[str, list[str]], calls: dict[object, dict[str, str]]) -> None:
    for key in ("content", "refusal", "reasoning_content"):
        value = delta.get(key)
        if isinstance(value, list):  # Mistral streams parts
            value = "".join(str(part.get("text") or "") for part in value if isinstance(part, dict))
        if isinstance(value, str):
            pieces.setdefault(key, []).append(value)
    listed = delta.get("tool_calls")
    entries = list(enumerate(listed)) if isinstance(listed, list) else []
    if isinstance(delta.get("function_call"), dict):
        entries.append((0, {"index": "legacy", "function": delta["function_call"]}))
    for place, entry in entries:
        function = entry.get("function") if isinstance(entry, dict) else None
        if not isinstance(function, dict):
            continue
        index = entry.get("index")
        slot = calls.setdefault(index if isinstance(index, (int, str)) else place, {"name": "", "arguments": ""})
        slot["name"] = slot["name"] or str(function.get("name") or "")
        arguments = function.get("arguments")
        slot["arguments"] += arguments if isinstance(arguments, str) else ""


def _merged_response(events: list[Body]) -> Body:
    latest: Body = {}
    text: list[str] = []
    done = False
    for event in events:
        kind = str(event.get("type"))
        inner = event.get("response")
        if isinstance(inner, dict):
            latest = inner
            done = kind in ("response.completed", "response.incomplete", "response.failed")
        if kind == "response.output_text.delta" and isinstance(event.get("delta"), str):
            text.append(str(event["delta"]))
    if done:
        return latest
    content = [{"type": "output_text", "text": "".join(text)}]
    output = [{"type": "message", "role": "assistant", "content": content}] if text else []
    return {**latest, "object": "response", "status": "incomplete", "output": output, "cut": True}


def _merged_message(events: list[Body]) -> Body:
    body: Body = {"type": "message"}
    blocks: dict[str, Body] = {}
    pieces: dict[tuple[str, str], list[str]] = {}
    for event in events:
        kind, index = event.get("type"), str(event.get("index"))
        start, delta, block = event.get("message"), event.get("delta"), event.get("content_block")
        if kind == "message_start" and isinstance(start, dict):
            body = {**start}
        elif kind == "content_block_start" and isinstance(block, dict):
            blocks[index] = {**block}
        elif kind == "content_block_delta" and isinstance(delta, dict) and index in blocks:
            for key, field in (("text", "text"), ("partial_json", "input")):
                if isinstance(delta.get(key), str):
                    pieces.setdefault((index, field), []).append(delta[key])
        elif kind == "message_delta" and isinstance(delta, dict):
            body.update({key: value for key, value in delta.items() if value is not None})
            _update_usage(body, event.get("usage"))
    for (index, field), parts in pieces.items():
        blocks[index][field] = "".join(parts)
    body["content"] = list(blocks.values())
    if not body.get("stop_reason"):
        body["cut"] = True
    return body


def _update_usage(body: Body, usage: object) -> None:
    known = body.get("usage")
    if isinstance(usage, dict):
        merged = {**known} if isinstance(known, dict) else {}
        merged.update({key: value for key, value in usage.items() if value is not None})
        body["usage"] = merged
