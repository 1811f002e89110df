"""What a card says of the small models to look at first."""

from __future__ import annotations

import pytest

from slmlens.reporting.picks import pick_lines


def task(ties):
    pick = {
        "kind": "safest", "mode": "tuned", "slm": "Qwen3-8B", "p_parity": 0.54, "a_lo90": 0.42, "a_hi90": 1.0,
        "value_usd": None, "ties": ties, "note": "highest chance of parity, grade D",
    }  # fmt: skip
    return {"action": "pilot-tune", "picks": [pick]}


@pytest.mark.parametrize(
    ("ties", "slm"), [(0, "Qwen3-8B"), (9, "Qwen3-8B"), (10, "none stands out"), (42, "none stands out")]
)
def test_no_model_is_put_forward_out_of_a_crowd_that_can_not_be_told_apart(ties, slm):
    (line,) = pick_lines(task([f"model-{n}" for n in range(ties)]))
    assert line["slm"] == slm
    assert ("can't be told apart" in line["said"]) == (ties >= 10)
