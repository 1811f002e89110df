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
from slmlens.specialists.pace import pace_of, seconds_a_token
from slmlens.specialists.sft import SET_UP, Recipe, Schedule, Share, sft_trainer, watch_of, write_whole

CHECKPOINTS, SCHEDULE, DONE = "checkpoints", "schedule.json", "tuned.json"
PRIVATE = 0o700
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True)
class Tuned:
    """A model with its adapter.

    :param loaded: The tuned model in memory.
    :param examples: Training examples it saw.
    :param left_out: Examples longer than the window.
    :param steps: Steps done.
    :param epochs: Passes over the examples.
    :param tokens: Training tokens, padding not counted.
    :param seconds: Wall-clock seconds of the run: setting up, steps, checks, and earlier attempts.
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

    entered = time.monotonic()
    fitting = _fitting(loaded, train, recipe)
    checks = _fitting(loaded, validation, recipe)
    if not fitting:
        raise SettingError(
            f"none of {len(train):,} training examples fits into {recipe.window:,} tokens",
            where="window",
            next_step="show the model less of each prompt, or tune another task",
        )
    mark = _mark(loaded, recipe, fitting, checks)
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as passing, without_bars():
        place = folder or Path(passing)
        place.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        with_adapter = replace(loaded, model=_with_adapter(loaded, recipe))
        try:
            done = _finished(with_adapter, place, mark)
            if done is None:
                done = _train(_Attempt(with_adapter, fitting, checks, recipe, place, mark, entered), progress)
                done = replace(done, left_out=len(train) - len(fitting))
                if folder is not None:
                    save_adapter(with_adapter.model, folder, base=loaded.name)
                    _note_done(done, place, mark)
            yield done
        finally:
            with_adapter.model.unload()
            torch.set_num_threads(threads)


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


@dataclass(frozen=True)
class _Attempt:
    """One attempt at a run: the first, or one that goes on where another was killed."""

    loaded: Loaded
    train: list[Tokens]
    validation: list[Tokens]
    recipe: Recipe
    place: Path
    mark: str
    entered: float


def _train(one: _Attempt, progress: Share | None) -> Tuned:
    schedule, checkpoint = _schedule(one)
    watch = watch_of(schedule, one.recipe, one.place / SCHEDULE, one.entered, progress)
    validation = one.validation[: schedule.checked]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch and its like, on what they will rename
        trainer = sft_trainer(one.loaded, one.train, validation, one.recipe, schedule, one.place / CHECKPOINTS, watch)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    state = trainer.state
    epochs = state.global_step * schedule.batch / len(one.train)
    stopped = "time" if watch.late or schedule.bounded else "epochs"
    if state.global_step < schedule.steps and not watch.late:
        stopped = "validation"
    losses = tuple((int(row["step"]), float(row["eval_loss"])) for row in state.log_history if "eval_loss" in row)
    return Tuned(
        loaded=one.loaded,
        examples=min(len(one.train), state.global_step * schedule.batch),
        left_out=0,
        steps=state.global_step,
        epochs=epochs,
        tokens=int(epochs * sum(map(len, one.train))),
        seconds=watch.spent(),
        losses=losses,
        stopped=stopped,
    )


def _schedule(one: _Attempt) -> tuple[Schedule, Path | None]:
    """Return the schedule and the last checkpoint of a run that was stopped; else a fresh schedule and None."""
    kept = _read(one.place / SCHEDULE)
    checkpoints = (one.place / CHECKPOINTS).glob("checkpoint-*")
    in_order = sorted(checkpoints, key=lambda at: int(at.name.rpartition("-")[2]))
    whole = [at for at in in_order if _read(at / "trainer_state.json") is not None]  # which is written last
    if kept is not None and whole and kept["mark"] == one.mark:
        return Schedule(**kept), whole[-1]
    shutil.rmtree(one.place / CHECKPOINTS, ignore_errors=True)
    a_token = seconds_a_token(one.loaded, one.train)
    left = one.recipe.seconds - (time.monotonic() - one.entered) - SET_UP
    schedule = Schedule(one.mark, **asdict(pace_of(one.recipe, one.train, one.validation, a_token, left)))
    write_whole(one.place / SCHEDULE, asdict(schedule))
    return schedule, None


def _read(path: Path) -> dict[str, Any] | None:
    """Return a file of JSON; None: it is not there, or a kill has left half of it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
