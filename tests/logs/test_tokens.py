"""Tokens that were not logged are estimated from the log itself, and marked."""

from __future__ import annotations

import pytest

from slmlens.logs.tokens import DEFAULT_BYTES_PER_TOKEN
from tests.logs.conftest import only, pair


def test_the_ratio_is_that_of_the_same_model(read):
    logged = [
        pair("x" * 376, "y" * 60, response={"id": f"c-{n}", "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
        for n in range(5)
    ]  # 30 bytes of system prompt + 370: 4 bytes a token in, 6 out
    missing = pair("x" * 770, "y" * 66, response={"id": "c-9", "usage": None})
    system = len(logged[0]["request"]["messages"][0]["content"])
    calls = read(*logged, missing)
    estimated = calls.calls.filter(calls.calls["tokens_estimated"]).row(0, named=True)
    ratio = (system + 376) / 100
    assert estimated["call_id"] == "c-9"
    assert estimated["input_tokens"] == pytest.approx((system + 770) / ratio, abs=1)
    assert estimated["output_tokens"] == 11


def test_without_any_usage_the_default_is_used(read):
    call = only(read({"prompt": "x" * 390, "completion": "y" * 39}))
    assert (call["input_tokens"], call["output_tokens"]) == (
        390 / DEFAULT_BYTES_PER_TOKEN,
        39 / DEFAULT_BYTES_PER_TOKEN,
    )
    assert call["tokens_estimated"]


def test_a_failed_call_stays_unknown(read):
    calls = read(pair(), pair(response={"id": "x", "error": {"message": "no"}, "choices": [], "usage": None}))
    failed = calls.calls.filter(calls.calls["status"] == "error").row(0, named=True)
    assert failed["input_tokens"] is failed["output_tokens"] is None
    assert not failed["tokens_estimated"]


def test_zeros_beside_an_answer_are_no_count(read):
    call = only(read(pair(response={"usage": {"prompt_tokens": 0, "completion_tokens": 0}})))
    assert call["tokens_estimated"]
    assert call["output_tokens"] > 0
