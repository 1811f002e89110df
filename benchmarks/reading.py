"""Measure reading: MB/s with and without redaction, beside the floor of a bare orjson pass over the same file.

    python benchmarks/reading.py LOG [LOG ...] [--repeat 3]

Each figure is the fastest of the repeats, in one process and on one core; MB are of the decompressed text. Prints one
markdown table.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from slmlens.curation.redact import KeepText, Redaction, new_key
from slmlens.logs.read import read_calls

MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    print(
        "| log | MB | calls | orjson alone, MB/s | read, MB/s (times orjson) | read and redacted, MB/s (times orjson) |"
    )
    print("|---|---|---|---|---|---|")
    for path in asked.logs:
        print(row(path, asked.repeat), flush=True)


def row(path: Path, repeat: int) -> str:
    text = decompressed(path)
    size = len(text) / MB
    redaction = Redaction(new_key())
    calls = read_calls([path], redactor=redaction).calls.height
    floor = fastest(lambda: parse(text), repeat)
    plain = fastest(lambda: read_calls([path], redactor=KeepText(redaction)), repeat)
    full = fastest(lambda: read_calls([path], redactor=redaction), repeat)
    figures = [f"{size / seconds:.1f} ({seconds / floor:.1f}x)" for seconds in (plain, full)]
    return f"| {path.name} | {size:.1f} | {calls:,} | {size / floor:.0f} | {figures[0]} | {figures[1]} |"


def decompressed(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw


def parse(text: bytes) -> None:
    for line in text.splitlines():
        if line.strip():
            orjson.loads(line)


def fastest(work: Callable[[], object], repeat: int) -> float:
    taken = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    main()
