"""How a probe spends its seconds on answers: what the time broke off counts for nothing. No model is needed for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slmlens.specialists import slm_probe
from slmlens.specialists.forms import Example
from slmlens.specialists.generate import Generated

ASKED = [Example(f"c{i}", ({"role": "user", "content": "word " * 2_000},), "x") for i in range(6)]
SOON = 30.0


def answered(monkeypatch: pytest.MonkeyPatch, seconds: float, **how: Any) -> slm_probe._Answered:
    """Ask a model that takes so many seconds for a block, on a clock that only the model moves, and ``SOON`` in all."""
    clock = SimpleNamespace(now=0.0)

    def generate(_model: object, prompts: list[object], *, most_new: int, until: float | None) -> Generated:
        end = clock.now + seconds
        broken = until is not None and end > until
        clock.now = until + 0.5 if broken and until is not None else end
        n = len(prompts)
        return Generated(["x"] * n, 0, n if broken else 0, seconds, most_new)

    monkeypatch.setattr(slm_probe, "generate", generate)
    monkeypatch.setattr(slm_probe, "time", SimpleNamespace(monotonic=lambda: clock.now))
    bench = SimpleNamespace(limit=10, progress=lambda *_: None)
    return slm_probe._Bench._ask(bench, None, ASKED, SOON, "asking", **how)  # type: ignore[arg-type]


def test_blocks_are_asked_until_the_time_is_up_and_the_broken_one_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    found = answered(monkeypatch, 16)
    assert list(found.texts) == ["c0", "c1"]
    assert found.unfinished == 0
    assert list(answered(monkeypatch, 10).texts) == [one.call_id for one in ASKED]


def test_an_untuned_model_that_is_too_slow_is_not_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not answered(monkeypatch, 31).texts


def test_the_tuned_models_first_block_is_answered_whatever_the_time_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = answered(monkeypatch, 31, at_least_once=True)
    assert list(found.texts) == ["c0", "c1"]
    assert found.unfinished == 0


def test_a_block_that_can_only_be_broken_off_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(monkeypatch, 25).seconds == 25
