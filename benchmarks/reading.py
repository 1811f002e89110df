"""Measure reading: MB/s with and without redaction, beside the floor of a bare orjson pass over the same text.

    python -m benchmarks.reading LOG [LOG ...] [--repeat 3]     logs at hand
    python -m benchmarks.reading --formats [--mb 4]             a log of each format, slowest first

Figures are CPU time on one core, the least of the repeats; MB are of the decompressed text. A log of a format is made
of the records that the tests fuzz it with, over and over, each time with other ids, and texts a kilobyte longer. Prints
one markdown table.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from slmlens.curation.redact import KeepText, Redaction, new_key
from slmlens.errors import SlmlensError
from slmlens.logs.read import read_calls

MB = 1_000_000
ID = re.compile(r"(^|_)(id|uuid)$|Id$|Uuid$|^uuid$")
HEX = re.compile(r"[0-9a-f]{16,}")
WORDS = ["parcel", "order", "late", "refund", "street", "was", "sent", "back", "to", "the"]
POOL = " ".join(random.Random(7).choices(WORDS, k=20_000))
TEXTS = frozenset({"content", "text", "output_text", "value", "input", "output"})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("logs", type=Path, nargs="*")
    parser.add_argument("--formats", action="store_true")
    parser.add_argument("--mb", type=float, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    print("| log | MB | calls | orjson alone, MB/s | read, MB/s (times orjson) | redacted too | read, ms a call |")
    print("|---|---|---|---|---|---|---|")
    for path in asked.logs:
        print(row(path.name, path, asked.repeat)[1], flush=True)
    if asked.formats:
        print("\n".join(text for _, text in sorted(rows_of_formats(asked.mb, asked.repeat), reverse=True)))


def row(name: str, path: Path, repeat: int) -> tuple[float, str]:
    """Return how many times longer than orjson reading takes, and the row that says so."""
    text = decompressed(path)
    size = len(text) / MB
    redaction = Redaction(new_key())
    calls = read_calls([path], redactor=redaction).calls.height
    floor = least(lambda: parse(text), repeat)
    plain = least(lambda: read_calls([path], redactor=KeepText(redaction)), repeat)
    full = least(lambda: read_calls([path], redactor=redaction), repeat)
    figures = [f"{size / seconds:.1f} ({seconds / floor:.1f}x)" for seconds in (plain, full)]
    figures.append(f"{plain / calls * 1000:.2f}")
    return plain / floor, f"| {name} | {size:.1f} | {calls:,} | {size / floor:.0f} | {' | '.join(figures)} |"


def rows_of_formats(mb: float, repeat: int) -> list[tuple[float, str]]:
    from tests.logs.seeds import SEEDS

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, seeds in SEEDS.items():
            path = Path(folder) / f"{name}.jsonl"
            path.write_bytes(grown(seeds, int(mb * MB)))
            try:
                rows.append(row(name, path, repeat))
            except SlmlensError as cause:
                print(f"{name}: {cause}", file=sys.stderr)
    return rows


def grown(seeds: list[object], size: int) -> bytes:
    """Return JSON lines of so many bytes."""
    lines: list[bytes] = []
    written = number = 0
    while written < size:
        for one in seeds:
            lines.append(orjson.dumps(varied(one, number)))
            written += len(lines[-1]) + 1
        number += 1
    return b"\n".join(lines)


def varied(value: object, number: int, key: str = "") -> object:
    """Return a record with other ids and texts; the same number gives ids that agree with one another."""
    if isinstance(value, dict):
        return {inner: varied(one, number, inner) for inner, one in value.items()}
    if isinstance(value, list):
        return [varied(one, number, key) for one in value]
    if isinstance(value, str) and ID.search(key):
        return f"{value[:-8]}{number:08x}" if HEX.fullmatch(value) else f"{value}-{number}"
    if isinstance(value, str) and key in TEXTS and value[:1] not in "{[":
        start = number * 7919 % (len(POOL) - 1000)
        return f"{value} {number} {POOL[start : start + 1000]}"
    return value


def decompressed(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def parse(text: bytes) -> None:
    for line in text.splitlines():
        if line.strip():
            orjson.loads(line)


def least(work: Callable[[], object], repeat: int) -> float:
    taken = []
    for _ in range(repeat):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


if __name__ == "__main__":
    main()
