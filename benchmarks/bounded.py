"""Measure how much memory a log of any size takes: peak RSS and CPU seconds of reading one large generated log.

    python -m benchmarks.bounded [--gb 2] [--kb 20] [--distinct 0.05] [--kinds jsonl ...] [--in FOLDER]

Each log is written, read in a process of its own without redaction (which holds nothing more), and removed. A call has
a prompt of so many kilobytes, which is a new one in so large a share of calls. "beyond distinct text" is the peak, less
the process before it reads and less the bytes of distinct messages. Prints one markdown table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson

KINDS = ("jsonl", "jsonl.gz", "json", "csv", "parquet")
MB = 1 << 20
WORDS = [f"{stem}{end}" for stem in ("parcel", "order", "late", "refund", "street", "call") for end in "abcdefghij"]
READ = """
import re, sys, time
from pathlib import Path
from slmlens.curation.redact import KeepText, Redaction, new_key
from slmlens.logs.read import read_calls
def memory(field):
    return int(re.search(field + r":\\s+([0-9]+)", Path("/proc/self/status").read_text()).group(1)) // 1024
redactor, before = KeepText(Redaction(new_key())), memory("VmRSS")
started = time.process_time()
calls = read_calls([sys.argv[1]], redactor=redactor, processes=1)
spent = time.process_time() - started
text = calls.messages["text"].str.len_bytes().sum() >> 20
print(calls.calls.height, calls.rejects.height, text, before, memory("VmHWM"), round(spent, 1))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--kb", type=float, default=20.0)
    parser.add_argument("--distinct", type=float, default=0.05)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--in", dest="folder", type=Path, default=Path(tempfile.gettempdir()))
    asked = parser.parse_args()
    print("| log | MB on disk | calls | rejects | distinct text, MB | peak RSS, MB | beyond distinct text, kB a call |"
          " CPU s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for kind in asked.kinds:
        print(row(kind, asked), flush=True)


def row(kind: str, asked: argparse.Namespace) -> str:
    path = asked.folder / f"bounded.{kind}"
    try:
        write(path, kind, records(int(asked.gb * 1e9), asked.kb, asked.distinct))
        size = path.stat().st_size // MB
        done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    finally:
        path.unlink(missing_ok=True)
    calls, rejects, text, before, peak, spent = map(float, done.stdout.split())
    beyond = (peak - before - text) * 1024 / calls
    figures = [f"{size:,}", f"{calls:,.0f}", f"{rejects:.0f}", f"{text:,.0f}", f"{peak:,.0f}", f"{beyond:.1f}"]
    return f"| {kind} | {' | '.join(figures)} | {spent} |"


def records(size: int, kb: float, distinct: float) -> Iterator[dict[str, object]]:
    """Yield calls of about so many bytes; of their prompts, a share is new and the others were seen before."""
    draw = random.Random(7)
    pool = " ".join(draw.choices(WORDS, k=200_000))
    length = int(kb * 1024)
    seen: list[int] = []
    written = number = 0
    while written < size:
        if not seen or draw.random() < distinct:
            seen.append(number)
        seed = draw.choice(seen)
        start = seed * 7919 % (len(pool) - length)
        prompt = f"{pool[start : start + length]} {seed}"
        record = call(number, prompt)
        written += len(prompt) + 600
        number += 1
        yield record


def call(number: int, prompt: str) -> dict[str, object]:
    messages = [{"role": "system", "content": "You are a courier."}, {"role": "user", "content": prompt}]
    answer = {"role": "assistant", "content": f'Parcel {number} is "late",\nas {number % 7} others are.'}
    response = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_780_000_000 + number,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3000, "completion_tokens": 12, "total_tokens": 3012},
    }
    return {
        "session_id": f"session-{number // 9}",
        "request": {"model": "gpt-4o", "messages": messages},
        "response": response,
    }


def write(path: Path, kind: str, calls: Iterator[dict[str, object]]) -> None:
    if kind == "parquet":
        write_parquet(path, calls)
        return
    with gzip.open(path, "wb", 1) if kind.endswith("gz") else path.open("wb") as stream:
        if kind == "csv":
            stream.write(b"session_id,request,response\n")
        for number, one in enumerate(calls):
            if kind == "csv":
                cells = (str(one["session_id"]), json.dumps(one["request"]), json.dumps(one["response"]))
                quoted = ['"{}"'.format(cell.replace('"', '""')) for cell in cells]
                stream.write((",".join(quoted) + "\n").encode())
            elif kind == "json":
                stream.write((b"[" if number == 0 else b",") + orjson.dumps(one))
            else:
                stream.write(orjson.dumps(one) + b"\n")
        if kind == "json":
            stream.write(b"]")


def write_parquet(path: Path, calls: Iterator[dict[str, object]]) -> None:
    """Write row groups of 5,000 calls, uncompressed: words drawn from a few would shrink to nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in ("session_id", "request", "response")])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        while batch := [
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in one.items()}
            for one in islice(calls, 5000)
        ]:
            writer.write_table(pa.Table.from_pylist(batch, schema))


if __name__ == "__main__":
    main()
