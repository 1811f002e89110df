"""The parts of a prompt that can carry a skeleton, and the recurrence units of a call.

Parts: the leading **system** messages, the **tools** on offer, the **first** message after the system messages, and the
**last** message where the prompt has grown past the first and a person or program (not a tool) wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from slmlens.results import Calls
from slmlens.tasks.shingles import PLACEHOLDER, stable_hash

PARTS = ("system", "tools", "first", "last")
"""Part names; their index is the part code used in :class:`slmlens.tasks.corpus.Corpus`."""

SYSTEM_ROLES = ("system", "developer")
MAX_SYSTEM_MESSAGES = 4

_BETWEEN = "\x1e"


@dataclass(frozen=True)
class Prompts:
    """Distinct prompts ("variants") of a log and who used them.

    :param variants: One row a variant, sorted by content: ``partition``, ``system`` (list of message ids), ``tools``
        (list of names), ``first``, ``last`` (message ids or null), ``content`` (code of the slot content: the same
        system and first message), ``key`` (what it is sorted by; the same in each run).
    :param calls: One row a call, in the order of the calls table: ``call_id``, ``partition``, ``declared_step``,
        ``variant`` (row in variants, null when the log holds no prompt), ``unit`` (code of ``unit_id``), ``unit_id``,
        ``unit_kind`` (session, trace or slot), ``content_id`` (its slot content; null without a prompt).
    """

    variants: pl.DataFrame
    calls: pl.DataFrame


def prompts_of(calls: Calls, *, k_task: int = 3) -> Prompts:
    """Return the distinct prompts of the calls and the recurrence unit of every call.

    :param k_task: Units that make a task; a declared step seen in fewer units is treated as undeclared.
    """
    parts = _with_prints(prompt_parts(calls.calls, calls.messages), calls.messages)
    table = (
        calls.calls.select(
            "call_id",
            _unit_id(),
            _unit_kind(),
            pl.col("tool_names_offered").list.unique().list.sort().alias("tools"),
            "service",
            "step",
        )
        .join(parts, on="call_id", how="left", maintain_order="left")
        .with_columns(_front=pl.concat_str("_system", "_first", separator="#", ignore_nulls=True))
        .with_columns(content_id=pl.lit("slot:") + pl.col("_front"))
        .with_columns(unit_id=pl.coalesce("unit_id", "content_id", pl.lit("call:") + pl.col("call_id")))
    )
    table = _with_partition(table, k_task)
    key = ["partition", "system", "tools", "first", "last"]
    named = table.with_columns(
        _key=pl.concat_str(
            pl.col("partition"),
            pl.col("_system").fill_null(""),
            pl.col("tools").list.join("|"),
            pl.col("_first").fill_null(""),
            pl.col("_last").fill_null(""),
            separator="\x1f",
        )
    )
    variants = (
        named.filter(pl.col("_front").is_not_null() & (pl.col("_front") != ""))
        .unique("_key", keep="first", maintain_order=True)
        .sort("_key")
        .with_columns(content=pl.col("_front").rank("dense").cast(pl.Int64) - 1)
        .with_row_index("variant")
    )
    rows = named.join(
        variants.select("_key", pl.col("variant").cast(pl.Int64)), on="_key", how="left", maintain_order="left"
    )
    units = rows.select(
        "call_id",
        "partition",
        "declared_step",
        "variant",
        pl.col("unit_id").rank("dense").cast(pl.Int64).sub(1).alias("unit"),
        "unit_id",
        "unit_kind",
        "content_id",
    )
    return Prompts(variants.select(*key, "content", key="_key"), units)


def _with_prints(parts: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Add ``_system, _first, _last``: hashes of the texts that are blind to redacted values.

    Message ids change with the key of the redaction; these don't, so that a log gives the same tasks in each run.
    """
    used = pl.concat(
        [
            parts.select(pl.col("system").explode().alias("message_id")),
            *(parts.select(message_id=n) for n in ("first", "last")),
        ]
    )
    spoken = messages.join(used.unique(), on="message_id", how="semi").select(
        "message_id", text=pl.col("text").fill_null("").str.replace_all(PLACEHOLDER, "<$1>")
    )
    prints = {i: f"{stable_hash(text):016x}" for i, text in spoken.rows()}
    blind = pl.element().replace_strict(prints, return_dtype=pl.String, default=None)
    return parts.with_columns(
        _system=pl.col("system").list.eval(blind).list.join("|"),
        _first=pl.col("first").replace_strict(prints, return_dtype=pl.String, default=None),
        _last=pl.col("last").replace_strict(prints, return_dtype=pl.String, default=None),
    )


def declared(partition: str) -> tuple[str | None, str | None]:
    """Return the declared service and step of a partition."""
    service, _, step = partition.partition(_BETWEEN)
    return service or None, step or None


def _unit_id() -> pl.Expr:
    session = pl.lit("session:") + pl.col("session_id")
    return pl.coalesce(session, pl.lit("trace:") + pl.col("trace_id")).alias("unit_id")


def _unit_kind() -> pl.Expr:
    return (
        pl.when(pl.col("session_id").is_not_null())
        .then(pl.lit("session"))
        .when(pl.col("trace_id").is_not_null())
        .then(pl.lit("trace"))
        .otherwise(pl.lit("slot"))
        .alias("unit_kind")
    )


def _with_partition(table: pl.DataFrame, k_task: int) -> pl.DataFrame:
    """Add ``partition``: service and declared step, the step only where at least ``k_task`` units use it."""
    used = table.group_by("service", "step").agg(pl.col("unit_id").n_unique().alias("_units"))
    return (
        table.join(used, on=["service", "step"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(declared_step=pl.when(pl.col("_units") >= k_task).then(pl.col("step")))
        .with_columns(
            partition=pl.concat_str(
                pl.col("service").fill_null(""), pl.col("declared_step").fill_null(""), separator=_BETWEEN
            )
        )
        .drop("_units")
    )


def prompt_parts(calls: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Return the parts of the calls that have a prompt.

    :returns: ``call_id``, ``system`` (list of message ids), ``first`` and ``last`` (message id or null).
    """
    spoken = (
        calls.filter(pl.col("message_ids").is_not_null())
        .select(
            "call_id",
            pl.col("message_ids").alias("message_id"),
            pl.int_ranges(pl.col("message_ids").list.len()).alias("at"),
        )
        .filter(pl.col("message_id").list.len() > 0)
        .explode("message_id", "at")
        .join(messages.select("message_id", "role"), on="message_id", how="left", maintain_order="left")
        .with_columns(is_system=pl.col("role").is_in(SYSTEM_ROLES))
    )
    first_at = spoken.filter(~pl.col("is_system")).group_by("call_id").agg(first_at=pl.col("at").min())
    placed = spoken.join(first_at, on="call_id", how="left", maintain_order="left")
    leading = pl.col("is_system") & (pl.col("at") < pl.col("first_at").fill_null(1 << 30))
    instructs = pl.col("role").is_in((*SYSTEM_ROLES, "user"))
    return placed.group_by("call_id", maintain_order=True).agg(
        system=pl.col("message_id").filter(leading).head(MAX_SYSTEM_MESSAGES),
        first=pl.col("message_id").filter(pl.col("at") == pl.col("first_at")).first(),
        last=pl.col("message_id")
        .filter((pl.col("at") == pl.col("at").max()) & (pl.col("at") > pl.col("first_at")) & instructs)
        .first(),
    )
