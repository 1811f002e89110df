"""A router or a cascade instead of moving a whole task: what it saves when only a share of the calls may move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

_GRID = 50
_HALVINGS = 30


@dataclass(frozen=True)
class Traffic:
    """The calls of a task, as both ways of splitting them see it; money in nano-USD a call.

    :param calls: Calls a month.
    :param large: Cost of a call at the present model.
    :param small: Cost of a call at the small model.
    :param route: Cost of deciding where a call goes.
    :param cached_share: Share of calls that read a part of their prompt from the present vendor's cache.
    :param cache_saves: What such a read saves a call.
    :param large_ms: Latency of the present model; None: not logged.
    :param small_ms: Latency of the small model; None: not known.
    """

    calls: float
    large: float
    small: float
    route: float = 0.0
    cached_share: float = 0.0
    cache_saves: float = 0.0
    large_ms: float | None = None
    small_ms: float | None = None


@dataclass(frozen=True)
class Split:
    """One way to split the calls.

    :param way: ``move`` (all calls), ``router`` (a prediction sends each call to one model) or ``cascade`` (every call
        goes to the small model first, and on to the large one where its answer does not pass).
    :param share: Share of the calls that the small model answers.
    :param saving: Saving a month in nano-USD, before people cost.
    :param paid_twice: Of the calls' cost, what is paid beside the model that answers: the first try of a cascade.
    :param cache_loss: What the calls that stay cost more because the vendor's cache goes cold between them.
    :param latency_ms: Mean latency of a call; None: not known.
    """

    way: str
    share: float
    saving: float
    paid_twice: float
    cache_loss: float
    latency_ms: float | None


def move(traffic: Traffic) -> Split:
    """Return what it saves to move every call."""
    saving = traffic.calls * (traffic.large - traffic.small)
    return Split("move", 1.0, saving, 0.0, 0.0, traffic.small_ms)


def router(traffic: Traffic, share: float) -> Split:
    """Return what a predictive router saves: ``calls x [large - (share x small + (1 - share) x large + route)]``.

    Less :func:`cache_loss` on the calls that stay.

    :param share: Share of the calls that go to the small model, in [0, 1].
    """
    return Split(
        way="router",
        share=share,
        saving=_router_saving(traffic, share),
        paid_twice=0.0,
        cache_loss=cache_loss(traffic, share),
        latency_ms=_mean_latency(traffic, share, 1 - share),
    )


def cascade(traffic: Traffic, share: float) -> Split:
    """Return what a cascade saves: ``calls x [large - (small + (1 - share) x large)]``: it always pays the small one.

    Less :func:`cache_loss` on the calls that stay.

    :param share: Share of the calls whose first answer passes, in [0, 1].
    """
    return Split(
        way="cascade",
        share=share,
        saving=_cascade_saving(traffic, share),
        paid_twice=traffic.calls * (1 - share) * traffic.small,
        cache_loss=cache_loss(traffic, share),
        latency_ms=_mean_latency(traffic, 1.0, 1 - share),
    )


def cache_loss(traffic: Traffic, share: float) -> float:
    """Return what the staying calls cost more a month, as the vendor's prompt cache goes cold between them.

    Where calls come at random (a Poisson process), a call finds the cache warm with the chance that another came within
    its lifetime, ``h = 1 - exp(-rate x lifetime)``. If a share ``q`` leaves, ``1 - (1 - h)^(1 - q)`` of the calls that
    stay still do. Bursts keep more of it warm: there this is the most that is lost.
    """
    stays = traffic.calls * (1 - share)
    warm: float = 1 - (1 - traffic.cached_share) ** (1 - share)
    return stays * (traffic.cached_share - warm) * traffic.cache_saves


def break_even(way: str, traffic: Traffic) -> float | None:
    """Return the share from which on every larger one saves; None: none does.

    Searched from 1 down on a grid, and then halved. Where there is no cache to lose it is ``route / (large - small)``
    for a router, and ``small / large`` for a cascade.

    :param way: ``router`` or ``cascade``.
    """
    saving = partial(_router_saving if way == "router" else _cascade_saving, traffic)
    if saving(1.0) <= 0:
        return None
    high = 1.0
    for low in (at / _GRID for at in range(_GRID - 1, -1, -1)):
        if saving(low) <= 0:
            return _bisect(saving, low, high)
        high = low
    return 0.0


def _router_saving(traffic: Traffic, share: float) -> float:
    mixed = share * traffic.small + (1 - share) * traffic.large + traffic.route
    return traffic.calls * (traffic.large - mixed) - cache_loss(traffic, share)


def _cascade_saving(traffic: Traffic, share: float) -> float:
    tried = traffic.small + (1 - share) * traffic.large
    return traffic.calls * (traffic.large - tried) - cache_loss(traffic, share)


def _bisect(saving: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if saving(middle) > 0 else (middle, high)
    return high


def _mean_latency(traffic: Traffic, tried_small: float, asked_large: float) -> float | None:
    if traffic.large_ms is None or traffic.small_ms is None:
        return None
    return tried_small * traffic.small_ms + asked_large * traffic.large_ms
