"""The small models to look at first on a task, and what others measured of its kind of work, in the words of a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from slmlens.reporting.money import usd_about
from slmlens.reporting.plain_words import mode_of
from slmlens.reporting.text import joined, percent
from slmlens.tables import MODES

_NAMES = {"smallest-safe": "Smallest safe", "best-value": "Best value", "safest": "Safest"}
_MODE_WORDS = {"swap": "as it is", "tuned": "tuned on the task"}
_CRITERIA = {
    "licence": "by licence",
    "size": "by size",
    "modality": "by what they read",
    "tools": "for calling no tools",
    "window": "by context window",
    "footprint": "by memory",
}
_TIES = 3
_CROWD = 10
"""So many ties say that the evidence tells no model from another: then none is put forward."""

Json = Mapping[str, Any]


def pick_lines(task: Json, mode: str | None = None) -> list[dict[str, str]]:
    """Return the picks of a task's record in one mode: a name, the model, and what is said of it.

    :param mode: Default: that of its action; of a kept task, the mode with the likeliest model.
    """
    wanted = mode or mode_of(task["action"]) or _likeliest(task["picks"])
    return [
        {"name": _NAMES.get(one["kind"], one["kind"]), "slm": _named(one), "said": _said(one)}
        for one in task["picks"]
        if one["mode"] == wanted
    ]


def capability_words(task: Json) -> str:
    """Return which benchmark stands for the task's kind of work, and what it is not; empty: none does."""
    found = task["capability"]
    if found is None:
        return ""
    better = "higher is better" if found["higher_is_better"] else "lower is better"
    return (
        f"Context, not evidence: for {found['family']}, {found['benchmark']} ({found['harness']}, without thinking; "
        f"{better}). No word or chance here rests on it."
    )


def figure_words(task: Json, candidate: Json) -> str:
    """Return what others measured of a small model on the task's kind of work; empty: nothing."""
    known = candidate.get("figure")
    return "" if known is None or task["capability"] is None else f"{task['capability']['benchmark']} {known:g} %"


def ruled_out_words(candidates: Sequence[Json]) -> str:
    """Return how many models each criterion rules out, in words; empty: none."""
    counts = Counter(one["criterion"] for one in candidates if not one["accepted"])
    said = [f"{counts[name]} {words}" for name, words in _CRITERIA.items() if counts[name]]
    return f"Ruled out: {joined(said)}." if said else ""


def tie_words(ties: Sequence[str]) -> str:
    """Return that some models can't be told from a pick; empty: none."""
    if len(ties) >= _CROWD:
        return f"{len(ties) + 1} models can't be told apart"
    more = len(ties) - _TIES
    named = [*ties[:_TIES], *([f"{more} more"] if more > 0 else [])]
    return f"a tie with {joined(named)}" if ties else ""


def _named(one: Json) -> str:
    return "none stands out" if len(one["ties"]) >= _CROWD else one["slm"] or "none"


def _said(one: Json) -> str:
    if one["slm"] is None:
        return f"{one['note']}"
    interval = f"{100 * one['a_lo90']:.0f} to {100 * one['a_hi90']:.0f} % acceptable"
    parts = [
        f"{_MODE_WORDS.get(one['mode'], one['mode'])}, chance of parity {percent(one['p_parity'])} ({interval})",
        one["note"],
        "" if one["kind"] != "best-value" or one["value_usd"] is None else f"about {usd_about(one['value_usd'])}",
        tie_words(one["ties"]),
    ]
    return "; ".join(part for part in parts if part)


def _likeliest(picks: Sequence[Json]) -> str:
    chances = {one["mode"]: one["p_parity"] or 0.0 for one in picks if one["kind"] == "safest"}
    return max(MODES, key=lambda mode: chances.get(mode, 0.0))
