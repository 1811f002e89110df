"""The options of the command line's main verb, and of an endpoint in a pilot, each declared once with its words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Logs = Annotated[
    list[str],
    typer.Argument(
        help="Exported logs: files, folders or addresses (s3://bucket/logs), formats mixed, .gz read through.",
        metavar="LOGS...",
    ),
]
Out = Annotated[Path, typer.Option(help="Folder of the run; an interrupted run resumes there.")]
Format = Annotated[str | None, typer.Option(help="Log format of all files, if it is not recognised.")]
Mapping = Annotated[
    str | None,
    typer.Option("--map", help="Where rows of no known format have what: prompt=COLUMN,answer=COLUMN, or a YAML file."),
]
Reader = Annotated[
    Path | None, typer.Option(help="Python file that declares a log format of your own; see docs/formats.md.")
]
SamplingRate = Annotated[float, typer.Option(help="Share of the traffic that the log holds, e.g. 0.01.")]
AssumeModel = Annotated[str | None, typer.Option(help="Price calls whose model is not logged as this model.")]
Prices = Annotated[
    Path | None, typer.Option(help="YAML file of your own prices, deployments, commitments and discounts.")
]
Invoice = Annotated[Path | None, typer.Option(help="CSV file of an invoice to lay beside the log.")]
Tag = Annotated[
    str | None,
    typer.Option(help="Cost-allocation tag of the log whose values get totals, e.g. team.", metavar="KEY"),
]
Assumptions = Annotated[Path | None, typer.Option(help="YAML file of assumptions to override.")]
HumanFacing = Annotated[
    Path | None, typer.Option(help="YAML file of steps or services: true where a person reads the answer.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="Key file of placeholders and hashes (default: SLMLENS_KEY, else random)."),
]
Rules = Annotated[Path | None, typer.Option(help="YAML file of own redaction rules.")]
Names = Annotated[bool, typer.Option("--names", help="Also hide names of persons and places (the extra names).")]
NamesModel = Annotated[str, typer.Option(help="spaCy model for --names: a package or a path.")]
Audience = Annotated[str, typer.Option(help="leadership, finance or engineering: what the report shows first.")]
Text = Annotated[bool, typer.Option("--text/--no-text", help="Store redacted message texts in the run folder.")]
Redact = Annotated[
    bool, typer.Option("--redact/--no-redact", help="Replace personal data and secrets before anything is written.")
]
KeepDays = Annotated[int | None, typer.Option(help="Remove message texts when the run is opened after so many days.")]
Previous = Annotated[
    Path | None,
    typer.Option("--from", help="Folder of an earlier run whose ids and decisions hold.", metavar="RUN"),
]
NameWith = Annotated[
    str | None,
    typer.Option(help="Address of a chat endpoint whose model names the tasks; it gets skeletons.", metavar="URL"),
]
NameModel = Annotated[str | None, typer.Option(help="That model's name.", metavar="NAME")]
FalseGreen = Annotated[
    bool,
    typer.Option("--false-green", help="Also measure how far the probes fool themselves on this log. Takes longer."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first record that can't be read.")]

Endpoint = Annotated[
    str | None,
    typer.Option(help="Address of a chat endpoint to ask; the key is OPENAI_API_KEY.", metavar="URL"),
]
FromSource = Annotated[
    list[Path] | None,
    typer.Option(help="Logs of the run: ask their raw prompts, which are not stored.", metavar="LOGS"),
]
MaxCalls = Annotated[int, typer.Option(help="Prompts to ask at most, this time.")]
MaxUsd = Annotated[float | None, typer.Option(help="Dollars to spend at most, this time.", metavar="USD")]
PriceIn = Annotated[
    float | None, typer.Option(help="Dollars a million input tokens, if the lists don't have it.", metavar="USD")
]
PriceOut = Annotated[float | None, typer.Option(help="Dollars a million output tokens.", metavar="USD")]
MaxTokens = Annotated[
    int | None, typer.Option(help="Tokens of an answer at most; default: from the task's own answers.")
]
AtOnce = Annotated[int, typer.Option(help="Prompts under way at a time.")]
PerMinute = Annotated[float | None, typer.Option(help="Requests a minute at most.")]
Timeout = Annotated[float, typer.Option(help="Seconds after which an answer is given up.")]
Retries = Annotated[int, typer.Option(help="How often a request that failed for the moment is sent again.")]

TuneLocally = Annotated[
    bool,
    typer.Option("--tune-locally", help="Tune a small model here on earlier sessions, and ask it on later ones."),
]
Base = Annotated[
    str | None,
    typer.Option(help="Model to tune: a folder, a GGUF file or a hub's id; default: SmolLM2-135M-Instruct."),
]
Seconds = Annotated[float, typer.Option(help="Seconds that tuning and asking may take, about.")]
