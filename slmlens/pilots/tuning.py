"""A pilot of a model that is tuned here: on a task's earlier sessions, graded on later ones of the pilot's sample."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import SettingError
from slmlens.pilots.grading import Drawn, graded_name, keep_sample
from slmlens.suitability.answers import Answer
from slmlens.suitability.posterior import LOOKS
from slmlens.suitability.settings import AssessSettings

if TYPE_CHECKING:
    from slmlens.specialists.base_models import Loaded
    from slmlens.specialists.forms import Example
    from slmlens.specialists.lora import Tuned
    from slmlens.specialists.records import Dataset
    from slmlens.specialists.slm_probe import ProbeSettings

MOST_CALLS = 60
"""Later calls that are asked: the second look of a pilot, enough for grade A."""
LEAST_TRAIN = 60
_TRAIN_SHARE = 0.75

Share = Callable[[float], None]


@dataclass(frozen=True)
class TunedAnswers:
    """Answers of a model that was tuned on a task's earlier sessions.

    :param slm: The model's name in the grades.
    :param given: Answers by prompt id.
    :param said: How it was tuned, in a sentence.
    """

    slm: str
    given: dict[str, Answer | None]
    said: str


def tuned_locally(
    drawn: Drawn,
    base: str | Path | None = None,
    *,
    seconds: float,
    say: Callable[[str], None] | None = None,
    progress: Share | None = None,
) -> TunedAnswers:
    """Tune a model on the task's earlier sessions and return its answers to later calls of the sample.

    No call that is asked, none of its session, and no prompt nearly like one of them is trained on. With a run the
    adapter is kept in its folder, and an interrupted run goes on there.

    :param base: See :func:`slmlens.pilots.probing.slm_probe`.
    :param seconds: Seconds it may take, about; three quarters are for training. The first look at the answers is
        reached whatever the time says.
    :raises MissingExtraError: If the extra ``tune`` is not installed.
    :raises SettingError: If the task has too few earlier or later sessions, or no model goes by that name.
    """
    from slmlens.specialists.base_models import base_model, load_base
    from slmlens.specialists.chat import chars_per_token
    from slmlens.specialists.generate import answer_limit
    from slmlens.specialists.lora import tuned
    from slmlens.specialists.slm_probe import ProbeSettings, recipe_of
    from slmlens.specialists.store import place_of

    began = time.monotonic()
    model = base_model(base)
    slm = graded_name(drawn, model.name)
    dataset = _dataset(drawn)
    _need_enough(dataset, drawn.task_id)
    keep_sample(drawn)
    settings = ProbeSettings(seconds=seconds)
    folder = None if drawn.run is None else place_of(drawn.run.folder, drawn.task_id, f"{model.name}.pilot")
    loaded = load_base(model, say=say)
    chars = chars_per_token(loaded, dataset.frame.get_column("slot_text").to_list())
    train, validation, asked = _examples(dataset, settings, chars)
    recipe = recipe_of(settings, _TRAIN_SHARE)
    with tuned(
        loaded, train, validation, recipe=recipe, folder=folder, progress=_part(progress, 0, _TRAIN_SHARE)
    ) as done:
        limit = answer_limit(loaded, [one.completion for one in train])
        place = dict(drawn.sample.select("call_id", "later_position").iter_rows())
        asked.sort(key=lambda one: place[one.call_id])
        texts = _asked_by_looks(done.loaded, asked, limit, began + seconds, _part(progress, _TRAIN_SHARE, 1))
        said = _said(slm, done)
    prompt_of = {call_id: prompt for prompt, call_id in drawn.calls.items()}
    given: dict[str, Answer | None] = {
        prompt_of[call_id]: dataset.read(call_id, text) for call_id, text in texts.items()
    }
    return TunedAnswers(slm, given, said)


def _asked_by_looks(
    model: Loaded, asked: list[Example], limit: int, until: float, progress: Share | None
) -> dict[str, str]:
    """Ask up to the first look of a pilot whatever the time says, and up to each further one that still fits in it.

    :param asked: In the order of the sample.
    """
    from slmlens.specialists.generate import generate

    texts: dict[str, str] = {}
    for look in (one for one in LOOKS if one <= len(asked)):
        part, began = asked[len(texts) : look], time.monotonic()
        came = generate(model, [one.messages for one in part], most_new=limit)
        texts |= {one.call_id: text for one, text in zip(part, came.texts, strict=True)}
        if progress is not None:
            progress(len(texts) / len(asked))
        if time.monotonic() + (time.monotonic() - began) > until:
            break
    return texts


def _dataset(drawn: Drawn) -> Dataset:
    """Return the task's dataset with the calls to ask on its test side, and nothing like them on the others."""
    from slmlens.specialists.records import dataset_of
    from slmlens.specialists.split import LEFT_OUT, TEST
    from slmlens.suitability.splits import earlier_units

    settings = AssessSettings()
    later = drawn.sample.drop_nulls("later_position").sort("later_position").get_column("call_id").to_list()
    look = max((one for one in LOOKS if one <= min(len(later), MOST_CALLS)), default=None)
    if look is None:
        raise SettingError(
            f"only {len(later)} later sessions could test a model that is tuned on the earlier ones; the first look is "
            f"at {LOOKS[0]}",
            where=drawn.task_id,
            next_step="take a longer log, or pilot the model as it is",
        )
    asked = later[:look]
    dataset = dataset_of(drawn.tasks, drawn.task_id, settings=settings, also=asked)
    observed = drawn.observed
    early = earlier_units(observed.units, settings.train_share)
    earlier = [call_id for call_id, is_early in zip(observed.call_ids, early, strict=True) if is_early]
    is_asked = pl.col("call_id").is_in(asked)
    like = dataset.frame.filter(is_asked)
    tainted = pl.col("unit").is_in(like.get_column("unit").unique().implode()) | pl.col("leak_group").is_in(
        like.get_column("leak_group").unique().implode()
    )
    side = (
        pl.when(is_asked)
        .then(pl.lit(TEST))
        .when(tainted | ~pl.col("call_id").is_in(earlier) | (pl.col("side") == TEST))
        .then(pl.lit(LEFT_OUT))
        .otherwise("side")
    )
    return replace(dataset, frame=dataset.frame.with_columns(side=side))


def _need_enough(dataset: Dataset, task_id: str) -> None:
    from slmlens.specialists.split import TRAIN

    train = dataset.rows_on(TRAIN).height
    if train < LEAST_TRAIN:
        raise SettingError(
            f"only {train} earlier calls are unlike those to be graded, and tuning takes {LEAST_TRAIN}",
            where=task_id,
            next_step="take a longer log, or pilot the model as it is",
        )


def _examples(
    dataset: Dataset, settings: ProbeSettings, chars: float
) -> tuple[list[Example], list[Example], list[Example]]:
    from slmlens.specialists.forms import examples
    from slmlens.specialists.split import TEST, TRAIN, VALIDATION

    sizes = {TRAIN: settings.most_train, VALIDATION: settings.most_checked, TEST: None}
    train, validation, asked = (
        examples(dataset, side, most=most, tokens=settings.prompt_tokens, chars_per_token=chars)
        for side, most in sizes.items()
    )
    return train, validation, asked


def _part(progress: Share | None, start: float, end: float) -> Share | None:
    return None if progress is None else lambda share: progress(start + share * (end - start))


def _said(slm: str, done: Tuned) -> str:
    return (
        f"{slm} was tuned on {done.examples:,} earlier calls in {done.seconds:,.0f} s (LoRA, {done.steps:,} steps) and "
        "asked with what varies in the prompt."
    )
