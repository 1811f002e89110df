"""Write the sample: two exports of an invented shop's agents, what is true of them, and how they were sampled."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from slmlens.sample.calls import STEPS, SUPPORT, Call, with_failures
from slmlens.sample.exports import assistant_record, gateway_record
from slmlens.sample.ops import EDITED_ON_DAY, draw_ops
from slmlens.sample.shop import load_shop
from slmlens.sample.support import draw_support

START = dt.datetime(2026, 10, 12, tzinfo=dt.UTC)
"""A Monday."""
DAYS = 35
SAMPLING_RATE = 0.01
SEED = 7
CALLS = 6_000

LOGS = "logs"
_FILES = {SUPPORT: "support-desk.jsonl.gz", "ops-assistant": "ops-assistant.jsonl.gz"}
_SHARES = {
    "cases": 0.103, "reviews": 0.075, "faq_answer": 0.07, "normalise_manifest_line": 0.075, "sql_analyst": 0.035,
    "plan_replenishment": 0.015, "tag_catalogue": 0.04,
}  # fmt: skip
"""How many of each are drawn for one call of the sample; a case makes several calls."""


@dataclass(frozen=True)
class SampleTruth:
    """What is true of a written sample.

    :param logs: The folder that holds the two exports and nothing else.
    :param sampling_rate: Share of the traffic that the sample claims to be.
    :param calls: How many records were written, failed ones included.
    :param tasks: Planted task -> ``n_calls``, ``kind``, ``learnable``, ``expected`` and more.
    :param planted: (kind, value) of every personal value and secret in the texts, each once.
    """

    logs: Path
    sampling_rate: float
    calls: int
    tasks: Mapping[str, Mapping[str, Any]]
    planted: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Line:
    """A call as an export line."""

    call: Call
    record: dict[str, Any]

    @property
    def file(self) -> str:
        return _FILES[self.call.step.service]

    @property
    def call_id(self) -> str:
        body = self.record.get("response") or self.record.get("resp") or {}
        return str(body.get("id", ""))


def write_sample(out: Path, *, seed: int = SEED, calls: int = CALLS) -> SampleTruth:
    """Write a sample and its truth into a folder.

    :param out: The folder; made if missing. Files of an earlier sample are replaced.
    :param seed: The same seed and size give the same bytes before compression.
    :param calls: About how many calls to draw.
    """
    lines = _lines(seed, calls)
    (out / LOGS).mkdir(parents=True, exist_ok=True)
    for name in _FILES.values():
        write_gzip(
            out / LOGS / name, (json.dumps(line.record, ensure_ascii=False) for line in lines if line.file == name)
        )
    tasks = _tasks(lines)
    planted = tuple(sorted({pair for line in lines for pair in line.call.planted}))
    _write_text(out / "truth.csv", _truth_rows(lines))
    _write_text(out / "truth.json", _as_json(_truth(seed, lines, tasks, planted)))
    _write_text(out / "sample.json", _as_json({"sampling_rate": SAMPLING_RATE, "logs": LOGS}))
    return SampleTruth(out / LOGS, SAMPLING_RATE, len(lines), tasks, planted)


def _lines(seed: int, calls: int) -> list[_Line]:
    """Return the lines of both exports in the order of their files: by day and step, as gateways flush them."""
    shop, rng = load_shop(), random_of(seed, "exports")
    return [
        _Line(call, gateway_record(shop, rng, call) if call.step.service == SUPPORT else assistant_record(rng, call))
        for call in drawn_calls(seed, calls)
    ]


def drawn_calls(seed: int, calls: int) -> list[Call]:
    """Return the calls of the sample in the order of its files.

    :param seed: Seed of the sample.
    :param calls: About how many calls to draw.
    """
    shop = load_shop()
    sizes = {name: max(1, round(share * calls)) for name, share in _SHARES.items()}
    support = draw_support(shop, random_of(seed, "support"), START, DAYS, sizes["cases"], sizes["reviews"])
    ops = draw_ops(shop, random_of(seed, "ops"), START, DAYS, sizes)
    failing = with_failures(random_of(seed, "failures"), [*support, *ops])
    kept = [call for call in failing if START <= call.at < START + dt.timedelta(days=DAYS)]
    return sorted(kept, key=lambda call: (call.step.service, call.at.date(), call.task, call.at, call.session))


def random_of(seed: int, part: str) -> Random:
    """Return the random numbers of one part of the sample."""
    return Random(f"{seed}/{part}")  # noqa: S311 a sample, not a secret


def _tasks(lines: Sequence[_Line]) -> dict[str, dict[str, Any]]:
    counts = Counter(line.call.task for line in lines)
    failed = Counter((line.call.task, line.call.outcome) for line in lines if line.call.outcome != "ok")
    return {
        name: {
            "service": step.service, "model": step.served, "provider": step.provider, "n_calls": counts[name],
            "n_sessions": len({line.call.session for line in lines if line.call.task == name}),
            "kind": step.kind, "learnable": step.learnable, "expected": step.expected,
            "failures": {outcome: n for (task, outcome), n in sorted(failed.items()) if task == name},
        }
        for name, step in STEPS.items()
    }  # fmt: skip


def _truth(
    seed: int, lines: Sequence[_Line], tasks: Mapping[str, Mapping[str, Any]], planted: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    last = START + dt.timedelta(days=DAYS - 1)
    return {
        "about": "What is true of the sample log. Synthetic; made by python -m slmlens.sample.",
        "seed": seed,
        "calls": len(lines),
        "window": [START.date().isoformat(), last.date().isoformat()],
        "sampling_rate": SAMPLING_RATE,
        "edited": {"task": "sql_analyst", "on": (START + dt.timedelta(days=EDITED_ON_DAY)).date().isoformat()},
        "tasks": tasks,
        "planted": [list(pair) for pair in planted],
    }


def _truth_rows(lines: Sequence[_Line]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("file", "line", "call_id", "task", "outcome"))
    seen: Counter[str] = Counter()
    for line in lines:
        seen[line.file] += 1
        writer.writerow((line.file, seen[line.file], line.call_id, line.call.task, line.call.outcome))
    return table.getvalue()


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def write_gzip(path: Path, lines: Iterable[str]) -> None:
    """Write lines as gzip, the same bytes for the same lines."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=9, mtime=0) as file:
        file.writelines(f"{line}\n".encode() for line in lines)
