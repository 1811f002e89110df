"""What is known of each task: pieces of evidence, and the verdict on them."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables.words import EVIDENCE_SOURCES, EVIDENCE_WORDS, GRADES, MODES, OUTPUT_KINDS


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
    covered = dy.Float64(nullable=True, min=0, max=1)  # share of the task's calls it speaks for; null: all of them
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
    hold = dy.String(nullable=True)  # why only a person may decide to move it; null: nothing speaks against it
    grade = dy.String(check=lambda c: c.is_in(GRADES))
    evidence = dy.String(check=lambda c: c.is_in(EVIDENCE_WORDS))
    time_ordered = dy.Bool()  # false: split by a hash of the session, "not a time split"
    pilot_calls = dy.Int64(nullable=True)  # calls that would settle it, capped at 500
    reasons = dy.List(dy.String())
