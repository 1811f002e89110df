"""The result of an SLM probe in sentences."""

from __future__ import annotations

from slmlens.specialists.probe_results import FEW_SHOT, TUNED, ZERO_SHOT, Outcome, TaskProbe


def probe_words(found: TaskProbe) -> str:
    """Return what was found of a task, beside the untuned model and the constant answer; or why nothing was trained."""
    own = found.of(TUNED)
    if found.refused is not None or own is None:
        return f"{found.task_id}: no model was tuned. {found.refused or ''}".strip()
    beside = [f"a constant answer gets {own.constant:.0%}"] if own.constant is not None else []
    for way, words in ((ZERO_SHOT, "untuned it gets"), (FEW_SHOT, "untuned with {n} examples in the prompt")):
        other = found.of(way)
        if other is not None:
            beside.append(f"{words.format(n=other.examples)} {other.agreement:.0%} of {other.n}")
    if found.of(ZERO_SHOT) is None:
        beside.append("untuned it was not asked, as the time was up")
    return (
        f"{found.task_id}: {found.slm}, tuned on {own.examples:,} earlier calls, gives {_agreement(own)}; "
        f"{', '.join(beside)}. {found.seconds:,.0f} s."
    )


def _agreement(one: Outcome) -> str:
    return (
        f"an acceptable answer on {one.agreement:.0%} of {one.n:,} later calls (90 % interval {one.lo90:.0%} to "
        f"{one.hi90:.0%})"
    )
