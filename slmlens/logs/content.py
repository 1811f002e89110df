"""Messages of any dialect as plain text: OpenAI chat, OpenAI Responses and Anthropic content, tool calls included."""

from __future__ import annotations

import re
from typing import NamedTuple

from slmlens.logs.decode import decode_text, encode_sorted

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}

_PLACEHOLDERS = {
    "image": "[image]",
    "image_url": "[image]",
    "input_image": "[image]",
    "image_file": "[image]",
    "audio": "[audio]",
    "input_audio": "[audio]",
    "audio_url": "[audio]",
    "video": "[video]",
    "video_url": "[video]",
    "file": "[file]",
    "input_file": "[file]",
    "file_url": "[file]",
    "document": "[file]",
    "document_url": "[file]",
    "blob": "[file]",
}

_HIDDEN = frozenset({"thinking", "reasoning", "redacted_thinking", "compaction", "item_reference", "cache_point"})
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_ITEM_CALLS = frozenset({"function_call", "custom_tool_call", "mcp_call", "tool_search_call"})
_SAFE_NAME = re.compile(r"[A-Za-z][\w.:/-]{0,63}")
_DEPTH = 6


class ToolCall(NamedTuple):
    """A tool that the model called, its arguments as JSON text with sorted keys."""

    name: str
    arguments: str
    well_formed: bool


class Plain(NamedTuple):
    """One message as plain text, before redaction."""

    role: str
    text: str
    calls: tuple[ToolCall, ...] = ()

    def canonical(self) -> str:
        """Return the text, followed by one line ``name(arguments)`` for each tool call."""
        lines = [self.text] if self.text else []
        return "\n".join([*lines, *(f"{call.name}({call.arguments})" for call in self.calls)])


def plain_messages(raw: object) -> list[Plain]:
    """Return the messages that one logged message or Responses item stands for.

    An Anthropic user message that carries tool results becomes one ``tool`` message per result and a ``user`` message
    for the rest. Reasoning is not kept; images, audio and files become placeholders such as ``[image]``.

    :param raw: A message object, a Responses item, or a bare string (a user's message).
    """
    if isinstance(raw, str):
        return [Plain("user", raw)]
    if not isinstance(raw, dict):
        return []
    if "role" not in raw and isinstance(raw.get("type"), str):
        return _plain_item(raw)
    return _plain_message(raw)


def text_of(content: object, depth: int = _DEPTH) -> str:
    """Return the text of a content value: a string, a part, or a list of parts joined by line ends.

    :param content: The content as logged.
    :param depth: How many levels of parts within parts are read.
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (text_of(part, depth - 1) for part in content) if depth else ()
        return "\n".join(part for part in parts if part)
    if isinstance(content, dict):
        return _text_of_part(content, depth)
    return "" if content is None else str(content)


def tool_call(name: object, arguments: object) -> ToolCall:
    """Return a tool call with its arguments as canonical JSON text.

    :param name: The name as logged.
    :param arguments: A JSON text (OpenAI) or an object (Anthropic).
    """
    label = name if isinstance(name, str) and name else "unnamed"
    if not isinstance(arguments, str):
        return ToolCall(label, encode_sorted({} if arguments is None else arguments), well_formed=True)
    if not arguments.strip():
        return ToolCall(label, "{}", well_formed=True)
    value = decode_text(arguments.strip())
    if isinstance(value, str):
        return ToolCall(label, arguments, well_formed=False)
    return ToolCall(label, encode_sorted(value), well_formed=True)


def tool_calls_of(message: dict[str, object]) -> tuple[ToolCall, ...]:
    """Return the tool calls of an OpenAI message: ``tool_calls``, custom tools and the legacy ``function_call``.

    :param message: The message as logged.
    """
    found = []
    listed = message.get("tool_calls")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict):
            continue
        function, custom = entry.get("function"), entry.get("custom")
        if isinstance(function, dict):
            found.append(tool_call(function.get("name"), function.get("arguments")))
        elif isinstance(custom, dict):
            found.append(tool_call(custom.get("name"), {"input": custom.get("input")}))
        elif "name" in entry:
            found.append(tool_call(entry.get("name"), entry.get("arguments", entry.get("args"))))
    legacy = message.get("function_call")
    if isinstance(legacy, dict) and legacy.get("name"):
        found.append(tool_call(legacy.get("name"), legacy.get("arguments")))
    return tuple(found)


def item_call(item: dict[str, object]) -> ToolCall | None:
    """Return the tool call that a Responses item is, or None.

    :param item: An element of ``input`` or ``output``.
    """
    kind = str(item.get("type"))
    if kind not in _ITEM_CALLS:
        return None
    if kind == "custom_tool_call":
        return tool_call(item.get("name"), {"input": item.get("input")})
    return tool_call(item.get("name") or kind, item.get("arguments"))


def role_of(raw: object) -> str:
    """Return the role in the house's four words (system, user, assistant, tool), or the logged word if it is another.

    :param raw: The role as logged.
    """
    if not isinstance(raw, str):
        return "user"
    word = raw.strip().lower()
    return _ROLES.get(word) or (word if _SAFE_NAME.fullmatch(word) else "user")


def _plain_message(raw: dict[str, object]) -> list[Plain]:
    role = role_of(raw["role"]) if "role" in raw else "user"
    content = raw.get("content")
    calls = list(tool_calls_of(raw))
    results: list[Plain] = []
    parts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        kind = str(part.get("type")) if isinstance(part, dict) else ""
        if isinstance(part, dict) and kind in _CALLS:
            calls.append(tool_call(part.get("name"), part.get("input")))
        elif isinstance(part, dict) and kind.endswith("tool_result"):
            results.append(Plain("tool", text_of(part.get("content"))))
        else:
            parts.append(text_of(part))
    if not content and isinstance(raw.get("refusal"), str):
        parts.append(str(raw["refusal"]))
    text = "\n".join(part for part in parts if part)
    if results and not text and not calls:
        return results
    return [*results, Plain(role, text, tuple(calls))]


def _plain_item(raw: dict[str, object]) -> list[Plain]:
    kind = str(raw["type"])
    if kind in _HIDDEN:
        return []
    called = item_call(raw)
    if called:
        outcome = raw.get("output")
        return [Plain("assistant", "", (called,)), *([Plain("tool", text_of(outcome))] if outcome is not None else [])]
    if kind.endswith("_output"):
        return [Plain("tool", text_of(raw.get("output", raw.get("tools"))))]
    if kind.endswith("_call"):
        return [Plain("assistant", f"[{kind}]" if _SAFE_NAME.fullmatch(kind) else "[call]")]
    return [Plain("user", _text_of_part(raw, _DEPTH))]


def _text_of_part(part: dict[str, object], depth: int) -> str:
    kind = part.get("type")
    if not isinstance(kind, str):
        kind = "text"
    if kind in _HIDDEN or depth <= 0:
        return ""
    if kind in _PLACEHOLDERS:
        return _PLACEHOLDERS[kind]
    for key in ("text", "content", "refusal", "output", "input_text"):
        value = part.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, dict) and isinstance(value.get("value"), str):
            return str(value["value"])
        if isinstance(value, (list, dict)):
            return text_of(value, depth - 1)
    return f"[{kind}]" if kind != "text" and _SAFE_NAME.fullmatch(kind) else ""
