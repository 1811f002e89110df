"""How many calls have to be served at once: a log's own arrivals replayed through slots, not a formula for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heapify, heapreplace

import numpy as np

MAX_REPLAYED = 500_000
"""Calls that are replayed at most; of a longer log, the stretch with the most work."""

_QUIET = 64
"""Calls without any delay in the system after which the replay looks for the next crowded moment."""


@dataclass(frozen=True)
class Slots:
    """Slots that a stretch of calls needs.

    :param slots: The fewest slots at which the asked share of calls waits no longer than asked.
    :param utilisation: Share of the time of these slots spent serving.
    :param replayed: Calls that were replayed.
    :param calls: Calls there were.
    """

    slots: int
    utilisation: float
    replayed: int
    calls: int


class Replay:
    """Calls served first come, first served by a number of slots.

    A slot serves one call at a time. The replay is exact: where fewer calls are in the system than there are slots,
    every call starts as it arrives, which is computed for all calls at once; only from a moment at which a call finds
    every slot taken, until no call that had to wait is left, are calls stepped through one by one.

    :param seconds: Arrivals in rising order.
    :param service: Seconds that each call holds a slot, above 0.
    """

    def __init__(self, seconds: np.ndarray, service: np.ndarray) -> None:
        self._seconds = np.asarray(seconds, dtype=float)
        self._service = np.asarray(service, dtype=float)
        self._done = self._seconds + self._service
        self._longest = float(self._service.max(initial=0.0))
        before = np.searchsorted(np.sort(self._done), self._seconds, side="right")
        self.busy = np.arange(self._seconds.size) - before
        """Calls that each call would find in service if there were a slot for everyone."""
        self._arrivals: list[float] = self._seconds.tolist()
        self._services: list[float] = self._service.tolist()

    def late(self, slots: int, wait_seconds: float, *, limit: int | None = None) -> int:
        """Return how many calls wait longer than ``wait_seconds``.

        :param limit: Counting stops once it is exceeded.
        """
        crowded = np.flatnonzero(self.busy >= slots)
        allowed = self._seconds.size if limit is None else limit
        late, at = 0, 0
        while late <= allowed:
            found = int(np.searchsorted(crowded, at))
            if found == crowded.size:
                break
            more, at = self._stretch(int(crowded[found]), wait_seconds, allowed - late)
            late += more
        return late

    def _stretch(self, first: int, wait_seconds: float, allowed: int) -> tuple[int, int]:
        """Step from a call that finds all slots taken, none of them by a call that waited.

        :return: Calls that were late, and the first call that was not stepped through.
        """
        free = self._running(first)
        heapify(free)
        late, quiet, waited_until = 0, 0, 0.0
        at = first
        for at in range(first, len(self._arrivals)):
            now, soonest = self._arrivals[at], free[0]
            if soonest > now:
                ends = soonest + self._services[at]
                waited_until = max(waited_until, ends)
                quiet = 0
                if soonest - now > wait_seconds:
                    late += 1
                    if late > allowed:
                        break
            else:
                ends = now + self._services[at]
                quiet = quiet + 1 if now >= waited_until else 0
            heapreplace(free, ends)
            if quiet > _QUIET:
                break
        return late, at + 1

    def _running(self, at: int) -> list[float]:
        """Return when the calls end that are in service as a call arrives, if none of them waited."""
        earliest = int(np.searchsorted(self._seconds, self._seconds[at] - self._longest))
        ends = self._done[earliest:at]
        running: list[float] = ends[ends > self._seconds[at]].tolist()
        return running


def slots_needed(
    seconds: np.ndarray,
    service: np.ndarray,
    *,
    wait_seconds: float = 1.0,
    share: float = 0.95,
    span_seconds: float | None = None,
) -> Slots:
    """Return the fewest slots at which ``share`` of the calls wait at most ``wait_seconds``.

    More slots never make a call wait longer (first come, first served), so that the number is found by bisection.

    :param seconds: Arrivals in rising order, at least one.
    :param service: Seconds that each call holds a slot, above 0.
    :param span_seconds: Time that the arrivals are from; None: from the first to the last.
    """
    kept = busiest(seconds, service)
    replay = Replay(seconds[kept], service[kept])
    size = replay.busy.size
    limit = math.floor((1 - share) * size + 1e-9)
    low, high = 0, max(1, math.ceil(float(np.quantile(replay.busy, share))))
    while replay.late(high, wait_seconds, limit=limit) > limit:
        low, high = high, high + max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        if replay.late(middle, wait_seconds, limit=limit) > limit:
            low = middle
        else:
            high = middle
    span = span_seconds or float(seconds[-1] - seconds[0])
    utilisation = float(service.sum()) / (high * span) if span > 0 else 1.0
    return Slots(slots=high, utilisation=min(1.0, utilisation), replayed=size, calls=int(seconds.size))


def busiest(seconds: np.ndarray, service: np.ndarray, *, limit: int = MAX_REPLAYED) -> slice:
    """Return the calls to replay: all, or the ``limit`` calls in a row with the most work in the least time."""
    if seconds.size <= limit:
        return slice(0, seconds.size)
    work = np.concatenate(([0.0], np.cumsum(service)))
    load = (work[limit:] - work[:-limit]) / np.maximum(seconds[limit - 1 :] - seconds[: seconds.size - limit + 1], 1e-9)
    first = int(np.argmax(load))
    return slice(first, first + limit)


@dataclass(frozen=True)
class Gathered:
    """Work that is gathered and served before its deadline.

    :param gpus: GPUs that work at once in the busiest period.
    :param gpu_hours: GPU hours of the whole log.
    """

    gpus: int
    gpu_hours: float


def gather(
    seconds: np.ndarray, work: np.ndarray, *, deadline_hours: float, utilisation: float, start_minutes: float
) -> Gathered:
    """Return the GPUs for work that may wait: half a deadline is gathered, then served within the other half.

    :param seconds: Arrivals.
    :param work: GPU seconds of each call.
    :param utilisation: Share of a GPU's time that serves.
    :param start_minutes: Minutes that each GPU takes to start.
    """
    period = deadline_hours * 1800
    start = start_minutes * 60
    periods = np.floor((seconds - seconds.min()) / period).astype(np.int64)
    load = np.bincount(periods, weights=work) / utilisation
    room = max(period - start, 60.0)
    used = np.ceil(load / room)
    return Gathered(gpus=int(used.max()), gpu_hours=float((load + used * start).sum()) / 3600)
