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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from slmlens.errors import SettingError
from slmlens.specialists.base_models import Loaded, without_bars
from slmlens.specialists.chat import Tokens, example_tokens
from slmlens.specialists.forms import Example
from slmlens.specialists.sft import LEAST_STEPS, Recipe, Schedule, Share, sft_trainer, watch_of, write_whole

CHECKPOINTS, SCHEDULE, DONE = "checkpoints", "schedule.json", "tuned.json"
PRIVATE = 0o700
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
CHECKED_SHARE = 0.3
"""A forward pass is about a third of a training step: what the validation block costs, beside training."""

STEP_TOKENS, LEAST_BATCH = 1_200, 2
"""Most tokens of a step, about, and the fewest examples of one."""
CHECK_TOKENS, LEAST_CHECKS = 4_000, 6
"""Most tokens of the validation block, about, and its fewest examples."""

_TIMED_LOGITS = 8
_TIMED_PASSES = 2


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
    import torch

    fitting = _fitting(loaded, train, recipe)
    checks = _fitting(loaded, validation, recipe)
    if not fitting:
        raise SettingError(
            f"none of {len(train):,} training examples fits into {recipe.window:,} tokens",
            where="window",
            next_step="show the model less of each prompt, or tune another task",
        )
    recipe, checks = _for_long_examples(recipe, fitting, checks)
    mark = _mark(loaded, recipe, fitting, checks)
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as passing, without_bars():
        place = folder or Path(passing)
        place.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with_adapter = replace(loaded, model=_with_adapter(loaded, recipe))
        try:
            done = _finished(with_adapter, place, mark)
            if done is None:
                done = _train(with_adapter, fitting, checks, recipe, place, mark, progress)
                done = replace(done, left_out=len(train) - len(fitting))
                if folder is not None:
                    save_adapter(with_adapter.model, folder, base=loaded.name)
                    _note_done(done, place, mark)
            yield done
        finally:
            with_adapter.model.unload()
            torch.set_num_threads(threads)


def _for_long_examples(recipe: Recipe, train: list[Tokens], checks: list[Tokens]) -> tuple[Recipe, list[Tokens]]:
    """Return the recipe with fewer examples a step, and fewer validation examples, where examples are long.

    A run does at least ``LEAST_STEPS`` whatever the time says: with eight examples of 400 tokens these alone took twice
    the time given.
    """
    mean = max(sum(map(len, train)) // len(train), 1)
    batch = max(min(recipe.batch, STEP_TOKENS // mean), LEAST_BATCH)
    return replace(recipe, batch=batch), checks[: max(CHECK_TOKENS // mean, LEAST_CHECKS)]


def _mark(loaded: Loaded, recipe: Recipe, train: list[Tokens], validation: list[Tokens]) -> str:
    texts = repr([asdict(recipe), loaded.name, [(one.prompt, one.completion) for one in (*train, *validation)]])
    return blake2b(texts.encode(), digest_size=16).hexdigest()


def _finished(loaded: Loaded, place: Path, mark: str) -> Tuned | None:
    """Put the weights of a finished run of the same mark into the adapter; None: there is none."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    facts = _read(place / DONE)
    if facts is None or facts.pop("mark") != mark or not all((place / name).is_file() for name in ADAPTER):
        return None
    set_peft_model_state_dict(loaded.model, load_file(place / ADAPTER[1]))
    facts["losses"] = tuple((step, loss) for step, loss in facts["losses"])
    return Tuned(loaded=loaded, **facts)


def _note_done(done: Tuned, place: Path, mark: str) -> None:
    facts = {one.name: getattr(done, one.name) for one in fields(done) if one.name != "loaded"}
    write_whole(place / DONE, {"mark": mark, **facts})


def save_adapter(model: Any, folder: Path, *, base: str) -> None:  # noqa: ANN401 - peft is an extra
    """Write the weights of an adapter and how to load them, with no text, path or card beside; drop checkpoints.

    :param base: Name of the base model, which stands in the adapter's own description in place of a path.
    """
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        model.save_pretrained(beside, safe_serialization=True, save_embedding_layers=False)
        config = json.loads((Path(beside) / ADAPTER[0]).read_text(encoding="utf-8"))
        config |= {"base_model_name_or_path": base, "target_modules": sorted(config["target_modules"])}
        (Path(beside) / ADAPTER[0]).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
        for name in reversed(ADAPTER):
            (Path(beside) / name).replace(folder / name)
    for name in (CHECKPOINTS, SCHEDULE):
        _remove(folder / name)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


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
    mark: str,
    progress: Share | None,
) -> Tuned:
    schedule, checkpoint = _schedule(loaded, train, validation, recipe, place, mark)
    watch = watch_of(schedule, recipe, place / SCHEDULE, progress)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and its like, on what they will rename
        trainer = sft_trainer(loaded, train, validation, recipe, schedule, place / CHECKPOINTS, watch)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    state = trainer.state
    epochs = state.global_step * recipe.batch / len(train)
    stopped = "time" if watch.late or schedule.bounded else "epochs"
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
    loaded: Loaded, train: list[Tokens], validation: list[Tokens], recipe: Recipe, place: Path, mark: str
) -> tuple[Schedule, Path | None]:
    """Return the schedule and the last checkpoint of a run that was stopped; else a fresh schedule and None."""
    kept = _read(place / SCHEDULE)
    checkpoints = sorted((place / CHECKPOINTS).glob("checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]))
    whole = [one for one in checkpoints if _read(one / "trainer_state.json") is not None]  # which is written last
    if kept is not None and whole and kept["mark"] == mark:
        return Schedule(**kept), whole[-1]
    shutil.rmtree(place / CHECKPOINTS, ignore_errors=True)
    schedule = _paced(loaded, train, validation, recipe, mark)
    write_whole(place / SCHEDULE, asdict(schedule))
    return schedule, None


def _read(path: Path) -> dict[str, Any] | None:
    """Return a file of JSON; None: it is not there, or a kill has left half of it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _paced(loaded: Loaded, train: list[Tokens], validation: list[Tokens], recipe: Recipe, mark: str) -> Schedule:
    """Return how many steps fit the time: steps of ordinary length are timed, and the fastest counts."""
    whole = max(int(recipe.epochs * len(train) / recipe.batch), 1)
    by_length = sorted(train, key=len)
    middle = max((len(by_length) - recipe.batch) // 2, 0)
    batch = by_length[middle : middle + recipe.batch]
    a_step = (
        _seconds_at_best_threads(loaded, batch) * sum(map(len, train)) / len(train) * len(batch) / sum(map(len, batch))
    )
    a_check = CHECKED_SHARE * a_step * len(validation) / recipe.batch
    affordable = int((recipe.seconds - recipe.checks * a_check) / max(a_step, 1e-6))
    steps = max(min(whole, affordable), min(whole, LEAST_STEPS))
    every = max(steps // recipe.checks, 1)
    return Schedule(mark, steps - steps % every, every, bounded=affordable < whole)  # the last look is at the end


def _seconds_at_best_threads(loaded: Loaded, batch: list[Tokens]) -> float:
    """Return the seconds of the fastest step, with as many threads as it had: all of them, or one.

    Where others keep the cores busy threads wait for each other: on 2 such cores a step took 3 s with one thread, and 4
    to 34 s with two.
    """
    import torch

    seconds: dict[int, float] = {}
    for threads in dict.fromkeys((torch.get_num_threads(), 1)):
        torch.set_num_threads(threads)
        seconds[threads] = min(_one_pass(loaded, batch) for _ in range(_TIMED_PASSES))
    best = min(seconds, key=lambda threads: seconds[threads])
    torch.set_num_threads(best)
    return seconds[best]


def _one_pass(loaded: Loaded, batch: list[Tokens]) -> float:
    """Return the seconds of a step forwards and back."""
    import torch

    began = time.monotonic()
    width = max(map(len, batch))
    pad = int(loaded.tokenizer.pad_token_id)
    device = loaded.model.device
    ids = torch.tensor([[*o.prompt, *o.completion, *[pad] * (width - len(o))] for o in batch], device=device)
    loaded.model.train()
    # TRL too computes the logits of the completion only
    logits = loaded.model(input_ids=ids, logits_to_keep=_TIMED_LOGITS).logits
    logits.float().logsumexp(-1).mean().backward()
    loaded.model.zero_grad(set_to_none=True)
    return time.monotonic() - began
