"""A real small model as a probe: asked as it comes, tuned on a task's earlier sessions, and graded on later ones."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from slmlens.specialists.base_models import Loaded
from slmlens.specialists.chat import chars_per_token
from slmlens.specialists.evidence import probe_evidence
from slmlens.specialists.forms import MESSAGES, SLOTS, Example, examples
from slmlens.specialists.generate import BATCH, Generated, answer_limit, generate
from slmlens.specialists.lora import Tuned, tuned
from slmlens.specialists.probe_results import (
    FEW_SHOT,
    TUNED,
    ZERO_SHOT,
    Outcome,
    TaskProbe,
    Training,
    evidence_of,
    keep_probe,
    kept_probe,
)
from slmlens.specialists.records import Dataset
from slmlens.specialists.sft import Recipe
from slmlens.specialists.split import TEST, TRAIN, VALIDATION
from slmlens.suitability.priors import CHARS_PER_TOKEN
from slmlens.suitability.settings import AssessSettings

_FIGURES = ("n", "n_units", "agreement", "lo90", "hi90", "constant", "null_p")
_TRAIN_SHARE = 0.55
_GRADED_BY, _ASKED_BY = 0.75, {ZERO_SHOT: 0.87, FEW_SHOT: 0.97}
"""Share of a task's seconds after which each step ends: the tuned model's answers come first, as they are evidence."""
_UNTUNED = {ZERO_SHOT: "without examples", FEW_SHOT: "with examples"}

_BLOCK_TOKENS = 1_500
"""Tokens, of prompts and answers, between two looks at the clock: seconds of a laptop's work, not minutes."""
_LEAST_BLOCK = 2
_LEAST_SECONDS = 8.0
"""What a block needs at least: prompts read, and some 30 tokens of each answer, on two cores that are busy."""
_MEASURED = 64
"""Prompts by which the characters of a token are measured."""

Progress = Callable[[str, float], None]
"""Takes what is being done (a word of ``STEPS``) and the share of it that is done."""
STEPS = ("tuning", "grading", "asking")


@dataclass(frozen=True)
class ProbeSettings:
    """How a task is probed. All are judgements.

    :param seconds: Seconds a task may take, about: training gets a little more than half, answers the rest.
    :param calls: Later calls that are asked, one a recurrence unit as far as they go; 50 make grade A.
    :param base_calls: Of these, how many the untuned model is asked, with and without examples.
    :param shots: Examples in a few-shot prompt.
    :param most_train: Most training examples.
    :param most_checked: Most examples of the validation block: each look at it costs time that training lacks.
    :param prompt_tokens: Most tokens of what a tuned model is shown, about; longer ones lose their middle.
    :param base_tokens: The same for the untuned model, which is shown the whole prompt.
    :param curve: Numbers of training examples for a learning curve; each is a run of its own, beside the seconds.
    :param recipe: How the model is tuned; its seconds are set from those above.
    """

    seconds: float = 180.0
    calls: int = 60
    base_calls: int = 30
    shots: int = 4
    most_train: int = 480
    most_checked: int = 32
    prompt_tokens: int = 320
    base_tokens: int = 512
    curve: tuple[int, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)


def probe_task(
    dataset: Dataset,
    load: Callable[[], Loaded],
    *,
    slm: str,
    settings: ProbeSettings | None = None,
    assess: AssessSettings | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> TaskProbe:
    """Ask a small model on later calls of a task: untuned, with examples in the prompt, and tuned on earlier ones.

    :param dataset: The task's calls, split.
    :param load: Loads the model; not called where the result is in the folder.
    :param slm: The model's name.
    :param folder: Where adapter and result are kept, and where an interrupted probe goes on; None: nothing is kept.
    :param progress: See :data:`Progress`.
    """
    settings, assess = settings or ProbeSettings(), assess or AssessSettings()
    mark = _mark(dataset, slm, settings)
    known = None if folder is None else kept_probe(folder, mark)
    if known is not None:
        return known
    entered = time.monotonic()
    bench = _Bench(dataset, load(), slm, settings, assess, progress or _unheard)
    curve = bench.learning_curve()
    began = time.monotonic()
    row, graded, training = bench.tuned(bench.train, began, folder)
    rows, untuned = bench.untuned(began)
    evidence = evidence_of([row, *rows])
    found = TaskProbe(
        task_id=dataset.task_id,
        slm=slm,
        refused=None,
        outcomes=(*untuned, *curve, graded),
        training=training,
        evidence=evidence,
        notes=(*dataset.notes, *_cut_notes(training, graded), *_unasked(untuned)),
        seconds=time.monotonic() - entered,
    )
    if folder is not None:
        keep_probe(found, folder, mark)
    return found


@dataclass(frozen=True)
class _Bench:
    """One task and one loaded model, and the ways to ask it."""

    dataset: Dataset
    loaded: Loaded
    slm: str
    settings: ProbeSettings
    assess: AssessSettings
    progress: Progress

    @cached_property
    def train(self) -> list[Example]:
        """Examples to train on, in the order in which a learning curve takes them."""
        return self._side(TRAIN)

    @cached_property
    def limit(self) -> int:
        """Most tokens of an answer."""
        return answer_limit(self.loaded, [one.completion for one in self.train])

    @cached_property
    def chars(self) -> float:
        """Characters of a token in what the tuned model is shown."""
        return chars_per_token(self.loaded, self.dataset.frame.get_column("slot_text").to_list())

    def learning_curve(self) -> list[Outcome]:
        """Tune the model on fewer of the earlier calls, as often as a curve is wanted."""
        fewer = [most for most in sorted(set(self.settings.curve)) if most < len(self.train)]
        return [self.tuned(self.train[:most], time.monotonic(), None)[1] for most in fewer]

    def tuned(
        self, train: list[Example], began: float, folder: Path | None
    ) -> tuple[dict[str, object], Outcome, Training]:
        """Tune the model on earlier calls and ask it on later ones.

        :param began: Monotonic time at which the seconds of the task began.
        """
        recipe = recipe_of(self.settings, _TRAIN_SHARE)
        with tuned(
            self.loaded,
            train,
            self._side(VALIDATION, self.settings.most_checked),
            recipe=recipe,
            folder=folder,
            progress=lambda share: self.progress("tuning", share),
        ) as done:
            note = (
                f"tuned on {done.examples:,} earlier calls (LoRA, rank {recipe.rank}, {done.steps:,} steps), asked "
                "with what varies in the prompt"
            )
            asked = self._side(TEST, self.settings.calls)
            until = began + _GRADED_BY * self.settings.seconds
            answered = self._ask(done.loaded, asked, until, "grading", at_least_once=True)
        row, outcome = self._graded(answered, way=TUNED, n_examples=done.examples, note=note, mode="tuned")
        return row, outcome, _training(done, sum(one.cut for one in train))

    def untuned(self, began: float) -> tuple[list[dict[str, object]], list[Outcome]]:
        """Ask the model as it comes: the whole prompt, without and with examples; only the former is evidence."""
        most, tokens = self.settings.base_calls, self.settings.base_tokens
        prompts = self.dataset.rows_on(TRAIN).get_column("messages").head(_MEASURED).to_list()
        chars = chars_per_token(self.loaded, ["\n".join(one["content"] for one in prompt) for prompt in prompts])
        rows, outcomes = [], []
        for way, shots in ((ZERO_SHOT, 0), (FEW_SHOT, self.settings.shots)):
            asked = examples(
                self.dataset, TEST, form=MESSAGES, most=most, tokens=tokens, shots=shots, chars_per_token=chars
            )
            answered = self._ask(self.loaded, asked, began + _ASKED_BY[way] * self.settings.seconds, "asking")
            if not answered.texts:
                continue
            note = f"the model as it comes, asked with the prompt{f' and {shots} earlier calls' if shots else ''}"
            row, outcome = self._graded(answered, way=way, n_examples=shots, note=note, mode="swap")
            rows += [] if shots else [row]
            outcomes.append(outcome)
        return rows, outcomes

    def _ask(
        self, model: Loaded, asked: list[Example], until: float, step: str, *, at_least_once: bool = False
    ) -> _Answered:
        """Ask until the time is up, in the order of the units.

        A block of answers that the time broke off does not count: what a slow machine did not finish is not wrong.

        :param at_least_once: The first block is answered whatever the time says.
        """
        began = time.monotonic()
        block = max(min(BATCH, _BLOCK_TOKENS // (_longest(asked) + self.limit)), _LEAST_BLOCK)
        found = _Answered()
        for at in range(0, len(asked), block):
            part = asked[at : at + block]
            free = at_least_once and not found.texts
            if not free and until - time.monotonic() < _LEAST_SECONDS:
                break
            came = generate(model, [one.messages for one in part], most_new=self.limit, until=None if free else until)
            late = time.monotonic() > until
            if free or not (late and came.unfinished):
                found = found.with_block(part, came)
            self.progress(step, min((at + block) / len(asked), 1.0))
            if late:
                break
        return replace(found, seconds=time.monotonic() - began)

    def _graded(
        self, answered: _Answered, *, way: str, n_examples: int, note: str, mode: str
    ) -> tuple[dict[str, object], Outcome]:
        row = probe_evidence(
            self.dataset,
            answered.texts,
            slm=self.slm,
            mode=mode,
            note=note,
            settings=self.assess,
            seed=self.settings.recipe.seed,
        )
        figures: dict[str, Any] = {name: row[name] for name in _FIGURES}
        work = {name: getattr(answered, name) for name in ("cut", "unfinished", "seconds", "tokens")}
        return row, Outcome(way=way, examples=n_examples, **figures, **work)

    def _side(self, side: str, most: int | None = None) -> list[Example]:
        most = self.settings.most_train if most is None else most
        tokens = self.settings.prompt_tokens
        return examples(self.dataset, side, form=SLOTS, most=most, tokens=tokens, chars_per_token=self.chars)


@dataclass(frozen=True)
class _Answered:
    """Answers to some calls, and what they took."""

    texts: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    unfinished: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def with_block(self, asked: list[Example], came: Generated) -> _Answered:
        """Return these answers and those of one more block."""
        return replace(
            self,
            texts={**self.texts, **{one.call_id: text for one, text in zip(asked, came.texts, strict=True)}},
            cut=self.cut + came.cut + sum(one.cut for one in asked),
            unfinished=self.unfinished + came.unfinished,
            tokens=self.tokens + came.tokens,
        )


def _longest(asked: list[Example]) -> int:
    """Return the tokens of the longest prompt, about."""
    return int(max(sum(len(m["content"]) for m in one.messages) for one in asked) / CHARS_PER_TOKEN)


def recipe_of(settings: ProbeSettings, share: float) -> Recipe:
    """Return the recipe with its part of the seconds of a task."""
    return replace(settings.recipe, seconds=share * settings.seconds)


def _training(done: Tuned, cut: int) -> Training:
    return Training(
        examples=done.examples,
        left_out=done.left_out,
        cut=cut,
        steps=done.steps,
        epochs=done.epochs,
        tokens=done.tokens,
        seconds=done.seconds,
        losses=done.losses,
        stopped=done.stopped,
    )


def _cut_notes(training: Training, graded: Outcome) -> list[str]:
    notes = []
    if training.epochs < 1 and training.stopped == "time":
        notes.append(
            f"The time was up after {training.epochs:.0%} of the training examples: more seconds may do better. A pass "
            f"over all of them takes about {math.ceil(training.seconds / training.epochs / 60):,} minutes here."
        )
    if training.cut or graded.cut:
        notes.append(f"{training.cut:,} prompts to train on and {graded.cut:,} to test on were cut in their middle.")
    if training.left_out:
        notes.append(f"{training.left_out:,} training examples were longer than the window and left out.")
    if graded.unfinished:
        notes.append(f"{graded.unfinished:,} answers of the tuned model were longer than the task's and cut short.")
    return notes


def _unasked(untuned: list[Outcome]) -> list[str]:
    missing = [words for way, words in _UNTUNED.items() if way not in {one.way for one in untuned}]
    return [f"The untuned model was not asked {' and '.join(missing)}: the time was up."] if missing else []


def _unheard(_step: str, _share: float) -> None:
    return


def _mark(dataset: Dataset, slm: str, settings: ProbeSettings) -> str:
    """Hash what a result depends on: the calls and their sides, the model, the settings."""
    text = dataset.frame.select("call_id", "side", "slot_text", "completion").write_json()
    whole = json.dumps([slm, asdict(settings), text], sort_keys=True)
    return blake2b(whole.encode(), digest_size=16).hexdigest()
