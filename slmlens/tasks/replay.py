"""Replay people's decisions over tasks as found. Pure: the same tasks and decisions give the same result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from slmlens.errors import ContractError
from slmlens.results import Tasks
from slmlens.tables import DecisionsTable, checked
from slmlens.tasks.decision_words import part_label, what_words
from slmlens.tasks.decisions import Decision, Target
from slmlens.tasks.groups import SEPARATOR, Groups
from slmlens.tasks.matching import SAME, Match, Matcher, anchor_likeness, jaccard
from slmlens.tasks.prints import call_prints
from slmlens.tasks.regroup import regrouped
from slmlens.tasks.shingles import word_lists
from slmlens.tasks.slots import slot_texts

K_SHOW = 5
"""Subjects that must share a phrase before it is shown, as in task discovery."""

_ENOUGH_PROMPTS = 0.5
"""Share of a move's prompts that must be in the log for it to be replayed."""


@dataclass(frozen=True)
class Replayed:
    """Tasks after people's decisions.

    :param tasks: The tasks; ``tasks.found`` holds them as they were before.
    :param status: ``DecisionsTable``: one row a decision.
    :param targets: Every task as a decision would name it, by its id.
    """

    tasks: Tasks
    status: pl.DataFrame
    targets: dict[str, Target]


@dataclass(frozen=True)
class _Outcome:
    """What became of one decision.

    :param groups: Groups that it shaped.
    :param shown: The phrase of a split may be shown.
    """

    status: str
    next_step: str | None = None
    groups: tuple[int, ...] = ()
    shown: bool = False


def replay(tasks: Tasks, decisions: Sequence[Decision], *, k_show: int = K_SHOW) -> Replayed:
    """Apply decisions to the tasks of any log, in the order they were made.

    A decision finds its tasks by anchor, else by what they share (:class:`slmlens.tasks.matching.Matcher`); one whose
    tasks have scattered is *stale*, one that contradicts an earlier one is *conflicting*, and neither changes anything.
    A merged task has the id of the heaviest found task in it, by recurrence units; the heavier side of a split keeps
    the id; ids of other tasks never change. Replaying twice is replaying once, and row order never matters.

    :param tasks: Tasks as found, or as replayed before: it always starts from those that were found.
    :param decisions: All decisions, undone ones too.
    :raises ContractError: If a call were lost; a defect of ours.
    """
    found = tasks.found or replace(tasks, decisions=DecisionsTable.create_empty())
    return _Replay(found, k_show).run(decisions)


class _Replay:
    """One replay."""

    def __init__(self, found: Tasks, k_show: int) -> None:
        self.found = found
        self.k_show = k_show
        self.matcher = Matcher(found)
        self.groups = Groups(found)
        self.spoken_of: dict[str, list[Target]] = {}
        self._prints: pl.DataFrame | None = None

    def run(self, decisions: Sequence[Decision]) -> Replayed:
        taken_back = _undone(decisions)
        outcomes: list[_Outcome] = []
        for at, decision in enumerate(decisions):
            if decision.id in taken_back:
                outcomes.append(_Outcome("undone"))
            elif decision.kind == "undo":
                known = any(d.id == decision.undoes for d in decisions[:at])
                missing = _Outcome("stale", f"No decision {decision.undoes} stands before it: undo another one.")
                outcomes.append(_Outcome("applied") if known else missing)
            else:
                outcomes.append(self._apply(decision))
        grouped = self.groups.grouped()
        table, assignments = regrouped(
            self.found, self.groups.placed, grouped, moved=self.groups.moved, k_show=self.k_show
        )
        if assignments.height != self.found.assignments.height or table.height != len(grouped):
            raise ContractError("calls or tasks were lost while decisions were replayed", where="decisions")
        status = self._status(decisions, outcomes)
        done = replace(
            self.found,
            tasks=table,
            assignments=assignments,
            decisions=status,
            found=self.found if decisions else None,
        )
        return Replayed(done, status, self._targets())

    def _apply(self, decision: Decision) -> _Outcome:
        if decision.kind == "merge":
            return self._merge(decision, [self._resolve(target, merging=True) for target in decision.targets])
        matches = [self._resolve(target) for target in decision.targets]
        number, match = matches[0]
        target = decision.targets[0]
        if number is None:
            return _Outcome("stale", _stale_words(target, match))
        if decision.kind == "move":
            return self._move(decision, number)
        rival = self._rival(target, match)
        if rival is not None:
            said = f"“{rival.name}”, which was decided on before, is now in one task with “{target.name}”"
            return _Outcome("conflicting", f"The log shows them as one: {said}. Undo one of the two decisions.")
        outcome = self._split(decision, number) if decision.kind == "split" else self._mark(decision, number)
        if outcome.status == "applied":
            self.spoken_of.setdefault(match.task_id or "", []).append(target)
        return outcome

    def _resolve(self, target: Target, *, merging: bool = False) -> tuple[int | None, Match]:
        """Return the group that a target is in, and how it was found.

        :param merging: A part of a larger task will do: the data have merged it already.
        """
        match = self.matcher.find(target)
        if merging and match.inside is not None and not target.part:
            match = Match(match.inside)
        if match.task_id is None:
            return None, match
        number = self.groups.of_part(match.task_id, target.part)
        if number is None and target.part:
            return None, Match(None, why="the split that it came out of was undone or no longer applies")
        if number is None:
            return None, Match(None, gone=True, why="all its calls were moved elsewhere")
        return number, match

    def _rival(self, target: Target, match: Match) -> Target | None:
        """Return an earlier target that was another task and is this one now."""
        for other in self.spoken_of.get(match.task_id or "", ()):
            shared = (
                anchor_likeness(other.anchor, target.anchor),
                jaccard(other.phrases, target.phrases),
                jaccard(other.members, target.members),
            )
            if max(shared) < SAME:
                return other
        return None

    def _mark(self, decision: Decision, number: int) -> _Outcome:
        if decision.kind == "rename":
            self.groups.change(number, name=decision.name, named_by=decision.id)
        elif decision.kind == "set_aside":
            self.groups.change(number, aside=decision.id)
        else:
            self.groups.change(number, action=decision.action, asked_by=decision.id)
        return _Outcome("applied", groups=(number,))

    def _merge(self, decision: Decision, matches: Sequence[tuple[int | None, Match]]) -> _Outcome:
        for target, (number, match) in zip(decision.targets, matches, strict=True):
            if number is None and not match.gone:
                return _Outcome("stale", _stale_words(target, match))
        here = {number for number, _ in matches if number is not None}
        missing = [t.name for t, (number, _) in zip(decision.targets, matches, strict=True) if number is None]
        if not here or (missing and len(here) == 1):
            listed = ", ".join(f"“{name}”" for name in missing)
            return _Outcome("stale", f"Nothing to merge: this log does not hold {listed}. Undo it if that is for good.")
        groups = [self.groups.groups[number] for number in sorted(here)]
        if len({g.aside is None for g in groups}) > 1:
            return _Outcome("conflicting", "Some of these tasks are set aside and some are not: undo that first.")
        if len({g.action for g in groups if g.asked_by is not None}) > 1:
            return _Outcome("conflicting", "People asked for different actions for these tasks: undo one of them.")
        kept = next(iter(here)) if len(here) == 1 else self.groups.join(here)
        if decision.name is not None:
            self.groups.change(kept, name=decision.name, named_by=decision.id)
        note = f"{len(missing)} of its {len(matches)} tasks are not in this log." if missing else None
        return _Outcome("applied", note, (kept,))

    def _split(self, decision: Decision, number: int) -> _Outcome:
        kind, value = decision.rule or ("", "")
        calls = self.groups.calls_of(number)
        yes = self._holding(calls, kind, value)
        if len(yes) in (0, len(calls)):
            which = "None" if yes.is_empty() else "All"
            return _Outcome(
                "stale", f"{which} of the task's calls fit the rule: split it by another one, or undo this."
            )
        shown = kind != "phrase" or self._subjects(yes) >= self.k_show
        light_is_yes = not self.groups.heavier_is_yes(number, yes)
        label = part_label(self.groups.name_of(number), kind, value if shown else None, yes=light_is_yes)
        taken = {self.groups.name_of(n) for n in self.groups.groups}
        label = next(
            name for name in (label, *(f"{label} ({n})" for n in range(2, len(taken) + 3))) if name not in taken
        )
        new = self.groups.divide(number, yes, decision.id, label)
        return _Outcome("applied", groups=(number, new), shown=shown)

    def _move(self, decision: Decision, number: int) -> _Outcome:
        if self._prints is None:
            self._prints = call_prints(self.found.calls)
        wanted = self._prints.filter(pl.col("prompt_print").is_in(list(decision.prompts)))
        here, asked = wanted.get_column("prompt_print").n_unique(), len(set(decision.prompts))
        if here < _ENOUGH_PROMPTS * asked:
            return _Outcome("stale", f"{here} of its {asked} prompts are in this log: undo it, or split by a rule.")
        self.groups.move(wanted.get_column("call_id"), number)
        return _Outcome("applied", None if here == asked else f"{here} of {asked} prompts are in this log.", (number,))

    def _holding(self, calls: pl.Series, kind: str, value: str) -> pl.Series:
        """Return the calls whose prompt fits the rule of a split."""
        if kind == "phrase":
            words = word_lists(pl.Series([value])).to_list()[0]
            text = pl.lit(" ") + pl.col("slot_text").str.replace_all("\n", " \n ") + pl.lit(" ")
            slots = slot_texts(self.found, calls)
            fits = slots.filter(text.str.contains(f" {' '.join(words)} ", literal=True)) if words else slots.clear()
            return fits.get_column("call_id")
        rows = self.found.calls.calls.join(calls.to_frame("call_id"), on="call_id", how="semi")
        rule = pl.col("step") == value if kind == "step" else pl.col("tool_names_offered").list.contains(value)
        return rows.filter(rule).get_column("call_id")

    def _subjects(self, calls: pl.Series) -> int:
        """Count users where logged, else recurrence units."""
        users = self.found.calls.calls.join(calls.to_frame("call_id"), on="call_id", how="semi").get_column("user_id")
        return users.drop_nulls().n_unique() or self.groups.units_of(calls)

    def _status(self, decisions: Sequence[Decision], outcomes: Sequence[_Outcome]) -> pl.DataFrame:
        by_id = {decision.id: decision for decision in decisions}
        shown = {d.id for d, o in zip(decisions, outcomes, strict=True) if o.shown}
        rows = []
        for decision, outcome in zip(decisions, outcomes, strict=True):
            task_ids, note = self._shaped(decision, outcome)
            rows.append(
                {
                    "decision_id": decision.id,
                    "kind": decision.kind,
                    "author": decision.author,
                    "decided_at": decision.time,
                    "reason": decision.reason,
                    "what": what_words(decision, by_id, shown),
                    "status": outcome.status,
                    "next_step": note,
                    "task_ids": task_ids,
                    "action": decision.action,
                    "earlier_run": decision.origin or None,
                }
            )
        schema = DecisionsTable.create_empty().schema
        return checked(DecisionsTable, pl.DataFrame(rows, schema=schema))

    def _shaped(self, decision: Decision, outcome: _Outcome) -> tuple[list[str], str | None]:
        """Return the tasks that a decision has shaped in the end, and the note on it."""
        field = {"rename": "named_by", "set_aside": "aside", "override": "asked_by"}.get(decision.kind)
        filled = set(self.groups.placed.get_column("node").drop_nulls().unique())
        numbers = {self.groups.now(number) for number in outcome.groups}
        if field is not None:
            numbers = {n for n, group in self.groups.groups.items() if getattr(group, field) == decision.id}
        ids = sorted(self.groups.groups[n].head.task_id for n in numbers & filled)
        if field is not None and outcome.status == "applied" and not ids:
            return [], "A later decision stands in its place."
        return ids, outcome.next_step

    def _targets(self) -> dict[str, Target]:
        targets = {}
        for leaf_id, path, number, _ in self.groups.atoms().rows():
            task_id = self.groups.groups[number].head.task_id
            leaf = self.matcher.leaves[leaf_id]
            if task_id not in targets:
                targets[task_id] = Target(
                    name=self.groups.name_of(number),
                    task_id=leaf_id,
                    anchor=leaf.anchor,
                    phrases=leaf.phrases,
                    members=leaf.members,
                    part=tuple(path.split(SEPARATOR)) if path else (),
                )
        return targets


def _undone(decisions: Sequence[Decision]) -> set[str]:
    """Return the ids that are taken back; an undo that was taken back itself takes nothing back."""
    undone: set[str] = set()
    for at in range(len(decisions) - 1, -1, -1):
        decision = decisions[at]
        if decision.kind == "undo" and decision.id not in undone and decision.undoes:
            undone |= {d.id for d in decisions[:at] if d.id == decision.undoes}
    return undone


def _stale_words(target: Target, match: Match) -> str:
    if match.gone:
        return f"“{target.name}” is no task of this log: {match.why}. It holds again if that comes back; else undo it."
    return f"“{target.name}” is not one task here: {match.why}. Look at them and decide again, or undo this."
