"""A task that only a person may move: said in the summary, on the card and as the next step."""

from __future__ import annotations

import jsonschema

from slmlens.reporting.card import card
from slmlens.reporting.plain_words import next_step
from slmlens.reporting.summary import summary_schema
from tests.reporting.factory import Spec, make_summary

HOLD = "its calls act (send_refund)"


def told(**facts):
    summary = make_summary([Spec("Refunds", saving=(1, 2, 3), **facts)])
    jsonschema.validate(summary, summary_schema())
    return summary["tasks"][0], dict(card(summary["tasks"][0], summary)["facts"])


def test_a_held_task_says_so_on_its_card_and_any_other_says_nothing():
    task, facts = told(action="pilot-swap", hold=HOLD)
    assert task["hold"] == HOLD
    assert facts["Moving it"] == f"for a person to decide: {HOLD}"
    task, facts = told(action="pilot-swap")
    assert task["hold"] is None
    assert "Moving it" not in facts


def test_what_is_shown_and_held_asks_for_a_decision_and_not_for_another_pilot():
    task, _ = told(action="pilot-swap", evidence="shown", grade="A", hold=HOLD)
    assert next_step(task).startswith("Decide whether “Refunds” may move to ")
    assert HOLD in next_step(task)
    open_task, _ = told(action="pilot-swap", hold=HOLD)
    assert next_step(open_task).startswith("Pilot “Refunds”")


def test_once_a_person_moved_it_the_card_says_that_a_person_did():
    _, facts = told(action="migrate-swap", evidence="shown", grade="A", hold=HOLD)
    assert facts["Moving it"] == f"decided by a person: {HOLD}"
