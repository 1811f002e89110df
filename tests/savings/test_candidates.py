"""Each small model of the catalogue has its own chance, as it is and tuned, and money rests on the priced one's."""

from __future__ import annotations

import polars as pl
import pytest

from slmlens.savings.plan import plan
from slmlens.suitability.assess import assess
from slmlens.suitability.evidence import evidence_row
from slmlens.suitability.intervals import Share
from slmlens.tables import MODES, EvidenceTable
from tests.savings.world import TODAY, filled, parity, steady, verdicts_of
from tests.suitability.test_assess import tickets
from tests.suitability.trap_logs import tasks_of

CLASS = "any of about 8B"
SUFFIX = {"swap": "", "tuned": "_tuned"}


def facts_of(**more):
    return {"swap": parity(0.5, CLASS), "tuned": parity(0.9, CLASS), "evidence": "open", "grade": "D", **more}


def planned(facts, **calls):
    return plan(
        verdicts_of({"t": steady(300, 30, **calls)}, {"t": facts}, sampling_rate=0.0001), today=TODAY, draws=400
    )


def candidates_of(made):
    return {row["slm"]: row for row in made.actions.item(0, "candidates").to_list()}


def signals(**values):
    return [{"name": name, "value": value} for name, value in values.items()]


def accepted(made):
    return [row for row in candidates_of(made).values() if row["accepted"]]


@pytest.mark.slow
def test_each_model_has_a_chance_as_it_is_and_tuned_and_a_smaller_one_never_the_better():
    found = candidates_of(planned(facts_of()))
    sizes = ("Llama-3.2-1B-Instruct", "Llama-3.2-3B-Instruct", "Llama-3.1-8B-Instruct")
    for suffix in SUFFIX.values():
        chances = [found[slm][f"p_parity{suffix}"] for slm in sizes]
        assert chances == sorted(set(chances))
        assert all(0 <= row[f"a_lo90{suffix}"] < row[f"a_hi90{suffix}"] <= 1 for row in accepted(planned(facts_of())))


def test_what_a_probe_learned_raises_every_tuned_models_chance_and_none_as_it_is():
    bare = candidates_of(planned(facts_of()))
    learned = candidates_of(planned(facts_of(signals=signals(tuned_floor=0.97, tuned_floor_sd=0.03))))
    for slm, row in learned.items():
        assert row["p_parity"] == bare[slm]["p_parity"]
        if row["accepted"]:
            assert row["p_parity_tuned"] > bare[slm]["p_parity_tuned"] + 0.1
            assert row["a_lo90_tuned"] > bare[slm]["a_lo90_tuned"]


@pytest.mark.parametrize("tokens", [900, 150_000])
def test_action_pilot_and_money_rest_on_the_chance_of_the_model_that_is_priced(tokens):
    made = planned(facts_of(), input_tokens=tokens)
    found = candidates_of(made)
    assert made.pilots.height == len(MODES)
    for row in made.pilots.iter_rows(named=True):
        assert row["p_parity"] == pytest.approx(found[row["slm"]][f"p_parity{SUFFIX[row['mode']]}"], abs=0.005)
        assert "; priced as it is and tuned" in found[row["slm"]]["reason"]
    assert sum("; priced" in row["reason"] for row in found.values()) == made.pilots.get_column("slm").n_unique()
    assert made.actions.item(0, "evidence") == "open", "the word is that of the evidence"


def test_a_model_that_was_graded_keeps_the_chance_of_its_grades():
    verdicts = verdicts_of({"t": steady(300, 30)}, {"t": facts_of(tuned=parity(0.9, "Qwen3-8B"))})
    row = evidence_row("t", "tuned", "pilot", Share(0.97, 0.93, 0.99, 60, 60, 60.0), "graded", slm="Qwen3-8B")
    evidence = filled(EvidenceTable, [row | {"p_parity": 0.9}])
    made = plan(verdicts.__class__(**{**vars(verdicts), "evidence": evidence}), today=TODAY, draws=400)
    found = candidates_of(made)["Qwen3-8B"]
    assert found["p_parity_tuned"] == 0.9
    assert found["a_lo90_tuned"] == pytest.approx(parity(0.9)["a_lo90"])
    assert found["p_parity"] != 0.9, "as it is, nobody asked it"


def test_a_tuned_model_of_the_reference_size_has_the_chance_that_the_verdict_says():
    verdicts = assess(tasks_of(tickets(600)))
    row = verdicts.verdicts.row(0, named=True)
    assert row["learnable"] is True
    found = candidates_of(plan(verdicts, today=TODAY, draws=400))
    assert found["Qwen3-8B"]["p_parity_tuned"] == pytest.approx(row["tuned"]["p_parity"], abs=1e-6)
    small = found["Llama-3.2-1B-Instruct"]["p_parity_tuned"]
    assert small < row["tuned"]["p_parity"]
    assert set(pl.Series([row["swap"]["slm"], row["tuned"]["slm"]])) == {CLASS}
