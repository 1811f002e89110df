"""What redaction found, counted from the placeholders that it left."""

from __future__ import annotations

import polars as pl

from slmlens.curation.spans import PLACEHOLDER


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
