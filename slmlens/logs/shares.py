"""A large log is read in shares, one for each processor, and what the others have read is joined with one's own."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from slmlens.errors import SlmlensError
from slmlens.logs.formats import FORMATS
from slmlens.logs.normalise import Normaliser
from slmlens.logs.reading import Part, Reading, Share, no_cycle_collection
from slmlens.logs.redactor import Redactor
from slmlens.logs.sources import Source

SHARED_FROM = 64 << 20
"""Bytes of records from which another process repays its start, about a second."""
MOST_SHARES = 4
"""Each share unpacks and parses the whole file, a tenth of the work of reading it, and keeps messages of its own."""
DEALT_FROM = 4 << 20
"""Bytes of a file whose lines are dealt out; smaller ones are the first share's."""
BLOCK = 512
"""Lines that go to one share: a session is mostly in one, so that few messages are redacted twice."""

_PACKED = (".gz", ".zst")
_PACKED_BY = 10  # times that logs of calls, which repeat their prompts, are smaller when they are packed
_DOCUMENTS = (".json", ".yaml", ".yml", ".eval")  # held in memory as a whole, so by one process


@dataclass(frozen=True)
class Order:
    """What another process needs to read its share: the input and the settings, no handle and nothing read."""

    sources: tuple[Source, ...]
    redactor: Redactor
    keep_text: bool
    form: str | None
    share: Share

    def reading(self) -> Reading:
        """Return a reading of the share, not begun."""
        chosen = next((form for form in FORMATS if form.name == self.form), None)
        normaliser = Normaliser(self.redactor, keep_text=self.keep_text)
        return Reading(list(self.sources), normaliser, FORMATS, chosen, strict=False, progress=None, share=self.share)


def shares_of(sources: Sequence[Source], processes: int | None = None) -> list[Share]:
    """Return the shares in which to read an input: one, unless it is large and there are several processors.

    :param processes: Most shares; None: as many as there are processors, four at most.
    """
    sizes = {number: size for number, source in enumerate(sources) if (size := _records(source)) >= DEALT_FROM}
    many = min(sum(sizes.values()) // (SHARED_FROM // 2), _processors() if processes is None else processes)
    return [Share(number, many, frozenset(sizes), BLOCK) for number in range(many)] if many > 1 else [Share()]


def read_shares(reading: Reading, others: Sequence[Order]) -> None:
    """Read one's own share while other processes read theirs, and join them.

    Where no other process can be started, or one is killed, their shares are read here too.

    :param reading: One's own share, not begun.
    :param others: The other shares.
    """
    found: list[Part] = []
    beside = Thread(target=lambda: found.extend(_in_processes(others)), daemon=True)
    if others:
        beside.start()
    with no_cycle_collection():
        reading.read()
        if others:
            beside.join()
        for part in found or map(read_share, others):
            reading.join(part)


def read_share(order: Order) -> Part:
    """Read one share, in whichever process this is."""
    reading = order.reading()
    with no_cycle_collection():
        reading.read()
        return reading.part()


def _in_processes(orders: Sequence[Order]) -> list[Part]:
    """Return the parts, or none where the processes broke; what is wrong with the input is found here, too."""
    from joblib import Parallel, delayed

    try:
        return list(Parallel(n_jobs=len(orders) + 1)(delayed(read_share)(order) for order in orders))
    except (BrokenExecutor, OSError, MemoryError, SlmlensError):
        return []


def _records(source: Source) -> int:
    """Return the bytes of a file's records, roughly; 0 where they can't be dealt out."""
    if not isinstance(source.path, Path) or source.refused is not None or source.name.lower().endswith(_DOCUMENTS):
        return 0
    return source.size * (_PACKED_BY if source.name.lower().endswith(_PACKED) else 1)


def _processors() -> int:
    from joblib import cpu_count

    processors: int = cpu_count()
    return min(processors, MOST_SHARES)
