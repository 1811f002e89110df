"""What it takes to serve a small model on GPUs of one's own: how many, how busy, and what they cost a month."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slmlens.savings.arrivals import Arrivals, pooled
from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel
from slmlens.savings.criteria import cache_gb, weights_gb
from slmlens.savings.gpus import Gpu, gpus, price_name
from slmlens.savings.montecarlo import Setting, draw_price, draw_triangular
from slmlens.savings.slots import Gathered, gather, slots_needed
from slmlens.savings.throughput import Rates, rates_of, token_factors
from slmlens.spend.months import MONTH_DAYS

HOURS_A_MONTH = 24 * MONTH_DAYS
ONLINE, BATCHABLE = "online", "batchable"
_Z90 = 1.2816
_SHARE_IN_TIME = 0.95


@dataclass(frozen=True)
class Serving:
    """GPUs for the calls of a task, or of several tasks on one base model.

    :param model: Name of the small model.
    :param gpu: Name of the GPU, the one on which it costs least.
    :param gpus: GPUs that serve.
    :param spare: Further GPUs that stand by, because people wait for the answers.
    :param slots: Calls that have to be served at once; 0: not replayed.
    :param slots_per_gpu: Calls that one GPU serves at once.
    :param gpu_seconds_call: Time of a full GPU that a mean call takes.
    :param utilisation: Share of the time of the serving GPUs at work.
    :param mode: ``online``: always on; ``batchable``: work is gathered, and GPUs run only then.
    :param hours_month: GPU hours paid a month, spare included.
    :param usd_hour: Low, middle and high price of a GPU hour.
    :param usd_month: Low, middle and high cost a month: the price's ends, at the throughput's 90th and 10th percentile.
    :param spread: Log-sd of the throughput.
    :param replayed: It rests on the log's arrivals; otherwise it is the least that serves at all.
    :param note: What it rests on.
    """

    model: str
    gpu: str
    gpus: int
    spare: int
    slots: int
    slots_per_gpu: int
    gpu_seconds_call: float
    utilisation: float
    mode: str
    hours_month: float
    usd_hour: tuple[float, float, float]
    usd_month: tuple[float, float, float]
    spread: float
    replayed: bool
    note: str

    def month_drawn(self, setting: Setting, volume: np.ndarray | float = 1.0) -> np.ndarray:
        """Return draws of the cost a month in USD; all tasks share those of a GPU's price and throughput.

        :param volume: Factor on the traffic; more traffic takes more GPUs, never a part of one. Without a replay the
            least stays the least.
        """
        draws, seed = setting.shared.volume.size, setting.seed
        price = draw_triangular(price_name(self.gpu), setting.assumptions, seed=seed, draws=draws)
        if not self.replayed:
            return price * self.hours_month
        speed = draw_price(f"throughput of {self.gpu}", self.spread, seed=seed, draws=draws)
        month: np.ndarray = price * self.hours_at(volume / speed)
        return month

    def hours_at(self, load: np.ndarray) -> np.ndarray:
        """Return the GPU hours paid a month at so many times the load; slower GPUs are more load."""
        if self.mode == BATCHABLE:
            scheduled: np.ndarray = np.minimum(self.hours_month * load, HOURS_A_MONTH * np.ceil(self.gpus * load))
            return scheduled
        if not self.slots:
            return np.full_like(load, self.hours_month)
        serving = np.maximum(1.0, np.ceil(self.slots * load / self.slots_per_gpu - 1e-9))
        always_on: np.ndarray = HOURS_A_MONTH * (serving + self.spare)
        return always_on


@dataclass(frozen=True)
class Pool:
    """Several tasks on one base model, each with its own adapter, and how they share the cost.

    :param serving: The GPUs for all of them.
    :param shares: By task, its share of the GPU seconds.
    """

    serving: Serving
    shares: Mapping[str, float]

    def usd_month(self, task_id: str) -> float:
        """Return a task's part of the middle cost a month, in USD."""
        return self.serving.usd_month[1] * self.shares[task_id]


@dataclass(frozen=True)
class _Fit:
    """A model on a GPU for calls of given tokens.

    :param service: Seconds that each call holds a slot.
    :param work: GPU seconds of each call.
    """

    gpu: Gpu
    rates: Rates
    slots_per_gpu: int
    service: np.ndarray
    work: np.ndarray
    usd_hour: tuple[float, float, float]


def about(number: float) -> str:
    """Return a number to two significant digits: ``7,100,000``."""
    return f"{float(f'{number:.1e}'):,.0f}"


def size(
    arrivals: Arrivals, model: SmallModel, assumptions: Assumptions, *, adapters: int = 0, seed: int = 0
) -> Serving | None:
    """Return the GPUs for a task's arrivals, or None where no listed GPU holds the model at the wanted pace.

    Online, the arrivals are replayed through slots until 95 % of the calls wait at most ``wait_seconds``; every GPU is
    on all month, however little it works. Where no person waits and ``deadline_hours`` is 1 or more, work is gathered
    and GPUs are paid only for the hours they run. A replay takes the log's arrivals as they are: an agent that would
    ask its next question sooner of a faster model does not.

    :param adapters: Adapters that are in memory beside the base model.
    :param seed: Seed of the copies of a sampled log's sessions.
    """
    whole = arrivals.inflated(jitter_seconds=60 * assumptions.central("resample_jitter_minutes"), seed=seed)
    if not whole.calls:
        return None
    fits = _fits(model, whole.input_tokens, whole.output_tokens, assumptions, adapters)
    if not fits:
        return None
    if arrivals.people_wait is False and assumptions.central("deadline_hours") >= 1:
        return min((_batchable(fit, model, whole, assumptions) for fit in fits), key=_cost)
    return _online(_cheapest(fits, whole), model, whole, assumptions)


def size_pool(
    arrivals: Mapping[str, Arrivals], model: SmallModel, assumptions: Assumptions, *, seed: int = 0
) -> Pool | None:
    """Return the GPUs for several tasks together on one base model, with an adapter a task; None as of :func:`size`.

    :param arrivals: Arrivals by task, all of one log.
    """
    serving = size(pooled(list(arrivals.values())), model, assumptions, adapters=len(arrivals), seed=seed)
    if serving is None:
        return None
    gpu = next(gpu for gpu in gpus() if gpu.name == serving.gpu)
    rates = rates_of(model, gpu, assumptions)
    if rates is None:
        return None
    seconds = {
        task_id: float(rates.gpu_seconds(*_tokens(model, one.input_tokens, one.output_tokens, assumptions)).sum())
        for task_id, one in arrivals.items()
    }
    total = sum(seconds.values())
    shares = {task_id: used / total if total else 1 / len(seconds) for task_id, used in seconds.items()}
    return Pool(serving, shares)


def size_least(
    input_tokens: float,
    output_tokens: float,
    model: SmallModel,
    assumptions: Assumptions,
    *,
    people_wait: bool | None,
    timed: bool = True,
) -> Serving | None:
    """Return the least that serves a task at all: the cheapest GPU that holds the model, and a spare if people wait.

    :param input_tokens: Mean input of a call.
    :param output_tokens: Mean visible output.
    :param timed: The log has times; without, the note says how many calls a month the GPU serves at a usual
        utilisation.
    """
    inside, outside = _tokens(model, np.array([input_tokens]), np.array([output_tokens]), assumptions)
    by_price = sorted(gpus(), key=lambda gpu: (assumptions.central(price_name(gpu.name)), gpu.name))
    fits = (_fit(model, gpu, inside, outside, assumptions, adapters=0) for gpu in by_price)
    fit = next((fit for fit in fits if fit is not None), None)
    if fit is None:
        return None
    low, likely, high = assumptions.triangle("utilisation_unknown")
    spare = _spare(people_wait=people_wait)
    note = f"one {fit.gpu.name}{' and a spare' * spare} at the least; its traffic was not replayed"
    if not timed:
        served = about(HOURS_A_MONTH * 3600 * likely / float(fit.work[0]))
        note = (
            f"the log has no times: one {fit.gpu.name}, at work {low:.0%} to {high:.0%} of the time, would serve some "
            f"{served} calls a month"
        )
    return _priced(
        _serving(fit, model, gpus=1, spare=spare, slots=0, utilisation=0.0 if timed else likely, note=note),
        replayed=False,
    )


def _online(fit: _Fit, model: SmallModel, arrivals: Arrivals, assumptions: Assumptions) -> Serving:
    wait = assumptions.central("wait_seconds")
    found = slots_needed(
        arrivals.seconds,
        fit.service,
        wait_seconds=wait,
        share=_SHARE_IN_TIME,
        span_seconds=arrivals.span_seconds,
    )
    serving = max(1, math.ceil(found.slots / fit.slots_per_gpu))
    busy = float(fit.work.sum()) / (serving * arrivals.span_seconds) if arrivals.span_seconds else 1.0
    spare = _spare(people_wait=arrivals.people_wait)
    stretch = "" if found.replayed == found.calls else f" (the busiest {found.replayed:,} calls)"
    note = (
        f"the log's arrivals replayed{stretch}: {found.slots} calls at once for 95 % to wait at most {wait:g} s, "
        f"{fit.slots_per_gpu} a GPU at {fit.rates.tpot_s * 1000:g} ms a token, at work {min(1.0, busy):.1%} of the time"
    )
    if spare:
        note += "; one spare, " + ("as people wait" if arrivals.people_wait else "as people may wait")
    return _priced(
        _serving(fit, model, gpus=serving, spare=spare, slots=found.slots, utilisation=min(1.0, busy), note=note)
    )


def _batchable(fit: _Fit, model: SmallModel, arrivals: Arrivals, assumptions: Assumptions) -> Serving:
    deadline, busy = assumptions.central("deadline_hours"), assumptions.central("utilisation_gathered")
    found: Gathered = gather(
        arrivals.seconds,
        fit.work,
        deadline_hours=deadline,
        utilisation=busy,
        start_minutes=assumptions.central("gpu_start_minutes"),
    )
    days = max(arrivals.span_seconds / 86_400, deadline / 24)
    hours = min(found.gpu_hours * MONTH_DAYS / days, float(found.gpus * HOURS_A_MONTH))
    note = (
        f"work gathered for half of {deadline:g} hours, then served by up to {found.gpus} GPU{'s' * (found.gpus > 1)}"
    )
    serving = _serving(fit, model, gpus=found.gpus, spare=0, slots=0, utilisation=busy, note=note)
    return _priced(replace(serving, mode=BATCHABLE, hours_month=hours))


def _serving(
    fit: _Fit, model: SmallModel, *, gpus: int, spare: int, slots: int, utilisation: float, note: str
) -> Serving:
    derived = f"; throughput of {fit.gpu.name} derived from another GPU's" if fit.gpu.derived else ""
    return Serving(
        model=model.name,
        gpu=fit.gpu.name,
        gpus=gpus,
        spare=spare,
        slots=slots,
        slots_per_gpu=fit.slots_per_gpu,
        gpu_seconds_call=float(fit.work.mean()),
        utilisation=utilisation,
        mode=ONLINE,
        hours_month=float(HOURS_A_MONTH * (gpus + spare)),
        usd_hour=fit.usd_hour,
        usd_month=(0.0, 0.0, 0.0),
        spread=fit.rates.spread,
        replayed=True,
        note=note + derived,
    )


def _priced(serving: Serving, *, replayed: bool = True) -> Serving:
    """Fill in the cost a month: hours at a fast, the central and a slow GPU, at its low, middle and high price."""
    load = np.exp(serving.spread * _Z90 * np.array([-1.0, 0.0, 1.0]))
    hours = serving.hours_at(load)
    low, middle, high = (price * float(paid) for price, paid in zip(serving.usd_hour, hours, strict=True))
    return replace(serving, usd_month=(low, middle, high), replayed=replayed)


def _fits(
    model: SmallModel, input_tokens: np.ndarray, output_tokens: np.ndarray, assumptions: Assumptions, adapters: int
) -> list[_Fit]:
    """Return the GPUs that hold the model with at least one call, at the wanted pace."""
    inside, outside = _tokens(model, input_tokens, output_tokens, assumptions)
    fits = (_fit(model, gpu, inside, outside, assumptions, adapters) for gpu in gpus())
    return [fit for fit in fits if fit is not None]


def _fit(
    model: SmallModel, gpu: Gpu, inside: np.ndarray, outside: np.ndarray, assumptions: Assumptions, adapters: int
) -> _Fit | None:
    rates = rates_of(model, gpu, assumptions)
    if rates is None:
        return None
    service, work = rates.service_seconds(inside, outside), rates.gpu_seconds(inside, outside)
    service, work = np.maximum(service, 1e-6), np.maximum(work, 1e-9)
    # A call is in memory for as long as it is served: longer calls count for more.
    resident = float(np.average(inside + outside, weights=service))
    free = gpu.vram_gb * assumptions.central("gpu_memory_share") - weights_gb(model, assumptions)
    free -= adapters * assumptions.central("adapter_gb")
    in_memory = free / max(cache_gb(model, resident, assumptions), 1e-9)
    slots = math.floor(min(in_memory, float(service.sum() / work.sum())))
    if slots < 1:
        return None
    return _Fit(gpu, rates, slots, service, work, assumptions.triangle(price_name(gpu.name)))


def _tokens(
    model: SmallModel, input_tokens: np.ndarray, output_tokens: np.ndarray, assumptions: Assumptions
) -> tuple[np.ndarray, np.ndarray]:
    inside, outside = token_factors(model, assumptions)
    return inside * input_tokens, outside * output_tokens


def _cheapest(fits: Sequence[_Fit], arrivals: Arrivals) -> _Fit:
    """Return the GPU that costs least if as many slots are needed as are taken at the 95th percentile."""

    def month(fit: _Fit) -> tuple[float, str]:
        before = np.searchsorted(np.sort(arrivals.seconds + fit.service), arrivals.seconds, side="right")
        taken = float(np.quantile(np.arange(arrivals.calls) - before, _SHARE_IN_TIME)) + 1
        needed = max(1, math.ceil(taken / fit.slots_per_gpu)) + _spare(people_wait=arrivals.people_wait)
        return needed * fit.usd_hour[1], fit.gpu.name

    return min(fits, key=month)


def _spare(*, people_wait: bool | None) -> int:
    """Return the GPUs that stand by: one unless it is known that no person waits."""
    return 0 if people_wait is False else 1


def _cost(serving: Serving) -> tuple[float, str]:
    return serving.usd_month[1], serving.gpu
