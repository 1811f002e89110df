"""A pilot at an endpoint: which prompts are asked, what leaves and what it may cost, grades kept as answers come in."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from slmlens.errors import EndpointError, SettingError
from slmlens.logs.tokens import DEFAULT_BYTES_PER_TOKEN
from slmlens.pilots.asking import AskedModel, Asking, Reply
from slmlens.pilots.asking_price import TokenPrice, token_price
from slmlens.pilots.grading import Drawn, grade_and_keep, graded_name, graded_so_far, keep_sample
from slmlens.pilots.source import Raw, raw_of
from slmlens.savings.catalogue import small_models
from slmlens.settings import price_book, stored_settings
from slmlens.spend.price_book import PriceBook, open_book
from slmlens.suitability.answers import Answer
from slmlens.suitability.observe import Observed
from slmlens.suitability.pilot import TUNED
from slmlens.suitability.pilot_chat import ChatRequest, chat_request
from slmlens.suitability.pilot_prompts import as_lines, pilot_prompts
from slmlens.suitability.posterior import LOOKS
from slmlens.tasks.address import Address, address_of

if TYPE_CHECKING:
    from slmlens.stages import Paths

BLOCK = 10
"""Grades are kept after so many answers: a killed run asks these and those under way again, no more."""
_LONG_ANSWER, _ROOM = 0.99, 1.5
_LEAST_TOKENS, _MOST_TOKENS = 128, 8_192
"""Bounds of what an answer may take, if the user states none: half as much again as the longest answers of the present
model, since another model's tokens are others, and never so little that a short label with a word too many is cut."""

Notice = Callable[[str], None]
Step = Callable[[int, int], None]
"""Called with the prompts answered and the prompts to ask."""


@dataclass(frozen=True)
class Question:
    """A prompt to ask.

    :param prompt_id: Its id.
    :param request: What is sent.
    :param tokens: About how many tokens that is.
    """

    prompt_id: str
    request: ChatRequest
    tokens: int


@dataclass
class Tally:
    """What was asked and what came of it.

    :param given: Answers by prompt id; None: the model gave none.
    :param usd: Dollars spent; stays zero where no price is known.
    """

    given: dict[str, Answer | None] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    cut: int = 0
    too_long: int = 0
    out_of_money: bool = False

    def add(self, question: Question, reply: Reply, price: TokenPrice | None) -> None:
        """Count a reply; a prompt that the endpoint refused costs nothing."""
        inside = question.tokens if reply.input_tokens is None else reply.input_tokens
        inside = 0 if reply.too_long else inside
        out = reply.output_tokens
        self.given[question.prompt_id] = reply.answer
        self.input_tokens += inside
        self.output_tokens += out
        self.usd += price.usd(inside, out) if price else 0.0
        self.cut += reply.cut
        self.too_long += reply.too_long


@dataclass(frozen=True)
class AtEndpoint:
    """A pilot of a task at an endpoint, ready to be asked.

    :param drawn: The task with its sample.
    :param model: The model there, its price and how it is asked.
    :param slm: The model's name in the grades.
    :param mode: ``swap`` or ``tuned``.
    :param questions: What to ask, in order.
    :param price: None: not known.
    :param raw: The calls before redaction; None: redacted prompts are asked.
    """

    drawn: Drawn
    model: AskedModel
    slm: str
    mode: str
    questions: tuple[Question, ...]
    price: TokenPrice | None
    raw: Raw | None

    @property
    def asking(self) -> Asking:
        """How it is asked."""
        return self.model.asking

    @property
    def reference(self) -> Observed | None:
        """What answers are graded against; None: the answers that the run stores."""
        return self.raw.reference if self.raw else None

    def leaving_in_words(self) -> str:
        """Return, before anything is sent, what leaves the machine, where to, and what it may cost."""
        n = len(self.questions)
        tokens = sum(question.tokens for question in self.questions)
        out = n * _usual_tokens(self.drawn)
        address = self.model.address
        what = "raw, with personal data as logged" if self.raw else "redacted as the run stores them"
        key = "with your key" if address.key else "without a key"
        leaves = "stay on this machine: they go" if address.on_this_machine else "are sent"
        cost = "cost unknown: no price of it is known" if self.price is None else self._cost(tokens, out, self.price)
        name = reported_name(self.model.model)
        return (
            f"{n} prompts, {what}, about {tokens:,} tokens, {leaves} to {name} at {address.host}, {key}; "
            f"{cost}. The present model's answers are not sent. Grades are kept, answers are not.{self._beyond(name)}"
        )

    def asked(self, step: Step | None = None) -> Tally:
        """Ask, keep the grades block by block, and return what came of it.

        Answers count in the order of the sample, so that a run that is killed has passed over no prompt.

        :raises EndpointError: If the endpoint can't be asked any more; grades so far are kept.
        """
        tally, kept = Tally(), 0
        try:
            for question, reply in _replies(self, tally):
                tally.add(question, reply, self.price)
                if step is not None:
                    step(len(tally.given), len(self.questions))
                if len(tally.given) - kept >= BLOCK:
                    self._keep(tally.given)
                    kept = len(tally.given)
        except EndpointError as cause:
            raise self._stopped(cause, len(tally.given)) from None
        finally:
            self.model.close()
            if len(tally.given) > kept:
                self._keep(tally.given)
        return tally

    def worst_usd(self, question: Question) -> float:
        """Return what a prompt costs at most."""
        return self.price.usd(question.tokens, self.model.max_tokens) if self.price else 0.0

    def asked_in_words(self, tally: Tally) -> str:
        """Return what was asked and what came of it."""
        n = len(tally.given)
        if not n:
            return "Every prompt of this task was answered before; nothing was sent."
        cost = f", about {_usd(tally.usd)} ({self.price.source})" if self.price and self.price.usd(1, 1) else ""
        tokens = f"{tally.input_tokens:,} tokens in, {tally.output_tokens:,} out"
        said = [f"{n} prompts asked at {self.model.address.host}: {tokens}{cost}."]
        without = sum(answer is None for answer in tally.given.values()) - tally.too_long
        if tally.too_long:
            said.append(f"{tally.too_long} were longer than the model's context and count as wrong.")
        if without:
            said.append(f"{without} got no answer from the model and count as wrong.")
        if tally.cut:
            most = self.model.max_tokens
            said.append(
                f"{tally.cut} answers were cut at {most:,} tokens: --max-tokens gives a model more, to think say."
            )
        if tally.out_of_money:
            said.append(f"The next could have gone over {_usd(self.asking.max_usd or 0.0)} (--max-usd), so it stopped.")
        return " ".join(said)

    def _beyond(self, name: str) -> str:
        """Say how many prompts look too long for a model of the catalogue."""
        window = next((one.context_window for one in small_models() if one.name.casefold() == name.casefold()), None)
        longer = sum(question.tokens > window for question in self.questions) if window else 0
        return f" {longer} look longer than its context of {window:,} tokens." if longer else ""

    def _cost(self, tokens: float, out: float, price: TokenPrice) -> str:
        if not price.usd(1, 1):
            return f"no cost a token ({price.source})"
        most = sum(self.worst_usd(question) for question in self.questions)
        bound = f", and it stops before {_usd(self.asking.max_usd)}" if self.asking.max_usd else ""
        return f"about {_usd(price.usd(tokens, out))}, at most {_usd(most)} ({price.source}){bound}"

    def _keep(self, given: Mapping[str, Answer | None]) -> None:
        if self.drawn.run is not None and given:
            grade_and_keep(self.drawn, given, slm=self.slm, mode=self.mode, reference=self.reference)

    def _stopped(self, cause: EndpointError, n: int) -> EndpointError:
        if not n:
            return EndpointError(
                f"{cause.what}; nothing counts as wrong for it", where=cause.where, next_step=cause.next_step
            )
        kept = f"grades of {n} answers are kept" if self.drawn.run is not None else "nothing is kept without a run"
        return EndpointError(
            f"{cause.what}; nothing counts as wrong for it, and {kept}",
            where=cause.where,
            next_step=f"{cause.next_step}; the same command goes on where it stopped",
        )


def asked_at_endpoint(
    drawn: Drawn,
    url: str,
    model: str,
    *,
    mode: str,
    asking: Asking | None = None,
    from_source: Paths | None = None,
    say: Notice | None = None,
    step: Step | None = None,
) -> tuple[AtEndpoint, Tally]:
    """Say what leaves, then ask a model at an endpoint, and keep its grades.

    :param url: The endpoint's base address.
    :param model: The model's name there.
    :param from_source: The logs of the run: their raw prompts are asked, and raw answers graded; None: as stored.
    :param say: Gets what leaves, before anything is sent.
    :param step: Called as answers come in.
    :raises SettingError: If address, budget or model can't be used.
    :raises EndpointError: If the endpoint can't be asked; grades so far are kept.
    """
    address = address_of(url, option="--endpoint")
    slm = graded_name(drawn, reported_name(model))
    raw = None if from_source is None else raw_of(drawn, from_source)
    pilot = at_endpoint(drawn, address, model, slm=slm, mode=mode, asking=asking or Asking(), raw=raw)
    if say is not None and pilot.questions:
        say(pilot.leaving_in_words())
    keep_sample(drawn)
    return pilot, pilot.asked(step)


def reported_name(model: str) -> str:
    """Return the name for reports of a model at an endpoint.

    A server of a folder's model calls it by the folder's path, which is shown nowhere; a catalogue's model goes by its
    name there, also where the endpoint has its owner before it.
    """
    plain = model.replace("\\", "/").rstrip("/")
    last = plain.rpartition("/")[2]
    is_path = plain.startswith(("/", "~", ".")) or plain[1:2] == ":"
    known = {one.name.casefold() for one in small_models()}
    return last if is_path or last.casefold() in known else model


def at_endpoint(
    drawn: Drawn, address: Address, model: str, *, slm: str, mode: str, asking: Asking, raw: Raw | None = None
) -> AtEndpoint:
    """Return a pilot ready to be asked: the prompts that are missing up to the farthest look within the budget.

    :param model: The model's name at the endpoint.
    :param slm: Its name in the grades.
    :raises SettingError: If the budget can't be kept to, or not even one prompt fits into it.
    :raises MissingExtraError: If OpenAI's client is not installed.
    """
    asking.check()
    price = token_price(address, model, stated=(asking.price_in, asking.price_out), book=_book(drawn))
    if asking.max_usd is not None and price is None:
        raise SettingError(
            f"a budget in dollars needs a price, and none is known of {model!r} at {address.host}",
            where="--max-usd",
            next_step="state it with --price-in and --price-out, in dollars a million tokens, or give --max-calls",
        )
    asked = AskedModel(address, model, asking, asking.max_tokens or _most_tokens(drawn))
    questions = _questions(drawn, _missing(drawn, slm, mode, asking.max_calls), raw)
    found = AtEndpoint(drawn, asked, slm, mode, questions, price, raw)
    if questions and asking.max_usd is not None and found.worst_usd(questions[0]) > asking.max_usd:
        raise SettingError(
            f"a single prompt could cost {_usd(found.worst_usd(questions[0]))}",
            where="--max-usd",
            next_step="give more, or bound the answers with --max-tokens",
        )
    return found


def _missing(drawn: Drawn, slm: str, mode: str, most: int) -> list[str]:
    """Return the prompts to ask: those without a grade, in order, up to a look where one is within reach."""
    place = "later_position" if mode == TUNED else "position"
    own = graded_so_far(drawn).grades.filter((pl.col("slm") == slm) & (pl.col("mode") == mode))
    counted = drawn.sample.drop_nulls(place).sort(place).filter(pl.col("call_id").is_in(drawn.observed.call_ids))
    if counted.is_empty():
        raise SettingError(
            "none of the prompts is of a later session, and no other counts for a model tuned on this task",
            where=drawn.task_id,
            next_step="pilot another task, or take a longer log",
        )
    left = counted.join(own, on="call_id", how="anti", maintain_order="left").select(place, "call_id").rows()
    reached = [sum(at <= look for at, _ in left) for look in LOOKS]
    n = max((one for one in reached if 0 < one <= most), default=most)
    prompt_of = {call_id: one for one, call_id in drawn.calls.items()}
    return [prompt_of[call_id] for _, call_id in left[:n]]


def _questions(drawn: Drawn, prompts: Sequence[str], raw: Raw | None) -> tuple[Question, ...]:
    tasks = replace(drawn.tasks, calls=raw.calls) if raw else drawn.tasks
    found = []
    for prompt in pilot_prompts(tasks, {drawn.calls[one]: one for one in prompts}):
        request = chat_request(prompt)
        size = len(as_lines([{"messages": request.messages, "tools": request.tools}]).encode())
        found.append(Question(str(prompt["id"]), request, math.ceil(size / DEFAULT_BYTES_PER_TOKEN)))
    return tuple(found)


def _replies(pilot: AtEndpoint, tally: Tally) -> Iterator[tuple[Question, Reply]]:
    """Ask several at a time and yield replies in the order of the questions; none that may go over the budget."""
    budget = pilot.asking.max_usd
    under_way: deque[tuple[Question, Future[Reply]]] = deque()
    pool = ThreadPoolExecutor(pilot.asking.at_once)
    try:
        for question in pilot.questions:
            while under_way and (
                len(under_way) >= 2 * pilot.asking.at_once or _over(pilot, budget, tally, question, under_way)
            ):
                first, reply = under_way.popleft()
                yield first, reply.result()
            if _over(pilot, budget, tally, question, under_way):
                tally.out_of_money = True
                break
            under_way.append((question, pool.submit(pilot.model.ask, question.request)))
        for first, reply in under_way:
            yield first, reply.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _over(
    pilot: AtEndpoint,
    budget: float | None,
    tally: Tally,
    question: Question,
    under_way: deque[tuple[Question, Future[Reply]]],
) -> bool:
    if budget is None:
        return False
    at_most = sum(pilot.worst_usd(one) for one, _ in under_way) + pilot.worst_usd(question)
    return tally.usd + at_most > budget


def _task_calls(drawn: Drawn) -> pl.DataFrame:
    return drawn.tasks.calls.calls.filter(pl.col("call_id").is_in(drawn.observed.call_ids))


def _usual_tokens(drawn: Drawn) -> float:
    mean = _task_calls(drawn).get_column("output_tokens").mean()
    return float(mean) if isinstance(mean, int | float) else float(_LEAST_TOKENS)


def _most_tokens(drawn: Drawn) -> int:
    """Return how many tokens an answer may take, from the present model's longest answers."""
    long = _task_calls(drawn).get_column("output_tokens").quantile(_LONG_ANSWER)
    if long is None:
        return _MOST_TOKENS // 2
    return int(min(max(math.ceil(_ROOM * long), _LEAST_TOKENS), _MOST_TOKENS))


def _book(drawn: Drawn) -> PriceBook:
    if drawn.run is None:
        return open_book()
    return price_book(stored_settings(drawn.run), drawn.run)


def _usd(amount: float) -> str:
    return f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"
