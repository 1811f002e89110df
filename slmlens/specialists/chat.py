"""Chats as tokens: what a model is shown of a prompt, and the completion it has to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmlens.specialists.base_models import Loaded
from slmlens.suitability.priors import CHARS_PER_TOKEN

Message = Mapping[str, str]
_PROBE = "x"
_MEASURED, _MEASURED_CHARS = 64, 4_000
_ASKED = [{"role": "user", "content": _PROBE}]


@dataclass(frozen=True)
class Tokens:
    """One example as tokens.

    :param prompt: Token ids up to where the model answers.
    :param completion: Token ids of the answer, its end-of-turn token included.
    """

    prompt: list[int]
    completion: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.completion)


def prompt_tokens(loaded: Loaded, messages: Sequence[Message]) -> list[int]:
    """Return the prompt in the model's own chat template, ready to be answered."""
    rendered = _rendered(loaded.tokenizer, messages, answer=True)
    return list(loaded.tokenizer(rendered, add_special_tokens=False)["input_ids"])


def example_tokens(loaded: Loaded, messages: Sequence[Message], completion: str) -> Tokens:
    """Return an example as the model is trained on it."""
    answer = loaded.tokenizer(completion, add_special_tokens=False)["input_ids"]
    return Tokens(prompt_tokens(loaded, messages), [*answer, end_of_turn(loaded.tokenizer)])


def chars_per_token(loaded: Loaded, texts: Sequence[str]) -> float:
    """Return how many characters a token of such texts has: 4 to 5 in prose, 2 to 3 in JSON with ids and numbers."""
    some = [text[:_MEASURED_CHARS] for text in texts[:: max(len(texts) // _MEASURED, 1)]]
    tokens = sum(len(ids) for ids in loaded.tokenizer(some, add_special_tokens=False)["input_ids"]) if some else 0
    return max(sum(map(len, some)) / tokens, 1.0) if tokens else CHARS_PER_TOKEN


def end_of_turn(tokenizer: Any) -> int:  # noqa: ANN401 - transformers is an extra
    """Return the token that ends an answer: what the chat template writes after one, else the tokenizer's own end."""
    asked = _rendered(tokenizer, _ASKED, answer=True)
    answered = _rendered(tokenizer, [*_ASKED, {"role": "assistant", "content": _PROBE}], answer=False)
    if answered.startswith(asked + _PROBE):
        tail = tokenizer(answered[len(asked) + len(_PROBE) :].strip(), add_special_tokens=False)["input_ids"]
        if tail and tail[0] in tokenizer.all_special_ids:
            return int(tail[0])
    return int(tokenizer.eos_token_id)


def _rendered(tokenizer: Any, messages: Sequence[Message], *, answer: bool) -> str:  # noqa: ANN401 - as above
    """Return messages in the chat template; where it knows no system or tool messages, they are told by the user."""
    from jinja2.exceptions import TemplateError

    # Qwen3 and its like think before they answer unless told not to; other templates ignore the switch
    how = {"tokenize": False, "add_generation_prompt": answer, "enable_thinking": False}
    plain = [dict(message) for message in messages]
    try:
        return str(tokenizer.apply_chat_template(plain, **how))
    except TemplateError:
        return str(tokenizer.apply_chat_template(_alternating(plain), **how))


def _alternating(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Return messages of user and assistant in turn: a system message opens the first question."""
    turns: list[dict[str, str]] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += f"\n\n{message['content']}"
        elif role == "user" or turns:
            turns.append({"role": role, "content": message["content"]})
    return turns or [{"role": "user", "content": ""}]
