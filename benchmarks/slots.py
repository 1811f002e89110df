"""Slots for a bursty week of agent calls, by replay and by formula. Run: python -m benchmarks.slots

Prints, for a synthetic trace of 0.7 calls a second with days, nights and bursts of agents, the slots at which 95 % (and
99 %) of the calls wait at most a second: by the mean load, by Erlang's formula at three rates, and by replay.
"""

from __future__ import annotations

import math
import time

import numpy as np

from slmlens.savings.slots import Replay, slots_needed

DAY = 86_400


def bursty_trace(seed: int, *, days: float = 7, per_second: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Return arrivals (seconds, rising) and the seconds that each call holds a slot.

    Sessions start by day more than by night. Most are an agent's loop, a call every few seconds; some fan out into
    many calls within seconds. A call holds its slot for 1.8 s on average, log-normal.
    """
    rng = np.random.default_rng(seed)
    calls_a_session = 0.94 * 8 + 0.06 * 70
    expected = per_second * days * DAY / calls_a_session
    starts = np.sort(rng.uniform(0, days * DAY, rng.poisson(2 * expected)))
    by_day = 0.5 * (1 + np.sin(2 * np.pi * (starts / DAY - 0.375)))
    starts = starts[rng.uniform(size=starts.size) < by_day]
    fans = rng.uniform(size=starts.size) < 0.06
    sizes = np.where(fans, rng.poisson(70, starts.size), rng.geometric(1 / 8, starts.size))
    session = np.repeat(np.arange(starts.size), sizes)
    gaps = rng.exponential(np.where(fans[session], 0.35, 5.0))
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))[sizes > 0]
    running = np.cumsum(gaps)
    since = running - np.repeat(running[first] - gaps[first], sizes[sizes > 0])
    seconds = starts[session] + since - gaps
    order = np.argsort(seconds, kind="stable")
    service = rng.lognormal(math.log(1.8) - 0.5 * 0.6**2, 0.6, seconds.size)
    return seconds[order], service[order]


def erlang_slots(rate: float, service: float, *, wait_seconds: float = 1.0, share: float = 0.95) -> int:
    """Return the slots that Erlang's C formula asks for: Poisson arrivals, exponential service."""
    load = rate * service
    slots = max(1, math.floor(load) + 1)
    while True:
        blocked = 1.0
        for n in range(1, slots + 1):
            blocked = load * blocked / (n + load * blocked)
        waits = blocked / (1 - (load / slots) * (1 - blocked))
        if waits * math.exp(-(slots - load) * wait_seconds / service) <= 1 - share:
            return slots
        slots += 1


def dispersion(seconds: np.ndarray) -> float:
    """Return the index of dispersion of the calls a minute; 1 of a Poisson process."""
    counts = np.bincount((seconds / 60).astype(int))
    return float(counts.var() / counts.mean())


def _peak(seconds: np.ndarray, width: float, quantile: float = 1.0) -> float:
    counts = np.bincount((seconds / width).astype(int))
    return float(np.quantile(counts, quantile)) / width


def main() -> None:
    print("| seed | calls | dispersion | mean load | Erlang: mean rate | busiest hour | busiest minute | replay 95 % |"
          " replay 99 % | utilisation | late if Erlang's mean | CPU s |")  # fmt: skip
    print("|---" * 12 + "|")
    for seed in range(5):
        seconds, service = bursty_trace(seed)
        began = time.process_time()
        found = slots_needed(seconds, service)
        took = time.process_time() - began
        strict = slots_needed(seconds, service, share=0.99)
        mean = float(service.mean())
        at_mean = erlang_slots(seconds.size / seconds[-1], mean)
        late = Replay(seconds, service).late(at_mean, 1.0) / seconds.size
        print(
            f"| {seed} | {seconds.size:,} | {dispersion(seconds):.0f} | {math.ceil(service.sum() / seconds[-1])} | "
            f"{at_mean} | {erlang_slots(_peak(seconds, 3600), mean)} | {erlang_slots(_peak(seconds, 60), mean)} | "
            f"{found.slots} | {strict.slots} | {found.utilisation:.2f} | {late:.0%} | {took:.2f} |"
        )


if __name__ == "__main__":
    main()
