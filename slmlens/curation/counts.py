"""What redaction found, counted from the placeholders that it left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from slmlens.curation.spans import PLACEHOLDER, not_covered


def placeholder_counts(messages: pl.DataFrame) -> dict[str, int]:
    """Return how many placeholders of each kind stand in the distinct messages, by falling count.

    :param messages: ``MessagesTable``; messages whose text was not kept count as none.
    """
    found = (
        messages.select(pl.col("text").str.extract_all(PLACEHOLDER.pattern).alias("placeholder"))
        .explode("placeholder", empty_as_null=True)
        .drop_nulls()
        .select(pl.col("placeholder").str.extract(PLACEHOLDER.pattern, 1).alias("kind"))
        .group_by("kind")
        .agg(pl.len().alias("n"))
        .sort(["n", "kind"], descending=[True, False])
    )
    return dict(found.rows())


def redaction_facts(messages: pl.DataFrame, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary's block on redaction.

    :param messages: ``MessagesTable``.
    :param facts: Of the run: ``text_kept`` if it differs from the setting, ``redaction_recall`` if it was measured.
    :param settings: ``redact``, ``keep_text`` and ``names`` of :class:`slmlens.settings.Settings`.
    """
    return {
        "enabled": settings["redact"],
        "text_kept": facts.get("text_kept", settings["keep_text"]),
        "counts": placeholder_counts(messages),
        "not_covered": not_covered(names=settings["names"]),
        "recall": facts.get("redaction_recall"),
    }
