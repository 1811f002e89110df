"""A LoRA run (Hu et al. 2021, arXiv 2106.09685) with TRL and PEFT: prompts and completions in, a tuned model out.

The loss is on the completions only. The run keeps to a time it is given, stops when a validation block says so, and
goes on at its last checkpoint after a kill.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from slmlens.errors import SettingError
from slmlens.run import PRIVATE
from slmlens.specialists.base_models import Loaded, without_bars
from slmlens.specialists.chat import Tokens, example_tokens
from slmlens.specialists.forms import Example

CHECKPOINTS, SCHEDULE = "checkpoints", "schedule.json"
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
CHECKED_SHARE = 0.3
"""A forward pass is about a third of a training step: what the validation block costs, beside training."""
OVERRUN = 1.15
"""Training stops at this many times its seconds, where the steps turn out slower than the first ones."""
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
    checks: int = 6
    patience: int = 3
    seconds: float = 110.0
    window: int = _DEFAULT_WINDOW
    seed: int = 0


@dataclass(frozen=True)
class Schedule:
    """What a run has set itself, kept beside its checkpoints.

    :param mark: Hash of base model, recipe and examples: another one starts anew.
    :param steps: Steps of the whole run.
    :param every: Steps between two looks at the validation block.
    :param spent: Seconds of training up to the last checkpoint.
    """

    mark: str
    steps: int
    every: int
    spent: float = 0.0


@dataclass(frozen=True)
class Tuned:
    """A model with its adapter.

    :param loaded: The tuned model in memory.
    :param examples: Training examples it saw.
    :param left_out: Examples longer than the window.
    :param steps: Steps done.
    :param epochs: Passes over the examples.
    :param tokens: Training tokens, padding not counted.
    :param seconds: Wall-clock seconds of training, checks and earlier attempts included.
    :param losses: (step, mean loss a completion token on the validation block) of each look.
    :param stopped: ``epochs``, ``time`` or ``validation``.
    """

    loaded: Loaded = field(repr=False)
    examples: int
    left_out: int
    steps: int
    epochs: float
    tokens: int
    seconds: float
    losses: tuple[tuple[int, float], ...]
    stopped: str


@contextmanager
def tuned(
    loaded: Loaded,
    train: Sequence[Example],
    validation: Sequence[Example],
    *,
    recipe: Recipe,
    folder: Path | None = None,
    progress: Share | None = None,
) -> Iterator[Tuned]:
    """Tune a model and hold it so inside the ``with``; after it the model is the base again.

    :param loaded: The base model.
    :param train: Examples to learn.
    :param validation: Examples that say when to stop; none: only time and epochs do.
    :param folder: Where checkpoints go during the run, and the adapter after it; None: nothing is kept.
    :param progress: Takes the share of the steps that is done.
    :raises SettingError: If no example fits the window.
    """
    fitting = _fitting(loaded, train, recipe)
    checks = _fitting(loaded, validation, recipe)
    if not fitting:
        raise SettingError(
            f"none of {len(train):,} training examples fits into {recipe.window:,} tokens",
            where="seconds",
            next_step="give the run more time, or tune another task",
        )
    with tempfile.TemporaryDirectory() as passing, without_bars():
        place = folder or Path(passing)
        place.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        model = _with_adapter(loaded, recipe)
        try:
            done = _train(replace(loaded, model=model), fitting, checks, recipe, place, progress)
            if folder is not None:
                save_adapter(model, folder, base=loaded.name)
            yield replace(done, left_out=len(train) - len(fitting))
        finally:
            model.unload()


def save_adapter(model: Any, folder: Path, *, base: str) -> None:  # noqa: ANN401 - peft is an extra
    """Write the weights of an adapter and how to load them, with no text, path or card beside; drop checkpoints."""
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        model.save_pretrained(beside, safe_serialization=True, save_embedding_layers=False)
        config = json.loads((Path(beside) / ADAPTER[0]).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = base
        (Path(beside) / ADAPTER[0]).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
        for name in reversed(ADAPTER):
            (Path(beside) / name).replace(folder / name)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def _fitting(loaded: Loaded, examples: Sequence[Example], recipe: Recipe) -> list[Tokens]:
    found = [example_tokens(loaded, example.messages, example.completion) for example in examples]
    return [one for one in found if len(one) <= min(recipe.window, loaded.window)]


def _with_adapter(loaded: Loaded, recipe: Recipe) -> Any:  # noqa: ANN401 - as above
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(recipe.seed)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=2 * recipe.rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(loaded.model, config)


def _train(
    loaded: Loaded,
    train: list[Tokens],
    validation: list[Tokens],
    recipe: Recipe,
    place: Path,
    progress: Share | None,
) -> Tuned:
    schedule, checkpoint = _schedule(loaded, train, validation, recipe, place)
    watch = _watch(schedule, recipe, place / SCHEDULE, progress)
    trainer = _trainer(loaded, train, validation, recipe, schedule, place / CHECKPOINTS, watch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and its like, on how they are used here
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    state = trainer.state
    epochs = state.global_step * recipe.batch / len(train)
    stopped = "epochs" if state.global_step >= recipe.epochs * len(train) / recipe.batch - 1 else "time"
    if state.global_step < schedule.steps and not watch.late:
        stopped = "validation"
    losses = tuple((int(row["step"]), float(row["eval_loss"])) for row in state.log_history if "eval_loss" in row)
    return Tuned(
        loaded=loaded,
        examples=len(train),
        left_out=0,
        steps=state.global_step,
        epochs=epochs,
        tokens=int(epochs * sum(map(len, train))),
        seconds=watch.spent(),
        losses=losses,
        stopped=stopped,
    )


def _schedule(
    loaded: Loaded, train: list[Tokens], validation: list[Tokens], recipe: Recipe, place: Path
) -> tuple[Schedule, Path | None]:
    """Return the schedule and the last checkpoint of a run that was stopped; else a fresh schedule and None."""
    texts = repr([asdict(recipe), loaded.name, [(one.prompt, one.completion) for one in (*train, *validation)]])
    mark = blake2b(texts.encode(), digest_size=16).hexdigest()
    kept = place / SCHEDULE
    checkpoints = sorted((place / CHECKPOINTS).glob("checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]))
    whole = [one for one in checkpoints if (one / "trainer_state.json").is_file()]
    if kept.is_file() and whole:
        schedule = Schedule(**json.loads(kept.read_text(encoding="utf-8")))
        if schedule.mark == mark:
            return schedule, whole[-1]
    shutil.rmtree(place / CHECKPOINTS, ignore_errors=True)
    schedule = _paced(loaded, train, validation, recipe, mark)
    kept.write_text(json.dumps(asdict(schedule)), encoding="utf-8")
    return schedule, None


def _paced(loaded: Loaded, train: list[Tokens], validation: list[Tokens], recipe: Recipe, mark: str) -> Schedule:
    """Return how many steps fit the time: two steps of ordinary length are timed, the first of them to warm up."""
    whole = max(int(recipe.epochs * len(train) / recipe.batch), 1)
    by_length = sorted(train, key=len)
    middle = max((len(by_length) - recipe.batch) // 2, 0)
    batch = by_length[middle : middle + recipe.batch]
    _one_pass(loaded, batch)
    began = time.monotonic()
    _one_pass(loaded, batch)
    a_step = (time.monotonic() - began) * sum(map(len, train)) / len(train) * len(batch) / sum(map(len, batch))
    a_check = CHECKED_SHARE * a_step * len(validation) / recipe.batch
    affordable = int((recipe.seconds - recipe.checks * a_check) / max(a_step, 1e-6))
    steps = max(min(whole, affordable), 1)
    every = max(steps // recipe.checks, 1)
    return Schedule(mark, steps - steps % every, every)  # so that the last look is at the end


def _one_pass(loaded: Loaded, batch: list[Tokens]) -> None:
    import torch

    width = max(map(len, batch))
    pad = int(loaded.tokenizer.pad_token_id)
    device = loaded.model.device
    ids = torch.tensor([[*o.prompt, *o.completion, *[pad] * (width - len(o))] for o in batch], device=device)
    loaded.model.train()
    loaded.model(input_ids=ids, labels=ids).loss.backward()
    loaded.model.zero_grad(set_to_none=True)


def _rows(examples: list[Tokens]) -> Any:  # noqa: ANN401 - datasets is an extra
    from datasets import Dataset

    return Dataset.from_list(
        [
            {"input_ids": one.prompt + one.completion, "labels": [_IGNORED] * len(one.prompt) + one.completion}
            for one in examples
        ]
    )


def _trainer(
    loaded: Loaded,
    train: list[Tokens],
    validation: list[Tokens],
    recipe: Recipe,
    schedule: Schedule,
    checkpoints: Path,
    watch: Any,  # noqa: ANN401 - a TrainerCallback
) -> Any:  # noqa: ANN401 - trl is an extra
    import torch
    from transformers import EarlyStoppingCallback
    from trl import SFTConfig, SFTTrainer

    class Quiet(SFTTrainer):  # type: ignore[misc,unused-ignore]
        """The trainer of TRL without the model card, which would hold paths."""

        def create_model_card(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - whatever it takes
            """Write none."""

    every = "steps" if validation else "no"
    settings = SFTConfig(
        output_dir=str(checkpoints),
        max_steps=schedule.steps,
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(schedule.steps // 10, 1),
        weight_decay=0.0,
        eval_strategy=every,
        eval_steps=schedule.every,
        save_strategy="steps",
        save_steps=schedule.every,
        save_total_limit=1,
        load_best_model_at_end=bool(validation),
        metric_for_best_model="eval_loss" if validation else None,
        train_sampling_strategy="group_by_length",
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
    patience = [EarlyStoppingCallback(early_stopping_patience=recipe.patience)] if validation else []
    return Quiet(
        model=loaded.model,
        args=settings,
        train_dataset=_rows(train),
        eval_dataset=_rows(validation) if validation else None,
        processing_class=loaded.tokenizer,
        callbacks=[watch, *patience],
    )


def _watch(schedule: Schedule, recipe: Recipe, kept: Path, progress: Share | None) -> Any:  # noqa: ANN401 - a TrainerCallback
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc,unused-ignore]
        """Keeps the time: tells how far the run is, notes what it spent, and stops it when it is late."""

        def __init__(self) -> None:
            self.began = time.monotonic()
            self.late = False

        def spent(self) -> float:
            """Return the seconds of training, those before a kill included."""
            return schedule.spent + time.monotonic() - self.began

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401 - of transformers
            """Stop a run that is late, with a last look at the validation block."""
            if progress is not None:
                progress(state.global_step / schedule.steps)
            if self.spent() > OVERRUN * recipe.seconds and state.global_step < schedule.steps:
                self.late = True
                control.should_training_stop = True

        def on_save(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:  # noqa: ANN401 - of transformers
            """Note the seconds, for the run that goes on from this checkpoint."""
            kept.write_text(json.dumps(asdict(replace(schedule, spent=self.spent()))), encoding="utf-8")

    return Watch()
