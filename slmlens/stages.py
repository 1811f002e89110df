"""The public stages: each takes the result of the one before and, if given a run, writes there and resumes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from slmlens.errors import InputError
from slmlens.results import Calls, Plan, Tasks, Verdicts
from slmlens.run import Run, hash_inputs, open_run

Paths = str | Path | Sequence[str | Path]
Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of it that is done."""

TABLES = {
    "read": ("calls", "messages", "rejects", "files", "duplicates"),
    "tasks": ("items", "tasks", "assignments"),
    "assess": ("verdicts", "evidence", "evidence_assumptions"),
    "plan": ("savings", "actions", "assumptions"),
}


@dataclass(frozen=True)
class Settings:
    """What an analysis depends on, beside its input.

    :param redact: False keeps personal data in the run folder; ids are hashed all the same.
    :param keep_text: False (``--no-text``) stores no message text and no tool arguments.
    :param key_file: A file with the key of placeholders and hashes; None: ``SLMLENS_KEY``, else random for each run.
    :param format: Name of a log format, for all files; None: recognised file by file.
    :param strict: True stops at the first record that can't be read.
    :param sampling_rate: Share of the traffic that the log holds.
    :param assume_model: Prices calls whose model the log does not name.
    :param assumptions: Overrides of judgements by name, or a YAML file of them.
    :param human_facing: Steps or services and whether a person reads their answers, or a YAML file of them; it wins
        over what the trace shows.
    :param today: Day whose prices the run-rate takes; None: today.
    :param seed: Seed of every sampling.
    """

    redact: bool = True
    keep_text: bool = True
    key_file: Path | None = None
    format: str | None = None
    strict: bool = False
    sampling_rate: float = 1.0
    assume_model: str | None = None
    assumptions: Mapping[str, object] | Path | None = None
    human_facing: Mapping[str, bool] | Path | None = None
    today: dt.date | None = None
    seed: int = 0


def analyse(
    logs: Paths,
    *,
    out: str | Path,
    settings: Settings | None = None,
    audience: str = "leadership",
    progress: Progress | None = None,
) -> Run:
    """Do the main job: read, redact, price, find tasks, weigh the evidence, value it, and write the report.

    :param logs: Files or folders of exported logs, formats mixed.
    :param out: The run folder. An interrupted run resumes at the first unfinished stage.
    :param audience: ``leadership``, ``finance`` or ``engineering``.
    :returns: The run; ``run.manifest["headline"]`` is the result in a sentence, ``report.html`` lies in its folder.
    :raises SlmlensError: If the input or the run folder can't be used; nothing half-written is left behind.
    """
    settings = settings or Settings()
    run = open_run(out)
    step = progress or _silent
    calls = read_logs(logs, run=run, settings=settings, progress=step)
    tasks = discover_tasks(calls, run=run)
    step("tasks", 1.0)
    verdicts = assess(tasks, run=run, seed=settings.seed)
    step("assess", 1.0)
    made = plan(verdicts, run=run, settings=settings)
    step("plan", 1.0)
    report(made, run=run, audience=audience, settings=settings)
    step("report", 1.0)
    return run


def read_logs(
    logs: Paths, *, run: Run | None = None, settings: Settings | None = None, progress: Progress | None = None
) -> Calls:
    """Read exported logs, redact them before anything is written, and price each call.

    :param logs: Files or folders of exported logs, formats mixed; ``.gz`` is read through.
    :param run: Where to write and resume; None: nothing is written.
    :raises InputError: If the input as a whole can't be read; single bad records become rows of ``rejects``.
    """
    settings = settings or Settings()
    paths = [Path(p).expanduser() for p in ([logs] if isinstance(logs, str | Path) else logs)]
    if run is None:
        return _read(paths, settings, progress or _silent)
    missing = [p.name for p in paths if not p.exists()]
    if missing:
        raise InputError("there is no such file or folder", where=missing[0], next_step="check the path")
    inputs = hash_inputs(paths)
    depends = {"inputs": inputs, "settings": _depends(settings)}
    run.manifest.update(inputs=inputs, settings=_depends(settings), seed=settings.seed)
    dated = replace(settings, today=settings.today or dt.datetime.now(dt.UTC).date())

    def save(at: Run, calls: Calls) -> None:
        kept = calls if settings.keep_text else _without_text(calls)
        _save(at, "read", kept)
        at.note(
            sampling_rate=calls.sampling_rate,
            notes=list(calls.notes),
            redacted=settings.redact,
            text_kept=settings.keep_text,
            price_day=str(dated.today),
        )

    def load(at: Run) -> Calls:
        if not settings.keep_text and not _finished(at):
            message = "texts were not kept"
            raise KeyError(message)
        frames = {name: at.read_frame(name) for name in TABLES["read"]}
        return Calls(**frames, sampling_rate=at.manifest["sampling_rate"], notes=tuple(at.manifest["notes"]))

    return run.stage("read", depends, compute=lambda: _read(paths, dated, progress or _silent), save=save, load=load)


def discover_tasks(calls: Calls, *, run: Run | None = None) -> Tasks:
    """Find the tasks of a log; see :func:`slmlens.tasks.discover.discover_tasks`."""
    from slmlens.tasks.discover import discover_tasks as discover

    if run is None:
        return discover(calls)

    def load(at: Run) -> Tasks:
        return Tasks(calls, *(at.read_frame(name) for name in TABLES["tasks"]))

    return run.stage(
        "tasks", {}, compute=lambda: discover(calls), save=lambda at, tasks: _save(at, "tasks", tasks), load=load
    )


def assess(tasks: Tasks, *, run: Run | None = None, seed: int = 0) -> Verdicts:
    """Weigh the evidence for each task; see :func:`slmlens.suitability.assess.assess`."""
    from slmlens.suitability.assess import assess as weigh

    if run is None:
        return weigh(tasks, seed=seed)

    def save(at: Run, verdicts: Verdicts) -> None:
        at.write_frame("verdicts", verdicts.verdicts)
        at.write_frame("evidence", verdicts.evidence)
        at.write_frame("evidence_assumptions", verdicts.assumptions)
        at.note(false_green=verdicts.false_green)

    def load(at: Run) -> Verdicts:
        verdicts, evidence, assumptions = (at.read_frame(name) for name in TABLES["assess"])
        return Verdicts(tasks, verdicts, evidence, at.manifest["false_green"], assumptions)

    return run.stage("assess", {"seed": seed}, compute=lambda: weigh(tasks, seed=seed), save=save, load=load)


def plan(verdicts: Verdicts, *, run: Run | None = None, settings: Settings | None = None) -> Plan:
    """Decide what to do with each task and what it is worth; see :func:`slmlens.savings.plan.plan`."""
    from slmlens.savings.plan import plan as value

    settings = _on_the_days_prices(settings or Settings(), run)

    def compute() -> Plan:
        return value(verdicts, overrides=settings.assumptions, seed=settings.seed, today=settings.today)  # type: ignore[arg-type]

    if run is None:
        return compute()

    def save(at: Run, made: Plan) -> None:
        _save(at, "plan", made)
        at.note(total=made.total)

    def load(at: Run) -> Plan:
        savings, actions, assumptions = (at.read_frame(name) for name in TABLES["plan"])
        return Plan(verdicts, savings, actions, assumptions, total=at.manifest["total"])

    return run.stage(
        "plan",
        {"seed": settings.seed, "assumptions": _overrides_text(settings.assumptions)},
        compute=compute,
        save=save,
        load=load,
    )


def report(
    made: Plan,
    *,
    to: str | Path | None = None,
    run: Run | None = None,
    audience: str = "leadership",
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Write the report and return its summary, the one dict that every rendering shows.

    :param to: An HTML file to write; None with a run: ``report.html`` and ``summary.json`` in the run folder.
    :param audience: ``leadership``, ``finance`` or ``engineering``.
    :raises SettingError: If the audience is unknown.
    """
    from slmlens.reporting.html import render_html

    summary = _summary(made, _on_the_days_prices(settings or Settings(), run))
    page = render_html(summary, audience=audience)
    if to is not None:
        Path(to).write_text(page, encoding="utf-8")
    if run is None:
        return summary

    def save(at: Run, result: dict[str, Any]) -> None:
        at.write_text("summary.json", json.dumps(result, indent=1, ensure_ascii=False))
        at.write_text("report.html", page)
        at.note(headline=result["plan"]["headline"])

    def load(at: Run) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(at.path("summary.json").read_text(encoding="utf-8"))
        return loaded

    return run.stage("report", {"audience": audience}, compute=lambda: summary, save=save, load=load)


def _read(paths: Sequence[Path], settings: Settings, progress: Progress) -> Calls:
    from slmlens.curation.failures import mark_failures
    from slmlens.curation.human_facing import mark_human_facing
    from slmlens.curation.redact import KeepText, Redaction, load_key
    from slmlens.logs.read import read_calls
    from slmlens.spend.price import price_calls

    redaction = Redaction(load_key(settings.key_file))
    calls = read_calls(
        paths,
        redactor=redaction if settings.redact else KeepText(redaction),
        format=settings.format,
        strict=settings.strict,
        sampling_rate=settings.sampling_rate,
        progress=lambda done, total: progress("read", done / max(total, 1)),
    )
    calls = mark_human_facing(mark_failures(calls), settings.human_facing)
    progress("read", 1.0)
    return replace(calls, calls=price_calls(calls.calls, assume_model=settings.assume_model, today=settings.today))


def _summary(made: Plan, settings: Settings) -> dict[str, Any]:
    from importlib.metadata import version

    from slmlens._version import __version__
    from slmlens.curation.counts import placeholder_counts
    from slmlens.curation.spans import NOT_COVERED
    from slmlens.reporting.summary import RunFacts, summarise
    from slmlens.spend.ledger import build_ledger
    from slmlens.spend.months import estimate_month

    calls = made.tasks.calls
    day = settings.today or dt.datetime.now(dt.UTC).date()
    facts = RunFacts(
        redaction={
            "enabled": settings.redact,
            "text_kept": settings.keep_text,
            "counts": placeholder_counts(calls.messages),
            "not_covered": list(NOT_COVERED),
        },
        method=[
            f"slmlens {__version__}, seed {settings.seed}.",
            f"Prices: genai-prices {version('genai-prices')}, run-rate of {day}.",
        ],
    )
    ledger = build_ledger(calls.calls, made.tasks.assignments)
    month = estimate_month(calls.calls, sampling_rate=calls.sampling_rate)
    return summarise(made, ledger=ledger, month=month, facts=facts)


def _save(run: Run, stage: str, result: Calls | Tasks | Plan) -> None:
    for name in TABLES[stage]:
        run.write_frame(name, getattr(result, name))


def _without_text(calls: Calls) -> Calls:
    """Return the calls as ``--no-text`` stores them: no message text, no tool arguments."""
    no_arguments = pl.col("tool_calls").list.eval(
        pl.struct(pl.element().struct.field("name"), pl.lit("").alias("arguments"))
    )
    return replace(
        calls,
        calls=calls.calls.with_columns(no_arguments),
        messages=calls.messages.with_columns(text=pl.lit(None, dtype=pl.String)),
    )


def _on_the_days_prices(settings: Settings, run: Run | None) -> Settings:
    """Return the settings on the price day of the run, so that a run resumed tomorrow stays one run."""
    if settings.today is not None or run is None or "price_day" not in run.manifest:
        return settings
    return replace(settings, today=dt.date.fromisoformat(run.manifest["price_day"]))


def _finished(run: Run) -> bool:
    return "report" in run.manifest.get("stages", {})


def _depends(settings: Settings) -> dict[str, object]:
    from slmlens.curation.human_facing import read_overrides

    return {
        "redact": settings.redact,
        "keep_text": settings.keep_text,
        "format": settings.format,
        "strict": settings.strict,
        "sampling_rate": settings.sampling_rate,
        "assume_model": settings.assume_model,
        "human_facing": read_overrides(settings.human_facing),
        "today": str(settings.today),
    }


def _overrides_text(overrides: Mapping[str, object] | Path | None) -> str:
    if isinstance(overrides, Path):
        return overrides.read_text(encoding="utf-8") if overrides.is_file() else overrides.name
    return json.dumps(dict(overrides or {}), sort_keys=True, default=str)


def _silent(_stage: str, _share: float) -> None:
    return None
