"""Bodies of Gemini, Bedrock, Ollama and Cohere, in clouds' logs and in cassettes, are the same calls as anybody's."""

from __future__ import annotations

import gzip
import json

import pytest
import yaml

from slmlens.errors import InputError
from slmlens.logs.read import read_calls
from tests.logs.conftest import only, texts
from tests.logs.seeds import SEEDS

USER = {"role": "user", "content": "Is parcel 7 late?"}


def recorded(uri: str, asked: object, said: object) -> dict[str, object]:
    return {
        "request": {
            "method": "POST",
            "uri": uri,
            "body": json.dumps(asked),
            "headers": {"authorization": ["Bearer x"]},
        },
        "response": {"status": {"code": 200}, "body": {"string": said if isinstance(said, str) else json.dumps(said)}},
    }


GEMINI = {"contents": [{"role": "user", "parts": [{"text": USER["content"]}]}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": USER["content"]}]}], "inferenceConfig": {}}
OLLAMA = {"model": "qwen3:8b", "messages": [USER]}
ANSWERS = {
    "gemini": (
        "https://g.example/v1beta/models/gemini-2.5-pro:generateContent",
        GEMINI,
        {
            "candidates": [{"content": {"parts": [{"text": "It is."}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 90, "cachedContentTokenCount": 64, "candidatesTokenCount": 5,
                              "thoughtsTokenCount": 2, "totalTokenCount": 97},
        },
        ("gemini-2.5-pro", 90, 64, 7, 2),
    ),
    "a gemini stream": (
        "https://g.example/v1beta/models/gemini-2.5-pro:streamGenerateContent",
        GEMINI,
        [
            {"candidates": [{"content": {"parts": [{"text": "It "}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "is."}]}, "finishReason": "STOP"}],
             "usageMetadata": {"promptTokenCount": 90, "cachedContentTokenCount": 64, "candidatesTokenCount": 7}},
        ],
        ("gemini-2.5-pro", 90, 64, 7, None),
    ),
    "converse": (
        "https://b.example/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse",
        CONVERSE,
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "It is."}]}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 26, "cacheReadInputTokens": 64, "outputTokens": 7},
        },
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", 90, 64, 7, None),
    ),
    "ollama": (
        "http://127.0.0.1:11434/api/chat",
        OLLAMA,
        {"model": "qwen3:8b", "message": {"role": "assistant", "content": "It is."}, "done": True,
         "done_reason": "stop", "prompt_eval_count": 90, "eval_count": 7},
        ("qwen3:8b", 90, None, 7, None),
    ),
    "an ollama stream": (
        "http://127.0.0.1:11434/api/chat",
        OLLAMA,
        "\n".join(json.dumps(one) for one in (
            {"model": "qwen3:8b", "message": {"role": "assistant", "content": "It "}, "done": False},
            {"model": "qwen3:8b", "message": {"role": "assistant", "content": "is."}, "done": False},
            {"model": "qwen3:8b", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop",
             "prompt_eval_count": 90, "eval_count": 7},
        )),
        ("qwen3:8b", 90, None, 7, None),
    ),
    "cohere's first chat": (
        "https://c.example/v1/chat",
        {"model": "command-r", "message": USER["content"], "chat_history": []},
        {"response_id": "c0", "generation_id": "g", "text": "It is.", "finish_reason": "COMPLETE",
         "meta": {"billed_units": {"input_tokens": 90, "output_tokens": 7}, "tokens": {"input_tokens": 990}}},
        ("command-r", 90, None, 7, None),
    ),
    "a cohere stream": (
        "https://c.example/v2/chat",
        {"model": "command-a-03-2025", "messages": [USER]},
        "\n\n".join(f"data: {json.dumps(one)}" for one in (
            {"id": "c2", "type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "It "}}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "is."}}}},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE",
             "usage": {"billed_units": {"input_tokens": 90, "output_tokens": 7}, "tokens": {"input_tokens": 990}}}},
        )),
        ("command-a-03-2025", 90, None, 7, None),
    ),
    "titan": (
        "https://b.example/model/amazon.titan-text-express-v1/invoke",
        {"inputText": USER["content"], "textGenerationConfig": {}},
        {"inputTextTokenCount": 90,
         "results": [{"outputText": "It is.", "tokenCount": 7, "completionReason": "FINISH"}]},
        ("amazon.titan-text-express-v1", 90, None, 7, None),
    ),
    "llama": (
        "https://b.example/model/meta.llama3-70b-instruct-v1%3A0/invoke",
        {"prompt": USER["content"], "max_gen_len": 9},
        {"generation": "It is.", "prompt_token_count": 90, "generation_token_count": 7, "stop_reason": "stop"},
        ("meta.llama3-70b-instruct-v1:0", 90, None, 7, None),
    ),
    "jurassic": (
        "https://b.example/model/ai21.j2-mid-v1/invoke",
        {"prompt": USER["content"], "maxTokens": 9},
        {"id": 1, "prompt": {"text": USER["content"], "tokens": [{}] * 90},
         "completions": [{"data": {"text": "It is.", "tokens": [{}] * 7}, "finishReason": {"reason": "endoftext"}}]},
        ("ai21.j2-mid-v1", 90, None, 7, None),
    ),
    "cohere": (
        "https://c.example/v2/chat",
        {"model": "command-a-03-2025", "messages": [USER]},
        {"id": "c1", "message": {"role": "assistant", "content": [{"type": "text", "text": "It is."}]},
         "finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 90, "output_tokens": 7}}},
        ("command-a-03-2025", 90, None, 7, None),
    ),
}  # fmt: skip


def paired(uri: str, asked: object, said: object) -> dict[str, object]:
    return {"url": uri, "status": 200, "request": asked, "response": said}


@pytest.mark.parametrize("held", [recorded, paired])
@pytest.mark.parametrize("name", ANSWERS)
def test_every_providers_body_is_the_same_call(read, name, held):
    uri, asked, said, expected = ANSWERS[name]
    calls = read(held(uri, asked, said))
    call = only(calls)
    stored = texts(calls)
    assert [stored[one] for one in call["message_ids"]] == [("user", USER["content"])]
    assert stored[call["answer_id"]] == ("assistant", "It is.")
    told = [call[key] for key in ("model", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")]
    assert tuple(told) == expected
    assert (call["status"], call["finish_reason"]) == ("ok", "stop")


def test_tools_of_converse_are_called_and_answered(read):
    called = {"toolUse": {"toolUseId": "t", "name": "find", "input": {"parcel": 7}}}
    asked = {
        "system": [{"text": "You find parcels."}],
        "messages": [
            {"role": "user", "content": [{"text": "Where is 7?"}]},
            {"role": "assistant", "content": [called]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"at": "Gent"}}]}}]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "find", "inputSchema": {"json": {}}}}]},
    }
    said = {"output": {"message": {"role": "assistant", "content": [called]}}, "stopReason": "tool_use"}
    calls = read(recorded("https://b.example/model/m/converse", asked, said))
    call = only(calls)
    stored = texts(calls)
    assert [stored[one][0] for one in call["message_ids"]] == ["system", "user", "assistant", "tool"]
    assert "Gent" in stored[call["message_ids"][3]][1]
    assert call["tool_names_offered"] == ["find"]
    assert [(one["name"], json.loads(one["arguments"])) for one in call["tool_calls"]] == [("find", {"parcel": 7})]


@pytest.mark.parametrize("said", [{"message": "The model does not exist."}, {"error": {"code": 429}}, {"id": "x"}])
def test_a_failed_request_is_an_error_whatever_the_dialect_of_its_body(read, said):
    call = only(read({**paired("https://b.example/model/m/converse", CONVERSE, said), "status": 400}))
    assert (call["status"], call["model"], call["answer_id"]) == ("error", "m", None)


def test_an_answer_that_was_fetched_but_not_recorded_is_no_error(read):
    call = only(read(paired("https://b.example/model/m/converse-stream", CONVERSE, None)))
    assert (call["status"], call["answer_id"], call["tokens_estimated"]) == ("ok", None, True)


def test_a_blocked_prompt_is_a_refusal_and_files_are_placeholders(read):
    files = [{"inlineData": {"mimeType": "image/png", "data": "x"}}, {"file_data": {"mime_type": "application/pdf"}}]
    asked = {"contents": [{"role": "user", "parts": [*files, {"text": "What is it?"}]}]}
    said = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    calls = read(paired("https://g.example/v1beta/models/gemini-2.5-pro:generateContent", asked, said))
    call = only(calls)
    assert (call["status"], call["finish_reason"], call["input_tokens"]) == ("refusal", "content_filter", 9)
    assert texts(calls)[call["message_ids"][0]] == ("user", "[image]\n[file]\nWhat is it?")


def test_what_tools_of_geminis_server_fed_in_is_input(read):
    uri, asked, said, _ = ANSWERS["gemini"]
    usage = {"promptTokenCount": 30, "toolUsePromptTokenCount": 60, "candidatesTokenCount": 5, "thoughtsTokenCount": 2,
             "totalTokenCount": 97}  # fmt: skip
    call = only(read(paired(uri, asked, {**said, "usageMetadata": usage})))
    assert (call["input_tokens"], call["output_tokens"], call["reasoning_tokens"]) == (90, 7, 2)


def test_a_log_entry_of_bedrock_counts_cached_tokens_once_and_knows_its_latency(read):
    calls = read(*[seed for seed in SEEDS["bedrock"] if seed.get("requestId") == "r2"])
    call = only(calls)
    assert (call["input_tokens"], call["cached_tokens"], call["output_tokens"]) == (13, 4, 3)
    assert (call["latency_ms"], call["ttft_ms"]) == (900.0, 90.0)
    assert call["session_id"] is not None


def test_a_cassette_may_be_yaml_with_compressed_bodies_and_other_requests(tmp_path, redactor):
    uri, asked, said, _ = ANSWERS["ollama"]
    packed = recorded(uri, asked, said)
    packed["response"]["body"]["string"] = gzip.compress(json.dumps(said).encode())
    other = recorded("https://api.example/v1/models", {}, {"data": []})
    path = tmp_path / "cassette.yaml"
    path.write_text(yaml.safe_dump({"interactions": [packed, other], "version": 1}))
    calls = read_calls([path], redactor=redactor)
    assert calls.files.select("format", "records", "calls", "other").row(0) == ("vcr", 2, 1, 1)
    assert "Bearer" not in calls.messages["text"].str.join("").item()


def test_a_yaml_document_that_multiplies_itself_is_refused(tmp_path, redactor):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match="repeats itself by reference"):
        read_calls([path], redactor=redactor)
