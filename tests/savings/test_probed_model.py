"""A model tuned on the analyst's own machine in the plan: its price, and that of one that no list knows."""

from __future__ import annotations

import pytest

from slmlens.savings.plan import plan
from tests.savings.world import FAULTLESS, TODAY, parity, steady, verdicts_of


def planned(slm: str):
    facts = {"swap": parity(0.01, "any of about 8B"), "tuned": parity(0.97, slm), "evidence": "shown", "grade": "A"}
    calls = steady(300, 14, human_facing=False)
    verdicts = verdicts_of({"t": calls}, {"t": facts}, sampling_rate=0.000075)
    return plan(verdicts, overrides=FAULTLESS, today=TODAY, draws=200)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slm", "priced"),
    [
        ("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct"),
        ("my-tuned-135M", "Qwen3-0.6B"),
        ("my-model", "Qwen3-8B"),
    ],
)
def test_a_probed_model_is_priced_as_itself_or_as_a_listed_one_of_its_size(slm: str, priced: str) -> None:
    made = planned(slm)
    tuned = made.savings.filter(mode="tuned")
    assert set(tuned.get_column("slm")) == {priced}
    own = ["self-hosted"] if priced.startswith("SmolLM2") else ["hosted-tuned", "self-hosted"]
    assert sorted(set(tuned.get_column("deployment"))) == own
    assert tuned.get_column("npv_p50_nusd").null_count() == 0
    assert made.actions.item(0, "action") == "migrate-tune"
