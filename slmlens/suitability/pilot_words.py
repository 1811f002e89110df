"""What a pilot says of itself: what to do with its prompts, how far it has come, the verdict before and after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from slmlens.results import Tasks
from slmlens.suitability.pilot import TUNED, Progress
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.reasons import percent

_PLACEHOLDER = r"<[A-Z_]+:[0-9A-Z]{4,}>"
_REASONS = 4
_WHAT = (
    "One call a session, of the later sessions as far as they go, by strata; redacted as stored, without the present "
    "model's answer."
)
_HOW = (
    "1. Let a small model answer them in this order, as it would run: its template, temperature, tools.",
    '   Write a line each: {"id": "...", "answer": "..."}, or "tool_calls": [{"name": "...", "arguments": {...}}].',
    "   Lines of an OpenAI batch output (custom_id, response) are taken as they are.",
)


def export_words(tasks: Tasks, task_id: str, sample: pl.DataFrame, *, place: str, folder: str | None) -> str:
    """Return what was exported and what to do next, line by line.

    :param place: Where the prompts are.
    :param folder: The run's folder; None: no run.
    """
    name = tasks.tasks.row(by_predicate=pl.col("task_id") == task_id, named=True)["name"]
    n, later = sample.height, sample.get_column("later_position").count()
    looks = [str(look) for look in LOOKS if look <= n]
    numbers = looks[0] if len(looks) == 1 else f"{', '.join(looks[:-1])} or {looks[-1]}"
    command = f"slmlens pilot {folder} --task {task_id}" if folder else f'sl.pilot(tasks, "{task_id}")'
    lines = [
        f"{n} prompts of “{name}”: {place}",
        _WHAT,
        "",
        *_HOW,
        f"   A verdict is given at {numbers} answers and at no other number. A prompt passed over counts as wrong.",
        f"2. {command} --answers FILE --model NAME",
        f"   Or let it ask a model at an OpenAI-compatible endpoint: {command} --endpoint URL --model NAME",
    ]
    if later < n:
        lines.append(
            f"   A model tuned on this task: add --mode tuned. Only the {later} of the later sessions count for it"
            f"{_from_day(tasks, sample)}; it must not have been trained on them."
        )
    else:
        lines.append(
            f"   A model tuned on this task: add --mode tuned; it must not have been trained on these"
            f"{_from_day(tasks, sample)}."
        )
    lines += _cautions(tasks, sample)
    return "\n".join(lines)


def progress_words(one: Progress, *, changed: int) -> list[str]:
    """Return how far a model has come, in sentences.

    :param changed: Answers that replaced others and changed a grade.
    """
    how = "tuned" if one.mode == TUNED else "as it is"
    said = [f"{one.slm} ({how}): {one.reached - one.missing} of {one.asked} prompts answered."]
    if one.missing:
        said.append(f"{one.missing} that were passed over count as wrong: answer them too and give the file again.")
    if changed:
        said.append(f"{changed} grades changed, because other answers were given for the same prompts.")
    if one.share is None:
        if one.next_look is None:
            said.append("Fewer than 30 of its prompts count for this mode, so there will be no verdict from them.")
        else:
            said.append(f"The first verdict comes at {one.next_look} answers.")
        return said
    share = one.share
    said.append(
        f"At {one.look}: {share.value:.1%} acceptable ({share.lo90:.1%} to {share.hi90:.1%}, 90 % interval), weighted "
        f"back to traffic, worth {share.n_eff:.0f} independent calls."
    )
    if one.look is not None and one.reached > one.look:
        following = f"the next verdict comes at {one.next_look}" if one.next_look else "there is no further look"
        said.append(f"{one.reached - one.look} more are graded; {following}.")
    if one.wrong:
        listed = ", ".join(f"{why} ({n})" for why, n in one.wrong[:_REASONS])
        said.append(f"Not acceptable: {listed}.")
    return said


def verdict_words(verdict: Mapping[str, object], action: str | None) -> str:
    """Return a verdict as a clause: the word, the grade, the chance of parity of either mode, the action.

    :param verdict: A row of ``VerdictsTable``.
    :param action: The plan's action; None: no plan.
    """
    modes = []
    for mode, words in (("swap", "as it is"), ("tuned", "tuned")):
        found = verdict[mode]
        if isinstance(found, dict):
            modes.append(f"{words} {percent(found['p_parity'])} ({found['slm']})")
    chances = f", chance of parity: {'; '.join(modes)}" if modes else ""
    doing = f", {action}" if action else ""
    return f"{verdict['evidence']}, grade {verdict['grade']}{chances}{doing}"


def _from_day(tasks: Tasks, sample: pl.DataFrame) -> str:
    asked = sample.drop_nulls("later_position").select("call_id")
    first = tasks.calls.calls.join(asked, on="call_id", how="semi").get_column("started_at").min()
    return f" (from {first:%Y-%m-%d} on)" if isinstance(first, dt.datetime) else ""


def _cautions(tasks: Tasks, sample: pl.DataFrame) -> list[str]:
    calls = tasks.calls.calls.join(sample.select("call_id"), on="call_id", how="semi")
    said = []
    used = calls.select(pl.col("message_ids").explode().alias("message_id")).unique()
    texts = tasks.calls.messages.join(used, on="message_id", how="semi").get_column("text")
    if texts.str.contains(_PLACEHOLDER).any():
        said.append("   Placeholders such as <EMAIL:4K7QZ2MA> stand for redacted values: the model should copy them.")
    if (calls.get_column("tool_names_offered").list.len() > 0).any():
        said.append(
            "   The log names the tools that were offered; their schemas here are put together from the arguments it "
            "saw. Use your own."
        )
    return said
