"""Which calls of a task a pilot asks: one a session, of the later sessions, by strata, in an order to stop in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.suitability.answers import TOOL, Answer
from slmlens.suitability.comparators import encode, has_classes
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot_tables import PilotSampleTable
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.splits import earlier_units, stable_hash
from slmlens.tables import checked

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_CLASSES = 6
"""Most answer classes with a stratum of their own; the commonest."""
MAX_RARE = 3
"""Most rare classes that are asked for more often than they occur."""
SMALLEST_STRATUM = 0.08
"""A part of a class below this share of the traffic is not told apart by length or size: with it the first look of 30
calls has about two calls of each stratum."""
RARE_CALLS = 12
"""Calls of a rare class that are asked where the log has so many: ten graded ones make its recall known."""


MOST_CLASSES = 20
"""With more answer classes than this a class is a value, not a decision, and has no recall of its own."""


@dataclass(frozen=True)
class _Pool:
    """The calls that a pilot may ask, and one of each session.

    :param rows: Rows of the task's observed calls.
    :param cluster: Session code of each of them.
    :param stratum: Stratum of each of them.
    :param chosen: For each session one of its rows, as a position in ``rows``.
    :param size: Calls of each session in the pool.
    """

    rows: Ints
    cluster: Ints
    stratum: Ints
    chosen: Ints
    size: Ints


def pilot_size(sessions: int) -> int | None:
    """Return how many calls a pilot of a task with so many sessions asks: the largest look; None: too few."""
    return max((look for look in LOOKS if look <= sessions), default=None)


def sessions_of(observed: Observed) -> Ints:
    """Return the session of each call as a code; where it is not known, the call's recurrence unit."""
    unknown = observed.sessions.max(initial=-1) + 1 + observed.units
    codes = np.where(observed.sessions >= 0, observed.sessions, unknown)
    return np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)


def draw_pilot(
    observed: Observed, settings: AssessSettings, seed: int, *, task_calls: int, clusters: Ints | None = None
) -> pl.DataFrame | None:
    """Return ``PilotSampleTable``: the calls to ask, in the order to ask them; None: under 30 sessions.

    The pool is the later sessions, as the probes split them, and where these are too few for the largest look that the
    task allows, the latest of the earlier ones as well. Of a session one call is asked. Sessions are drawn with
    probability proportional to their calls (systematic sampling, Madow 1949), inside strata of answer class, answer
    length and size of session; classes under ``rare_share`` are asked more often, so that their recall can be told. The
    order spreads each stratum evenly, so that every look is a stratified sample too. ``weight`` leads back to traffic.

    :param task_calls: Calls of the task, those without a usable answer included.
    :param seed: Seed of the draw; the order of the log's rows does not matter.
    :param clusters: Of which only one call is asked, as codes from 0 on; -1: not to be asked. None: its session.
    """
    clusters = sessions_of(observed) if clusters is None else clusters
    size = pilot_size(int(clusters.max(initial=-1)) + 1)
    if size is None:
        return None
    later = ~earlier_units(observed.units, settings.train_share)
    open_to = np.flatnonzero(clusters >= 0)
    rows = open_to[_latest(clusters[open_to], later[open_to], size)]
    classes, shares, rare = _classes(observed, settings)
    pool = _pool(observed, rows, clusters[rows], _strata(observed, rows, clusters[rows], classes, rare), seed)
    quota = _quotas(pool, size, classes, rare)
    drawn, position, weight = _draw(pool, quota, observed, seed)
    at = pool.rows[pool.chosen[drawn]]
    order = np.lexsort((at, position))
    frame = pl.DataFrame(
        {
            "call_id": [observed.call_ids[row] for row in at[order]],
            "session": drawn[order],
            "position": np.arange(1, len(order) + 1),
            "stratum": pool.stratum[pool.chosen[drawn]][order],
            "weight": weight[order],
            "later_position": np.where(later[at[order]], np.cumsum(later[at[order]]), 0),
            "answer_class": classes[at[order]],
            "class_share": shares[classes[at[order]]],
            "task_calls": task_calls,
        }
    )
    of_later = pl.when(pl.col("later_position") > 0).then(pl.col("later_position"))
    return checked(PilotSampleTable, frame.with_columns(later_position=of_later))


def rare_unreached(observed: Observed, clusters: Ints, settings: AssessSettings) -> bool:
    """Return whether a rare answer class has no call that may be asked, so that its recall can't be told.

    :param clusters: Of each call; -1: not to be asked.
    """
    classes, shares, rare = _classes(observed, settings)
    named = rare if len(shares) <= MOST_CLASSES else rare[:0]
    return bool(np.setdiff1d(named, classes[clusters >= 0]).size)


def _latest(clusters: Ints, later: NDArray[np.bool_], size: int) -> Ints:
    """Rows of the later sessions, widened backwards in time until they hold ``size`` sessions."""
    first = np.unique(clusters, return_index=True)[1]
    taken = np.zeros(len(first), dtype=np.bool_)
    taken[clusters[later]] = True
    if taken.sum() < size:
        taken[np.argsort(-first, kind="stable")[:size]] = True
    return np.flatnonzero(taken[clusters])


def _classes(observed: Observed, settings: AssessSettings) -> tuple[Ints, Floats, Ints]:
    """Code of each call's answer class, the share of each class, and the codes of rare classes, commonest first.

    The class is the answer, or the tool it calls, or its most telling field, where the values are few and recur; else
    its form.
    """
    labels = _labels(observed.answers, observed.units)
    codes = encode(labels)
    shares = np.bincount(codes) / len(codes)
    units = np.array([len(np.unique(observed.units[codes == code])) for code in range(len(shares))])
    rare = np.flatnonzero((shares < settings.rare_share) & (units >= settings.min_units))
    return codes, shares, rare[np.argsort(-shares[rare], kind="stable")]


def _labels(answers: list[Answer], units: Ints) -> list[str]:
    """Class of each answer; of several fields the one with the fewest values."""
    forms = [f"{answer.kind} {' '.join(sorted(answer.fields))}" for answer in answers]
    seen = Counter(name for answer in answers for name in answer.fields)
    fields = sorted(name for name, n in seen.items() if name != TOOL and n >= len(answers) / 2)
    whole, tool = [answer.canonical for answer in answers], [answer.fields.get(TOOL, "") for answer in answers]
    own = [[answer.fields.get(name, "") for answer in answers] for name in fields]
    for column in (whole, tool, *sorted(own, key=lambda column: len(set(column)))):
        codes = encode(column)
        if codes.max(initial=0) > 0 and has_classes(codes, units):
            return column
    return forms


def _strata(observed: Observed, rows: Ints, clusters: Ints, classes: Ints, rare: Ints) -> Ints:
    """Stratum of each row: its class, and where the class is large, halves by length, then by size of session."""
    own = classes[rows]
    counts = np.bincount(own, minlength=int(classes.max()) + 1)
    named = [*np.argsort(-counts, kind="stable")[:MAX_CLASSES], *rare[:MAX_RARE]]
    label = np.where(np.isin(own, named), own, -1)
    length = np.array([len(observed.answers[row].canonical) for row in rows])
    size = np.bincount(clusters)[clusters]
    stratum, following = np.full(len(rows), -1, dtype=np.int64), 0
    for value in np.unique(label):
        parts = [np.flatnonzero(label == value)]
        for measure in (length, size):
            parts = [half for part in parts for half in _halves(part, measure, len(rows))]
        for part in parts:
            stratum[part] = following
            following += 1
    return stratum


def _halves(part: Ints, measure: Ints, total: int) -> list[Ints]:
    above = measure[part] > np.median(measure[part])
    if min(above.sum(), (~above).sum()) < SMALLEST_STRATUM * total:
        return [part]
    return [part[~above], part[above]]


def _pool(observed: Observed, rows: Ints, clusters: Ints, stratum: Ints, seed: int) -> _Pool:
    _, cluster = np.unique(clusters, return_inverse=True)
    cluster = cluster.reshape(-1).astype(np.int64)
    rank = np.array([stable_hash(observed.call_ids[row], f"pilot{seed}") for row in rows], dtype=np.uint64)
    order = np.lexsort((rank, cluster))
    chosen = order[np.unique(cluster[order], return_index=True)[1]]
    return _Pool(rows, cluster, stratum, chosen, np.bincount(cluster).astype(np.int64))


def _quotas(pool: _Pool, size: int, classes: Ints, rare: Ints) -> Ints:
    """Return how many calls to ask of each stratum: by its share of the traffic, of rare classes ``RARE_CALLS``."""
    n = int(pool.stratum.max()) + 1
    own = pool.stratum[pool.chosen]
    available = np.bincount(own, minlength=n)
    traffic = np.bincount(own, pool.size, minlength=n)
    least = np.zeros(n, dtype=np.int64)
    least[np.unique(pool.stratum[np.isin(classes[pool.rows], rare[:MAX_RARE])])] = RARE_CALLS
    least = np.minimum(np.maximum(least, 2), available)
    wanted = np.minimum(np.maximum(size * traffic / traffic.sum(), least), available)
    quota = np.floor(wanted).astype(np.int64)
    while quota.sum() < size:
        room = quota < available
        if not room.any():
            break
        quota[np.argmax(np.where(room, wanted - quota, -np.inf))] += 1
    while quota.sum() > size:
        quota[np.argmax(np.where(quota > least, quota, -1))] -= 1
    return np.asarray(quota, dtype=np.int64)


def _draw(pool: _Pool, quota: Ints, observed: Observed, seed: int) -> tuple[Ints, Floats, Floats]:
    """Return the sessions drawn, their place in the order, and the weight of each call."""
    own = pool.stratum[pool.chosen]
    calls = np.bincount(pool.stratum, minlength=len(quota))
    drawn, position, weight = [], [], []
    for stratum, take in enumerate(quota):
        sessions = np.flatnonzero(own == stratum)
        if not take or not len(sessions):
            continue
        rank = [stable_hash(observed.call_ids[pool.rows[pool.chosen[s]]], f"order{seed}") for s in sessions]
        sessions = sessions[np.argsort(np.array(rank, dtype=np.uint64), kind="stable")]
        chance = inclusion(pool.size[sessions], int(take))
        start = (stable_hash(str(stratum), f"start{seed}") % 10_000) / 10_000
        picked = _systematic(chance, int(take), start)
        base = pool.size[sessions[picked]] / chance[picked]
        drawn.append(sessions[picked])
        weight.append(base / base.sum() * calls[stratum])
        position.append((np.arange(len(picked)) + start) / len(picked))
    # all bear the calls of a stratum of which no session was drawn: its sessions spoke for another one
    weights = np.concatenate(weight)
    return np.concatenate(drawn), np.concatenate(position), weights * (calls.sum() / weights.sum())


def inclusion(size: Ints, take: int) -> Floats:
    """Return the chance of each unit to be drawn: proportional to its size, at most 1, adding up to ``take``."""
    chance = np.ones(len(size))
    free = np.ones(len(size), dtype=np.bool_)
    while take < len(size):
        left = take - int((~free).sum())
        chance[free] = left * size[free] / size[free].sum()
        certain = free & (chance >= 1)
        if not certain.any():
            break
        chance[certain] = 1.0
        free &= ~certain
    return chance


def _systematic(chance: Floats, take: int, start: float) -> Ints:
    """Draw units at equal steps along their summed chances, of which none exceeds a step."""
    upper = np.cumsum(chance)
    points = (start + np.arange(take)) * upper[-1] / take
    return np.asarray(np.searchsorted(upper, points, side="right"), dtype=np.int64)
