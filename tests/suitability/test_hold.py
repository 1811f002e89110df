"""Which tasks only a person may move: those whose calls act on the world, or that touch on people's safety."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmlens.suitability.assess import assess
from slmlens.suitability.gates import Tool, hold_of, sensitive_topics
from slmlens.suitability.signals import called_tools, task_signals
from slmlens.suitability.tool_names import acts_on_the_world
from tests.suitability.test_assess import tickets
from tests.suitability.trap_logs import tasks_of

_ACTING = """
    send_email sendSMS slack.send_message mcp__github__create_issue issue_refund transfer_funds pay_invoice delete
    cancel_pending_order book_flight flight.book hotel_booking walmart_order order_food update_status cart.add
    exchange_delivered_order_items return_delivered_order_items modify_user_address send_email.v2 find_and_delete
    get_or_create search_and_replace check_in_guest mark_as_read Bash Edit MultiEdit Write str_replace_editor
    execute_bash run_sql_query requests.post deploy_service schedule_visit put_object create_return web_browser_click
"""
_READING = """
    get_order get_order_status order_status orderLookup list_orders search_catalogue track_parcel read_file Read Grep
    WebFetch web_search get_refund_policy refund_policy mcp__github__get_commit requests.get games.update.find
    get_exchange_rate currency_exchange.convert sports_match_schedule library_search_book check_status view_cart
    calculate think finish final_result submit submit_answer transfer_to_human_agents escalate add add_numbers
    get_weather OpenMeteoTool DuckDuckGo entropy_change.calculate address_lookup
"""


@pytest.mark.parametrize("name", _ACTING.split())
def test_tools_that_change_something_act(name):
    assert acts_on_the_world(name)


@pytest.mark.parametrize("name", _READING.split())
def test_tools_that_read_compute_answer_or_hand_over_do_not(name):
    assert not acts_on_the_world(name)


@given(st.text())
def test_any_name_is_told_apart(name):
    assert acts_on_the_world(name) in {True, False}


@given(st.sampled_from(["get", "list", "search", "read", "find", "check_status_of"]), st.sampled_from(_ACTING.split()))
def test_a_reading_verb_in_front_makes_a_name_read(verb, name):
    if "and" not in name and "or" not in name.split("_"):
        assert not acts_on_the_world(f"{verb}_{name.replace('.', '_').replace('__', '_')}")


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Name the dosage for the patient.", ["health"]),
        ("Decide whether the loan is granted.", ["credit or insurance"]),
        ("Screen each job application.", ["hiring"]),
        ("You watch a safety-critical pump.", ["danger to people"]),
        ("Be patient with the customer. Stay calm, polite and patient.", []),
        ("You answer on parcels. Never give legal or medical advice.", []),
        ("Give legal advice on the contract.", ["law"]),
        ("Sort the ticket.", []),
    ],
)
def test_topics_are_read_from_the_instructions(text, topics):
    assert sensitive_topics(text) == topics


def test_a_tools_name_can_hold_a_topic():
    tool = Tool("loan_eligibility_check", share=0.5, acts=False, shown=False)
    assert hold_of({"side_effect_share": 0.0}, "Sort it.", [tool]) == (
        "its instructions or tools speak of credit or insurance"
    )
    assert hold_of({"side_effect_share": 0.0}, "Sort it.", [replace(tool, share=0.005)]) is None


def calling(names, *, offered=(), per_call=1):
    """Tasks of tickets of which each of the first calls calls one of the tools so many times."""
    tasks = tasks_of(tickets(200, sessions=1))
    calls = tasks.calls.calls.sort("call_id")
    made = [[{"name": name, "arguments": "{}"}] * per_call for name in names]
    calls = calls.with_columns(
        pl.Series("tool_calls", [*made, *[[]] * (calls.height - len(made))], dtype=calls.schema["tool_calls"]),
        tool_names_offered=pl.lit(list(offered), dtype=pl.List(pl.String)),
    )
    return replace(tasks, calls=replace(tasks.calls, calls=calls))


def acting_share(tasks):
    return task_signals(tasks).item(0, "side_effect_share")


def test_the_share_counts_calls_that_act_not_their_tool_calls():
    assert acting_share(calling([])) is None
    assert acting_share(calling(["get_order"] * 50)) == 0
    assert acting_share(calling(["send_refund", *["get_order"] * 99])) == 1 / 200
    assert acting_share(calling(["send_refund"] * 2, per_call=7)) == 2 / 200


def test_one_call_in_a_hundred_that_acts_holds_the_task_and_one_in_two_hundred_does_not():
    assert assess(calling(["send_refund"])).verdicts.item(0, "hold") is None
    assert assess(calling(["send_refund"] * 2)).verdicts.item(0, "hold") == "its calls act"


def test_only_a_declared_tool_that_several_subjects_use_is_named():
    names = ["send_refund"] * 20 + ["email_jane_doe"] * 20 + ["delete_file"] * 4
    tasks = calling(names, offered=["send_refund", "delete_file", "get_order"])
    assert assess(tasks).verdicts.item(0, "hold") == "its calls act (send_refund)"
    shown = called_tools(tasks, 5).filter("shown").get_column("name").to_list()
    assert shown == ["send_refund"]


def test_the_order_of_rows_does_not_matter():
    tasks = calling(["send_refund"] * 9 + ["cancel_order"] * 9, offered=["send_refund", "cancel_order"])
    shuffled = replace(
        tasks, calls=replace(tasks.calls, calls=tasks.calls.calls.sample(fraction=1, shuffle=True, seed=3))
    )
    assert called_tools(tasks, 5).equals(called_tools(shuffled, 5))
    assert called_tools(tasks, 5).get_column("name").to_list() == ["cancel_order", "send_refund"]
