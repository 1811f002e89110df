"""The ladder of cheaper answers: what could be saved before any model is moved, and what each rung rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slmlens.savings.assumptions import Assumptions
from slmlens.savings.levers import LOW_CACHED_SHARE, ONE_SHOT_STEPS, WITHOUT_PEOPLE, Lever
from slmlens.savings.montecarlo import percentiles
from slmlens.savings.options import Option
from slmlens.savings.volumes import Volume
from slmlens.suitability.decide import PROGRAM_FROM

Rung = dict[str, object]


def ladder(
    volume: Volume,
    verdict: Mapping[str, object],
    options: Mapping[str, Option],
    levers: Sequence[Lever],
    assumptions: Assumptions,
    *,
    cacheable: bool,
) -> list[Rung]:
    """Return the rungs of a task: ``name``, ``serves``, ``saving_month_nusd`` (None: none or no month), ``rests_on``.

    :param verdict: A row of ``VerdictsTable``.
    :param options: The task's options by action.
    :param levers: Its levers.
    :param cacheable: A cache may be the task's own action.
    """
    by_name = {str(lever["name"]): lever for lever in levers}
    program = verdict["program_lo90"]
    as_code = "code" in options and isinstance(program, float) and program >= PROGRAM_FROM
    return [
        _rung("cache", _repeats(verdict, assumptions), options.get("cache") if cacheable else None, serves=cacheable),
        _rung("code", _rules(program), options.get("code") if as_code else None, serves=as_code),
        _lever("prompt caching", by_name, _cached(volume, assumptions)),
        _lever("batch rate", by_name, _waiting(volume)),
    ]


def _rung(name: str, rests_on: str, option: Option | None, *, serves: bool) -> Rung:
    saving = None if option is None or option.worth is None else percentiles(option.worth.monthly)[1]
    return {"name": name, "serves": serves, "saving_month_nusd": saving, "rests_on": rests_on}


def _lever(name: str, levers: Mapping[str, Lever], otherwise: str) -> Rung:
    found = levers.get(name)
    return {
        "name": name,
        "serves": found is not None,
        "saving_month_nusd": found["saving_month_nusd"] if found else None,
        "rests_on": found["note"] if found else otherwise,
    }


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
