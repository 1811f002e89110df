"""Encoders: texts in, vectors out. Static word vectors by default, TF-IDF without any vectors, or any model by name.

The static vectors are those inside the ``wordllama`` wheel (256 dimensions; MIT code, vectors derived from the token
embeddings of Llama models, whose licence the wheel does not restate). They are read from the installed files, loaded
with ``model2vec``; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

MAX_CHARACTERS = 2_000
"""Characters of a text that are encoded."""

STATIC_NAME = "wordllama-l2-supercat-256"
TFIDF_DIMENSION = 64
_MIN_TEXTS = 3


class Encoder(Protocol):
    """Turns texts into vectors.

    ``name`` tells encoders apart in a cache, ``dimension`` is the width of the matrix.
    """

    @property
    def name(self) -> str:
        """What tells this encoder from others in a cache."""
        ...

    @property
    def dimension(self) -> int:
        """The width of the matrix."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of length one (zero for a text without known words)."""
        ...


@dataclass(frozen=True)
class ModelEncoder:
    """An encoder around a model with an ``encode(list of texts)`` (model2vec, sentence-transformers)."""

    name: str
    dimension: int
    model: Any

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of length one."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return unit_rows(np.asarray(self.model.encode([t[:MAX_CHARACTERS] for t in texts]), dtype=np.float32))


@dataclass(frozen=True)
class TfidfEncoder:
    """TF-IDF of words reduced by an SVD, both fitted on a set of texts; it knows the words of that set only."""

    name: str
    dimension: int
    vectorizer: Any
    svd: Any

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of length one."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return unit_rows(self.svd.transform(self.vectorizer.transform([t[:MAX_CHARACTERS] for t in texts])))


@dataclass
class DeferredEncoder:
    """An encoder that is loaded or fitted when the first text is encoded: where vectors are known, it never is.

    :param name: The name of the encoder that ``make`` returns.
    :param make: Loads or fits it.
    """

    name: str
    make: Callable[[], Encoder]
    made: Encoder | None = None

    @property
    def dimension(self) -> int:
        """The width of the matrix; asking for it loads the encoder."""
        return self._encoder().dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, of length one."""
        return self._encoder().encode(texts)

    def _encoder(self) -> Encoder:
        if self.made is None:
            self.made = self.make()
        return self.made


@dataclass
class VectorCache:
    """Vectors by content: a text is encoded once for each encoder, however often it is asked for."""

    known: dict[bytes, Vectors] = field(default_factory=dict)

    def encode(self, encoder: Encoder, texts: Sequence[str]) -> Vectors:
        """Return the vectors of the texts, encoding only what was never asked for."""
        keys = [
            blake2b(f"{encoder.name}\x1f{t}".encode("utf-8", "surrogatepass"), digest_size=16).digest() for t in texts
        ]
        fresh = {k: t for k, t in zip(keys, texts, strict=True) if k not in self.known}
        if fresh:
            self.known.update(zip(fresh, encoder.encode(list(fresh.values())), strict=True))
        return np.stack([self.known[k] for k in keys]) if keys else encoder.encode([])


def default_encoder(texts: Sequence[str]) -> Encoder:
    """Return the static word vectors where they are installed, else TF-IDF fitted on the texts; loaded when needed.

    Encoding raises ``ValueError`` where TF-IDF finds fewer than three texts that hold a word.
    """
    if static_is_installed():
        return DeferredEncoder(STATIC_NAME, _static_encoder)
    return DeferredEncoder(_tfidf_name(texts), lambda: tfidf_encoder(texts))


def tfidf_encoder(texts: Sequence[str], dimension: int = TFIDF_DIMENSION) -> Encoder:
    """Return an encoder fitted on the texts; it needs no vectors and no other package.

    :raises ValueError: Fewer than three texts hold a word.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=20_000)
    matrix = vectorizer.fit_transform([t[:MAX_CHARACTERS] for t in texts])
    width = min(dimension, *(n - 1 for n in matrix.shape))
    if width < _MIN_TEXTS - 1:
        message = "TF-IDF vectors need three texts and three words."
        raise ValueError(message)
    reduced = TruncatedSVD(width, algorithm="arpack", random_state=0).fit(matrix)
    return TfidfEncoder(_tfidf_name(texts), width, vectorizer, reduced)


def static_encoder() -> Encoder | None:
    """Return the static word vectors, or None where ``wordllama`` or ``model2vec`` is not installed."""
    return _static_encoder() if static_is_installed() else None


def static_is_installed() -> bool:
    """Tell whether the static word vectors can be loaded (``pip install "slmlens[vectors]"``)."""
    return _wordllama() is not None and find_spec("model2vec") is not None


def _wordllama() -> Path | None:
    spec = find_spec("wordllama")
    places = None if spec is None else spec.submodule_search_locations
    return Path(places[0]) if places else None


def _static_encoder() -> Encoder:
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    root = _wordllama()
    assert root is not None
    weights = next(iter(load_file(root / "weights" / "l2_supercat_256.safetensors").values())).astype(np.float32)
    tokenizer = Tokenizer.from_file(str(root / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return ModelEncoder(STATIC_NAME, weights.shape[1], StaticModel(weights, tokenizer))


def model_encoder(name_or_path: str) -> Encoder:
    """Return a sentence-transformers model; a name that is not on this machine is fetched by that package."""
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]

    model = SentenceTransformer(name_or_path)
    return ModelEncoder(f"sentence-transformers:{name_or_path}", int(model.encode(["a"]).shape[1]), model)


def _tfidf_name(texts: Sequence[str]) -> str:
    digest = blake2b("\x1f".join(sorted(set(texts))).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"tfidf-{digest}"


def unit_rows(matrix: npt.NDArray[np.floating[Any]]) -> Vectors:
    """Return the rows at length one; a row of zeros stays."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Vectors = (matrix / np.maximum(length, 1e-12)).astype(np.float32)
    return unit
