"""A pilot of a real small model behind a real server on this machine: the model agrees with itself."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import slmlens as sl
from slmlens.errors import MissingExtraError
from tests.pilots.test_pilot import task_of, verdict
from tests.tasks.world import answer, log, pair

pytestmark = [pytest.mark.models, pytest.mark.slow]

NAME = "SmolLM2-135M-Instruct"
TOKENS = 5
SESSIONS = 32
SYSTEM = "You are the agent of a shop. Answer the customer in one short friendly sentence, and nothing else please."
GOODS = ("a lamp", "a chair", "two books", "the blue kettle", "a pair of shoes", "some tea")
TROUBLES = ("is late", "is broken", "never came", "is the wrong colour", "costs too much")


@pytest.fixture(scope="module")
def folder() -> Path:
    """The model as a plain folder of transformers."""
    pytest.importorskip("torch")
    from slmlens.specialists.base_models import base_model

    try:
        return Path(base_model(NAME).place)
    except MissingExtraError as cause:
        pytest.skip(str(cause))


@pytest.fixture(scope="module")
def source(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose present model is the small one, asked in this process."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    rng = random.Random(5)
    rows = []
    for i in range(SESSIONS):
        user = f"Hello, {rng.choice(GOODS)} I ordered {rng.choice(TROUBLES)}, order {rng.randrange(10**4)}."
        row = pair(i, SYSTEM, user, f"s{i}", timestamp=f"2026-10-{i // 9 + 1:02d}T{i % 9 + 8:02d}:00:00Z")
        prompt = tokenizer.apply_chat_template(
            row["request"]["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        said = model.generate(**prompt, do_sample=False, max_new_tokens=TOKENS, pad_token_id=tokenizer.eos_token_id)
        answer(row, tokenizer.decode(said[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))
        rows.append(row)
    return log(tmp_path_factory.mktemp("log"), rows)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """``transformers serve`` on loopback, offline."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--device", "cpu"]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], env=settings)
    try:
        _wait(f"http://127.0.0.1:{port}/health", child)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.terminate()
        child.wait(30)


def _wait(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail("the server did not come up")


def test_a_real_model_at_an_endpoint_agrees_with_itself_and_is_named_without_its_path(
    folder: Path, source: Path, server: str, tmp_path: Path
) -> None:
    run = sl.analyse(source, out=tmp_path / "run").folder
    command = [sys.executable, "-m", "slmlens.cli", "pilot", str(run), "--task", task_of(run), "--endpoint", server]
    command += ["--model", str(folder), "--max-calls", "30", "--max-tokens", str(TOKENS), "--at-once", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "30 prompts, redacted as the run stores them" in done.stderr
    assert "At 30: 100.0% acceptable" in done.stdout
    assert verdict(run)["swap"]["slm"] == folder.name
    for path in run.rglob("*"):
        if path.is_file():
            assert str(folder.parent).encode() not in path.read_bytes()
