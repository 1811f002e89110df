"""Prompts asked of a model behind an OpenAI-compatible endpoint, by OpenAI's client: paced, retried, never redirected.

Nothing but the request and the key is sent: the client's other headers (its version, the machine's system, what its
environment variables say of an organisation) are taken off.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from slmlens.errors import EndpointError, MissingExtraError, SettingError
from slmlens.logs.exchange import NotACallError
from slmlens.logs.tokens import DEFAULT_BYTES_PER_TOKEN
from slmlens.suitability.answers import Answer
from slmlens.suitability.pilot_answers import answer_in
from slmlens.suitability.pilot_chat import ChatRequest
from slmlens.tasks.address import KEY_VARIABLE, Address

if TYPE_CHECKING:
    import openai

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 120.0
"""Seconds for which nobody asks after "too many requests" that does not say how long, and at most if it does."""
_FIRST_GAP, _LONGEST_GAP, _EASING = 0.25, 30.0, 0.8
_TOO_MANY, _UNAVAILABLE = 429, 503
_REFUSED = frozenset({401, 403})
_MISSING = 404
_REDIRECTS = range(300, 400)
_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "authorization"}
)
_OTHER_NAME = {"max_tokens": "max_completion_tokens"}
_DIALECTS = 3
_PLAIN_WORD = re.compile(r"[\w.\[\]-]{1,60}")
_TOO_LONG = re.compile(
    r"context[ _]?(length|window|size)|maximum context|(input|prompt) is too long|exceeds? the (model|context)|"
    r"too many (input )?tokens|max_model_len|n_ctx",
    re.IGNORECASE,
)
_FILTERED = frozenset({"content_filter", "content_policy_violation"})


@dataclass(frozen=True)
class Asking:
    """How an endpoint is asked, and how far.

    :param max_calls: Prompts that one command asks at most. 60 is the first look whose evidence has grade A, and its
        least: a model that fails is known by then, at a quarter of the whole sample's cost.
    :param max_usd: Dollars that one command may cost at most; None: no bound.
    :param price_in: Dollars a million input tokens; None: from the price lists.
    :param price_out: Dollars a million output tokens.
    :param max_tokens: Tokens of an answer at most; None: from the task's own answers.
    :param at_once: Prompts under way at a time.
    :param per_minute: Requests a minute at most; None: no bound but the endpoint's.
    :param timeout: Seconds after which an answer is given up.
    :param retries: How often a request that failed for the moment is sent again; ``Retry-After`` is kept to.
    """

    max_calls: int = 60
    max_usd: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    max_tokens: int | None = None
    at_once: int = 4
    per_minute: float | None = None
    timeout: float = 120.0
    retries: int = 4

    def check(self) -> None:
        """Refuse what can't be meant.

        :raises SettingError: If a number is out of range.
        """
        for name, value, least in (
            ("max-calls", self.max_calls, 1),
            ("max-tokens", self.max_tokens, 1),
            ("at-once", self.at_once, 1),
            ("retries", self.retries, 0),
            ("price-in", self.price_in, 0),
            ("price-out", self.price_out, 0),
        ):
            if value is not None and not value >= least:
                raise SettingError(f"{value} is too small", where=f"--{name}", next_step=f"give at least {least}")
        for name, amount in (("max-usd", self.max_usd), ("per-minute", self.per_minute), ("timeout", self.timeout)):
            if amount is not None and not 0 < amount < float("inf"):
                raise SettingError(
                    f"{amount} is no amount", where=f"--{name}", next_step="give a number above zero, or leave it out"
                )


@dataclass(frozen=True)
class Reply:
    """What came back for a prompt.

    :param answer: The answer; None: the model gave none.
    :param input_tokens: As the endpoint counts; None: it does not say.
    :param output_tokens: As the endpoint counts, else estimated from the answer.
    :param cut: The answer was cut at the most tokens asked for.
    :param too_long: The prompt was longer than the model's context.
    """

    answer: Answer | None
    input_tokens: int | None = None
    output_tokens: int = 0
    cut: bool = False
    too_long: bool = False


class Pace:
    """When the next request may go out, for all workers together.

    :param per_minute: Requests a minute at most; None: no bound.
    """

    def __init__(self, per_minute: float | None = None) -> None:
        self._least = self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = self._held_until = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def wait(self) -> None:
        """Return when a request may go out.

        :raises EndpointError: If none may any more.
        """
        while (left := self._take()) > 0 and not self._over.is_set():
            self._over.wait(left)
        if self._over.is_set():
            raise EndpointError("no further request is sent")

    def end(self) -> None:
        """Let no further request go out."""
        self._over.set()

    def hold(self, seconds: float) -> None:
        """Let nobody ask for some time, and all ask more slowly after it."""
        with self._lock:
            now = time.monotonic()
            if now >= self._held_until:  # requests that were under way together are refused together
                self._gap = min(max(2 * self._gap, _FIRST_GAP), max(_LONGEST_GAP, self._least))
            self._held_until = max(self._held_until, now + min(seconds, LONGEST_PAUSE))
            self._next = max(self._next, self._held_until)

    def ease(self) -> None:
        """Ask somewhat faster again, because a request went through."""
        with self._lock:
            self._gap = max(self._least, _EASING * self._gap if self._gap > _FIRST_GAP / 2 else 0.0)

    def _take(self) -> float:
        with self._lock:
            now = time.monotonic()
            if now >= self._next:
                self._next = now + self._gap
                return 0.0
            return self._next - now


@dataclass
class AskedModel:
    """A model at an address, safe to ask from several threads.

    :param address: Where it is.
    :param model: Its name there.
    :param asking: How it is asked.
    :param max_tokens: Tokens of an answer at most.
    :raises MissingExtraError: If OpenAI's client is not installed.
    """

    address: Address
    model: str
    asking: Asking
    max_tokens: int
    without: frozenset[str] = frozenset()
    _client: openai.OpenAI = field(init=False, repr=False)
    _pace: Pace = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pace = Pace(self.asking.per_minute)
        self._client = _client(self.address, self.asking, self._pace)

    def close(self) -> None:
        """Send nothing more and close the connections."""
        self._pace.end()
        self._client.close()

    def ask(self, request: ChatRequest) -> Reply:
        """Return the model's answer to a prompt.

        A prompt longer than the model's context, and one that the endpoint's filter refuses, are failures of the model
        as it is offered. Whatever else goes wrong says nothing of the model.

        :raises EndpointError: If there is no answer for a reason that is not the model's.
        """
        import openai

        try:
            body = _completion(self._answered(request))
            answer = answer_in(body, request.names)
        except openai.APIStatusError as cause:
            if _is_too_long(cause):
                return Reply(None, too_long=True)
            if cause.code in _FILTERED:
                return Reply(None)
            raise self._refusal(cause) from None
        except openai.APITimeoutError:
            raise self._broken(
                f"there was no answer within {self.asking.timeout:g} s",
                "give it longer (--timeout) or ask fewer at once",
            ) from None
        except openai.APIConnectionError:
            raise self._broken(
                "there is no connection", "see whether the endpoint is up and its address right"
            ) from None
        except (openai.OpenAIError, NotACallError, ValueError):
            raise self._broken(
                "what came back is no chat completion", "give the base address, often one with /v1"
            ) from None
        return _reply(body, answer)

    def _answered(self, request: ChatRequest) -> object:
        """Send the request, without the options that this endpoint does not know."""
        import openai

        for _ in range(_DIALECTS):
            try:
                return self._client.post("/chat/completions", body=self._body(request), cast_to=object)
            except openai.BadRequestError as cause:
                if not self._understood(cause):
                    raise
        return self._client.post("/chat/completions", body=self._body(request), cast_to=object)

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        options: dict[str, Any] = {"max_tokens": self.max_tokens, "temperature": 0}
        known = {_OTHER_NAME.get(name, name) if name in self.without else name: options[name] for name in options}
        kept = {name: value for name, value in known.items() if name not in self.without}
        tools = {"tools": request.tools} if request.tools else {}
        return {"model": self.model, "messages": request.messages, **tools, **kept}

    def _understood(self, cause: openai.BadRequestError) -> bool:
        """Leave out the option that an endpoint refuses: newer models of OpenAI know no max_tokens or temperature."""
        name = cause.param
        if name not in {"max_tokens", "temperature"} or name in self.without:
            return False
        self.without |= {name}
        return True

    def _refusal(self, cause: openai.APIStatusError) -> EndpointError:
        code = cause.status_code
        told = f"HTTP {code}{''.join(f', {word}' for word in (cause.code, cause.param) if _plain(word))}"
        if code in _REDIRECTS:
            return self._broken(
                f"it leads elsewhere ({told}), and nothing is sent to an address that you did not name",
                "name the address that it leads to, if you trust it",
            )
        if code in _REFUSED:
            key = "the key was refused" if self.address.key else "it wants a key, and none was sent"
            return self._broken(
                f"{key} ({told})", f"set {KEY_VARIABLE}; it is sent over https and to this machine only"
            )
        if code == _MISSING:
            return self._broken(f"it knows no such model or path ({told})", "check --model and the base address")
        if code == _TOO_MANY:
            return self._broken(
                f"it takes no more requests for now ({told})", "wait, or ask more slowly (--per-minute, --at-once)"
            )
        if code < 500:  # noqa: PLR2004 - 4xx: the request; 5xx: the server
            return self._broken(
                f"it refuses a request as it is ({told})",
                "check --model, and see its log; a prompt that it can't take can be marked as failed in a file",
            )
        return self._broken(f"it failed ({told})", "try again later")

    def _broken(self, what: str, next_step: str) -> EndpointError:
        return EndpointError(what, where=self.address.host, next_step=next_step)


def _client(address: Address, asking: Asking, pace: Pace) -> openai.OpenAI:
    try:
        import openai
    except ImportError as cause:
        raise MissingExtraError(
            "asking an endpoint needs OpenAI's client, which is not installed",
            where="--endpoint",
            next_step='install it with: pip install "slmlens[tune]"',
        ) from cause

    def before(request: Any) -> None:  # noqa: ANN401 - of httpx or its successor, as the client has it
        for name in [name for name in request.headers if name.lower() not in _HEADERS]:
            del request.headers[name]
        if address.key is None:
            request.headers.pop("authorization", None)
        pace.wait()

    def after(response: Any) -> None:  # noqa: ANN401 - the same
        if response.status_code in {_TOO_MANY, _UNAVAILABLE}:
            pace.hold(_seconds(response.headers))
        elif response.is_success:
            pace.ease()

    http_client = openai.DefaultHttpxClient(
        follow_redirects=False,
        trust_env=not address.on_this_machine,  # proxies of the environment are for other machines
        timeout=asking.timeout,
        event_hooks={"request": [before], "response": [after]},
    )
    return openai.OpenAI(
        api_key=address.key or "none",
        base_url=address.url,
        timeout=asking.timeout,
        max_retries=asking.retries,
        http_client=http_client,
    )


def _seconds(headers: Mapping[str, str]) -> float:
    """Return for how long an endpoint asks to be left alone."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(float(headers[name]) / divisor, 0.0)
        except (KeyError, ValueError):
            continue
    return FIRST_PAUSE


def _completion(body: object) -> dict[str, Any]:
    """Return a body that is a chat completion; a page or another service's answer is none, whatever text it holds."""
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list) or not body["choices"]:
        raise NotACallError("no chat completion", rejected=True)
    return body


def _is_too_long(cause: openai.APIStatusError) -> bool:
    if cause.status_code not in {400, 413, 422}:
        return False
    return cause.code == "context_length_exceeded" or bool(_TOO_LONG.search(str(cause)))


def _plain(word: str | None) -> bool:
    return bool(word) and bool(_PLAIN_WORD.fullmatch(word or ""))


def _reply(body: Mapping[str, Any], answer: Answer | None) -> Reply:
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    first = body["choices"][0] if isinstance(body["choices"][0], dict) else {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    inside, out = (count if isinstance(count, int) else None for count in counts)
    if out is None:
        out = math.ceil(len(orjson.dumps(first.get("message"))) / DEFAULT_BYTES_PER_TOKEN)
    return Reply(answer, inside, out, cut=first.get("finish_reason") == "length")
