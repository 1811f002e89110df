"""Decisions out of what a person does in a table of tasks: each names its tasks by their content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from slmlens.errors import SettingError
from slmlens.tasks.decisions import RULES, Decision, Target, check
from slmlens.tasks.prints import call_prints
from slmlens.tasks.replay import Replayed

MAX_PROMPTS = 500
"""Prompts that one move may take along by hand; for more, a split says it in a rule that holds for later logs too."""


def rename(now: Replayed, task_id: str, name: str, *, author: str = "", reason: str = "") -> Decision:
    """Decide on a name. White space is closed up; everything else is kept as it was typed.

    :param now: The tasks as they are now, replayed.
    :raises SettingError: If there is no such task, or another task has the name.
    """
    name = " ".join(name.split())
    taken = dict(now.tasks.tasks.select("name", "task_id").rows())
    if taken.get(name, task_id) != task_id:
        raise SettingError("another task has this name", where=name, next_step="choose another one, or merge the two")
    return _made("rename", [_target(now, task_id)], author, reason, name=name)


def merge(
    now: Replayed, task_ids: Sequence[str], *, name: str | None = None, author: str = "", reason: str = ""
) -> Decision:
    """Decide that tasks are one.

    :param name: Name of the merged task; None: that of the heaviest, one given by a person first.
    """
    targets = [_target(now, task_id) for task_id in dict.fromkeys(task_ids)]
    called = None if name is None else " ".join(name.split())
    return _made("merge", targets, author, reason, name=called)


def split(
    now: Replayed,
    task_id: str,
    *,
    phrase: str | None = None,
    step: str | None = None,
    tool: str | None = None,
    author: str = "",
    reason: str = "",
) -> Decision:
    """Decide that a task is two: the calls whose prompt fits a rule, and the others.

    :param phrase: Words that stand in a row in the slots of the prompt, in any case.
    :param step: The step that the call was declared with.
    :param tool: A tool that the request offers.
    :raises SettingError: If not exactly one of the three is given.
    """
    rules = [(kind, value) for kind, value in zip(RULES, (phrase, step, tool), strict=True) if value is not None]
    if len(rules) != 1:
        raise SettingError(f"{len(rules)} rules were given", where="split", next_step="give a phrase, a step or a tool")
    return _made("split", [_target(now, task_id)], author, reason, rule=rules[0])


def move(now: Replayed, call_ids: Sequence[str], to: str, *, author: str = "", reason: str = "") -> Decision:
    """Decide that calls belong to another task: all calls with these prompts, in this log and later ones.

    :param call_ids: Calls, from any task or none.
    :param to: The task they belong to.
    :raises SettingError: If a call is not in the log, or they have more than ``MAX_PROMPTS`` prompts.
    """
    asked = pl.Series("call_id", sorted(set(call_ids)), dtype=pl.String)
    prints = call_prints(now.tasks.calls, asked)
    if prints.height < len(asked):
        missing = asked.filter(~asked.is_in(prints.get_column("call_id").implode())).item(0)
        raise SettingError("there is no such call", where=missing, next_step="take ids from the column call_id")
    prompts = tuple(prints.get_column("prompt_print").unique().sort())
    if len(prompts) > MAX_PROMPTS:
        raise SettingError(
            f"these calls have {len(prompts):,} prompts",
            where="move",
            next_step=f"move at most {MAX_PROMPTS}, or split the task by a rule",
        )
    return _made("move", [_target(now, to)], author, reason, prompts=prompts)


def set_aside(now: Replayed, task_id: str, *, author: str = "", reason: str = "") -> Decision:
    """Decide that a task is left out of the plan; its money is counted as excluded."""
    return _made("set_aside", [_target(now, task_id)], author, reason)


def override(now: Replayed, task_id: str, action: str, *, reason: str, author: str = "") -> Decision:
    """Decide on another action than the evidence asks for. The evidence itself stays as it was measured.

    :param action: One of ``slmlens.tables.ACTIONS``; ``keep`` always holds, another one where it can be valued.
    :param reason: Why; the report shows it.
    """
    return _made("override", [_target(now, task_id)], author, reason, action=action)


def undo(now: Replayed, decision_id: str, *, author: str = "", reason: str = "") -> Decision:
    """Decide to take a decision back, an undo too.

    :raises SettingError: If there is no such decision, or it was taken back already.
    """
    found = dict(now.status.select("decision_id", "status").rows())
    if found.get(decision_id, "undone") == "undone":
        what = "it was undone already" if decision_id in found else "there is no such decision"
        raise SettingError(what, where=decision_id, next_step="take an id from the list of decisions")
    return _made("undo", [], author, reason, undoes=decision_id)


def _target(now: Replayed, task_id: str) -> Target:
    if task_id not in now.targets:
        raise SettingError("there is no such task", where=str(task_id), next_step="take ids from the column task_id")
    return now.targets[task_id]


def _made(
    kind: str,
    targets: Sequence[Target],
    author: str,
    reason: str,
    *,
    name: str | None = None,
    rule: tuple[str, str] | None = None,
    prompts: tuple[str, ...] = (),
    action: str | None = None,
    undoes: str | None = None,
) -> Decision:
    decision = Decision(
        kind,
        tuple(targets),
        author=author,
        time=dt.datetime.now(dt.UTC).replace(microsecond=0),
        reason=reason,
        name=name,
        rule=rule,
        prompts=prompts,
        action=action,
        undoes=undoes,
    )
    check(decision)
    return decision
