"""What each option is worth, what to do, which pilots to run, and on what assumptions."""

from __future__ import annotations

import dataframely as dy

from slmlens.tables.words import ACTIONS, DEPLOYMENTS, EVIDENCE_WORDS, KEEP_REASONS, MODES


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
    npv_p10_nusd = dy.Int64(nullable=True)
    npv_p50_nusd = dy.Int64(nullable=True)
    npv_p90_nusd = dy.Int64(nullable=True)
    one_off_nusd = dy.Int64()
    payback_months = dy.Float64(nullable=True)  # if parity holds, at central values; null: not within ten years
    payback_p10_months = dy.Float64(nullable=True)  # of all draws, of the chosen option; null: that draw never repays
    payback_p50_months = dy.Float64(nullable=True)
    payback_p90_months = dy.Float64(nullable=True)
    p_never_repaid = dy.Float64(nullable=True, min=0, max=1)
    saving_per_1000_calls_nusd = dy.Int64(nullable=True)  # before work and wrong answers
    cost_per_1000_calls_nusd = dy.Int64(nullable=True)  # of running a small model, by use; null: none is run
    fixed_month_nusd = dy.Int64(nullable=True)  # of running it whether or not a call comes, such as GPUs
    rests_on = dy.String(nullable=True)  # what the cost of running it rests on
    wrong_per_1000_calls_nusd = dy.Int64(nullable=True)  # cost of further wrong answers, where parity holds
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
    ladder = dy.List(  # of cheaper answers, ``keep`` last: savings and what it is left with add up to the month's cost
        dy.Struct(
            {
                "name": dy.String(),
                "serves": dy.Bool(),
                "saving_month_nusd": dy.Int64(nullable=True),  # on what is left by the rungs before it; no people cost
                "remains_month_nusd": dy.Int64(nullable=True),  # for the rungs after it
                "chance": dy.Float64(nullable=True),  # that it holds parity; null: no matter of parity, or not known
                "rests_on": dy.String(),
            }
        )
    )
    routing = dy.List(  # all calls moved, by a router, by a cascade; before people cost and wrong answers
        dy.Struct(
            {
                "way": dy.String(),
                "share": dy.Float64(),  # of the calls that the small model answers
                "saving_month_nusd": dy.Int64(),
                "saving_low_nusd": dy.Int64(),  # at the low end of the share
                "saving_high_nusd": dy.Int64(),
                "breaks_even_at": dy.Float64(nullable=True),  # share from which on it saves; null: none does
                "paid_twice_nusd": dy.Int64(),
                "cache_loss_nusd": dy.Int64(),
                "latency_factor": dy.Float64(nullable=True),  # mean latency over the present model's
            }
        )
    )
    candidates = dy.List(  # parity of each as it is, and tuned: by its own prior and the probes, or as it was graded
        dy.Struct(
            {
                "slm": dy.String(),
                "accepted": dy.Bool(),
                "criterion": dy.String(nullable=True),  # of savings.criteria, that rules it out
                "reason": dy.String(),
                "p_parity": dy.Float64(nullable=True),
                "a_lo90": dy.Float64(nullable=True),
                "a_hi90": dy.Float64(nullable=True),
                "p_parity_tuned": dy.Float64(nullable=True),
                "a_lo90_tuned": dy.Float64(nullable=True),
                "a_hi90_tuned": dy.Float64(nullable=True),
                "figure": dy.Float64(nullable=True),  # of the capability's benchmark, without thinking; context only
            }
        )
    )
    capability = dy.Struct(  # the kind of work the task is, and what measures it; null: nothing listed does
        {
            "family": dy.String(),
            "benchmark": dy.String(),
            "harness": dy.String(),
            "higher_is_better": dy.Bool(),
        },
        nullable=True,
    )
    picks = dy.List(  # three models to look at first, by mode; none where the evidence rules the task out
        dy.Struct(
            {
                "kind": dy.String(),  # of PICKS
                "mode": dy.String(),
                "slm": dy.String(nullable=True),  # null: none, and the note says why
                "p_parity": dy.Float64(nullable=True),
                "a_lo90": dy.Float64(nullable=True),
                "a_hi90": dy.Float64(nullable=True),
                "value_nusd": dy.Int64(nullable=True),  # expected, of a pilot over the horizon; null: no month or price
                "ties": dy.List(dy.String()),
                "note": dy.String(),
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
