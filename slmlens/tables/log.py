"""What was read: calls, messages, files, and what could not be read."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables.words import BILLING, CORRECTIONS, PRICE_SOURCES, STATUSES


class CallsTable(dy.Schema):
    """One row a leaf LLM call."""

    call_id = dy.String(primary_key=True, min_length=1)
    source_file = dy.String()  # relative to what the user named; never an absolute path
    source_line = dy.Int64()  # 1-based; for a JSON array, the 1-based element
    format = dy.String()
    session_id = dy.String(nullable=True)  # keyed hash
    user_id = dy.String(nullable=True)  # keyed hash
    trace_id = dy.String(nullable=True)  # keyed hash
    parent_id = dy.String(nullable=True)
    step = dy.String(nullable=True)  # declared agent, node, span, prompt or workload name
    service = dy.String(nullable=True)  # declared service or project
    started_at = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC")
    latency_ms = dy.Float64(nullable=True)
    ttft_ms = dy.Float64(nullable=True)
    provider = dy.String(nullable=True)
    model = dy.String(nullable=True)  # as served
    model_requested = dy.String(nullable=True)
    message_ids = dy.List(dy.String(), nullable=True)  # null: the log holds no prompt
    answer_id = dy.String(nullable=True)  # null: no answer was logged, or the call failed
    prompt_key = dy.String(nullable=True)  # keyed hash of the prompt before redaction; equal = byte-identical
    tool_names_offered = dy.List(dy.String())
    response_schema = dy.String(nullable=True)  # name of the structured-output schema the request asked for
    tool_calls = dy.List(dy.Struct({"name": dy.String(), "arguments": dy.String()}))  # arguments: redacted JSON text
    finish_reason = dy.String(nullable=True)
    input_tokens = dy.Int64(nullable=True)  # total, cached included
    cached_tokens = dy.Int64(nullable=True)
    cache_write_tokens = dy.Int64(nullable=True)
    output_tokens = dy.Int64(nullable=True)  # reasoning included
    reasoning_tokens = dy.Int64(nullable=True)
    tokens_estimated = dy.Bool()
    batch = dy.Bool()  # billed at the batch rate
    billing = dy.String(check=lambda c: c.is_in(BILLING))
    spend_nusd = dy.Int64(nullable=True)  # at the price of the day; null = unpriced
    runrate_nusd = dy.Int64(nullable=True)  # at today's price
    price_source = dy.String(nullable=True, check=lambda c: c.is_in(PRICE_SOURCES))  # of spend_nusd; null = unpriced
    committed_share = dy.Float64(nullable=True, min=0, max=1)  # prepaid by a commitment; null: none covers the call
    committed_until = dy.Date(nullable=True)  # its last day
    logged_nusd = dy.Int64(nullable=True)  # what the logging tool said
    model_assumed = dy.Bool()  # priced with --assume-model
    status = dy.String(check=lambda c: c.is_in(STATUSES))
    corrected = dy.String(nullable=True, check=lambda c: c.is_in(CORRECTIONS))  # null: no sign of it in the log
    corrected_reason = dy.String(nullable=True)
    human_facing = dy.Bool(nullable=True)
    human_facing_reason = dy.String(nullable=True)
    tags = dy.List(dy.String())


class MessagesTable(dy.Schema):
    """One row a distinct redacted message."""

    message_id = dy.String(primary_key=True)
    role = dy.String()
    text = dy.String(nullable=True)  # redacted; null with --no-text
    n_chars = dy.Int64()
    n_calls = dy.Int64()


class RejectsTable(dy.Schema):
    """One row a record that was refused. ``shape`` maps letters to a and digits to 9; the text itself is never kept."""

    file = dy.String()
    line = dy.Int64()
    offset = dy.Int64(nullable=True)  # bytes from the start of the (decompressed) file
    reason = dy.String()
    shape = dy.String()


class FilesTable(dy.Schema):
    """One row an input file: records = calls + parents + duplicates + rejects + other."""

    file = dy.String(primary_key=True)
    format = dy.String(nullable=True)
    records = dy.Int64()
    calls = dy.Int64()
    parents = dy.Int64()
    duplicates = dy.Int64()
    rejects = dy.Int64()
    other = dy.Int64()


class CoverageTable(dy.Schema):
    """One row a (format, field): how many calls have it, and what the lack of it costs. Format ``all``: the log."""

    format = dy.String(primary_key=True)
    field = dy.String(primary_key=True)
    calls = dy.Int64()  # that could have it: calls that did not fail
    present = dy.Int64()  # of these, calls that have it
    share = dy.Float64(nullable=True, min=0, max=1)  # null: no call could have it
    cost = dy.String(nullable=True)  # null: nothing is missing, or nothing depends on it
    switch = dy.String(nullable=True)  # what to set in the tool; null: no gap, or nothing declared


class RejectReasonsTable(dy.Schema):
    """One row a reason for which records were refused."""

    reason = dy.String(primary_key=True)
    records = dy.Int64()
    files = dy.Int64()
