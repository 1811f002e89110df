"""The supervised fine-tuning of TRL as a LoRA run sets it up: its settings, its schedule, and the clock it keeps to."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from slmlens.specialists.base_models import Loaded
from slmlens.specialists.chat import Tokens

OVERRUN = 1.15
"""Training stops at this many times its seconds, where the steps turn out slower than the first ones."""
LEAST_STEPS = 10
"""Steps that are done whatever the time says: after fewer the answer is the base model's, and tells nothing."""
SET_UP = 4.0
"""Seconds, about, until TRL does its first step."""
_IGNORED = -100  # the label that torch's cross entropy leaves out
_DEFAULT_WINDOW = 1_536

Share = Callable[[float], None]


@dataclass(frozen=True)
class Recipe:
    """How a model is tuned.

    :param rank: Rank of the adapter, on all linear layers but the head.
    :param learning_rate: Of AdamW at its height; a warm-up of a tenth, then a cosine to zero.
    :param batch: Examples a step.
    :param epochs: Most passes over the training examples.
    :param checks: Looks at the validation block, evenly over the run.
    :param patience: Looks without a better loss after which training stops.
    :param seconds: Seconds that training may take, checks included.
    :param window: Most tokens of an example; longer ones are left out and counted.
    :param seed: Seed of the adapter and of the order of the examples.
    """

    rank: int = 16
    learning_rate: float = 2e-3
    batch: int = 8
    epochs: float = 6.0
    checks: int = 5
    patience: int = 2
    seconds: float = 110.0
    window: int = _DEFAULT_WINDOW
    seed: int = 0


@dataclass(frozen=True)
class Schedule:
    """What a run has set itself, kept beside its checkpoints.

    :param mark: Hash of base model, recipe and examples: another one starts anew.
    :param batch: Examples a step.
    :param steps: Steps of the whole run.
    :param every: Steps between two looks at the validation block.
    :param checked: Validation examples of a look.
    :param bounded: The time allows fewer steps than the epochs would take.
    :param spent: Seconds up to the last checkpoint.
    """

    mark: str
    batch: int
    steps: int
    every: int
    checked: int
    bounded: bool
    spent: float = 0.0


def write_whole(path: Path, facts: Mapping[str, object]) -> None:
    """Write facts as JSON, whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(facts), encoding="utf-8")
    beside.replace(path)


def in_order(train: list[Tokens], schedule: Schedule, recipe: Recipe) -> list[Tokens]:
    """Return the examples of a whole run, a batch after the other: batches of like length, in random order.

    A pass takes the first of the examples that fill whole batches. Where the time allows less than a pass, only those
    of the first steps are taken, so that all lengths come up. (The sampler of transformers that groups by length
    begins with the longest ones: a run of few steps would learn from these alone.)
    """
    rng = random.Random(recipe.seed)  # noqa: S311 - an order, not a secret
    a_pass = max(min(len(train) // schedule.batch, schedule.steps), 1) * schedule.batch
    by_length = sorted(train[:a_pass], key=len)
    batches = [by_length[at : at + schedule.batch] for at in range(0, a_pass, schedule.batch)]
    order: list[list[Tokens]] = []
    while len(order) < schedule.steps:
        order += rng.sample(batches, len(batches))
    return [one for batch in order[: schedule.steps] for one in batch]


def _rows(examples: list[Tokens]) -> Any:  # noqa: ANN401 - datasets is an extra
    from datasets import Dataset

    return Dataset.from_list(
        [
            {"input_ids": one.prompt + one.completion, "labels": [_IGNORED] * len(one.prompt) + one.completion}
            for one in examples
        ]
    )


def sft_trainer(
    loaded: Loaded,
    train: list[Tokens],
    validation: list[Tokens],
    recipe: Recipe,
    schedule: Schedule,
    checkpoints: Path,
    watch: Any,  # noqa: ANN401 - a TrainerCallback
) -> Any:  # noqa: ANN401 - trl is an extra
    """Return the trainer of TRL for one LoRA run on the CPU, or on an accelerator where there is one.

    :param loaded: The model with its adapter.
    :param checkpoints: Folder of its checkpoints, of which the best and the last are kept.
    :param watch: What :func:`watch_of` returned.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback
    from trl import SFTTrainer

    class Quiet(SFTTrainer):  # type: ignore[misc,unused-ignore]
        """The trainer of TRL without the model card, which would hold paths."""

        def create_model_card(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - whatever it takes
            """Write none."""

    settings = _arguments(recipe, schedule, checkpoints, validated=bool(validation))
    patience = [EarlyStoppingCallback(early_stopping_patience=recipe.patience)] if validation else []
    trainer = Quiet(
        model=loaded.model,
        args=settings,
        train_dataset=_rows(in_order(train, schedule, recipe)),
        eval_dataset=_rows(sorted(validation, key=len)) if validation else None,
        processing_class=loaded.tokenizer,
        callbacks=[watch, *patience],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _arguments(recipe: Recipe, schedule: Schedule, checkpoints: Path, *, validated: bool) -> Any:  # noqa: ANN401 - trl is an extra
    """Return TRL's settings of one run."""
    import torch
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch,
        per_device_eval_batch_size=schedule.batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(schedule.steps // 10, 1),
        weight_decay=0.0,
        eval_strategy="steps" if validated else "no",
        eval_steps=schedule.every,
        save_strategy="steps",
        save_steps=schedule.every,
        save_total_limit=1,
        load_best_model_at_end=validated,
        metric_for_best_model="eval_loss" if validated else None,
        train_sampling_strategy="sequential",
        gradient_checkpointing=False,
        bf16=torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=recipe.seed,
        data_seed=recipe.seed,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        log_level="error",
        dataloader_pin_memory=False,
        push_to_hub=False,
    )


def watch_of(schedule: Schedule, recipe: Recipe, kept: Path, entered: float, progress: Share | None) -> Any:  # noqa: ANN401 - a TrainerCallback
    """Return the callback that keeps the time of a run.

    :param kept: Where the schedule is kept, with the seconds spent at each checkpoint.
    :param entered: Monotonic time at which this attempt began.
    :param progress: Takes the share of the steps that is done.
    """
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc,unused-ignore]
        """Keeps the time: tells how far the run is, notes what it spent, and stops it when it is late."""

        def __init__(self) -> None:
            self.late = False

        def spent(self) -> float:
            """Return the seconds of the run, those before a kill included."""
            return schedule.spent + time.monotonic() - entered

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401 - of transformers
            """Stop a run that is late, with a last look at the validation block."""
            if progress is not None:
                progress(state.global_step / schedule.steps)
            late = self.spent() > OVERRUN * recipe.seconds and state.global_step >= LEAST_STEPS
            if late and state.global_step < schedule.steps:
                self.late = True
                control.should_training_stop = True

        def on_save(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:  # noqa: ANN401 - of transformers
            """Note the seconds, for the run that goes on from this checkpoint."""
            write_whole(kept, asdict(replace(schedule, spent=self.spent())))

    return Watch()
