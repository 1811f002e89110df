"""What the summary says of an earlier run's tasks, and of how far the rule that places calls can be trusted."""

from __future__ import annotations

from typing import Any

from slmlens.reporting.text import counted
from slmlens.results import Tasks

CHANGES = {
    "kept": "kept",
    "split": "split off",
    "merged": "merged by the data",
    "new": "new",
    "gone": "gone",
}
"""Change: its words in a sentence."""

_LISTED = 8

Json = dict[str, Any]


def lineage_record(tasks: Tasks) -> Json | None:
    """Return the summary's ``lineage``: counts, and every task that is not simply kept; None without an earlier run.

    Tasks of this log have the names that people gave them.
    """
    if tasks.lineage is None:
        return None
    names = dict(tasks.tasks.select("task_id", "name").rows())
    rows = [{**row, "name": names.get(row["task_id"], row["name"])} for row in tasks.lineage.to_dicts()]
    return {
        "counts": {change: sum(row["change"] == change for row in rows) for change in CHANGES},
        "changes": [
            {**row, "likeness": None if row["likeness"] is None else round(row["likeness"], 4)}
            for row in rows
            if row["change"] != "kept"
        ],
    }


def tasks_in_words(tasks: Tasks) -> list[str]:
    """Return sentences on the rule that places calls, and on what became of an earlier run's tasks."""
    return [*_rule_words(tasks), *_lineage_words(tasks)]


def _rule_words(tasks: Tasks) -> list[str]:
    agreement = tasks.task_set.agreement if tasks.task_set is not None else None
    if agreement is None:
        return []
    said = (
        f"Found on half of the sessions, the tasks place {_percent(agreement.same)} of the other half's calls as the "
        f"whole log does (adjusted mutual information {agreement.ami:.2f}, mean of {agreement.fits} halvings)."
    )
    return [said]


def _lineage_words(tasks: Tasks) -> list[str]:
    record = lineage_record(tasks)
    if record is None:
        return []
    told = ", ".join(f"{record['counts'][change]} {words}" for change, words in CHANGES.items())
    lines = [f"Task ids come from an earlier run: {told}.", *map(_change_words, record["changes"][:_LISTED])]
    if len(record["changes"]) > _LISTED:
        lines.append(f"{counted(len(record['changes']) - _LISTED, 'further change')} in lineage.parquet.")
    return lines


def _change_words(row: Json) -> str:
    calls = counted(row["n_calls"], "call")
    if row["change"] == "gone":
        return f"Gone since the earlier run: {row['earlier_name']}."
    if row["change"] == "new":
        return f"New since the earlier run: {row['name']} ({calls})."
    if row["change"] == "split":
        return f"Split off from {row['earlier_name']} by the data: {row['name']} ({calls})."
    return f"Merged by the data: {row['earlier_name']} into {row['name']} ({calls})."


def _percent(share: float) -> str:
    """Whole percents, but never 100 % for less than all."""
    return f"{share:.0%}" if share in (0.0, 1.0) or 0.005 <= share < 0.995 else f"{share:.1%}"  # noqa: PLR2004 - where rounding would lie
