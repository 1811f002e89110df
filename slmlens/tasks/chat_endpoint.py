"""One question to a model behind an OpenAI-compatible chat endpoint that the user names.

Nothing but the question, the model's name and the key is sent, to that address alone: a redirect is not followed, and
no proxy is asked for an address on this machine. The standard library suffices, so naming needs no further package.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from slmlens.errors import SettingError
from slmlens.tasks.address import address_of, is_loopback

MAX_BYTES = 1_000_000
"""Bytes of an answer that are read."""

Message = Mapping[str, str]


class NoAnswerError(Exception):
    """The endpoint gave no usable answer; the text says why, in a few words that hold nothing of the question."""


@dataclass(frozen=True)
class ChatEndpoint:
    """A model at an address.

    :param url: The base address, with its scheme and without ``/chat/completions``: ``https://api.openai.com/v1``.
    :param model: The model's name there.
    :param key: Sent as a bearer token; None: none is sent.
    :param timeout: Seconds after which an answer is given up.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 60.0

    @property
    def host(self) -> str:
        """Host and port, for a reader."""
        return urlsplit(self.url).netloc

    def ask(self, messages: Sequence[Message]) -> str:
        """Return the text of the model's answer.

        :param messages: ``role`` and ``content`` of each.
        :raises NoAnswerError: If there is none: no connection, no answer in time, an error code, or not the protocol.
        """
        body = json.dumps({"model": self.model, "messages": list(messages)}).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = urllib.request.Request(f"{self.url}/chat/completions", body, headers)  # noqa: S310 - http(s) only: endpoint_of
        proxies = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(self.url)) else []
        try:
            with urllib.request.build_opener(_NoRedirect, *proxies).open(request, timeout=self.timeout) as answer:
                return _text_of(_read(answer, self.timeout))
        except HTTPError as cause:
            raise NoAnswerError(f"HTTP {cause.code}") from cause
        except TimeoutError as cause:
            raise NoAnswerError("no answer in time") from cause
        except (OSError, http.client.HTTPException) as cause:
            slow = isinstance(getattr(cause, "reason", None), TimeoutError)
            raise NoAnswerError("no answer in time" if slow else "no connection") from cause


def endpoint_of(url: str | None, model: str | None, environment: Mapping[str, str] = os.environ) -> ChatEndpoint | None:
    """Return the endpoint that a user names; None where none is named.

    The key is taken from ``OPENAI_API_KEY``. It is not sent unencrypted to another machine.

    :param environment: Environment variables.
    :raises SettingError: If only one of address and model is given, or the address can't be used.
    """
    if url is None and model is None:
        return None
    if not url or not model:
        raise SettingError(
            "an address and a model belong together",
            where="--name-with, --name-model",
            next_step="give both, or neither",
        )
    named = address_of(url, option="--name-with", environment=environment)
    return ChatEndpoint(named.url, model, named.key)


def _read(answer: http.client.HTTPResponse, seconds: float) -> bytes:
    """Read an answer to its end, or as much as a name could need.

    :raises TimeoutError: If it trickles in for longer than it may take.
    """
    last = time.monotonic() + seconds
    body = bytearray()
    while len(body) < MAX_BYTES and (piece := answer.read1(MAX_BYTES)):
        body += piece
        if time.monotonic() > last:
            raise TimeoutError
    return bytes(body)


def _text_of(body: bytes) -> str:
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as cause:
        raise NoAnswerError("not a chat completion") from cause
    if not isinstance(text, str):
        raise NoAnswerError("an answer without text")
    return text


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treat a redirect as an error: the user named one address, and the key is for that one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        del req, fp, code, msg, headers, newurl
