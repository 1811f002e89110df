"""Every distinct string of the real logs beside the checkout, whatever their format."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import orjson

from slmlens.curation.detect import find_values

CONTEXT = 20


class Hit(NamedTuple):
    kind: str
    digest: str  # of the value and what stands around it: no text of the logs enters the project


def real_texts(shared: Path) -> list[str]:
    files = [*sorted((shared / "logs").rglob("*")), shared / "bench" / "agents_mixed.jsonl.gz"]
    documents = (document for file in files if file.is_file() for document in _documents(file.name, file.read_bytes()))
    return list(dict.fromkeys(text for document in documents for text in strings(document)))


def is_message(text: str) -> bool:
    """Words, not an id or a name: the denominator."""
    return " " in text or "\n" in text


def hits(texts: list[str]) -> list[tuple[Hit, str]]:
    """Every hit, with what it looks like: the value in its surroundings, to be labelled by eye."""
    found = []
    for text in texts:
        for span in find_values(text):
            around = text[max(0, span.start - CONTEXT) : span.end + CONTEXT]
            digest = blake2b(f"{span.value}\0{around}".encode("utf-8", "replace"), digest_size=10).hexdigest()
            found.append((Hit(span.kind, digest), around))
    return found


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def _documents(name: str, data: bytes) -> Iterator[object]:
    if name.endswith(".gz"):
        yield from _documents(name[:-3], gzip.decompress(data))
    elif name.endswith(".eval"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from _documents(member, archive.read(member))
    elif name.endswith(".jsonl"):
        yield from (orjson.loads(line) for line in data.splitlines() if line.strip())
    elif name.endswith(".csv"):
        csv.field_size_limit(1 << 30)
        yield from csv.reader(io.StringIO(data.decode()))
    elif name.endswith((".json", ".traj")):
        yield orjson.loads(data)
