"""The command line: thin verbs over the public functions. Exit codes: 0 done, 1 a defect of ours, 2 unusable input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from slmlens import cli_options as options
from slmlens._version import __version__
from slmlens.errors import SettingError, SlmlensError
from slmlens.settings import Settings
from slmlens.stages import Progress

app = typer.Typer(
    name="slmlens",
    help="Which calls of your agents could a small language model take, and what would it save?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

STAGE_WORDS = {
    "read": "Reading and redacting",
    "tasks": "Finding tasks",
    "assess": "Weighing the evidence",
    "plan": "Valuing",
    "report": "Writing the report",
}
_WORDS = {**STAGE_WORDS, "ask": "Asking the model", "tune": "Tuning and asking"}


@app.command()
def run(
    logs: options.Logs,
    out: options.Out,
    format: options.Format = None,  # noqa: A002 - the word users type
    mapping: options.Mapping = None,
    reader: options.Reader = None,
    sampling_rate: options.SamplingRate = 1.0,
    assume_model: options.AssumeModel = None,
    prices: options.Prices = None,
    invoice: options.Invoice = None,
    tag: options.Tag = None,
    assumptions: options.Assumptions = None,
    human_facing: options.HumanFacing = None,
    key_file: options.KeyFile = None,
    rules: options.Rules = None,
    names: options.Names = False,
    names_model: options.NamesModel = "en_core_web_sm",
    audience: options.Audience = "leadership",
    text: options.Text = True,
    redact: options.Redact = True,
    keep_days: options.KeepDays = None,
    previous: options.Previous = None,
    name_with: options.NameWith = None,
    name_model: options.NameModel = None,
    false_green: options.FalseGreen = False,
    strict: options.Strict = False,
) -> None:
    """Read logs, find the recurring tasks, and report what a small model could take and save."""
    from slmlens.suitability.settings import SHUFFLES

    settings = Settings(
        redact=redact,
        keep_text=text,
        key_file=key_file,
        rules=rules,
        names=names,
        names_model=names_model,
        format=format,
        mapping=mapping,
        reader=reader,
        strict=strict,
        sampling_rate=sampling_rate,
        assume_model=assume_model,
        prices=prices,
        invoice=invoice,
        tag=tag,
        assumptions=assumptions,
        human_facing=human_facing,
        keep_days=keep_days,
        previous=previous,
        name_with=name_with,
        name_model=name_model,
        shuffles=SHUFFLES if false_green else 0,
    )
    _say_what_leaves(settings)
    _main_job(logs, out, settings, audience)


@app.command()
def check(
    logs: options.Logs,
    format: options.Format = None,  # noqa: A002 - the word users type
    mapping: options.Mapping = None,
    reader: options.Reader = None,
    assume_model: options.AssumeModel = None,
    prices: options.Prices = None,
) -> None:
    """Tell what a log holds, what each gap costs the analysis, and which setting closes it. Writes nothing."""
    from slmlens.stages import check as look

    with _progress(("read",)) as step:
        found = look(
            logs,
            settings=Settings(format=format, mapping=mapping, reader=reader, assume_model=assume_model, prices=prices),
            progress=step,
        )
    typer.echo(str(found))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    audience: options.Audience = "leadership",
) -> None:
    """Run the main job on a generated sample: a month of a shop's support agents, 1 % of its traffic."""
    import tempfile

    from slmlens.sample import write_sample

    with tempfile.TemporaryDirectory() as folder:
        truth = write_sample(Path(folder) / "sample")
        _main_job([str(truth.logs)], out, Settings(sampling_rate=truth.sampling_rate), audience)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="RUN")],
    to: Annotated[Path | None, typer.Option(help="HTML file to write; default: report.html in the run folder.")] = None,
    audience: options.Audience = "leadership",
) -> None:
    """Render the report of a finished run again, for another audience."""
    import json

    from slmlens.errors import RunFolderError
    from slmlens.reporting.html import render_html
    from slmlens.run import MANIFEST, open_run

    if (folder / MANIFEST).is_file() and os.access(folder, os.W_OK):
        open_run(folder)  # texts whose days have passed go first
    summary = folder / "summary.json"
    if not summary.is_file():
        raise RunFolderError(
            "there is no finished run here", where=folder.name, next_step="run `slmlens run LOGS --out FOLDER` first"
        )
    target = to or folder / "report.html"
    target.write_text(render_html(json.loads(summary.read_text(encoding="utf-8")), audience=audience), encoding="utf-8")
    typer.echo(f"Report: {target}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="A folder of exported logs; an empty one for the sample.", metavar="DIR")
    ],
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser, only print the address.")] = False,
    port: Annotated[int | None, typer.Option(help="Port to listen on, on this machine only.")] = None,
) -> None:
    """Copy the guided notebooks beside your logs and open them in JupyterLab, which takes any other option."""
    from slmlens.lab import copied_in_words, copy_notebooks, lab_arguments, open_lab

    copied = copy_notebooks(folder)
    for line in copied_in_words(copied):
        typer.echo(line)
    open_lab([*lab_arguments(copied.folder, browser=not no_browser, port=port), *context.args])


@app.command()
def pilot(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")],
    task: Annotated[
        list[str] | None, typer.Option(help="Id of the task, or its whole name; with --recorded also several.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="JSON lines of a model's answers; without it the prompts are exported.")
    ] = None,
    recorded: Annotated[
        list[Path] | None,
        typer.Option(help="Log of another model that answered the same prompts; without --task: how many, by task."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the small model that answered.")] = None,
    mode: Annotated[str, typer.Option(help="swap: the model as it is; tuned: trained on this task.")] = "swap",
    endpoint: options.Endpoint = None,
    from_source: options.FromSource = None,
    max_calls: options.MaxCalls = 60,
    max_usd: options.MaxUsd = None,
    price_in: options.PriceIn = None,
    price_out: options.PriceOut = None,
    max_tokens: options.MaxTokens = None,
    at_once: options.AtOnce = 4,
    per_minute: options.PerMinute = None,
    timeout: options.Timeout = 120.0,
    retries: options.Retries = 4,
    tune_locally: options.TuneLocally = False,
    base: options.Base = None,
    seconds: options.Seconds = 180.0,
) -> None:
    """Export prompts of a task for a small model, ask it at an endpoint, tune one here, or grade its answers."""
    from slmlens.pilots.asking import Asking
    from slmlens.pilots.pilot import pilot as run_pilot
    from slmlens.pilots.recorded import pilots_in_words

    if recorded and answers is None:
        typer.echo(pilots_in_words(folder, task or (), recorded, model=model, mode=mode))
        return
    asking = Asking(max_calls, max_usd, price_in, price_out, max_tokens, at_once, per_minute, timeout, retries)
    bars = [name for name, wanted in (("ask", endpoint), ("tune", tune_locally)) if wanted]
    with _progress(bars) as step:
        found = run_pilot(
            folder,
            _one(task),
            answers=answers,
            recorded=recorded,
            endpoint=endpoint,
            model=model,
            mode=mode,
            asking=asking,
            from_source=from_source,
            say=lambda words: typer.echo(words, err=True),
            tune_locally=tune_locally,
            base=base,
            seconds=seconds,
            progress=None if step is None else lambda done, of: step(bars[0], done / of),
        )
    typer.echo(found.said)


@app.command()
def backtest(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="RUN")],
    split: Annotated[str, typer.Option(help="First UTC day of the later calls, such as 2026-09-15.", metavar="DATE")],
) -> None:
    """Hold what the calls before a day would have promised against what the log shows from that day on."""
    from slmlens.backtesting import backtest as hold

    typer.echo(str(hold(folder, split)))


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="A model: all its facts and figures.", metavar="NAME")] = None,
    task: Annotated[str | None, typer.Option(help="Id of a task of the run, or its whole name.")] = None,
    folder: Annotated[Path | None, typer.Option("--run", help="Folder of a finished run.", metavar="RUN")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the small models looked at; one of them in full; or for a task which it can take, and why not the others."""
    import json

    from slmlens.models_page import models_record, models_text

    found = models_record(name, run=folder, task=task)
    typer.echo(json.dumps(found, indent=1, ensure_ascii=False) if as_json else models_text(found))


@app.command()
def forget(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="RUN")],
    session: Annotated[
        str | None, typer.Option(help="Session to remove: its hash in calls.parquet, or with the key its own id.")
    ] = None,
    texts: Annotated[bool, typer.Option("--texts", help="Remove all message texts and keep the figures.")] = False,
    key_file: Annotated[
        Path | None, typer.Option("--key", help="Key file that the run was made with (default: SLMLENS_KEY).")
    ] = None,
) -> None:
    """Remove a session, or all texts, from a run and from everything made of it."""
    from slmlens.forgetting import forget as remove

    done = remove(folder, session=session, texts=texts, key_file=key_file)
    for name in done.cleaned:
        typer.echo(f"Outputs removed: {name}")
    typer.echo(done.said)


def main() -> None:
    """Run the command line; turn our errors into a sentence and an exit code."""
    try:
        app(standalone_mode=True)
    except SlmlensError as error:
        typer.echo(f"slmlens: {error}", err=True)
        sys.exit(error.exit_code)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's form of a callback
    if asked:
        typer.echo(f"slmlens {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Which calls of your agents could a small language model take, and what would it save?"""  # noqa: D400 - a question


def _one(tasks: list[str] | None) -> str:
    if tasks is None or len(tasks) != 1:
        raise SettingError("a pilot is of one task", where="--task", next_step="name one; the report lists them")
    return tasks[0]


def _say_what_leaves(settings: Settings) -> None:
    """Say, before any work, what is sent to another place and where to; nothing where nothing is."""
    from slmlens.tasks.chat_endpoint import endpoint_of

    endpoint = endpoint_of(settings.name_with, settings.name_model)
    if endpoint is not None:
        from slmlens.tasks.naming import leaving_in_words

        typer.echo(leaving_in_words(endpoint), err=True)


def _main_job(logs: list[str], out: Path, settings: Settings, audience: str) -> None:
    from slmlens.stages import analyse

    with _progress() as step:
        finished = analyse(logs, out=out, settings=settings, audience=audience, progress=step)
    typer.echo(f"{finished.manifest['headline']} Report: {finished.path('report.html')}")


@contextmanager
def _progress(stages: Sequence[str] = tuple(STAGE_WORDS)) -> Iterator[Progress | None]:
    """Show a bar a stage on a terminal, and nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(complete_style="cyan", finished_style="green"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        order = list(stages)
        rows = {stage: bars.add_task(_WORDS[stage], total=1.0, start=stage == order[0]) for stage in order}

        def step(stage: str, share: float) -> None:
            bars.update(rows[stage], completed=share)
            following = order.index(stage) + 1
            if share >= 1.0 and following < len(order):
                bars.start_task(rows[order[following]])

        yield step


if __name__ == "__main__":
    main()
