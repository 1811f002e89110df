"""A second log to the sample: an invented small model, asked the same prompts, answers nearly as the present models."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from slmlens.sample.calls import SUPPORT, Call
from slmlens.sample.choose import Paths
from slmlens.sample.exports import assistant_record, gateway_record
from slmlens.sample.shop import load_shop
from slmlens.sample.write import CALLS, SEED, drawn_calls, random_of, write_gzip

STAND_IN = "stand-in-8b"
"""The invented model. There is no such model; what it answers says nothing of any that there is."""
SLIPS = 0.02
"""Share of its answers that are those to another prompt of the same task."""
_FILE = "stand-in.jsonl.gz"


def write_second_log(folder: Path, *, slips: float = SLIPS, seed: int = SEED, calls: int = CALLS) -> Path:
    """Write a log of :data:`STAND_IN` on the prompts of the sample.

    :param folder: The folder; made if missing.
    :param slips: Share of the answers that are those to another prompt of the same task.
    :param seed: That of the sample; ``calls`` alike.
    :return: The file.
    """
    shop, rng = load_shop(), random_of(seed, "second")
    done = [call for call in drawn_calls(seed, calls) if call.outcome == "ok"]
    others: dict[str, list[Call]] = {}
    for call in done:
        others.setdefault(call.task, []).append(call)
    records = []
    for call in done:
        told = rng.choice(others[call.task]) if rng.random() < slips else call
        said = replace(call, answer=told.answer, tool=told.tool)
        make = gateway_record(shop, rng, said) if said.step.service == SUPPORT else assistant_record(rng, said)
        records.append(_renamed(make))
    folder.mkdir(parents=True, exist_ok=True)
    write_gzip(folder / _FILE, (json.dumps(record, ensure_ascii=False) for record in records))
    return folder / _FILE


def _renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    bodies = {key: record[key] | {"model": STAND_IN} for key in ("request", "response", "req", "resp") if key in record}
    return {**record, **bodies}


def recorded_or_sample(recorded: Paths | None, logs: Paths | None) -> Paths | None:
    """Return the log of a second model for a notebook.

    :param recorded: What a person named.
    :param logs: What the notebook looks at; None: the sample, for which the log of an invented model is written into a
        folder for temporary files.
    """
    if recorded is not None or logs is not None:
        return recorded
    return write_second_log(Path(tempfile.mkdtemp(prefix="slmlens-")) / "second")
