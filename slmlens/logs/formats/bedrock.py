"""Bedrock's model invocation log, as S3 or CloudWatch keeps it: InvokeModel and Converse, streams included."""

from __future__ import annotations

from slmlens.logs.cloud import bedrock_calls, is_bedrock
from slmlens.logs.formats.declaration import Format

# docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html (S3 and CloudWatch, text data delivery;
# bodies above 100 kB lie in S3 apart), .../request-metadata.
_SWITCHES = {
    "prompts": "Switch text delivery on in the logging settings; bodies above 100 kB are kept in S3 apart: add them.",
    "answers": "As for prompts.",
    "tokens": "Nothing to set: entries count tokens, but for failed calls.",
    "sessions": 'Send `requestMetadata: {"session_id": ...}` with Converse.',
    "users": 'Send `requestMetadata: {"user_id": ...}` with Converse.',
    "steps": 'Send `requestMetadata: {"step": ...}` with Converse.',
    "services": 'Send `requestMetadata: {"service": ...}` with Converse.',
    "latency": "Use the streaming operations: only they log a latency.",
    "window": "Name the folders of two weeks or more.",
}

FORMAT = Format(
    name="bedrock",
    title="Bedrock's invocation log",
    recognises=is_bedrock,
    prompt_setting="switch text delivery on in Bedrock's logging settings",
    parts=bedrock_calls,
    verified=False,
    switches=_SWITCHES,
)
