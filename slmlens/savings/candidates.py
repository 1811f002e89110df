"""The small models of the catalogue for one task: which it can take, and each one's chance of parity, by mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.catalogue import SmallModel, small_models
from slmlens.savings.criteria import Needs, Rejection, rejection, remark
from slmlens.savings.options import serving_model
from slmlens.savings.volumes import Volume
from slmlens.suitability.judge import ANY_MODEL
from slmlens.suitability.posterior import Floor, Posterior, beliefs_by_prior, posterior_at
from slmlens.suitability.priors import Prior, SlmFacts, swap_prior_of, tuned_prior_of
from slmlens.suitability.signals import output_tokens, turn_depth
from slmlens.tables import MODES

MEDIA_SHARE = 0.01
"""Share of prompts with an image, audio or video from which a model has to read them."""
Chance = tuple[float | None, float | None, float | None]
"""P(parity), and the ends of the 90 % interval of A; None: not known."""
Graded = Mapping[tuple[str, str], float]
"""P(parity) by mode and name of each small model that was graded on a task."""
_UNKNOWN: Chance = (None, None, None)
_SUFFIX = {"swap": "", "tuned": "_tuned"}


@dataclass(frozen=True)
class Candidates:
    """The small models for one task.

    :param accepted: Models that it can take.
    :param rows: A row for every model of the catalogue: ``slm, accepted, criterion, reason`` and, as it is and again
        with ``_tuned``, ``p_parity, a_lo90, a_hi90`` (null where it is ruled out): by its own prior and what the probes say;
        if it was graded, P(parity) on all the evidence (the interval only of the one that the verdict is for).
    :param verdict: The row of ``VerdictsTable``, in which a mode that named no model holds what is believed of the one
        that it is priced with. The word stays as it is.
    """

    accepted: list[SmallModel]
    rows: list[dict[str, object]]
    verdict: Mapping[str, object]


def candidates_of(
    volume: Volume, verdict: Mapping[str, object], graded: Graded, assumptions: Assumptions
) -> Candidates:
    """Return the small models for a task, each with its chances.

    :param verdict: Row of ``VerdictsTable``.
    """
    signals = _signals(verdict)
    needs = needs_of(volume, verdict)
    ruled_out = {model.name: rejection(model, needs, assumptions) for model in small_models()}
    accepted = [model for model in small_models() if ruled_out[model.name] is None]
    basis = _basis(verdict, signals)
    chances = {mode: _chances(mode, accepted, verdict, basis, graded) for mode in MODES}
    own, priced = {}, dict[str, list[str]]()
    for mode in MODES:
        serving = serving_model(verdict[mode], accepted, assumptions)
        if serving is None or basis is None:
            continue
        priced.setdefault(serving.name, []).append({"swap": "as it is", "tuned": "tuned"}[mode])
        if _names_no_model(verdict[mode]):
            own[mode] = basis.posterior(mode, basis.prior(mode, serving)).as_parity(serving.name)
    rows = []
    for model in small_models():
        found = {mode: chances[mode].get(model.name, _UNKNOWN) for mode in MODES}
        rows.append(_row(model, ruled_out[model.name], needs, priced.get(model.name, ()), found))
    return Candidates(accepted, rows, {**verdict, **own})


def graded_models(evidence: pl.DataFrame) -> dict[str, dict[tuple[str, str], float]]:
    """Return task_id -> (mode, small model) -> P(parity) of the small models that were graded.

    :param evidence: ``EvidenceTable``.
    """
    graded = evidence.filter(pl.col("slm").is_not_null()).drop_nulls("p_parity").sort("task_id", "mode", "slm")
    found: dict[str, dict[tuple[str, str], float]] = {}
    for task_id, mode, slm, p_parity in graded.select("task_id", "mode", "slm", "p_parity").iter_rows():
        found.setdefault(task_id, {})[mode, slm] = p_parity
    return found


@dataclass(frozen=True)
class _Basis:
    """What the chances of all models rest on.

    :param needed: Equally likely values of the least A.
    :param cut: No A above this; None: not known.
    :param floor: What a probe says of a tuned model; None: none learned the task.
    """

    output_kind: str
    output_tokens: float
    turn_depth: float
    needed: NDArray[np.float64]
    cut: float | None
    floor: Floor | None

    def prior(self, mode: str, model: SmallModel) -> Prior:
        facts = SlmFacts(model.name, model.params_b, model.tool_tuned, model.released)
        if mode == "tuned":
            return tuned_prior_of(facts, self.output_kind, self.turn_depth)
        return swap_prior_of(facts, self.output_tokens, calls_tools=self.output_kind == "tool_call")

    def posterior(self, mode: str, prior: Prior) -> Posterior:
        return posterior_at(prior, self.needed, floor=self.floor if mode == "tuned" else None, cut=self.cut)

    def chances(self, mode: str, models: Sequence[SmallModel]) -> list[Chance]:
        priors = [self.prior(mode, model) for model in models]
        if mode == "swap" or self.floor is None:
            columns = [column.tolist() for column in beliefs_by_prior(priors, self.needed, self.cut)]
            return list(zip(*columns, strict=True))
        found: dict[tuple[float, float], Chance] = {}
        for prior in priors:
            if (prior.a, prior.b) not in found:
                belief = self.posterior(mode, prior)
                found[prior.a, prior.b] = (belief.p_parity, *belief.interval(0.90))
        return [found[prior.a, prior.b] for prior in priors]


def _basis(verdict: Mapping[str, object], signals: Mapping[str, float | None]) -> _Basis | None:
    """Return what the chances rest on; None: the task has no answer to judge by."""
    if verdict["swap"] is None:
        return None
    at, spread = signals.get("tuned_floor"), signals.get("tuned_floor_sd")
    return _Basis(
        output_kind=str(verdict["output_kind"]),
        output_tokens=output_tokens({name: signals.get(name) for name in ("output_tokens_mean", "output_chars_mean")}),
        turn_depth=turn_depth({"turn_depth": signals.get("turn_depth")}),
        needed=np.array(verdict["a_needed_at"], dtype=np.float64),
        cut=signals.get("ceiling_mode_hi90"),
        floor=None if at is None or spread is None else Floor(at, spread),
    )


def _chances(
    mode: str, models: Sequence[SmallModel], verdict: Mapping[str, object], basis: _Basis | None, graded: Graded
) -> dict[str, Chance]:
    """Return the chances of the models by name; none where the task has no answer to judge by."""
    if not models or basis is None:
        return {}
    found = dict(zip((model.name for model in models), basis.chances(mode, models), strict=True))
    parity = verdict[mode]
    best = parity if isinstance(parity, Mapping) else {}
    for (of, slm), p_parity in graded.items():
        if of == mode:
            ends = (best["a_lo90"], best["a_hi90"]) if best.get("slm") == slm else (None, None)
            found[slm] = (p_parity, *ends)
    return found


def needs_of(volume: Volume, verdict: Mapping[str, object]) -> Needs:
    """Return what a task asks of a model.

    :param verdict: Row of ``VerdictsTable``.
    """
    media = (_signals(verdict).get("media_share") or 0) >= MEDIA_SHARE
    tools = volume.tools or verdict["output_kind"] == "tool_call"
    return Needs(volume.p99_tokens, tools, frozenset({"image"}) if media else frozenset())


def _row(
    model: SmallModel, ruled_out: Rejection | None, needs: Needs, priced: Sequence[str], chances: Mapping[str, Chance]
) -> dict[str, object]:
    counts = f"; priced {' and '.join(priced)}" if priced else ""
    row: dict[str, object] = {
        "slm": model.name,
        "accepted": ruled_out is None,
        "criterion": None if ruled_out is None else ruled_out.criterion,
        "reason": remark(model, needs) + counts if ruled_out is None else str(ruled_out),
    }
    for mode, suffix in _SUFFIX.items():
        found = chances[mode] if ruled_out is None else _UNKNOWN
        row |= dict(zip((f"p_parity{suffix}", f"a_lo90{suffix}", f"a_hi90{suffix}"), found, strict=True))
    return row


def _names_no_model(parity: object) -> bool:
    return isinstance(parity, Mapping) and str(parity["slm"]).startswith(ANY_MODEL)


def _signals(verdict: Mapping[str, object]) -> dict[str, float | None]:
    rows = verdict["signals"]
    return {row["name"]: row["value"] for row in rows} if isinstance(rows, Sequence) else {}
