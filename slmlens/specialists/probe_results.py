"""What an SLM probe found of a task, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from slmlens.specialists.lora import PRIVATE
from slmlens.specialists.store import RESULT
from slmlens.tables import EvidenceTable, checked

ZERO_SHOT, FEW_SHOT, TUNED = "zero-shot", "few-shot", "tuned"


@dataclass(frozen=True)
class Outcome:
    """How one way of asking did on later calls.

    :param way: ``zero-shot``, ``few-shot`` or ``tuned``.
    :param examples: Training examples, or examples in the prompt.
    :param n: Calls asked.
    :param n_units: Recurrence units that they come from.
    :param agreement: Share of answers that count as the incumbent's.
    :param lo90: Lower end of its 90 % interval.
    :param hi90: Upper end.
    :param constant: Agreement of the best constant answer on these calls; None: nothing trains.
    :param null_p: P-value against whole units that change their answers; None: too many calls to tell.
    :param cut: Prompts that lost their middle.
    :param unfinished: Answers that went on beyond the longest that the task needs.
    :param seconds: Wall-clock seconds of asking.
    :param tokens: Tokens generated.
    """

    way: str
    examples: int
    n: int
    n_units: int
    agreement: float
    lo90: float
    hi90: float
    constant: float | None
    null_p: float | None
    cut: int
    unfinished: int
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Training:
    """What tuning took: see :class:`slmlens.specialists.lora.Tuned`."""

    examples: int
    left_out: int
    cut: int
    steps: int
    epochs: float
    tokens: int
    seconds: float
    losses: tuple[tuple[int, float], ...]
    stopped: str

    @property
    def tokens_per_second(self) -> float:
        """Training tokens a second, checks on the validation block included."""
        return self.tokens / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class TaskProbe:
    """What an SLM probe found of one task.

    :param task_id: The task.
    :param slm: The model, by its name.
    :param refused: Why nothing was trained, as a sentence; None: it was.
    :param outcomes: Each way of asking; the tuned model last, its learning curve before it.
    :param training: What tuning took; None: nothing was trained.
    :param evidence: ``EvidenceTable`` rows: the tuned model (mode ``tuned``) and the untuned one (``swap``).
    :param notes: Sentences on the split and on what was cut or left out.
    :param seconds: Wall-clock seconds in all.
    """

    task_id: str
    slm: str
    refused: str | None
    outcomes: tuple[Outcome, ...]
    training: Training | None
    evidence: pl.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def of(self, way: str) -> Outcome | None:
        """Return the outcome of one way of asking; of the tuned model that of all its examples; None: not asked."""
        return next((one for one in reversed(self.outcomes) if one.way == way), None)


def refused_probe(task_id: str, slm: str, why: str) -> TaskProbe:
    """Return the record of a task on which nothing was trained."""
    return TaskProbe(task_id, slm, why, (), None, evidence_of([]))


def evidence_of(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """Return rows as ``EvidenceTable``."""
    return checked(EvidenceTable, pl.DataFrame(rows, schema=EvidenceTable.create_empty().schema))


def keep_probe(found: TaskProbe, folder: Path, mark: str) -> None:
    """Write a result into a folder: figures, and no text of the log."""
    facts = {name: value for name, value in vars(found).items() if name not in {"evidence", "outcomes", "training"}}
    facts |= {
        "mark": mark,
        "outcomes": [asdict(one) for one in found.outcomes],
        "training": asdict(found.training) if found.training else None,
        "evidence": found.evidence.rows(named=True),
    }
    folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    beside = folder / f".{RESULT}.part"
    beside.write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    beside.replace(folder / RESULT)


def kept_probe(folder: Path, mark: str) -> TaskProbe | None:
    """Return the result that a folder keeps, of the same calls, model and settings; None: there is none."""
    if not (folder / RESULT).is_file():
        return None
    try:
        facts = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except ValueError:
        return None  # it was written by halves or by hand: probe again
    if facts.pop("mark", None) != mark:
        return None
    training = facts.pop("training")
    losses = tuple((step, loss) for step, loss in training["losses"])
    return TaskProbe(
        **facts
        | {
            "outcomes": tuple(Outcome(**one) for one in facts["outcomes"]),
            "training": Training(**training | {"losses": losses}),
            "evidence": evidence_of(facts["evidence"]),
            "notes": tuple(facts["notes"]),
        }
    )
