"""The data dictionary: every table that a run writes, with its columns, units and null meaning.

Times are UTC microseconds, money is integer nano-USD (``*_nusd``), and null always means *unknown*, never zero.
A floor hands its frames on only after :func:`checked` has validated them here.
"""

from __future__ import annotations

from typing import TypeVar

import dataframely as dy
import polars as pl

from slmlens.errors import ContractError

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

EVIDENCE_WORDS = ("shown", "likely", "open", "unlikely", "no-signal", "not-enough-data", "gated")
ACTIONS = ("code", "cache", "pilot-cheaper-llm", "pilot-swap", "pilot-tune", "migrate-swap", "migrate-tune", "keep")
KEEP_REASONS = ("quality", "money", "gate", "unknown")
GRADES = ("A", "B", "C", "D")
OUTPUT_KINDS = ("label", "json", "tool_call", "number", "list", "code", "text", "empty")
MODES = ("swap", "tuned")
EVIDENCE_SOURCES = ("prior", "student", "program", "retrieval", "repeats", "pilot", "slm_probe")
RULES = ("prompt_only", "full")
RECURRENCE_UNITS = ("session", "trace", "slot")
DEPLOYMENTS = ("hosted-base", "hosted-tuned", "self-hosted", "none")
DECISION_KINDS = ("rename", "merge", "split", "move", "set_aside", "override", "undo")
DECISION_STATUSES = ("applied", "stale", "conflicting", "undone")
LINEAGE_CHANGES = ("kept", "split", "merged", "new", "gone")

_UTC = {"time_unit": "us", "time_zone": "UTC"}


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


class ItemsTable(dy.Schema):
    """One row a distinct (skeleton, form, slot sketch): what is clustered, weighted by calls."""

    item_id = dy.String(primary_key=True)
    application = dy.String()
    call_site = dy.String()
    skeleton_id = dy.String()
    slot_sketch = dy.List(dy.UInt64())
    form = dy.String()  # answer kind, sorted keys, "+tool" where it calls one
    n_calls = dy.Int64()
    n_units = dy.Int64()
    vector_row = dy.Int64(nullable=True)


class TasksTable(dy.Schema):
    """One row a task."""

    task_id = dy.String(primary_key=True)
    name = dy.String()  # k-anonymous
    application = dy.String()
    call_site = dy.String()
    step_names = dy.List(dy.String())
    recurrence_unit = dy.String(check=lambda c: c.is_in(RECURRENCE_UNITS))
    n_calls = dy.Int64()
    n_units = dy.Int64()
    n_subjects = dy.Int64()  # users where logged, else recurrence units
    steps_per_session = dy.Float64(nullable=True)  # null: no sessions in the log
    form = dy.String()  # the commonest answer form
    skeleton = dy.String()  # the recurring text with typed holes; k-anonymous
    stability = dy.Float64(nullable=True)  # share of co-members that are so in the log and in a half; null: few units
    edited_on = dy.Datetime(nullable=True, time_unit="us", time_zone="UTC")  # last prompt edit seen
    anchor = dy.List(dy.String())  # hashes of the recurring phrases the id comes from
    phrases = dy.List(dy.UInt64())  # hashes of all recurring phrases: what of a prompt is skeleton and not slot


class AssignmentsTable(dy.Schema):
    """One row a call. ``task_id`` null = unassigned: a line with its dollars, never a task."""

    call_id = dy.String(primary_key=True)
    task_id = dy.String(nullable=True)
    strength = dy.Float64(nullable=True, min=0, max=1)
    rule = dy.String(nullable=True, check=lambda c: c.is_in(RULES))
    unit_id = dy.String(nullable=True)  # the recurrence unit the call counts for


class DecisionsTable(dy.Schema):
    """One row a decision of a person, in the order they are replayed, and what became of it in this log."""

    decision_id = dy.String(primary_key=True)
    kind = dy.String(check=lambda c: c.is_in(DECISION_KINDS))
    author = dy.String()
    decided_at = dy.Datetime(time_unit="us", time_zone="UTC")
    reason = dy.String()
    what = dy.String()  # in a sentence; holds what the person typed
    status = dy.String(check=lambda c: c.is_in(DECISION_STATUSES))
    next_step = dy.String(nullable=True)  # what to do about it, or what to know; null: nothing
    task_ids = dy.List(dy.String())  # tasks of this log that it shaped; empty unless applied
    action = dy.String(nullable=True, check=lambda c: c.is_in(ACTIONS))  # null: not an override
    earlier_run = dy.String(nullable=True)  # the run it was taken over from; null: decided in this one


class LineageTable(dy.Schema):
    """One row a task of this log or of the earlier run it was compared with, and what became of it."""

    change = dy.String(check=lambda c: c.is_in(LINEAGE_CHANGES))
    task_id = dy.String(nullable=True)  # null: the earlier task is gone
    name = dy.String(nullable=True)
    earlier_id = dy.String(nullable=True)  # null: the task is new
    earlier_name = dy.String(nullable=True)
    likeness = dy.Float64(nullable=True, min=0, max=1)  # Jaccard of members, or of phrases; null: none shared
    n_calls = dy.Int64()  # calls of this log that both hold; of a new task, its calls


class EvidenceTable(dy.Schema):
    """One row a piece of evidence on a task."""

    task_id = dy.String()
    mode = dy.String(check=lambda c: c.is_in(MODES))
    slm = dy.String(nullable=True)  # null: holds for any SLM
    source = dy.String(check=lambda c: c.is_in(EVIDENCE_SOURCES))
    n = dy.Int64()  # calls it rests on
    n_units = dy.Int64()
    agreement = dy.Float64(nullable=True, min=0, max=1)
    lo90 = dy.Float64(nullable=True, min=0, max=1)
    hi90 = dy.Float64(nullable=True, min=0, max=1)
    constant = dy.Float64(nullable=True, min=0, max=1)
    null_p = dy.Float64(nullable=True, min=0, max=1)
    n_eff = dy.Float64(nullable=True, min=0)  # independent calls it is worth; null: the fewer of n and n_units
    p_parity = dy.Float64(nullable=True, min=0, max=1)  # of this SLM, on all the evidence; null: no graded SLM
    rare_recall = dy.Float64(nullable=True, min=0, max=1)  # of its worst rare answer class; null: not measured
    rare_n = dy.Int64(nullable=True)  # graded calls of that class; null: no class is rare
    note = dy.String()


_PARITY = {
    "slm": dy.String(),
    "a_p50": dy.Float64(),
    "a_lo90": dy.Float64(),
    "a_hi90": dy.Float64(),
    "a_lo80": dy.Float64(),
    "a_hi80": dy.Float64(),
    "p_parity": dy.Float64(),
    "quantiles": dy.List(dy.Float64()),  # of A at 0, 0.01 .. 1: the inverse CDF that savings draws from
}


class VerdictsTable(dy.Schema):
    """One row a task: what the evidence says, before money."""

    task_id = dy.String(primary_key=True)
    output_kind = dy.String(check=lambda c: c.is_in(OUTPUT_KINDS))
    weak_comparator = dy.Bool()  # agreement is judged by a proxy (free text)
    n_ok = dy.Int64()  # calls with a usable answer
    signals = dy.List(dy.Struct({"name": dy.String(), "value": dy.Float64(nullable=True)}))
    failures = dy.List(dy.Struct({"status": dy.String(), "n": dy.Int64()}))  # a word of FAILURES
    ceiling_pair = dy.Float64(nullable=True)  # C_pair; null: no repeats, taken as 1 and said so
    ceiling_lo90 = dy.Float64(nullable=True)
    ceiling_hi90 = dy.Float64(nullable=True)
    ceiling_n = dy.Int64()  # independent pairs
    ceiling_mode = dy.Float64(nullable=True)  # C_mode
    constant = dy.Float64(nullable=True)  # b; null: no two answers can be compared
    a_needed = dy.Float64()  # the agreement that parity asks for
    a_needed_at = dy.List(dy.Float64())  # equally likely values of it, over what is not known of C_pair
    swap = dy.Struct(_PARITY, nullable=True)
    tuned = dy.Struct(_PARITY, nullable=True)
    learnable = dy.Bool(nullable=True)  # the student against the permutation null; null: no probe applies
    null_p = dy.Float64(nullable=True)
    program_lo90 = dy.Float64(nullable=True)  # program probe on later sessions
    repeat_share = dy.Float64()  # share of calls that repeat an earlier prompt byte for byte with an equal answer
    repeats_equal = dy.Float64(nullable=True)  # share of repeated prompts whose answers are all equal
    rare_class = dy.String(nullable=True)
    rare_recall = dy.Float64(nullable=True)
    rare_n = dy.Int64(nullable=True)
    gate = dy.String(nullable=True)  # why the task may not be moved at all; null: no gate
    grade = dy.String(check=lambda c: c.is_in(GRADES))
    evidence = dy.String(check=lambda c: c.is_in(EVIDENCE_WORDS))
    time_ordered = dy.Bool()  # false: split by a hash of the session, "not a time split"
    pilot_calls = dy.Int64(nullable=True)  # calls that would settle it, capped at 500
    reasons = dy.List(dy.String())


class SavingsTable(dy.Schema):
    """One row a (task, option): what an option is worth. Money a month at the run-rate; null: no time or no price."""

    task_id = dy.String()
    action = dy.String(check=lambda c: c.is_in(ACTIONS))
    deployment = dy.String(check=lambda c: c.is_in(DEPLOYMENTS))
    mode = dy.String(nullable=True, check=lambda c: c.is_in(MODES))
    slm = dy.String(nullable=True)
    p10_nusd = dy.Int64(nullable=True)
    p50_nusd = dy.Int64(nullable=True)
    p90_nusd = dy.Int64(nullable=True)
    p_npv_positive = dy.Float64(nullable=True)
    npv_p90_nusd = dy.Int64(nullable=True)
    one_off_nusd = dy.Int64()
    payback_months = dy.Float64(nullable=True)
    saving_per_1000_calls_nusd = dy.Int64(nullable=True)  # before people cost
    break_even_calls_month = dy.Float64(nullable=True)  # null: never pays
    chosen = dy.Bool()


class PilotPlanTable(dy.Schema):
    """One row a pilot that could decide a task, as it is or tuned; the highest expected value first."""

    rank = dy.Int64(min=1)
    task_id = dy.String(primary_key=True)
    mode = dy.String(primary_key=True, check=lambda c: c.is_in(MODES))
    slm = dy.String(nullable=True)
    calls = dy.Int64()  # to ask, at most
    p_shown = dy.Float64(min=0, max=1)  # chance that by then the bound without a prior meets the target
    p_parity = dy.Float64(min=0, max=1)
    worth_if_shown_nusd = dy.Int64(nullable=True)  # median NPV where parity holds; null: no month or no price
    cost_nusd = dy.Int64()  # people and calls of the pilot
    value_nusd = dy.Int64(nullable=True)  # p_shown x worth - cost; null: no month or no price
    in_loop = dy.Bool()  # answers to logged prompts reach grade B at most: outcomes of sessions are asked as well


class ActionsTable(dy.Schema):
    """One row a task: what to do, by the decision table of the contract."""

    task_id = dy.String(primary_key=True)
    evidence = dy.String(check=lambda c: c.is_in(EVIDENCE_WORDS))
    action = dy.String(check=lambda c: c.is_in(ACTIONS))
    keep_because = dy.String(nullable=True, check=lambda c: c.is_in(KEEP_REASONS))
    mode = dy.String(nullable=True, check=lambda c: c.is_in(MODES))
    slm = dy.String(nullable=True)
    levers = dy.List(
        dy.Struct({"name": dy.String(), "saving_month_nusd": dy.Int64(nullable=True), "note": dy.String()})
    )
    ladder = dy.List(  # cache, code, prompt caching, batch rate, and what each rests on
        dy.Struct(
            {
                "name": dy.String(),
                "serves": dy.Bool(),
                "saving_month_nusd": dy.Int64(nullable=True),
                "rests_on": dy.String(),
            }
        )
    )
    candidates = dy.List(  # the parity of one as it is: by its own prior, or, where it was graded, on all the evidence
        dy.Struct(
            {
                "slm": dy.String(),
                "accepted": dy.Bool(),
                "reason": dy.String(),
                "p_parity": dy.Float64(nullable=True),
                "a_lo90": dy.Float64(nullable=True),
                "a_hi90": dy.Float64(nullable=True),
            }
        )
    )
    flips = dy.List(dy.String())  # sentences: which fact, at which value, changes the answer
    reasons = dy.List(dy.String())


class AssumptionsTable(dy.Schema):
    """One row an assumption that a figure rests on: visible, sourced, dated and editable."""

    name = dy.String(primary_key=True)
    value = dy.String()
    unit = dy.String()
    source = dy.String()
    date = dy.String()  # ISO day
    kind = dy.String(check=lambda c: c.is_in(("fact", "judgement")))


SchemaT = TypeVar("SchemaT", bound=dy.Schema)


def checked(schema: type[SchemaT], frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame cast to the schema, its columns in declared order.

    :param schema: One of the table classes of this module.
    :param frame: The frame to hand on.
    :raises ContractError: If a column is missing or a rule is broken; it is our defect, not the user's.
    """
    try:
        return schema.validate(frame, cast=True).select(schema.column_names())
    except (dy.exc.ValidationError, dy.exc.SchemaError, pl.exceptions.PolarsError) as cause:
        raise ContractError(
            f"the table {schema.__name__} broke its own rules: {cause}",
            next_step="please report this with the line above; your input was not changed",
        ) from cause
