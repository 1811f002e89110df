"""Which listing of the price list a logged model name means: the provider first, then the model.

Rules are from the naming of the providers themselves and of the gateways and libraries in front of them (LiteLLM's and
Inspect's ``provider/model``, Pydantic AI's and LangChain's ``provider:model``, Portkey's ``@provider/model``, the AI
SDK's ``openai.chat``, Bedrock's regional ids and ARNs, Vertex's ``@date``, Fireworks' ``accounts/`` paths, the provider
names of OpenTelemetry's generative-AI conventions). A name that can't be placed stays unpriced; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_HINTS = {
    "amazon-bedrock": "aws",
    "amazon_bedrock": "aws",
    "anthropic": "anthropic",
    "aws": "aws",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure": "azure",
    "azure-openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_ai_foundry": "azure",
    "azure_openai": "azure",
    "azureopenai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "cohere": "cohere",
    "databricks": "databricks",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "github_copilot": "github-copilot",
    "google": "google",
    "google-ai-studio": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "groq": "groq",
    "mistral": "mistral",
    "mistral-ai": "mistral",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "moonshotai": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "text-completion-openai": "openai",
    "together": "together",
    "together-ai": "together",
    "together_ai": "together",
    "togetherai": "together",
    "vertex": "google",
    "vertex-ai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "workers-ai": "cloudflare",
    "x-ai": "x-ai",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "z-ai": "zai",
    "zai": "zai",
}
"""Provider names as logs write them, to provider ids of the price list."""

_SELF_HOSTED = frozenset(
    {
        "hf",
        "hosted_vllm",
        "llama-cpp-python",
        "llama_cpp",
        "llamacpp",
        "lm_studio",
        "lmstudio",
        "local",
        "mockllm",
        "ollama",
        "ollama_chat",
        "sglang",
        "tgi",
        "vllm",
    }
)
"""The model runs on the user's own machines: no list price applies."""

_GATEWAYS = frozenset(
    {"gateway", "github", "github_models", "helicone", "litellm", "litellm_proxy", "openai-api", "vercel_ai_gateway"}
)
"""Heads that say through what a call went and not who served it; GitHub Models bills the vendors' list prices."""

_BEHIND_HUGGING_FACE = frozenset(
    {
        "cerebras",
        "fireworks-ai",
        "groq",
        "hyperbolic",
        "nebius",
        "novita",
        "nscale",
        "ovhcloud",
        "publicai",
        "sambanova",
        "together",
    }
)

_CLOUDS = frozenset({"azure", "bedrock", "vertex"})
"""Clouds that stand behind a vendor's name (Inspect: ``openai/azure/gpt-4o``, ``anthropic/bedrock/...``)."""

_BEDROCK_ID = re.compile(
    r"^((us|eu|apac|global|jp|au|ca|us-gov)\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen)\.\S"
)
_PATH_HEADS = re.compile(r"^(models/|publishers/[^/]+/models/|projects/.+/models/)")
_CONTEXT_MARK = re.compile(r"\[1m\]$")
_ROUTES = {
    "aws": re.compile(r"^(converse|converse_like|invoke|[a-z]{2}(-gov)?-[a-z]+-\d)/"),
    "azure": re.compile(r"^(responses|us|eu|global|global-standard)/"),
    "openai": re.compile(r"^responses/"),
}
"""What LiteLLM writes between the provider and the model: an API or a region."""


@dataclass(frozen=True)
class Listing:
    """A model of the price list at a provider.

    :param provider: A ``genai_prices.types.Provider``.
    :param model: A ``genai_prices.types.ModelInfo``.
    """

    provider: Any
    model: Any


@dataclass(frozen=True)
class Place:
    """Where a logged name may stand in a price list.

    :param provider: Its id in the price list; None: the name does not tell.
    :param name: The model's name there, in lower case, without the gateway's or library's prefixes.
    """

    provider: str | None
    name: str


def resolve(provider: str | None, model: str | None) -> Listing | None:
    """Return the listing a logged (provider, model) means, or None where it can't be told.

    :param provider: What the log calls the provider; None: it does not say. An unknown name counts as a gateway.
    :param model: The model's name as logged.
    """
    return next((found for place in places(provider, model) if (found := listing_at(place)) is not None), None)


def places(provider: str | None, model: str | None) -> tuple[Place, ...]:
    """Return where a logged (provider, model) may be listed, in the order to look; none for a self-hosted model."""
    if model is None or not model.strip():
        return ()
    name = _CONTEXT_MARK.sub("", unquote(model.strip()).lower())
    hint = (provider or "").strip().lower()
    if hint in _SELF_HOSTED:
        return ()
    return tuple(dict.fromkeys(_places(hint, name)))


def provider_id(hint: str | None) -> str | None:
    """Return the price list's id of what a log calls the provider; None: not said, or not known."""
    told = (hint or "").strip().lower()
    return _HINTS.get(told) or _HINTS.get(told.partition(".")[0])


def provider_at(url: str) -> str | None:
    """Return the price list's id of the provider whose endpoints have such an address; None: of none it knows."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        return str(get_snapshot().find_provider(None, None, url).id)
    except LookupError:
        return None


def listing_at(place: Place) -> Listing | None:
    """Return what the price list has at a place."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        found, info = get_snapshot().find_provider_model(place.name, None, place.provider, None)
    except LookupError:
        return None
    return Listing(found, info)


def _places(hint: str, name: str) -> Iterator[Place]:
    known = provider_id(hint)
    if hint.startswith("huggingface"):
        known, name = _through_hugging_face(hint, name)
        if known is None:
            return
    if known is None:
        yield from _by_name(name)
        return
    inner = _without_own_prefix(name, known)
    cloud = inner.partition("/")[0]
    if cloud in _CLOUDS and _HINTS[cloud] != known:
        yield from _by_name(inner)
        return
    yield Place(known, inner)
    if known == "openai":
        # OpenAI's client is what most gateways and hosts are called through, so it says little about who serves.
        yield from _by_name(name)


def _by_name(name: str) -> Iterator[Place]:
    if name.startswith("arn:aws:bedrock"):
        yield Place("aws", name.rsplit("/", maxsplit=1)[-1])
        return
    told = _told_by_shape(name)
    if told is not None:
        yield Place(told, name)
        return
    bare = _PATH_HEADS.sub("", name)
    head, mark, tail = _split(bare)
    if not mark:
        yield Place(None, bare)
    elif head in _GATEWAYS:
        yield from _by_name(tail)
    elif head == "huggingface" or head in _HINTS:
        yield from _places(head, tail)


def _split(name: str) -> tuple[str, str, str]:
    """Split ``provider/model``, ``provider:model`` and ``@provider/model`` into provider, mark and model.

    A colon counts only after a provider's name: ``llama3:8b`` and ``gpt-4o:free`` have another meaning.
    """
    head, slash, tail = name.partition("/")
    before, colon, after = name.partition(":")
    if colon and (before in _HINTS or before in _SELF_HOSTED):
        return before, colon, after
    return head.removeprefix("@"), slash, tail


def _told_by_shape(name: str) -> str | None:
    if name.startswith("accounts/fireworks/"):
        return "fireworks"
    if name.startswith("@cf/"):
        return "cloudflare"
    if name.startswith("ft:"):
        return "openai"
    return "aws" if _BEDROCK_ID.match(name) else None


def _through_hugging_face(hint: str, name: str) -> tuple[str | None, str]:
    """Return the host behind Hugging Face's router (``model:groq``, ``together/model``), which sets the price."""
    if hint != "huggingface":
        return hint, name
    model, _, host = name.rpartition(":")
    if not model:
        host, _, model = name.partition("/")
    return (f"huggingface_{host}", model) if host in _BEHIND_HUGGING_FACE else (None, name)


def _without_own_prefix(name: str, provider: str) -> str:
    if provider == "aws" and name.startswith("arn:"):
        return name.rsplit("/", maxsplit=1)[-1]
    name = name if provider == "fireworks" else _PATH_HEADS.sub("", name)
    head, mark, tail = _split(name)
    if mark and _HINTS.get(head) == provider:
        return _without_own_prefix(tail, provider)
    route = _ROUTES.get(provider)
    return route.sub("", name) if route else name
