"""When the calls of each task arrived and how large they were: what servers of one's own have to keep up with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from slmlens.results import Tasks
from slmlens.savings.levers import WITHOUT_PEOPLE
from slmlens.savings.slots import MAX_REPLAYED, busiest
from slmlens.savings.volumes import billed

_MICROSECONDS = 1_000_000
_COLUMNS = ("at", "input", "output", "session")
_MIX = tuple(np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class Arrivals:
    """The calls of a task, or of several, in order of time.

    :param seconds: Seconds since the log's first call, rising.
    :param input_tokens: Input of each call; the task's mean where a call has no count.
    :param output_tokens: Visible output, the same.
    :param sessions: Number of each call's session, the same over all tasks of a log.
    :param span_seconds: From the first to the last call of the log.
    :param people_wait: A person reads the answers; None: not judged.
    :param copies: Times the traffic of these calls that is meant: growth over the sampling rate.
    """

    seconds: np.ndarray
    input_tokens: np.ndarray
    output_tokens: np.ndarray
    sessions: np.ndarray
    span_seconds: float
    people_wait: bool | None
    copies: float = 1.0

    @property
    def calls(self) -> int:
        """Calls in the log."""
        return int(self.seconds.size)

    def inflated(self, *, jitter_seconds: float, seed: int = 0, limit: int = MAX_REPLAYED) -> Arrivals:
        """Return the whole traffic: sessions are repeated (or left out) as often as ``copies`` says.

        A copy keeps the rhythm inside its session and starts up to ``jitter_seconds`` earlier or later than the
        session it repeats; a part of a copy is a session chosen by chance. Where that makes more than ``limit`` calls,
        only the stretch with the most output is returned. The chances depend on seed, session and copy alone.
        """
        if self.copies == 1:
            return self
        kept = self._cut(busiest(self.seconds, self.output_tokens, limit=max(1, int(limit / self.copies))))
        whole = int(self.copies)
        extra = _chance(kept.sessions, 0, seed) < self.copies - whole
        times = np.full(kept.calls, whole) + extra
        at = np.repeat(np.arange(kept.calls), times)
        copy = np.arange(at.size) - np.repeat(np.cumsum(times) - times, times)
        shift = (2 * _chance(kept.sessions[at], copy, seed + 1) - 1) * jitter_seconds
        moved = kept.seconds[at] + np.where(copy == 0, 0.0, shift)
        order = np.argsort(moved, kind="stable")
        return replace(
            kept,
            seconds=moved[order],
            input_tokens=kept.input_tokens[at][order],
            output_tokens=kept.output_tokens[at][order],
            sessions=kept.sessions[at][order],
            copies=1.0,
        )

    def _cut(self, kept: slice) -> Arrivals:
        if kept == slice(0, self.calls):
            return self
        seconds = self.seconds[kept]
        return replace(
            self,
            seconds=seconds,
            input_tokens=self.input_tokens[kept],
            output_tokens=self.output_tokens[kept],
            sessions=self.sessions[kept],
            span_seconds=float(seconds[-1] - seconds[0]),
        )


class Traffic:
    """The arrivals of all tasks of a log, worked out only if they are asked for.

    :param tasks: Tasks over priced calls.
    :param growth: Times the log's traffic.
    """

    def __init__(self, tasks: Tasks, growth: float = 1.0) -> None:
        self._tasks = tasks
        self._growth = growth

    @property
    def timed(self) -> bool:
        """Some call has a time."""
        times = self._tasks.calls.calls.get_column("started_at")
        return times.null_count() < times.len()

    @cached_property
    def by_task(self) -> dict[str, Arrivals]:
        """Arrivals by task; see :func:`task_arrivals`."""
        return task_arrivals(self._tasks, growth=self._growth)


def task_arrivals(tasks: Tasks, *, growth: float = 1.0) -> dict[str, Arrivals]:
    """Return by task the arrivals of the calls that would move: those billed by use, or all where none is.

    Calls without a time are left out, and so are tasks without times or token counts.

    :param tasks: Tasks over priced calls.
    :param growth: Times the log's traffic.
    """
    stamps = tasks.calls.calls.get_column("started_at").drop_nulls().dt.epoch("us").to_numpy()
    if not stamps.size:
        return {}
    span = float(stamps.max() - stamps.min()) / _MICROSECONDS
    frame = _timed(tasks)
    seconds, inside, outside, sessions = (frame.get_column(name).to_numpy() for name in _COLUMNS)
    groups = frame.group_by("task_id", maintain_order=True).agg(pl.len().alias("n"), _people_wait())
    found, first = dict[str, Arrivals](), 0
    for task_id, size, people_wait in groups.iter_rows():
        here = slice(first, first + size)
        first += size
        found[task_id] = Arrivals(
            seconds=seconds[here],
            input_tokens=inside[here],
            output_tokens=outside[here],
            sessions=sessions[here],
            span_seconds=span,
            people_wait=people_wait,
            copies=growth / tasks.calls.sampling_rate,
        )
    return found


def pooled(arrivals: Sequence[Arrivals]) -> Arrivals:
    """Return the calls of several tasks of one log together; people wait if they wait for any of them."""
    seconds = np.concatenate([one.seconds for one in arrivals])
    order = np.argsort(seconds, kind="stable")
    wait = [one.people_wait for one in arrivals]
    return Arrivals(
        seconds=seconds[order],
        input_tokens=np.concatenate([one.input_tokens for one in arrivals])[order],
        output_tokens=np.concatenate([one.output_tokens for one in arrivals])[order],
        sessions=np.concatenate([one.sessions for one in arrivals])[order],
        span_seconds=arrivals[0].span_seconds,
        people_wait=True if True in wait else None if None in wait else False,
        copies=arrivals[0].copies,
    )


def _timed(tasks: Tasks) -> pl.DataFrame:
    """Return ``task_id, at, input, output, session, human_facing`` of the calls that would move, by task and time."""
    calls = tasks.calls.calls
    visible = pl.col("output_tokens") - pl.col("reasoning_tokens").fill_null(0)
    session = pl.coalesce("session_id", "trace_id", "call_id").rank("dense").cast(pl.UInt64)
    frame = calls.select(
        "call_id",
        ((pl.col("started_at") - pl.col("started_at").min()).dt.total_microseconds() / _MICROSECONDS).alias("at"),
        pl.col("input_tokens").cast(pl.Float64).alias("input"),
        visible.cast(pl.Float64).alias("output"),
        session.alias("session"),
        "human_facing",
        billed().alias("billed"),
    )
    placed = frame.join(
        tasks.assignments.filter(pl.col("task_id").is_not_null()).select("call_id", "task_id"), on="call_id"
    ).filter(pl.col("at").is_not_null())
    return (
        placed.filter(pl.col("billed") | ~pl.col("billed").any().over("task_id"))
        .with_columns(pl.col(name).fill_null(pl.col(name).mean().over("task_id")) for name in ("input", "output"))
        .filter(pl.col("input").is_not_null() & pl.col("output").is_not_null())
        .sort("task_id", "at", "call_id")
    )


def _people_wait() -> pl.Expr:
    machine = (~pl.col("human_facing")).mean()
    return (machine < WITHOUT_PEOPLE).alias("people_wait")


def _chance(sessions: np.ndarray, copy: np.ndarray | int, seed: int) -> np.ndarray:
    """Return a number in [0, 1) for each (session, copy), by the splitmix64 finaliser: the same in any order."""
    with np.errstate(over="ignore"):
        mixed = sessions.astype(np.uint64) * _MIX[0] + np.asarray(copy, dtype=np.uint64) * _MIX[1] + np.uint64(seed)
        for shift, factor in ((30, _MIX[1]), (27, _MIX[2])):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * factor
        mixed ^= mixed >> np.uint64(31)
    found: np.ndarray = (mixed >> np.uint64(11)).astype(float) / 2**53
    return found
