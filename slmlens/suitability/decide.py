"""The decision table: from evidence to a word, and from the word and the money to one action. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from slmlens.tables import GRADES

LIKELY_FROM = 0.8
OPEN_FROM = 0.2
MIGRATE_FROM = 0.8
PROGRAM_FROM = 0.99


@dataclass(frozen=True)
class Decision:
    """What to do with a task.

    :param action: One of ``slmlens.tables.ACTIONS``.
    :param keep_because: One of ``slmlens.tables.KEEP_REASONS`` where the action is ``keep``; else None.
    :param mode: ``swap`` or ``tuned`` where the action is to pilot or migrate to a small model; else None.
    """

    action: str
    keep_because: str | None = None
    mode: str | None = None


def evidence_word(  # noqa: PLR0911 - a decision table reads as its rows do: first match returns
    *,
    gate: str | None,
    enough: bool,
    no_signal: bool,
    p_parity: float | None,
    grade: str,
    probe_applies: bool,
    prior_free_ok: bool,
    time_ordered: bool,
) -> str:
    """Return the word for what the evidence says; first match decides.

    :param gate: Why the task may not be moved at all; None: no gate.
    :param enough: Calls and units suffice to judge.
    :param no_signal: The incumbent agrees with itself no more than a constant does, or the probe's null holds.
    :param p_parity: P(parity) of the better mode; None: not computed, which reads as open.
    :param grade: ``A`` to ``D``.
    :param probe_applies: A probe, a pilot or an SLM probe has measured the task; without one it stays at open.
    :param prior_free_ok: The bound that uses no prior meets the target.
    :param time_ordered: False: the split follows no time, and the evidence counts one grade lower.
    :return: One of ``slmlens.tables.EVIDENCE_WORDS``.
    """
    if gate is not None:
        return "gated"
    if not enough:
        return "not-enough-data"
    if no_signal:
        return "no-signal"
    counted = grade if time_ordered else GRADES[min(GRADES.index(grade) + 1, len(GRADES) - 1)]
    if counted == "D" or p_parity is None:
        return "open"
    if probe_applies and counted == "A" and prior_free_ok:
        return "shown"
    if probe_applies and p_parity >= LIKELY_FROM:
        return "likely"
    return "open" if p_parity >= OPEN_FROM else "unlikely"


def decide(  # noqa: PLR0911 - a decision table reads as its rows do: first match returns
    *,
    gate: str | None,
    enough: bool,
    no_signal: bool,
    program_lo90: float | None,
    cacheable: bool,
    evidence: str,
    grade: str,
    p_parity_swap: float | None,
    p_parity_tuned: float | None,
    p_npv_swap: float | None,
    p_npv_tuned: float | None,
    npv_p90_swap_positive: bool,
    npv_p90_tuned_positive: bool,
    slm_fits: bool = True,
    rare_class_unmeasured: bool = False,
    cheaper_llm_better: bool = False,
    held: bool = False,
) -> Decision:
    """Return the action; first match decides.

    :param gate: Why the task may not be moved at all; None: no gate.
    :param enough: Calls and units suffice to judge.
    :param no_signal: There is nothing a model could learn to agree with.
    :param program_lo90: Lower bound of the program probe on later sessions; None: no probe.
    :param cacheable: Byte-equal prompts recur with equal answers and no side effect.
    :param evidence: The evidence word.
    :param grade: ``A`` to ``D``; only A may migrate.
    :param p_parity_swap: P(parity) of a small model as it is, ``p_parity_tuned`` of a tuned one; None: not computed.
    :param p_npv_swap: P(NPV > 0) of migrating to it, ``p_npv_tuned`` to a tuned one; None: no month or no price.
    :param npv_p90_swap_positive: P90 of a pilot's NPV is above zero (tuned alike); without a month: at some volume.
    :param slm_fits: A small model of the catalogue passes licence, window and tools.
    :param rare_class_unmeasured: A class under 5 % of the answers has fewer than 10 graded examples.
    :param cheaper_llm_better: A pilot of the vendor's own smaller model passes the same tests and is worth more.
    :param held: Its calls act or touch on people's safety: only a person may decide to move it, here it is piloted.
    """
    if gate is not None:
        return Decision("keep", "gate")
    if not enough:
        return Decision("keep", "unknown")
    if no_signal:
        return Decision("keep", "quality")
    if program_lo90 is not None and program_lo90 >= PROGRAM_FROM:
        return Decision("code")
    if cacheable:
        return Decision("cache")
    if not slm_fits:
        return Decision("keep", "gate")
    modes = (
        _Mode("swap", p_parity_swap, p_npv_swap, npv_p90_swap_positive),
        _Mode("tuned", p_parity_tuned, p_npv_tuned, npv_p90_tuned_positive),
    )
    ready = [mode for mode in modes if mode.holds(LIKELY_FROM) and (mode.p_npv or 0) >= MIGRATE_FROM]
    if evidence == "shown" and grade == "A" and ready and not (rare_class_unmeasured or held):
        return _to("migrate", _best(ready))
    if cheaper_llm_better:
        return Decision("pilot-cheaper-llm")
    hopeful = [mode for mode in modes if mode.holds(OPEN_FROM)]
    paying = [mode for mode in hopeful if mode.npv_p90_positive]
    return _to("pilot", _best(paying)) if paying else _kept(modes, hopeful)


@dataclass(frozen=True)
class _Mode:
    name: str
    p_parity: float | None
    p_npv: float | None
    npv_p90_positive: bool

    def holds(self, least: float) -> bool:
        return self.p_parity is not None and self.p_parity >= least


def _best(modes: list[_Mode]) -> _Mode:
    """Return the mode likeliest to pay; a tie goes to the first, which needs the least work."""
    return max(modes, key=lambda mode: mode.p_npv or 0)


def _to(verb: str, mode: _Mode) -> Decision:
    return Decision(f"{verb}-{'swap' if mode.name == 'swap' else 'tune'}", mode=mode.name)


def _kept(modes: tuple[_Mode, ...], hopeful: list[_Mode]) -> Decision:
    if not hopeful:
        unjudged = all(mode.p_parity is None for mode in modes)
        return Decision("keep", "unknown" if unjudged else "quality")
    no_money = any(mode.p_npv is None for mode in hopeful)
    return Decision("keep", "unknown" if no_money else "money")
