"""Recorded calls of frameworks' own tests, and what their prompts declare of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

import slmlens as sl

CREW = "crewai_cassettes"
CASSETTES = (CREW, "pydantic_ai_cassettes", "openllmetry_cassettes", "openinference_cassettes")

_ROLE = re.compile(r"You are (.+?)\. ?.*?Your personal goal is:", re.DOTALL)
"""How crewAI begins the prompt of an agent: its role, its story, its goal."""

_LEAST_TESTS = 3
"""Tests that must use a role: what fewer use is no task by any setting."""


def crew_roles(calls: sl.Calls) -> dict[str, str]:
    """Return the declared role of the agent behind each call of a crewAI log, of roles that enough tests use.

    The other logs declare no steps.
    """
    roles = pl.DataFrame(_roles(calls), schema=["call_id", "test", "role"], orient="row")
    used = roles.filter(pl.col("test").n_unique().over("role") >= _LEAST_TESTS)
    return dict(used.select("call_id", "role").rows())


def _roles(calls: sl.Calls) -> Iterator[tuple[str, str, str]]:
    first = calls.calls.select("call_id", "session_id", message_id=pl.col("message_ids").list.first())
    spoken = first.join(calls.messages, on="message_id").select("call_id", "session_id", "text").drop_nulls()
    for call, test, text in spoken.rows():
        declared = _ROLE.match(text)
        if declared:
            yield call, test, declared.group(1).strip()
