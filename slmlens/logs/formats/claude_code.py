"""Claude Code session files (``~/.claude/projects/<folder>/<session>.jsonl``) and its web export ``{loglines: []}``.

One answer stands in several lines, one per content block, with the same message id and request id and a growing usage.
The request is not logged: it is rebuilt by walking ``parentUuid``. Cached tokens stand beside ``input_tokens``. Calls
are paid by a plan, so a price is a list-price equivalent.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Format, Record, Thread

_QUIET = frozenset({
    "summary", "system", "attachment", "progress", "file-history-snapshot", "queue-operation", "custom-title", "tag",
    "agent-name", "agent-setting", "last-prompt", "pr-link", "mode", "ai-title", "permission-mode", "bash-output",
})  # fmt: skip


def _recognises(record: Record) -> bool:
    kind, message = str(record.get("type")), record.get("message")
    if kind in ("user", "assistant") and isinstance(message, dict) and "role" in message:
        return "timestamp" in record and ("uuid" in record or "sessionId" in record or len(record) <= 4)  # noqa: PLR2004 - the web export's lines
    return kind in _QUIET and ("sessionId" in record or "leafUuid" in record or "uuid" in record)


_NEVER_LOGGED = "Nothing to set: Claude Code does not write it into its session files."

# cleanupPeriodDays: code.claude.com/docs/en/settings and /claude-directory (30 days by default).
_SWITCHES = {
    "prompts": "Name the whole folder of the project: a resumed session continues another file.",
    "window": 'Set `"cleanupPeriodDays": 365` in `~/.claude/settings.json`: the default deletes after 30 days.',
    "users": _NEVER_LOGGED,
    "tools": _NEVER_LOGGED,
    "price": "Nothing to set: `<synthetic>` answers and models without a list price have none.",
}

FORMAT = Format(
    name="claude_code",
    title="Claude Code session files",
    recognises=_recognises,
    billing="seat",
    provider="anthropic",
    service="claude-code",
    prompt_setting="keep all files of a project together, since a resumed session continues another file",
    switches=_SWITCHES,
    thread=Thread(
        node="uuid",
        parent="parentUuid",
        session="sessionId",
        request="requestId",
        message="message",
        time="timestamp",
        folder="cwd",
        side="isSidechain",
        agent="agentId",
        cost="costUSD",
        failed_model="<synthetic>",
        spawns={"Task": "subagent_type", "Agent": "subagent_type"},
        quiet=_QUIET,
    ),
)
