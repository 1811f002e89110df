"""One task from signal to posterior, as the small tables of a notebook: what was measured, and what it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from slmlens.errors import SettingError
from slmlens.reporting.card import action_label, chances_of, name_of, ranked
from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.money import usd_about
from slmlens.reporting.onepage import measure
from slmlens.reporting.pilots import pilot_lines
from slmlens.reporting.plain_words import EVIDENCE, GRADE, OUTPUT, kept_because
from slmlens.reporting.task_records import bucket
from slmlens.reporting.text import counted, percent, sentence
from slmlens.results import Plan
from slmlens.suitability.answers import WHOLE
from slmlens.suitability.assess import GRADED_SOURCES
from slmlens.suitability.belief import Belief, belief_of
from slmlens.suitability.intervals import Share
from slmlens.suitability.judge import LOOP_STEPS, Judged, ModeVerdict, known_ceiling
from slmlens.suitability.posterior import Target
from slmlens.suitability.reasons import K_SHOW

_BEFORE_A_MODEL = ("cache", "code", "prompt caching", "batch rate")
"""Rungs of the ladder that need no other model."""

Json = Mapping[str, Any]

UNDECIDED = ("open", "likely")
"""Evidence words that more evidence could move."""
NONE_TO_SHOW = "No task of this log has an answer to look at: there is nothing to estimate."
_LISTED = 8
_SMALL_P = 0.001
_ROUNDING = 1e-6
_PROBE_NUMBERS = ("later sessions", "unseen wordings", "constant", "by chance")
_EDITABLE = "a judgement: the sliders below move it"


@dataclass(frozen=True)
class OneTask:
    """A task to look at.

    :param belief: What was measured of it, and its verdict.
    :param record: Its record in the summary.
    :param verdict: Its row of ``VerdictsTable``.
    :param summary: Of the whole log.
    :param named: Enough subjects share its answers that fields may be named.
    :param graded: Its rows of ``EvidenceTable`` for small models whose answers were graded.
    """

    belief: Belief
    record: Json
    verdict: Json
    summary: Json
    named: bool
    graded: Sequence[Json] = ()

    def __repr__(self) -> str:
        return repr(self._words())

    def _repr_html_(self) -> str:
        return self._words()._repr_html_()

    def _words(self) -> Words:
        record, basis = self.record, measure(self.summary)
        amount = basis.of_task(record)
        share = f", {percent(amount / basis.total)} of the log" if basis.total else ""
        label, meaning = EVIDENCE[record["evidence"]]
        action = action_label(record, self.summary)
        why = f" because {kept_because(record)}" if bucket(record, self.summary) == "keep" else ""
        size = (
            f"{counted(record['n_calls'], 'call')}, {basis.words(amount)}{share}"
            if basis.priced
            else counted(record["n_calls"], "call")
        )
        lines = [
            f"{name_of(record)}: {size}. Its answer is {OUTPUT[record['output_kind']]}.",
            f"Evidence: {label.lower()} ({meaning}). Grade {record['grade']}: {GRADE[record['grade']]}.",
            f"What to do: {action[:1].lower()}{action[1:]}{why}.",
        ]
        return Words("\n".join(lines))


def look_at(plan: Plan, summary: Json, task: str | None = None) -> OneTask | Words:
    """Return one task to look at, measured again; words where no task of the log has an answer.

    :param plan: The plan of a log.
    :param summary: Its summary.
    :param task: Id or name of a task; None: the dearest whose evidence is open or likely, else the dearest of all.
    :raises SettingError: If there is no such task, or several have that name.
    """
    answered = set(plan.verdicts.verdicts.filter(pl.col("n_ok") > 0).get_column("task_id"))
    records = [record for record in summary["tasks"] if record["task_id"] in answered]
    if task is not None:
        record = _wanted(records, task)
    elif records:
        record = next((one for one in records if one["evidence"] in UNDECIDED), records[0])
    else:
        return Words(NONE_TO_SHOW)
    own = pl.col("task_id") == record["task_id"]
    verdict = plan.verdicts.verdicts.row(by_predicate=own, named=True)
    n_subjects = plan.tasks.tasks.filter(own).item(0, "n_subjects")
    belief = belief_of(plan.verdicts, record["task_id"])
    graded = plan.verdicts.evidence.filter(own & pl.col("source").is_in(GRADED_SOURCES)).drop_nulls("agreement")
    return OneTask(belief, record, verdict, summary, named=n_subjects >= K_SHOW, graded=graded.to_dicts())


def _wanted(records: Sequence[Json], task: str) -> Json:
    found = [record for record in records if task in (record["task_id"], record["name"], name_of(record))]
    found = found or [record for record in records if record["name"].startswith(task)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{record['task_id']} ({name_of(record)})" for record in records[:_LISTED])
    raise SettingError(
        f"{len(found)} tasks with an answer are called {task!r}" if found else f"no task with an answer is {task!r}",
        where="task",
        next_step=f"name one by its id: {known}",
    )


# signal: (what it is, how it is written, what it tells)
_SIGNALS: dict[str, tuple[str, Callable[[float], str], str]] = {
    "output_tokens_mean": ("tokens of an answer, mean", lambda x: f"{x:,.0f}", "longer answers are harder: the prior"),
    "reasoning_tokens_mean": ("of these, reasoning", lambda x: f"{x:,.0f}", "the incumbent had to think"),
    "answers_distinct": ("different answers", lambda x: f"{x:,.0f}", "few: a label; as many as calls: a text"),
    "answer_entropy": ("spread of the answers", lambda x: f"{x:.1f} bits", "0: a constant would do"),
    "schema_stability": ("answers with the commonest fields", percent, "a format that can be learned"),
    "copy_coverage": ("words of the answer found in the prompt", percent, "copying is easy"),
    "determinism": ("repeated prompts with one answer only", percent, "the rest is the incumbent's noise"),
    "tools_offered": ("tools on offer, mean", lambda x: f"{x:.1f}", "more to choose among"),
    "side_effect_share": ("calls that act", percent, "from 1 % on only a person may move it"),
    "turn_depth": ("messages in a prompt, mean", lambda x: f"{x:.1f}", "many: a conversation or a loop"),
    "input_tokens_p99": (
        "tokens of a long prompt (99th in 100)",
        lambda x: f"{x:,.0f}",
        "must fit the window: a gate",
    ),
    "media_share": ("prompts with images or sound", percent, "a text model can't take them: a gate"),
    "failure_share": ("answers that failed", percent, "the incumbent's own bar"),
}


def signals_grid(one: OneTask | Words) -> Grid | Words:
    """Return what the log shows of the task's answers, prompts and tools."""
    if isinstance(one, Words):
        return one
    seen = {row["name"]: row["value"] for row in one.verdict["signals"]}
    rows = [
        {"signal": words, "value": _written(seen.get(name), write), "what it tells": tells}
        for name, (words, write, tells) in _SIGNALS.items()
    ]
    return Grid(pl.DataFrame(rows), numbers=("value",), strong="signal")


def _written(value: float | None, write: Callable[[float], str]) -> str:
    return "not in the log" if value is None else write(value)


def bar_grid(one: OneTask | Words) -> Grid | Words:
    """Return the two bars between which a small model has to lie, and where parity puts the line."""
    if isinstance(one, Words):
        return one
    seen, judged, settings = one.belief.seen, one.belief.judged, one.belief.settings
    target, known = judged.target, known_ceiling(seen)
    pair = seen.ceiling.pair if seen.ceiling else None
    if known is not None:
        top = (_span(known), f"{counted(known.n_units, 'prompt')} asked again in other sessions")
    elif pair is not None:
        top = ("100 %, assumed", f"only {counted(pair.n_units, 'prompt')} asked again, too few to rest on")
    else:
        top = ("100 %, assumed", "no prompt was asked again in another session")
    height = known.value if known is not None else 1.0
    mode = seen.ceiling.mode if seen.ceiling else None
    rows = [
        ("floor: the best constant answer", percent(target.constant), counted(seen.n_ok, "usable answer")),
        ("ceiling: the incumbent against itself", *top),
        (
            "agreement with its usual answer",
            "not measured" if mode is None else percent(mode),
            "the highest that any model can reach",
        ),
        (f"parity: {percent(settings.parity)} of the ceiling", percent(settings.parity * height), _EDITABLE),
        *_skill_rows(target, height),
    ]
    if one.verdict["rare_class"] is not None:
        recall, n = one.verdict["rare_recall"], one.verdict["rare_n"] or 0
        known_words = "not measured" if recall is None else f"recall {percent(recall)}"
        rows.append((f"an answer of under {percent(settings.rare_share)}", known_words, f"{n:,} graded calls"))
    return Grid(pl.DataFrame(rows, schema=["bar", "agreement", "rests on"], orient="row"), ("agreement",), strong="bar")


def _skill_rows(target: Target, height: float) -> list[tuple[str, str, str]]:
    """Return what skill asks for, and the least A; where a constant reaches the ceiling there is no skill to have."""
    least = ("what a small model has to reach", percent(target.point))
    if target.single:
        return [(*least, "all answers are equal, so that skill means nothing")]
    if height <= target.constant:
        return [(*least, "the ceiling is no higher than the floor: no model can do better than a constant")]
    skill = target.constant + target.skill * (height - target.constant)
    words = f"skill: {percent(target.skill)} of the way from floor to ceiling"
    return [(words, percent(skill), _EDITABLE), (*least, "the higher of the two")]


def probes_grid(one: OneTask | Words) -> Grid | Words:
    """Return what models and their cheap stand-ins reached on calls they had not seen, beside constant and null.

    A model that was tuned here was graded on later sessions and unseen wordings at once.
    """
    if isinstance(one, Words):
        return one
    probed = one.belief.seen.probed
    rows = [_graded(row) for row in one.graded]
    if probed is None:
        none = Words("No probe ran: too few calls or sessions have a usable answer.")
        return Grid(pl.DataFrame(rows), numbers=_PROBE_NUMBERS, strong="probe") if rows else none
    for at, (name, student) in enumerate(sorted(probed.students.items()), 1):
        on = "the answer" if name == WHOLE else f"the field {name}" if one.named else f"field {at}"
        rows.append(_probe(f"classifier: {on}", student.time, student.group, student.constant, student.null_p))
    if probed.whole is not None and WHOLE not in probed.students:
        rows.append(_probe("all fields at once", None, probed.whole, probed.constant, None))
    if probed.program is not None:
        rules = probed.program
        rows.append(_probe("simple rules", rules.later, rules.group, one.belief.seen.constant, rules.null_p))
    if probed.retrieval is not None:
        copied = probed.retrieval
        rows.append(_probe("the nearest prompt's answer", copied.time, copied.group, copied.constant, copied.null_p))
    return Grid(
        pl.DataFrame(rows),
        numbers=_PROBE_NUMBERS,
        strong="probe",
        empty="No probe applies to answers of this kind: only what other tasks taught is known of it.",
    )


def _graded(row: Json) -> dict[str, object]:
    tuned, value = row["mode"] == "tuned", row["agreement"]
    low, high = (value if row[end] is None else row[end] for end in ("lo90", "hi90"))
    share = Share(value, low, high, row["n"], row["n_units"], float(row["n"]))
    name = f"{row['slm'] or 'a small model'}, {'tuned on this task' if tuned else 'as it is'}"
    unseen = share if tuned and row["source"] == "slm_probe" else None
    return _probe(name, share, unseen, row["constant"], row["null_p"])


def _probe(
    probe: str, time: Share | None, group: Share | None, constant: float | None, null_p: float | None
) -> dict[str, object]:
    return {
        "probe": probe,
        "later sessions": "" if time is None else _span(time),
        "unseen wordings": "" if group is None else _span(group),
        "constant": "" if constant is None else percent(constant),
        "by chance": "not tested"
        if null_p is None
        else f"p < {_SMALL_P}"
        if null_p < _SMALL_P
        else f"p = {null_p:.3f}",
    }


def probes_words(one: OneTask | Words) -> Words:
    """Return what the probes say of the task in a sentence, with the time they took."""
    if isinstance(one, Words):
        return one
    learned = one.belief.judged.learnable
    said = {
        True: "A probe learned the answers: better than chance, than every constant, on both splits",
        False: "No probe gives the whole answer clearly better than a constant",
        None: "No probe that a verdict may rest on applies",
    }[learned]
    weighs = (
        "a tuned model should reach about as much, so the belief about it rests on more than other tasks"
        if learned
        else "the belief rests on what other tasks taught"
    )
    seconds = one.belief.seen.probed.seconds if one.belief.seen.probed else 0.0
    return Words(f"{said}; {weighs}. The probes took {seconds:.1f} s of one core.")


def loop_words(one: OneTask | Words) -> Words:
    """Return what an agreement call by call makes of a whole session."""
    if isinstance(one, Words):
        return one
    steps = one.belief.seen.steps
    if steps is None:
        return Words("The log has no sessions, so it can't tell whether this task runs in a loop.")
    if steps <= LOOP_STEPS:
        return Words(f"It runs {steps:.1f} times a session: hardly a loop, so that errors don't compound.")
    a = float(one.belief.judged.chosen.posterior.quantile(np.array([0.5]))[0])
    needed = one.belief.judged.target.point
    return Words(
        f"It runs {steps:.1f} times a session. At the middle of the belief, {percent(a)} a step, {percent(a**steps)} "
        f"of sessions pass without a differing answer; at the least that parity asks for, {percent(needed)} a step, "
        f"it is {percent(needed**steps)}, and over twenty steps {percent(needed**20)}. So a pilot on logged prompts "
        "reaches grade B at most: outcomes of whole sessions would tell."
    )


def before_a_model(one: OneTask | Words) -> Grid | Words:
    """Return what has to be thought of before any model: the loop, a cache, code, prompt caching, the batch rate."""
    if isinstance(one, Words):
        return one
    loop = {"before a model": "errors in a loop", "": "", "saving a month": "", "rests on": repr(loop_words(one))}
    rows = [loop]
    rows += [
        {
            "before a model": rung["name"],
            "": "serves" if rung["serves"] else "does not serve",
            "saving a month": ""
            if rung["saving_month_usd"] is None
            else f"about {usd_about(rung['saving_month_usd'])}",
            "rests on": sentence(rung["rests_on"]),
        }
        for rung in one.record.get("ladder", ())
        if rung["name"] in _BEFORE_A_MODEL
    ]
    return Grid(pl.DataFrame(rows), numbers=("saving a month",), strong="before a model")


def models_grid(one: OneTask | Words) -> Grid | Words:
    """Return each small model's chance of parity, as it is and tuned: those that the task can take first."""
    if isinstance(one, Words):
        return one
    rows = []
    for candidate in ranked(one.record["candidates"]):
        chances = chances_of(candidate)
        rows.append(
            {
                "small model": candidate["slm"],
                **{how: percent(chances[how]) if how in chances else "" for how in ("as it is", "tuned")},
                "": "" if candidate["accepted"] else "ruled out",
                "what to know": sentence(candidate["reason"]),
            }
        )
    return Grid(pl.DataFrame(rows), numbers=("as it is", "tuned"), strong="small model")


def differences(one: OneTask | Words) -> list[str]:
    """Return what the task, measured anew, has other than in its verdict: names of figures; empty: nothing."""
    if isinstance(one, Words):
        return []
    judged, verdict = one.belief.judged, one.verdict
    now: dict[str, object] = {
        "evidence": judged.evidence,
        "grade": judged.chosen.grade,
        "learnable": judged.learnable,
        "a_needed": judged.target.point,
    }
    now |= {mode: judged_mode.posterior.p_parity for mode, judged_mode in _modes(judged).items()}
    then = {**verdict, **{mode: verdict[mode]["p_parity"] for mode in _modes(judged)}}
    return [name for name, value in now.items() if not _same(value, then[name])]


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, abs_tol=_ROUNDING)
    return one == other


def _modes(judged: Judged) -> dict[str, ModeVerdict]:
    return {"swap": judged.swap, "tuned": judged.tuned}


def pilots_grid(summary: Json) -> Grid:
    """Return the pilots of the log that are worth more than they cost, the best first."""
    rows = [
        {
            "task": line["name"],
            "small model": f"{line['slm']}, {line['how']}",
            "calls": line["calls"],
            "chance to meet the bar": line["chance"],
            "costs": line["cost"],
            "worth if it does": line["worth"],
            "expected value": line["value"],
            "id": line["task_id"],
        }
        for line in pilot_lines(summary)
    ]
    return Grid(
        pl.DataFrame(rows),
        numbers=("calls", "chance to meet the bar", "costs", "worth if it does", "expected value", "id"),
        strong="task",
        empty="No pilot of this log is worth more than it costs.",
    )


def _span(share: Share) -> str:
    return f"{percent(share.value)} ({percent(share.lo90)} to {percent(share.hi90)})"
