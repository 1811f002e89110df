"""Kinds of work inside one task, for a look: the parts of a split by meaning beside the task as it is.

A split by meaning is no decision: its clusters are those of this log. Where a word, a declared step or a tool on offer
says nearly the same as a part does, that rule can be decided on; it is replayed over any later log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from slmlens.reporting.grid import Grid, Words
from slmlens.reporting.text import counted, joined, percent
from slmlens.results import Tasks
from slmlens.reviewing.session import ReviewSession
from slmlens.tasks.encoders import Encoder, VectorCache
from slmlens.tasks.forms import answer_forms, kind_of
from slmlens.tasks.meaning import MeaningSettings, meaning_splits
from slmlens.tasks.shingles import word_lists
from slmlens.tasks.slots import slot_texts

WORTH_A_LOOK = 0.6
"""Agreement of halves from which parts are shown, though below ``MeaningSettings.reproduced`` only for a look. A
judgement: at 0.6 two halves of the sessions agree on most of what goes with what."""

SAYS_IT = 0.8
"""Share (Jaccard) of the calls in a part or under a rule that must be in both before the rule is offered. A judgement:
at 0.8 at most one call in five is on the other side."""

TURNS = 0.3
"""Difference of answer forms between two parts from which they are called turns of different kinds. A judgement."""

NARROWER = 0.05
"""Gain in guessing the form from which parts are worth routing apart. A judgement: below it nothing is won."""

_RULE_WORDS = {"phrase": "the word “{}”", "step": "the declared step “{}”", "tool": "the tool “{}” on offer"}
_SHOWN_FORMS = 2
_MOST_RULES = 4


@dataclass(frozen=True)
class Rule:
    """What says nearly the same as a part of a split by meaning, and can be decided on.

    :param part: The part.
    :param kind: ``phrase``, ``step`` or ``tool``, as a split takes it.
    :param value: Its value.
    :param inside: Share of the part's calls that fit.
    :param outside: Share of the task's other calls that fit.
    """

    part: int
    kind: str
    value: str
    inside: float
    outside: float

    @property
    def words(self) -> str:
        """The rule in a few words."""
        told = _RULE_WORDS[self.kind].format(self.value)
        return f"{told} (in {percent(self.inside)} of it, in {percent(self.outside)} of the rest)"


@dataclass(frozen=True)
class Kinds:
    """Kinds of work inside a task.

    :param task_id: The task.
    :param name: Its name.
    :param n_units: Its recurrence units.
    :param needed: Units that it would need to be looked at.
    :param looked_at: It has enough of them and holds text.
    :param reproduced: How well one half of the sessions gives the other its parts (AMI); None: no two parts.
    :param asked: The agreement from which a split is firm.
    :param parts: ``PARTS_SCHEMA`` of :mod:`slmlens.tasks.meaning`; empty where not worth a look.
    :param forms: ``part`` (null: the whole task), ``form``, ``n``: how often each form of answer came, the names in it
        left out where too few sessions share it.
    :param rules: What can be decided on, a few a part, the best first.
    """

    task_id: str
    name: str
    n_units: int
    needed: int
    looked_at: bool
    reproduced: float | None
    asked: float
    parts: pl.DataFrame
    forms: pl.DataFrame
    rules: tuple[Rule, ...] = field(default=())

    def __repr__(self) -> str:
        return "\n".join([kinds_words(self), *([repr(kinds_grid(self))] if self.parts.height else [])])

    def _repr_html_(self) -> str:
        told = Words(kinds_words(self))._repr_html_()
        return told + (kinds_grid(self)._repr_html_() if self.parts.height else "")


def kinds_of(
    tasks: Tasks,
    task_id: str,
    *,
    encoder: Encoder | None = None,
    cache: VectorCache | None = None,
    settings: MeaningSettings | None = None,
) -> Kinds:
    """Look for kinds of work inside one task; nothing is changed.

    :param tasks: The tasks, as found or as decided on.
    :param encoder: By default the static word vectors where installed, else TF-IDF.
    :param cache: Vectors of texts that were found earlier.
    :param settings: How to look; its ``reproduced`` is the bar of a firm split.
    """
    settings = settings or MeaningSettings()
    look = MeaningSettings(**{**vars(settings), "reproduced": min(WORTH_A_LOOK, settings.reproduced)})
    found = meaning_splits(tasks, task_ids=[task_id], encoder=encoder, settings=look, cache=cache)
    row = tasks.tasks.row(by_predicate=pl.col("task_id") == task_id, named=True)
    placed = found.assignments.select("call_id", "part")
    reproduced = found.looked_at.item(0, "reproduced") if found.looked_at.height else None
    firm = reproduced is not None and reproduced >= settings.reproduced
    return Kinds(
        task_id=task_id,
        name=row["name"],
        n_units=row["n_units"],
        needed=settings.min_units,
        looked_at=found.looked_at.height > 0,
        reproduced=reproduced,
        asked=settings.reproduced,
        parts=found.parts,
        forms=_forms(tasks, placed, settings.k_show),
        rules=_rules(tasks, placed, settings.k_show) if firm else (),
    )


def dearest_kinds(tasks: Tasks) -> Kinds | Words:
    """Look into the task that costs most; where nothing is priced, into the one with the most calls."""
    table = ReviewSession(tasks, author="").table()
    return Words("There is no task.") if table.is_empty() else kinds_of(tasks, table.item(0, "task_id"))


def kinds_words(kinds: Kinds) -> str:
    """Return what was found, and what it is good for, in a few sentences."""
    name = f"“{kinds.name}”"
    if not kinds.looked_at:
        if kinds.n_units < kinds.needed:
            return f"{name} has {counted(kinds.n_units, 'session')}; kinds of work are looked for from {kinds.needed}."
        return f"{name} holds too little text that varies to look for kinds of work."
    if kinds.reproduced is None:
        return f"{name} is one kind of work as far as its texts tell: they fall into no two groups."
    agreed = f"halves of the sessions agree on the parts to {kinds.reproduced:.2f}; {kinds.asked:g} is asked for"
    if kinds.parts.is_empty():
        return f"{name} falls into parts that do not come back ({agreed}): nothing to act on."
    firm = "come back" if kinds.reproduced >= kinds.asked else "nearly come back; take them for a look, no more"
    said = [f"{name} holds {counted(kinds.parts.height, 'part')} that {firm} ({agreed}).", _good_for(kinds)]
    if kinds.reproduced < kinds.asked:
        said.append("None of them is firm enough to be decided on.")
    elif kinds.rules:
        said.append("A rule below says nearly the same as a part and can be decided on: the task is then two.")
    else:
        said.append(
            "No word, declared step or tool on offer says what a part is, so none can be decided on: a decision has to "
            "hold for a later log too."
        )
    return " ".join(said)


def kinds_grid(kinds: Kinds) -> Grid:
    """Return the task as it is and, below it, its parts.

    :returns: Columns ``part``, ``words it holds more often`` (that enough sessions share), ``calls``, ``sessions``,
        ``its answers`` (the commonest forms) and ``rule that says it`` (or empty).
    """
    rows = [
        {
            "part": "the task, unsplit",
            "words it holds more often": "",
            "calls": f"{int(kinds.parts.get_column('n_calls').sum()):,}",
            "sessions": f"{kinds.n_units:,}",
            "its answers": _forms_words(kinds, None),
            "rule that says it": "",
        }
    ]
    rows += [
        {
            "part": f"part {row['part'] + 1}",
            "words it holds more often": ", ".join(row["words"]) or "(none that enough sessions share)",
            "calls": f"{row['n_calls']:,}",
            "sessions": f"{row['n_units']:,}",
            "its answers": _forms_words(kinds, row["part"]),
            "rule that says it": _rules_words([rule for rule in kinds.rules if rule.part == row["part"]]),
        }
        for row in kinds.parts.iter_rows(named=True)
    ]
    frame = pl.DataFrame(rows if kinds.parts.height else rows[:0], schema=dict.fromkeys(rows[0], pl.String))
    return Grid(frame, numbers=("calls", "sessions"), empty="No parts to show.")


def _good_for(kinds: Kinds) -> str:
    differ = float(kinds.parts.item(0, "forms_differ"))
    alone, known = _guessed(kinds.forms, by_part=False), _guessed(kinds.forms, by_part=True)
    if differ < TURNS:
        return (
            f"The forms of the answers hardly differ from part to part ({percent(differ)} at most): they are topics or "
            "languages of one kind of work. That is good for drawing examples from each; it is no reason to treat them "
            "apart."
        )
    told = (
        f"The forms of the answers differ between two parts by up to {percent(differ)}: they are turns of different "
        "kinds, as in a tool-calling loop. Who knows the part guesses the form of the answer right in "
        f"{percent(known)} of the calls, who does not in {percent(alone)}"
    )
    if known - alone < NARROWER:
        return (
            f"{told}: no part is much narrower than the whole, so they are good for drawing examples of each turn, not "
            "for routing them apart."
        )
    return (
        f"{told}: the parts with one narrow form of answer may be tried on a small model apart from the rest. Money "
        "and evidence stay those of the unsplit task."
    )


def _guessed(forms: pl.DataFrame, *, by_part: bool) -> float:
    """Return the share of calls whose form is the commonest: of their part, or of the whole task."""
    rows = forms.filter(pl.col("part").is_not_null() if by_part else pl.col("part").is_null())
    right = int(rows.group_by("part").agg(pl.col("n").max()).get_column("n").sum())
    return right / int(rows.get_column("n").sum())


def _forms_words(kinds: Kinds, part: int | None) -> str:
    rows = kinds.forms.filter(pl.col("part").eq_missing(pl.lit(part, dtype=pl.Int64)))
    total = rows.get_column("n").sum()
    return "; ".join(f"{form} {percent(n / total)}" for form, n in rows.select("form", "n").head(_SHOWN_FORMS).rows())


def _rules_words(rules: Sequence[Rule]) -> str:
    also = joined([f"“{rule.value}”" for rule in rules[1:]])
    return "" if not rules else f"{rules[0].words}; also {also}" if also else rules[0].words


def _forms(tasks: Tasks, placed: pl.DataFrame, k_show: int) -> pl.DataFrame:
    units = tasks.assignments.select("call_id", "unit_id")
    rows = placed.join(answer_forms(tasks.calls), on="call_id").join(units, on="call_id")
    subjects = dict(rows.group_by("form").agg(pl.col("unit_id").n_unique()).rows())
    shown = {form: form if n >= k_show else kind_of(form) for form, n in subjects.items()}
    named = rows.with_columns(pl.col("form").replace_strict(shown, return_dtype=pl.String, default=None))
    both = pl.concat([named.select("part", "form"), named.select(pl.lit(None, dtype=pl.Int64).alias("part"), "form")])
    counts = both.group_by("part", "form").agg(n=pl.len().cast(pl.Int64))
    return counts.sort("part", "n", "form", descending=[False, True, False])


def _rules(tasks: Tasks, placed: pl.DataFrame, k_show: int) -> tuple[Rule, ...]:
    """Return the rules that say a part well enough, the best first; a person knows which of equal ones is meant."""
    if placed.is_empty():
        return ()
    units = tasks.assignments.select("call_id", "unit_id")
    held = _facts(tasks, placed.get_column("call_id")).join(placed, on="call_id").join(units, on="call_id")
    size = placed.group_by("part").agg(size=pl.len().cast(pl.Int64))
    counts = (
        held.group_by("kind", "value", "part")
        .agg(n=pl.len().cast(pl.Int64), units=pl.col("unit_id").n_unique())
        .with_columns(everywhere=pl.col("n").sum().over("kind", "value"))
        .join(size, on="part")
        .filter((pl.col("units") >= k_show) & (pl.col("everywhere") < placed.height))
        .with_columns(same=pl.col("n") / (pl.col("everywhere") + pl.col("size") - pl.col("n")))
        .filter(pl.col("same") >= SAYS_IT)
        .sort(pl.col("part"), pl.col("same").round(2), "kind", "value", descending=[False, True, False, False])
        .filter(pl.int_range(pl.len()).over("part") < _MOST_RULES)
    )
    return tuple(
        Rule(
            row["part"],
            row["kind"],
            row["value"],
            row["n"] / row["size"],
            (row["everywhere"] - row["n"]) / max(placed.height - row["size"], 1),
        )
        for row in counts.iter_rows(named=True)
    )


def _facts(tasks: Tasks, call_ids: pl.Series) -> pl.DataFrame:
    """Return ``call_id, kind, value``: everything that a split could ask of these calls, once each."""
    slots = slot_texts(tasks.found or tasks, call_ids)
    words = slots.select("call_id", value=pl.col("slot_text").str.replace_all("\n", " ").str.split(" ")).explode(
        "value"
    )
    words = words.unique().filter(pl.col("value").str.contains(r"^\p{L}{3,}$"))
    as_asked = word_lists(words.get_column("value"))  # as a split will read them
    words = words.filter((as_asked.list.len() == 1) & (as_asked.list.first() == words.get_column("value")))
    calls = tasks.calls.calls.join(call_ids.to_frame("call_id"), on="call_id", how="semi")
    steps = calls.select("call_id", value="step").drop_nulls()
    tools = calls.select("call_id", value=pl.col("tool_names_offered").list.unique()).explode("value").drop_nulls()
    return pl.concat(
        [
            words.select("call_id", pl.lit("phrase").alias("kind"), "value"),
            steps.select("call_id", pl.lit("step").alias("kind"), "value"),
            tools.select("call_id", pl.lit("tool").alias("kind"), "value"),
        ]
    )
