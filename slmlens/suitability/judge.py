"""From what was observed of one task to its verdict: learnable or not, posterior, grade, word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmlens.suitability.answers import WHOLE
from slmlens.suitability.ceiling import Ceiling
from slmlens.suitability.comparators import TaskAnswers
from slmlens.suitability.decide import LIKELY_FROM, OPEN_FROM, evidence_word
from slmlens.suitability.gates import Signals, gate_of
from slmlens.suitability.intervals import Share
from slmlens.suitability.larger import LargerAnchor, higher, is_smaller, larger_anchor, params_b_of
from slmlens.suitability.learnable import Anchor, anchor_of, is_learnable
from slmlens.suitability.posterior import (
    Floor,
    Graded,
    Posterior,
    Target,
    meets_target,
    posterior_of_a,
    prior_free_bound,
)
from slmlens.suitability.priors import Prior, swap_prior, tuned_prior
from slmlens.suitability.probes import Probed
from slmlens.suitability.settings import AssessSettings
from slmlens.suitability.signals import output_tokens, turn_depth

GRADE_A_CALLS = 50
GRADE_B_CALLS = 10
GRADE_A_COVERED = 0.95
"""Least share of a task's calls that graded answers speak for at grade A: the rest alone can't cost more than the 5 %
that parity gives away."""
LOOP_STEPS = 1.5
"""Steps a session from which a task is part of a loop, where agreement call by call is too little for grade A."""
WHOLE_PROMPTS = 0.9
"""Share of the calls whose prompt the probes must have seen whole, before they say that nothing can be learned."""
ANY_MODEL = "any of"
"""How the name of a class of models begins, where no model was graded."""
NOT_NAMED = "not named"
"""Stands for the name of a graded small model that has none."""
MIN_REPEATED_PROMPTS = 10
"""Fewest repeated prompts before self-agreement lowers the bar of parity, or says that there is no signal."""


@dataclass(frozen=True)
class Seen:
    """All that was measured of one task.

    :param task_id: The task.
    :param answers: Usable answers under the comparator; None: there are none.
    :param constant: b; None without answers.
    :param ceiling: Self-agreement; None without answers.
    :param probed: Probes; None where the task has too little data.
    :param adjusted: Field -> p-value of its student after Holm over the whole log.
    :param signals: Row of ``task_signals``.
    :param n_units: Recurrence units with a usable answer.
    :param steps: Steps a session; None: no sessions.
    :param time_ordered: The split follows time.
    :param whole_share: Share of the calls whose prompt the probes see whole, as far as it varies.
    :param graded: Mode -> graded answers of small models.
    """

    task_id: str
    answers: TaskAnswers | None
    constant: float | None
    ceiling: Ceiling | None
    probed: Probed | None
    adjusted: dict[str, float]
    signals: Signals
    n_units: int
    steps: float | None
    time_ordered: bool
    whole_share: float
    graded: dict[str, list[Graded]]

    @property
    def n_ok(self) -> int:
        """Number of usable answers."""
        return len(self.answers) if self.answers else 0

    @property
    def probes_see_prompts(self) -> bool:
        """Whether what the probes look at is nearly always all that varies: only then does their chance level tell."""
        return self.whole_share >= WHOLE_PROMPTS

    @property
    def single(self) -> bool:
        """Whether all answers are equal."""
        return self.constant is not None and self.constant >= 1


@dataclass(frozen=True)
class ModeVerdict:
    """The verdict of one mode (swap or tuned).

    :param prior: Its prior.
    :param posterior: Posterior of A.
    :param slm: The model, or the class of models, it holds for.
    :param grade: Evidence grade.
    :param probe_applies: A probe, a pilot or an SLM probe has measured this mode.
    :param bound: Prior-free lower bound of graded answers; None without any.
    :param shown: Graded answers show parity with no prior.
    :param p_parity_of: P(parity) of each small model that was graded, by name.
    """

    prior: Prior
    posterior: Posterior
    slm: str
    grade: str
    probe_applies: bool
    bound: float | None
    shown: bool
    p_parity_of: dict[str, float]


@dataclass(frozen=True)
class Judged:
    """The verdict of one task.

    :param target: What parity asks.
    :param swap: Verdict of small models as they are.
    :param tuned: Verdict of small models tuned on the task.
    :param mode: The mode that the word is for.
    :param anchor: The lower anchor: the best probe on the whole answer.
    :param floor: Where the anchor puts a tuned model, if a probe learned the task; else None.
    :param larger: Where a graded small model puts larger ones tuned alike, if it does; else None.
    :param learnable: The student against null and constant; None: no probe applies.
    :param null_p: The smallest adjusted p-value; None without a student.
    :param no_signal: Why nothing can be learned, as a clause; None: no such sign.
    :param program: The program's lower split, where plain code may rest on it: an exact comparator, and either a single
        answer or a clear gain over the constant.
    :param gate: Why the task may not move.
    :param enough: There is enough data to judge.
    :param evidence: The word.
    """

    target: Target
    swap: ModeVerdict
    tuned: ModeVerdict
    mode: str
    anchor: Anchor | None
    floor: Floor | None
    larger: LargerAnchor | None
    learnable: bool | None
    null_p: float | None
    no_signal: str | None
    program: Share | None
    gate: str | None
    enough: bool
    evidence: str

    @property
    def chosen(self) -> ModeVerdict:
        """The verdict of the mode that the word is for."""
        return self.swap if self.mode == "swap" else self.tuned


def judge(seen: Seen, settings: AssessSettings) -> Judged:
    """Return the verdict of one task."""
    target = Target(settings.parity, settings.skill, seen.constant or 0.0, known_ceiling(seen), single=seen.single)
    anchor = anchor_of(seen.probed, seen.constant, settings)
    learnable = is_learnable(anchor, seen.probed, seen.constant, seen.adjusted, settings)
    floor = _floor(anchor, settings) if anchor is not None and learnable else None
    swap = _swap(seen, target, settings)
    smaller = [one for one in seen.graded.get("tuned", ()) if is_smaller(one, settings)]
    larger = larger_anchor(smaller, seen.constant, target.point, settings)
    tuned = _tuned(seen, target, floor, larger, settings)
    mode = "swap" if _standing(swap) < _standing(tuned) else "tuned"
    chosen = swap if mode == "swap" else tuned
    gate = gate_of(seen.signals, settings)
    enough = seen.n_ok >= settings.min_calls and seen.n_units >= settings.min_units
    no_signal = _no_signal(seen, settings, learnable=learnable) if enough else None
    word = evidence_word(
        gate=gate,
        enough=enough,
        no_signal=no_signal is not None,
        p_parity=chosen.posterior.p_parity,
        grade=_grade_of_word(chosen, seen),
        probe_applies=chosen.probe_applies,
        prior_free_ok=chosen.shown,
        time_ordered=seen.time_ordered,
    )
    return Judged(
        target=target,
        swap=swap,
        tuned=tuned,
        mode=mode,
        anchor=anchor,
        floor=floor,
        larger=larger,
        learnable=learnable,
        null_p=min(seen.adjusted.values(), default=None),
        no_signal=no_signal,
        program=_program_for_code(seen, settings),
        gate=gate,
        enough=enough,
        evidence=word,
    )


def _grade_of_word(chosen: ModeVerdict, seen: Seen) -> str:
    """Return the grade that the word rests on: what sees a part of the prompts can speak for a model, never against."""
    against = chosen.grade == "C" and chosen.posterior.p_parity < OPEN_FROM
    return "D" if against and not seen.probes_see_prompts else chosen.grade


def _standing(mode: ModeVerdict) -> tuple[bool, str, float]:
    """Order modes: one that a pilot has all but ruled out last, else the better evidence first, then the likelier."""
    ruled_out = mode.grade in {"A", "B"} and mode.posterior.p_parity < OPEN_FROM
    return ruled_out, mode.grade, -mode.posterior.p_parity


def known_ceiling(seen: Seen) -> Share | None:
    """Return C_pair where enough prompts repeat to rest on; None: it is taken as 1."""
    pair = seen.ceiling.pair if seen.ceiling else None
    return pair if pair is not None and pair.n_units >= MIN_REPEATED_PROMPTS else None


def _no_signal(seen: Seen, settings: AssessSettings, *, learnable: bool | None) -> str | None:
    """Why there is nothing to learn; a probe that did learn, a graded small model and a single answer overrule."""
    if learnable or seen.single or seen.constant is None:
        return None
    pair = known_ceiling(seen)
    if pair is not None and pair.lo90 <= seen.constant and pair.hi90 <= seen.constant + settings.visible_gain:
        return (
            f"asked again, the incumbent agrees with itself in {pair.value:.0%} of cases, "
            f"no more than a constant answer does ({seen.constant:.0%})"
        )
    bounds = [prior_free_bound(one) for graded in seen.graded.values() for one in graded]
    bounds += [pair.lo90] if pair is not None else []
    if any(bound > seen.constant + settings.margin for bound in bounds):
        return None
    probed = seen.probed
    if probed is None or not probed.covered or min(seen.adjusted.values(), default=0.0) <= settings.alpha:
        return None
    if not all(student.visible for student in probed.students.values()) or not seen.probes_see_prompts:
        return None
    return "a classifier trained on some sessions does no better on others than chance, with whole sessions permuted"


def _program_for_code(seen: Seen, settings: AssessSettings) -> Share | None:
    if seen.answers is None or seen.answers.weak or seen.probed is None or seen.probed.program is None:
        return None
    share, b = seen.probed.program.lower, seen.constant or 0.0
    if seen.single:
        return share
    has_skill = share.value - b >= settings.skill * (1 - b)
    return share if has_skill and not seen.probed.program.constant else None


def _swap(seen: Seen, target: Target, settings: AssessSettings) -> ModeVerdict:
    tokens, released = output_tokens(seen.signals), settings.slm_released
    return _mode(seen, "swap", lambda size: swap_prior(tokens, size, released=released), target, None, None, settings)


def _tuned(
    seen: Seen, target: Target, floor: Floor | None, larger: LargerAnchor | None, settings: AssessSettings
) -> ModeVerdict:
    kind, depth = seen.answers.kind if seen.answers else "empty", turn_depth(seen.signals)
    return _mode(seen, "tuned", lambda size: tuned_prior(kind, depth, params_b=size), target, floor, larger, settings)


def _floor(anchor: Anchor, settings: AssessSettings) -> Floor:
    return Floor(anchor.share.value - settings.anchor_delta, max(settings.anchor_sd, 3 * anchor.share.sd))


def _mode(
    seen: Seen,
    mode: str,
    prior: Callable[[float], Prior],
    target: Target,
    floor: Floor | None,
    larger: LargerAnchor | None,
    settings: AssessSettings,
) -> ModeVerdict:
    """Judge one mode, for one of the models that were graded on it, or for any of the reference size.

    :param prior: Prior of a model by its billions of parameters.
    :param floor: What the probes say of any tuned model.
    :param larger: What smaller graded models say of one of the reference size.
    """
    cut = seen.ceiling.mode_hi90 if seen.ceiling else None
    options = _options(seen.graded.get(mode, ()), settings)
    any_floor = higher(floor, larger.floor if larger else None)
    posteriors = [
        posterior_of_a(
            prior(_size(graded, settings)), target, floor=any_floor if graded is None else floor, cut=cut, graded=graded
        )
        for graded in options
    ]
    best = _best(options, posteriors)
    graded = options[best]
    slm = graded.slm if graded else f"{ANY_MODEL} about {settings.slm_params_b:g}B"
    n_eff, covered = (graded.n_eff, graded.covered) if graded else (0.0, 1.0)
    probed = (any_floor if graded is None else floor) is not None
    grade = grade_of(n_eff, covered, probed=probed, looped=(seen.steps or 1.0) > LOOP_STEPS)
    return ModeVerdict(
        prior=prior(settings.slm_params_b),
        posterior=posteriors[best],
        slm=slm,
        grade=grade,
        probe_applies=probed or grade in {"A", "B"},
        bound=prior_free_bound(graded) if graded else None,
        shown=graded is not None and meets_target(graded, target),
        p_parity_of={one.slm: p.p_parity for one, p in zip(options, posteriors, strict=True) if one is not None},
    )


def _options(graded: Sequence[Graded], settings: AssessSettings) -> list[Graded | None]:
    """Models that a mode may be judged for; None: any of the reference size, open as long as no such one was graded."""
    return [*graded, *([None] if all(is_smaller(one, settings) for one in graded) else [])]


def _best(options: Sequence[Graded | None], posteriors: Sequence[Posterior]) -> int:
    """Return the likeliest option: a graded model that is likely itself comes first, one that is ruled out last."""
    chances = [posterior.p_parity for posterior in posteriors]

    def standing(at: int) -> tuple[bool, bool, float, int]:
        graded = options[at] is not None
        return graded and chances[at] >= LIKELY_FROM, not (graded and chances[at] < OPEN_FROM), chances[at], -at

    return max(range(len(options)), key=standing)


def _size(graded: Graded | None, settings: AssessSettings) -> float:
    return (params_b_of(graded.slm) if graded else None) or settings.slm_params_b


def grade_of(n_eff: float, covered: float, *, probed: bool, looped: bool) -> str:
    """Return the evidence grade of one mode of a task.

    :param n_eff: Independent calls that graded answers of a small model are worth; 0: there are none.
    :param covered: Share of the task's calls that they speak for.
    :param probed: A probe has learned the task.
    :param looped: The task runs several times in a session.
    """
    if n_eff >= GRADE_B_CALLS:
        whole = n_eff >= GRADE_A_CALLS and covered >= GRADE_A_COVERED
        return "A" if whole and not looped else "B"
    return "C" if probed else "D"


def student_words(name: str) -> str:
    """Return how a student's field is named in a sentence."""
    return "the answer" if name == WHOLE else f"the field {name}"
