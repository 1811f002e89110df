"""The words and the unit of money that the tables use."""

from __future__ import annotations

NUSD_PER_USD = 1_000_000_000
"""Nano-USD in one US dollar."""

STATUSES = ("ok", "error", "refusal", "truncated", "malformed")
"""What became of a call. Only ``ok`` answers that nothing corrected may be learned from."""

CORRECTIONS = ("retried", "repaired")
"""What happened to an answer afterwards: thrown away and asked for again, or found fault with in the next prompt."""

FAILURES = (*STATUSES[1:], *CORRECTIONS)
"""The words of the incumbent's failure census; a call is counted by its status, else by its correction."""

BILLING = ("metered", "seat")
"""``seat``: the call was paid by a seat plan, so its price is a *list-price equivalent* and moving it saves nothing."""

PRICE_SOURCES = ("your file", "your discount", "correction", "genai-prices", "model-prices")
"""Where a call's price comes from. ``your discount``: a price of a list less what the user's price file takes off."""

EVIDENCE_WORDS = ("shown", "likely", "open", "unlikely", "no-signal", "not-enough-data", "gated")
ACTIONS = ("code", "cache", "pilot-cheaper-llm", "pilot-swap", "pilot-tune", "migrate-swap", "migrate-tune", "keep")
KEEP_REASONS = ("quality", "money", "gate", "unknown")
GRADES = ("A", "B", "C", "D")
OUTPUT_KINDS = ("label", "json", "tool_call", "number", "list", "code", "text", "empty")
MODES = ("swap", "tuned")
EVIDENCE_SOURCES = ("prior", "student", "program", "retrieval", "repeats", "pilot", "slm_probe")
SIDES = ("train", "validation", "test", "left_out")
"""Of a dataset. ``left_out``: its prompt is nearly one of another side's, so that it can serve on none."""
RULES = ("prompt_only", "full")
RECURRENCE_UNITS = ("session", "trace", "slot")
PICKS = ("smallest-safe", "best-value", "safest")
DEPLOYMENTS = ("hosted-base", "hosted-tuned", "self-hosted", "none")
DECISION_KINDS = ("rename", "merge", "split", "move", "set_aside", "override", "undo")
DECISION_STATUSES = ("applied", "stale", "conflicting", "undone")
LINEAGE_CHANGES = ("kept", "split", "merged", "new", "gone")
