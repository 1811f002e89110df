"""A real small model of 135 million parameters, tuned on this machine: a miniature of what a probe does."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.models
pytest.importorskip("torch")
pytest.importorskip("trl")

from slmlens.specialists.base_models import Loaded, base_model, load_base  # noqa: E402
from slmlens.specialists.chat import end_of_turn, example_tokens, prompt_tokens  # noqa: E402
from slmlens.specialists.forms import Example  # noqa: E402
from slmlens.specialists.generate import Generated, answer_limit, generate  # noqa: E402
from slmlens.specialists.lora import ADAPTER, CHECKPOINTS, DONE, SCHEDULE, Tuned, tuned  # noqa: E402
from slmlens.specialists.sft import Recipe  # noqa: E402

ROOMS = {"kitchen": ("oven", "kettle"), "garden": ("hose", "fence"), "office": ("desk", "printer")}
HOURS = 24 * 3600.0


def orders(n: int, seed: int) -> list[Example]:
    """Short orders whose room is told by the thing that is ordered."""
    rng = random.Random(seed)
    found = []
    for i in range(n):
        room = rng.choice(sorted(ROOMS))
        text = f"{rng.choice(['new', 'old', 'small', 'red'])} {rng.choice(ROOMS[room])} {rng.randrange(100)}"
        messages = ({"role": "system", "content": "Do the task."}, {"role": "user", "content": text})
        found.append(Example(f"c{seed}-{i}", messages, room))
    return found


TRAIN, LATER = orders(48, 1), orders(15, 2)


@pytest.fixture(scope="module")
def model() -> Loaded:
    return load_base(base_model())


def answers(model: Loaded, asked: list[Example]) -> Generated:
    return generate(model, [one.messages for one in asked], most_new=answer_limit(model, [e.completion for e in TRAIN]))


def right(given: Generated, asked: list[Example]) -> int:
    return sum(text == one.completion for text, one in zip(given.texts, asked, strict=True))


@dataclass(frozen=True)
class Miniature:
    """Answers before, inside and after the tuning, what tuning told, and the folder of the adapter."""

    before: Generated
    inside: Generated
    after: Generated
    done: Tuned
    folder: Path


RECIPE = Recipe(epochs=3, checks=2, seconds=HOURS)


@pytest.fixture(scope="module")
def made(model: Loaded, tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    folder = tmp_path_factory.mktemp("adapter")
    before = answers(model, LATER)
    with tuned(model, TRAIN, orders(6, 3), recipe=RECIPE, folder=folder) as done:
        inside = answers(done.loaded, LATER)
    return Miniature(before, inside, answers(model, LATER[:4]), done, folder)


def test_a_model_learns_the_tasks_answers_where_it_wrote_prose(made: Miniature) -> None:
    assert right(made.before, LATER) == 0
    assert set(made.inside.texts) <= set(ROOMS)
    assert right(made.inside, LATER) >= 12, made.inside.texts
    assert made.inside.unfinished == 0 < made.before.unfinished
    done = made.done
    assert done.losses[-1][1] < done.losses[0][1]
    assert (done.steps, done.examples, done.left_out, done.stopped) == (18, 48, 0, "epochs")


def test_after_it_the_model_is_the_base_again(made: Miniature) -> None:
    assert made.after.texts == made.before.texts[:4]


def test_an_adapter_holds_weights_and_nothing_of_the_log_or_the_machine(made: Miniature) -> None:
    assert {path.name for path in made.folder.iterdir()} == {*ADAPTER, DONE}
    words = (made.folder / ADAPTER[0]).read_text() + (made.folder / DONE).read_text()
    assert json.loads((made.folder / ADAPTER[0]).read_text())["base_model_name_or_path"] == "SmolLM2-135M-Instruct"
    assert not any(word in words for word in ("/", "kettle", "garden"))


def test_a_finished_run_is_not_trained_again(model: Loaded, made: Miniature) -> None:
    steps: list[float] = []
    with tuned(model, TRAIN, orders(6, 3), recipe=RECIPE, folder=made.folder, progress=steps.append) as again:
        assert answers(again.loaded, LATER[:4]).texts == made.inside.texts[:4]
        assert (again.steps, again.losses, steps) == (made.done.steps, made.done.losses, [])


CHILD = """
import sys
from pathlib import Path
from slmlens.specialists.base_models import base_model, load_base
from slmlens.specialists.lora import tuned
from slmlens.specialists.sft import Recipe
from tests.specialists.test_lora_models import HOURS, orders
with tuned(load_base(base_model()), orders(16, 4), [], recipe=Recipe(epochs=2, checks=8, batch=2, seconds=HOURS),
           folder=Path(sys.argv[1])):
    pass
"""


def test_a_killed_run_goes_on_at_its_last_checkpoint(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], env={**os.environ, "HF_HUB_OFFLINE": "1"})
    while not (kept := list((tmp_path / CHECKPOINTS).glob("checkpoint-*/trainer_state.json"))):
        assert child.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    reached = max(json.loads(path.read_text())["global_step"] for path in kept)
    steps: list[float] = []
    recipe = Recipe(epochs=2, checks=8, batch=2, seconds=HOURS)
    with tuned(
        load_base(base_model()), orders(16, 4), [], recipe=recipe, folder=tmp_path, progress=steps.append
    ) as done:
        assert done.steps == 16
        assert steps[0] > reached / 16 - 1e-9
        assert not (tmp_path / CHECKPOINTS).exists()
        assert not (tmp_path / SCHEDULE).exists()


def test_other_examples_do_not_go_on_from_a_checkpoint_of_these(model: Loaded) -> None:
    from slmlens.specialists.lora import _mark

    recipe = Recipe()
    one = [example_tokens(model, e.messages, e.completion) for e in orders(4, 5)]
    other = [example_tokens(model, e.messages, e.completion) for e in orders(4, 6)]
    assert _mark(model, recipe, one, []) == _mark(model, recipe, list(one), [])
    assert len({_mark(model, recipe, one, []), _mark(model, recipe, other, []), _mark(model, recipe, one, other)}) == 3


def test_a_completion_ends_with_the_token_that_ends_a_turn(model: Loaded) -> None:
    tokens = example_tokens(model, TRAIN[0].messages, TRAIN[0].completion)
    assert tokens.completion[-1] == end_of_turn(model.tokenizer)
    assert model.tokenizer.decode(tokens.completion) == f"{TRAIN[0].completion}<|im_end|>"
    assert tokens.prompt == prompt_tokens(model, TRAIN[0].messages)


def test_a_prompt_longer_than_the_window_loses_its_middle_and_is_counted(model: Loaded) -> None:
    long = Example("c", ({"role": "user", "content": "word " * 9_000},), "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loaded, "window", 96)
        assert generate(model, [long.messages], most_new=4).cut == 1


def test_a_run_keeps_to_its_seconds(model: Loaded) -> None:
    began = time.monotonic()
    with tuned(model, orders(40, 7), [], recipe=Recipe(epochs=50, seconds=1.0)) as done:
        assert done.steps < 50 * 40 // 8
        assert done.stopped == "time"
    assert time.monotonic() - began < 120
