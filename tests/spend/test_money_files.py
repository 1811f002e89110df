"""Price file, invoice and tag are refused before any work, and a run keeps the prices it was read with."""

from __future__ import annotations

import json

import pytest

import slmlens as sl
from slmlens.run import open_run
from slmlens.settings import price_book, reading_depends
from slmlens.stages import analyse, read_logs

CALL = {
    "timestamp": "2026-09-03T10:00:00Z",
    "team": "search",
    "request": {"model": "prod-chat", "messages": [{"role": "user", "content": "Say hello to the team."}]},
    "response": {
        "id": "r1",
        "model": "prod-chat",
        "choices": [{"message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0},
    },
}


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(CALL) + "\n", encoding="utf-8")
    return path


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_keeps_its_prices_and_is_read_again_when_they_change(log, tmp_path):
    prices = written(tmp_path, "prices.yml", "deployments: {prod-chat: openai/gpt-4.1}")
    run = open_run(tmp_path / "run")
    first = read_logs(log, run=run, settings=sl.Settings(prices=prices))
    assert first.calls.select("spend_nusd", "price_source").row(0) == (2_000_000_000, "genai-prices")
    kept = price_book(sl.Settings(), open_run(tmp_path / "run"))
    assert kept.file.deployments == {"prod-chat": ("openai", "gpt-4.1")}
    before = reading_depends(sl.Settings(prices=prices))
    prices.write_text("models: {prod-chat: {input: 7}}", encoding="utf-8")
    assert reading_depends(sl.Settings(prices=prices)) != before
    again = read_logs(log, run=run, settings=sl.Settings(prices=prices))
    assert again.calls.select("spend_nusd", "price_source").row(0) == (7_000_000_000, "your file")
    without = read_logs(log, run=run)
    assert without.calls.item(0, "spend_nusd") is None
    assert price_book(sl.Settings(), run).file.deployments == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prices": "modles: {}"}, "nothing is known by this name"),
        ({"invoice": "when,what\n1,2\n"}, "no column for the date"),
        ({"prices": "currency: {name: CHF, usd: 1.2}", "invoice": "date,model,amount,currency\n2026-09-01,o3,1,EUR\n"},
         "in EUR, and no rate"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_stops_the_job_before_anything_is_written(log, tmp_path, given, told):
    files = {name: written(tmp_path, f"{name}.txt", text) for name, text in given.items()}
    with pytest.raises(sl.SlmlensError) as caught:
        analyse(log, out=tmp_path / "run", settings=sl.Settings(**files))
    assert told in str(caught.value).lower() or told in str(caught.value)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run" / "calls.parquet").exists()


def test_a_tag_that_no_call_carries_stops_the_job_after_reading(log, tmp_path):
    with pytest.raises(sl.SlmlensError, match="Use one of: team"):
        analyse(log, out=tmp_path / "run", settings=sl.Settings(tag="squad"))
