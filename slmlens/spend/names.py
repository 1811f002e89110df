"""Which listing of the price list a logged model name means: the provider first, then the model.

Rules are from the naming of the providers themselves and of the gateways in front of them (LiteLLM's ``provider/model``
prefixes, Bedrock's regional ids and ARNs, Vertex's ``@date``, Fireworks' ``accounts/`` paths, the provider names of
OpenTelemetry's generative-AI conventions). A name that can't be placed stays unpriced; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_HINTS = {
    "anthropic": "anthropic",
    "amazon-bedrock": "aws",
    "aws": "aws",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azureopenai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "groq": "groq",
    "mistral": "mistral",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "together": "together",
    "together_ai": "together",
    "togetherai": "together",
    "x-ai": "x-ai",
    "x_ai": "x-ai",
    "xai": "x-ai",
}
"""Provider names as logs write them, to provider ids of the price list."""

_EXTRA_PREFIXES = {
    "cerebras": "cerebras",
    "databricks": "databricks",
    "github_copilot": "github-copilot",
    "novita": "novita",
}

_SELF_HOSTED = frozenset(
    {
        "hosted_vllm",
        "llama_cpp",
        "llamacpp",
        "lm_studio",
        "lmstudio",
        "local",
        "ollama",
        "ollama_chat",
        "sglang",
        "tgi",
        "vllm",
    }
)
"""The model runs on the user's own machines: no list price applies."""

_BEDROCK_ID = re.compile(
    r"^((us|eu|apac|global|jp|au|ca|us-gov)\.)?(anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen)\.\S"
)
_PATH_HEADS = re.compile(r"^(models/|publishers/[^/]+/models/|projects/.+/models/)")
_CONTEXT_MARK = re.compile(r"\[1m\]$")


@dataclass(frozen=True)
class Listing:
    """A model of the price list at a provider.

    :param provider: A ``genai_prices.types.Provider``.
    :param model: A ``genai_prices.types.ModelInfo``.
    """

    provider: Any
    model: Any


def resolve(provider: str | None, model: str | None) -> Listing | None:
    """Return the listing a logged (provider, model) means, or None where it can't be told.

    :param provider: What the log calls the provider; None: it does not say. An unknown name counts as a gateway.
    :param model: The model's name as logged.
    """
    if model is None or not model.strip():
        return None
    name = _CONTEXT_MARK.sub("", model.strip().lower())
    hint = (provider or "").strip().lower()
    if hint in _SELF_HOSTED:
        return None
    known = _HINTS.get(hint)
    if known is None:
        return _by_name(name)
    found = _at(known, _without_own_prefix(name, known))
    if found is None and known == "openai":
        # OpenAI's client is what most gateways and hosts are called through, so it says little about who serves.
        return _by_name(name)
    return found


def _by_name(name: str) -> Listing | None:
    if name.startswith("arn:aws:bedrock"):
        return _at("aws", name.rsplit("/", maxsplit=1)[-1])
    told = _told_by_shape(name)
    if told is not None:
        return _at(told, name)
    bare = _PATH_HEADS.sub("", name)
    head, slash, tail = bare.partition("/")
    if not slash:
        return _at(None, bare)
    known = None if head in _SELF_HOSTED else _HINTS.get(head) or _EXTRA_PREFIXES.get(head)
    return None if known is None else _at(known, _without_own_prefix(tail, known))


def _told_by_shape(name: str) -> str | None:
    if name.startswith("accounts/fireworks/"):
        return "fireworks"
    if name.startswith("ft:"):
        return "openai"
    return "aws" if _BEDROCK_ID.match(name) else None


def _without_own_prefix(name: str, provider: str) -> str:
    if provider == "aws" and name.startswith("arn:"):
        return name.rsplit("/", maxsplit=1)[-1]
    name = name if provider == "fireworks" else _PATH_HEADS.sub("", name)
    head, slash, tail = name.partition("/")
    if slash and _HINTS.get(head) == provider:
        return _without_own_prefix(tail, provider)
    return tail if slash and provider == "aws" and head in {"converse", "invoke"} else name


def _at(provider: str | None, name: str) -> Listing | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        found, info = get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    return Listing(found, info)
