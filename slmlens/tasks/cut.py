"""The few settings of task discovery that a person moves: how fine the log is cut into tasks, and what that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from slmlens.errors import SettingError
from slmlens.tasks.blocks import SkeletonSettings
from slmlens.tasks.discover import DiscoverySettings

FACT = "cut"
"""Where a manifest keeps the cut that was chosen for its run; absent: that of the run it follows, or the defaults."""

FOLLOWS = "follows"
"""Where a run's manifest keeps what it took over from an earlier run: its name (``run``) and its cut."""

EARLIER = "earlier_taskset.json"
"""The file of a run that holds the task set of the run it follows, as it was when that was last named."""


@dataclass(frozen=True)
class Knob:
    """One setting of a cut, explained by its consequence.

    :param name: Field of :class:`Cut`.
    :param label: What it is, in a few words.
    :param low: Smallest value.
    :param high: Largest value.
    :param step: Distance between two values.
    :param more: What happens when it is raised.
    :param less: What happens when it is lowered.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    more: str
    less: str


KNOBS = (
    Knob(
        "k_task",
        "sessions that make a task",
        2,
        50,
        1,
        "rare steps are no task any more: their money moves to “in no task”",
        "rarer steps become tasks; below 3, one person's habit may pass for a step",
    ),
    Knob(
        "user_block",
        "words in a row that tell two steps apart",
        4,
        40,
        1,
        "steps whose prompts differ little are one task: fewer, larger tasks",
        "small differences in the wording make tasks of their own: more, smaller ones, and slower to find",
    ),
    Knob(
        "cover",
        "share of a step's calls that its kinds must cover before it is split",
        0.5,
        1.0,
        0.05,
        "a step is split only where every call is of one of the kinds",
        "a step is split although some of its calls are of none of the kinds",
    ),
)
"""What a person may move, the one that matters most first. The defaults are those of ``DiscoverySettings``."""


@dataclass(frozen=True)
class Cut:
    """How fine a log is cut into tasks.

    :param k_task: Recurrence units that make a task.
    :param user_block: Recurring phrases of user messages that set a step apart.
    :param cover: Share of a group that a closed set of alternatives must cover before it splits.
    """

    k_task: int = DiscoverySettings.k_task
    user_block: int = SkeletonSettings.user_block
    cover: float = SkeletonSettings.cover

    def __post_init__(self) -> None:
        for knob in KNOBS:
            value = getattr(self, knob.name)
            whole = isinstance(knob.low, int)
            right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
            if not right or not knob.low <= value <= knob.high:
                raise SettingError(
                    f"{knob.name} is {value!r}",
                    where="cut of the tasks",
                    next_step=f"give {'a whole number' if whole else 'a share'} from {knob.low} to {knob.high}",
                )

    def settings(self) -> DiscoverySettings:
        """Return the settings of discovery, all others as they are by default."""
        skeleton = replace(SkeletonSettings(), user_block=self.user_block, cover=self.cover)
        return replace(DiscoverySettings(), k_task=self.k_task, skeleton=skeleton)

    def record(self) -> dict[str, int | float]:
        """Return what differs from the defaults, for a manifest; empty for the defaults."""
        usual = asdict(Cut())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def words(self) -> str:
        """Return the cut as one clause: ``k_task 3, user_block 12, cover 0.9``."""
        return ", ".join(f"{name} {value:g}" for name, value in asdict(self).items())


def cut_of(facts: Mapping[str, object]) -> Cut:
    """Return the cut that was chosen for a run, else that of the run it follows, else the usual one.

    :param facts: Its manifest.
    :raises SettingError: If it names a setting that there is not, or a value outside what is allowed.
    """
    record = (facts if FACT in facts else _followed(facts)).get(FACT) or {}
    known = {field.name for field in fields(Cut)}
    if not isinstance(record, Mapping) or set(record) - known:
        raise SettingError(
            "the manifest names an unknown setting",
            where="cut of the tasks",
            next_step=f"use {', '.join(sorted(known))}, or take the entry {FACT!r} out",
        )
    return Cut(**record)


def cut_as_followed(facts: Mapping[str, object]) -> bool:
    """Tell whether a run's cut is that of the run it follows.

    :param facts: Its manifest.
    """
    return cut_of(facts) == cut_of({FOLLOWS: _followed(facts)})


def cut_in_words(facts: Mapping[str, object]) -> list[str]:
    """Return a sentence on the cut that a person chose for a run; none where it is the usual one.

    :param facts: The run's manifest.
    """
    usual, changed = asdict(Cut()), cut_of(facts).record()
    if not changed:
        return []
    listed = ", ".join(f"{name} {value:g} (usual: {usual[name]:g})" for name, value in changed.items())
    earlier = "" if FACT in facts else f" for the earlier run {_followed(facts).get('run')}, which this one follows"
    return [f"A person chose how fine the log is cut into tasks{earlier}: {listed}."]


def _followed(facts: Mapping[str, object]) -> Mapping[str, object]:
    found = facts.get(FOLLOWS)
    return found if isinstance(found, Mapping) else {}
