"""VCR cassettes (YAML or JSON) of tests that recorded their calls: the bodies of any provider, without times."""

from __future__ import annotations

from slmlens.logs.cassettes import is_cassette, parts
from slmlens.logs.formats.declaration import Format, not_held

_SWITCHES = {
    "prompts": "Record request bodies: leave `filter_post_data_parameters` and `before_record_request` off.",
    "answers": "Record response bodies as text: `decode_compressed_response=True`.",
    "tokens": 'Record streams with usage: `stream_options: {"include_usage": true}`.',
    **not_held("sessions", "users", "traces", "steps", "services", "times", "latency", "window"),
}

FORMAT = Format(
    name="vcr",
    title="VCR cassettes",
    recognises=is_cassette,
    prompt_setting="record the bodies of the requests",
    parts=parts,
    switches=_SWITCHES,
)
