"""Which listed model the text of an invoice line means, by the same names as a log's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slmlens.spend.names import provider_id
from slmlens.spend.price import listed_model

_SERVICES = {
    "amazonbedrock": "aws",
    "bedrock": "aws",
    "azureopenai": "azure",
    "azureaifoundry": "azure",
    "cognitiveservices": "azure",
    "foundrymodels": "azure",
    "generativelanguage": "google",
    "vertexai": "google",
    "gemini": "google",
    "anthropic": "anthropic",
    "openai": "openai",
    "mistral": "mistral",
    "groq": "groq",
    "openrouter": "openrouter",
    "together": "together",
    "fireworks": "fireworks",
    "deepseek": "deepseek",
}
"""Words of a service's name on an invoice, signs left out, to providers; the first that stands in it counts."""

_BILLING_WORDS = frozenset(
    [
        "1h", "1k", "1m", "5m", "audio", "batch", "cache", "cached", "cachd", "completion", "count", "cd", "data", "dz",
        "glbl", "global", "in", "inp", "input", "inputs", "million", "model", "out", "outp", "output", "outputs", "opt",
        "per", "prompt", "read", "reads", "regional", "regnl", "standard", "text", "thinking", "token", "tokens",
        "tier", "units", "usage", "write", "writes", "zone", "of", "the", "for", "api",
    ]
)  # fmt: skip
"""What invoices add to a model's name. Nothing else is left out of one, so that no other model is met."""

_MAKERS = frozenset({"amazon", "anthropic", "aws", "azure", "bedrock", "google", "meta", "mistral", "openai", "vertex"})
_PLACE = re.compile(r"^([a-z]{3}\d|[a-z]{2}-[a-z]+-\d)$")
_BEDROCK_FORM = re.compile(r"^((regional|global|us|eu|apac)\.)?(anthropic|amazon|meta|mistral|cohere)\.|-v\d+(:\d+)?$")
_MONTH_DAY = re.compile(r"^(0[1-9]|1[0-2])([0-2]\d|3[01])$")


def invoice_provider(service: str) -> str | None:
    """Return the provider that a service's name on an invoice means, or None where it can't be told."""
    bare = re.sub(r"[^a-z0-9]", "", service.lower())
    return provider_id(service) or next((provider for word, provider in _SERVICES.items() if word in bare), None)


def invoice_model(service: str, text: str) -> str | None:
    """Return the model that an invoice line means, as :func:`model_family` names it, or None where it can't be told.

    Only words that invoices add are left out (``input``, ``tokens``, ``glbl``, ...): the rest has to be a whole name.

    :param service: The line's provider or service; may be empty.
    :param text: The line's model or description.
    """
    provider = invoice_provider(service)
    names = list(dict.fromkeys(_names(text)))
    found = (listed_model(at, name) for at in dict.fromkeys((provider, None)) for name in names)
    listed = next((one for one in found if one is not None), None)
    return None if listed is None else model_family(*listed)


def model_family(provider: str, model: str) -> str:
    """Return a model's id without the form that a cloud gives it: ``claude-sonnet-4-5`` on Bedrock as elsewhere.

    :param provider: Id of the price list.
    :param model: Likewise.
    """
    if provider != "aws":
        return model
    bare = _BEDROCK_FORM.sub("", model)
    own = listed_model(None, bare)
    return model if own is None else own[1]


def unlisted_names(text: str) -> tuple[str, ...]:
    """Return the names that a line without a listed model may have in the log, a deployment's for instance."""
    head = text.partition(",")[0].strip().lower()
    return tuple(dict.fromkeys(name for name in (text.strip().lower(), head) if name))


def _names(text: str) -> Iterator[str]:
    plain = text.strip()
    yield plain
    head = plain.partition(",")[0].strip()
    yield head
    words = [word for word in re.split(r"[^a-z0-9.]+", head.lower()) if word]
    while words and (words[0] in _MAKERS or words[0] in _BILLING_WORDS or _PLACE.match(words[0])):
        words = words[1:]
    yield "-".join(words)
    while words and words[-1] in _BILLING_WORDS:
        words = words[:-1]
        yield "-".join(words)
    if words and _MONTH_DAY.match(words[-1]):
        yield "-".join(words[:-1])
