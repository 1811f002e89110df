"""The decision table of the contract: which word the evidence earns, and which action follows."""

from __future__ import annotations

import itertools

import pytest

from slmlens.suitability.decide import Decision, decide, evidence_word
from slmlens.tables import ACTIONS, EVIDENCE_WORDS, GRADES, KEEP_REASONS

WORD = {
    "gate": None,
    "enough": True,
    "no_signal": False,
    "p_parity": 0.9,
    "grade": "C",
    "probe_applies": True,
    "prior_free_ok": False,
    "time_ordered": True,
}
TASK = {
    "gate": None,
    "enough": True,
    "no_signal": False,
    "program_lo90": None,
    "cacheable": False,
    "evidence": "open",
    "grade": "C",
    "p_parity_swap": 0.1,
    "p_parity_tuned": 0.6,
    "p_npv_swap": 0.1,
    "p_npv_tuned": 0.6,
    "npv_p90_swap_positive": False,
    "npv_p90_tuned_positive": True,
}


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"gate": "window"}, "gated"),
        ({"gate": "window", "enough": False, "no_signal": True}, "gated"),
        ({"enough": False, "no_signal": True}, "not-enough-data"),
        ({"no_signal": True, "grade": "A", "prior_free_ok": True}, "no-signal"),
        ({"grade": "A", "prior_free_ok": True}, "shown"),
        ({"grade": "A", "prior_free_ok": True, "p_parity": 0.5}, "shown"),
        ({"grade": "B", "prior_free_ok": True}, "likely"),
        ({"grade": "A"}, "likely"),
        ({"grade": "C", "p_parity": 0.8}, "likely"),
        ({"grade": "C", "p_parity": 0.79}, "open"),
        ({"grade": "C", "p_parity": 0.2}, "open"),
        ({"grade": "C", "p_parity": 0.19}, "unlikely"),
        ({"grade": "D", "p_parity": 0.99}, "open"),
        ({"grade": "D", "p_parity": 0.01}, "open"),
        ({"p_parity": None}, "open"),
        ({"probe_applies": False}, "open"),
        ({"probe_applies": False, "p_parity": 0.1}, "unlikely"),
        ({"probe_applies": False, "grade": "A", "prior_free_ok": True}, "open"),
        ({"time_ordered": False}, "open"),
        ({"time_ordered": False, "grade": "A", "prior_free_ok": True}, "likely"),
        ({"time_ordered": False, "grade": "B"}, "likely"),
    ],
)
def test_each_word_is_earned_by_its_evidence(facts, word):
    assert evidence_word(**{**WORD, **facts}) == word


def test_no_combination_of_facts_lacks_a_word_and_green_always_rests_on_a_measurement():
    chances = (None, 0.0, 0.2, 0.5, 0.8, 1.0)
    flags = itertools.product((None, "licence"), *[(True, False)] * 5, GRADES, chances)
    for gate, enough, no_signal, probe, bound, ordered, grade, p_parity in flags:
        word = evidence_word(
            gate=gate, enough=enough, no_signal=no_signal, p_parity=p_parity, grade=grade,
            probe_applies=probe, prior_free_ok=bound, time_ordered=ordered,
        )  # fmt: skip
        assert word in EVIDENCE_WORDS
        if word in {"shown", "likely"}:
            assert probe
            assert enough
            assert gate is None
            assert not no_signal
            assert grade != "D"
        if word == "shown":
            assert grade == "A"
            assert bound
            assert ordered


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        ({"gate": "side effects", "program_lo90": 1.0}, Decision("keep", "gate")),
        ({"enough": False, "program_lo90": 1.0}, Decision("keep", "unknown")),
        ({"no_signal": True, "cacheable": True}, Decision("keep", "quality")),
        ({"program_lo90": 0.99, "cacheable": True}, Decision("code")),
        ({"program_lo90": 0.989, "cacheable": True}, Decision("cache")),
        ({"cacheable": True, "slm_fits": False}, Decision("cache")),
        ({"slm_fits": False}, Decision("keep", "gate")),
        ({}, Decision("pilot-tune", mode="tuned")),
        ({"cheaper_llm_better": True}, Decision("pilot-cheaper-llm")),
        ({"npv_p90_tuned_positive": False}, Decision("keep", "money")),
        ({"p_parity_tuned": 0.19}, Decision("keep", "quality")),
        ({"p_parity_tuned": None, "p_parity_swap": None}, Decision("keep", "unknown")),
        ({"p_npv_tuned": None}, Decision("pilot-tune", mode="tuned")),
        ({"p_npv_tuned": None, "npv_p90_tuned_positive": False}, Decision("keep", "unknown")),
        ({"p_parity_swap": 0.4, "p_npv_swap": 0.7, "npv_p90_swap_positive": True}, Decision("pilot-swap", mode="swap")),
    ],
)
def test_the_first_matching_rule_decides(facts, action):
    assert decide(**{**TASK, **facts}) == action


SHOWN = {**TASK, "evidence": "shown", "grade": "A", "p_parity_tuned": 0.97, "p_npv_tuned": 0.85}


def test_a_shown_task_that_pays_migrates():
    assert decide(**SHOWN) == Decision("migrate-tune", mode="tuned")
    both = {**SHOWN, "p_parity_swap": 0.97, "p_npv_swap": 0.95, "npv_p90_swap_positive": True}
    assert decide(**both) == Decision("migrate-swap", mode="swap")


@pytest.mark.parametrize(
    "lack",
    [
        {"evidence": "likely"},
        {"grade": "B"},
        {"p_npv_tuned": 0.79},
        {"p_npv_tuned": None},
        {"rare_class_unmeasured": True},
        {"held": True},
    ],
)  # fmt: skip
def test_nothing_migrates_on_less(lack):
    assert decide(**{**SHOWN, **lack}) == Decision("pilot-tune", mode="tuned")


def test_every_row_of_the_table_ends_in_one_consistent_action():
    chances, npvs = (None, 0.1, 0.5, 0.9), (None, 0.5, 0.9)
    grid = itertools.product(
        (None, "gate"), (True, False), (True, False), (None, 0.5, 1.0), (True, False),
        ("shown", "likely", "open", "unlikely"), ("A", "C"), chances, chances, npvs, (True, False), (True, False),
    )  # fmt: skip
    for gate, enough, null, program, cache, word, grade, swap, tuned, npv, up, fits in grid:
        made = decide(
            gate=gate, enough=enough, no_signal=null, program_lo90=program, cacheable=cache, evidence=word, grade=grade,
            p_parity_swap=swap, p_parity_tuned=tuned, p_npv_swap=npv, p_npv_tuned=npv,
            npv_p90_swap_positive=up, npv_p90_tuned_positive=up, slm_fits=fits,
        )  # fmt: skip
        assert made.action in ACTIONS
        assert (made.keep_because in KEEP_REASONS) == (made.action == "keep")
        assert (made.mode is not None) == (made.action in {"pilot-swap", "pilot-tune", "migrate-swap", "migrate-tune"})
        if made.action.startswith("migrate"):
            assert grade == "A"
            assert word == "shown"
        if gate or not enough:
            assert made.action == "keep"


def test_a_hold_takes_moving_away_and_nothing_else():
    chances, npvs = (None, 0.1, 0.5, 0.9), (None, 0.5, 0.9)
    grid = itertools.product(
        (None, "gate"), (True, False), (None, 1.0), (True, False), ("shown", "likely", "no-signal"), ("A", "C"),
        chances, chances, npvs, (True, False), (True, False),
    )  # fmt: skip
    for gate, enough, program, cache, word, grade, swap, tuned, npv, up, rival in grid:
        facts = {
            "gate": gate, "enough": enough, "no_signal": word == "no-signal", "program_lo90": program,
            "cacheable": cache, "evidence": word, "grade": grade, "p_parity_swap": swap, "p_parity_tuned": tuned,
            "p_npv_swap": npv, "p_npv_tuned": npv, "npv_p90_swap_positive": up, "npv_p90_tuned_positive": up,
            "cheaper_llm_better": rival,
        }  # fmt: skip
        free, held = decide(**facts), decide(**facts, held=True)
        assert not held.action.startswith("migrate")
        if not free.action.startswith("migrate"):
            assert held == free
