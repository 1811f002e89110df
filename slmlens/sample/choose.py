"""The logs that a notebook looks at: those that a person named, else the sample."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from slmlens.sample.write import write_sample

Paths = str | Path | Sequence[str | Path]


def logs_or_sample(logs: Paths | None, sampling_rate: float | None = None) -> tuple[Paths, float]:
    """Return logs and the share of the traffic that they hold.

    :param logs: Files or folders; None writes the sample into a folder for temporary files and takes that.
    :param sampling_rate: Share of the traffic that the logs hold; None: all of it, and of the sample what it says.
    """
    if logs is not None:
        return logs, sampling_rate or 1.0
    sample = write_sample(Path(tempfile.mkdtemp(prefix="slmlens-")) / "sample")
    return sample.logs, sampling_rate or sample.sampling_rate
