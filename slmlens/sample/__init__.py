"""The sample log: an invented shop's agents over five weeks, written from a seed, with its truth beside it.

``python -m slmlens.sample`` writes ``data/``. Nothing in it is from a real log; personal data are published test values
and reserved numbers and domains.
"""

from slmlens.sample.choose import logs_or_sample
from slmlens.sample.second import STAND_IN, recorded_or_sample
from slmlens.sample.write import DAYS, LOGS, START, SampleTruth, write_sample

__all__ = ["DAYS", "LOGS", "STAND_IN", "START", "SampleTruth", "logs_or_sample", "recorded_or_sample", "write_sample"]
