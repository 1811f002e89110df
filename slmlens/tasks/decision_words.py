"""Decisions in words: what was decided, and what the parts of a split are called."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from slmlens.tasks.decisions import Decision

_LABELS = {
    ("phrase", True): "{name}, with “{value}”",
    ("phrase", False): "{name}, without “{value}”",
    ("step", True): "{name}, step {value}",
    ("step", False): "{name}, not step {value}",
    ("tool", True): "{name}, with tool {value}",
    ("tool", False): "{name}, without tool {value}",
}


def part_label(name: str, kind: str, value: str | None, *, yes: bool) -> str:
    """Return the name of the part that leaves a split task.

    :param value: What the rule asks for; None where too few people or sessions share it to be shown.
    :param yes: The part fits the rule.
    """
    if value is None:
        return f"{name}, part 2"
    return _LABELS[kind, yes].format(name=name, value=value)


def what_words(decision: Decision, by_id: Mapping[str, Decision], shown: Collection[str]) -> str:
    """Return what was decided, as one clause.

    :param by_id: All decisions; an undo tells what it took back.
    :param shown: Splits whose phrase enough people or sessions share to be shown.
    """
    names = [f"“{target.name}”" for target in decision.targets]
    first = names[0] if names else ""
    kind, value = decision.rule or ("", "")
    hidden = kind == "phrase" and decision.id not in shown
    called = "" if decision.name is None else f" as “{decision.name}”"
    n = len(decision.prompts)
    words = {
        "rename": f"{first} to “{decision.name}”",
        "merge": f"{', '.join(names[:-1])} and {''.join(names[-1:])}{called}",
        "split": f"{first} by {'a phrase of its slots' if hidden else f'the {kind} “{value}”'}",
        "move": f"{n:,} prompt{'s' if n != 1 else ''} to {first}",
        "override": f"{first}: {decision.action}",
        "undo": str(decision.undoes),
    }
    before = by_id.get(decision.undoes or "")
    if before is not None and before.kind != "undo":
        return f"{decision.undoes} ({before.kind.replace('_', ' ')} {what_words(before, by_id, shown)})"
    return words.get(decision.kind, first)
