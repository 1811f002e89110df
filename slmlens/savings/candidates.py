"""The small models of the catalogue for one task: which it can take, and each one's chance of parity, by mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.capability import Capability, capability_of, figures_of
from slmlens.savings.catalogue import SmallModel, small_models
from slmlens.savings.chances import Beliefs, Graded, basis_of, signals_of
from slmlens.savings.criteria import Needs, Rejection, rejection, remark
from slmlens.savings.options import serving_model
from slmlens.savings.volumes import Volume
from slmlens.suitability.judge import ANY_MODEL
from slmlens.tables import MODES

MEDIA_SHARE = 0.01
"""Share of prompts with an image, audio or video from which a model has to read them."""
Chance = tuple[float | None, float | None, float | None]
"""P(parity), and the ends of the 90 % interval of A; None: not known."""
_UNKNOWN: Chance = (None, None, None)
_SUFFIX = {"swap": "", "tuned": "_tuned"}


@dataclass(frozen=True)
class Candidates:
    """The small models for one task.

    :param accepted: Models that it can take.
    :param rows: A row for every model of the catalogue: ``slm, accepted, criterion, reason`` and, as it is and again
        with ``_tuned``, ``p_parity, a_lo90, a_hi90`` (null where it is ruled out): by its own prior and what the probes
        say; if it was graded, on all the evidence. ``figure`` is what others measured of it on the kind of work that
        the task is, as context; null: nothing, or not without thinking.
    :param beliefs: What is believed of the accepted models, by mode; empty where the task has no answer to judge by.
    :param capability: The kind of work that the task is; None: no benchmark of the catalogue measures it.
    :param verdict: The row of ``VerdictsTable``, in which a mode that named no model holds what is believed of the one
        that it is priced with. The word stays as it is.
    """

    accepted: list[SmallModel]
    rows: list[dict[str, object]]
    beliefs: Mapping[str, Beliefs]
    capability: Capability | None
    verdict: Mapping[str, object]


def candidates_of(
    volume: Volume, verdict: Mapping[str, object], graded: Graded, assumptions: Assumptions
) -> Candidates:
    """Return the small models for a task, each with its chances.

    :param verdict: Row of ``VerdictsTable``.
    """
    needs = needs_of(volume, verdict)
    ruled_out = {model.name: rejection(model, needs, assumptions) for model in small_models()}
    accepted = [model for model in small_models() if ruled_out[model.name] is None]
    basis = basis_of(verdict, volume.steps_per_session)
    beliefs = {} if basis is None or not accepted else {m: basis.beliefs(m, accepted, graded) for m in MODES}
    own, priced = {}, dict[str, list[str]]()
    for mode in MODES:
        serving = serving_model(verdict[mode], accepted, assumptions)
        if serving is None or basis is None:
            continue
        priced.setdefault(serving.name, []).append({"swap": "as it is", "tuned": "tuned"}[mode])
        if _names_no_model(verdict[mode]):
            own[mode] = basis.posterior(mode, serving).as_parity(serving.name)
    chances = {mode: _chances(beliefs[mode], verdict[mode]) for mode in beliefs}
    capability = capability_of(verdict, volume.p99_tokens)
    figures = figures_of(capability) if capability is not None else {}
    rows = []
    for model in small_models():
        found = {mode: chances[mode].get(model.name, _UNKNOWN) if beliefs else _UNKNOWN for mode in MODES}
        row = _row(model, ruled_out[model.name], needs, priced.get(model.name, ()), found)
        rows.append({**row, "figure": figures.get(model.name)})
    return Candidates(accepted, rows, beliefs, capability, {**verdict, **own})


def needs_of(volume: Volume, verdict: Mapping[str, object]) -> Needs:
    """Return what a task asks of a model.

    :param verdict: Row of ``VerdictsTable``.
    """
    media = (signals_of(verdict).get("media_share") or 0) >= MEDIA_SHARE
    tools = volume.tools or verdict["output_kind"] == "tool_call"
    return Needs(volume.p99_tokens, tools, frozenset({"image"}) if media else frozenset())


def _chances(beliefs: Beliefs, parity: object) -> dict[str, Chance]:
    """Return the chances by model; of the one that the verdict is for, the verdict's own interval."""
    columns = (beliefs.p_parity.tolist(), beliefs.low.tolist(), beliefs.high.tolist())
    found: dict[str, Chance] = dict(
        zip((model.name for model in beliefs.models), zip(*columns, strict=True), strict=True)
    )
    if isinstance(parity, Mapping) and parity["slm"] in found:
        found[parity["slm"]] = (found[parity["slm"]][0], parity["a_lo90"], parity["a_hi90"])
    return found


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
