"""Batch jobs of OpenAI and Anthropic: input lines, output lines and error lines, joined by ``custom_id``.

They are billed at the batch rate. An output without its input has no prompts.
"""

from __future__ import annotations

from slmlens.logs.formats.declaration import Batch, Format, Record

_KEYS = Batch(id="custom_id", request_at=("body", "params"), response_at=("response", "result", "error"))


def _recognises(record: Record) -> bool:
    return "custom_id" in record and any(key in record for key in (*_KEYS.request_at, *_KEYS.response_at))


# developers.openai.com/api/docs/guides/batch.
_SWITCHES = {
    "prompts": "Name the batch's input file beside its output: they are joined by `custom_id`.",
    "answers": "Name the batch's output file (and error file) beside its input.",
    "tokens": "Name the output file: `response.body.usage` stands there.",
    "model": "Name the output file, or set `body.model` in the input.",
    "price": "Set `body.model` to the vendor's name.",
    "sessions": "Set `body.metadata.session_id` on the requests that belong together.",
    "users": "Set `body.safety_identifier` (before: `body.user`) in each request.",
    "traces": "Set `body.metadata.trace_id` in each request.",
    "steps": "Set `body.metadata.step` in each request.",
    "services": "Set `body.metadata.service` in each request.",
    "times": "Name the output file: `response.body.created` is the only time of a batch call.",
    "latency": "Nothing to set: a batch has no time per call.",
    "tools": "Name the input file: it holds `body.tools`.",
    "window": "Name the files of two weeks or more of batches.",
}

FORMAT = Format(
    name="openai_batch",
    title="batch jobs of OpenAI and Anthropic",
    recognises=_recognises,
    prompt_setting="name the batch's input file beside its output",
    batch=_KEYS,
    switches=_SWITCHES,
)
