"""slmlens pilot --tune-locally on a run: tuned on earlier sessions, graded on later ones, and the verdict moves."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

pytestmark = [pytest.mark.models, pytest.mark.slow]
pytest.importorskip("trl")

import slmlens as sl  # noqa: E402
from slmlens.cli import app  # noqa: E402
from slmlens.forgetting import forget  # noqa: E402
from slmlens.pilots.pilot import existing_run  # noqa: E402
from tests.tasks.world import answer, log, pair  # noqa: E402

SYSTEM = "You are the stock agent of a shop. Answer with the room that the thing belongs to, as JSON and nothing else."
ROOMS = {"kitchen": ("oven", "kettle"), "garden": ("hose", "fence"), "office": ("desk", "printer")}
WORDS = [f"{a}{b}" for a in ("blu", "gre", "tal", "sol", "mir", "cop") for b in ("ish", "ant", "ory", "ent", "ide")]


def source(folder: Path) -> Path:
    rng = random.Random(3)
    rows = []
    for i in range(240):
        room = rng.choice(sorted(ROOMS))
        words = [*rng.sample(WORDS, 4), rng.choice(ROOMS[room])]
        rng.shuffle(words)
        day, hour = divmod(i, 9)
        when = f"2026-10-{day + 1:02d}T{hour + 8:02d}:00:00Z"
        row = pair(i, SYSTEM, " ".join(words), f"s{i}", timestamp=when)
        answer(row, json.dumps({"room": room}))
        rows.append(row)
    return log(folder, rows)


def test_a_model_tuned_here_is_graded_on_later_sessions_and_forgotten_with_the_texts(tmp_path: Path) -> None:
    run = sl.analyse(source(tmp_path), out=tmp_path / "run").folder
    task = pl.read_parquet(run / "tasks.parquet").item(0, "task_id")
    before = pl.read_parquet(run / "verdicts.parquet")

    done = CliRunner().invoke(app, ["pilot", str(run), "--task", task, "--tune-locally", "--seconds", "12"])

    assert done.exit_code == 0, done.output
    assert "SmolLM2-135M-Instruct was tuned on" in done.output
    grades = pl.read_parquet(run / "pilots" / task / "grades.parquet")
    assert grades.select("slm", "mode").unique().rows() == [("SmolLM2-135M-Instruct", "tuned")]
    assert grades.height in {30, 60}
    sample = pl.read_parquet(run / "pilots" / task / "sample.parquet")
    assert grades.join(sample, on="call_id").get_column("later_position").sort().to_list() == list(
        range(1, grades.height + 1)
    )
    evidence = pl.read_parquet(run / "evidence.parquet").filter(pl.col("source") == "pilot")
    assert evidence.select("mode", "n").rows() == [("tuned", grades.height)]
    assert not pl.read_parquet(run / "verdicts.parquet").equals(before)
    (adapter,) = (run / "specialists").rglob("adapter_model.safetensors")
    assert adapter.parent.name == "SmolLM2-135M-Instruct.pilot"

    forget(existing_run(run), texts=True)
    assert not list((run / "specialists").rglob("*.safetensors"))
