"""VCR cassettes (YAML or JSON) of tests that recorded their calls: the bodies of any provider, without times."""

from __future__ import annotations

from slmlens.logs.cassettes import is_cassette, parts
from slmlens.logs.formats.declaration import Format

_NEVER = "Nothing to set: a cassette holds no %s."

_SWITCHES = {
    "prompts": "Record request bodies: leave `filter_post_data_parameters` and `before_record_request` off.",
    "answers": "Record response bodies as text: `decode_compressed_response=True`.",
    "tokens": 'Record streams with usage: `stream_options: {"include_usage": true}`.',
    "sessions": _NEVER % "sessions",
    "users": _NEVER % "users",
    "traces": _NEVER % "traces",
    "steps": _NEVER % "steps",
    "services": _NEVER % "services",
    "times": _NEVER % "times but those of the answers",
    "latency": _NEVER % "latencies",
    "window": _NEVER % "window of time",
}

FORMAT = Format(
    name="vcr",
    title="VCR cassettes",
    recognises=is_cassette,
    request_at=("request",),
    response_at=("response",),
    prompt_setting="record the bodies of the requests",
    parts=parts,
    switches=_SWITCHES,
)
