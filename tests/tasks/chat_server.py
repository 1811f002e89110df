"""A model behind a real HTTP server on loopback that speaks the chat protocol, as a user's endpoint does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Response:
    """A response as it is sent, for what a text, a body or a status alone can't say."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[dict[str, Any]], str | bytes | int | Iterator[bytes] | Response]
"""From a request's body: the model's text, or a raw body, or that of a stream piece by piece, or an HTTP status (3xx
leads elsewhere), or a whole response."""


@dataclass
class ChatServer:
    """What the server was sent.

    :param url: Base address to name to the client.
    :param bodies: Bodies of all requests.
    :param keys: Their Authorization headers.
    :param paths: Their paths.
    :param headers: The names of their headers, in lower case.
    :param times: When they came in, in seconds.
    """

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[set[str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def questions(self) -> list[dict[str, Any]]:
        """What was asked of each task."""
        return [json.loads(body["messages"][-1]["content"]) for body in self.bodies]


@contextmanager
def chat_server(answer: Answer) -> Iterator[ChatServer]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.bodies.append(body)
            served.keys.append(self.headers["Authorization"])
            served.paths.append(self.path)
            served.headers.append({name.lower() for name in self.headers})
            served.times.append(time.monotonic())
            said = answer(body)
            if isinstance(said, int):
                self.send_response(said)
                self.send_header("Location", "/v1/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if isinstance(said, Iterator):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for piece in said:
                    self.wfile.write(piece)
                    self.wfile.flush()
                return
            if isinstance(said, str):
                message = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                said = json.dumps({"object": "chat.completion", "choices": [message]}).encode()
            status, headers = 200, dict[str, str]()
            if isinstance(said, Response):
                status, headers, said = said.status, said.headers, json.dumps(said.body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # a client that waits no longer
                self.wfile.write(said)

        def do_GET(self) -> None:
            served.paths.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = ChatServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
