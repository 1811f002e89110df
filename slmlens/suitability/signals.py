"""Signals of a task in one pass over its calls: what a log shows of its answers, prompts, tools and failures."""

from __future__ import annotations

import polars as pl

from slmlens.curation.failures import answer_is_usable, failure
from slmlens.results import Tasks
from slmlens.suitability.present import present_calls
from slmlens.suitability.priors import CHARS_PER_TOKEN
from slmlens.suitability.tool_names import acts_on_the_world

MAX_CHARS = 4_000
"""Longest text whose words are compared for copying."""
_MEDIA = r"(?m)^\[(?:image|audio|video)\]$"
_SECONDS_PER_DAY = 86_400


def task_signals(tasks: Tasks) -> pl.DataFrame:
    """Return one row a task: ``task_id`` and one Float64 column a signal (null: the log does not show it).

    ``output_tokens_*`` and ``input_tokens_*`` as logged, ``output_chars_mean``, ``reasoning_tokens_mean``,
    ``cached_share`` of input tokens, ``turn_depth`` (messages a prompt), ``tools_offered``, ``tools_chosen`` (number),
    ``tool_entropy`` (bits), ``tool_call_share``, ``parallel_share``, ``side_effect_share`` (calls that call a tool
    which acts on the world, see ``tool_names``; null: none calls any tool), ``copy_coverage`` (share of the answer's
    words found in the prompt's last message), ``media_share`` (prompts with an image, audio or video),
    ``failure_share``, ``calls``, ``calls_per_day``.
    Of an edited prompt all but the last three are taken after the edit.

    What is not whole is sorted before it is summed, so that the order of rows never shows, not even in the last digit.
    """
    owner = tasks.assignments.drop_nulls("task_id").select("call_id", "task_id")
    calls = tasks.calls.calls.join(owner, on="call_id")
    present = calls.join(present_calls(tasks), on="call_id", how="semi")
    usable = present.filter(answer_is_usable())
    frames = [_volume(calls), _tokens(usable), _tools(usable), _copying(usable, tasks.calls.messages)]
    frames.append(_media(present, tasks.calls.messages))
    signals = tasks.tasks.select("task_id").sort("task_id")
    for frame in frames:
        signals = signals.join(frame, on="task_id", how="left")
    return signals.with_columns(pl.exclude("task_id").cast(pl.Float64))


def called_tools(tasks: Tasks, k_show: int) -> pl.DataFrame:
    """Return one row a task and tool that its usable calls call, the most called first.

    Columns: ``task_id, name``, ``share`` of the calls, whether the tool ``acts`` on the world (``tool_names``), and
    whether its name may be ``shown``: the log declares it in such a call, so that it is no invention of an answer, and
    ``k_show`` subjects (users where logged, else recurrence units) have one, so that it tells nothing of one person.
    """
    usable = tasks.calls.calls.join(present_calls(tasks), on="call_id").filter(answer_is_usable())
    declared = pl.col("name").is_in(pl.col("tool_names_offered"))
    subjects = usable.select("call_id", "tool_names_offered", subject=pl.coalesce("user_id", "unit_id"))
    return (
        _chosen(usable)
        .join(subjects, on="call_id")
        .group_by("task_id", "name", "acts")
        .agg(
            n=pl.col("call_id").n_unique(),
            shown=pl.col("subject").filter(declared).n_unique() >= k_show,
        )
        .join(usable.group_by("task_id").agg(of=pl.len()), on="task_id")
        .sort("task_id", "n", "name", descending=[False, True, False])
        .select("task_id", "name", "acts", "shown", share=pl.col("n") / pl.col("of"))
    )


def failure_census(tasks: Tasks) -> pl.DataFrame:
    """Return ``task_id, status, n``: the calls of each task that failed, by how; the bar that an SLM has to beat.

    ``status`` is a word of ``tables.FAILURES``: an answer that came back and was corrected afterwards is one too.
    """
    owner = tasks.assignments.drop_nulls("task_id").select("call_id", "task_id")
    failed = tasks.calls.calls.select("call_id", status=failure()).drop_nulls("status").join(owner, on="call_id")
    return failed.group_by("task_id", "status").agg(n=pl.len().cast(pl.Int64)).sort("task_id", "status")


def output_tokens(row: dict[str, float | None]) -> float:
    """Return the mean output tokens of a row of :func:`task_signals`, from characters where the log has no usage."""
    logged = row["output_tokens_mean"]
    return logged if logged is not None else (row["output_chars_mean"] or 1.0) / CHARS_PER_TOKEN


def turn_depth(row: dict[str, float | None]) -> float:
    """Return the mean number of messages in a prompt of a row of :func:`task_signals`; 1 where it is unknown."""
    return row["turn_depth"] or 1.0


def _volume(calls: pl.DataFrame) -> pl.DataFrame:
    span = (pl.col("started_at").max() - pl.col("started_at").min()).dt.total_seconds() / _SECONDS_PER_DAY
    return calls.group_by("task_id").agg(
        calls=pl.len(),
        failure_share=(~answer_is_usable()).mean(),
        calls_per_day=pl.when(span > 0).then(pl.col("started_at").count() / span),
    )


def _tokens(usable: pl.DataFrame) -> pl.DataFrame:
    out, cached = pl.col("output_tokens"), pl.col("cached_tokens")
    return (
        usable.group_by("task_id")
        .agg(
            output_tokens_mean=out.mean(),
            output_tokens_p95=out.quantile(0.95, "higher"),
            output_tokens_cv=pl.when(out.mean() > 0).then(out.sort().std() / out.mean()),
            input_tokens_mean=pl.col("input_tokens").mean(),
            input_tokens_p99=pl.col("input_tokens").quantile(0.99, "higher"),
            reasoning_tokens_mean=pl.col("reasoning_tokens").mean(),
            cached_share=cached.sum() / pl.col("input_tokens").filter(cached.is_not_null()).sum(),
            turn_depth=pl.col("message_ids").list.len().mean(),
        )
        .with_columns(pl.col("cached_share").fill_nan(None))
    )


def _tools(usable: pl.DataFrame) -> pl.DataFrame:
    n_calls = pl.col("tool_calls").list.len()
    per_task = usable.group_by("task_id").agg(
        tools_offered=pl.col("tool_names_offered").list.len().mean(),
        tool_call_share=(n_calls > 0).mean(),
        parallel_share=(n_calls > 1).mean(),
        n=pl.len(),
    )
    chosen = _chosen(usable)
    of_names = chosen.group_by("task_id", "name").len()
    share = pl.col("len") / pl.col("len").sum()
    of_tools = of_names.group_by("task_id").agg(
        tools_chosen=pl.len(), tool_entropy=-(share * share.log(2)).sort().sum()
    )
    acting = chosen.filter("acts").group_by("task_id").agg(acting=pl.col("call_id").n_unique())
    return (
        per_task.join(of_tools, on="task_id", how="left")
        .join(acting, on="task_id", how="left")
        .with_columns(
            side_effect_share=pl.when(pl.col("tools_chosen") > 0).then(pl.col("acting").fill_null(0) / pl.col("n"))
        )
        .drop("n", "acting")
    )


def _chosen(usable: pl.DataFrame) -> pl.DataFrame:
    """Return one row a tool call: ``task_id, call_id, name``, and whether a tool of that name ``acts``."""
    chosen = (
        usable.select("task_id", "call_id", "tool_calls")
        .filter(pl.col("tool_calls").list.len() > 0)
        .explode("tool_calls")
        .select("task_id", "call_id", name=pl.col("tool_calls").struct.field("name"))
    )
    acting = [name for name in chosen.get_column("name").unique().drop_nulls() if acts_on_the_world(name)]
    return chosen.with_columns(acts=pl.col("name").is_in(acting).fill_null(value=False))


def _copying(usable: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Words of the answer that stand in the prompt's last message; counted once for each distinct pair of messages."""
    pairs = usable.select("task_id", "answer_id", prompt_id=pl.col("message_ids").list.last())
    needed = pl.concat([pairs.get_column("answer_id"), pairs.get_column("prompt_id")]).drop_nulls().unique()
    words = messages.filter(pl.col("message_id").is_in(needed.implode())).select(
        "message_id",
        "n_chars",
        words=pl.col("text").str.slice(0, MAX_CHARS).str.to_lowercase().str.extract_all(r"\w+").list.unique(),
    )
    return (
        pairs.join(words, left_on="answer_id", right_on="message_id", how="left")
        .join(words.select("message_id", prompt="words"), left_on="prompt_id", right_on="message_id", how="left")
        .with_columns(shared=pl.col("words").list.set_intersection("prompt").list.len() / pl.col("words").list.len())
        .group_by("task_id")
        .agg(output_chars_mean=pl.col("n_chars").mean(), copy_coverage=pl.col("shared").fill_nan(None).sort().mean())
    )


def _media(calls: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    marked = messages.filter(pl.col("text").str.contains(_MEDIA)).get_column("message_id")
    has = pl.col("message_ids").list.eval(pl.element().is_in(marked.implode())).list.any()
    if marked.is_empty():
        has = pl.lit(value=False)
    return calls.group_by("task_id").agg(media_share=has.fill_null(value=False).mean())
