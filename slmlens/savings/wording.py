"""Sentences on the money of a task: what would change the answer, and what the figure rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.options import Option, best_by_action, break_even_calls
from slmlens.savings.volumes import Volume
from slmlens.suitability.decide import Decision
from slmlens.tables import NUSD_PER_USD

_CENT = 0.01

_CALLED = {
    "code": "plain code",
    "cache": "a cache of repeated prompts",
    "migrate-swap": "a small model as it is",
    "migrate-tune": "a fine-tuned small model",
    "pilot-cheaper-llm": "the vendor's smaller model",
}


def flips(
    volume: Volume,
    verdict: Mapping[str, object],
    options: Sequence[Option],
    assumptions: Assumptions,
    decision: Decision,
) -> list[str]:
    """Return which fact, at which value, changes the answer for a task."""
    if verdict["gate"] is not None:
        return []
    if volume.seat_only:
        return ["a seat plan paid these calls: moving them saves nothing until the plan changes"]
    found = _by_quality(verdict) if decision.keep_because == "quality" else []
    condition = "if it held parity, " if found else ""
    if volume.call_nusd is None:
        found.append(_unpriced(volume))
    for option in best_by_action(options).values():
        if option.action in _CALLED and not _marginal(option, verdict, assumptions):
            sentence = _by_volume(option, volume, assumptions)
            found += [condition + sentence] if sentence else []
    pilot = verdict["pilot_calls"]
    if isinstance(pilot, int) and (decision.action.startswith("pilot") or verdict["evidence"] == "open"):
        found.append(f"{pilot:,} graded calls would settle whether a small model holds parity")
    return found


def money_reasons(volume: Volume, chosen: Option, *, month_reason: str) -> list[str]:
    """Return what the money of the chosen option rests on."""
    if volume.seat_only:
        return ["paid by a seat plan: the figures are list-price equivalents and no saving is counted"]
    if volume.call_nusd is None:
        return ["no price is known for these calls, so no saving is stated"]
    reasons = []
    if volume.billed_month is None:
        reasons.append(f"no monthly figure: {_lowered(month_reason)}")
    if volume.billed_calls < volume.calls:
        reasons.append(
            f"{volume.billed_calls:,} of {volume.calls:,} calls are billed by use and priced; only they count"
        )
    if volume.committed_share > 0:
        reasons.append(
            f"a commitment covers {volume.committed_share:.0%} of what these calls cost, for another "
            f"{volume.committed_months:.1f} months: moving that share saves nothing before"
        )
    if chosen.wrong_nusd > 0:
        reasons.append(
            f"{_per_1000(chosen.wrong_nusd)} per 1,000 calls are set aside for answers that only the small model gets "
            "wrong: a retry each, and minutes of a person for some"
        )
    worth = chosen.expected_npv
    if chosen.action != "keep" and worth is not None and worth <= 0:
        reasons.append("at this volume the people cost is more than what it saves")
    return reasons


def about(number: float) -> str:
    """Return a count to two significant digits: ``610,000``."""
    return f"{float(f'{number:.1e}'):,.0f}"


def _by_quality(verdict: Mapping[str, object]) -> list[str]:
    modes = [mode for mode in (verdict["swap"], verdict["tuned"]) if isinstance(mode, dict)]
    if not modes:
        return []
    best = max(modes, key=lambda mode: mode["p_parity"])
    needed = float(str(verdict["a_needed"]))
    seen = f"the evidence puts it at {best['a_p50']:.0%} ({best['a_lo90']:.0%} to {best['a_hi90']:.0%})"
    return [f"a small model has to agree with the incumbent in {needed:.0%} of the calls; {seen}"]


def _marginal(option: Option, verdict: Mapping[str, object], assumptions: Assumptions) -> bool:
    """Tell whether too few calls repeat for a cache to be worth a sentence."""
    return option.action == "cache" and float(str(verdict["repeat_share"])) < assumptions.central("cache_min_share")


def _by_volume(option: Option, volume: Volume, assumptions: Assumptions) -> str | None:
    called = _CALLED[option.action]
    if option.saved_nusd is not None and option.saved_nusd <= 0:
        return f"{called} never pays: these calls already cost no more than it would"
    needed = break_even_calls(option, assumptions.central("horizon_months"))
    if needed is None:
        return _no_volume(called, option)
    if volume.billed_month is None:
        return f"{called} would pay from {about(needed)} calls a month; this log shows no month"
    seen = volume.billed_month
    if seen < needed:
        return f"{called} would pay from {about(needed)} calls a month; this log shows {about(seen)}"
    return f"{called} would stop paying below {about(needed)} calls a month; this log shows {about(seen)}"


def _no_volume(called: str, option: Option) -> str | None:
    """Return why no volume makes an option pay that costs less a call; None: no price."""
    if option.saved_nusd is None:
        return None
    if option.open_share <= 0:
        return f"{called} saves nothing before the commitment that covers these calls ends"
    wrong, saved = _per_1000(option.wrong_nusd), _per_1000(option.saved_nusd)
    return f"{called} never pays: its wrong answers would cost {wrong} per 1,000 calls, and it saves {saved}"


def _per_1000(call_nusd: float) -> str:
    usd = 1000 * call_nusd / NUSD_PER_USD
    return f"${usd:,.2f}" if usd >= _CENT else f"${usd:,.4f}"


def _unpriced(volume: Volume) -> str:
    if volume.model is None:
        return "no model is logged: name it with --assume-model to see what these calls cost"
    return f"no price is known for {volume.model}: with one, the saving and the break-even can be stated"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
