"""Tokens where the log has none: bytes of text over a bytes-per-token ratio fitted on the log itself."""

from __future__ import annotations

import polars as pl

DEFAULT_BYTES_PER_TOKEN = 3.9
"""UTF-8 bytes per token where a log has no usage at all. OpenAI's rule of thumb for English is 4 characters a token
(help.openai.com, "What are tokens and how to count them?"); agent prompts, with their framing and JSON, lie below:
AutoGPT's 440 recorded calls (Auto-GPT-test-cassettes, MIT) have 3.97, ChatDev's 1,040 have 3.42."""

MIN_ROWS = 5
"""Rows with usage that a model needs for its own ratio; a handful of short calls is mostly framing."""


def estimate_tokens(calls: pl.DataFrame) -> pl.DataFrame:
    """Fill missing token counts from the size of the texts, and mark the rows where that was done.

    The ratio is that of the calls of the same model in the same format that have usage, else of all calls of the
    format with usage, else :data:`DEFAULT_BYTES_PER_TOKEN`. A failed call, or one without the text in question, stays
    unknown.

    :param calls: Columns ``format``, ``model``, ``status``, ``input_tokens``, ``output_tokens``, ``reasoning_tokens``
        and ``prompt_bytes``, ``answer_bytes`` (null where the log holds no such text).
    :returns: The frame with both counts filled and the column ``tokens_estimated``.
    """
    visible = pl.col("output_tokens") - pl.col("reasoning_tokens").fill_null(0)
    ratios = calls.with_columns(
        _ratio("prompt_bytes", pl.col("input_tokens")).alias("_in"), _ratio("answer_bytes", visible).alias("_out")
    )
    answered = pl.col("status") != "error"
    fill_in = pl.col("input_tokens").is_null() & pl.col("prompt_bytes").is_not_null() & answered
    fill_out = pl.col("output_tokens").is_null() & pl.col("answer_bytes").is_not_null() & answered
    return ratios.with_columns(
        pl.when(fill_in).then(_tokens("prompt_bytes", "_in")).otherwise(pl.col("input_tokens")).alias("input_tokens"),
        pl.when(fill_out)
        .then(_tokens("answer_bytes", "_out"))
        .otherwise(pl.col("output_tokens"))
        .alias("output_tokens"),
        (fill_in | fill_out).alias("tokens_estimated"),
    ).drop("_in", "_out")


def _tokens(size: str, ratio: str) -> pl.Expr:
    return (pl.col(size) / pl.col(ratio)).ceil().cast(pl.Int64)


def _ratio(size: str, tokens: pl.Expr) -> pl.Expr:
    usable = (tokens > 0) & (pl.col(size) > 0)
    own = _fitted(size, tokens, usable, ["format", "model"], at_least=MIN_ROWS)
    known = pl.col("model").is_not_null()
    shared = _fitted(size, tokens, usable, ["format"], at_least=1)
    return pl.coalesce(pl.when(known).then(own), shared, pl.lit(DEFAULT_BYTES_PER_TOKEN))


def _fitted(size: str, tokens: pl.Expr, usable: pl.Expr, group: list[str], *, at_least: int) -> pl.Expr:
    total = pl.when(usable).then(pl.col(size)).sum().over(group) / pl.when(usable).then(tokens).sum().over(group)
    return pl.when(usable.fill_null(value=False).sum().over(group) >= at_least).then(total)
