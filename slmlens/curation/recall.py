"""How much of what it promises to find redaction does find: synthetic values planted into the user's own prompts."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

import polars as pl

from slmlens.curation.synthetic import LOCALES, Planted, makers
from slmlens.errors import SettingError
from slmlens.results import Calls

ALL_FORMS = "all"
_CONFIDENCE = 0.90
_AROUND = 2_000  # characters of the prompt kept on each side: detectors look less far
_COUNTRIES = (
    "en_US",
    "fr_FR",
    "es_ES",
    "pt_BR",
    "de_DE",
    "en_GB",
)  # of the identity numbers that are promised beside LOCALES


class _Snippet(NamedTuple):
    """What is inserted: a text, start and end of each part of it that identifies, and these parts as first written."""

    text: str
    core: tuple[tuple[int, int], ...]
    values: tuple[str, ...]


@dataclass(frozen=True)
class RedactionRecall:
    """Recall on synthetic forms.

    :param frame: A row a kind and form, and a row a kind with the form ``all``: ``kind``, ``form``, ``planted``,
        ``found``, ``recall`` (0 to 1), ``lo90`` and ``hi90`` (Wilson's interval: E. B. Wilson, Probable inference,
        1927). Each value is planted once, in one form.
    :param missed: Kind and form of each value that was not found, with its synthetic text.
    :param n: Values a kind and form.
    :param seed: What they were drawn with.
    :param measured_on: Day of the measurement (UTC).
    """

    frame: pl.DataFrame
    missed: pl.DataFrame
    n: int
    seed: int
    measured_on: dt.date

    def __repr__(self) -> str:
        return f"Recall on synthetic forms ({self.measured_on}, seed {self.seed}): {self.sentence}"

    @property
    def totals(self) -> pl.DataFrame:
        """The rows of whole kinds."""
        return self.frame.filter(pl.col("form") == ALL_FORMS)

    @property
    def sentence(self) -> str:
        """Recall by kind, with its interval, in a line."""
        return "; ".join(
            f"{r['kind']} {r['recall']:.1%} ({r['lo90']:.1%} to {r['hi90']:.1%} of {r['planted']:,})"
            for r in self.totals.iter_rows(named=True)
        )

    def record(self) -> dict[str, Any]:
        """Return what the run's manifest and the summary carry: the day, n, seed, and the rows of whole kinds."""
        kinds = self.totals.drop("form").to_dicts()
        return {"measured_on": str(self.measured_on), "per_kind_and_form": self.n, "seed": self.seed, "kinds": kinds}


class _Notebook(Protocol):
    """Keeps facts of a run: a :class:`slmlens.run.Run`."""

    def note(self, **facts: object) -> None: ...


def redaction_recall(
    calls: Calls, *, n: int = 50, seed: int = 0, rules: str | Path | None = None, run: _Notebook | None = None
) -> RedactionRecall:
    """Measure on the user's own prompts how much of what redaction promises to find it does find.

    Synthetic values (Faker's and the vendors' formats) are planted at random white spaces of the redacted prompts, in
    nine forms: at the start, in the middle and at the end of a sentence, in a JSON field, as ``key=value``, spaced,
    dashed, in JSON inside JSON, and URL-encoded. It is recall on synthetic forms: real values may be written in others.

    :param calls: Their ``messages`` with texts; any stage's result has them as ``.calls``.
    :param n: Values a kind and form; 50 take some ten seconds in all.
    :param seed: The same seed plants the same values in the same places.
    :param rules: The file of own rules that the log was read with, so that they are at work as well.
    :param run: A run whose manifest keeps the result; its next report prints it.
    :returns: Counts by kind and form with 90 % intervals, and what was missed.
    :raises SettingError: If the calls hold no text, or ``n`` is below 1, or the rules can't be used.
    """
    from slmlens.curation.redact import Redaction, new_key
    from slmlens.curation.rules import load_rules
    from slmlens.logs.messages import redacted

    redaction = Redaction(new_key(), load_rules(Path(rules) if rules else None))
    texts = calls.messages.get_column("text").drop_nulls()
    measured = measure_recall(
        texts.filter(texts.str.len_bytes() > 0).sort().to_list(),
        lambda text: redacted(redaction, text),
        redaction.find,
        n=n,
        seed=seed,
    )
    if run is not None:
        run.note(redaction_recall=measured.record())
    return measured


def measure_recall(
    texts: Sequence[str], redact: Callable[[str], str], find: Callable[[str], Sequence[Any]], *, n: int, seed: int
) -> RedactionRecall:
    """Plant values into texts and count which are gone after redaction.

    A value counts as found only if each letter and digit of what identifies lies in a finding, and no identifying part
    is left in the redacted text once blanks, dashes and escapes are undone. A value found in part is missed.

    :param texts: Redacted prompts of the user; each value goes to a random white space of a random one.
    :param redact: What redacts a text.
    :param find: What lists the findings of a text, each with ``start`` and ``end``.
    :raises SettingError: If there is no text, or ``n`` is not positive.
    """
    if n < 1:
        raise SettingError(f"n is {n} and must be 1 or more", where="n", next_step="leave it out for the default")
    if not texts:
        raise SettingError(
            "there is no prompt text to plant values into",
            where="calls.messages",
            next_step="read the logs again and keep the texts (without --no-text)",
        )
    faker = _faker(seed)
    rows: list[dict[str, Any]] = []
    missed: list[dict[str, str]] = []
    for kind, of_kind in makers().items():
        random = Random(f"{seed} {kind}")  # noqa: S311 - synthetic values, not keys
        turn = count()  # goes on from form to form, so that a small n meets every shape of a kind
        for form, write in FORMS.items():
            for _ in range(n):
                snippet = write(of_kind[next(turn) % len(of_kind)](faker, random))
                if snippet is None:
                    continue
                gone = _is_gone(_planted(random.choice(texts), snippet, random), redact, find)
                rows.append({"kind": kind, "form": form, "gone": gone})
                if not gone:
                    missed.append({"kind": kind, "form": form, "text": snippet.text})
    return RedactionRecall(
        frame=_counted(pl.DataFrame(rows)),
        missed=pl.DataFrame(missed, schema={"kind": pl.String, "form": pl.String, "text": pl.String}),
        n=n,
        seed=seed,
        measured_on=dt.datetime.now(dt.UTC).date(),
    )


def _faker(seed: int) -> Any:  # noqa: ANN401 - importing Faker costs more than this module
    from faker import Faker

    faker = Faker([*LOCALES, *_COUNTRIES])
    faker.seed_instance(seed)
    return faker


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    """Count by kind and form, and by kind; add recall and its interval."""
    both = pl.concat([rows, rows.with_columns(form=pl.lit(ALL_FORMS))])
    counts = both.group_by("kind", "form", maintain_order=True).agg(
        planted=pl.len().cast(pl.Int64), found=pl.col("gone").sum().cast(pl.Int64)
    )
    bounds = [_wilson(found, planted) for planted, found in counts.select("planted", "found").iter_rows()]
    return counts.with_columns(
        recall=pl.col("found") / pl.col("planted"),
        lo90=pl.Series([lo for lo, _ in bounds], dtype=pl.Float64),
        hi90=pl.Series([hi for _, hi in bounds], dtype=pl.Float64),
    ).sort("kind", pl.col("form") != ALL_FORMS, maintain_order=True)


def _wilson(found: int, planted: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    interval = binomtest(found, planted).proportion_ci(_CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _planted(text: str, snippet: _Snippet, random: Random) -> _Snippet:
    """Return the snippet between the words around a random white space of a text."""
    blanks = [at for at, c in enumerate(text) if c.isspace()] or [len(text)]
    at = random.choice(blanks)
    before, after = text[max(0, at - _AROUND) : at], text[at + 1 : at + 1 + _AROUND]
    shift = len(before) + 1
    core = tuple((first + shift, last + shift) for first, last in snippet.core)
    return _Snippet(f"{before} {snippet.text} {after}", core, snippet.values)


def _is_gone(planted: _Snippet, redact: Callable[[str], str], find: Callable[[str], Sequence[Any]]) -> bool:
    spans = [(span.start, span.end) for span in find(planted.text)]
    for first, last in planted.core:
        hidden = [any(start <= at < end for start, end in spans) for at in range(first, last)]
        if not all(h or not planted.text[at].isalnum() for at, h in zip(range(first, last), hidden, strict=True)):
            return False
    redacted = redact(planted.text)
    return all(_fewer(value, planted.text, redacted, bare) for value in planted.values for bare in (_bare, _unescaped))


def _fewer(value: str, before: str, after: str, bare: Callable[[str], str]) -> bool:
    times = bare(before).count(bare(value))
    return times == 0 or bare(after).count(bare(value)) < times


def _bare(text: str) -> str:
    """Return the letters and digits of a text in lower case, percent-encoding undone."""
    return "".join(c for c in unquote(text) if c.isalnum()).lower()


def _unescaped(text: str) -> str:
    """Return the letters and digits of a text in lower case, percent-encoding and JSON's escaped line breaks undone."""
    return _bare(re.sub(r"\\+n", "", text))


def _snippet(planted: Planted, pattern: str, write: Callable[[str], str] = str) -> _Snippet:
    """Put a value into a pattern with ``VALUE`` and ``WORD``; ``write`` is how the surroundings spell it."""
    field = re.sub(r"\W+", "_", planted.word.lower())
    head, tail = pattern.replace("WORD", planted.word).replace("FIELD", field).split("VALUE")
    text, core, at = write(planted.text), [], 0
    for part in map(write, planted.core):
        at = text.index(part, at)
        core.append((len(head) + at, len(head) + at + len(part)))
        at += len(part)
    return _Snippet(head + text + tail, tuple(core), planted.core)


def _grouped(planted: Planted, sign: str) -> _Snippet | None:
    if not planted.groups:
        return None
    text = sign.join(planted.groups)
    return _snippet(planted._replace(text=text, core=(text,)), "please note my WORD VALUE and reply")


def _in_json(raw: str) -> str:
    return json.dumps(raw, ensure_ascii=False)[1:-1]


FORMS: dict[str, Callable[[Planted], _Snippet | None]] = {
    "start of a sentence": lambda v: _snippet(v, "VALUE is my WORD."),
    "middle of a sentence": lambda v: _snippet(v, "please note my WORD VALUE and reply"),
    "end of a sentence": lambda v: _snippet(v, "My WORD is VALUE."),
    "JSON field": lambda v: _snippet(v, '{"id": 17, "FIELD": "VALUE", "ok": true}', _in_json),
    "key=value": lambda v: _snippet(v, "retries=3\nFIELD=VALUE\nmode=fast"),
    "spaced": lambda v: _grouped(v, " "),
    "dashed": lambda v: _grouped(v, "-"),
    "JSON inside JSON": lambda v: _snippet(
        v,
        '{"arguments": "{\\"note\\": \\"Hello,\\\\nmy WORD is VALUE\\\\nThanks\\"}"}',
        lambda t: _in_json(_in_json(t)),
    ),
    "URL-encoded": lambda v: _snippet(v, "https://api.test/v1/find?FIELD=VALUE&page=2", lambda t: quote(t, safe="")),
}
"""How a value is written down, by the name of the form; None where nobody writes such a value so."""
