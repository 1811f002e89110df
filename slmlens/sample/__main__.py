"""Write the sample of the repository into ``data/``."""

from pathlib import Path

from slmlens.sample import LOGS, write_sample

if __name__ == "__main__":
    truth = write_sample(Path("data"))
    print(f"{truth.calls:,} calls in data/{LOGS}")  # noqa: T201 the only output of a script
