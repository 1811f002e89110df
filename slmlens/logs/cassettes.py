"""VCR cassettes: requests and answers as a test recorded them, with whatever encoding the wire had."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Mapping

from slmlens.logs.decode import decode_text
from slmlens.logs.exchange import Body, string
from slmlens.logs.framework_messages import object_of
from slmlens.logs.provider_bodies import is_llm_url, recorded
from slmlens.logs.trajectories import listed

Record = Mapping[str, object]

_GZIP_BASE64 = "H4sI"
_LARGEST_BODY = 64 << 20


def is_cassette(record: Record) -> bool:
    """Tell whether a record is a cassette or one of its interactions.

    :param record: ``{interactions: [...]}``, or ``{request: {method, uri}, response: {status}}``.
    """
    interactions = record.get("interactions")
    if isinstance(interactions, list):
        return any(_is_interaction(object_of(one)) for one in interactions[:5])
    return _is_interaction(record)


def parts(record: Record) -> Iterator[Record]:
    """Yield the calls of a cassette; requests to other addresses than a language model's are none.

    :param record: A cassette or an interaction.
    """
    interactions = record.get("interactions")
    for one in listed(interactions) if isinstance(interactions, list) else [dict(record)]:
        asked, answered = object_of(one.get("request")), object_of(one.get("response"))
        url = string(asked.get("uri")) or string(asked.get("url"))
        if not is_llm_url(url):
            continue
        status = answered.get("status")
        code = object_of(status).get("code") if isinstance(status, dict) else status
        call = dict(recorded(_body(asked), _body(answered), url))
        if isinstance(code, int) and code >= 400:  # noqa: PLR2004 - HTTP's own bound
            call["error"] = f"HTTP {code}"
        yield {**call, "url": url}


def _is_interaction(record: Record) -> bool:
    asked, answered = object_of(record.get("request")), object_of(record.get("response"))
    return "method" in asked and ("uri" in asked or "url" in asked) and "status" in answered


def _body(held: Body) -> object:
    """Return a body: parsed already, a text, or compressed bytes in base64."""
    if held.get("parsed_body") is not None:
        return held["parsed_body"]
    raw = held.get("body", held.get("content"))
    if isinstance(raw, dict):
        raw = raw.get("string", raw.get("base64_string", raw))
    text = _inflated(raw) if isinstance(raw, str) and raw.startswith(_GZIP_BASE64) else raw
    return decode_text(text.strip()) if isinstance(text, str) and text.lstrip()[:1] in ("{", "[") else text


def _inflated(raw: str) -> str:
    try:
        held = zlib.decompressobj(31).decompress(base64.b64decode(raw), _LARGEST_BODY)
    except (binascii.Error, ValueError, zlib.error):
        return raw
    return held.decode("utf-8", "replace")
