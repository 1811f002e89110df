"""A bounded sample of a log's prompts, which trees are grown on where there are too many to grow them on all.

Sessions (traces, or slot contents) are drawn whole. Half of the sample is drawn evenly. The other half is drawn by
rarity, in equal parts for each **respect** in which prompts are of a kind: by their declared place alone, with the
tools on offer, with the words that each of their parts begins and ends with, and with all of these. A session is the
more likely to be drawn the rarer its rarest kind is, so that rare kinds come in whole. What was drawn stands for what
was not: a session that came in with probability p weighs 1/p (priority sampling: Duffield, Lund and Thorup, *Priority
sampling for estimation of arbitrary subset sums*, Journal of the ACM, 2007). The draw is a hash of the prompts, so it
is the same in each run and for any order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from slmlens.tasks.incidence import Bools, Floats, place_of, summed
from slmlens.tasks.prompts import Prompts
from slmlens.tasks.shingles import I64, PLACEHOLDER, U64, WORD, stable_hash

MOST_PROMPTS = 20_000
"""Distinct prompts that a log's trees are grown on."""

ENDS = 8
"""Words at the beginning and at the end of a part of a prompt that tell its kind."""

_CHARS = 160
_LONGEST = 20
"""Of one session at most this part of the sample (one in so many) is drawn."""

_PIECES = ("system_head", "system_tail", "first_head", "first_tail", "last_head", "last_tail")
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class Sample:
    """Prompts that stand for a log.

    :param prompts: The sampled prompts, numbered anew, and the calls of the sampled sessions that use them.
    :param variants: Row of each in the prompts of the whole log, ascending.
    :param weight: Prompts of the log that each stands for.
    :param even: Unit codes of the sessions that were drawn evenly; None: the sample is the whole log.
    """

    prompts: Prompts
    variants: I64
    weight: Floats
    even: I64 | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self.even is None

    def evenly(self, placed: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of the evenly drawn sessions, with ``variant`` as the sample numbers it.

        :param placed: Calls of the whole log with ``unit`` and ``variant``.
        """
        if self.even is None:
            return placed
        number = pl.DataFrame({"variant": self.variants, "_number": np.arange(len(self.variants))})
        mine = placed.filter(pl.col("unit").is_in(pl.Series(self.even).implode()))
        known = mine.join(number, on="variant", how="inner", maintain_order="left")
        return known.with_columns(variant="_number").drop("_number")


def sample_of(prompts: Prompts, messages: pl.DataFrame, *, most: int = MOST_PROMPTS, k_task: int = 3) -> Sample:
    """Return a sample of at most so many distinct prompts; all of them where there are no more.

    :param messages: ``message_id, text`` of the log.
    :param most: Distinct prompts; a first session that alone holds more than its part is cut to it.
    :param k_task: Units that must hold a kind of prompt before it counts as one.
    """
    n = prompts.variants.height
    if n <= most:
        return Sample(prompts, np.arange(n), np.ones(n))
    marks = _marks(prompts)
    pairs = _thinned_sessions(_pairs(prompts), marks, max(most // _LONGEST, 1))
    sets = _sets(pairs, marks, _rarest(pairs, prompts.variants, messages, k_task))
    drawn = _drawn(sets, most)
    chosen = np.unique(sets.variant[drawn.inside[sets.of]])
    use = drawn.inside[sets.number[pairs[:, 0]]]
    weight = _mean_by(place_of(chosen, n)[pairs[use, 1]], drawn.weight[sets.number[pairs[use, 0]]], len(chosen))
    even = np.flatnonzero(drawn.even[sets.number] & (sets.number >= 0))
    return Sample(_only(prompts, pairs[use], chosen), chosen, weight, even)


@dataclass(frozen=True)
class _Sets:
    """Sessions with the same prompts are one set, drawn or left out together.

    :param number: Set of each unit code; -1: it has no prompt.
    :param of: Set of each of its prompts, parallel to ``variant``.
    :param units: Sessions of each.
    :param rarest: respects x sets: sessions that hold the rarest kind of prompt in it.
    :param luck: A hash of its prompts, in (0, 1].
    """

    number: I64
    of: I64
    variant: I64
    units: I64
    rarest: I64
    luck: Floats


@dataclass(frozen=True)
class _Drawn:
    """Which sets were drawn, which of them evenly, and what each weighs."""

    inside: Bools
    even: Bools
    weight: Floats


def _drawn(sets: _Sets, most: int) -> _Drawn:
    taken = np.zeros(int(sets.variant.max()) + 1, dtype=bool)
    even, least = _smallest(sets.luck / sets.units, sets, taken, max(most // 2, 1))
    inside, chance = even, np.full(len(sets.units), least)
    taken[sets.variant[even[sets.of]]] = True
    for at, rarest in enumerate(sets.rarest):
        share = (most - int(taken.sum())) // (len(sets.rarest) - at)
        rare, least = _smallest(sets.luck * rarest / sets.units, sets, taken, share)
        inside, chance = inside | rare, np.maximum(chance, least / rarest)
        taken[sets.variant[rare[sets.of]]] = True
    return _Drawn(inside, even, 1 / np.clip(sets.units * chance, 1e-12, 1))


def _smallest(key: Floats, sets: _Sets, taken: Bools, most: int) -> tuple[Bools, float]:
    """Return the sets of the smallest keys that bring at most so many prompts not taken, and the first key left out."""
    rank = np.empty(len(key), dtype=np.int64)
    rank[np.lexsort((sets.luck, key))] = np.arange(len(key))
    first = np.full(len(taken), len(key), dtype=np.int64)
    np.minimum.at(first, sets.variant, rank[sets.of])
    first[taken] = len(key)
    brought = np.cumsum(np.bincount(first, minlength=len(key) + 1)[: len(key)])
    inside = rank < max(int(np.searchsorted(brought, most, side="right")), int(not taken.any()))
    left = key[~inside]
    return inside, float(left.min()) if len(left) else np.inf


def _pairs(prompts: Prompts) -> I64:
    """Return the distinct (unit, variant) rows."""
    used = prompts.calls.drop_nulls("variant").select("unit", "variant").unique().sort("unit", "variant")
    return used.to_numpy().astype(np.int64)


def _marks(prompts: Prompts) -> U64:
    """Return a hash of each distinct prompt."""
    keys = prompts.variants.get_column("key").to_list()
    return np.array([stable_hash(key) for key in keys], dtype=np.uint64)


def _thinned_sessions(pairs: I64, marks: U64, most: int) -> I64:
    """Leave of each session at most so many prompts, by their hashes."""
    order = np.lexsort((marks[pairs[:, 1]], pairs[:, 0]))
    unit = pairs[order, 0]
    starts = np.flatnonzero(np.diff(unit, prepend=-1))
    place = np.arange(len(unit)) - np.repeat(starts, np.diff(starts, append=len(unit)))
    return pairs[np.sort(order[place < most])]


def _sets(pairs: I64, marks: U64, rarest: I64) -> _Sets:
    """Return the sets of sessions.

    :param rarest: respects x unit codes.
    """
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    codes = pairs[starts, 0]
    mark = np.add.reduceat(_mixed(marks[pairs[:, 1]]), starts)
    distinct, first, inverse, units = np.unique(mark, return_index=True, return_inverse=True, return_counts=True)
    number = np.full(rarest.shape[1], -1, dtype=np.int64)
    number[codes] = inverse
    speaks = np.isin(pairs[:, 0], codes[first])
    luck = ((_mixed(distinct) >> np.uint64(11)).astype(np.float64) + 1) / 2.0**53
    return _Sets(number, number[pairs[speaks, 0]], pairs[speaks, 1], units, rarest[:, codes[first]], luck)


def _mixed(hashes: U64) -> U64:
    mixed: U64 = (hashes ^ (hashes >> np.uint64(32))) * _MULTIPLIER
    return mixed ^ (mixed >> np.uint64(29))


def _rarest(pairs: I64, variants: pl.DataFrame, messages: pl.DataFrame, k_task: int) -> I64:
    """Return respects x unit codes: how many units hold its rarest kind that recurs; all units if it has none."""
    n_units = int(pairs[:, 0].max()) + 1
    kinds = _kinds(variants, messages)
    used = pl.DataFrame({"unit": pairs[:, 0]}).hstack(kinds[pairs[:, 1]])
    rarest = np.full((kinds.width, n_units), n_units, dtype=np.int64)
    for name, found in zip(kinds.columns, rarest, strict=True):
        held = used.select("unit", kind=name).drop_nulls().unique()
        sized = held.with_columns(size=pl.len().over("kind")).filter(pl.col("size") >= k_task)
        least = sized.group_by("unit").agg(pl.col("size").min())
        found[least.get_column("unit").to_numpy()] = least.get_column("size").to_numpy()
    return rarest


def _kinds(variants: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """Return the kind of each prompt in each respect: prompts x respects, a number that is null where it has none."""
    numbered = variants.select(
        "partition",
        tools=pl.col("tools").list.join("|"),
        system_head=pl.col("system").list.first(),
        system_tail=pl.col("system").list.last(),
        **{f"{part}_{end}": pl.col(part) for part in ("first", "last") for end in ("head", "tail")},
    )
    ends = _ends(messages, numbered)
    for name in _PIECES:
        end = ends.select("message_id", _words=name.rsplit("_", 1)[-1])
        joined = numbered.join(end, left_on=name, right_on="message_id", how="left", maintain_order="left")
        numbered = joined.with_columns(pl.col("_words").alias(name)).drop("_words")
    whole = pl.concat_str("tools", *_PIECES, separator="\x1f", ignore_nulls=True)
    respects = {"place": pl.lit(""), "tools": pl.col("tools"), **{n: pl.col(n) for n in _PIECES}, "whole": whole}
    # which numbers stand for kinds does not matter, only which kinds are the same
    return numbered.select(
        pl.when(kind.is_not_null()).then(pl.concat_str("partition", kind, separator="\x1f").hash()).alias(name)
        for name, kind in respects.items()
    )


def _ends(messages: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    """Return ``message_id, head, tail``: the first and the last words of each message that prompts use."""
    used = pl.concat([numbered.select(message_id=name) for name in _PIECES]).unique().drop_nulls()
    text = pl.col("text").fill_null("")

    def words(cut: pl.Expr) -> pl.Expr:
        plain = cut.str.replace_all(PLACEHOLDER, " $1 ").str.to_lowercase().str.replace_all("[0-9]+", "0")
        return plain.str.extract_all(WORD)

    return messages.join(used, on="message_id", how="semi").select(
        "message_id",
        head=words(text.str.slice(0, _CHARS)).list.head(ENDS).list.join(" "),
        tail=words(text.str.slice(-_CHARS)).list.tail(ENDS).list.join(" "),
    )


def _mean_by(number: I64, value: Floats, n: int) -> Floats:
    return summed(number, value, n) / np.maximum(np.bincount(number, minlength=n), 1)


def _only(prompts: Prompts, pairs: I64, chosen: I64) -> Prompts:
    """Return the chosen prompts, and the calls of the chosen (unit, variant) rows."""
    number = pl.DataFrame({"variant": chosen, "_number": np.arange(len(chosen))})
    used = pl.DataFrame(pairs, schema={"unit": pl.Int64, "variant": pl.Int64}, orient="row")
    calls = prompts.calls.join(used, on=["unit", "variant"], how="semi", maintain_order="left")
    calls = calls.join(number, on="variant", how="left", maintain_order="left")
    return Prompts(prompts.variants[chosen], calls.with_columns(variant="_number").drop("_number"))


def only_prompts(prompts: Prompts, rows: I64) -> Prompts:
    """Return some of the prompts, numbered anew, and the calls that use them.

    :param rows: Their rows, ascending.
    """
    pairs = _pairs(prompts)
    return _only(prompts, pairs[np.isin(pairs[:, 1], rows)], rows)
