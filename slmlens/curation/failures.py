"""Marks the answers that must not be learned from though they came back: refused in prose, retried, or repaired.

The trace's shape decides first: which answer stands in a later prompt and what follows it there. Words are asked last,
and only at the head of a message. What shows no sign stays unmarked, so the marks are a lower bound.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from slmlens.tables import CallsTable, checked

if TYPE_CHECKING:
    from slmlens.results import Calls

FAILED_AND_SENT_AGAIN = "it failed and the same prompt was sent again"
SENT_AGAIN = "the same prompt was sent again at once and this answer was used nowhere"
REPLACED = "another answer to the same prompt took its place in the conversation"
UNREADABLE = "the next message says that it does not have the form that was asked for"
ASKED_TO_FIX = "the next message asks to fix it and to try again"
TOOL_REFUSED = "the tool reported an error and the next answer called it with other arguments"
CODE_FAILED = "the code in it raised an error that the next message shows"
SAID_WRONG = "the next message says that it is wrong"

RETRY_WITHIN_S = 120
"""Judgement: a retry follows the answer that it replaces within two minutes, waits between tries included."""
LOOSE_RETRY_WITHIN_S = 10
"""Judgement: without a session, only a failed call and the same prompt within ten seconds are taken for a retry."""
MOST_TRIES = 6
"""Judgement: retry helpers give up after two to six tries; a session that asks more often asks on purpose."""

_CLOCK_S = 1.0  # times are often logged in whole seconds
_TAIL = 8  # messages at the end of a prompt that are looked at: tool results, then a user's or a framework's line
_HEAD_CHARS = 300
_SHORT_ANSWER = 400
_SPEAKER = r"^\s*(?:[\p{L} ]{1,20}:\s*)?[\W_]*"  # "Observation:", a quotation mark, a rule of dashes

_REFUSES = (
    r"(?i)^(?:i['\u2019]?m|i am) (?:very |so |really )?sorry[,.]? (?:but )?"
    r"(?:as an ai[^,.]{0,40}, )?i (?:can['\u2019]?t|cannot|can not|won['\u2019]?t"
    r"|am unable to|am not able to|['\u2019]?m unable to|['\u2019]?m not able to) "
    r"(?:assist|help|comply|continue|fulfill|fulfil|do|provide (?:assistance|help))(?: you)?(?: with)?(?: that| this)?"
    r"(?: request| task)?\.?(?: (?:if|is there|please|feel|let me)[^\n]{0,200})?$"
)
_UNREADABLE = _SPEAKER + (
    r"(?i:\d+ validation errors?\b|\w*(?:validation|jsondecode|parse|parser|parsing)\s?(?:error|exception)\b"
    r"|(?:invalid|malformed|incorrect|incomplete|wrong) (?:or \w+ )?"
    r"(?:json|yaml|xml|format|output|response format|tool call|arguments?)\b"
    r"|(?:could not|couldn['\u2019]t|cannot|can['\u2019]t|failed to|unable to) (?:parse|decode|deserialize)\b"
    r"|(?:your|the) (?:last |previous )?(?:output|response|reply|answer|message) (?:was|is) not "
    r"(?:valid|formatted|in the|a valid|properly)"
    r"|(?:i )?(?:don['\u2019]t|do not|did not|didn['\u2019]t) understand your (?:input|output|response))"
)
_ASKS_FOR_FIX = r"(?i)\bfix the errors? and try again\b|\bcorrect your json\b"
_TOOL_ERROR = (
    r"(?i)^\W*(?:\w+\W+)?(?:\w*error\b|\w*exception\b|traceback \(|failed\b|failure\b|invalid\b|is_error\W+true)"
)
_CODE_ERROR = r"(?:Traceback \(most recent call last\)|^[\W_]*(?:\w+:\s*)?\w*(?:Error|Exception): )"
_HOLDS_CODE = r"```|<(?:execute|code|python)>"
_SAYS_WRONG = _SPEAKER + (
    r"(?i:(?:no|sorry|hm+|wrong)?[,.!]?\s*(?:"
    r"(?:your|the) (?:last |previous )?(?:answer|response|reply|output|solution|result) (?:is|was) "
    r"(?:wrong|incorrect|not (?:right|correct))"
    r"|that(?:['\u2019]?s| is| was) (?:wrong|incorrect|not (?:right|correct|true|what i (?:asked|meant|wanted|said)))"
    r"|you (?:misunderstood|got (?:it|that) wrong|made a mistake)"
    r"|das (?:ist|war) (?:falsch|nicht richtig|nicht korrekt)|das stimmt nicht"
    r"|c['\u2019]est (?:faux|incorrect)|ce n['\u2019]est pas (?:correct|juste|ce que)"
    r"|eso (?:no es correcto|es incorrecto|está mal)"
    r"))"
)


def answer_is_usable() -> pl.Expr:
    """Return the expression over ``CallsTable`` that is true where the answer may be learned from."""
    return (pl.col("status") == "ok") & pl.col("corrected").is_null()


def failure() -> pl.Expr:
    """Return the expression over ``CallsTable`` with what went wrong, a word of ``tables.FAILURES``; null: nothing."""
    return pl.when(pl.col("status") != "ok").then("status").otherwise("corrected")


def mark_failures(calls: Calls) -> Calls:
    """Return the calls with ``corrected`` and ``corrected_reason`` filled and refusals in prose in ``status``.

    ``retried``: the answer was thrown away, because the same prompt was sent again in the session (else the trace)
    within ``RETRY_WITHIN_S`` after it ended and this answer was used nowhere, or because another answer stands in its
    place in the later conversation. The last of a run is the one that was kept; an equal answer corrects nothing;
    repeats in other sessions are no retries. ``repaired``: the next prompt of the conversation holds the answer and
    then an error in its form, a tool that refused its arguments and was called with others, an error raised by its
    code, or a sentence that says it is wrong (English, German, French, Spanish). A refusal is a short answer that says
    nothing but that the model can't help; a rule of the business that is told to a customer is none.

    :param calls: The calls of a log, redacted, with texts.
    """
    refused = _refusals(calls)
    status = pl.when((pl.col("status") == "ok") & pl.col("answer_id").is_in(refused.implode())).then(pl.lit("refusal"))
    frame = calls.calls.with_columns(status=status.otherwise("status"))
    slim = frame.select(
        "call_id", "prompt_key", "answer_id", "status", "started_at", "latency_ms", "message_ids", "tool_calls",
        unit=pl.coalesce("session_id", "trace_id"),
    )  # fmt: skip
    found = pl.concat([_retried(slim), _repaired(slim, calls.messages)]).unique("call_id", keep="first")
    marked = frame.drop("corrected", "corrected_reason").join(found, on="call_id", how="left", maintain_order="left")
    return replace(calls, calls=checked(CallsTable, marked))


def _refusals(calls: Calls) -> pl.Series:
    """Return ids of the answers that refuse in prose and do nothing else."""
    bare = calls.calls.filter(pl.col("tool_calls").list.len() == 0).get_column("answer_id")
    short = calls.messages.filter(
        (pl.col("role") == "assistant")
        & (pl.col("n_chars") <= _SHORT_ANSWER)
        & pl.col("message_id").is_in(bare.drop_nulls().implode())
    )
    refuses = pl.col("text").str.strip_chars().str.contains(_REFUSES)
    return short.filter(refuses).get_column("message_id")


def _retried(slim: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, corrected, corrected_reason`` of the calls whose prompt was sent again."""
    failed = pl.col("status") != "ok"
    end = pl.col("started_at") + pl.duration(microseconds=(pl.col("latency_ms").fill_null(0) * 1_000).cast(pl.Int64))
    unit = pl.coalesce("unit", pl.lit(""))
    groups = (
        slim.filter(pl.col("prompt_key").is_not_null())
        .with_columns(unit=unit, timed=pl.col("started_at").is_not_null(), end=end)
        .sort("unit", "started_at", "call_id", nulls_last=True)
        .with_columns(place=pl.int_range(pl.len()).over("unit"))
        .filter(pl.len().over("unit", "prompt_key") > 1)
    )
    groups = groups.with_columns(
        used=_used(slim, groups),
        tries=pl.len().over("unit", "prompt_key"),
        any_ok=(~failed).any().over("unit", "prompt_key"),
    ).with_columns(
        *[pl.col(name).shift(-1).over("unit", "prompt_key").alias(f"next_{name}")
          for name in ("place", "started_at", "answer_id", "status")],
        later_used=pl.col("used").cast(pl.Int8).reverse().cum_max().reverse().shift(-1).over("unit", "prompt_key") == 1,
    )  # fmt: skip
    wait = (pl.col("next_started_at") - pl.col("end")).dt.total_microseconds() / 1_000_000
    begun = (pl.col("next_started_at") > pl.col("started_at")) | failed
    follows = pl.col("timed") & begun & (pl.col("latency_ms").is_null() | (wait >= -_CLOCK_S))
    loose = pl.col("unit") == ""
    other = ~pl.col("answer_id").eq_missing(pl.col("next_answer_id"))
    soon = follows & (wait <= RETRY_WITHIN_S)
    after_failure = failed & (
        pl.when(loose)
        .then(follows & (wait <= LOOSE_RETRY_WITHIN_S))
        .otherwise(soon | (~pl.col("timed") & pl.col("any_ok")))
    )
    at_once = (pl.col("next_place") == pl.col("place") + 1) & (pl.col("tries") <= MOST_TRIES)
    again = ~failed & ~loose & ~pl.col("used") & soon & other & (pl.col("next_status") == "ok") & at_once
    replaced = ~failed & ~loose & ~pl.col("used") & follows & other & pl.col("later_used")
    return (
        groups.with_columns(
            corrected_reason=pl.when(after_failure)
            .then(pl.lit(FAILED_AND_SENT_AGAIN))
            .when(replaced)
            .then(pl.lit(REPLACED))
            .when(again)
            .then(pl.lit(SENT_AGAIN)),
            corrected=pl.lit("retried"),
        )
        .drop_nulls("corrected_reason")
        .select("call_id", "corrected", "corrected_reason")
    )


def _used(slim: pl.DataFrame, groups: pl.DataFrame) -> pl.Series:
    """Return for each row whether its answer stands in some prompt of its unit."""
    units = slim.with_columns(unit=pl.coalesce("unit", pl.lit(""))).join(
        groups.select("unit").unique(), on="unit", how="semi"
    )
    standing = (
        units.select("unit", pl.col("message_ids").alias("answer_id"))
        .drop_nulls()
        .explode("answer_id", empty_as_null=False)
        .join(groups.select("unit", "answer_id").unique(), on=["unit", "answer_id"], how="semi")
        .unique()
        .with_columns(stands=pl.lit(value=True))
    )
    joined = groups.select("unit", "answer_id").join(
        standing, on=["unit", "answer_id"], how="left", maintain_order="left"
    )
    return joined.get_column("stands").fill_null(value=False)


def _repaired(slim: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Return ``call_id, corrected, corrected_reason`` of the calls whose answer the next prompt finds fault with."""
    said = _judged_messages(messages)
    follow_ups = (
        slim.select("unit", follow_up="call_id", message_id=pl.col("message_ids").list.tail(_TAIL + 1))
        .drop_nulls("message_id")
        .with_columns(size=pl.col("message_id").list.len())
        .explode("message_id", empty_as_null=False)
        .join(said, on="message_id", how="left", maintain_order="left")
        .with_columns(at=pl.int_range(pl.len()).over("follow_up"))
        .with_columns(last=pl.col("at").filter(pl.col("assistant")).max().over("follow_up"))
        .filter((pl.col("at") >= pl.col("last")) & (pl.col("size") > pl.col("last") + 1))
    )
    verdicts = follow_ups.group_by("unit", "follow_up").agg(
        answer_id=pl.col("message_id").filter(pl.col("at") == pl.col("last")).first(),
        **{name: pl.col(name).filter(pl.col("at") > pl.col("last")).any() for name in _FAULTS},
    )
    verdicts = verdicts.filter(pl.any_horizontal(*_FAULTS))
    answers = slim.filter(pl.col("answer_id").is_in(verdicts.get_column("answer_id").implode()))
    holds_code = messages.filter(
        pl.col("message_id").is_in(answers.get_column("answer_id").implode()) & pl.col("text").str.contains(_HOLDS_CODE)
    ).get_column("message_id")
    called = answers.select("unit", "answer_id", "call_id", "message_ids", first_calls="tool_calls")
    pairs = (
        verdicts.join(
            slim.select(follow_up="call_id", next_prompt="message_ids", next_calls="tool_calls"), on="follow_up"
        )
        .join(called, on=["unit", "answer_id"], nulls_equal=True)
        .filter(pl.col("call_id") != pl.col("follow_up"))
        .filter(pl.col("unit").is_not_null() | _continues())
    )
    no_call = pl.col("first_calls").list.len() == 0
    reason = (
        pl.when("unreadable")
        .then(pl.lit(UNREADABLE))
        .when("fix")
        .then(pl.lit(ASKED_TO_FIX))
        .when(pl.col("tool_error") & ~no_call & _called_otherwise())
        .then(pl.lit(TOOL_REFUSED))
        .when(pl.col("code_error") & no_call & pl.col("answer_id").is_in(holds_code.implode()))
        .then(pl.lit(CODE_FAILED))
        .when("wrong")
        .then(pl.lit(SAID_WRONG))
    )
    return (
        pairs.with_columns(corrected=pl.lit("repaired"), corrected_reason=reason)
        .drop_nulls("corrected_reason")
        .sort("call_id", "corrected_reason")
        .unique("call_id", keep="first", maintain_order=True)
        .select("call_id", "corrected", "corrected_reason")
    )


_FAULTS = ("unreadable", "fix", "tool_error", "code_error", "wrong")


def _judged_messages(messages: pl.DataFrame) -> pl.DataFrame:
    """Return by message what its head says of the answer before it; a system message is never heard on that."""
    head = pl.col("text").str.slice(0, _HEAD_CHARS)
    by_tool, by_user = pl.col("role") == "tool", pl.col("role") == "user"
    heard = by_tool | by_user
    return messages.select(
        "message_id",
        assistant=pl.col("role") == "assistant",
        unreadable=(heard & head.str.contains(_UNREADABLE)).fill_null(value=False),
        fix=(heard & head.str.contains(_ASKS_FOR_FIX)).fill_null(value=False),
        tool_error=(by_tool & head.str.contains(_TOOL_ERROR)).fill_null(value=False),
        code_error=(heard & head.str.contains(_CODE_ERROR)).fill_null(value=False),
        wrong=(by_user & head.str.contains(_SAYS_WRONG)).fill_null(value=False),
    )


def _continues() -> pl.Expr:
    """Tell, where no session is known, whether the later prompt begins with the earlier one and its answer."""
    depth = pl.col("message_ids").list.len()
    begins = pl.col("next_prompt").list.head(depth).list.join(",") == pl.col("message_ids").list.join(",")
    return (begins & (pl.col("next_prompt").list.get(depth, null_on_oob=True) == pl.col("answer_id"))).fill_null(
        value=False
    )


def _called_otherwise() -> pl.Expr:
    """Tell whether the next answer calls one of the same tools, and with other arguments."""
    names = pl.element().struct.field("name")
    shared = pl.col("first_calls").list.eval(names).list.set_intersection(pl.col("next_calls").list.eval(names))
    return (shared.list.len() > 0) & (pl.col("first_calls") != pl.col("next_calls"))
