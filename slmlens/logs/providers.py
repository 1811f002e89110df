"""Who served a call: from the address it went to, what the envelope says, or the name of the model.

Names are the provider ids of genai-prices (github.com/pydantic/genai-prices), so that prices find them.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

_HOSTS = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure",
    "azure-api.net": "azure",
    "cognitiveservices.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "api.anthropic.com": "anthropic",
    "amazonaws.com": "aws",
    "api.aws": "aws",
    "googleapis.com": "google",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "together.xyz": "together",
    "together.ai": "together",
    "fireworks.ai": "fireworks",
    "api.x.ai": "x-ai",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "perplexity.ai": "perplexity",
    "cerebras.ai": "cerebras",
    "moonshot.ai": "moonshotai",
    "moonshot.cn": "moonshotai",
    "api.z.ai": "zai",
    "bigmodel.cn": "zhipuai",
    "novita.ai": "novita",
    "minimax.io": "minimax",
    "minimaxi.com": "minimax",
    "githubcopilot.com": "github-copilot",
    "databricks.com": "databricks",
    "azuredatabricks.net": "databricks",
}

_ALIASES = {
    "azure_openai": "azure",
    "azure_ai": "azure",
    "azureopenai": "azure",
    "bedrock": "aws",
    "aws_bedrock": "aws",
    "amazon_bedrock": "aws",
    "amazon": "aws",
    "vertex": "google",
    "vertex_ai": "google",
    "gemini": "google",
    "google_ai_studio": "google",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "claude": "anthropic",
}

_MODEL_STARTS = (
    ("gpt-oss", None),  # open weights: the name doesn't say who served it
    ("gpt-", "openai"),
    ("chatgpt", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-davinci", "openai"),
    ("davinci", "openai"),
    ("claude", "anthropic"),
    ("gemini", "google"),
    ("grok", "x-ai"),
    ("command-", "cohere"),
    ("mistral-", "mistral"),
    ("ministral", "mistral"),
    ("codestral", "mistral"),
    ("magistral", "mistral"),
    ("deepseek-r1-distill", None),
    ("deepseek-", "deepseek"),
    ("sonar", "perplexity"),
)

_KNOWN = frozenset(_HOSTS.values()) | frozenset(_ALIASES.values())


@lru_cache(maxsize=4096)
def provider_of(declared: str | None, url: str | None, model: str | None) -> str | None:
    """Return the provider of a call, or None if nothing tells it.

    :param declared: What the envelope calls the provider.
    :param url: The address, or only the host, that the call went to.
    :param model: The name of the model.
    """
    return _from_url(url) or _from_name(declared) or _from_model(model)


def _from_name(declared: str | None) -> str | None:
    if not declared:
        return None
    name = declared.strip().lower().replace(" ", "_").replace("-", "_")
    if name in _ALIASES:
        return _ALIASES[name]
    plain = declared.strip().lower()
    return plain if plain in _KNOWN else None


def _from_url(url: str | None) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if host == "router.huggingface.co":
        return f"huggingface_{parts.path.strip('/').split('/')[0]}"
    labels = host.split(".")
    for start in range(len(labels)):
        found = _HOSTS.get(".".join(labels[start:]))
        if found:
            return found
    return None


def _from_model(model: str | None) -> str | None:
    if not model:
        return None
    name = model.strip().lower()
    if "/" in name:
        prefix, name = name.split("/", 1)
        known = _from_name(prefix)
        if known:
            return known
    return next((provider for start, provider in _MODEL_STARTS if name.startswith(start)), None)
