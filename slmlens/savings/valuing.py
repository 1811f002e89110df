"""One task valued: its options in money, and what the decision table of the contract says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.candidates import candidates_of
from slmlens.savings.capability import Capability
from slmlens.savings.chances import Graded
from slmlens.savings.montecarlo import Setting, quantile
from slmlens.savings.options import Option, best_by_action, task_options
from slmlens.savings.picks import Pick, pick
from slmlens.savings.volumes import Volume
from slmlens.suitability.decide import OPEN_FROM, Decision, decide

_MIN_GRADED_OF_CLASS = 10
_SOME = 0.01
"""Share of a task's calls from which what they do counts for the whole task."""


@dataclass(frozen=True)
class Valued:
    """A task with its options and what was decided.

    :param options: One an (action, deployment), ``keep`` first.
    :param chosen: The one decided on: of its action, the best deployment.
    :param overruled: The action that a person replaced; None: nobody did.
    """

    volume: Volume
    verdict: Mapping[str, object]
    options: Sequence[Option]
    chosen: Option
    decision: Decision
    candidates: list[dict[str, object]]
    capability: Capability | None
    picks: Sequence[Pick]
    overruled: str | None


def value_task(
    volume: Volume,
    verdict: Mapping[str, object],
    smaller: tuple[str, float] | None,
    setting: Setting,
    asked: str | None,
    graded: Graded,
) -> Valued:
    """Return a task with its options in money and the decision.

    :param verdict: A row of ``VerdictsTable``.
    :param smaller: Name of the vendor's smaller model and mean saving a billed call in nano-USD, if any.
    :param asked: The action that a person asked for; followed where it is one of the options.
    :param graded: P(parity) of the small models that were graded on the task.
    """
    small = candidates_of(volume, verdict, graded, setting.assumptions)
    verdict = small.verdict
    options = task_options(volume, verdict, small.accepted, smaller, setting)
    by_action = best_by_action(options)
    decision = _decide(volume, verdict, by_action, setting.assumptions, slm_fits=bool(small.accepted))
    overruled = None
    if asked is not None and asked != decision.action and asked in by_action:
        overruled, decision = decision.action, Decision(asked, mode=by_action[asked].mode)
    return Valued(
        volume=volume,
        verdict=verdict,
        options=options,
        chosen=by_action[decision.action],
        decision=decision,
        candidates=small.rows,
        capability=small.capability,
        picks=pick(small, volume, setting),
        overruled=overruled,
    )


def _decide(
    volume: Volume,
    verdict: Mapping[str, object],
    options: Mapping[str, Option],
    assumptions: Assumptions,
    *,
    slm_fits: bool,
) -> Decision:
    evidence, gate = str(verdict["evidence"]), verdict["gate"]
    parity = {mode: _parity(verdict[mode]) for mode in ("swap", "tuned")}
    migrate, pilot = (
        {"swap": options.get(f"{verb}-swap"), "tuned": options.get(f"{verb}-tune")} for verb in ("migrate", "pilot")
    )
    return decide(
        gate=str(gate) if gate is not None else None,
        enough=evidence != "not-enough-data",
        no_signal=evidence == "no-signal",
        program_lo90=_number(verdict["program_lo90"]) if "code" in options else None,
        cacheable=cacheable(verdict, options, assumptions),
        evidence=evidence,
        grade=str(verdict["grade"]),
        p_parity_swap=parity["swap"],
        p_parity_tuned=parity["tuned"],
        p_npv_swap=chance(migrate["swap"]),
        p_npv_tuned=chance(migrate["tuned"]),
        npv_p90_swap_positive=_may_pay(pilot["swap"], volume),
        npv_p90_tuned_positive=_may_pay(pilot["tuned"], volume),
        slm_fits=slm_fits,
        rare_class_unmeasured=rare_unmeasured(verdict),
        cheaper_llm_better=_cheaper_is_better(options, parity, volume),
        held=verdict["hold"] is not None,
    )


def cacheable(verdict: Mapping[str, object], options: Mapping[str, Option], assumptions: Assumptions) -> bool:
    """Tell whether a cache may be the task's own action: enough equal repeats, and answers that do not act."""
    enough = (_number(verdict["repeat_share"]) or 0.0) >= assumptions.central("cache_min_share")
    acts = _signal(verdict, "side_effect_share")
    harmless = verdict["output_kind"] != "tool_call" if acts is None else acts < _SOME
    return enough and harmless and "cache" in options


def chance(option: Option | None) -> float | None:
    """Return P(NPV > 0); None: no month or no price."""
    return None if option is None or option.worth is None else float((option.worth.npv > 0).mean())


def _may_pay(option: Option | None, volume: Volume) -> bool:
    if option is None:
        return False
    if option.worth is not None:
        return quantile(np.sort(option.worth.npv), 0.9) > 0
    return volume.billed_month is None and (option.net_nusd or 0) > 0


def _cheaper_is_better(options: Mapping[str, Option], parity: Mapping[str, float | None], volume: Volume) -> bool:
    """Tell whether a pilot of the vendor's smaller model passes a pilot's tests and beats those of small models."""
    cheaper = options.get("pilot-cheaper-llm")
    if cheaper is None or cheaper.expected_npv is None or (parity["swap"] or 0.0) < OPEN_FROM:
        return False
    rivals = [
        option.expected_npv
        for mode, action in (("swap", "pilot-swap"), ("tuned", "pilot-tune"))
        if (option := options.get(action)) is not None
        and option.expected_npv is not None
        and (parity[mode] or 0.0) >= OPEN_FROM
    ]
    return _may_pay(cheaper, volume) and cheaper.expected_npv > max([0.0, *rivals])


def rare_unmeasured(verdict: Mapping[str, object]) -> bool:
    """Tell whether a rare answer class has too few graded calls to be judged."""
    return verdict["rare_class"] is not None and (_number(verdict["rare_n"]) or 0) < _MIN_GRADED_OF_CLASS


def _parity(mode: object) -> float | None:
    return _number(mode["p_parity"]) if isinstance(mode, dict) else None


def _signal(verdict: Mapping[str, object], name: str) -> float | None:
    signals = verdict["signals"]
    found = [entry["value"] for entry in signals if entry["name"] == name] if isinstance(signals, list) else []
    return _number(found[0]) if found else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
