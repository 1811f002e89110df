"""The sentences of a verdict: what its word rests on, in plain words and without any value of the log."""

from __future__ import annotations

import datetime as dt

from slmlens.suitability.answers import WHOLE
from slmlens.suitability.intervals import Share
from slmlens.suitability.judge import ANY_MODEL, GRADE_A_CALLS, LOOP_STEPS, Judged, Seen, known_ceiling
from slmlens.suitability.posterior import meets_target, prior_free_bound
from slmlens.suitability.probes import Probed
from slmlens.suitability.rare import RareClass
from slmlens.suitability.rules import CONSTANT
from slmlens.suitability.settings import AssessSettings

FEW_GROUPS = 30
"""Below this many groups of like prompts the group split is coarse."""
_SHOWN_RULES = 4
_EDITED = "The prompt was edited on {day}: only the answers to it as it is now count as evidence."
_ASSUMED = "the incumbent is taken to agree with itself always"


K_SHOW = 5
"""Subjects that must share a field's name or a rule's anchor before a sentence may tell it."""


def reasons_of(
    seen: Seen,
    judged: Judged,
    rare: RareClass | None,
    settings: AssessSettings,
    *,
    n_subjects: int,
    edited_on: dt.datetime | None = None,
    hold: str | None = None,
) -> list[str]:
    """Return the reasons of a task's verdict, the deciding one first.

    :param n_subjects: Users (where logged, else recurrence units) of the task.
    :param edited_on: When its prompt was last edited: only calls after that were looked at.
    :param hold: Why only a person may decide to move it, as a clause.
    """
    edit = [] if edited_on is None else [_EDITED.format(day=edited_on.date().isoformat())]
    if judged.gate is not None:
        return [_sentence(judged.gate)]
    if not seen.n_ok:
        return ["No call of this task has an answer to compare: all failed, or the log or the settings kept no text."]
    if not judged.enough:
        seen_words = f"{_count(seen.n_ok, 'usable answer')} in {_count(seen.n_units, 'unit')}"
        return [f"{seen_words}: a judgement needs {settings.min_calls} answers in {settings.min_units} units.", *edit]
    sentences = [_sentence(judged.no_signal)] if judged.no_signal else []
    sentences += _graded_words(seen, judged)
    sentences += _larger_words(judged, settings)
    sentences += _what_probes_say(seen, judged, settings, named=n_subjects >= K_SHOW)
    sentences += _ceiling_words(seen)
    sentences += [*_limits(seen, judged, rare, settings), *_for_a_person(hold)]
    return [*sentences, *edit]


def _graded_words(seen: Seen, judged: Judged) -> list[str]:
    """Say of each small model that was graded what it reached, its bound without a prior, and what parity asks."""
    sentences = []
    for mode, words in (("swap", "as it is"), ("tuned", "tuned on this task")):
        for one in seen.graded.get(mode, ()):
            among = f", the error split over {one.series} models and modes" if one.series > 1 else ""
            bound, needed = percent(prior_free_bound(one)), percent(judged.target.point)
            doubt = (
                ", beyond what is not known of the incumbent's own agreement"
                if prior_free_bound(one) >= judged.target.point and not meets_target(one, judged.target)
                else ""
            )
            of = f"of the {percent(one.covered)} of calls that have a recorded answer " if one.covered < 1 else ""
            rest = " of all, those without an answer counted as wrong" if one.covered < 1 else ""
            sentences.append(
                f"Graded, {one.slm} {words} gave an acceptable answer in {percent(one.agreement)} {of}"
                f"({_count(round(one.n_eff), 'independent call')}): without any prior at least {bound}{rest}{among}, "
                f"where parity asks for {needed}{doubt}."
            )
    return sentences


def _larger_words(judged: Judged, settings: AssessSettings) -> list[str]:
    """Say what graded smaller models mean for larger ones, where a verdict is for one that was not graded."""
    others = [mode for mode in (judged.swap, judged.tuned) if mode.p_parity_of and mode.slm.startswith(ANY_MODEL)]
    if not others:
        return []
    if judged.larger is None or judged.tuned not in others:
        return ["What a much smaller model gets wrong rules out no larger one: that takes a pilot of its own."]
    short = f"{100 * settings.larger_delta:g} points"
    as_well = f"That a larger model tuned alike does as well as {judged.larger.slm}, or at most {short} worse,"
    return [f"{as_well} is a judgement: it takes a pilot of its own to show it."]


def _what_probes_say(seen: Seen, judged: Judged, settings: AssessSettings, *, named: bool) -> list[str]:
    if seen.single:
        return [f"All {seen.n_ok:,} answers are the same: plain code can give it, no model is needed."]
    probed = seen.probed
    sentences = _student_words(probed, seen, settings, named=named) if probed else []
    if judged.program is not None and probed is not None and probed.program is not None:
        rules = [f"{name} {rule}" for name, rule in probed.program.rules.items() if rule != CONSTANT]
        told = f" ({'; '.join(rules[:_SHOWN_RULES])})" if named else ""
        sentences.append(
            f"A program of simple rules{told} gives {percent(judged.program.value)} of "
            f"the incumbent's answers on later sessions (at least {judged.program.lo90:.1%} at 95 % confidence)."
        )
    if not sentences:
        kind = seen.answers.kind if seen.answers else "empty"
        sentences.append(f"No cheap probe settles answers of kind {kind}: only priors speak, so a pilot has to tell.")
    return sentences


def _student_words(probed: Probed, seen: Seen, settings: AssessSettings, *, named: bool) -> list[str]:
    sentences = []
    if probed.whole is not None:
        by = "small text classifier" if WHOLE in probed.students else "small text classifier per field"
        where = "later calls" if seen.time_ordered else "held-out sessions"
        first = f"the first {settings.train_share:.0%} of sessions" if seen.time_ordered else "the other sessions"
        sentences.append(
            f"A {by} trained on {first} repeats the incumbent on {percent(probed.whole.value)} of {where} "
            f"(constant answer: {percent(probed.constant or 0.0)}); the lower of two splits counts."
        )
        sentences += _split_gap(probed)
    else:
        for name, student in sorted(probed.students.items())[:2]:
            field = f"the field {name}" if named else "one field"
            sentences.append(
                f"A small text classifier repeats {field} on {percent(student.lower.value)} of later calls "
                f"(constant: {percent(student.constant)}); the other fields have no cheap probe."
            )
    return sentences


def _split_gap(probed: Probed) -> list[str]:
    student = probed.students.get(WHOLE)
    if student is None or abs(student.time.value - student.group.value) < 0.05:  # noqa: PLR2004 - five points
        return []
    few = f", of which there are only {probed.n_groups}" if probed.n_groups < FEW_GROUPS else ""
    reached = f"It reaches {percent(student.time.value)} on later sessions"
    return [f"{reached} but {percent(student.group.value)} on wordings it has not seen{few}."]


def _ceiling_words(seen: Seen) -> list[str]:
    pair = seen.ceiling.pair if seen.ceiling else None
    if pair is None or seen.ceiling is None:
        return [f"No prompt was asked twice in different sessions: {_ASSUMED}."]
    if known_ceiling(seen) is None:
        return [f"Only {_count(pair.n_units, 'prompt')} came again in another session, too few to rest on: {_ASSUMED}."]
    mode = f", and with its usual answer in {percent(seen.ceiling.mode)}" if seen.ceiling.mode is not None else ""
    repeated = f"{_range(pair)} of cases ({_count(seen.ceiling.n_pairs, 'pair')})"
    return [f"Asked again in another session, the incumbent repeats its answer in {repeated}{mode}."]


def _limits(seen: Seen, judged: Judged, rare: RareClass | None, settings: AssessSettings) -> list[str]:
    sentences = []
    if rare is not None:
        said = "is not measured" if rare.recall is None else f"is {percent(rare.recall)} on calls held out"
        share = f"under {settings.rare_share:.0%}"
        sentences.append(f"Rare answers ({share}): the recall of one of them {said} (n = {rare.n}).")
    if seen.answers is not None and seen.answers.weak:
        sentences.append("Agreement is judged by a proxy for free text or code, so it counts as weak.")
    if seen.probed is not None and seen.probed.students and not seen.probes_see_prompts:
        sentences.append(
            f"In {percent(1 - seen.whole_share)} of its calls the classifier sees a part of the prompt only (of long "
            "texts and of earlier turns): a model that reads all of it may do better."
        )
    if not seen.time_ordered:
        sentences.append("The log has no time order: this is not a time split, and the words are one grade lower.")
    if seen.steps is not None and seen.steps > LOOP_STEPS:
        a = judged.chosen.posterior.as_parity("")["a_p50"]
        assert isinstance(a, float)
        sentences.append(
            f"It runs {seen.steps:.1f} times a session: an agreement of {percent(a)} a step is "
            f"{percent(a**seen.steps)} a session."
        )
        if any(one.n_eff >= GRADE_A_CALLS for graded in seen.graded.values() for one in graded):
            sentences.append(
                "Answers to logged prompts don't show where a model's own earlier steps lead, so in a loop they reach "
                "grade B at most: outcomes of whole sessions would tell."
            )
    return sentences


def _for_a_person(hold: str | None) -> list[str]:
    if hold is None:
        return []
    decides = _sentence(f"{hold}: only a person may decide to move it, by overriding the action")
    return [f"{decides} A pilot executes nothing."]


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


def percent(share: float) -> str:
    """Return whole percents, but never 100 % for less than all nor 0 % for more than none."""
    if 0.995 <= share < 1 or 0 < share <= 0.005:  # noqa: PLR2004 - where rounding would lie
        return f"{share:.1%}" if 0.0005 <= share < 0.9995 else ("over 99.9%" if share > 0.5 else "under 0.1%")  # noqa: PLR2004
    return f"{share:.0%}"


def _range(share: Share) -> str:
    return f"{percent(share.value)} ({percent(share.lo90)} to {percent(share.hi90)})"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
