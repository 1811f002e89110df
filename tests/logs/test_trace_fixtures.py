"""Real exports beside the checkout: every file is recognised, and counts are those read off the files by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from slmlens.errors import InputError
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, texts


def read(*paths: Path):
    return read_calls(list(paths), redactor=PlainRedactor())


def counted(calls) -> tuple[object, ...]:
    """Return (records, calls, parents, input, cached, reasoning, output, tool calls, tools offered, sessions)."""
    frame = calls.calls
    known = frame.filter(~pl.col("tokens_estimated"))
    tokens = [known[name].sum() for name in ("input_tokens", "cached_tokens", "reasoning_tokens", "output_tokens")]
    offered = sorted({name for names in frame["tool_names_offered"] for name in names})
    return (
        calls.files["records"].sum(),
        frame.height,
        calls.files["parents"].sum(),
        *tokens,
        frame["tool_calls"].list.len().sum(),
        " ".join(offered),
        frame["session_id"].drop_nulls().n_unique(),
    )


LANGFUSE = {
    "autogen-2025-06-06.trace.json": (3, 1, 0, 41, 0, 0, 3, 0, "", 1),
    "claude-agent-2025-12-22.trace.json": (8, 4, 0, 34, 0, 0, 232, 2, "", 0),
    "crewai-2025-07-11.trace.json": (7, 1, 0, 190, 0, 0, 164, 0, "", 0),
    "langgraph-python-2025-08-22.trace.json": (10, 2, 0, 168, 0, 0, 66, 1, "Web-Search", 1),
    "llamaindex-2025-06-05.trace.json": (3, 1, 0, 13, 0, 0, 81, 0, "", 1),
    "openai-assistants-2024-05-29.json": (5, 1, 0, 49, 0, 0, 40, 0, "", 0),
    "vercel-aisdk-2025-11-17.trace.json": (4, 1, 1, 62, 0, 0, 85, 1, "getWeather", 0),
}
OTLP = {
    "openinference-openai-0.1.66.jsonl": (10, 6, 0, 270, 0, 0, 94, 3, "get_current_weather", 1),
    "openllmetry-0.48.0.jsonl": (10, 6, 0, 270, 0, 0, 94, 3, "get_current_weather", 0),
    "openllmetry-0.62.4.jsonl": (10, 6, 0, 270, 0, 0, 94, 3, "get_current_weather", 0),
    "otel-openai-v2.default-events.jsonl": (9, 5, 0, 198, 0, 0, 86, 0, "", 0),
    "otel-openai-v2.default-events.logs.jsonl": (14, 5, 0, 0, 0, 0, 0, 2, "", 0),
    "otel-openai-v2.latest-experimental.jsonl": (9, 5, 0, 198, 0, 0, 86, 2, "", 0),
    "otel-openai-v2.latest-experimental.logs.jsonl": (5, 5, 0, 198, 0, 0, 86, 2, "", 0),
}
WEATHER = (174, 0, 0, 76, 2, "get_current_weather", 1)
OTHERS = {
    "_generated/langsmith/runs_model_dump.jsonl": (10, 3, 0, *WEATHER),
    "_generated/langsmith/runs_raw_tracer.jsonl": (10, 3, 0, *WEATHER),
    "_generated/litellm/spend_logs_payload.jsonl": (3, 3, 0, 186, 0, 0, 81, 0, "", 2),
    "_generated/litellm/standard_logging_payload.jsonl": (4, 4, 0, 186, 0, 0, 81, 2, "get_current_weather", 3),
    "_generated/mlflow/search_traces_df.jsonl": (10, 4, 0, 186, 0, 0, 81, 2, "get_current_weather", 1),
    "_generated/mlflow/traces_to_json.jsonl": (10, 4, 0, 186, 0, 0, 81, 2, "get_current_weather", 1),
    "_generated/weave/calls_stream_query.jsonl": (7, 4, 1, 111, 0, 0, 30, 0, "get_current_weather", 1),
    "langsmith/langsmith_js_wrap_openai_default.json": (1, 1, 0, 9, 0, 0, 9, 0, "", 0),
    "langsmith/langsmith_js_wrap_openai_stream.json": (1, 1, 0, 9, 0, 0, 9, 0, "", 0),
    "langsmith/langsmith_py_wrap_openai_.json": (1, 1, 0, 9, 0, 0, 9, 0, "", 0),
    "langsmith/langsmith_py_wrap_openai_stream.json": (1, 1, 0, 9, 0, 0, 9, 0, "", 0),
    "langsmith/run_doc_example.json": (1, 1, 0, 0, 0, 0, 0, 0, "", 0),
    "litellm/standard_logging_payload.json": (1, 1, 0, 10, 0, 0, 20, 0, "", 0),
    "openai_agents/traces_ingest_body.json": (5, 2, 0, 0, 0, 0, 0, 0, "", 0),
    "openai_batch/batch_input.vllm_example.jsonl": (2, 2, 0, 0, 0, 0, 0, 0, "", 0),
    "openai_batch/batch_output.openai_doc_example.jsonl": (1, 1, 0, 24, 0, 0, 15, 0, "", 0),
    "openai_finetune_messages/toy_chat_fine_tuning.first4.jsonl": (7, 7, 0, 0, 0, 0, 0, 0, "", 4),
}
CASSETTES = {
    "openai_agents_function_tool_spans": (3, 2, 0, 173, 0, 0, 32, 1, "get_weather", 0),
    "test_anthropic_message_create_legacy": (1, 1, 0, 17, 0, 0, 220, 0, "", 0),
    "test_anthropic_message_streaming_legacy": (1, 1, 0, 17, 0, 0, 171, 0, "", 0),
    "test_chat_completion_404": (1, 1, 0, 0, 0, 0, 0, 0, "", 0),
    "test_chat_completion_multiple_tools_streaming_with_content": (1, 1, 0, 75, 0, 0, 51, 2, "get_current_weather", 0),
    "test_chat_completion_streaming": (1, 1, 0, 12, 0, 0, 5, 0, "", 0),
    "test_chat_completion_tool_calls_with_content": (2, 2, 0, 174, 0, 0, 76, 2, "get_current_weather", 0),
    "test_chat_completion_with_content": (1, 1, 0, 12, 0, 0, 5, 0, "", 0),
    "test_responses_create_basic[content_mode0]": (1, 1, 0, 22, 0, 0, 6, 0, "", 0),
    "test_responses_create_captures_tool_call_content[content_mode0]": (
        1, 1, 0, 72, 0, 0, 8, 1, "get_current_weather", 0,
    ),
    "test_responses_create_reports_reasoning_tokens[content_mode0]": (1, 1, 0, 44, 0, 9, 288, 0, "", 0),
    "test_responses_create_streaming[content_mode0]": (1, 1, 0, 22, 0, 0, 6, 0, "", 0),
}  # fmt: skip
BROWSER = " ".join(f"web_browser_{end}" for end in (
    "back", "click", "forward", "go", "refresh", "scroll", "type", "type_submit",
))  # fmt: skip
TRAJECTORIES = {
    "atif/harbor_openhands.json": (
        2, 2, 0, 220, 0, 0, 80, 2, "execute_bash execute_ipython_cell finish str_replace_editor task_tracker think", 1,
    ),
    "atif/harbor_terminus2_continuation.json": (3, 3, 0, 2252, 0, 0, 160, 0, "", 1),
    "atif/harbor_terminus2_continuation_cont1.json": (4, 4, 0, 4250, 0, 0, 530, 0, "", 1),
    "atif/harbor_terminus2_invalid_json.json": (4, 4, 0, 2417, 0, 0, 200, 3, "", 1),
    "atif/harbor_terminus2_sub_answers.json": (1, 1, 0, 700, 0, 0, 120, 0, "", 1),
    "atif/harbor_terminus2_sub_summary.json": (1, 1, 0, 500, 0, 0, 200, 0, "", 1),
    "atif/harbor_terminus2_summarization.json": (7, 7, 0, 6502, 0, 0, 690, 7, "", 1),
    "atif/harbor_terminus2_timeout.json": (3, 3, 0, 882, 0, 0, 115, 3, "", 1),
    "atif/multi_tool_trajectory.json": (3, 3, 0, 9150, 5562, 0, 635, 4, "", 1),
    "atif/multimodal_trajectory.json": (2, 2, 0, 2600, 0, 0, 125, 1, "", 1),
    "atif/simple_trajectory.json": (2, 2, 0, 1120, 0, 0, 124, 1, "", 1),
    "inspect_ai/2025-02-11T15-17-00-05-00_popularity_dPiJifoWeEQBrfWsAopzWr.eval": (
        32, 10, 0, 620, 0, 0, 20, 0, "", 10,
    ),
    "inspect_ai/2025-05-12T20-27-36-04-00_browser.json": (5, 5, 0, 15235, 9088, 0, 281, 4, BROWSER, 1),
    "inspect_ai/2025-05-12T20-28-13-04-00_popularity.json": (3, 3, 0, 192, 0, 0, 6, 0, "", 3),
    "inspect_ai/log_formats.eval": (6, 1, 0, 66, 0, 0, 2, 0, "", 1),
    "inspect_ai/log_formats.json": (1, 1, 0, 66, 0, 0, 2, 0, "", 1),
    "openhands/basic.json": (4, 2, 0, 8132, 3482, 0, 1312, 2, "", 1),
    "openhands/basic_interactions.json": (6, 3, 0, 2473, 2304, 0, 10, 1, "", 1),
    "swe_agent/function_calling_simple.traj": (5, 5, 0, 0, 0, 0, 0, 5, "", 1),
    "swe_agent/swe-agent__test-repo-i1.traj": (5, 5, 0, 0, 0, 0, 0, 0, "", 1),
    "tau_bench/gpt-4o-airline.first4.json": (61, 61, 0, 0, 0, 0, 0, 35, "", 4),
}  # fmt: skip
GOLDEN = {
    **{f"langfuse/{name}": figures for name, figures in LANGFUSE.items()},
    **{f"_generated/otlp/{name}": figures for name, figures in OTLP.items()},
    **OTHERS,
    **TRAJECTORIES,
    **{f"vcr_cassettes/{name}.yaml": figures for name, figures in CASSETTES.items()},
    "nvidia_flywheel/chat_completion.json": (3, 3, 0, 0, 0, 0, 0, 1, "get_weather", 0),
    "nvidia_flywheel/record.readme_example.json": (1, 1, 0, 15, 0, 0, 72, 0, "", 0),
    "frugon_proxy_log/sample_logs.every280th.jsonl": (201, 201, 0, 175964, 0, 0, 42303, 0, "", 0),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_counts_as_by_hand(shared, name):
    path = shared / "fixtures" / name
    if not path.exists():
        pytest.skip("this export is not among those at hand")
    calls = read(path)
    assert calls.rejects.is_empty()
    assert counted(calls) == GOLDEN[name]


FOLDERS = (
    "langfuse", "_generated/otlp", "openai_chat_pairs", "openai_responses", "openai_agents", "openai_batch",
    "openai_finetune_messages", "claude_code", "langsmith", "litellm", "_generated/langsmith", "_generated/litellm",
    "_generated/mlflow", "_generated/weave", "atif", "openhands", "tau_bench",
    "nvidia_flywheel", "frugon_proxy_log", "anthropic_messages",
)  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_export_of_a_folder_is_recognised_without_a_flag(shared, folder):
    paths = [one for one in sorted((shared / "fixtures" / folder).iterdir()) if one.suffix in (".json", ".jsonl")]
    assert paths
    for path in paths:
        assert read(path).files["format"].is_not_null().all(), path.name


def test_a_trace_export_and_its_logs_read_together_count_each_call_once(shared):
    folder = shared / "fixtures/_generated/otlp"
    for kind in ("default-events", "latest-experimental"):
        calls = read(folder / f"otel-openai-v2.{kind}.jsonl", folder / f"otel-openai-v2.{kind}.logs.jsonl")
        assert calls.calls.height == 5
        assert calls.calls["message_ids"].null_count() == 0
        assert calls.calls["input_tokens"].sum() == 198


def test_the_same_recorded_calls_are_the_same_messages_in_every_dialect(shared):
    """The same five answers of a provider were recorded by each instrumentation."""
    folder = shared / "fixtures/_generated/otlp"
    alone = (
        "openinference-openai-0.1.66",
        "openllmetry-0.48.0",
        "openllmetry-0.62.4",
        "otel-openai-v2.latest-experimental",
    )
    sources = [(folder / f"{name}.jsonl",) for name in alone]
    sources.append(tuple(folder / f"otel-openai-v2.default-events{end}.jsonl" for end in ("", ".logs")))
    seen = []
    for paths in sources:
        calls = read(*paths)
        stored = texts(calls)
        seen.append({
            row["call_id"]: (
                [stored[one] for one in row["message_ids"]], stored[row["answer_id"]], row["model"], row["step"],
                row["service"], row["input_tokens"], row["output_tokens"], row["finish_reason"],
            )
            for row in calls.calls.filter(status="ok").iter_rows(named=True) if row["call_id"].startswith("chatcmpl")
        })  # fmt: skip
        assert calls.calls.filter(status="error")["model"].to_list() == ["this-model-does-not-exist"]
    assert len(seen[0]) == 4
    assert all(one == seen[0] for one in seen)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("langsmith/runs_model_dump.jsonl", 2),
        ("langsmith/runs_raw_tracer.jsonl", 2),
        ("litellm/standard_logging_payload.jsonl", 3),
        ("mlflow/traces_to_json.jsonl", 3),
        ("mlflow/search_traces_df.jsonl", 3),
        ("weave/calls_stream_query.jsonl", 2),
    ],
)
def test_other_tools_recorded_the_same_calls_with_the_same_messages(shared, name, least):
    """The same answers again, in every tool alike; of a stream LiteLLM knows the model only as it was asked for."""
    folder = shared / "fixtures/_generated"
    known, told = (read(folder / path) for path in ("otlp/openinference-openai-0.1.66.jsonl", name))
    columns = ("message_ids", "answer_id", "input_tokens", "output_tokens", "cached_tokens")
    seen = [
        {row["call_id"]: [row[c] for c in columns] for row in one.calls.iter_rows(named=True)} for one in (known, told)
    ]
    models = [dict(one.calls.select("call_id", "model").iter_rows()) for one in (known, told)]
    shared_ids = [call_id for call_id in seen[1] if call_id in seen[0] and call_id.startswith("chatcmpl")]
    assert len(shared_ids) >= least
    for call_id in shared_ids:
        assert seen[1][call_id] == seen[0][call_id]
        assert models[0][call_id].startswith(models[1][call_id])


@pytest.mark.parametrize("end", ["json", "eval"])
def test_inspects_texts_that_are_stored_once_are_put_back(shared, end):
    calls = read(shared / "fixtures/inspect_ai" / f"log_formats.{end}")
    (row,) = calls.calls.iter_rows(named=True)
    stored = texts(calls)
    assert [stored[one][0] for one in row["message_ids"]] == ["system", "user"]
    assert all("://" not in text for _, text in stored.values())
    assert "Positive posts about myself" in stored[row["message_ids"][1]][1]


def test_each_range_of_inspects_message_pool_is_the_prompt_of_its_call(shared):
    path = shared / "logs/inspect_ai_logs/tests__log__test_eval_log__log_message_deduplication.eval"
    if not path.exists():
        pytest.skip("this log is not among those at hand")
    calls = read(path).calls.sort("started_at")
    assert calls["message_ids"].list.len().to_list() == [1, 3, 5, 7, 9, 11]
    for before, after in zip(calls["message_ids"], calls["message_ids"][1:], strict=False):
        assert after.to_list()[: before.len()] == before.to_list()


@pytest.mark.parametrize("name", ["inspect_ai/2025-05-12T20-28-13-04-00_no-samples.json", "tau2_bench/results.json"])
def test_a_known_export_without_calls_says_so(shared, name):
    with pytest.raises(InputError, match="hold no LLM call"):
        read(shared / "fixtures" / name)


def test_an_agents_content_beside_its_trace_makes_whole_calls(shared):
    calls = read(shared / "fixtures/_generated/openai_agents")
    assert calls.files["rejects"].sum() == 0
    assert calls.calls["step"].to_list() == ["WeatherAgent"] * 2
    assert calls.calls["message_ids"].list.len().to_list() == [2, 4]
    assert calls.calls["input_tokens"].to_list() == [72, 101]
