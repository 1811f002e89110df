"""The ladder of cheaper answers: each rung with what it saves on what the rungs before it leave, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.levers import LOW_CACHED_SHARE, ONE_SHOT_STEPS, WITHOUT_PEOPLE, Lever
from slmlens.savings.options import Option
from slmlens.savings.volumes import Volume
from slmlens.suitability.decide import OPEN_FROM, PROGRAM_FROM
from slmlens.tables import NUSD_PER_USD

Rung = dict[str, object]

_LEVERS = ("prompt caching", "batch rate")
_MODELS = (
    ("vendor's smaller model", "cheaper_llm", ("pilot-cheaper-llm",)),
    ("small model as it is", "swap", ("migrate-swap", "pilot-swap")),
    ("small model tuned", "tune", ("migrate-tune", "pilot-tune")),
)


@dataclass(frozen=True)
class Step:
    """A rung before it is put on the ladder.

    :param name: What it is called.
    :param serves: It may take its part; one that does not serve takes nothing.
    :param rests_on: What that rests on.
    :param leaves: Share of the calls that it leaves to the rungs after it.
    :param price: Price of the present vendor's calls after it, over that before.
    :param month_nusd: A model of its own: what all calls of the task would cost there a month; None: it is no model.
    :param fixed_nusd: What that model costs a month whatever the calls.
    :param chance: Chance that it holds parity; None: it is no matter of parity, or nothing is known.
    """

    name: str
    serves: bool
    rests_on: str
    leaves: float = 1.0
    price: float = 1.0
    month_nusd: float | None = None
    fixed_nusd: float = 0.0
    chance: float | None = None


def ladder(
    volume: Volume,
    verdict: Mapping[str, object],
    options: Mapping[str, Option],
    levers: Sequence[Lever],
    assumptions: Assumptions,
    *,
    cacheable: bool,
) -> list[Rung]:
    """Return the rungs of a task: ``name, serves, saving_month_nusd, remains_month_nusd, chance, rests_on``.

    Money is a month's run-rate before people cost. A model's figures are those if it holds parity, with its chance
    beside them. The savings, and what the last rung (``keep``) is left with, add up to what the calls cost a month.

    :param verdict: A row of ``VerdictsTable``.
    :param options: The task's options by action.
    :param levers: Its levers.
    :param cacheable: A cache may be the task's own action.
    """
    month = None
    if volume.billed_month is not None and volume.call_nusd is not None:
        month = round(volume.billed_month * volume.call_nusd)
    steps = [
        _cache(verdict, options, assumptions, serves=cacheable),
        _code(verdict, options),
        *(_lever(name, levers, volume, assumptions, month) for name in _LEVERS),
        *(_model(name, what, actions, volume, verdict, options, assumptions) for name, what, actions in _MODELS),
    ]
    return climb(month, steps)


def climb(month: int | None, steps: Sequence[Step]) -> list[Rung]:
    """Return the rungs, the last of them ``keep``: each takes its part of what is left, never more.

    A rung that takes calls leaves the rest of them; one that lowers the present vendor's price lowers that of the calls
    that are left, and of the vendor's own smaller model; a model takes what the calls that are left cost less there.

    :param month: What the calls cost a month, in nano-USD; None: not known, and no rung has money.
    """
    calls = price = 1.0
    left = month
    rows = []
    for step in steps:
        after = left
        if step.serves and left is not None:
            after = min(left, round(_after(step, left, calls, price)))
            calls, price = calls * step.leaves, price * step.price
        rows.append(_row(step, left, after))
        left = after
    keep = Step("keep", serves=True, rests_on="what stays with the models above it, or with the present one")
    return [*rows, _row(keep, left, left)]


def _after(step: Step, left: int, calls: float, price: float) -> float:
    if step.month_nusd is None:
        return left * step.leaves * step.price
    own = price if step.name == _MODELS[0][0] else 1.0
    return calls * step.month_nusd * own + step.fixed_nusd


def _row(step: Step, before: int | None, after: int | None) -> Rung:
    saving = before - after if step.serves and before is not None and after is not None else None
    return {
        "name": step.name,
        "serves": step.serves,
        "saving_month_nusd": saving,
        "remains_month_nusd": after,
        "chance": step.chance,
        "rests_on": step.rests_on,
    }


def _cache(
    verdict: Mapping[str, object], options: Mapping[str, Option], assumptions: Assumptions, *, serves: bool
) -> Step:
    share = float(str(verdict["repeat_share"]))
    return Step("cache", serves and "cache" in options, _repeats(verdict, assumptions), leaves=1 - share)


def _code(verdict: Mapping[str, object], options: Mapping[str, Option]) -> Step:
    program = verdict["program_lo90"]
    serves = "code" in options and isinstance(program, float) and program >= PROGRAM_FROM
    return Step("code", serves, _rules(program), leaves=0.0)


def _lever(name: str, levers: Sequence[Lever], volume: Volume, assumptions: Assumptions, month: int | None) -> Step:
    found = next((lever for lever in levers if lever["name"] == name), None)
    if found is None:
        rests_on = _cached(volume, assumptions) if name == _LEVERS[0] else _waiting(volume)
        return Step(name, serves=False, rests_on=rests_on)
    saved = found["saving_month_nusd"]
    share = min(1.0, saved / month) if isinstance(saved, int) and month else 0.0
    return Step(name, serves=True, rests_on=str(found["note"]), price=1 - share)


def _model(
    name: str,
    what: str,
    actions: Sequence[str],
    volume: Volume,
    verdict: Mapping[str, object],
    options: Mapping[str, Option],
    assumptions: Assumptions,
) -> Step:
    option = next((options[action] for action in actions if action in options), None)
    mode = verdict["tuned" if what == "tune" else "swap"]
    if option is None or not isinstance(mode, dict):
        return Step(name, serves=False, rests_on=_no_model(name, verdict))
    trust = assumptions.central("cheaper_llm_parity") if what == "cheaper_llm" else 1.0
    chance = trust * float(mode["p_parity"])
    month = None
    if option.saved_nusd is not None and volume.billed_month is not None and volume.call_nusd is not None:
        month = (volume.call_nusd - option.saved_nusd) * volume.billed_month
    return Step(
        name=name,
        serves=chance >= OPEN_FROM and (option.saved_nusd or 0.0) > 0,
        rests_on=_parity(option, chance, what, verdict),
        month_nusd=month,
        fixed_nusd=(option.monthly_usd - assumptions.monthly_usd(what)) * NUSD_PER_USD,
        chance=chance,
    )


def _parity(option: Option, chance: float, what: str, verdict: Mapping[str, object]) -> str:
    # A chance just under the bar must not read as the bar itself.
    said = f"{option.slm}, {chance:.{int(round(chance, 2) == OPEN_FROM > chance)}%} chance to hold parity"
    if what == "cheaper_llm":
        said += " (taken to be that of a small open model as it is, until it is piloted itself)"
    if option.saved_nusd is not None and option.saved_nusd <= 0:
        return f"{said}; it costs no less than the present model"
    if chance < OPEN_FROM:
        return f"{said}; below {OPEN_FROM:.0%} none is piloted"
    return f"{said}; {'shown' if verdict['evidence'] == 'shown' else 'a pilot comes first'}"


def _no_model(name: str, verdict: Mapping[str, object]) -> str:
    if verdict["gate"] is not None:
        return f"the task may not be moved: {verdict['gate']}"
    if name == _MODELS[0][0]:
        return "no smaller model of its vendor is known, or too little is known of the task"
    return "no small model fits with a price, or too little is known of the task"


def _repeats(verdict: Mapping[str, object], assumptions: Assumptions) -> str:
    share, equal = float(str(verdict["repeat_share"])), verdict["repeats_equal"]
    if not share or not isinstance(equal, float):
        return "no prompt came again, byte for byte, with an equal answer"
    least = assumptions.central("cache_min_share")
    return (
        f"{share:.1%} of the calls repeat an earlier prompt byte for byte and its answer, and {equal:.1%} of repeated "
        f"prompts got one answer only; a cache asks for {least:.0%}, equal answers, and none that acts"
    )


def _rules(program: object) -> str:
    if not isinstance(program, float):
        return "no simple rule of the prompt gives the answers"
    return (
        f"simple rules give the answer in at least {program:.1%} of later calls; plain code asks for {PROGRAM_FROM:.0%}"
    )


def _cached(volume: Volume, assumptions: Assumptions) -> str:
    cached = volume.cached_tokens / volume.input_tokens if volume.input_tokens else 0.0
    if cached >= LOW_CACHED_SHARE:
        return f"{cached:.0%} of its input is read from the vendor's cache already"
    least = assumptions.central("prompt_cache_min_tokens")
    return f"its prompts share a start of under {least:,.0f} tokens, or come too seldom for one to stay cached"


def _waiting(volume: Volume) -> str:
    if (volume.steps_per_session or 1.0) > ONE_SHOT_STEPS:
        return "it runs several times a session, where a step may wait for the one before"
    if volume.machine_only is None:
        return "who reads the answers is not known, and a batch may take up to 24 hours"
    if volume.machine_only < WITHOUT_PEOPLE:
        return "people wait for the answers, and a batch may take up to 24 hours"
    return "no batch price is known for its model, or it is billed at one already"
