"""The public stages: each takes the result of the one before and, if given a run, writes there and resumes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmlens.results import Calls, Plan, Tasks, Verdicts
from slmlens.run import Run, hash_inputs, open_run
from slmlens.settings import (
    Settings,
    check_days,
    on_the_days_prices,
    overrides_text,
    price_book,
    prices_text,
    reading_depends,
)

if TYPE_CHECKING:
    from slmlens.curation.redact import Redaction
    from slmlens.reporting.coverage import Check
    from slmlens.spend.price_book import PriceBook
    from slmlens.suitability.assess import Probe
    from slmlens.tasks.chat_endpoint import ChatEndpoint

Paths = str | Path | Sequence[str | Path]
Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of it that is done."""

TABLES = {
    "read": ("calls", "messages", "rejects", "files", "duplicates"),
    "plan": ("savings", "actions", "assumptions", "pilots"),
}


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
    from slmlens.spend.money_files import check_money_files
    from slmlens.spend.tags import check_tag
    from slmlens.succession import check_previous
    from slmlens.tasks.chat_endpoint import endpoint_of

    settings, run = settings or Settings(), open_run(out)
    step = progress or _silent
    check_money_files(settings.prices, settings.invoice)
    check_previous(settings.previous, run)
    naming = endpoint_of(settings.name_with, settings.name_model)
    calls = read_logs(logs, run=run, settings=settings, progress=step)
    check_tag(calls.calls, settings.tag)
    run.note(tag=settings.tag, invoice=None)
    tasks = discover_tasks(calls, run=run, previous=settings.previous, naming=naming)
    step("tasks", 1.0)
    verdicts = assess(tasks, run=run, seed=settings.seed, shuffles=settings.shuffles)
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

    :param logs: Files or folders of exported logs, formats mixed, or addresses in a store (``s3://bucket/logs``).
    :param run: Where to write and resume; None: nothing is written.
    :raises InputError: If the input as a whole can't be read; single bad records become rows of ``rejects``.
    """
    from slmlens import forgetting
    from slmlens.curation.redact import make_redaction
    from slmlens.deciding import decisions_mark

    settings = settings or Settings()
    check_days(settings)
    paths = [logs] if isinstance(logs, str | Path) else list(logs)
    redaction = make_redaction(settings.key_file, settings.rules, settings.names_model if settings.names else None)
    if run is None:
        return _read(paths, settings, redaction, progress or _silent)
    inputs = hash_inputs(paths)
    depends = {"inputs": inputs, "settings": reading_depends(settings)}
    same_seed = run.manifest.get("seed", settings.seed) == settings.seed
    run.manifest.update(inputs=inputs, settings=reading_depends(settings), seed=settings.seed)
    dated = replace(settings, today=settings.today or dt.datetime.now(dt.UTC).date())

    def compute() -> Calls:
        forgetting.check_key(run, redaction)
        return forgetting.leave_out_forgotten(run, _read(paths, dated, redaction, progress or _silent))

    def save(at: Run, calls: Calls) -> None:
        keeps = settings.keep_text and not at.manifest.get("texts_removed_on")
        _save(at, "read", forgetting.to_store(at, calls, keep_text=keeps))
        at.note(
            sampling_rate=calls.sampling_rate,
            notes=list(calls.notes),
            redacted=settings.redact,
            text_kept=keeps,
            price_day=str(dated.today),
            prices_text=prices_text(settings),
            read_on=dt.datetime.now(dt.UTC).date().isoformat(),
            key_check=redaction.pseudonym(*forgetting.KEY_WORDS),
            forgetting=None,
        )

    def load(at: Run) -> Calls:
        if at.manifest.get("forgetting"):
            forgetting.finish_forgetting(at)
            at.note(forgetting=None)
        as_decided = at.manifest.get("decided", "") == decisions_mark(at)
        finished = "report" in at.manifest.get("stages", {}) and same_seed and as_decided
        if not at.manifest["text_kept"] and not finished:
            message = "texts were not kept"
            raise KeyError(message)
        frames = {name: at.read_frame(name) for name in TABLES["read"]}
        calls = Calls(**frames, sampling_rate=at.manifest["sampling_rate"], notes=tuple(at.manifest["notes"]))
        return forgetting.leave_out_forgotten(at, calls)

    calls = run.stage("read", depends, compute=compute, save=save, load=load)
    _note_expiry(run, settings)
    return calls


def check(logs: Paths, *, settings: Settings | None = None, progress: Progress | None = None) -> Check:
    """Tell, before any analysis, what a log holds, what each gap in it costs, and which setting closes it.

    Reads, redacts and prices the log in memory; writes nothing. ``print`` the result for a page of plain text.

    :param logs: Files or folders of exported logs, formats mixed.
    :param settings: Of these, what concerns reading and prices (``format``, ``mapping``, ``strict``, ``prices``, ...).
    :returns: Frames ``files``, ``coverage``, ``rejects``, and the gaps, worst first; see
        :class:`slmlens.reporting.coverage.Check`.
    :raises InputError: If the input as a whole can't be read. A log without prompts is no error.
    """
    from slmlens.reporting.coverage import check_calls

    return check_calls(read_logs(logs, settings=settings, progress=progress))


def discover_tasks(
    calls: Calls, *, run: Run | None = None, previous: str | Path | None = None, naming: ChatEndpoint | None = None
) -> Tasks:
    """Find the tasks of a log; see :func:`slmlens.tasks.discover.discover_tasks`.

    :param run: Where to write and resume; the decisions in its ``decisions.yaml`` are replayed over what is found.
    :param previous: Folder of an earlier run: its ids hold on (``lineage`` tells how); in a run, decisions and cut too.
    :param naming: A model that names them (:func:`slmlens.tasks.chat_endpoint.endpoint_of`).
    """
    from slmlens.succession import found_tasks

    return found_tasks(calls, run=run, previous=previous, naming=naming)


def assess(
    tasks: Tasks, *, run: Run | None = None, seed: int = 0, probes: Sequence[Probe] | None = None, shuffles: int = 0
) -> Verdicts:
    """Weigh the evidence for each task; see :func:`slmlens.suitability.assess.assess`.

    :param run: Where to write and resume; the pilots in its folder count as evidence.
    :param probes: Further probes. With these the result is not stored.
    :param shuffles: Shuffles of the log behind its false-green rate; 0: none, or as many as the run was measured with.
    """
    from slmlens.pilots.store import assessed

    return assessed(tasks, run=run, seed=seed, probes=probes, shuffles=shuffles)


def plan(verdicts: Verdicts, *, run: Run | None = None, settings: Settings | None = None) -> Plan:
    """Decide what to do with each task and what it is worth; see :func:`slmlens.savings.plan.plan`."""
    from slmlens.savings.plan import plan as value

    settings = on_the_days_prices(settings or Settings(), run)

    def compute() -> Plan:
        book = price_book(settings, run)
        return value(verdicts, overrides=settings.assumptions, seed=settings.seed, today=settings.today, book=book)  # type: ignore[arg-type]

    if run is None:
        return compute()

    def save(at: Run, made: Plan) -> None:
        _save(at, "plan", made)
        at.note(total=made.total, assumptions_text=overrides_text(settings.assumptions))

    def load(at: Run) -> Plan:
        savings, actions, assumptions, pilots = (at.read_frame(name) for name in TABLES["plan"])
        return Plan(verdicts, savings, actions, assumptions, total=at.manifest["total"], pilots=pilots)

    depends = {"seed": settings.seed, "assumptions": overrides_text(settings.assumptions)}
    return run.stage("plan", depends, compute=compute, save=save, load=load)


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

    settings = on_the_days_prices(settings or Settings(), run)
    summary = _summary(made, settings, run)
    page = render_html(summary, audience=audience)
    if to is not None:
        Path(to).write_text(page, encoding="utf-8")
    if run is None:
        return summary

    def save(at: Run, result: dict[str, Any]) -> None:
        at.write_text("summary.json", json.dumps(result, indent=1, ensure_ascii=False))
        at.write_text("report.html", page)
        at.note(headline=result["plan"]["headline"], audience=audience)

    def load(at: Run) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(at.path("summary.json").read_text(encoding="utf-8"))
        return loaded

    run.note(invoice=summary["ledger"]["invoice"])
    money = {"tag": summary["ledger"]["tags"], "invoice": summary["ledger"]["invoice"]}
    depends = {"audience": audience, "recall": summary["redaction"]["recall"], **money}
    return run.stage("report", depends, compute=lambda: summary, save=save, load=load)


def _read(paths: Sequence[str | Path], settings: Settings, redaction: Redaction, progress: Progress) -> Calls:
    from slmlens.curation.failures import mark_failures
    from slmlens.curation.human_facing import mark_human_facing
    from slmlens.curation.redact import KeepText
    from slmlens.logs.read import read_calls
    from slmlens.spend.price import price_calls

    calls = read_calls(
        paths,
        redactor=redaction if settings.redact else KeepText(redaction),
        format=settings.format,
        mapping=settings.mapping,
        reader=settings.reader,
        strict=settings.strict,
        sampling_rate=settings.sampling_rate,
        progress=lambda done, total: progress("read", done / max(total, 1)),
        processes=1 if redaction.names else None,  # a model of names is large, and loaded once
    )
    calls = mark_human_facing(mark_failures(calls), settings.human_facing)
    progress("read", 1.0)
    book = price_book(settings, None)
    priced = price_calls(calls.calls, assume_model=settings.assume_model, today=settings.today, book=book)
    return replace(calls, calls=priced)


def _summary(made: Plan, settings: Settings, run: Run | None) -> dict[str, Any]:
    from importlib.metadata import version

    from slmlens._version import __version__
    from slmlens.curation.counts import redaction_facts
    from slmlens.forgetting import texts_removed_words
    from slmlens.reporting.decisions import decision_records
    from slmlens.reporting.summary import RunFacts, summarise
    from slmlens.reporting.text import counted
    from slmlens.spend.ledger import build_ledger
    from slmlens.spend.months import estimate_month
    from slmlens.spend.tags import tag_totals
    from slmlens.succession import discovery_in_words

    calls, facts = made.tasks.calls, run.manifest if run else {}
    book, tag = price_book(settings, run), settings.tag or facts.get("tag")
    day = settings.today or dt.datetime.now(dt.UTC).date()
    gone, removed_on = facts.get("forgotten"), facts.get("texts_removed_on")
    limits = [texts_removed_words(removed_on)] if removed_on else []
    limits += [f"{counted(len(gone), 'session')} forgotten on request: no figure counts them."] if gone else []
    said = RunFacts(
        redaction=redaction_facts(calls.messages, facts, vars(settings)),
        method=[
            f"slmlens {__version__}, seed {settings.seed}.",
            f"Prices: genai-prices {version('genai-prices')}, run-rate of {day}.",
            *book.file.in_words(),
            *discovery_in_words(facts),
        ],
        limits=limits,
        decisions=decision_records(made),
        tags=None if tag is None else tag_totals(calls.calls, made.tasks.assignments, tag),
        invoice=_invoice(calls, settings, book, facts.get("invoice")),
    )
    ledger = build_ledger(calls.calls, made.tasks.assignments, excluded=made.tasks.set_aside)
    month = estimate_month(calls.calls, sampling_rate=calls.sampling_rate)
    return summarise(made, ledger=ledger, month=month, facts=said)


def _invoice(calls: Calls, settings: Settings, book: PriceBook, known: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the record of the invoice, or the one that the run has kept if it is of the same calls."""
    if settings.invoice is None:
        return known if known is not None and known["calls"] == calls.calls.height else None
    from slmlens.reporting.spend_records import invoice_record
    from slmlens.spend.invoice import reconcile
    from slmlens.spend.money_files import invoice_lines

    lines = invoice_lines(settings.invoice, book.file)
    found = reconcile(lines, calls.calls, book, sampling_rate=calls.sampling_rate)
    return invoice_record(found, file=settings.invoice.name, calls=calls.calls.height)


def _save(run: Run, stage: str, result: Calls | Plan) -> None:
    for name in TABLES[stage]:
        run.write_frame(name, getattr(result, name))


def _note_expiry(run: Run, settings: Settings) -> None:
    if settings.keep_days is not None:
        read_on = run.manifest.get("read_on") or dt.datetime.now(dt.UTC).date().isoformat()
        last = dt.date.fromisoformat(read_on) + dt.timedelta(days=settings.keep_days)
        run.note(expires_on=last.isoformat())


def _silent(_stage: str, _share: float) -> None:
    return None
