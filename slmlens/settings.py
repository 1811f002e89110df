"""What an analysis depends on, beside its input: the one object behind the command line's options."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from slmlens.errors import SettingError
from slmlens.run import Run

if TYPE_CHECKING:
    from slmlens.spend.price_book import PriceBook


@dataclass(frozen=True)
class Settings:
    """What an analysis depends on, beside its input.

    :param redact: False keeps personal data in the run folder; ids are hashed all the same.
    :param keep_text: False (``--no-text``) stores no message text and no tool arguments.
    :param key_file: A file with the key of placeholders and hashes; None: ``SLMLENS_KEY``, else random for each run.
    :param rules: A YAML file of own redaction rules; see :func:`slmlens.curation.rules.load_rules`.
    :param names: True also hides names of persons and places, by a spaCy model (the extra ``names``).
    :param names_model: That model: an installed package or a path.
    :param format: Name of a log format, for all files; None: recognised file by file.
    :param mapping: Where rows of no known format have their prompt, answer and the rest (``--map``): ``name=column`` by
        name, such a text, or a YAML file; None: formats are recognised.
    :param reader: A Python file that declares a log format of your own, recognised beside the others; see
        :mod:`slmlens.logs.own_readers`.
    :param strict: True stops at the first record that can't be read.
    :param sampling_rate: Share of the traffic that the log holds.
    :param assume_model: Prices calls whose model the log does not name.
    :param prices: A YAML file of contract prices, deployment names, commitments, currency and discounts; see
        :mod:`slmlens.spend.price_file`.
    :param invoice: A CSV file of an invoice or cost export to lay beside the log; see :mod:`slmlens.spend.invoice`.
    :param tag: A cost-allocation tag of the log, such as ``team``, whose values get totals of their own.
    :param assumptions: Overrides of judgements by name, or a YAML file of them.
    :param human_facing: Steps or services and whether a person reads their answers, or a YAML file of them; it wins
        over what the trace shows.
    :param keep_days: Days after which message texts and tool arguments are removed, when the run is next opened; None:
        they stay.
    :param previous: Folder of an earlier run whose task ids, decisions and cut hold on (``--from``); None: no other.
    :param name_with: Base address of a chat endpoint: a model there names the tasks by their skeletons; None: no model.
    :param name_model: That model.
    :param today: Day whose prices the run-rate takes; None: today.
    :param shuffles: Shuffles of the log behind its false-green rate (20 with ``--false-green``); 0: not measured.
    :param seed: Seed of every sampling.
    """

    redact: bool = True
    keep_text: bool = True
    key_file: Path | None = None
    rules: Path | None = None
    names: bool = False
    names_model: str = "en_core_web_sm"
    format: str | None = None
    mapping: Mapping[str, str] | str | Path | None = None
    reader: str | Path | None = None
    strict: bool = False
    sampling_rate: float = 1.0
    assume_model: str | None = None
    prices: Path | None = None
    invoice: Path | None = None
    tag: str | None = None
    assumptions: Mapping[str, object] | Path | None = None
    human_facing: Mapping[str, bool] | Path | None = None
    keep_days: int | None = None
    previous: Path | None = None
    name_with: str | None = None
    name_model: str | None = None
    today: dt.date | None = None
    shuffles: int = 0
    seed: int = 0


def stored_settings(run: Run) -> Settings:
    """Return the settings that a run was made with, as far as the stages after reading depend on them."""
    import yaml

    facts = run.manifest
    overrides = yaml.safe_load(facts.get("assumptions_text", "{}"))
    return Settings(
        redact=facts["redacted"],
        names=facts["settings"].get("names") is not None,
        keep_text=facts["text_kept"],
        assumptions=overrides if isinstance(overrides, dict) else None,
        today=dt.date.fromisoformat(facts["price_day"]),
        seed=facts["seed"],
    )


def on_the_days_prices(settings: Settings, run: Run | None) -> Settings:
    """Return the settings on the price day of the run, so that a run resumed tomorrow stays one run."""
    known = run is not None and settings.today is None and run.manifest.get("price_day")
    return replace(settings, today=dt.date.fromisoformat(known)) if known else settings


def check_days(settings: Settings) -> None:
    """Refuse a number of days that no text can be kept for.

    :raises SettingError: If ``keep_days`` is below 1.
    """
    if settings.keep_days is not None and settings.keep_days < 1:
        raise SettingError(
            f"texts can't be kept for {settings.keep_days} days",
            where="keep_days",
            next_step="give 1 or more, or store no text at all with --no-text",
        )


def reading_depends(settings: Settings) -> dict[str, object]:
    """Return what of the settings the read stage depends on: a run is read again where any of it changed."""
    from slmlens.curation.human_facing import read_overrides
    from slmlens.logs.mapping import load_mapping
    from slmlens.logs.own_readers import reader_text

    return {
        "redact": settings.redact,
        "rules": settings.rules.read_text(encoding="utf-8") if settings.rules else None,
        "names": settings.names_model if settings.names else None,
        "keep_text": settings.keep_text,
        "format": settings.format,
        "mapping": None if settings.mapping is None else load_mapping(settings.mapping),
        "reader": None if settings.reader is None else reader_text(settings.reader),
        "strict": settings.strict,
        "sampling_rate": settings.sampling_rate,
        "assume_model": settings.assume_model,
        "prices": prices_text(settings),
        "human_facing": read_overrides(settings.human_facing),
        "today": str(settings.today),
    }


def prices_text(settings: Settings) -> str | None:
    """Return the text of the price file, to keep in the run; None: there is none.

    :raises SettingError: If it can't be read.
    """
    from slmlens.spend.price_file import text_of

    return None if settings.prices is None else text_of(settings.prices)


def price_book(settings: Settings, run: Run | None) -> PriceBook:
    """Return the price book of the settings, else with the price file that the run was read with."""
    from slmlens.spend.money_files import book_of_text

    known = run.manifest.get("prices_text") if run is not None else None
    return book_of_text(prices_text(settings) or known)


def overrides_text(overrides: Mapping[str, object] | Path | None) -> str:
    """Return the assumptions that were overridden as text, to tell whether they changed."""
    if isinstance(overrides, Path):
        return overrides.read_text(encoding="utf-8") if overrides.is_file() else overrides.name
    return json.dumps(dict(overrides or {}), sort_keys=True, default=str)
