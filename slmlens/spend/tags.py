"""Spend by a cost-allocation tag, such as a team or a project, that the log carries as ``key:value``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from slmlens.errors import ContractError, SettingError

_LISTED = 8

_PROJECT = "project"
"""Where no call has a tag of this key, the declared service or project of a call is its value."""


@dataclass(frozen=True)
class TagTotals:
    """Money by the values of one tag.

    :param key: The tag.
    :param totals: ``value`` (null: untagged), ``n_calls``, ``priced_calls``, ``spend_nusd``, ``runrate_nusd``; the
        dearest first, untagged last. The spend adds up to all priced spend, to the nano-dollar.
    :param by_task: ``value``, ``task_id`` (null: in no task), ``n_calls``, ``spend_nusd``; likewise.
    """

    key: str
    totals: pl.DataFrame
    by_task: pl.DataFrame


def tag_totals(calls: pl.DataFrame, assignments: pl.DataFrame, key: str) -> TagTotals:
    """Return what each value of a tag costs.

    A call with several values of the tag is a line of its own (``search + support``), so that nothing counts twice.

    :param calls: ``CallsTable``, priced.
    :param assignments: ``AssignmentsTable``; one row a call.
    :param key: The tag's key, as the log has it.
    :raises SettingError: If no call carries the tag.
    """
    check_tag(calls, key)
    tagged = calls.with_columns(tag_value(key).alias("value"))
    if key == _PROJECT and tagged.get_column("value").count() == 0:
        tagged = tagged.with_columns(value="service")
    placed = tagged.join(assignments.select("call_id", "task_id"), on="call_id", how="left", maintain_order="left")
    found = TagTotals(key, _summed(placed, ["value"]), _summed(placed, ["value", "task_id"]))
    for table in (found.totals, found.by_task):
        if int(table.get_column("spend_nusd").sum()) != int(calls.get_column("spend_nusd").sum()):
            raise ContractError("the money by tag does not add up to what was imported", where="tags")
    return found


def check_tag(calls: pl.DataFrame, key: str | None) -> None:
    """Refuse a tag that no call carries; None is no tag.

    :raises SettingError: If no call carries it; names the tags that there are.
    """
    keys = [] if key is None else tag_keys(calls)
    if key is not None and key not in keys:
        listed = ", ".join(keys[:_LISTED]) + (f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else "")
        raise SettingError(
            f"no call carries the tag {key!r}",
            where="tag",
            next_step=f"use one of: {listed}" if keys else "the log has no tags of the form key:value; leave --tag out",
        )


def tag_keys(calls: pl.DataFrame) -> list[str]:
    """Return the keys of all tags of the form ``key:value``, the commonest first; ``project`` also without a tag."""
    tags = calls.get_column("tags").explode(empty_as_null=True).drop_nulls().to_list()
    counted = Counter(tag.partition(":")[0] for tag in tags if ":" in tag.strip(":"))
    declared = calls.get_column("service").count()
    if declared and _PROJECT not in counted:
        counted[_PROJECT] = declared
    return [key for key, _ in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))]


def tag_value(key: str) -> pl.Expr:
    """Return, over ``CallsTable``, the value of a tag; several as ``a + b``, null where there is none."""
    head = f"{key}:"
    values = (
        pl.col("tags")
        .list.eval(pl.element().filter(pl.element().str.starts_with(head)).str.strip_prefix(head).str.strip_chars())
        .list.eval(pl.element().filter(pl.element() != ""))
        .list.unique()
        .list.sort()
    )
    return pl.when(values.list.len() > 0).then(values.list.join(" + "))


def _summed(placed: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    return (
        placed.group_by(by)
        .agg(
            pl.len().cast(pl.Int64).alias("n_calls"),
            pl.col("spend_nusd").count().cast(pl.Int64).alias("priced_calls"),
            pl.col("spend_nusd").sum(),
            pl.col("runrate_nusd").sum(),
        )
        .sort(
            pl.col("value").is_null(),
            -pl.col("spend_nusd"),
            *by,
            nulls_last=True,
        )
    )
