"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine may stall any single example; CI draws the same examples every time.
settings.register_profile("default", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("default")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real logs beside the checkout; users don't have it."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real logs beside the checkout is absent")
    return SHARED


@pytest.fixture(scope="session")
def traps(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small generated logs with known truth (truth.json), seed 7."""
    import subprocess
    import sys

    out = tmp_path_factory.mktemp("traps")
    subprocess.run([sys.executable, str(shared / "bench" / "make_traps.py"), str(out), "--five", "2000"], check=True)
    return out
